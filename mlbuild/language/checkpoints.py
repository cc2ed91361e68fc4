"""The clause `checkpoint:`: a directory, and what is said of it. Blind to what other targets say, and to the disk."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection
from typing import Any

from mlbuild.collect import Mistakes
from mlbuild.errors import LEAVE_OUT, PipelineError
from mlbuild.expression import Argument, ListOf, Name, Node, Template, evaluate, written
from mlbuild.language.amounts import seconds
from mlbuild.language.ast import Clause
from mlbuild.language.items import arguments, node_of
from mlbuild.language.names import Names
from mlbuild.language.paths import Paths, refuse_url
from mlbuild.language.pending import refuse_pending
from mlbuild.language.uses import PATH, Uses
from mlbuild.language.words import params_used, root
from mlbuild.target import Checkpoint
from mlbuild.values import kind_of, nearest

SIGNALS = ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "XCPU")
"""What a recipe can be told to save and leave by."""
EXAMPLE = 'as in `checkpoint: "checkpoints/train/", keep = 2`'


class Checkpoints:
    """Reads the clause of one target; mistakes of single items are noted."""

    def __init__(self, paths: Paths, uses: Uses, names: Names, mistakes: Mistakes) -> None:
        self._paths = paths
        self._uses = uses
        self._names = names
        self._mistakes = mistakes
        self._options: dict[str, Callable[[Node], object]] = {
            "keep": self._keep,
            "ignore": self._ignore,
            "complete": self._complete,
            "signal": _signal,
            "grace": lambda node: seconds(node, uses),
        }

    def read(self, clause: Clause, others: Collection[Template]) -> Checkpoint:
        """What the clause says. Raises PipelineError if something is wrong with the directory itself.

        Args:
            others: the paths that the target reads and makes.
        """
        given = [item for item in arguments(clause) if item.name is None]
        fields: dict[str, Any] = {}
        for item in arguments(clause):
            if item.name is not None:
                with self._mistakes.noted():
                    self._option(item, item.name, fields)
        for again in given[1:]:
            with self._mistakes.noted():
                raise PipelineError("a target has one checkpoint directory", again.at, f"leave out {written(again)}")
        if not given:
            raise PipelineError("`checkpoint:` names no directory", clause.at, EXAMPLE)
        path = self._directory(node_of(given[0]))
        found = Checkpoint(path=path, at=path.at, **fields)
        self._refuse_ignored_in((path, *others), found.ignore)
        return found

    def _directory(self, node: Node) -> Template:
        path = self._paths.path(node)
        refuse_url(path, "kept")
        last = path.parts[-1]
        if not isinstance(last, str) or not last.endswith("/"):
            text = written(node)
            hint = f"write {text[:-1]}/{text[-1]}"
            raise PipelineError("a checkpoint directory ends in `/`", node.at, hint)
        return path

    def _option(self, item: Argument, name: str, fields: dict[str, Any]) -> None:
        if name == "share_resumed":
            refuse_pending(name, item.at)
        if name not in self._options:
            near = nearest(name, self._options)
            hint = f"did you mean `{near}`?" if near else "it takes " + ", ".join(self._options)
            raise PipelineError(f"`checkpoint:` has no `{name}`", item.at, hint)
        if name in fields:
            raise PipelineError(f"`{name}` is given twice", item.at, LEAVE_OUT)
        fields[name] = self._options[name](node_of(item))

    def _keep(self, node: Node) -> int:
        value = self._constant(node)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            message = f"`keep` is a whole number from 1 on, and this is {written(node)}"
            raise PipelineError(message, node.at, "without `keep` all checkpoints stay")
        return value

    def _complete(self, node: Node) -> str:
        value = self._constant(node)
        if not isinstance(value, str) or "/" in value or value in ("", ".", ".."):
            message = f"`complete` is the name of a file in each checkpoint, and this is {written(node)}"
            raise PipelineError(message, node.at, 'as in complete = "DONE"')
        return value

    def _constant(self, node: Node) -> object:
        self._uses.check(node, PATH)
        return evaluate(node, self._uses.constants) if self._uses.is_constant(node) else None

    def _ignore(self, node: Node) -> tuple[Node, ...]:
        found = []
        for item in node.items if isinstance(node, ListOf) else (node,):
            with self._mistakes.noted():
                found.append(self._ignored(item))
        return tuple(found)

    def _ignored(self, node: Node) -> Node:
        """One value that may differ."""
        base = root(node)
        if base is None or not (self._names.is_constant(base) or self._names.is_lost(base)):
            near = nearest(written(node), self._names.of_kind("param", "params", "let"))
            hint = (
                f"did you mean `{near}`?" if near else "as in `ignore = epochs` or `ignore = [epochs, params.patience]`"
            )
            raise PipelineError(f"`{written(node)}` is no param", node.at, hint)
        self._uses.check(node, PATH)
        if self._uses.is_constant(node):
            value = evaluate(node, self._uses.constants)
            if value is not None and not isinstance(value, bool | int | float | str):
                message = f"`{written(node)}` is {kind_of(value)}, and what is ignored is one value"
                raise PipelineError(message, node.at, f"name the values in it: {written(node)}.NAME")
        return node

    def _refuse_ignored_in(self, paths: Collection[Template], ignored: Collection[Node]) -> None:
        """What goes on from a checkpoint reads and makes what that was written for: the same paths."""
        held = {name for path in paths for name in params_used(path)}
        for node in ignored:
            with self._mistakes.noted():
                if written(node) in held:
                    message = f"`{written(node)}` can't be ignored: a path of this target holds it"
                    raise PipelineError(message, node.at, "leave it out here, or out of the paths")


def _signal(node: Node) -> int:
    name = node.name if isinstance(node, Name) else ""
    if name in SIGNALS:
        return signal.Signals[f"SIG{name}"]
    near = nearest(name.removeprefix("SIG"), SIGNALS)
    if name.removeprefix("SIG") in ("KILL", "STOP"):
        hint = "nothing can be saved on that: TERM is what is sent else"
    else:
        hint = f"did you mean `{near}`?" if near else "one of " + ", ".join(SIGNALS)
    raise PipelineError(f"`{written(node)}` is no signal that a recipe can answer", node.at, hint)
