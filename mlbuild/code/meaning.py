"""What a piece of Python means: a digest of its syntax tree, the same on every Python from 3.11 on.

Blind to comments, layout, and what has no effect; docstrings count only where asked for.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable
from functools import cache

from mlbuild.digest import digest_bytes

FORMAT = "1"
"""Raised when a digest comes to mean something else: then all that is remembered of modules is forgotten."""
READER = "3"
"""Raised when more, or something else, is looked for in a module: what is remembered of files is read anew."""

PASSED_OVER = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def parsed(source: bytes) -> ast.Module | None:
    """The tree of a file's bytes; None if this Python can't parse them."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def digests(items: Iterable[ast.AST | str], doc: str | None = None) -> tuple[str, str]:
    """What pieces of syntax and the texts between them come to, without docstrings and with them.

    Args:
        doc: a docstring that is none of the items'.

    Returns:
        32 hexadecimal digits each.
    """
    found: list[bytes] = []
    docs: list[int] = []
    """Where docstrings stand in it."""
    # A stack of our own, since trees may be deeper than Python's: bytes on it are written as they are.
    left: list[object] = _effective(list(items))[::-1]
    while left:
        item = left.pop()
        if isinstance(item, bytes):
            found.append(item)
        elif isinstance(item, list):
            found.append(b"[")
            left.append(b"]")
            left += _effective(item)[::-1]
        elif isinstance(item, ast.AST):
            found.append(b"(" + type(item).__name__.encode())
            if (text := docstring(item)) is not None:
                docs.append(len(found))
                found.append(b" doc " + constant(text))
            left += _written(item)[::-1]
        else:
            found.append(constant(item))
    if doc is not None:
        docs.append(len(found))
        found.append(constant(f"doc {doc}"))
    documented = digest_bytes(b"".join(found))
    if not docs:
        return documented, documented
    for place in docs:
        found[place] = b""
    return digest_bytes(b"".join(found)), documented


def docstring(node: ast.AST) -> str | None:
    """The docstring of a module, class or function."""
    if isinstance(node, DOCUMENTED) and node.body:
        match node.body[0]:
            case ast.Expr(value=ast.Constant(value=str(text))):
                return text
    return None


def has_no_effect(node: object) -> bool:
    """Whether a statement does nothing at all: `pass`, a docstring, another bare constant."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def constant(value: object) -> bytes:
    """A literal or a name, as bytes that no other has."""
    match value:
        case str():
            text = value.encode(errors="surrogatepass")
            return b"s%d:%b;" % (len(text), text)
        case bytes():
            return b"b%d:%b;" % (len(value), value)
        case bool() | None:
            return b"%a;" % value
        case int():
            return b"i%b;" % hex(value).encode()
        case float():
            return b"f%a;" % value
        case complex():
            return b"c%a,%a;" % (value.real, value.imag)
    assert value is ...
    return b"...;"


@cache
def _labelled(fields: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Those of the fields that count, and how each begins."""
    return [(name, b" %b=" % name.encode()) for name in fields if name not in PASSED_OVER]


def _written(node: ast.AST) -> list[object]:
    """What follows the beginning of a node: bytes, nodes and lists."""
    row: list[object] = []
    text = b""
    for name, label in _labelled(node._fields):
        value = getattr(node, name, None)
        if value is None or value == []:
            continue
        if isinstance(value, list) and isinstance(node, ast.JoinedStr):
            value = _joined(value)
        elif name == "format_spec" and isinstance(value, ast.JoinedStr) and not _joined(value.values):
            continue
        if isinstance(value, list | ast.AST):
            row += [text + label, value]
            text = b""
        else:
            text += label + constant(value)
    return [*row, text + b")"]


def _effective(items: list[object]) -> list[object]:
    return [item for item in items if not has_no_effect(item)]


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The pieces of an f-string, neighbouring texts as one: Pythons differ in how they cut them."""
    found: list[ast.expr] = []
    for value in values:
        match value:
            case ast.Constant(value=str(text)):
                match found[-1:]:
                    case [ast.Constant(value=str(before))]:
                        found[-1] = ast.Constant(before + text)
                    case _ if text:
                        found.append(value)
            case _:
                found.append(value)
    return found
