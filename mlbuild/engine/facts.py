"""Gathers what a decision rests on: fingerprint, last success, what is stored, what is in place. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from mlbuild.digest import digest_bytes, digest_stat
from mlbuild.engine.checks import failed_check
from mlbuild.engine.code import Code, TaskCode
from mlbuild.engine.decide import Facts
from mlbuild.engine.given import STAGE, given, names_given
from mlbuild.engine.resume import NeutralScope
from mlbuild.engine.scope import RecipeScope, recipe_scope, variable_value
from mlbuild.engine.wording import Wording, canonical
from mlbuild.errors import Location, PipelineError
from mlbuild.executors.observed import within
from mlbuild.expression import Template, evaluate
from mlbuild.files import Files, remote_digest
from mlbuild.graph.dag import Graph
from mlbuild.graph.paths import clean
from mlbuild.graph.task import Source, Task
from mlbuild.language.words import params_used, root
from mlbuild.state.fingerprint import Fingerprint, difference
from mlbuild.state.journal import Journal, Trace
from mlbuild.state.stats import Stats
from mlbuild.state.store import Action, Store
from mlbuild.target import Glob, Input
from mlbuild.template import render

EXTRAS = {"http": "http", "https": "http", "s3": "s3", "s3a": "s3"}
"""Which extra of mlbuild reads the URLs of a protocol."""


class Inspector:
    """Looks at tasks for one command.

    Args:
        journal, store: None where the workspace was never built.
        goals: the tasks that were asked for; all that they make must be in place.
        forced: the tasks that must run whatever their state.
        observe: what runs were seen to read counts, declared or not.
        still: nothing is written meanwhile, so that a file that many read is looked at once.
    """

    def __init__(
        self,
        graph: Graph,
        files: Files,
        stats: Stats,
        journal: Journal | None,
        store: Store | None,
        goals: Collection[Task],
        forced: Collection[Task] = (),
        *,
        observe: bool = True,
        still: bool = False,
    ) -> None:
        self._graph = graph
        self._files = files
        self._stats = stats
        self._journal = journal
        self._store = store
        self.goals = frozenset(goals)
        self._needed: set[Task] = set()
        self.forced = set(forced)
        self._observe = observe
        self._ran: set[Task] = set()
        self._remotes: dict[str, str | None] = {}
        self._read: dict[str, str | None] | None = {} if still else None
        self._wordings: dict[str, Wording] = {}
        self._code = Code(graph, files, stats, journal)

    @property
    def folder(self) -> str:
        """That of the workspace, absolute."""
        return self._files.root

    def facts(self, task: Task, planned: Mapping[str, str | None] | None = None) -> Facts:
        """What is known of a task now.

        Args:
            planned: path → digest of what would stand there (dry runs), before what does.
        """
        planned = planned or {}
        fingerprint, trace = self.fingerprint(task, planned), self.trace(task)
        present = {path: self.digest(path) for path in task.made}
        # Of what has the same key as it is now without any, nothing undeclared was read.
        observed = trace.fingerprint.reads if trace and trace.key != fingerprint.key else {}
        return Facts(
            fingerprint=fingerprint,
            trace=trace,
            reads=self.observed(task, observed, planned),
            definitions=self._changed_code(trace, fingerprint),
            stored=lambda: self._action(task, fingerprint, planned),
            present=present,
            left=self._left_by_others(present, trace),
            checks=self.checks(task),
            temporary=task.temporary,
            needed=task in self.goals or task in self._needed or self._graph.lacks_list(task),
            forced=task in self.forced,
            always=task not in self._ran and self._runs_always(task),
        )

    def _left_by_others(self, present: Mapping[str, str | None], trace: Trace | None) -> dict[str, str]:
        """What other tasks left where this one did not make anything yet: they had another name or paths."""
        if not any(present.values()):
            return {}
        own = {output.path for output in trace.outputs} if trace else set()
        taken = [path for path, digest in present.items() if digest is not None and path not in own]
        return {path: self._made[path] for path in taken if path in self._made} if taken else {}

    @cached_property
    def _made(self) -> dict[str, str]:
        return self._journal.made_paths() if self._journal else {}

    def _runs_always(self, task: Task) -> bool:
        """In every build: because it says so, or because it has nothing by which it could be fresh."""
        idle = not task.made and not task.target.inputs and task in self.goals
        return idle or task.target.cache == "never"

    def lacking(self, task: Task) -> list[Task]:
        """The tasks that make what a task reads and what is not there."""
        reads = (read for source in self._graph.sources(task) for read in source.reads)
        found = (maker for path, maker in reads if maker is not None and not self._files.exists(path))
        return list(dict.fromkeys(found))

    def want(self, goals: Collection[Task], forced: Collection[Task]) -> None:
        """These are asked for from now on; what is forced has to run once."""
        self.goals = frozenset(goals)
        self.forced = {task for task in forced if task not in self._ran}

    def need(self, task: Task) -> None:
        """Something that must run reads what the task makes: it may not be absent."""
        self._needed.add(task)

    def release(self, task: Task) -> None:
        """Nothing reads what the task makes any more."""
        self._needed.discard(task)

    def has_run(self, task: Task) -> None:
        """The task succeeded in this build: it need not run whatever its state any more."""
        self.forced.discard(task)
        self._ran.add(task)

    def trace(self, task: Task) -> Trace | None:
        return self._journal.trace(task.name) if self._journal else None

    def _action(self, task: Task, fingerprint: Fingerprint, planned: Mapping[str, str | None]) -> Action | None:
        if self._store is None or fingerprint.problem or not task.made or task.target.cache != "true":
            return None
        return self._store.action(fingerprint, lambda paths: self.observed(task, paths, planned))

    def digest(self, path: str) -> str | None:
        """Of what stands at a path now; None if nothing does."""
        content = self._stats.content(path)
        return content[0] if content else None

    # --- fingerprints

    def fingerprint(self, task: Task, planned: Mapping[str, str | None]) -> Fingerprint:
        """What a task's result depends on, as it stands now. Never too small: what can't be read is its `problem`."""
        parts: dict[str, str] = {}
        problem = None
        for source in self._graph.sources(task):
            if source.kind != "input":
                parts |= self._unread(source)
        reads = self.reads(task)
        for kind, path in reads:
            try:
                digest = self._content(path, planned)
            except OSError as error:
                digest, problem = None, f"{path} can't be read: {error.strerror or error}"
            if digest is None:
                problem = problem or f"{path} is missing"
            parts[f"{kind} {path}"] = digest or ""
        code = self._code_beside(task, reads)
        parts |= code.parts
        problem = problem or code.problem
        declared = (*task.target.outputs, *task.target.metrics)
        parts |= {f"output {path}": output.name or "" for output, path in zip(declared, task.made, strict=True)}
        scope = RecipeScope(self._graph, task)
        if STAGE in code.imports:
            parts["names"] = names_given(self._graph, task)
        unset = (one.name for one in task.target.environ if variable_value(one, scope) is None)
        problem = problem or next((f"the variable {name} is not set" for name in unset), None)
        said, notes = self._said(task, scope)
        return Fingerprint(parts | said, notes, problem, contents=code.files)

    def resume_fingerprint(self, task: Task, fingerprint: Fingerprint) -> Fingerprint:
        """As the fingerprint of a task, but the same whatever the params have for values that its checkpoints may
        differ in. Its key is the resume key: what was written under one is for those of the same alone."""
        scope = NeutralScope(self._graph, task)
        said, notes = Wording(task.target, scope).at(scope, scope)
        return Fingerprint({**fingerprint.parts, **said}, notes, fingerprint.problem)

    def _said(self, task: Task, scope: RecipeScope) -> tuple[dict[str, str], Mapping[str, str]]:
        """What values a task is given: the parts of its fingerprint, and the notes on them."""
        found = self._wordings.get(task.target.name)
        if found is None:
            found = self._wordings[task.target.name] = Wording(task.target, scope)
        # With others in a batch it is the same task, so it counts as if it were alone.
        return found.at(scope, recipe_scope(self._graph, [task]) if task.target.batch else scope)

    def _content(self, path: str, planned: Mapping[str, str | None]) -> str | None:
        """The digest of what stands at a path, or would stand there. Raises OSError."""
        if path in planned:
            return planned[path]
        if self._read is None:
            return self.digest(path) or self._absent(path, planned)
        if path not in self._read:
            self._read[path] = self.digest(path)
        return self._read[path] or self._absent(path, planned)

    def _absent(self, path: str, planned: Mapping[str, str | None]) -> str | None:
        """The digest that a path had in a folder which would stand there."""
        folder = path.rstrip("/")
        while planned and (folder := folder.rpartition("/")[0]):
            if (digest := planned.get(f"{folder}/")) is not None:
                return self._stats.digest_inside(path, digest)
        return None

    def reads(self, task: Task) -> list[tuple[str, str]]:
        """The paths whose content counts byte by byte, each once, as (`input` or `requires`, path)."""
        found = dict.fromkeys(self._inputs(task), "input")
        found |= {path: "requires" for path in self._declared(task.target.requires, task) if path not in found}
        return [(kind, path) for path, kind in found.items()]

    def _declared(self, items: tuple[Input, ...], task: Task) -> list[str]:
        return [path for item in items for path in declared_paths(item, task, self._graph, self._files)]

    def _inputs(self, task: Task) -> dict[str, None]:
        sources = (source for source in self._graph.sources(task) if source.kind == "input")
        return dict.fromkeys(path for source in sources for path, _ in source.reads)

    def _unread(self, source: Source) -> dict[str, str]:
        """What stands for the content of a source that is not read: size and time, or what a server says."""
        if source.kind == "stat":
            found = {f"stat {path}": digest_stat(self._files.full(path)) for path, _ in source.reads}
        else:
            found = {f"input {url}": self._remote(url, source.at) for url, _ in source.reads}
        missing = next((name for name, digest in found.items() if digest is None), None)
        if missing and not source.optional:
            raise PipelineError(f"{missing.partition(' ')[2]} does not exist", source.at)
        return {name: digest or "" for name, digest in found.items()}

    def _remote(self, url: str, at: Location) -> str | None:
        """Raises PipelineError if it can't be had."""
        if url not in self._remotes:
            try:
                self._remotes[url] = remote_digest(url)
            except (OSError, ImportError, ValueError) as error:
                raise unreachable(url, error, at) from None
        return self._remotes[url]

    def changed_remotely(self, task: Task, fingerprint: Fingerprint) -> str:
        """What the recipe read from elsewhere and is not as the fingerprint says any more, in words; empty if all is.

        A server that no longer answers does not undo what was done.
        """
        for source in self._graph.sources(task):
            for url, _ in source.reads if source.kind == "remote" else ():
                with suppress(OSError):
                    if (remote_digest(url) or "") != fingerprint.parts.get(f"input {url}"):
                        return f"{url} has changed"
        return ""

    def forget_remotes(self) -> None:
        """Ask the servers again."""
        self._remotes.clear()

    # --- what runs were seen to read

    def undeclared(self, task: Task, paths: Iterable[str], *, reached: bool = True) -> list[str]:
        """Those of the paths that count for a task only because a run was seen to read them.

        Args:
            reached: code of which only that counts which the task's own programs reach is as good as declared.
        """
        if not self._observe:
            return []
        declared = {path.rstrip("/") for path in self._declared_paths(task, reached)}
        code_counts = task.target.code is not None
        return [path for path in paths if not within(path, declared) and (code_counts or not path.endswith(".py"))]

    def is_there(self, path: str) -> bool:
        return self._files.exists(path)

    def _declared_paths(self, task: Task, reached: bool) -> Iterator[str]:
        """All that a task has to do with by what the Pipelinefile says of it; by their values, too."""
        yield from (*task.made, *([task.checkpoint] if task.checkpoint else ()))
        yield from (path for _, path in self.reads(task))
        yield from (path for path in self.code(task).files if reached or not path.endswith(".py"))
        yield from self._declared(task.target.code or (), task)
        yield from (path for source in self._graph.sources(task) for path in source.paths)
        if task.target.code is None and task.target.recipe is not None:
            yield from (path for path in self._code.named(task) if reached or not self._code.is_script(task, path))
        named = {root(used) for node in task.target.params for used in params_used(node).values()}
        yield from (constant.path for name, constant in self._graph.pipeline.constants.items() if name in named)

    def observed(self, task: Task, paths: Collection[str], planned: Mapping[str, str | None]) -> Mapping[str, str]:
        """path → digest now of those that count although undeclared; empty if nothing that can be read is there."""
        found = {}
        for path in self.undeclared(task, paths, reached=False) if paths else ():
            try:
                found[path] = self._content(path, planned) or ""
            except OSError:
                found[path] = ""
        return found

    # --- code

    def code(self, task: Task) -> TaskCode:
        """What counts of the code that a task runs, and the files that this rests on."""
        return self._code_beside(task, self.reads(task))

    def _code_beside(self, task: Task, reads: list[tuple[str, str]]) -> TaskCode:
        """As `code`, given what `reads` gives."""
        declared = self._declared(task.target.code or (), task)
        return self._code.of(task, declared, (path for _, path in reads))

    def changed_code(self, task: Task, fingerprint: Fingerprint, edited: Collection[str]) -> str:
        """Which of the files of its code that were edited while a task ran means something else now, in words; empty if
        none does: a comment in a script that has trained for hours costs nothing."""
        if not edited:
            return ""
        self.look_again()
        code = self.code(task)
        same = {name: digest for name, digest in fingerprint.parts.items() if name.startswith("code ")} == code.parts
        return "" if same and code.problem is None else f"{min(edited)} has changed"

    def programs(self, task: Task) -> tuple[str, ...]:
        """What its Python processes are known to begin with, as `Job.programs`."""
        return tuple(self._code.programs(task, self._declared(task.target.code or (), task)))

    def given(self, tasks: Sequence[Task]) -> str | None:
        """What a script that works for these tasks learns of them from `mlbuild.stage`; None if none is seen to import
        that."""
        return given(self._graph, tasks) if any(STAGE in self.code(task).imports for task in tasks) else None

    def checks(self, task: Task) -> str:
        """What changes when the conditions of a task must be tested again: the digest of their texts and of the values
        that these name. Empty if it has none."""
        if not task.target.checks:
            return ""
        scope, constants = RecipeScope(self._graph, task), self._graph.pipeline.constants
        rows = []
        for check in task.target.checks:
            used = params_used(check.condition).items()
            rows.append([check.text, {name: evaluate(node, scope) for name, node in used if root(node) in constants}])
        return digest_bytes(canonical(rows).encode())

    def failed_check(self, task: Task, is_in_place: Callable[[Task], bool]) -> str | None:
        """What is wrong with what stands in place of a task, in words; None if its conditions hold."""
        return failed_check(self._graph, task, self._files, is_in_place)

    def look_again(self) -> None:
        """Files have changed since they were looked at."""
        self._code.look_again()

    def definitions(self, digest: str) -> Mapping[str, str]:
        """What a digest of code was made of (`src/a.py: function f` → digest); empty if that is not known."""
        return self._code.definitions(digest)

    def _changed_code(self, before: Trace | None, now: Fingerprint) -> dict[str, Mapping[str, str]]:
        """What stands behind the digests of code that are not what they were."""
        if before is None or before.key == now.key:
            return {}
        changed = [change for change in difference(before.fingerprint, now) if change.kind == "code"]
        digests = {digest for change in changed for digest in (change.old, change.new) if digest}
        return {digest: self.definitions(digest) for digest in digests}


def declared_paths(item: Input, task: Task, graph: Graph, files: Files) -> list[str]:
    """The paths of an item of `requires:` or `code:`; of one that may be absent, only what is there."""
    scope = graph.scope(task.target, task.keys)
    if isinstance(item.source, Glob):
        return files.glob(clean(render(item.source.pattern, scope)))
    assert isinstance(item.source, Template)
    path = clean(render(item.source, scope))
    return [] if item.optional and not files.exists(path) else [path]


def unreachable(url: str, error: Exception, at: Location) -> PipelineError:
    protocol = url.partition("://")[0]
    if isinstance(error, OSError):
        return PipelineError(f"can't read {url}: {error.strerror or error}", at)
    extra = EXTRAS.get(protocol)
    install = f"pip install 'mlbuild[{extra}]'" if extra else "install the package that it names"
    hint = install if isinstance(error, ImportError) else None
    return PipelineError(f"{protocol}:// can't be read here: {error}", at, hint)
