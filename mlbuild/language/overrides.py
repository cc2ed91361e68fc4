"""`NAME=value` on the command line: the text as typed, read by the type of the value that it replaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from mlbuild.errors import PipelineError, UnknownParam, UsageError
from mlbuild.language.constants import Constants, literal_value
from mlbuild.language.names import Names
from mlbuild.language.parser import literal
from mlbuild.values import kind_of, nearest


class Override(Struct, frozen=True):
    """A dotted name and the text that was typed for it."""

    name: str
    text: str

    @property
    def root(self) -> str:
        return self.name.partition(".")[0]

    @property
    def path(self) -> list[str]:
        return self.name.split(".")[1:]


def override(typed: Sequence[tuple[str, str]], constants: Constants, names: Names) -> dict[str, tuple[object, object]]:
    """Put overrides in the place of the values of params.

    Returns:
        What changed, filled when the constants are worked out: dotted name → (value in effect, value without it).

    Raises:
        UsageError: no such param. (One of the wrong type is raised when the constant is worked out.)
    """
    changed: dict[str, tuple[object, object]] = {}
    for one in (Override(*pair) for pair in typed):
        _check_name(one, names)
        constants.override(one.root, _change(one, changed))
    return changed


def _change(one: Override, changed: dict[str, tuple[object, object]]) -> Callable[[object], object]:
    def change(value: object) -> object:
        new = _replaced(value, one.path, one)
        changed[one.name] = (_looked_up(new, one.path), _looked_up(value, one.path))
        return new

    return change


def _check_name(one: Override, names: Names) -> None:
    kind = names.kind(one.root)
    if kind == "param" or (kind == "params" and one.path):
        if kind == "param" and one.path:
            raise UsageError(f"`{one.root}` is overridden as a whole: {one.root}=…")
        return
    if kind == "params":
        raise UsageError(f"`{one.name}` is a file of values; override one of them: {one.name}.NAME=…")
    if kind == "partition":
        message = f"`{one.name}` is a partition, not a param"
        raise UnknownParam(one.name, message, f"write --{one.name} {one.text}")
    if kind:
        raise UsageError(f"`{one.name}` is a {kind}, which can't be overridden", None, "only a `param` can")
    near = nearest(one.root, names.of_kind("param", "params"))
    raise UnknownParam(one.name, f"there is no param `{one.name}`", f"did you mean `{near}`?" if near else None)


def _replaced(value: object, path: list[str], one: Override) -> object:
    """A copy of `value` with what lies at `path` replaced."""
    if not path:
        return typed_as(value, one)
    if isinstance(value, Mapping):
        name = next((name for name in value if str(name) == path[0]), None)
        if name is not None or path[0] == "None":
            return {**value, name: _replaced(value[name], path[1:], one)}
        near = nearest(path[0], [str(name) for name in value])
        raise UsageError(f"there is no param `{one.name}`", None, f"did you mean `{near}`?" if near else None)
    if isinstance(value, list) and path[0].isdecimal() and int(path[0]) < len(value):
        position = int(path[0])
        return [*value[:position], _replaced(value[position], path[1:], one), *value[position + 1 :]]
    raise UsageError(f"there is no param `{one.name}`")


def _looked_up(value: object, path: list[str]) -> object:
    for step in path:
        if isinstance(value, Mapping):
            value = next(item for name, item in value.items() if str(name) == step)
        elif isinstance(value, list):
            value = value[int(step)]
    return value


def typed_as(default: object, one: Override) -> object:
    """The text of an override, read as the type of the default; for null, a list or a table, as a literal.

    Raises:
        UsageError: it can't be read so.
    """
    if isinstance(default, str):
        return one.text
    value = _as_literal(default, one)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if default is not None and type(default) is not type(value):
        raise UsageError(f"`{one.name}` is {kind_of(default)}, and {one.text} is not", None, _advice(default, one))
    return value


def _as_literal(default: object, one: Override) -> object:
    text = one.text.strip()
    try:
        return literal_value(literal(text), one.name)
    except PipelineError:
        message = f"`{one.name}` can't be {one.text or 'empty'}: that is no literal"
        raise UsageError(message, None, _advice(default, one)) from None


def _advice(default: object, one: Override) -> str:
    if isinstance(default, bool):
        return f"write {one.name}=true or {one.name}=false"
    if isinstance(default, int):
        return "its default is a whole number; a default with a point (2.0) takes both"
    return f"its default is {kind_of(default)}"
