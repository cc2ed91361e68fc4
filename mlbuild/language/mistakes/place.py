"""Where reading stopped, what stands there, and the words of the language. Judges nothing."""

from __future__ import annotations

import re

from msgspec import Struct

from mlbuild.errors import Location

STATEMENTS = ("include", "param", "params", "let", "partition", "executor", "defaults", "default", "target")
CLAUSES = (
    *("inputs", "code", "outputs", "metrics", "params", "environ", "requires", "checkpoint", "resources", "timeout"),
    *("stall", "retry", "on", "after", "when", "check", "on_failure", "max_active", "batch", "cache", "run"),
)
RESERVED = ("and", "or", "not", "true", "false", "null")


class Place(Struct, frozen=True):
    """Where reading stopped.

    `token` is the kind of what was found ("" if it is no token), `expected` what could have stood there, `opened` the
    innermost bracket that is still open.
    """

    at: Location
    token: str
    expected: frozenset[str]
    opened: Location | None

    @property
    def line(self) -> str:
        return self.at.source.line(self.at.line)

    @property
    def rest(self) -> str:
        """The line from the place on."""
        return self.line[self.at.column - 1 :]

    @property
    def before(self) -> str:
        return self.line[: self.at.column - 1]

    @property
    def word(self) -> str:
        """The word that begins at the place, or ""."""
        match = re.match(r"[^\W\d][\w-]{0,99}", self.rest)
        return match[0] if match else ""

    def over(self, length: int) -> Location:
        return Location(self.at.source, self.at.line, self.at.column, max(1, length))

    @property
    def shown(self) -> str:
        """What stands at the place, as it is quoted in a message."""
        if self.word:
            return self.word
        match = re.match(r"""\.\.|[<>=!]=|\d[\w.+-]{0,99}|"[^"]{0,99}"|'[^']{0,99}'|\S""", self.rest)
        return match[0] if match else ""

    @property
    def above(self) -> str:
        """The nearest line above that is not empty."""
        number = self.at.line - 1
        while number > 0 and not self.at.source.line(number).strip():
            number -= 1
        return self.at.source.line(number)
