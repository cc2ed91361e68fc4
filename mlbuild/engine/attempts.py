"""One attempt at a task, from the intent to the record: outputs set aside, job made, result stored. Decides nothing."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import Struct, field, structs

from mlbuild.engine import metrics
from mlbuild.engine.decide import Reason
from mlbuild.engine.facts import Inspector, unreachable
from mlbuild.engine.queue import Wanted
from mlbuild.engine.resume import on_checkpoints
from mlbuild.engine.scope import RecipeScope, recipe_scope, variable_value
from mlbuild.engine.undeclared import Undeclared
from mlbuild.errors import StateError
from mlbuild.executors import checkpoints
from mlbuild.executors import job as jobs
from mlbuild.executors.attempt import words
from mlbuild.executors.job import Batch, Job, JobResult, Read
from mlbuild.expression import Name, Slot
from mlbuild.files import Files, copy_remote, remote_digest
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.killpoint import reach
from mlbuild.language import python
from mlbuild.language.quoting import render_recipe
from mlbuild.language.words import root
from mlbuild.state.fingerprint import Fingerprint
from mlbuild.state.journal import Journal, OpenAttempt, Trace
from mlbuild.state.layout import Layout
from mlbuild.state.outputs import Outputs
from mlbuild.state.stats import Stats
from mlbuild.state.store import Action, Damaged, Store, Stored

KILL_POINTS = (
    "leased",
    "intended",
    "set-aside",
    "prepared",
    "submitted",
    "received",
    "stored-object",
    "stored",
    "recorded",
    "aside-dropped",
    "published",
    "discarded",
    "put-back",
    "restored-aside",
    "restored",
)
"""Where a test may have the driver killed, in the order in which an attempt passes them."""

TAIL_LINES = 20
TAIL_BYTES = 64 << 10


class Attempt(Struct, frozen=True):
    """One attempt at a task, by this build or taken over from a dead one."""

    task: Task
    number: int
    fingerprint: Fingerprint
    job: Job
    had: tuple[str, ...]
    edited: tuple[str, ...]
    died: int | None = None
    """The build that it is taken over from."""
    left: bool = False
    """That had submitted it and left."""
    began: float = 0.0
    """When that had started it, in epoch seconds."""
    reasons: tuple[Reason, ...] = ()
    """Why it is made."""
    resume: Fingerprint | None = None
    """What its checkpoints belong to, if it is to leave any."""
    command: str = ""
    """The recipe as a person knows it."""

    @property
    def id(self) -> str:
        return self.job.attempt

    @property
    def adopted(self) -> bool:
        return self.died is not None


class Behind(Struct, frozen=True):
    """What comes before an attempt of those that are submitted together with it, or were before.

    Attributes:
        attempts: all of them must succeed.
        makers: path → the attempt that has yet to make it, of what it reads.
        tasks: at which those attempts are.
    """

    attempts: tuple[str, ...] = ()
    makers: Mapping[str, str] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()


ALONE = Behind()


class InputChanged(Exception):
    """An input is not what the fingerprint says any more; the message says which."""


class Attempts:
    """Carries attempts through their durable steps, in an order from which any later build can recover.

    Args:
        say: a word to the user about a task.
        on: the executor that all run on, whatever their targets say.
    """

    def __init__(
        self,
        graph: Graph,
        layout: Layout,
        inspector: Inspector,
        stats: Stats,
        journal: Journal,
        store: Store,
        say: Callable[[str, Task], None],
        on: str | None = None,
        *,
        observe: bool = True,
    ) -> None:
        self._graph = graph
        self._layout = layout
        self._inspector = inspector
        self._stats = stats
        self._journal = journal
        self._store = store
        self._outputs = Outputs(layout)
        self._say = say
        self._on = on
        self._observe = observe
        self._undeclared = Undeclared(graph, inspector, journal, say)
        self._files = Files(layout.workspace)
        self._made = 0
        self._behind: Counter[str] = Counter()
        """How many of the attempts that have no end yet were submitted behind each."""

    # --- before

    def make(self, together: Sequence[Wanted], failures: int = 0, behind: Behind = ALONE) -> list[Attempt]:
        """The next attempts at tasks of which one run of the recipe takes care; nothing of them has happened yet.

        Args:
            together: more than one are those of a batch, with the keys in their order.
            failures: how many before them cost a retry.
            behind: the attempts with which it is submitted, and that come before it.

        Raises InputChanged, and PipelineError for what can't be had or has no value.
        """
        for wanted in together:
            self._bring_copies(wanted.task, wanted.fingerprint)
        ids = [f"{self._journal.run}-{self._made + which}" for which in range(1, len(together) + 1)]
        self._made += len(together)
        numbers = [self._journal.next_number(wanted.task.name, wanted.fingerprint.key) for wanted in together]
        first, tasks, attempt, number = together[0], [wanted.task for wanted in together], ids[0], max(numbers)
        target = first.task.target
        resume = self._inspector.resume_fingerprint(first.task, first.fingerprint) if target.checkpoint else None
        job = Job(
            attempt=attempt,
            task=first.task.name,
            workspace=self._layout.workspace,
            recipe=self._recipe(tasks, attempt, number, failures),
            kind=target.recipe.kind if target.recipe else "shell",
            environment={
                "MLBUILD_ATTEMPT": str(number),
                "MLBUILD_PROGRESS": self._layout.progress(attempt),
                **self._given(tasks, attempt),
                **self._environment(first.task),
            },
            log=self._layout.log(self._journal.run, attempt),
            notes=self._layout.notes(attempt) if self._observe else "",
            programs=tuple(dict.fromkeys(program for task in tasks for program in self._inspector.programs(task))),
            timeout=target.timeout,
            stall=target.stall,
            after=behind.attempts,
            batch=Batch(attempt, first.task.name, len(together)) if len(together) > 1 else None,
            **(on_checkpoints(self._graph, first.task, first.fingerprint, resume, self._journal.run) if resume else {}),
            **self.request(first.task, failures),
        )
        carried = replace(job, recipe="", environment={}, notes="", programs=())
        command = python.source_of(target.recipe.text) if target.recipe and job.kind == "python" else job.recipe
        return [
            self._attempt(wanted, replace(job if id == attempt else carried, attempt=id), own, resume, command, behind)
            for wanted, id, own in zip(together, ids, numbers, strict=True)
        ]

    def _attempt(
        self, wanted: Wanted, job: Job, number: int, resume: Fingerprint | None, command: str, behind: Behind
    ) -> Attempt:
        """An attempt at one task, with what is its own of the job."""
        task, fingerprint = wanted.task, wanted.fingerprint
        job = replace(job, task=task.name, reads=self._reads(task, fingerprint, behind.makers), outputs=task.made)
        had = self._outputs.standing(task.made)
        return Attempt(
            task, number, fingerprint, job, had, wanted.edited, reasons=wanted.reasons, resume=resume, command=command
        )

    def executor(self, task: Task) -> str:
        """The name of the one that a task runs on."""
        return self._on or task.target.on

    def _bring_copies(self, task: Task, fingerprint: Fingerprint) -> None:
        """Copy what `local(…)` names, unless the copy is what it is now."""
        for source in self._graph.sources(task):
            for url, _ in source.reads if source.kind == "local" else ():
                place = os.path.join(self._layout.workspace, self._layout.copy_of(url))
                note, digest = Path(f"{place}.digest"), fingerprint.parts[f"input {url}"]
                if os.path.exists(place) and note.exists() and note.read_text() == digest:
                    continue
                note.unlink(missing_ok=True)
                try:
                    copy_remote(url, place)
                    same = remote_digest(url) == digest
                except (OSError, ImportError, ValueError) as error:
                    raise unreachable(url, error, source.at) from None
                if not same:
                    raise InputChanged(f"{url} has changed")
                note.write_text(digest)

    def request(self, task: Task, failures: int = 0) -> dict[str, Any]:
        """What the attempt after so many failures asks for, in the fields of a job."""
        return request(self._graph, self._on, task, failures)

    def open(self, attempt: Attempt) -> None:
        """Say what is intended, and make room for the outputs. After this the job may be submitted."""
        record = OpenAttempt(
            attempt.id,
            attempt.task.name,
            self._journal.run,
            attempt.number,
            attempt.fingerprint,
            None,
            attempt.job.as_json(),
            attempt.had,
            attempt.edited,
            time.time(),
        )
        log = os.path.relpath(attempt.job.log, self._layout.workspace)
        reasons = [(reason.kind, reason.what, reason.old, reason.new) for reason in attempt.reasons]
        kept = [attempt.resume, attempt.fingerprint] if attempt.resume and not _is_to_come(attempt) else []
        command = attempt.command if attempt.job.run == attempt.id else None
        self._journal.intend(record, log, command, reasons, kept)
        self._outputs.prepare(attempt.task.made, attempt.id)
        reach("prepared")

    def open_all(self, attempts: Iterable[Attempt]) -> list[JobResult]:
        """Open them all. If that can't be, nothing is left of them: the results of those that were begun with, which
        say why."""
        opened: list[Attempt] = []
        try:
            for attempt in attempts:
                opened.append(attempt)
                self.open(attempt)
        except OSError as error:
            results = [JobResult(attempt.id, jobs.Reason.NOT_STARTED, detail=words(error)) for attempt in opened]
            return [self.abandon(attempt, result) for attempt, result in zip(opened, results, strict=True)]
        return []

    def complete(self, attempt: Attempt) -> None:
        """What an attempt reads that was yet to be made when it was submitted is in place."""
        if attempt.task.checkpoint and _is_to_come(attempt):
            resume = self._inspector.resume_fingerprint(attempt.task, attempt.fingerprint)
            self._journal.remember([resume, attempt.fingerprint])

    def _recipe(self, tasks: Sequence[Task], attempt: str, number: int, failures: int) -> str:
        lists: list[str] = []

        def as_file(slot: Slot, content: object) -> str:
            text, ending = self._file(slot, content)
            path = self._layout.list_file(attempt, len(lists), ending)
            lists.append(path)
            with open(os.path.join(self._layout.workspace, path), "w", encoding="utf-8") as file:
                file.write(text)
            return path

        recipe, scope = tasks[0].target.recipe, recipe_scope(self._graph, tasks, number, failures)
        assert recipe is not None
        if recipe.kind == "python":
            names = dict.fromkeys(name for name, _ in python.uses(recipe.text, scope.known()))
            return python.program(recipe.text, {name: scope.name(Name(name, recipe.text.at)) for name in names})
        return render_recipe(recipe.text, scope, as_file)

    def _file(self, slot: Slot, content: object) -> tuple[str, str]:
        """The text of `{x:file}` and the ending of its name."""
        if isinstance(content, Mapping):
            from mlbuild.language import parameters

            return parameters.written(content, self._graph.pipeline.constants[root(slot.expression) or ""].path)
        assert isinstance(content, list)
        return "".join(f"{item}\n" for item in content), "txt"

    def _given(self, tasks: Sequence[Task], attempt: str) -> dict[str, str]:
        """The variable that names the file from which `mlbuild.stage` learns of the task; empty if it need not."""
        text = self._inspector.given(tasks)
        if text is None:
            return {"MLBUILD_TASK": ""}  # and not what it is where this build is a recipe itself
        path = self._layout.given(attempt)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        return {"MLBUILD_TASK": path}

    def _environment(self, task: Task) -> dict[str, str]:
        """The variables that the recipe is given; the others it has from us, and so are written down nowhere."""
        scope = RecipeScope(self._graph, task)
        given = [variable for variable in task.target.environ if variable.value is not None]
        return {variable.name: variable_value(variable, scope) or "" for variable in given}

    def _reads(self, task: Task, fingerprint: Fingerprint, makers: Mapping[str, str]) -> tuple[Read, ...]:
        """What the recipe must find as the fingerprint says, or as others will have made it."""
        reads = []
        counted = {path: fingerprint.parts[f"{kind} {path}"] for kind, path in self._inspector.reads(task)}
        code = self._inspector.code(task)
        # Code that was looked at again since the task was decided is not what it was decided by.
        is_same = code.parts.items() <= fingerprint.parts.items()
        files = code.files if is_same else dict.fromkeys(code.files, "")
        for path, digest in {**files, **counted}.items():
            if path in makers:
                reads.append(Read(path, "", "", maker=makers[path]))
                continue
            record = self._stats.record(path)
            same = record is not None and record.digest == digest and record.settled
            reads.append(Read(path, digest, record.signature if same and record else "", is_code=path not in counted))
        return tuple(reads)

    # --- after

    def commit(self, attempt: Attempt, result: JobResult) -> None:
        """Record a success: store, trace, and then drop what it replaced. Raises Damaged if outputs still change."""
        made = [Stored(made.path, made.digest, made.size) for made in result.made]
        fingerprint = attempt.fingerprint.reading(self._undeclared.counted(attempt.task, result.opened))
        is_known = fingerprint.problem is None and all(fingerprint.reads.values())
        seconds = result.seconds
        if result.resumed_from:
            keys = (attempt.fingerprint.key, *result.grown_from)
            seconds += self._journal.seconds_before(attempt.id, keys)
        if is_known and made and attempt.task.target.cache == "true":
            made = self._keep(attempt.task, fingerprint, made, seconds)
        reach("stored")
        self._note_use(attempt.task, fingerprint)
        checks = self._inspector.checks(attempt.task)
        trace = self._trace(attempt.task, fingerprint, tuple(made), checks, seconds, attempt.id)
        self._journal.ended(attempt.id, _outcome(result), trace, metrics.kept(self._files, attempt.task))
        for output in made:
            self._stats.learn(output.path, output.digest, output.size)
        self._publish(attempt)
        self._layout.drop_empty_log(attempt.job.log)

    def _keep(self, task: Task, fingerprint: Fingerprint, made: list[Stored], seconds: float) -> list[Stored]:
        """Put the outputs into the store; a full disk there costs only that they can't be restored."""
        try:
            with self._store.lock(alone=False):
                stored = [self._store.add(output.path, output.digest, output.size) for output in made]
                self._store.record(fingerprint, stored, seconds, time.time())
        except Damaged:
            raise
        except (OSError, StateError) as error:
            problem = error.message if isinstance(error, StateError) else words(error)
            self._say(f"its outputs could not be stored: {problem}", task)
            return made
        return stored

    def _trace(
        self,
        task: Task,
        fingerprint: Fingerprint,
        outputs: tuple[Stored, ...],
        checks: str,
        seconds: float,
        attempt: str | None,
    ) -> Trace:
        run, now = self._journal.run, time.time()
        return Trace(task.name, fingerprint, outputs, checks, run, attempt, now, seconds)

    def _publish(self, attempt: Attempt) -> None:
        for path, place in self._outputs.publish(attempt.had, attempt.edited, attempt.id):
            self._say(f"{path} was not as mlbuild had left it; that version is now {place}", attempt.task)
        self._journal.published(attempt.id)
        self._layout.drop_lists(attempt.id)
        self._drop_jobs(attempt.job)
        reach("published")

    def abandon(self, attempt: Attempt, result: JobResult) -> JobResult:
        """Record a failure: what stood there is put back first. The result, with what is known of one that was lost."""
        return self.undo(attempt.job, attempt.had, result)

    def undo(self, job: Job, had: tuple[str, ...], result: JobResult) -> JobResult:
        """As `abandon`, of a task that this build may not even know; its outputs are what they were to the job."""
        if result.reason is jobs.Reason.LOST:
            result = checkpoints.conclude(job, result)
        self._outputs.roll_back(job.outputs, had, job.attempt)
        self._journal.ended(job.attempt, _outcome(result), None)
        self._journal.leases.give_back(job.task)
        self._journal.published(job.attempt)
        self._layout.drop_lists(job.attempt)
        self._drop_before(job)
        return result

    def forget(self, job: Job) -> None:
        """Drop what an attempt on another node and its build had to say to each other: nobody wants to know."""
        self._layout.drop_job(job.attempt)

    def _drop_jobs(self, job: Job) -> None:
        """Drop what an attempt on another node and its build had to say to each other, unless one behind it is still to
        be told."""
        if not self._behind[job.attempt]:
            self._layout.drop_job(job.attempt)
        self._drop_before(job)

    def _drop_before(self, job: Job) -> None:
        """As `_drop_jobs`, of those that succeeded before this one and were kept for it."""
        self._behind.subtract(job.after)
        for id in job.after:
            before = self._journal.past.attempt(id)
            if not self._behind[id] and before is not None and before.reason == jobs.Reason.OK:
                self._layout.drop_job(id)

    def note_open(self, records: Iterable[OpenAttempt]) -> None:
        """These are all attempts that have no end yet."""
        self._behind = Counter(id for record in records for id in record.job.get("after", ()))

    def finish_publishing(self) -> None:
        """Drop what the successes of dead builds replaced, where those died before they did."""
        for record in self._journal.unpublished():
            if record.job["outputs"]:
                self._outputs.publish(record.had, record.edited, record.id)
            self._journal.published(record.id)

    def progress(self, attempt: Attempt) -> str:
        """Where an attempt reports how far it is."""
        return self._layout.progress(attempt.id)

    def log_tail(self, attempt: Attempt) -> tuple[str, tuple[str, ...]]:
        """Where the log of an attempt lies, relative to the workspace, and its last lines; ("", ()) if it is empty."""
        try:
            with open(attempt.job.log, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
        except OSError:
            lines = []
        return os.path.relpath(attempt.job.log, self._layout.workspace) if lines else "", tuple(lines)

    # --- without an attempt

    def restore(self, task: Task, fingerprint: Fingerprint, action: Action, edited: tuple[str, ...]) -> None:
        """Bring back what the fingerprint came to. Raises Damaged, and nothing was touched, if the store lost it."""
        missing = [output for output in action.outputs if not self._stands(output)]
        with self._store.lock(alone=False):
            staged = self._store.stage(missing)
        for output in missing:
            if output.path in edited:
                place = self._outputs.move_away(output.path, f"edited-{self._journal.run}")
                self._say(f"{output.path} was not as mlbuild had left it; that version is now {place}", task)
            self._store.place(output.path, staged[output.path])
            self._stats.learn(output.path, output.digest, output.size)
        reach("restored")
        self.take(task, fingerprint, action)

    def _stands(self, output: Stored) -> bool:
        """Whether an output is in place as it was stored."""
        content = self._stats.content(output.path)
        return content is not None and content[0] == output.digest

    def take(self, task: Task, fingerprint: Fingerprint, action: Action) -> None:
        """Record that what stands in place is what the fingerprint came to."""
        read = fingerprint.reading(action.reads)
        self._note_use(task, read)
        before = self._journal.trace(task.name)
        # Another result may not be as its conditions ask for: it is tested yet.
        checks = before.checks if before is not None and before.fingerprint.key == read.key else ""
        trace = self._trace(task, read, action.outputs, checks, action.seconds, None)
        self._journal.record(trace, metrics.kept(self._files, task))

    def _note_use(self, task: Task, fingerprint: Fingerprint) -> None:
        """Tell the store that a result is of use now, and that the one which it replaces was until now."""
        before = self._journal.fingerprint(task.name)
        if before != fingerprint.key:
            with suppress(StateError):  # only the order in which results are dropped one day is lost
                self._store.used([key for key in (before, fingerprint.key) if key], time.time())

    def drop_temporary(self, task: Task, readers: Iterable[Task]) -> None:
        """Remove the temporary outputs of a task, which nothing in this build needs any more.

        What was edited by hand stays, and so does what another build needs: a later one removes it.

        Args:
            readers: the tasks that take something of it.
        """
        there = self._outputs.lingering(task.temporary)
        trace = self._journal.trace(task.name) if there else None
        if trace is None or self._journal.leases.take(task.name, "", ()) is not None:
            return
        read = {read["path"] for attempt in self._journal.open_attempts() for read in attempt.job["reads"]}
        for output in trace.outputs:
            if output.path in there and not any(_is_within(path, output.path) for path in read):
                self._drop(task, output, readers)
        self._journal.leases.give_back(task.name)

    def _drop(self, task: Task, output: Stored, readers: Iterable[Task]) -> None:
        if self._outputs.standing((output.path,)):
            if not self._stats.is_as_seen(output.path, output.digest):
                return
            self._note_read_inside(output, readers)
        try:
            self._outputs.drop(output.path)
        except OSError as error:
            self._say(f"{output.path} is temporary, and can't be removed: {words(error)}", task)

    def _note_read_inside(self, output: Stored, readers: Iterable[Task]) -> None:
        """A path in a folder tells nobody by itself what it held, once the folder is gone."""
        for reader in readers if output.path.endswith("/") else ():
            for _, path in self._inspector.reads(reader):
                if path != output.path and _is_within(path, output.path):
                    self._stats.note_inside(path, output.digest)

    def checks_held(self, task: Task) -> None:
        """Record that the conditions as they are now hold for the last success."""
        trace = self._journal.trace(task.name)
        if trace is not None:
            self._journal.record(structs.replace(trace, checks=self._inspector.checks(task)))


def request(graph: Graph, on: str | None, task: Task, failures: int = 0) -> dict[str, Any]:
    """As `Attempts.request`.

    Args:
        on: the executor that all run on, whatever their targets say.
    """
    scope = RecipeScope(graph, task, failures=failures)
    pools = task.target.resources.pools
    return {
        **scope.amounts(),
        "executor": on or task.target.on,
        "pools": {name: scope.amount(name, value) for name, value in pools.items()},
    }


def _is_to_come(attempt: Attempt) -> bool:
    """Whether something that it reads was yet to be made when it was submitted."""
    return any(read.maker for read in attempt.job.reads)


def _is_within(path: str, output: str) -> bool:
    """Whether a path is an output, or lies in it."""
    return f"{path.rstrip('/')}/".startswith(f"{output.rstrip('/')}/")


def _outcome(result: JobResult) -> dict[str, object]:
    return {
        "reason": str(result.reason),
        "exit_status": result.exit_status,
        "seconds": result.seconds,
        "max_rss": result.max_rss,
        "cpu_seconds": result.cpu_seconds,
        "gpu_utilization": result.gpu_utilization,
        "max_gpu_memory": result.max_gpu_memory,
        "message": result.detail,
        "resumed_from": result.resumed_from,
        "saved": result.saved,
        "checkpoint": result.checkpoint,
        "grown_from": " ".join(result.grown_from),
    }
