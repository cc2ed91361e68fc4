"""From the clauses of a target to its fields: one function a clause. Blind to what other targets say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from mlbuild.collect import AlreadySaid, Mistakes
from mlbuild.errors import LEAVE_OUT, PipelineError
from mlbuild.expression import Argument, Binary, Call, ListOf, Literal, Name, Node, TableOf, Template, written
from mlbuild.language import python
from mlbuild.language.amounts import amount, duration, most, retry
from mlbuild.language.ast import Clause, Condition, Edge, Script, TargetOf
from mlbuild.language.checkpoints import Checkpoints
from mlbuild.language.constants import Constants
from mlbuild.language.items import arguments, node_of, refuse_same_names, unmarked
from mlbuild.language.lost import MADE
from mlbuild.language.names import Names
from mlbuild.language.paths import Paths
from mlbuild.language.pending import refuse_pending
from mlbuild.language.references import Header, References
from mlbuild.language.uses import CHECK, PATH, RECIPE, RESOURCE, Uses
from mlbuild.language.words import names_used, root, slots
from mlbuild.target import (
    AMOUNTS,
    Check,
    Checkpoint,
    Executor,
    Glob,
    Input,
    Output,
    Partition,
    Recipe,
    Resources,
    Target,
    Variable,
)
from mlbuild.values import nearest

FIRST = ("inputs", "outputs", "metrics", "on", "batch")
"""Clauses that say what names in the others mean."""
NOT_IN_DEFAULTS = ("inputs", "outputs", "metrics", "checkpoint", "batch", "run")


class Context(Struct, frozen=True):
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
        self._noted = context.mistakes.noted
        uses = self._uses = Uses(header.partitions, context.constants, context.names, context.partitions)
        paths = Paths(header, uses, context.names, context.references, context.mistakes)
        self._checkpoints = Checkpoints(paths, uses, context.names, context.mistakes)
        self._readers: dict[str, tuple[str, Callable[[Clause], object]]] = {
            "inputs": ("inputs", paths.inputs),
            "outputs": ("outputs", paths.outputs),
            "metrics": ("metrics", paths.outputs),
            "params": ("params", self._params),
            "on": ("on", self._on),
            "resources": ("resources", self._resources),
            "requires": ("requires", paths.files),
            "code": ("code", paths.code),
            "environ": ("environ", self._environ),
            "after": ("after", self._after),
            "on_failure": ("on_failure", self._choice),
            "max_active": ("max_active", lambda clause: most(clause, uses)),
            "batch": ("batch", self._batch),
            "cache": ("cache", self._choice),
            "checkpoint": ("checkpoint", self._checkpoint),
            "timeout": ("timeout", lambda clause: duration(clause, uses)),
            "stall": ("stall", lambda clause: duration(clause, uses)),
            "retry": ("retry", lambda clause: retry(clause, uses, context.mistakes)),
            "check": ("checks", self._checks),
            "run": ("recipe", self._run),
        }
        """Clause → the field that it becomes, and what reads it."""
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
        for clause in sorted(clauses, key=lambda clause: clause.word not in FIRST):
            failures = self._context.mistakes.failures
            with self._noted():
                self._read(clause)
            if self._context.mistakes.failures > failures:
                self._broken.add(clause.word)
        self._check_outputs()
        if self._header.is_whole:
            with self._noted():
                self._check_recipe(own)
            self._check_slots_of_checkpoint(own)
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
        if "batch" in own:
            message = f"`{self._header.name}` has no `run:` that could be for several keys"
            raise PipelineError(message, own["batch"].at, "add `run:`, or leave this out")
        if "inputs" not in own:
            hint = "add `run:`, or `inputs:` for a group of other targets"
            raise PipelineError(f"`{self._header.name}` has nothing to do", self._statement.name.at, hint)

    def _read(self, clause: Clause) -> None:
        refuse_pending(f"{clause.word}:", clause.at)
        field, read = self._readers[clause.word]
        self._fields.setdefault(field, read(clause))

    def _check_outputs(self) -> None:
        """Each path of a partitioned target must name all of its partitions, or its tasks would share it."""
        for word in MADE if self._header.is_sound else ():
            for output in self._fields.get(word, ()):
                with self._noted():
                    self._check_output(word, output)

    def _check_output(self, word: str, output: Output) -> None:
        try:
            self._refuse_shared(output.path, "would all make this path")
        except PipelineError:
            self._fields[word] = tuple(other for other in self._fields[word] if other is not output)
            self._broken.add(word)
            raise

    def _refuse_shared(self, path: Template, what: str) -> None:
        """Raise PipelineError if tasks of the target would have the same path."""
        lacking = [one for one in self._header.partitions if one not in _roots(path)]
        if lacking:
            slot = "{" + lacking[0] + "}"
            literal = isinstance(path.parts[0], str) and slot in path.parts[0]
            hint = f"put {slot} into it" if not literal else 'values are put in between "…" alone'
            raise PipelineError(f"the tasks of `{self._header.name}` {what}: it lacks {slot}", path.at, hint)

    def _checkpoint(self, clause: Clause) -> Checkpoint:
        made = [output.path for word in MADE for output in self._fields.get(word, ())]
        sources = [item.source for item in self._fields.get("inputs", ())]
        read = [one.pattern if isinstance(one, Glob) else one for one in sources]
        found = self._checkpoints.read(clause, [*made, *(one for one in read if isinstance(one, Template))])
        if self._header.is_sound:
            self._refuse_shared(found.path, "would all have this checkpoint directory")
        return found

    def _batch(self, clause: Clause) -> int:
        if not self._header.partitions:
            hint = "it is for the keys of a partition"
            raise PipelineError(f"`{self._header.name}` has no partition: it is one task", clause.at, hint)
        for other in self._statement.clauses:
            if other.word == "checkpoint":
                hint = "leave out one of the two"
                raise PipelineError("a checkpoint is one task's, and a run of a batch is for several", other.at, hint)
        self._uses.batch()
        return most(clause, self._uses)

    def _check_slots_of_checkpoint(self, own: Mapping[str, Clause]) -> None:
        """`{checkpoint}` stands for something only where there is the clause."""
        recipe = self._fields.get("recipe")
        if recipe is None or recipe.kind == "python" or "checkpoint" in own:
            return
        for slot in slots(recipe.text):
            with self._noted():
                if root(slot.expression) == "checkpoint":
                    place = "/".join([self._header.name, *(f"{{{name}}}" for name in self._header.partitions)])
                    hint = f'add the clause: checkpoint: "checkpoints/{place}/"'
                    raise PipelineError("this target has no `checkpoint:`", slot.at, hint)

    # --- what counts and what it takes

    def _params(self, clause: Clause) -> tuple[Node, ...]:
        nodes = []
        for item in arguments(clause):
            with self._noted():
                node = node_of(item)
                used = names_used(node)
                for name in used:
                    self._context.names.refuse_lost(name)
                if item.name or not used or not any(self._context.names.is_constant(name) for name in used):
                    hint = "name values as in `params: epochs, params.train`"
                    raise PipelineError(f"`{written(item)}` is no param", item.at, hint)
                self._uses.check(node, PATH)
                nodes.append(node)
        return tuple(nodes)

    def _environ(self, clause: Clause) -> tuple[Variable, ...]:
        found = []
        for item in arguments(clause):
            with self._noted():
                found.append(self._variable(item))
        refuse_same_names([(one.name, one.at) for one in found], self._context.mistakes)
        return tuple(found)

    def _variable(self, item: Argument) -> Variable:
        node = node_of(item)
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
        self._uses.refuse_key(node, "a variable has one value")
        return Variable(item.name, node, item.at)

    def _resources(self, clause: Clause) -> Resources:
        amounts: dict[str, Any] = {}
        for item in arguments(clause):
            with self._noted():
                if item.name is None:
                    raise PipelineError(
                        "a resource is given as NAME = amount", item.at, "as in `cpus = 4, memory = 8G`"
                    )
                if item.name in amounts:
                    raise PipelineError(f"`{item.name}` is given twice", item.at, LEAVE_OUT)
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
        node = node_of(item)
        self._uses.check(node, RESOURCE)
        self._uses.refuse_key(node, "what a run takes is one amount")
        return amount(node, name, self._context.constants) if self._uses.is_constant(node) else node

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
        node = node_of(arguments(clause)[0])
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
                node, optional = unmarked(item.value)
                reference = self._context.references.reference(node, self._header)
                if reference is None or reference.output or reference.metrics is not None:
                    hint = "as in `after: migrate` or `after: extract[*]`"
                    raise PipelineError(f"`{written(node)}` is no target", node.at, hint)
                found.append(Input(None, reference, item.at, optional))
        return tuple(found)

    def _choice(self, clause: Clause) -> str:
        """One of the words that a clause takes."""
        node = node_of(arguments(clause)[0])
        words = _CHOICES[clause.word]
        if written(node) in words:
            return written(node)
        near = nearest(written(node), words)
        hint = f"did you mean `{near}`?" if near else f"write {', '.join(words[:-1])} or {words[-1]}"
        raise PipelineError(f"`{clause.word}:` can't be {written(node)}", node.at, hint)

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

    def _message(self, message: Template | Literal | None) -> Template | str | None:
        if isinstance(message, Template):
            self._uses.check_slots(message, CHECK)
            return message
        return str(message.value) if message else None

    def _run(self, clause: Clause) -> Recipe:
        script = clause.items[0]
        assert isinstance(script, Script)
        if script.kind == "python":
            python.check(script.text)
        self._uses.check_slots(script.text, RECIPE)
        return Recipe(script.kind, script.text)


def _roots(template: Template) -> set[str]:
    """The names that stand in a text by themselves, so that it differs where they do."""
    return {slot.expression.name for slot in slots(template) if isinstance(slot.expression, Name)}


def _refuse_plain_value(node: Node) -> None:
    """Raise PipelineError if what should be a condition can't be true or false."""
    plain = isinstance(node, Literal) and not isinstance(node.value, bool)
    sum_or_product = isinstance(node, Binary) and node.operator in "+-*/"
    if plain or sum_or_product or isinstance(node, Template | ListOf | TableOf):
        raise PipelineError(f"`{written(node)}` is no condition", node.at, "as in `metrics.auc >= 0.65`")


_CHOICES = {"on_failure": ("stop", "continue"), "cache": ("true", "false", "never")}
