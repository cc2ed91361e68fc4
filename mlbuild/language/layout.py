"""Lays out the text of a Pipelinefile: indentation, blanks and empty lines, and nothing else.

Lines stay as the author broke them, and so do recipes and comments, but for where they begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

from msgspec import Struct

from mlbuild.language.parser import HEAD, Lexeme, is_block, lexemes

STEP = 4
"""Blanks for each level."""
OPENS, CLOSES = ("LSQB", "LPAR", "LBRACE"), ("RSQB", "RPAR", "RBRACE")
ATOMS = ("NAME", "STRING", "RAW", "DATE", "SIZE", "DURATION", "NUMBER", "CONSTANT", *CLOSES)
"""What an operand may end with; a `[` behind it selects, and is no list."""
GLUED = ("COMMA", "COLON", "QMARK", "DOT")


class _Line(Struct):
    """A line as it was read: its lexemes, the comment behind them, and the columns (from 0) of its first sign and of
    the comment. `level` and `nested` (it goes on inside brackets) come later."""

    lexemes: list[Lexeme]
    comment: str
    indent: str
    column: int
    level: int = 0
    nested: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.lexemes and not self.comment


def laid_out(path: str, data: bytes) -> str:
    """The text of a Pipelinefile as it should be laid out. Means the same as before.

    Raises:
        ManyErrors: it can't be read.
    """
    text, found = lexemes(path, data)
    lines = list(_lines(text, found))
    _indent(lines)
    return "".join(f"{line}\n" for line in _spaced(lines))


# --- Reading


def _lines(text: str, found: list[Lexeme]) -> Iterator[_Line]:
    """Between two lexemes stand blanks, line breaks and comments alone."""
    position, line = 0, _Line([], "", "", 0)
    for lexeme in [*found, Lexeme("", "", len(text))]:
        behind, *more = text[position : lexeme.start].split("\n")
        _add_comment(line, behind, _column(text, position))
        for row in more:
            yield line
            line = _Line([], "", row[: len(row) - len(row.lstrip())], 0)
            _add_comment(line, row, 0)
        line.lexemes.append(lexeme)
        position = lexeme.start + len(lexeme.text)
    line.lexemes.pop()
    yield line


def _add_comment(line: _Line, behind: str, column: int) -> None:
    if comment := behind.strip():
        line.comment = comment
        line.column = column + len(behind.expandtabs(STEP)) - len(behind.lstrip().expandtabs(STEP))


def _column(text: str, position: int) -> int:
    return len(text[text.rfind("\n", 0, position) + 1 : position].expandtabs(STEP))


# --- Levels


def _indent(lines: list[_Line]) -> None:
    """Give each line its level: that of its block, or one more than the line on which its bracket was opened."""
    blocks = [""]
    opened: list[int] = []
    comments: list[_Line] = []
    for line in lines:
        if not line.lexemes:
            if opened:
                line.level, line.nested = opened[-1] + 1, True
            else:
                comments.append(line)
            continue
        if opened:
            line.level, line.nested = opened[-1] + (line.lexemes[0].kind not in CLOSES), True
        else:
            before = list(blocks)
            _enter(blocks, line.indent)
            line.level = len(blocks) - 1
            _indent_comments(comments, before, line.level)
            comments = []
        for lexeme in line.lexemes:
            if lexeme.kind in OPENS:
                opened.append(line.level)
            elif lexeme.kind in CLOSES:
                opened.pop()
    _indent_comments(comments, blocks, 0)


def _enter(blocks: list[str], indent: str) -> None:
    while len(blocks[-1]) > len(indent):
        blocks.pop()
    if len(blocks[-1]) < len(indent):
        blocks.append(indent)


def _indent_comments(comments: list[_Line], before: list[str], level: int) -> None:
    """A comment on a line of its own goes with what follows; behind a block, with the block if it stands as deep."""
    for line in comments:
        deep = sum(len(indent) <= len(line.indent) for indent in before) - 1
        line.level = max(level, deep)


# --- Writing


def _spaced(lines: list[_Line]) -> Iterator[str]:
    """The lines as text, with one empty line at most between two, and at least one around what has a block."""
    written: list[_Line] = []
    gap = False
    around = _stands_apart(lines)
    for line in lines:
        if line.is_empty:
            gap = True
            continue
        if written and ((gap and written[-1].level >= line.level) or id(line) in around):
            yield ""
        gap = False
        written.append(line)
        yield from _written(line)


def _stands_apart(lines: list[_Line]) -> set[int]:
    """Which lines must have an empty one above: statements with a block or behind one, or the comments right above."""
    found: set[int] = set()
    own = [number for number, line in enumerate(lines) if line.lexemes and not line.nested]
    for before, number, behind in zip([None, *own], own, [*own[1:], None], strict=False):
        line = lines[number]
        after_block = before is not None and lines[before].level > 0
        if line.level == 0 and (after_block or (behind is not None and lines[behind].level > 0)):
            while (
                number and lines[number - 1].comment and not lines[number - 1].lexemes and not lines[number - 1].level
            ):
                number -= 1
            found.add(id(lines[number]))
    return found


def _written(line: _Line) -> Iterator[str]:
    indent = " " * (STEP * line.level)
    last = line.lexemes[-1] if line.lexemes else None
    if last is None:
        yield indent + line.comment
    elif last.kind == "RECIPE":
        yield from _recipe(last.text, indent, line)
    elif last.kind == "DESCRIPTION":
        *first, end = _description(last.text, indent)
        yield from first
        yield _with_comment(end, line.comment, line.column)
    else:
        yield _with_comment(indent + _joined(line.lexemes), line.comment, line.column)


def _with_comment(code: str, comment: str, column: int) -> str:
    """The comment in the column that its author gave it, if that is free."""
    return f"{code}{' ' * max(2, column - len(code))}{comment}" if comment else code


def _recipe(text: str, indent: str, line: _Line) -> Iterator[str]:
    """A recipe of several lines is moved as a whole; what goes on behind a `\\` stays where it is."""
    head = HEAD.match(text)
    assert head
    word = indent + ("run python:" if head[1] else "run:")
    first, *rest = text.split("\n")
    if not is_block(text):
        yield f"{word} {first[head.end() :]}"
        yield from rest
        return
    column = len(line.indent.expandtabs(STEP)) + head.end()
    yield _with_comment(word, first[head.end() :].rstrip(), column)
    start = next(number for number, row in enumerate(rest) if row.strip())
    margin = len(rest[start]) - len(rest[start].lstrip(" \t"))
    for row in rest[start:]:
        yield indent + " " * STEP + row[margin:] if row[margin:] else ""


def _description(text: str, indent: str) -> list[str]:
    """Its lines, of which all but the first are moved with it."""
    inner = text[3:-3]
    rows = cleandoc(inner).strip().split("\n")
    if not inner.partition("\n")[0].strip() and "\n" in inner and rows[1:]:
        rows = ["", *rows]
    close = ' """' if rows[-1].endswith('"') else '"""'
    moved = [f'{indent}"""{rows[0]}', *(indent + row if row else "" for row in rows[1:])]
    return [*moved, indent + '"""'] if rows[1:] else [moved[0] + close]


def _joined(found: list[Lexeme]) -> str:
    """The lexemes of a line, with blanks between them where they belong."""
    text, before, tight = "", Lexeme("", "", 0), True
    selects: list[bool] = []
    for lexeme in found:
        operand = before.kind in (*ATOMS, "QMARK")
        sign = lexeme.kind in ("PLUS", "MINUS")
        # `day-6` in brackets that select, but not `2013 - 1`: four digits, a hyphen and a digit are a date.
        shift = sign and before.kind == "NAME" and selects[-1:] == [True]
        text += ("" if tight or shift or _glued(before, lexeme) else " ") + lexeme.text
        tight = shift or (sign and not operand)
        if lexeme.kind in OPENS:
            selects.append(lexeme.kind == "LSQB" and operand)
        elif lexeme.kind in CLOSES:
            del selects[-1:]
        before = lexeme
    return text


def _glued(before: Lexeme, lexeme: Lexeme) -> bool:
    """Whether no blank stands between two lexemes."""
    return (
        before.kind in (*OPENS, "DOT", "DOTS")
        or lexeme.kind in (*CLOSES, *GLUED, "DOTS")
        or (lexeme.kind == "LSQB" and before.kind in ATOMS)
        or (lexeme.kind == "LPAR" and before.kind == "NAME")
    )
