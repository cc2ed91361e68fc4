"""Takes what can't be read out of a text, so that the rest can be: a statement, or a clause of it. Sees text alone."""

from __future__ import annotations

import re

from mlbuild.language.ast import Broken
from mlbuild.language.mistakes.place import CLAUSES, STATEMENTS
from mlbuild.values import nearest

LONGEST_WORD = 20
"""Characters of a word that may be a misspelt statement."""
WORD = re.compile(r"[A-Za-z_][\w-]*")
CLAUSE = re.compile(r"([ \t]+)[A-Za-z_]\w*(?:[ \t]+python)?[ \t]*:")


def without(text: str, line: int, *, begins: bool) -> tuple[str, Broken]:
    """A text whose lines around a mistake are empty, and what stood on them.

    Args:
        line: that of the mistake, from 1.
        begins: a statement should begin there.
    """
    lines = text.split("\n")
    at = line - 1
    start = at if begins else max((number for number in range(at + 1) if statement(lines[number])), default=0)
    end = _end(lines, start, at, begins)
    word = statement(lines[start])
    clause = _clause(lines, start, end, at) if word in ("target", "defaults") else None
    header = start + 1 if clause else None
    start, end = clause or (start, end)
    broken = Broken("\n".join(lines[start:end]), word, header)
    return "\n".join([*lines[:start], *[""] * (end - start), *lines[end:]]), broken


def statement(line: str) -> str:
    """The word of the statement that begins on a line, though it may be misspelt; "" if none does."""
    word = WORD.match(line)
    if not word or len(word[0]) > LONGEST_WORD:
        return ""
    return word[0] if word[0] in STATEMENTS else nearest(word[0], STATEMENTS) or ""


def _end(lines: list[str], start: int, mistake: int, begins: bool) -> int:
    """The line after the statement from `start` on.

    Behind a recipe, a line at the left edge is likely to belong to it (to a here-document), and so are those behind it.
    """
    above = next((line for line in reversed(lines[:start]) if line.strip()), "")
    alone = begins and not statement(lines[start]) and above[:1] not in (" ", "\t")
    ends = (at for at, line in enumerate(lines) if at > mistake and (statement(line) or (alone and _new(line))))
    return next(ends, len(lines))


def _new(line: str) -> bool:
    """Whether something else begins on a line, although it is no statement."""
    word = WORD.match(line)
    return line[:1] not in ("", " ", "\t", "#") and not (word and word[0] in CLAUSES)


def _clause(lines: list[str], start: int, end: int, at: int) -> tuple[int, int] | None:
    """The lines of the clause around a line; None if it is the only one, or they can't be told apart."""
    body = [number for number in range(start + 1, end) if lines[number].strip() and lines[number].lstrip()[0] != "#"]
    if not body:
        return None
    indent = _indent(lines[body[0]])
    heads = [number for number in body if _indent(lines[number]) == indent]
    apart = all(CLAUSE.match(lines[number]) for number in heads if number != at)
    if not apart or not all(_indent(lines[number]).startswith(indent) for number in body):
        return None
    head = max((number for number in heads if number <= at), default=None)
    if head is None or len(heads) == 1:
        return None
    return head, next((number for number in heads if number > at), end)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
