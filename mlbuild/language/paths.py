"""The clauses that name files: `inputs`, `outputs`, `metrics`, `requires`, `code`. Sees no file."""

from __future__ import annotations

from collections.abc import Iterator

from mlbuild.collect import Mistakes
from mlbuild.errors import PipelineError
from mlbuild.expression import (
    Argument,
    Attribute,
    Call,
    Index,
    ListOf,
    Literal,
    Name,
    Node,
    Reference,
    Template,
    evaluate,
    walk,
    written,
)
from mlbuild.language.ast import Clause
from mlbuild.language.items import arguments, node_of, only_argument, refuse_same_names, unmarked
from mlbuild.language.names import Names
from mlbuild.language.pending import refuse_pending
from mlbuild.language.references import Header, References
from mlbuild.language.uses import PATH, Uses
from mlbuild.language.words import root
from mlbuild.target import Glob, Input, Output
from mlbuild.values import kind_of, nearest


class Paths:
    """Reads what one target reads and makes; mistakes of single items are noted."""

    def __init__(self, header: Header, uses: Uses, names: Names, references: References, mistakes: Mistakes) -> None:
        self._header = header
        self._uses = uses
        self._names = names
        self._references = references
        self._mistakes = mistakes
        self._noted = mistakes.noted

    def inputs(self, clause: Clause) -> tuple[Input, ...]:
        found: list[Input] = []
        names: list[str | None] = []
        for item in arguments(clause):
            failures = self._mistakes.failures
            with self._noted():
                found += self._input(item)
            if self._mistakes.failures > failures:
                names.append(self._name_written(item))
        refuse_same_names([(item.name, item.at) for item in found], self._mistakes)
        names += [item.called for item in found]
        self._uses.name("inputs", [name for name in names if name])
        return tuple(found)

    def _name_written(self, item: Argument) -> str | None:
        """What an input is called in which something is wrong, if that can be told."""
        node, _ = unmarked(node_of(item))
        while isinstance(node, Index):
            node = node.base
        base = root(node) or ""
        if not item.name and self._names.kind(base) != "target" and not self._names.is_lost(base):
            self._uses.lose("inputs")
        return item.name or (node.name if isinstance(node, Attribute) and node.name != "metrics" else base)

    def _input(self, item: Argument) -> Iterator[Input]:
        node, optional = unmarked(node_of(item))
        reference = self._references.reference(node, self._header)
        if reference is not None:
            if reference.metrics:
                message = f"`{written(node)}` is a value, and an input is a file"
                raise PipelineError(message, node.at, f"{reference.target}.metrics brings the files that hold it")
            yield Input(item.name, reference, item.at, optional)
        elif isinstance(node, Call) and node.function in ("local", "stat"):
            yield Input(item.name, self.path(only_argument(node)), item.at, optional, node.function)
        elif isinstance(node, Call):
            yield Input(item.name, self._glob(node), item.at, optional)
        else:
            for path in self._paths(node):
                yield Input(item.name, path, item.at, optional)

    def outputs(self, clause: Clause) -> tuple[Output, ...]:
        found: list[Output] = []
        for item in arguments(clause):
            with self._noted():
                node = node_of(item)
                temporary = isinstance(node, Call) and self._is_temporary(node, clause)
                if item.name == "metrics":
                    raise PipelineError(
                        "`metrics` can't name an output", item.at, "the clause `metrics:` declares them"
                    )
                path = self.path(only_argument(node) if isinstance(node, Call) else node)
                refuse_url(path, "made")
                found.append(Output(item.name, path, item.at, temporary))
        refuse_same_names([(item.name, item.at) for item in found], self._mistakes)
        if clause.word == "outputs":
            self._uses.name("outputs", [item.name for item in arguments(clause) if item.name])
        return tuple(found)

    def _is_temporary(self, call: Call, clause: Clause) -> bool:
        """True; raises PipelineError for all else that looks like a call."""
        if call.function != "temp":
            hint = "did you mean `temp`?" if nearest(call.function, ["temp"]) else None
            raise PipelineError(f"`{call.function}()` is nothing that {clause.word} can be", call.at, hint)
        if clause.word == "metrics":
            raise PipelineError("`temp()` can't be in `metrics:`", call.at, "metrics stay; `outputs:` can be temporary")
        return True

    def files(self, clause: Clause) -> tuple[Input, ...]:
        """Paths and globs of files that count by content, and are no inputs."""
        found: list[Input] = []
        for item in arguments(clause):
            with self._noted():
                if item.name:
                    raise PipelineError(f"`{clause.word}:` gives no names", item.at, "names are for `inputs:`")
                for one in self._input(item):
                    if isinstance(one.source, Reference):
                        raise PipelineError("what a target makes is an input", item.at, "put it into `inputs:`")
                    if isinstance(one.source, Template):
                        refuse_url(one.source, "read")
                    found.append(one)
        return tuple(found)

    def code(self, clause: Clause) -> tuple[Input, ...] | None:
        """As `files`; None for `none`, which is no path."""
        items = [node_of(item) for item in arguments(clause)]
        if len(items) == 1 and isinstance(items[0], Name) and items[0].name == "none":
            return None
        return self.files(clause)

    def _glob(self, call: Call) -> Glob:
        refuse_pending(f"{call.function}()", call.at)
        if call.function != "glob":
            near = nearest(call.function, ["glob", "first", "any", "local", "stat"])
            hint = f"did you mean `{near}`?" if near else None
            raise PipelineError(f"`{call.function}()` is nothing that inputs can be", call.at, hint)
        return Glob(self.path(only_argument(call)))

    def _paths(self, node: Node) -> list[Template]:
        """The paths that an item means: a text, or a constant that holds a text or a list of texts."""
        if isinstance(node, Template | Literal):
            return [self.path(node)]
        self._refuse_unquoted(node)
        self._uses.check(node, PATH)
        value = evaluate(node, self._uses.constants)
        values = value if isinstance(value, list) else [value]
        paths = [one for one in values if isinstance(one, str)]
        if len(paths) < len(values):
            raise PipelineError(f"an input is a path, and `{written(node)}` is {kind_of(value)}", node.at)
        return [Template((one,), node.at) for one in paths]

    def path(self, node: Node) -> Template:
        """A path as written: a text, in which constants and the target's partitions may stand."""
        if isinstance(node, Literal) and isinstance(node.value, str) and node.text[:1] == "'":
            node = Template((node.value,), node.at)
        if not isinstance(node, Template):
            self._refuse_unquoted(node)
            raise PipelineError(f"a path is needed, and this is {written(node)}", node.at, 'a path stands in "…"')
        if not node.parts:
            raise PipelineError("this path is empty", node.at, "write one, or leave it out")
        self._uses.check_slots(node, PATH)
        return node

    def _refuse_unquoted(self, node: Node) -> None:
        """Raise PipelineError if a path was meant: `data/flights.csv`, which reads as a division of unknown names."""
        if isinstance(node, ListOf):
            for item in node.items:
                self._refuse_unquoted(item)
            return
        known = [*self._names.declared, *self._header.partitions]
        unknown = [part for part in walk(node) if isinstance(part, Name) and part.name not in known]
        for part in unknown:
            self._names.refuse_lost(part.name)
        if unknown:
            text = node.at.source.line(node.at.line)[node.at.column - 1 :][: node.at.length]
            near = nearest(text, known)
            hint = (
                f'did you mean `{near}`? A path stands in quotes: "{text}"'
                if near
                else f'a path stands in quotes: "{text}"'
            )
            raise PipelineError(f"there is no `{unknown[0].name}`", unknown[0].at, hint)


def refuse_url(path: Template, verb: str) -> None:
    """Raise PipelineError if a path is a URL, of which nothing can be `verb` (read, made)."""
    if isinstance(path.parts[0], str) and "://" in path.parts[0]:
        raise PipelineError(f"only files are {verb} here, and this is a URL", path.at, "URLs stand in `inputs:`")
