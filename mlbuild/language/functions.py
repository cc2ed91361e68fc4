"""The functions of expressions: which there are, and the values of those that look at no task."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from mlbuild.errors import PipelineError
from mlbuild.expression import Call
from mlbuild.files import Files
from mlbuild.language.parser import literal
from mlbuild.values import Bundle, Key, filled_lines, kind_of, nearest

FUNCTIONS: dict[str, tuple[int, int]] = {
    "size": (1, 1),
    "count": (1, 1),
    "rows": (1, 1),
    "exists": (1, 1),
    "env": (1, 2),
    "glob": (1, 1),
    "range": (1, 2),
    "keys": (1, 1),
    "lines": (1, 1),
    "min": (1, 1000),
    "max": (1, 1000),
    "mean": (1, 1000),
    "any": (1, 1000),
    "all": (1, 1000),
}
"""Fewest and most arguments of the functions of expressions."""
LONGEST_RANGE = 1_000_000


def check_call(node: Call) -> None:
    """Raise PipelineError if there is no such function, or if it takes another number of arguments."""
    if node.function not in FUNCTIONS:
        near = nearest(node.function, FUNCTIONS)
        hint = f"did you mean `{near}`?" if near else "the functions are " + ", ".join(FUNCTIONS)
        raise PipelineError(f"there is no function `{node.function}`", node.at, hint)
    fewest, most = FUNCTIONS[node.function]
    given = len(node.arguments)
    if not fewest <= given <= most:
        wanted = f"{fewest} or {most}" if most == fewest + 1 else "at least 1" if most > fewest else str(fewest)
        noun = "value" if wanted.endswith("1") else "values"
        raise PipelineError(f"`{node.function}()` takes {wanted} {noun}, not {given}", node.at)


def call(node: Call, arguments: list[object], files: Files) -> object:
    """The value of `range`, `keys`, `env`, `glob` or `lines`.

    Raises:
        PipelineError: there is no such function, it can't be had of these values, or it looks at what tasks made.
    """
    check_call(node)
    if node.function not in _CALLS:
        raise PipelineError(f"`{node.function}()` looks at files, which a task has and this place has not", node.at)
    return _CALLS[node.function](node, arguments, files)


def _range(node: Call, arguments: list[object], files: Files) -> list[object]:
    numbers = [argument for argument in arguments if isinstance(argument, int) and not isinstance(argument, bool)]
    if len(numbers) < len(arguments):
        raise PipelineError("`range()` takes whole numbers", node.at)
    found = range(*numbers)
    if len(found) > LONGEST_RANGE:
        raise PipelineError(f"`range()` gives at most {LONGEST_RANGE:,} numbers", node.at)
    return list(found)


def _keys(node: Call, arguments: list[object], files: Files) -> list[object]:
    if not isinstance(arguments[0], Mapping):
        raise PipelineError(f"`keys()` takes a table, and this is {kind_of(arguments[0])}", node.at)
    return list(arguments[0])


def _glob(node: Call, arguments: list[object], files: Files) -> list[str]:
    return files.glob(_text(node, arguments[0], "a pattern"))


def _lines(node: Call, arguments: list[object], files: Files) -> list[str]:
    """The lines of a file that hold anything."""
    path = _text(node, arguments[0], "the path of a file")
    try:
        return [line for _, line in filled_lines(files.read(path))]
    except OSError as error:
        reason = "it is not there" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise PipelineError(f"can't read {path}: {reason}", node.at) from None
    except ValueError:
        raise PipelineError(f"{path} is not UTF-8", node.at, "save it as UTF-8") from None


def _env(node: Call, arguments: list[object], files: Files) -> object:
    """A variable of the environment, as the type of the default."""
    name = _text(node, arguments[0], "the name of a variable")
    text = os.environ.get(name)
    if text is None:
        if len(arguments) == 1:
            raise PipelineError(f"the variable {name} is not set", node.at, f'give a default: env("{name}", …)')
        return arguments[1]
    default = arguments[1] if len(arguments) > 1 else ""
    return text if isinstance(default, str | None) else _as_number(node, name, text, default)


def _as_number(node: Call, name: str, text: str, default: object) -> object:
    try:
        value = getattr(literal(text.strip()), "value", None)
    except PipelineError:
        value = None
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise PipelineError(f"the variable {name} is {text}, and its default is {kind_of(default)}", node.at)
    return value


def _text(node: Call, value: object, what: str) -> str:
    if isinstance(value, Bundle) and value.single:
        return value.paths[0]
    if isinstance(value, Key):
        return value.text
    if not isinstance(value, str):
        raise PipelineError(f"`{node.function}()` takes {what}, and this is {kind_of(value)}", node.at)
    return value


_CALLS: dict[str, Callable[[Call, list[object], Files], object]] = {
    "range": _range,
    "keys": _keys,
    "env": _env,
    "glob": _glob,
    "lines": _lines,
}
