"""Expressions of literals alone: what they come to, and whether a set can hold it. Works out nothing large."""

from __future__ import annotations

import ast

LARGEST = 10**30
"""Arithmetic of literals is worked out up to here, to know that it cannot fail."""


def is_hashable(node: ast.expr) -> bool:
    """Whether an expression is a literal that a set can hold."""
    if isinstance(node, ast.Tuple):
        return all(is_hashable(item) for item in node.elts)
    return isinstance(node, ast.Constant) or worked_out(node) is not None


def is_plain_value(node: ast.expr) -> bool:
    """Whether a value is a literal, or a container of such: nothing that learns of the class that holds it."""
    match node:
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return all(is_plain_value(item) for item in items)
        case ast.Dict(keys=keys, values=values):
            return all(key is not None and is_hashable(key) for key in keys) and all(map(is_plain_value, values))
        case ast.Set(elts=items):
            return all(map(is_hashable, items))
    return is_hashable(node)


def worked_out(node: ast.expr) -> int | float | str | None:
    """The value of arithmetic on literals; None if it is none, fails, or is large."""
    match node:
        case ast.Constant(value=int() | float() | str() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = worked_out(operand)
            return None if inner is None or isinstance(inner, str) else -inner
        case ast.BinOp(left=left, op=op, right=right):
            a, b = worked_out(left), worked_out(right)
            if isinstance(a, str) or isinstance(b, str):
                return a + b if isinstance(a, str) and isinstance(b, str) and isinstance(op, ast.Add) else None
            if a is None or b is None or abs(a) > LARGEST or abs(b) > LARGEST:
                return None
            return _arithmetic(a, op, b)
    return None


def _arithmetic(a: float, op: ast.operator, b: float) -> float | None:
    match op:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult():
            return a * b
        case ast.Div() if b:
            return a / b
        case ast.FloorDiv() if b:
            return a // b
        case ast.Mod() if b:
            return a % b
        case ast.Pow() if isinstance(a, int) and isinstance(b, int) and 0 <= b <= 64:
            return int(a**b)
        case ast.LShift() if isinstance(a, int) and isinstance(b, int) and 0 <= b <= 64:
            return a << b
    return None
