"""Whether the names in an expression or a text mean something where it stands, and whether their values fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlbuild.collect import AlreadySaid, Mistakes
from mlbuild.errors import PipelineError
from mlbuild.expression import (
    Attribute,
    Call,
    Index,
    Name,
    Part,
    Reference,
    Slot,
    Template,
    expand,
    walk,
    written,
)
from mlbuild.language.constants import Constants
from mlbuild.language.functions import check_call
from mlbuild.language.names import TASK_NAMES, Names
from mlbuild.language.quoting import quoted
from mlbuild.language.words import names_used, root, slots
from mlbuild.target import AMOUNTS, Calendar, Listed, Partition
from mlbuild.values import Key, is_format, nearest

PATH: tuple[str, ...] = ()
RESOURCE = ("attempt",)
CHECK = ("inputs", "outputs", "metrics", "target", "attempt")
RECIPE = TASK_NAMES
"""The names of a task that mean something in each place, beside its partitions and the constants."""

MOST_TRIED = 1000
"""Of how many keys the values of a text are tried while reading."""


class Uses:
    """What the names in one target mean.

    Args:
        own: the target's partitions.
        constants, names, partitions: of the pipeline.
    """

    def __init__(
        self, own: tuple[str, ...], constants: Constants, names: Names, partitions: Mapping[str, Partition]
    ) -> None:
        self._own = own
        self.constants = constants
        self._names = names
        self._partitions = partitions
        self._listed = ""
        """The partition of which a recipe is given several keys."""
        self._named: dict[str, list[str]] = {"inputs": [], "outputs": [], "resources": list(AMOUNTS)}
        self._lost: set[str] = set()

    def name(self, base: str, names: list[str]) -> None:
        """Say by which names the parts of `inputs` or `outputs` go; they may repeat."""
        self._named[base] = names

    def lose(self, base: str) -> None:
        """Say that parts of `inputs` or `outputs` could not be read: they may have any name."""
        self._lost.add(base)

    def batch(self) -> None:
        """Say that a recipe is given a list of the keys of the last partition."""
        self._listed = self._own[-1]

    def refuse_key(self, node: Part, what: str) -> None:
        """Raise PipelineError if an expression is about the partition of which a recipe is given several keys."""
        for part in walk(node):
            if isinstance(part, Name) and part.name == self._listed:
                message = f"`{part.name}` is a list with `batch:`, and {what}"
                raise PipelineError(message, part.at, "leave out `batch:`, or look that up in the recipe")

    def _refuse_item(self, slot: Slot) -> None:
        """Raise PipelineError if a slot of a recipe for several keys is about one path of a list."""
        base = root(slot.expression)
        if self._listed and isinstance(slot.expression, Index) and base in ("inputs", "outputs", "metrics"):
            message = f"`{base}` is a list with `batch:`, and {written(slot)} looks up one path"
            raise PipelineError(
                message, slot.at, "leave out `batch:`, give that path a name, or look it up in the recipe"
            )

    def is_constant(self, node: Part) -> bool:
        """Whether an expression has one value for the whole file."""
        return all(self._names.is_constant(name) for name in names_used(node))

    def check(self, node: Part, allowed: Iterable[str]) -> None:
        """Raise PipelineError if a name or a function in an expression means nothing here."""
        for part in walk(node):
            if isinstance(part, Slot):
                self._check_slot(part, allowed)
            elif isinstance(part, Name):
                self._check_name(part, allowed, False)
            elif isinstance(part, Attribute):
                self._check_field(part)
            elif isinstance(part, Call):
                check_call(part)
        self._refuse_lost(node)

    def check_slots(self, template: Template, allowed: Iterable[str]) -> None:
        """Raise ManyErrors with each slot of a text that is wrong."""
        mistakes = Mistakes()
        for slot in slots(template):
            with mistakes.noted():
                if allowed is RECIPE and not isinstance(slot.expression, Name):
                    self.refuse_key(slot, f"{written(slot)} looks up one value")
                    self._refuse_item(slot)
                self._check_slot(slot, allowed)
        mistakes.settle()

    def _check_slot(self, slot: Slot, allowed: Iterable[str]) -> None:
        for part in walk(slot.expression):
            if isinstance(part, Name):
                self._check_name(part, allowed, True)
            elif isinstance(part, Attribute):
                self._check_field(part)
        name = root(slot.expression) or ""
        if slot.format == "file" and isinstance(slot.expression, Name) and self._names.kind(name) == "params":
            return
        if not is_format(slot.format):
            known = "formats: raw, file, json, stem, name, dir, --flag, %Y-%m-%d, .3f."
            hint = f"{known} To write {written(slot)} itself, double the braces"
            raise PipelineError(f"there is no format `:{slot.format}`", slot.at, hint)
        self._refuse_lost(slot)
        self._try(slot, is_list=allowed is RECIPE)

    def _refuse_lost(self, node: Part) -> None:
        """Raise AlreadySaid if a name could not be read. What is wrong with the rest was said before."""
        for name in names_used(node) - {*self._own, *TASK_NAMES}:
            self._names.refuse_lost(name)

    def _check_name(self, name: Name, allowed: Iterable[str], in_text: bool) -> None:
        if name.name in self._own or name.name in allowed:
            return
        if self._names.is_constant(name.name) or self._names.is_lost(name.name):
            return
        raise self._names.unknown(name, [*self._own, *allowed], in_text)

    def _check_field(self, node: Attribute) -> None:
        """`inputs.week`, `outputs.weights`: the name must be one of theirs."""
        if not isinstance(node.base, Name) or node.base.name not in self._named:
            return
        known = self._named[node.base.name]
        if known.count(node.name) > 1:
            hint = f"give one of them a name of its own: inputs: NAME = {node.name}"
            raise PipelineError(f"two inputs are called `{node.name}`", node.at, hint)
        if node.name not in known:
            if node.base.name in self._lost:
                raise AlreadySaid(f"`{node.base.name}` could not be read")
            near = nearest(node.name, known)
            hint = f"did you mean `{near}`?" if near else "named there: " + (", ".join(known) or "none")
            raise PipelineError(f"`{node.base.name}` has no `{node.name}`", node.at, hint)

    def _try(self, slot: Slot, *, is_list: bool) -> None:
        """Raise PipelineError if the text of a slot can't be had, as far as its values are known while reading."""
        used = names_used(slot)
        if used & set(TASK_NAMES):
            return
        varying = [name for name in self._own if name in used]
        if not varying:
            self._try_with(slot, {})
        elif len(varying) == 1 and varying[0] in self._partitions:
            source = self._partitions[varying[0]].source
            if isinstance(source, Calendar):
                keys: tuple[Key, ...] = (Key(source.first, source.first),)
            else:
                keys = source.keys[:MOST_TRIED] if isinstance(source, Listed) else ()
            for key in keys:
                self._try_with(slot, {varying[0]: [key] if is_list and varying[0] == self._listed else key})

    def _try_with(self, slot: Slot, keys: Mapping[str, object]) -> None:
        value = expand(slot, _Keys(self.constants, keys))
        if slot.place != "text" and slot.format != "file":
            quoted(slot, value)


class _Keys:
    """The scope of a text at some keys."""

    def __init__(self, constants: Constants, keys: Mapping[str, object]) -> None:
        self._constants = constants
        self._keys = keys

    def name(self, node: Name) -> object:
        return self._keys[node.name] if node.name in self._keys else self._constants.name(node)

    def reference(self, node: Reference) -> object:
        return self._constants.reference(node)

    def call(self, node: Call, arguments: list[object]) -> object:
        return self._constants.call(node, arguments)
