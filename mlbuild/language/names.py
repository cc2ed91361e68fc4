"""The one namespace of a Pipelinefile and all it includes: who declares a name, and what is said of an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from mlbuild.collect import AlreadySaid
from mlbuild.errors import Location, PipelineError
from mlbuild.expression import Name
from mlbuild.language.ast import Word
from mlbuild.language.lost import Lost
from mlbuild.values import nearest

TASK_NAMES = ("inputs", "outputs", "metrics", "checkpoint", "resources", "target", "attempt")
"""What each task has of its own; no statement may declare them."""


class Declared(Struct, frozen=True):
    """A name and where it is declared. `kind` is `param`, `params`, `let`, `partition` or `target`."""

    kind: str
    at: Location


class Names:
    """All declared names.

    Args:
        lost: what could not be read, which may declare others.
    """

    def __init__(self, lost: Lost) -> None:
        self.declared: dict[str, Declared] = {}
        self.lost = lost

    def declare(self, kind: str, word: Word) -> None:
        """Raises PipelineError if the name is taken, naming both places."""
        if word.text in TASK_NAMES:
            message = f"`{word.text}` is what each task has of its own, so it can't be declared"
            raise PipelineError(message, word.at, "choose another name")
        before = self.declared.get(word.text)
        if before:
            message = f"`{word.text}` is declared twice: first at {before.at}, as a {_called(before.kind)}"
            hint = "targets, partitions, params and lets share their names, over all included files"
            raise PipelineError(message, word.at, hint)
        self.declared[word.text] = Declared(kind, word.at)

    def kind(self, name: str) -> str | None:
        """What the name is; None if it is unknown."""
        return self.declared[name].kind if name in self.declared else None

    def is_lost(self, name: str) -> bool:
        """Whether nothing can be said of a name: what declares it, or may, is wrong, and that was said."""
        unknown = name not in self.declared and name not in TASK_NAMES
        return name in self.lost.names or (unknown and self.lost.everything)

    def refuse_lost(self, name: str) -> None:
        """Raises AlreadySaid."""
        if self.is_lost(name):
            raise AlreadySaid(f"`{name}` could not be read")

    def of_kind(self, *kinds: str) -> list[str]:
        return [name for name, declared in self.declared.items() if declared.kind in kinds]

    def is_constant(self, name: str) -> bool:
        return self.kind(name) in ("param", "params", "let")

    def unknown(self, name: Name, in_scope: Iterable[str], in_text: bool) -> PipelineError:
        """The error for a name that means nothing where it stands.

        Args:
            name: as written.
            in_scope: the names that mean something there, beside the constants.
            in_text: whether it stands in a slot, so that `{{name}}` would write it.

        Raises:
            AlreadySaid: what may declare it could not be read.
        """
        self.refuse_lost(name.name)
        known = [*in_scope, *self.of_kind("param", "params", "let")]
        kind = self.kind(name.name)
        if kind == "partition":
            return PipelineError(f"`{name.name}` is a partition, and this target does not have it", name.at, _add(name))
        if kind == "target":
            hint = "a target's outputs are {inputs.NAME} once it stands in `inputs:`"
            return PipelineError(f"`{name.name}` is a target, which has no value here", name.at, hint)
        if name.name in TASK_NAMES:
            return PipelineError(f"`{name.name}` has no value here", name.at, "it is known when a task runs")
        shown = "{" + name.name + "}"
        near = nearest(name.name, known)
        hint = f"did you mean `{near}`?" if near else ""
        if in_text:
            braces = f"o write {shown} itself, double the braces: {{{shown}}}"
            hint = f"{hint} T{braces}" if hint else f"t{braces}"
        return PipelineError(f"there is no `{name.name}`", name.at, hint or f'a text stands in quotes: "{name.name}"')


def _add(name: Name) -> str:
    return f"declare it: target NAME[{name.name}]:"


def _called(kind: str) -> str:
    return "file of params" if kind == "params" else kind
