"""What could not be read: which names it may declare and which paths it may make, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlbuild.language.ast import Broken
from mlbuild.language.mistakes.place import CLAUSES

MADE = ("outputs", "metrics")
NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
CLAUSE = re.compile(r"([ \t]+)(\w+)(?:[ \t]+python)?[ \t]*:")
QUOTED = re.compile(r"""["']([^"'\n]+)""")
BARE = re.compile(r"""(?:\{[^{}\n]*\}|[^\s"',=()\[\]])+""")
SLOT = re.compile(r"\{[^{}\n]*\}")


class Lost:
    """What is said of it would only follow from what was said where it could not be read."""

    def __init__(self) -> None:
        self.everything = False
        """A file could not be read, which may declare any name and make any path."""
        self.names: set[str] = set()
        self._paths: list[re.Pattern[str]] = []
        self._folders: list[re.Pattern[str]] = []

    def add(self, broken: Broken) -> None:
        """A statement or a clause."""
        self.everything = self.everything or broken.word == "include"
        if broken.header is None:
            self.declare(broken.text.partition("\n")[0])
        if broken.word == "defaults":
            self.names.add("local")  # where a target runs that does not say so itself
        if broken.word in ("target", ""):
            for line in _made(broken.text):
                self.make(line)

    def declare(self, line: str) -> None:
        """The names that a statement of this first line may declare."""
        head = NAME.findall(re.split("[:=({#[]", line)[0])
        words = NAME.findall(line)
        found = words if words[:1] == ["params"] else head if len(head) > 1 else words[:2]
        self.names |= {name for word in found for name in (word, word.replace("-", "_"), *word.split("-"))}

    def make(self, text: str) -> None:
        """The paths that outputs of this text may make."""
        for word in (*QUOTED.findall(text), *BARE.findall(text)):
            path = word.removeprefix("./").rstrip("/")
            if SLOT.sub("", path):
                self._paths.append(_pattern(path))
                while "/" in path:
                    path = path.rpartition("/")[0]
                    self._folders.append(_pattern(path))

    def may_make(self, path: str) -> bool:
        """Whether a path, a folder around it or something in it may be made by what could not be read."""
        path = path.rstrip("/")
        around = [path]
        while "/" in path:
            path = path.rpartition("/")[0]
            around.append(path)
        made = any(pattern.fullmatch(each) for pattern in self._paths for each in around)
        return self.everything or made or any(pattern.fullmatch(around[0]) for pattern in self._folders)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in SLOT.split(path)), re.DOTALL)


def _made(text: str) -> Iterator[str]:
    """The lines of a statement that may say what it makes: not those of other clauses."""
    clause, depth = "", 0
    for line in text.split("\n"):
        head = CLAUSE.match(line)
        if head and (not clause or len(head[1]) <= depth or head[2] in MADE):
            clause, depth = head[2], len(head[1])
        if clause in MADE or clause not in CLAUSES:
            yield line
