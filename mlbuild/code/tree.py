"""Walks over syntax trees: like those of `ast`, but blind to contexts and operators, and so several times as fast."""

from __future__ import annotations

import ast
from functools import cache

LEAVES = frozenset({"attr", "conversion", "ctx", "id", "kind", "level", "op", "ops", "type_comment", "type_ignores"})
"""Fields in which no name and no code stands below."""


@cache
def _inner(fields: tuple[str, ...]) -> list[str]:
    return [name for name in fields if name not in LEAVES]


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, in the order of its fields."""
    found: list[ast.AST] = []
    for name in _inner(node._fields):
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and all below it, those nearer to it first."""
    found = [node]
    for each in found:
        found += children(each)
    return found
