"""Files of values: YAML 1.2, TOML, JSON. `no`, `on` and `2013-01-31` are texts, `1e-3` is a number, `0o17` is 15."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime, time
from typing import Any

import yaml

from mlbuild.errors import Location, PipelineError, Source
from mlbuild.values import kind_of


def read(path: str, data: bytes) -> dict[str, object]:
    """The values of a file, by the ending of its name.

    Raises:
        PipelineError: it is not what its name says, or holds something else than a table.
    """
    reader = _READERS.get(path.rpartition(".")[2].lower())
    if reader is None:
        raise PipelineError(f"{path} is no file of values", None, "its name ends in .yaml, .yml, .toml or .json")
    try:
        source = Source(path, data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise PipelineError(f"{path} is not UTF-8", None, "save it as UTF-8") from None
    try:
        values = reader(source)
    except RecursionError:
        raise PipelineError(f"{path} nests too deep", None) from None
    if not isinstance(values, dict):
        raise PipelineError(
            f"{path} holds {kind_of(values)}, not a table of values", None, "write lines like `lr: 0.1`"
        )
    _refuse_circles(values, path)
    return values


def written(values: Mapping[str, object], path: str) -> tuple[str, str]:
    """The text of a file of these values in the format of the one at `path`, and the ending of its name."""
    ending = path.rpartition(".")[2].lower()
    if ending == "toml":
        return "".join(f"{_toml_key(name)} = {_toml_value(value)}\n" for name, value in values.items()), ending
    if ending == "json":
        return json.dumps(values, indent=2, ensure_ascii=False), ending
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True), ending


def _toml_key(name: object) -> str:
    return json.dumps(str(name))


def _toml_value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml_key(name)} = {_toml_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _refuse_circles(values: object, path: str) -> None:
    """A YAML alias inside what it stands for makes a value without end."""
    done: set[int] = set()
    above: set[int] = set()
    waiting: list[tuple[object, bool]] = [(values, False)]
    while waiting:
        value, leaving = waiting.pop()
        if leaving:
            above.discard(id(value))
            done.add(id(value))
        elif isinstance(value, dict | list) and id(value) not in done:
            if id(value) in above:
                raise PipelineError(f"{path} holds a value that contains itself", None)
            above.add(id(value))
            waiting.append((value, True))
            waiting += [(item, False) for item in (value.values() if isinstance(value, dict) else value)]


def _at(source: Source, line: int, column: int) -> Location:
    return Location(source, max(1, line), max(1, column))


# --- YAML


class _Loader(yaml.SafeLoader):
    """The core schema of YAML 1.2, and the merge key `<<`; a key given twice is an error."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (the class's own, by design)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag != "tag:yaml.org,2002:merge" and isinstance(key_node, yaml.ScalarNode):
                if (key_node.tag, key_node.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key_node.value} is given twice", key_node.start_mark
                    )
                seen.add((key_node.tag, key_node.value))
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def _integer(loader: _Loader, node: Any) -> int:
    text = node.value
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    if len(text) > 1000:
        raise yaml.constructor.ConstructorError(None, None, "this number is too long", node.start_mark)
    return int(text[2:] if base != 10 else text, base)


def _float(loader: _Loader, node: Any) -> float:
    return float(node.value.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").replace(".nan", "nan"))


INTEGER = r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z"
FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z|[-+]?\.(?:inf|Inf|INF)\Z|\.nan\Z"
for tag, pattern, first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("int", INTEGER, "-+0123456789"),
    ("float", FLOAT, "-+.0123456789"),
    ("null", r"(?:~|null|Null|NULL)?\Z", "~nN\0"),
    ("merge", r"<<\Z", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first.replace("\0", "")))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"\Z"), [""])
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def _yaml(source: Source) -> object:
    try:
        values = yaml.load(source.text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = _at(source, mark.line + 1, mark.column + 1) if mark else None
        raise PipelineError(f"this is not YAML: {error.problem or error.context}", at) from None
    except yaml.YAMLError as error:
        raise PipelineError(f"{source.path} is not YAML: {str(error).splitlines()[0]}", None) from None
    except (ValueError, TypeError) as error:
        raise PipelineError(f"{source.path} holds what is no value: {error}", None) from None
    return {} if values is None else values


# --- TOML, JSON


def _toml(source: Source) -> object:
    try:
        return _without_dates(tomllib.loads(source.text))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = re.search(r" \(at line (\d+), column (\d+)\)", message)
        at = _at(source, int(found[1]), int(found[2])) if found else None
        raise PipelineError(f"this is not TOML: {message.partition(' (at ')[0]}", at) from None


def _without_dates(value: object) -> object:
    """TOML's dates as the texts that dates are here."""
    if isinstance(value, dict):
        return {name: _without_dates(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_dates(item) for item in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _json(source: Source) -> object:
    try:
        return json.loads(source.text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise PipelineError(f"this is not JSON: {error.msg}", _at(source, error.lineno, error.colno)) from None
    except ValueError as error:
        raise PipelineError(f"{source.path}: {error}", None) from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key "{twice}" is given twice')
    return values


_READERS: dict[str, Callable[[Source], object]] = {"yaml": _yaml, "yml": _yaml, "toml": _toml, "json": _json}
