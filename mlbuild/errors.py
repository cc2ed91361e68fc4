"""What is said to a person: where in a Pipelinefile, what is wrong, what to do. Knows nothing of the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

WIDEST = 200
"""Characters. Of a longer line only what is around the place is shown."""
LEAVE_OUT = "leave out one of them"
"""The hint for what is given twice."""


@lru_cache(maxsize=16)
def _lines(text: str) -> list[str]:
    """Kept, since of a long file many lines are asked for, one after the other."""
    return text.split("\n")


@dataclass(frozen=True, slots=True)
class Source:
    """A text that was read: its path as the user would write it, and all of it."""

    path: str
    text: str

    def line(self, number: int) -> str:
        """Line `number` (from 1), without its line break; empty past the end."""
        lines = _lines(self.text)
        return lines[number - 1] if 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a text; `line` and `column` count from 1, `length` is in characters."""

    source: Source
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.source.path}:{self.line}:{self.column}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def caret(self) -> str:
        """The line itself and, below it, carets under the place (tabs are kept, so that they line up)."""
        text = "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in self.source.line(self.line))
        start = self.column - 1
        if len(text) > WIDEST:
            cut = max(0, start - WIDEST // 2)
            text, start = "…" * (cut > 0) + text[cut : cut + WIDEST] + "…", start - cut + (cut > 0)
        indent = "".join("\t" if char == "\t" else " " for char in text[:start])
        marks = "^" * max(1, min(self.length, len(text) - start))
        number = str(self.line)
        return f"  {number} | {text}\n  {' ' * len(number)} | {indent}{marks}"


class MlbuildError(Exception):
    """A user's mistake. It ends the command with a message, never with a traceback.

    Args:
        message: what is wrong, one sentence without a full stop.
        at: where, if it stands in a file.
        hint: what to do about it.
    """

    exit_status = 2
    kind = "error"

    def __init__(self, message: str, at: Location | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.kind}: {self.message}"
        if self.at:
            text = f"{self.at}: {text}\n{self.at.caret()}"
        if self.hint:
            text += f"\n  hint: {self.hint}"
        return text


class PipelineError(MlbuildError):
    """The Pipelinefile is wrong."""


class UsageError(MlbuildError):
    """The command line is wrong: an option, a goal, an override."""


class UnknownParam(UsageError):
    """`NAME=value` on the command line, and no param is called so: it may be a path.

    Args:
        name: what stands before the `=`.
    """

    def __init__(self, name: str, message: str, hint: str | None = None) -> None:
        super().__init__(message, None, hint)
        self.name = name


class Doubt(MlbuildError):
    """What may not be meant. It is shown and never raised."""

    kind = "doubtful"


class ConfigError(MlbuildError):
    """A configuration file is wrong."""


class StateError(MlbuildError):
    """What lies under `.mlbuild/`, or the disk below it, can't be used."""

    exit_status = 1


class ManyErrors(MlbuildError):
    """Several mistakes, found in one go.

    Args:
        errors: at least one, in the order in which they are shown.
    """

    def __init__(self, errors: Iterable[MlbuildError]) -> None:
        self.errors = tuple(errors)
        super().__init__(self.errors[0].message, self.errors[0].at, self.errors[0].hint)

    def __str__(self) -> str:
        return "\n\n".join(str(error) for error in self.errors)
