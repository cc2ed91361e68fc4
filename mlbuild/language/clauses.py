"""From the clauses of a target to its fields: one function a clause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlbuild.collect import AlreadySaid, Mistakes
from mlbuild.errors import Location, PipelineError
from mlbuild.expression import (
    Argument,
    Attribute,
    Binary,
    Call,
    Index,
    ListOf,
    Literal,
    Maybe,
    Name,
    Node,
    Reference,
    Span,
    Star,
    TableOf,
    Template,
    evaluate,
    walk,
    written,
)
from mlbuild.language import python
from mlbuild.language.ast import Clause, Condition, Edge, Script, TargetOf
from mlbuild.language.constants import Constants
from mlbuild.language.executors import amount
from mlbuild.language.lost import MADE
from mlbuild.language.names import Names
from mlbuild.language.pending import refuse_pending
from mlbuild.language.references import Header, References
from mlbuild.language.uses import CHECK, PATH, RECIPE, RESOURCE, Uses
from mlbuild.language.words import names_used, root, slots
from mlbuild.target import (
    AMOUNTS,
    Check,
    Executor,
    Glob,
    Input,
    Output,
    Partition,
    Recipe,
    Resources,
    Retry,
    Target,
    Variable,
)
from mlbuild.values import kind_of, nearest

RETRIED = ("signal", "timeout", "stalled", "out_of_memory", "lost")
"""What a retry can be for, beside exit codes."""
NOT_IN_DEFAULTS = ("inputs", "outputs", "metrics", "run")


@dataclass(frozen=True, slots=True)
class Context:
    """What the clauses of all targets of a pipeline are read by; `mistakes` notes those of single items."""

    constants: Constants
    names: Names
    references: References
    partitions: Mapping[str, Partition]
    executors: Mapping[str, Executor]
    mistakes: Mistakes


def target(statement: TargetOf, header: Header, defaults: tuple[Clause, ...], context: Context) -> Target:
    """The target of a statement, with the clauses of its file's `defaults:` that it lacks; mistakes are noted."""
    return _Reader(statement, header, context).read(defaults)


class _Reader:
    """Reads one target, clause by clause: first what has names that other clauses use, then the rest."""

    def __init__(self, statement: TargetOf, header: Header, context: Context) -> None:
        self._statement = statement
        self._header = header
        self._context = context
        self._constants = context.constants
        self._noted = context.mistakes.noted
        self._uses = Uses(header.partitions, context.constants, context.names, context.partitions)
        self._fields: dict[str, Any] = {}
        self._broken: set[str] = set()
        """The clauses in which something is wrong."""

    def read(self, defaults: tuple[Clause, ...]) -> Target:
        own = {clause.word: clause for clause in self._statement.clauses}
        clauses = [*self._statement.clauses, *(clause for clause in defaults if clause.word not in own)]
        if not self._header.is_whole:
            self._broken.add("on")
            self._uses.lose("inputs")
            self._uses.lose("outputs")
        self._refuse_twice()
        for clause in sorted(clauses, key=lambda clause: clause.word not in ("inputs", "outputs", "metrics", "on")):
            failures = self._context.mistakes.failures
            with self._noted():
                self._read(clause)
            if self._context.mistakes.failures > failures:
                self._broken.add(clause.word)
        self._check_outputs()
        if self._header.is_whole:
            with self._noted():
                self._check_recipe(own)
        for clause in clauses:
            if clause.word in MADE and (clause.word in self._broken or not self._header.is_sound):
                self._lose_paths(clause)
        return Target(
            name=self._header.name,
            at=self._statement.name.at,
            partitions=self._header.partitions,
            description=self._statement.description,
            **self._fields,
        )

    def _lose_paths(self, clause: Clause) -> None:
        """Nothing that other targets need of what this one makes is missing."""
        for at in (item.at for item in clause.items):
            self._context.names.lost.make(at.source.line(at.line)[at.column - 1 :][: at.length])

    def _refuse_twice(self) -> None:
        seen: dict[str, Clause] = {}
        for clause in self._statement.clauses:
            with self._noted():
                if clause.word in seen:
                    message = f"`{clause.word}:` is given twice, first on line {seen[clause.word].at.line}"
                    raise PipelineError(message, clause.at, "put all into one")
                seen[clause.word] = clause

    def _check_recipe(self, own: Mapping[str, Clause]) -> None:
        """A target without a recipe is a group: it has inputs, and makes nothing."""
        if "run" in own:
            return
        made = own.get("outputs") or own.get("metrics")
        if made:
            raise PipelineError(f"`{self._header.name}` has no `run:` that would make this", made.at, "add `run:`")
        if "inputs" not in own:
            hint = "add `run:`, or `inputs:` for a group of other targets"
            raise PipelineError(f"`{self._header.name}` has nothing to do", self._statement.name.at, hint)

    def _read(self, clause: Clause) -> None:
        refuse_pending(f"{clause.word}:", clause.at)
        field, read = _CLAUSES[clause.word]
        value = read(self, clause)
        self._fields.setdefault(field, value)

    # --- inputs

    def _inputs(self, clause: Clause) -> tuple[Input, ...]:
        found: list[Input] = []
        names: list[str | None] = []
        for item in _arguments(clause):
            failures = self._context.mistakes.failures
            with self._noted():
                found += self._input(item)
            if self._context.mistakes.failures > failures:
                names.append(self._name_written(item))
        self._refuse_same_names([(item.name, item.at) for item in found])
        names += [item.name or _own_name(item) for item in found]
        self._uses.name("inputs", [name for name in names if name])
        return tuple(found)

    def _name_written(self, item: Argument) -> str | None:
        """What an input is called in which something is wrong, if that can be told."""
        node, _ = _optional(_value(item))
        while isinstance(node, Index):
            node = node.base
        base = root(node) or ""
        if not item.name and self._context.names.kind(base) != "target" and not self._context.names.is_lost(base):
            self._uses.lose("inputs")
        return item.name or (node.name if isinstance(node, Attribute) and node.name != "metrics" else base)

    def _input(self, item: Argument) -> Iterator[Input]:
        node, optional = _optional(_value(item))
        reference = self._context.references.reference(node, self._header)
        if reference is not None:
            if reference.metrics:
                message = f"`{written(node)}` is a value, and an input is a file"
                raise PipelineError(message, node.at, f"{reference.target}.metrics brings the files that hold it")
            yield Input(item.name, reference, item.at, optional)
        elif isinstance(node, Call) and node.function in ("local", "stat"):
            yield Input(item.name, self._path(_only_argument(node)), item.at, optional, node.function)
        elif isinstance(node, Call):
            yield Input(item.name, self._glob(node), item.at, optional)
        else:
            for path in self._paths(node):
                yield Input(item.name, path, item.at, optional)

    def _glob(self, call: Call) -> Glob:
        refuse_pending(f"{call.function}()", call.at)
        if call.function != "glob":
            near = nearest(call.function, ["glob", "first", "any", "local", "stat"])
            hint = f"did you mean `{near}`?" if near else None
            raise PipelineError(f"`{call.function}()` is nothing that inputs can be", call.at, hint)
        return Glob(self._path(_only_argument(call)))

    def _paths(self, node: Node) -> list[Template]:
        """The paths that an item means: a text, or a constant that holds a text or a list of texts."""
        if isinstance(node, Template | Literal):
            return [self._path(node)]
        self._refuse_unquoted(node)
        self._uses.check(node, PATH)
        value = evaluate(node, self._uses.constants)
        values = value if isinstance(value, list) else [value]
        paths = [one for one in values if isinstance(one, str)]
        if len(paths) < len(values):
            raise PipelineError(f"an input is a path, and `{written(node)}` is {kind_of(value)}", node.at)
        return [Template((one,), node.at) for one in paths]

    # --- outputs, metrics

    def _outputs(self, clause: Clause) -> tuple[Output, ...]:
        found: list[Output] = []
        for item in _arguments(clause):
            with self._noted():
                node = _value(item)
                temporary = isinstance(node, Call) and self._is_temporary(node, clause)
                if item.name == "metrics":
                    raise PipelineError(
                        "`metrics` can't name an output", item.at, "the clause `metrics:` declares them"
                    )
                path = self._path(_only_argument(node) if isinstance(node, Call) else node)
                _refuse_url(path, "made")
                found.append(Output(item.name, path, item.at, temporary))
        self._refuse_same_names([(item.name, item.at) for item in found])
        if clause.word == "outputs":
            self._uses.name("outputs", [item.name for item in _arguments(clause) if item.name])
        return tuple(found)

    def _is_temporary(self, call: Call, clause: Clause) -> bool:
        """True; raises PipelineError for all else that looks like a call."""
        if call.function != "temp":
            hint = "did you mean `temp`?" if nearest(call.function, ["temp"]) else None
            raise PipelineError(f"`{call.function}()` is nothing that {clause.word} can be", call.at, hint)
        if clause.word == "metrics":
            raise PipelineError("`temp()` can't be in `metrics:`", call.at, "metrics stay; `outputs:` can be temporary")
        return True

    def _check_outputs(self) -> None:
        """Each path of a partitioned target must name all of its partitions, or its tasks would share it."""
        for word in MADE if self._header.is_sound else ():
            for output in self._fields.get(word, ()):
                with self._noted():
                    self._check_output(word, output)

    def _check_output(self, word: str, output: Output) -> None:
        lacking = [one for one in self._header.partitions if one not in _roots(output.path)]
        if lacking:
            self._fields[word] = tuple(other for other in self._fields[word] if other is not output)
            self._broken.add(word)
            slot = "{" + lacking[0] + "}"
            message = f"the tasks of `{self._header.name}` would all make this path: it lacks {slot}"
            literal = isinstance(output.path.parts[0], str) and slot in output.path.parts[0]
            hint = f"put {slot} into it" if not literal else 'values are put in between "…" alone'
            raise PipelineError(message, output.path.at, hint)

    def _path(self, node: Node) -> Template:
        """A path as written: a text, in which constants and the target's partitions may stand."""
        if isinstance(node, Literal) and isinstance(node.value, str) and node.text[:1] == "'":
            node = Template((node.value,), node.at)
        if not isinstance(node, Template):
            self._refuse_unquoted(node)
            raise PipelineError(f"a path is needed, and this is {written(node)}", node.at, 'a path stands in "…"')
        if not node.parts:
            raise PipelineError("this path is empty", node.at)
        self._uses.check_slots(node, PATH)
        return node

    def _refuse_unquoted(self, node: Node) -> None:
        """Raise PipelineError if a path was meant: `data/flights.csv`, which reads as a division of unknown names."""
        if isinstance(node, ListOf):
            for item in node.items:
                self._refuse_unquoted(item)
            return
        known = [*self._context.names.declared, *self._header.partitions]
        unknown = [part for part in walk(node) if isinstance(part, Name) and part.name not in known]
        for part in unknown:
            self._context.names.refuse_lost(part.name)
        if unknown:
            text = node.at.source.line(node.at.line)[node.at.column - 1 :][: node.at.length]
            near = nearest(text, known)
            hint = (
                f'did you mean `{near}`? A path stands in quotes: "{text}"'
                if near
                else f'a path stands in quotes: "{text}"'
            )
            raise PipelineError(f"there is no `{unknown[0].name}`", unknown[0].at, hint)

    def _refuse_same_names(self, named: list[tuple[str | None, Location]]) -> None:
        seen: set[str] = set()
        for name, at in named:
            with self._noted():
                if name in seen:
                    raise PipelineError(f"the name `{name}` is given twice", at, "each needs a name of its own")
                seen |= {name} if name else set()

    # --- what counts and what it takes

    def _params(self, clause: Clause) -> tuple[Node, ...]:
        nodes = []
        for item in _arguments(clause):
            with self._noted():
                node = _value(item)
                used = names_used(node)
                for name in used:
                    self._context.names.refuse_lost(name)
                if item.name or not used or not any(self._context.names.is_constant(name) for name in used):
                    hint = "name values as in `params: epochs, params.train`"
                    raise PipelineError(f"`{written(item)}` is no param", item.at, hint)
                self._uses.check(node, PATH)
                nodes.append(node)
        return tuple(nodes)

    def _files(self, clause: Clause) -> tuple[Input, ...]:
        """Paths and globs of files that count by content, and are no inputs."""
        found: list[Input] = []
        for item in _arguments(clause):
            with self._noted():
                if item.name:
                    raise PipelineError(f"`{clause.word}:` gives no names", item.at, "names are for `inputs:`")
                for one in self._input(item):
                    if isinstance(one.source, Reference):
                        raise PipelineError("what a target makes is an input", item.at, "put it into `inputs:`")
                    if isinstance(one.source, Template):
                        _refuse_url(one.source, "read")
                    found.append(one)
        return tuple(found)

    def _code(self, clause: Clause) -> tuple[Input, ...] | None:
        items = [_value(item) for item in _arguments(clause)]
        if len(items) == 1 and isinstance(items[0], Name) and items[0].name == "none":
            return None
        return self._files(clause)

    def _environ(self, clause: Clause) -> tuple[Variable, ...]:
        found = []
        for item in _arguments(clause):
            with self._noted():
                found.append(self._variable(item))
        self._refuse_same_names([(one.name, one.at) for one in found])
        return tuple(found)

    def _variable(self, item: Argument) -> Variable:
        node = _value(item)
        if item.name is None:
            is_secret = isinstance(node, Call) and node.function == "secret" and len(node.arguments) == 1
            name = node.arguments[0].value if is_secret and isinstance(node, Call) else node
            if isinstance(name, Name):
                return Variable(name.name, None, item.at, is_secret)
            hint = 'as in `environ: OMP_NUM_THREADS = "1", CUDA_HOME, secret(API_TOKEN)`'
            raise PipelineError(f"`{written(item)}` names no variable", item.at, hint)
        if isinstance(node, Call) and node.function == "secret":
            raise PipelineError("a secret has the value that it is set to", item.at, f"write secret({item.name})")
        self._uses.check(node, PATH)
        return Variable(item.name, node, item.at)

    def _resources(self, clause: Clause) -> Resources:
        amounts: dict[str, Any] = {}
        for item in _arguments(clause):
            with self._noted():
                if item.name is None:
                    raise PipelineError(
                        "a resource is given as NAME = amount", item.at, "as in `cpus = 4, memory = 8G`"
                    )
                if item.name in amounts:
                    raise PipelineError(f"`{item.name}` is given twice", item.at)
                amounts[item.name] = self._amount(item, item.name)
        pools = {name: amounts.pop(name) for name in list(amounts) if name not in AMOUNTS}
        return Resources(**amounts, pools=pools, at=clause.at)

    def _amount(self, item: Argument, name: str) -> Node | int | float:
        pools = self._executor.pools
        if name not in AMOUNTS and name not in pools:
            self._refuse_unknown_executor()
            near = nearest(name, [*AMOUNTS, *pools])
            known = ", ".join((*AMOUNTS, *pools))
            hint = f"did you mean `{near}`?" if near else f"executor `{self._executor.name}` has {known}"
            raise PipelineError(f"there is no resource `{name}`", item.at, hint)
        node = _value(item)
        self._uses.check(node, RESOURCE)
        return amount(node, name, self._constants) if self._uses.is_constant(node) else node

    @property
    def _executor(self) -> Executor:
        """Where the target runs, as far as `on:` was read."""
        return self._context.executors[self._fields.get("on", "local")]

    def _refuse_unknown_executor(self) -> None:
        """Raises AlreadySaid if it could not be read where the target runs."""
        if "on" in self._broken and "on" not in self._fields:
            raise AlreadySaid(f"the executor of `{self._header.name}` could not be read")
        self._context.names.refuse_lost(self._executor.name)

    def _on(self, clause: Clause) -> str:
        node = _value(_arguments(clause)[0])
        executors = self._context.executors
        if isinstance(node, Name):
            self._context.names.refuse_lost(node.name)
        if isinstance(node, Name) and node.name in executors:
            return node.name
        near = nearest(written(node), executors)
        hint = f"did you mean `{near}`?" if near else f"declare it: executor {written(node)}: local(cpus = 4)"
        raise PipelineError(f"there is no executor `{written(node)}`", node.at, hint)

    def _after(self, clause: Clause) -> tuple[Input, ...]:
        found = []
        for item in clause.items:
            assert isinstance(item, Edge)
            with self._noted():
                if item.state:
                    refuse_pending(f"after {item.state}", item.at, f"{written(item.value)} {item.state}")
                node, optional = _optional(item.value)
                reference = self._context.references.reference(node, self._header)
                if reference is None or reference.output or reference.metrics is not None:
                    hint = "as in `after: migrate` or `after: extract[*]`"
                    raise PipelineError(f"`{written(node)}` is no target", node.at, hint)
                found.append(Input(None, reference, item.at, optional))
        return tuple(found)

    def _max_active(self, clause: Clause) -> int:
        node = _value(_arguments(clause)[0])
        value = self._constant(node)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            hint = "as in `max_active: 2`"
            raise PipelineError(f"a number of tasks is needed, and this is {written(node)}", node.at, hint)
        return value

    def _choice(self, clause: Clause) -> str:
        """One of the words that a clause takes."""
        node = _value(_arguments(clause)[0])
        words = _CHOICES[clause.word]
        if written(node) in words:
            return written(node)
        near = nearest(written(node), words)
        hint = f"did you mean `{near}`?" if near else f"write {', '.join(words[:-1])} or {words[-1]}"
        raise PipelineError(f"`{clause.word}:` can't be {written(node)}", node.at, hint)

    def _timeout(self, clause: Clause) -> float:
        return self._seconds(_value(_arguments(clause)[0]))

    def _seconds(self, node: Node) -> float:
        value = self._constant(node)
        if isinstance(node, Literal) and node.text.replace(".", "").isdigit():
            raise PipelineError(f"a time has a unit, and {node.text} has none", node.at, f"write {node.text}s")
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise PipelineError(f"a time is needed, and this is {written(node)}", node.at, "as in 30s, 10m or 1h30m")
        return float(value)

    def _constant(self, node: Node) -> object:
        """The value of an expression in which nothing of the task can stand."""
        self._uses.check(node, ())
        return evaluate(node, self._constants)

    def _retry(self, clause: Clause) -> Retry:
        fields: dict[str, Any] = {}
        for item in _arguments(clause):
            with self._noted():
                name, read = _RETRY.get(item.name or "", ("", None))
                if read is None:
                    near = nearest(item.name or "", [one for one in _RETRY if one])
                    hint = f"did you mean `{near}`?" if near else "as in `retry: 3, backoff = 10s, max = 1h`"
                    raise PipelineError(f"`retry:` has no `{item.name}`", item.at, hint)
                if name in fields:
                    raise PipelineError(f"`{item.name or 'the number'}` is given twice", item.at)
                fields[name] = read(self, _value(item))
        return Retry(**fields)

    def _count(self, node: Node) -> int:
        value = self._constant(node)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise PipelineError(
                f"a number of retries is needed, and this is {written(node)}", node.at, "as in `retry: 3`"
            )
        return value

    def _classes(self, node: Node) -> tuple[str, ...]:
        """What a retry is for: words and exit codes."""
        items = getattr(node, "items", (node,))
        return tuple(_retried(item) for item in items)

    # --- check, run

    def _checks(self, clause: Clause) -> tuple[Check, ...]:
        found = []
        for item in clause.items:
            assert isinstance(item, Condition)
            with self._noted():
                condition = self._context.references.linked(item.value, self._header)
                self._uses.check(condition, CHECK)
                _refuse_plain_value(item.value)
                found.append(Check(condition, written(item.value), self._message(item.message), item.at))
        return tuple(found)

    def _message(self, message: Template | Literal | None) -> str | None:
        if isinstance(message, Template):
            for slot in slots(message):
                raise PipelineError("a message with values in it is not there yet", slot.at)
            return "".join(part for part in message.parts if isinstance(part, str))
        return str(message.value) if message else None

    def _run(self, clause: Clause) -> Recipe:
        script = clause.items[0]
        assert isinstance(script, Script)
        if script.kind == "python":
            python.check(script.text)
        self._uses.check_slots(script.text, RECIPE)
        return Recipe(script.kind, script.text)


def _arguments(clause: Clause) -> list[Argument]:
    return [item for item in clause.items if isinstance(item, Argument)]


def _value(item: Argument) -> Node:
    assert not isinstance(item.value, Star | Span)
    return item.value


def _only_argument(call: Call) -> Node:
    if len(call.arguments) != 1 or call.arguments[0].name:
        examples = {"glob": "data/*.csv", "local": "https://example.org/data.csv"}
        hint = f'as in {call.function}("{examples.get(call.function, "data.csv")}")'
        raise PipelineError(f"`{call.function}()` takes one path", call.at, hint)
    return _value(call.arguments[0])


def _refuse_url(path: Template, verb: str) -> None:
    if isinstance(path.parts[0], str) and "://" in path.parts[0]:
        raise PipelineError(f"only files are {verb} here, and this is a URL", path.at, "URLs stand in `inputs:`")


def _optional(node: Node) -> tuple[Node, bool]:
    """`x?` as (x, True)."""
    return (node.operand, True) if isinstance(node, Maybe) else (node, False)


def _roots(template: Template) -> set[str]:
    """The names that stand in a text by themselves, so that it differs where they do."""
    return {slot.expression.name for slot in slots(template) if isinstance(slot.expression, Name)}


def _own_name(item: Input) -> str | None:
    """What an input is called that was given no name."""
    reference = item.source
    return None if isinstance(reference, Template | Glob) else reference.output or reference.target


def _refuse_plain_value(node: Node) -> None:
    """Raise PipelineError if what should be a condition can't be true or false."""
    plain = isinstance(node, Literal) and not isinstance(node.value, bool)
    sum_or_product = isinstance(node, Binary) and node.operator in "+-*/"
    if plain or sum_or_product or isinstance(node, Template | ListOf | TableOf):
        raise PipelineError(f"`{written(node)}` is no condition", node.at, "as in `metrics.auc >= 0.65`")


def _retried(node: Node) -> str:
    if isinstance(node, Name) and node.name in RETRIED:
        return node.name
    if isinstance(node, Literal) and isinstance(node.value, int) and 0 < node.value < 256:
        return str(node.value)
    near = nearest(written(node), RETRIED)
    hint = f"did you mean `{near}`?" if near else f"an exit code from 1 to 255, {', '.join(RETRIED)}"
    raise PipelineError(f"nothing fails as `{written(node)}`", node.at, hint)


_CLAUSES: dict[str, tuple[str, Callable[[_Reader, Clause], object]]] = {
    "inputs": ("inputs", _Reader._inputs),
    "outputs": ("outputs", _Reader._outputs),
    "metrics": ("metrics", _Reader._outputs),
    "params": ("params", _Reader._params),
    "on": ("on", _Reader._on),
    "resources": ("resources", _Reader._resources),
    "requires": ("requires", _Reader._files),
    "code": ("code", _Reader._code),
    "environ": ("environ", _Reader._environ),
    "after": ("after", _Reader._after),
    "on_failure": ("on_failure", _Reader._choice),
    "max_active": ("max_active", _Reader._max_active),
    "cache": ("cache", _Reader._choice),
    "timeout": ("timeout", _Reader._timeout),
    "retry": ("retry", _Reader._retry),
    "check": ("checks", _Reader._checks),
    "run": ("recipe", _Reader._run),
}
_CHOICES = {"on_failure": ("stop", "continue"), "cache": ("true", "false", "never")}
_RETRY: dict[str, tuple[str, Callable[[_Reader, Node], object]]] = {
    "": ("count", _Reader._count),
    "backoff": ("backoff", _Reader._seconds),
    "max": ("longest", _Reader._seconds),
    "on": ("on", _Reader._classes),
}
