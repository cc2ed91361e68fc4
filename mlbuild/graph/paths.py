"""A path as a target writes it, and as it reads at some keys: all but the keys is rendered once. Knows no task."""

from __future__ import annotations

from collections.abc import Mapping

from mlbuild.errors import PipelineError
from mlbuild.expression import Call, Key, Name, Reference, Slot, Template, expand, walk
from mlbuild.target import Pipeline


class KeyScope:
    """Names at a task's keys: its partitions and the constants of the file. What paths may use."""

    def __init__(self, pipeline: Pipeline, keys: Mapping[str, Key]) -> None:
        self._pipeline = pipeline
        self._keys = keys

    def name(self, node: Name) -> object:
        if node.name in self._keys:
            return self._keys[node.name]
        if node.name in self._pipeline.constants:
            return self._pipeline.constants[node.name].value
        raise PipelineError(f"`{node.name}` can't be used here", node.at)

    def reference(self, node: Reference) -> object:
        raise PipelineError("a reference to a target can't be used here", node.at)

    def call(self, node: Call, arguments: list[object]) -> object:
        raise PipelineError(f"`{node.function}()` can't be used here", node.at)


class Path:
    """A path of a target. What no key changes is looked up when it is made.

    Args:
        partitions: those of the target, in order.

    Raises:
        PipelineError: at a slot whose value can't be had.
    """

    def __init__(self, template: Template, partitions: tuple[str, ...], pipeline: Pipeline) -> None:
        self._partitions = partitions
        self._pipeline = pipeline
        self._slots: list[int | Slot] = []
        """The number of a key that stands as it is, or what else is made of keys."""
        form = []
        for part in template.parts:
            if isinstance(part, Slot) and (slot := self._varying(part)) is not None:
                self._slots.append(slot)
                form.append("%s")
            else:
                text = part if isinstance(part, str) else self._value(part, ())
                form.append(text.replace("%", "%%"))
        self._form = "".join(form)

    @property
    def varies(self) -> bool:
        """Whether other keys may give another path."""
        return bool(self._slots)

    def text(self, keys: tuple[Key, ...]) -> str:
        """As it is written, at these keys. Raises PipelineError."""
        texts = [keys[slot].text if isinstance(slot, int) else self._value(slot, keys) for slot in self._slots]
        return self._form % tuple(texts)

    def at(self, keys: tuple[Key, ...]) -> str:
        """The path at these keys, cleaned. Raises PipelineError."""
        return clean(self.text(keys))

    def _varying(self, slot: Slot) -> int | Slot | None:
        """None if no key is in it."""
        node = slot.expression
        if isinstance(node, Name) and node.name in self._partitions and not slot.format:
            return self._partitions.index(node.name)
        return slot if any(isinstance(part, Name) and part.name in self._partitions for part in walk(node)) else None

    def _value(self, slot: Slot, keys: tuple[Key, ...]) -> str:
        text = expand(slot, KeyScope(self._pipeline, dict(zip(self._partitions, keys, strict=False))))
        return text if isinstance(text, str) else " ".join(text)


def clean(path: str) -> str:
    """A path as it is written in messages and compared: without `./` and doubled slashes; a last `/` stays."""
    if "//" not in path and "./" not in path and not path.endswith("."):
        return path
    parts = [part for part in path.split("/") if part not in ("", ".")]
    lead = "/" if path.startswith("/") else ""
    tail = "/" if path.endswith("/") and parts else ""
    return lead + "/".join(parts) + tail
