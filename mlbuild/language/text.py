"""Texts with slots: which brace pairs of a `"string"` or a recipe are interpolated, and which pass through."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from mlbuild.errors import Location, Source
from mlbuild.expression import Argument, Attribute, Index, Literal, Name, Node, Slot, Template
from mlbuild.language.places import places

Locate = Callable[[int, int], Location]
"""From (offset in a text, length) to where that stands in the file."""

NAME = "[A-Za-z_][A-Za-z0-9_]*"
STEP = rf"""\.{NAME}|\[(?:\d{{1,9}}|"[^"\n]*"|'[^'\n]*'|{NAME})\]"""
BODY = rf"""({NAME})((?:{STEP})*)(?::([^\s{{}}"'`$\\:](?:[^{{}}"'`$\\\n]*[^\s{{}}"'`$\\])?))?"""
SLOT = re.compile(rf"\{{{BODY}\}}", re.ASCII)
DOUBLED = re.compile(rf"\{{(\{{{BODY}\}})\}}", re.ASCII)
PASSES = re.compile(r"(?:[$@%]|\\[A-Za-z]{2,})\Z")
"""What a brace pair comes straight after if it is some other tool's. Not `\n` and `\t`, of texts to print."""
LONGEST_WORD = 64
STEPS = re.compile(STEP, re.ASCII)


def string(raw: str, source: Source, line: int, column: int) -> Template:
    """The template of a `"string"`, quotes included, that begins at a line and column of the file."""
    text, offsets = _unescape(raw[1:-1])

    def locate(offset: int, length: int) -> Location:
        return Location(source, line, column + 1 + offsets[offset], offsets[offset + length] - offsets[offset])

    return Template(tuple(_parts(text, locate)), Location(source, line, column, len(raw)))


def recipe(text: str, locate: Locate) -> Template:
    """The template of a shell text; each slot knows how the shell reads its place."""
    parts = tuple(_parts(text, locate))
    where = iter(places(parts))
    placed = tuple(replace(part, place=next(where)) if isinstance(part, Slot) else part for part in parts)
    return Template(placed, locate(0, len(text.partition("\n")[0])))


def locator(source: Source, first_line: int, columns: list[int], text: str) -> Locate:
    """Locations in a text of several lines, of which line i begins at `columns[i]` of line first_line + i."""
    starts = [0]
    starts.extend(match.end() for match in re.finditer("\n", text))

    def locate(offset: int, length: int) -> Location:
        row = bisect_right(starts, offset) - 1
        return Location(source, first_line + row, columns[row] + offset - starts[row], length)

    return locate


def _unescape(raw: str) -> tuple[str, range | list[int]]:
    r"""The text without its escapes (`\"`, `\\`), and from where in `raw` each character of it came."""
    if "\\" not in raw:
        return raw, range(len(raw) + 1)
    chars, offsets, position = [], [], 0
    while position < len(raw):
        offsets.append(position)
        if raw[position : position + 2] in ('\\"', "\\\\"):
            position += 1
        chars.append(raw[position])
        position += 1
    return "".join(chars), [*offsets, len(raw)]


def _parts(text: str, locate: Locate) -> Iterator[str | Slot]:
    """Literal texts and slots, in order; no two literal texts stand side by side."""
    literal: list[str] = []
    position = 0
    while (brace := text.find("{", position)) >= 0:
        literal.append(text[position:brace])
        doubled = DOUBLED.match(text, brace)
        slot = None if doubled else SLOT.match(text, brace)
        found = doubled or slot
        if not found:
            literal.append("{")
            position = brace + 1
            continue
        position = found.end()
        if PASSES.search(text, max(0, brace - LONGEST_WORD), brace):
            literal.append(found[0])
        elif doubled:
            literal.append(doubled[1])
        elif slot:
            if any(literal):
                yield "".join(literal)
            literal = []
            yield _slot(slot, locate)
    literal.append(text[position:])
    if any(literal):
        yield "".join(literal)


def _slot(match: re.Match[str], locate: Locate) -> Slot:
    start = match.start()
    node: Node = Name(match[1], locate(start + 1, len(match[1])))
    for step in STEPS.finditer(match.string, match.start(2), match.end(2)):
        at = locate(start + 1, step.end() - start - 1)
        inner = locate(step.start() + 1, step.end() - step.start() - 1)
        if step[0].startswith("."):
            node = Attribute(node, step[0][1:], at)
        else:
            node = Index(node, (Argument(None, _key(step[0][1:-1], inner), inner),), at)
    return Slot(node, match[3] or "", "text", locate(start, match.end() - start))


def _key(text: str, at: Location) -> Node:
    if text[0] in "\"'":
        return Literal(text[1:-1], text, at)
    return Literal(int(text), text, at) if text.isdigit() else Name(text, at)


def unescaped(raw: str) -> str:
    """What stands between the quotes of a `"string"`, without its escapes."""
    return _unescape(raw)[0]
