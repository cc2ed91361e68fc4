"""Adds items to the clauses of targets, in the text of a Pipelinefile. Blind to what the items mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlbuild.errors import Location
from mlbuild.language import ast
from mlbuild.language.layout import laid_out
from mlbuild.language.parser import Lexeme, lexemes, parse

Additions = Mapping[str, Mapping[str, Sequence[str]]]
"""Target → clause → its new items, as they are to be written."""


def amended(path: str, data: bytes, additions: Additions) -> str:
    """The text with the new items, laid out.

    Args:
        path: how errors name the file.
        additions: to targets that this file declares and that have a recipe.

    Raises:
        ManyErrors: it can't be read.
    """
    tree = parse(path, data)
    text, found = lexemes(path, data)
    targets = [statement for statement in tree.statements if isinstance(statement, ast.TargetOf)]
    insertions = [
        _insertion(text, found, target, word, items)
        for target in targets
        for word, items in additions.get(target.name.text, {}).items()
    ]
    for position, new in sorted(insertions, reverse=True):
        text = text[:position] + new + text[position:]
    return laid_out(path, text.encode())


def quoted(path: str) -> str:
    """A path as a text of the language that stands for just that."""
    if not set(path) & {'"', "\\", "{"}:
        return f'"{path}"'
    if "'" not in path and "\n" not in path:
        return f"'{path}'"
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("{", "{{").replace("}", "}}") + '"'


def _insertion(
    text: str, found: list[Lexeme], target: ast.TargetOf, word: str, items: Sequence[str]
) -> tuple[int, str]:
    """What is put where."""
    starts = [_offset(text, clause.at) for clause in target.clauses]
    number = next((number for number, clause in enumerate(target.clauses) if clause.word == word), None)
    if number is None:
        recipe = next(start for start, clause in zip(starts, target.clauses, strict=True) if clause.word == "run")
        line = text.rfind("\n", 0, recipe) + 1
        return line, f"{text[line:recipe]}{word}: {', '.join(items)}\n"
    start, first = starts[number], target.clauses[number].items[0].at
    behind = min((other for other in starts if other > start), default=len(text))
    last = [lexeme for lexeme in found if start <= lexeme.start < behind][-1]
    end = last.start + len(last.text)
    if first.line == target.clauses[number].at.line:
        return end, (" " if last.kind == "COMMA" else ", ") + ", ".join(items)
    # A block: an item a line, behind the comment of the last one.
    indent = first.source.line(first.line)[: first.column - 1]
    line = text.find("\n", end)
    return (len(text) if line < 0 else line), "".join(f"\n{indent}{item}" for item in items)


def _offset(text: str, at: Location) -> int:
    """Where a place is, in characters."""
    position = 0
    for _ in range(at.line - 1):
        position = text.index("\n", position) + 1
    return position + at.column - 1
