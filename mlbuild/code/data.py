"""What a file of values means: blind to the order of its tables, to comments and to layout.

Scalars count as they are written, since what reads the file may understand `no` or `012` otherwise than we do.
"""

from __future__ import annotations

import json
from typing import Any

from mlbuild.digest import digest_bytes

LARGEST = 1 << 20
"""Bytes. Larger files count as they are: reading them would cost more than it spares."""


def digest(path: str, content: bytes) -> str | None:
    """The digest of the values in a JSON, YAML or TOML file; None if it is none, or can't be read as such."""
    ending = path.rpartition(".")[2].lower()
    reader = READERS.get(ending)
    if reader is None or len(content) > LARGEST:
        return None
    try:
        value = reader(content.decode())
        return digest_bytes(json.dumps([ending, value], sort_keys=True).encode())
    except (ValueError, RecursionError):
        return None


def _json(text: str) -> object:
    return json.loads(
        text,
        object_pairs_hook=_table,
        parse_int=lambda written: ["number", written],
        parse_float=lambda written: ["number", written],
        parse_constant=lambda written: ["number", written],
    )


def _toml(text: str) -> object:
    import tomllib

    return _tagged(tomllib.loads(text, parse_float=lambda written: ("float", written)))


def _yaml(text: str) -> object:
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return [_node(node, ()) for node in yaml.compose_all(text, Loader=loader)]
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


READERS = {"json": _json, "yaml": _yaml, "yml": _yaml, "toml": _toml}


def _table(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Raises ValueError for a name that is given twice: readers differ in which they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _tagged(value: Any) -> object:
    """A TOML value with its type; text and numbers must not come to the same."""
    if isinstance(value, dict):
        return {name: _tagged(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    return [type(value).__name__, str(value)]


def _node(node: Any, above: tuple[int, ...]) -> object:
    if id(node) in above:
        raise ValueError("it holds itself")
    inner = (*above, id(node))
    if node is None:
        return None
    if node.id == "mapping":
        pairs = [(json.dumps(_node(key, inner), sort_keys=True), _node(value, inner)) for key, value in node.value]
        return [node.tag, _table(pairs)]
    if node.id == "sequence":
        return [node.tag, [_node(item, inner) for item in node.value]]
    return [node.tag, node.style in ("'", '"', "|", ">"), node.value]
