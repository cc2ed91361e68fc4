"""A build that does not wait: what must run is submitted all at once, each task behind those that it needs.

Whichever build comes next takes in the results. Blind to how an executor keeps an order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial

from mlbuild.engine import events, told
from mlbuild.engine.attempts import Attempt, Behind, InputChanged
from mlbuild.engine.chain import Chain
from mlbuild.engine.decide import Decision, Reason, Verdict, decide
from mlbuild.engine.others import POLL, Claim
from mlbuild.engine.queue import Wanted
from mlbuild.engine.refusals import refusal
from mlbuild.engine.scheduler import Scheduler
from mlbuild.engine.states import OVER, State
from mlbuild.errors import StateError
from mlbuild.executors.job import JobResult
from mlbuild.graph.task import Task
from mlbuild.state.fingerprint import UNKNOWN

AGAIN = "submit it again"


class Submission(Scheduler):
    """Has tasks submitted."""

    waits = False

    def run(self) -> None:
        """Decide what can be decided, and submit all that must run, or nothing.

        Raises MlbuildError for what can't be submitted so.
        """
        self._decide_all()
        if self._winding_down:
            self._give_up_the_rest()
            return
        chain = Chain(self._graph, self._order)
        for task in self._order:
            if not task.is_group and self.states[task] not in OVER:
                self._add(chain, task)
        self._queue.clear()
        if refused := self._attempts.open_all(chain.attempts):
            raise StateError(f"nothing was submitted: {refused[0].detail}")
        handles = self._executor.submit([attempt.job for attempt in chain.attempts])
        self._journal.submitted([(each.id, handle) for each, handle in zip(chain.attempts, handles, strict=True)])
        for attempt, handle in zip(chain.attempts, handles, strict=True):
            self._watch(attempt, handle)
            self._say(told.submitted(attempt, chain.behind(attempt.task)))
        self._journal.leave(self.left)

    @property
    def left(self) -> dict[str, int]:
        """How many attempts are left to what runs them, if any: `submitted` now, or `going_on` from before."""
        return dict(Counter("going_on" if each.adopted else "submitted" for each in self._running.attempts()))

    def _decide_all(self) -> None:
        """Decide what does not wait for what must run; what has ended of earlier builds is taken in."""
        while not self._winding_down:
            self._decide_ready()
            outdated = [each for each in self._running.attempts() if self._is_outdated(each)]
            results = self._executor.finished(POLL if outdated else 0)
            for result in results:
                self._take_in(result)
            self._conditions.test_now()
            if not (self._ready or outdated or results or self._bring_back_all()):
                return

    def _is_outdated(self, attempt: Attempt) -> bool:
        """Whether it was for something else, and so is being stopped."""
        return self._inspector.fingerprint(attempt.task, self._absent).key != attempt.fingerprint.key

    def _bring_back_all(self) -> bool:
        """Have made what is absent and what must run reads; whether there was anything."""
        waiting = [task for task in self.states.within(State.PENDING) if not task.is_group]
        lacking = dict.fromkeys(need for task in waiting for need in self._inspector.lacking(task))
        absent = [need for need in lacking if self.states[need] is State.ABSENT]
        for need in absent:
            self._bring_back(need)
        return bool(absent)

    def _add(self, chain: Chain, task: Task) -> None:
        """Put a task to those that are submitted, unless an attempt at it goes on."""
        behind = chain.behind(task)
        to_come = (path for each in behind.tasks for path in each.made)
        planned = {**self._absent, **dict.fromkeys((*to_come, *behind.makers), UNKNOWN)}
        if self.states[task] is not State.RUNNING:
            now = partial(self._inspector.fingerprint, task, planned)
            if adopted := self._recovery.take(task, now, behind.makers.values()):
                self._watch(*adopted)
        if self.states[task] is State.RUNNING:
            attempt = self._running.of(task)
            where = self._graph.pipeline.executors.get(attempt.job.executor)
            if where and where.kind == "local":
                raise StateError(f"{task.name} is at work on this machine", hint="submit the rest once it has ended")
            chain.add(task, attempt.id)
            return
        if behind.makers:
            self._verify(task, behind)
        facts = self._inspector.facts(task, planned)
        decision = decide(facts)
        if decision.verdict in (Verdict.FRESH, Verdict.ABSENT):  # it only comes after something
            self.states.set(task, State.FRESH if decision.verdict is Verdict.FRESH else State.ABSENT)
            return
        if absent := [need for need in self._inspector.lacking(task) if self.states[need] is State.ABSENT]:
            for need in absent:
                self._inspector.need(need)
                self.states.set(need, State.PENDING)
                self._add(chain, need)
            self._add(chain, task)
            return
        self._verify(task, behind)
        wanted = Wanted(task, facts.fingerprint, decision.edited, self._stamp(task), _reasons(decision, behind))
        if self.states[task] is State.PENDING:
            self._say(events.TaskReady(task.name, wanted.reasons, self._history.expected(task)))
        self._others.decided(task, facts.fingerprint.key)
        if self._others.claim(wanted) is not Claim.OURS:
            raise StateError(f"another build has just been at work on {task.name}", hint=AGAIN)
        try:
            (attempt,) = self._attempts.make([wanted], behind=behind)
        except InputChanged as error:
            raise StateError(f"{task.name}: {error}", hint=AGAIN) from None
        chain.attempts.append(attempt)
        chain.add(task, attempt.id)

    def _verify(self, task: Task, behind: Behind) -> None:
        """Raises PipelineError if a task that must run can't be submitted."""
        problem = refusal(task, behind, self._graph, self._attempts.executor(task))
        if problem:
            raise problem

    def sent(self, refused: Iterable[JobResult]) -> None:
        """All was given to what runs it, but for what that did not take. What was taken is stopped if this build was
        interrupted meanwhile."""
        for result in refused:
            if known := self._running.pop(result.attempt):
                attempt, _ = known
                self._attempts.abandon(attempt, result)
                if self.states[attempt.task] is not State.BLOCKED:
                    self._fail(attempt, result)
        if self.interrupted:
            super().run()


def _reasons(decision: Decision, behind: Behind) -> tuple[Reason, ...]:
    own = (reason for reason in decision.reasons if reason.new != UNKNOWN)
    return (*own, *(Reason("upstream", each.name) for each in behind.tasks))
