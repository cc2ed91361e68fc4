"""The one loop: decide what is ready, launch what there is room for, take in what has finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from mlbuild.engine import events, told
from mlbuild.engine.attempts import Attempt, Attempts, InputChanged
from mlbuild.engine.checks import Conditions
from mlbuild.engine.decide import Decision, Facts, Verdict, decide
from mlbuild.engine.facts import Inspector
from mlbuild.engine.fallout import Fallout
from mlbuild.engine.growth import Course, merged
from mlbuild.engine.history import History
from mlbuild.engine.lying import lying_for
from mlbuild.engine.others import POLL, Claim, OtherBuilds
from mlbuild.engine.policy import Failures
from mlbuild.engine.provenance import downstream
from mlbuild.engine.queue import Kin, Queue, Wanted
from mlbuild.engine.ready import Ready
from mlbuild.engine.recovery import Recovery
from mlbuild.engine.requests import Answer, Request, Requests, standing
from mlbuild.engine.room import Room
from mlbuild.engine.running import Running
from mlbuild.engine.standings import as_kept
from mlbuild.engine.states import ACTIVE, IN_PLACE, MUST_RUN, NOTHING, OVER, State, States
from mlbuild.engine.temporaries import Temporaries
from mlbuild.errors import MlbuildError, PipelineError
from mlbuild.executors import checkpoints
from mlbuild.executors import job as jobs
from mlbuild.executors.attempt import words
from mlbuild.executors.job import Began, Executor, JobResult, Waits
from mlbuild.files import Files
from mlbuild.graph.dag import Graph
from mlbuild.graph.task import Task
from mlbuild.killpoint import reach
from mlbuild.state.journal import Journal
from mlbuild.state.standing import HERE
from mlbuild.state.store import Action, Damaged

SLICE = 0.02
"""Seconds of deciding between two looks at what has finished."""
MOST_CHANGES = 3
"""How often a task is decided again because its inputs changed under it, before it fails."""


class Scheduler:
    """Builds tasks.

    Args:
        course: what is to be built.
        replan: gives it anew, once it is known what keys there are; raises MlbuildError.
        most_failures: after so many, no more is started; None: go on with what does not depend on them.
        max_active: of each partitioned target at most so many tasks run at once, even if its clause allows more.
        say: is told of every event as it happens.
    """

    waits = True
    """For another build that is in its way; else that is an error."""

    def __init__(
        self,
        graph: Graph,
        course: Course,
        replan: Callable[[], Course],
        files: Files,
        inspector: Inspector,
        attempts: Attempts,
        journal: Journal,
        executor: Executor,
        history: History,
        say: Callable[[events.Event], None],
        requests: Requests,
        *,
        most_failures: int | None = 1,
        max_active: int | None = None,
    ) -> None:
        self._graph = graph
        self._order = order = course.order
        self._replan = replan
        self._inspector = inspector
        self._attempts = attempts
        self._recovery = Recovery(order, journal, executor, attempts)
        self._journal = journal
        self._executor = executor
        self._history = history
        self._say = say
        self._requests = requests
        self._most_failures = most_failures

        self.states = States(order)
        self._canary = course.canary
        self._ready = Ready(order, self.states, course.canary)
        self._consumers = self._ready.consumers
        self._conditions = Conditions(graph, files, self.states)
        self._temporaries = Temporaries(graph, order, inspector.goals, self.states)
        self._others = OtherBuilds(order, journal, inspector, say, waits=self.waits)
        self._failures = Failures()
        self._running = Running()
        self._room = Room(executor, attempts, self._running, self._failures, max_active)
        self._queue = Queue(history.turn, self._line, self._room.is_there, self._kin)
        self._absent: dict[str, str | None] = {}
        self._built: set[Task] = set()
        self._fallout = Fallout(graph, self._consumers, self.states, say, self._ready.over)
        self._changes: dict[Task, int] = {}
        self._failed_batches: set[str] = set()
        self._unlisted: set[Task] = set()
        """They are in place, but the keys that they list can't be used."""
        self._unwanted: set[Task] = set()
        """Somebody has asked to give them up."""
        self._stopping = self._stopped = 0
        self._is_held_back = False
        self._began = time.time()

    # --- the loop

    def run(self) -> None:
        """Go on until nothing is left that can be done."""
        while True:
            self._requests.answer(self._obey)
            self._decide_ready()
            if self._others.let_go(working=bool(self._running)):
                self._start_over()
            self._launch()
            self._tell_standing()
            for text in self._executor.news():
                self._say(events.Said(text))
            self._journal.sync()
            if self._stopped < self._stopping:
                self._stopped = self._stopping
                self._executor.cancel(self._running.handles(), now=self._stopping > 1)
            if self._winding_down and not self._is_held_back:
                self._is_held_back = True
                self._executor.hold_back()
            if not self._running and (self._winding_down or self._others.yielding or self._is_idle):
                self._conditions.test_now()
            if not self._goes_on():
                break
            for result in self._executor.finished(self._patience()):
                reach("received")
                self._take_in(result)
            for event in self._running.news():
                self._say(event)
        self._give_up_the_rest()
        self._recovery.end_in_vain()

    def _give_up_the_rest(self) -> None:
        """Call it not run what is asked for, was never made or must run, and what is behind that. What was made before,
        and nobody has looked at, may well be in place."""
        for task, needs in self._order.items():
            state = self.states[task]
            unmade = not task.is_group and self._inspector.trace(task) is None
            if state not in OVER and (
                state in MUST_RUN
                or task in self._inspector.goals
                or unmade
                or any(self.states[need] in NOTHING for need in needs)
            ):
                self.states.set(task, State.CANCELLED)

    def interrupt(self) -> None:
        """Stop: nothing more starts, what runs gets its signal; asked again, it ends at once.

        Safe in a signal handler.
        """
        self._stopping += 1

    def _obey(self, request: Request) -> Answer:
        """Another command asks how tasks stand, and perhaps to give them up."""
        tasks = {task.name: task for task in self._order}
        answer = standing(request, self.states, tasks, self._consumers)
        if request.stop and request.tasks is None:
            self._say(events.Said("interrupted by `mlbuild cancel`"))
            self._stopping = max(self._stopping, 2 if request.now else 1)
        elif request.stop:
            for name in (*answer.running, *answer.waiting):
                self._say(events.Said("is given up: `mlbuild cancel`", name))
            self._stop({tasks[name] for name in answer.running}, now=request.now)
            self._leave_out({tasks[name] for name in answer.waiting})
        return answer

    def _stop(self, tasks: AbstractSet[Task], *, now: bool) -> None:
        """Stop these, which run, with their signal and grace or at once."""
        self._unwanted.update(tasks)
        self._executor.cancel(self._running.handles(tasks), now=now)

    def _leave_out(self, tasks: AbstractSet[Task]) -> None:
        """Do not start these: what needs others of them first, so that it is not said to be blocked."""
        self._queue.drop(tasks)
        for task in (task for task in reversed(self._order) if task in tasks):
            self._others.drop(task)
            self._say(events.TaskCancelled(task.name))
            self._fallout.cancel(task)
        self._conditions.look_again()

    @property
    def interrupted(self) -> bool:
        return self._stopping > 0

    @property
    def failed(self) -> bool:
        return self.states.count(NOTHING) > 0 or bool(self._unlisted)

    @property
    def _winding_down(self) -> bool:
        """Nothing more starts."""
        return self.interrupted or (self._most_failures is not None and self._fallout.broken >= self._most_failures)

    def _goes_on(self) -> bool:
        if self._running or self._conditions:
            return True
        if self._winding_down:
            return False
        return not self._is_idle or self._follows()

    @property
    def _is_idle(self) -> bool:
        """Nothing can be done, unless something that runs or is tested comes to its end."""
        return not (self._ready or self._queue or self._others.awaited)

    def _follows(self) -> bool:
        """The canary is over: whether anything is to come after it."""
        if not self._ready.keeps_back:
            return False
        if any(self.states[task] not in IN_PLACE for task in self._canary):
            self._say(events.Said("the canary did not hold: nothing else is started"))
            return False
        self._say(events.Said("the canary held: all else follows"))
        self._ready.let_in()
        return True

    def _patience(self) -> float:
        """How long to wait for a result, in seconds."""
        if self._ready and not self._winding_down:
            return 0.0
        return POLL

    # --- deciding

    def _decide_ready(self) -> None:
        until = time.monotonic() + SLICE
        while self._ready and not self._winding_down and not self._others.yielding:
            task = self._ready.pop()
            if self.states[task] is State.CANCELLED:
                continue
            try:
                self._decide(task)
            except MlbuildError as error:
                if error.at is None:
                    raise
                self._fail_without_attempt(task, "pipelinefile", str(error))
            except OSError as error:
                self._fail_without_attempt(task, "unreadable", words(error))
            if time.monotonic() > until:
                return

    def _decide(self, task: Task) -> None:
        missing = self._graph.missing.get(task)
        if missing:
            self._say(events.Said(str(missing), task.name))
            self._fallout.block(task, missing.message)
            return
        if self._ready.must_wait(task):
            # Something that was absent is being brought back for another.
            self.states.set(task, State.PENDING)
            return
        if task.is_group:
            self._settle(task, State.FRESH)
            return
        adopted = self._recovery.take(task, lambda: self._inspector.fingerprint(task, self._absent))
        if adopted:
            self._take_over(*adopted)
            return
        facts = self._inspector.facts(task, self._absent)
        decision = decide(facts)
        self._others.decided(task, facts.fingerprint.key)
        stamp = facts.trace.finished if facts.trace else 0.0
        wanted = Wanted(task, facts.fingerprint, decision.edited, stamp, decision.reasons)
        match decision.verdict:
            case Verdict.RUN:
                self._want(wanted, decision)
            case Verdict.ABSENT:
                self._leave_absent(wanted, facts, decision)
            case Verdict.RESTORE:
                assert decision.restore is not None
                self._restore(wanted, decision.restore, decision)
            case Verdict.FRESH:
                self._fresh(wanted, decision)

    def _take_over(self, attempt: Attempt, handle: str) -> None:
        """Watch what a dead build started; stop it, unless it is one of a batch, if this build wants another."""
        self._watch(attempt, handle)
        self._attempts.complete(attempt)
        self._tell_standing()
        if (
            not attempt.job.batch
            and self._inspector.fingerprint(attempt.task, self._absent).key != attempt.fingerprint.key
        ):
            self._executor.cancel([handle])

    def _fresh(self, wanted: Wanted, decision: Decision) -> None:
        if self._taken(wanted, decision):
            self._in_place(wanted.task, State.FRESH, recheck=decision.recheck)

    def _taken(self, wanted: Wanted, decision: Decision) -> bool:
        """Whether what stands in place is on record as what is wanted; if the decision says so, that is done now."""
        if decision.take is not None:
            if not self._claim(wanted):
                return False
            self._attempts.take(wanted.task, wanted.fingerprint, decision.take)
        return True

    def _leave_absent(self, wanted: Wanted, facts: Facts, decision: Decision) -> None:
        if not self._taken(wanted, decision):
            return
        result = decision.take or facts.trace
        assert result is not None
        self._absent.update((output.path, output.digest) for output in result.outputs)
        self._settle(wanted.task, State.ABSENT)

    def _restore(self, wanted: Wanted, action: Action, decision: Decision) -> None:
        task = wanted.task
        if not self._claim(wanted):
            return
        try:
            self._attempts.restore(task, wanted.fingerprint, action, wanted.edited)
        except Damaged as error:
            self._say(events.Said(error.message, task.name))
            self._journal.leases.give_back(task.name)
            self._ready.add(task)
            return
        self._in_place(task, State.RESTORED, recheck=decision.recheck)

    def _in_place(self, task: Task, state: State, *, recheck: bool) -> None:
        """A task need not run, if its conditions hold; they are tested if they have changed."""
        if recheck:
            self._conditions.test(task, lambda problem: self._rechecked(task, state, problem))
            return
        self._say(events.TaskFresh(task.name) if state is State.FRESH else events.TaskRestored(task.name))
        self._settle(task, state)

    def _rechecked(self, task: Task, state: State, problem: str | None) -> None:
        if problem:
            self._fail_without_attempt(task, str(jobs.Reason.CHECK_FAILED), problem)
            return
        self._attempts.checks_held(task)
        self._in_place(task, state, recheck=False)

    def _want(self, wanted: Wanted, decision: Decision) -> None:
        """A task must run: after what it needs and is absent, if anything is."""
        task = wanted.task
        absent = [need for need in self._inspector.lacking(task) if self.states[need] is State.ABSENT]
        for need in absent:
            self._bring_back(need)
        if absent:
            self.states.set(task, State.PENDING)
            return
        expected = self._history.expected(task)
        self._say(events.TaskReady(task.name, decision.reasons, expected))
        self.states.set(task, State.QUEUED)
        self._queue.push(wanted)

    def _bring_back(self, task: Task) -> None:
        """Have something absent made after all; what needs it, and is not decided yet, waits for it again."""
        self._inspector.need(task)
        for path in task.made:
            self._absent.pop(path, None)
        self._ready.await_again(task)

    # --- launching

    def _launch(self) -> None:
        """Start what there is room for."""
        while not self._winding_down and not self._others.yielding:
            wanted = self._queue.pop()
            if wanted is None:
                return
            if together := self._together(wanted):
                self._start(together)

    def _line(self, wanted: Wanted) -> str | None:
        """Where a task must wait so that others need not."""
        most = wanted.task.target.batch
        if most and self._ready and 0 < self._queue.count_kin(wanted) < most:
            return f"more of {wanted.task.target.name}"  # what can be decided now may belong to its batch
        return self._room.line(wanted)

    def _kin(self, wanted: Wanted) -> Kin | None:
        """What the tasks have in common that may be in a batch with this, and its place; None if it starts alone."""
        task = wanted.task
        if task.target.batch is None or self._failures.goes_alone(task):
            return None
        return (task.target.name, *(key.text for key in task.keys[:-1])), self._place(task)

    def _place(self, task: Task) -> int:
        """That of its key in its last partition."""
        return self._graph.partitions[task.target.partitions[-1]].position(task.keys[-1].text) or 0

    def _together(self, wanted: Wanted) -> list[Wanted]:
        """The task with the others of its batch, in the order of their keys; only those that are ours to work on."""
        ours: list[Wanted] = []
        for each in (wanted, *self._queue.pop_kin(wanted, (wanted.task.target.batch or 1) - 1)):
            if self._claim(each):
                ours.append(each)
            elif any(self.states[one.task] is not State.QUEUED for one in ours):
                self._give_back(ours)  # everything is decided again
                return []
        return sorted(ours, key=lambda each: self._place(each.task)) if len(ours) > 1 else ours

    def _give_back(self, together: list[Wanted]) -> None:
        for wanted in together:
            self._journal.leases.give_back(wanted.task.name)

    def _start(self, together: list[Wanted]) -> None:
        attempts = self._make(together)
        if not attempts or not self._open(attempts, together):
            return
        resumed_from = self._tell_what_lies_there(attempts[0])
        handles = self._executor.submit([attempt.job for attempt in attempts])
        self._journal.submitted([(attempt.id, handle) for attempt, handle in zip(attempts, handles, strict=True)])
        for attempt, handle in zip(attempts, handles, strict=True):
            self._watch(attempt, handle, resumed_from)
        self._tell_standing()

    def _make(self, together: list[Wanted]) -> list[Attempt]:
        """The attempts that one run of a recipe is for; none if it can't be had now, or ever."""
        wanted = together[0]
        try:
            if problem := self._room.never(wanted):
                for each in together:
                    self._refuse(each, str(jobs.Reason.NOT_STARTED), problem)
                return []
            return self._attempts.make(together, self._failures.of(wanted.task))
        except (PipelineError, InputChanged) as error:
            if len(together) > 1:
                self._separate(together)
            elif isinstance(error, PipelineError):
                self._refuse(wanted, "pipelinefile", str(error))
            elif self._look_again(wanted.task, str(error)):
                self._give_back(together)
            else:
                self._refuse(wanted, str(jobs.Reason.INPUT_CHANGED), str(error))
            return []

    def _open(self, attempts: list[Attempt], together: list[Wanted]) -> bool:
        """Have all ready for the attempts; if that can't be, nothing is left of them."""
        refused = self._attempts.open_all(attempts)
        if refused and len(together) > 1:
            self._separate(together)
        elif refused:
            self._fail(attempts[0], refused[0])
        return not refused

    def _separate(self, together: list[Wanted]) -> None:
        """They could not be started in one batch: each is tried alone."""
        self._give_back(together)
        for wanted in together:
            self._failures.suspect(wanted.task)
            self._queue.push(wanted)

    def _tell_what_lies_there(self, attempt: Attempt) -> str:
        """What an attempt finds among its checkpoints, where that is worth a word; the one that it goes on from."""
        job, resume, name = attempt.job, attempt.resume, attempt.task.name
        if resume is None:
            return ""
        lies = lying_for(job, resume, self._inspector, self._journal)
        if lies and not lies.resume_from:
            self._say(events.TaskBegunAnew(name, lies.directory, lies.differs))
        found, place = checkpoints.foreign(job)
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            self._say(events.Said(f"{found[0]}{more} is set aside in {place}: it is no checkpoint", name))
        return lies.resume_from if lies else ""

    def _refuse(self, wanted: Wanted, reason: str, problem: str) -> None:
        self._journal.leases.give_back(wanted.task.name)
        self._fail_without_attempt(wanted.task, reason, problem)

    def _watch(self, attempt: Attempt, handle: str, resumed_from: str = "") -> None:
        self._running.add(attempt, handle, self._attempts.progress(attempt), resumed_from)
        self.states.set(attempt.task, State.RUNNING)

    def _tell_standing(self) -> None:
        """Say which of the attempts that were submitted run now, and why others wait."""
        self._stand(self._executor.standing())

    def _stand(self, standings: Sequence[Waits | Began]) -> None:
        """So these stand now, those among them that were not known to have begun."""
        news = [one for one in standings if self._running.waits(one.attempt)]
        elsewhere = {one.attempt: kept for one in news if (kept := as_kept(one)) != HERE}
        if elsewhere:
            self._journal.stand(elsewhere)
        waiting = []
        for one in news:
            if isinstance(one, Began):
                self._say(told.started(*self._running.begin(one.attempt), one))
            else:
                waiting.append((self._running.attempt(one.attempt), one))
        for event in told.queued(waiting):
            self._say(event)

    # --- other builds

    def _claim(self, wanted: Wanted) -> bool:
        """Whether the task is ours to work on; if not, it waits, or is decided again."""
        match self._others.claim(wanted):
            case Claim.OURS:
                return True
            case Claim.WAITING:
                self.states.set(wanted.task, State.WAITING)
            case Claim.MADE:
                self._ready.add(wanted.task)
            case Claim.ORPHANED:
                self._start_over()
        return False

    def _start_over(self) -> None:
        """Decide everything again but what runs and what has failed: the world has changed."""
        self._recovery.look_again()
        self._inspector.look_again()
        self._queue.clear()
        self._others.forget()
        self._absent.clear()
        self._temporaries.start_over()
        gone = set(self.states.within(*NOTHING))
        self._ready.start_over(gone, kept=gone.union(self.states.within(*ACTIVE)))

    # --- keys that were not known

    def _learn(self, task: Task) -> None:
        """What lists keys is in place: the build goes on with the tasks that there are by them."""
        reach("listed")
        assumed = self._graph.listed()
        try:
            changes = self._graph.learn(task)
            if changes is None:
                return
            course = self._replan()
        except MlbuildError as error:
            self._graph.forget(task, assumed)
            self._refuse_list(task, error)
            return
        self._follow(task, course)
        for name, (new, gone) in changes.items():
            keys = len(self._graph.partitions[name])
            self._say(events.KeysListed(task.name, name, keys, new, gone, len(self._order)))

    def _refuse_list(self, task: Task, error: MlbuildError) -> None:
        """Nothing that hangs on the keys which a task lists can be made; all else goes on."""
        if task not in self._unlisted:
            self._say(events.Said(str(error), task.name))
            self._fallout.broken += 1
        self._unlisted.add(task)
        by = " and ".join(f"the keys of `{keys.partition.name}`" for keys in self._graph.lists(task))
        for consumer in self._consumers[task]:
            if self.states[consumer] is State.PENDING and task in self._graph.listers(consumer):
                self._fallout.block(consumer, by)

    def _follow(self, lister: Task, course: Course) -> None:
        """Go on with another course: what hangs on what a task has listed is decided, and what is no more is dropped;
        all else stays as it is."""
        order = merged(self._order, course.order, self.states)
        hanging = set(downstream(course.order, [lister]))
        again = {task for task in order if task not in self.states or (task in hanging and not self._is_kept(task))}
        dropped = {task for task in self._order if task not in order or task in again}
        self._queue.drop(dropped)
        for task in dropped:
            self._others.drop(task)
            if self.states[task] in (State.QUEUED, State.WAITING) and task not in order:
                self._say(events.TaskCancelled(task.name))
        self._order.clear()
        self._order.update(order)
        self.states.follow(order)
        self._history.follow(order, course.in_turn)
        self._inspector.want(course.goals, course.forced)
        self._canary = course.canary
        self._ready.follow(again, course.canary)
        self._recovery.look_again()
        for task in order:
            if task in again and self.states[task] is State.PENDING:
                self._block_if_in_vain(task)
        self._ready.let_go()
        self._drop_temporary(self._temporaries.follow(self._inspector.goals))

    def _is_kept(self, task: Task) -> bool:
        return self.states[task] in ACTIVE or self.states[task] in NOTHING

    def _block_if_in_vain(self, task: Task) -> None:
        """Block a task if nothing will come of something that it needs."""
        for need in self._order[task]:
            if self.states[need] in NOTHING and not self._graph.may_lack(task, need):
                self._fallout.block(task, need.name)
                return

    # --- results

    def _take_in(self, result: JobResult) -> None:
        if result.started:  # it was over before anybody saw it run
            self._stand([Began(result.attempt, result.started, result.node)])
        known = self._running.pop(result.attempt)
        if known is None:
            return
        attempt, reports = known
        for event in reports:
            self._say(event)
        if result.overlooked:
            self._say(told.overlooked(attempt, result))
        if result.ok and (change := self._changed(attempt, result)):
            result = replace(result, reason=jobs.Reason.INPUT_CHANGED, detail=change)
        if result.ok:
            self._unwanted.discard(attempt.task)  # it was faster
            self._conditions.test(attempt.task, lambda problem: self._conclude(attempt, result, problem))
        elif result.reason is jobs.Reason.INPUT_CHANGED and attempt.task not in self._unwanted:
            self._attempts.abandon(attempt, result)
            if not self._look_again(attempt.task, result.detail):
                self._fail(attempt, result)
        else:
            self._failed(attempt, self._attempts.abandon(attempt, result))

    def _changed(self, attempt: Attempt, result: JobResult) -> str:
        """What that went into a result is not as it was decided by, beyond what the node saw to; in words."""
        task, fingerprint = attempt.task, attempt.fingerprint
        for path, digest in result.found.items():
            if fingerprint.parts.get(f"input {path}") != digest:
                return f"{path} has changed"
        edited = self._inspector.changed_code(task, fingerprint, result.edited)
        return edited or self._inspector.changed_remotely(task, fingerprint)

    def _conclude(self, attempt: Attempt, result: JobResult, problem: str | None) -> None:
        """The recipe went well; record what it made, if its conditions hold."""
        task = attempt.task
        if problem is None:
            try:
                self._attempts.commit(attempt, result)
            except Damaged as error:
                problem = error.message
        if problem is not None:
            result = replace(result, reason=jobs.Reason.CHECK_FAILED, detail=problem)
            self._attempts.abandon(attempt, result)
            self._fail(attempt, result)
            return
        self._inspector.has_run(task)
        self._built.add(task)
        self._say(told.finished(attempt, result))
        if attempt.adopted:
            # It was started for another build: whether it is what this one wants is decided now.
            self._ready.reopen(task)
        else:
            self._settle(task, State.BUILT)

    def _look_again(self, task: Task, change: str) -> bool:
        """Decide everything again since an input of this task has changed; False if that happens too often."""
        self._changes[task] = self._changes.get(task, 0) + 1
        if self._changes[task] >= MOST_CHANGES:
            return False
        self._say(events.Said(f"is decided again: {change}", task.name))
        self.states.set(task, State.PENDING)
        self._inspector.forget_remotes()
        self._start_over()
        return True

    def _failed(self, attempt: Attempt, result: JobResult) -> None:
        """An attempt came to nothing: is there another?"""
        task = attempt.task
        if task in self._unwanted or (self.interrupted and result.reason is jobs.Reason.CANCELLED):
            self._cancelled(task, result)
            return
        if result.reason is jobs.Reason.CANCELLED:  # stopped since nobody wanted it
            self._ready.reopen(task)
            return
        if attempt.adopted and result.ended < self._began:  # before this build was asked for
            self._say(told.failed_before(attempt, result))
            self._ready.reopen(task)
            return
        if result.resumed_from and not result.saved and result.checkpoint != result.resumed_from:
            anew = "" if result.checkpoint else "; none is left, and the next attempt begins anew"
            why = f"this attempt failed from it and left no new one{anew}"
            self._say(events.Said(f"{result.resumed_from} is passed over from now on: {why}", task.name))
        if attempt.job.batch and result.reason is not jobs.Reason.MISSING_OUTPUT:
            self._batch_failed(attempt, result)
            return
        another = self._failures.after(task, result)
        if another is None or (self._winding_down and not another.free):
            self._fail(attempt, result)
            return
        self._say(told.followed(attempt, result, another))
        if self._winding_down:
            self._cancelled(task, result)
            return
        self._queue_again(attempt, another.delay)

    def _batch_failed(self, attempt: Attempt, result: JobResult) -> None:
        """That an attempt came to nothing may be the fault of another one of its batch: it is tried again alone."""
        if attempt.job.run not in self._failed_batches:
            self._failed_batches.add(attempt.job.run)
            log, _ = self._attempts.log_tail(attempt)
            self._say(told.batch_failed(attempt, self._running.beside(attempt), result, log))
        if self._winding_down:
            self._cancelled(attempt.task, result)
            return
        self._failures.suspect(attempt.task)
        self._queue_again(attempt, 0.0)

    def _queue_again(self, attempt: Attempt, delay: float) -> None:
        task = attempt.task
        self.states.set(task, State.QUEUED)
        wanted = Wanted(task, attempt.fingerprint, attempt.edited, self._stamp(task), attempt.reasons)
        self._queue.push_later(wanted, delay)

    def _cancelled(self, task: Task, result: JobResult) -> None:
        self._say(events.TaskCancelled(task.name, result.checkpoint))
        if task in self._unwanted:
            self._fallout.cancel(task)
            self._conditions.look_again()
        else:
            self.states.set(task, State.CANCELLED)

    def _stamp(self, task: Task) -> float:
        trace = self._inspector.trace(task)
        return trace.finished if trace else 0.0

    def _fail(self, attempt: Attempt, result: JobResult) -> None:
        self._say(told.failed(attempt, result, self._attempts.log_tail(attempt)))
        self._fallout.fail(attempt.task)
        self._conditions.look_again()

    def _fail_without_attempt(self, task: Task, reason: str, problem: str) -> None:
        self._say(events.TaskFailed(task.name, 0, reason, problem, "", "", (), 0))
        self._fallout.fail(task)
        self._conditions.look_again()

    def _settle(self, task: Task, state: State) -> None:
        """A task is in place: what needs only it can be decided."""
        self.states.set(task, State.BUILT if task in self._built else state)
        if self._graph.lists(task):
            self._learn(task)
        for consumer in self._consumers[task]:
            self._ready.over(task, consumer)
        if state is not State.ABSENT:
            self._drop_temporary(self._temporaries.over(task))
        self._conditions.look_again()

    def _drop_temporary(self, tasks: Iterable[Task]) -> None:
        """Remove what nothing in this build needs any more."""
        for task in tasks:
            self._attempts.drop_temporary(task, self._consumers[task])
            self._inspector.release(task)
