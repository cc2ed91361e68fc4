"""A job of a second on each executor of a cluster: does it start, does its node see us, do we see what it writes?

The jobs go the way of all jobs, through the executor itself. Blind to what else is known of the site.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from mlbuild.executors.folder import OUTPUT, JobFolder
from mlbuild.executors.job import Began, Job, JobResult, Reason, Waits
from mlbuild.executors.slurm.executor import SlurmExecutor
from mlbuild.executors.slurm.script import Site

RECIPE = """\
import json, platform, shutil, subprocess
shown = None
if shutil.which("nvidia-smi"):
    told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    shown = sum(line.startswith("GPU ") for line in told.splitlines())
print(json.dumps({"python": platform.python_version(), "shown": shown}))
"""
UNSEEN = "None"
"""What Slurm gives for a reason as long as it has not looked at a job."""
LONGEST = 60.0
"""Seconds that such a job may run."""
LISTEN = 0.2
"""Seconds for which results are waited for at a time."""
QUIET = 5.0
"""Seconds for which nothing is said of a job that waits."""
TO_END = 20.0
"""Seconds for which jobs that are stopped are waited for."""
TO_VANISH = 10.0
"""Seconds in which a node closes what it still has open in a folder that is removed."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How it went; times in seconds.

    Attributes:
        waited: until it began, as far as was seen from here; None: it did not.
        python: the version of the interpreter that its node has at the path of ours.
        asked: for how many GPUs it asked.
        gpus: those that it was lent.
        shown: how many GPUs the driver shows on the node; None: nobody tells.
        delay: after which its result was seen here.
        waits: why it still waited when it was given up.
        problem: what went wrong otherwise; empty if nothing did.
    """

    waited: float | None = None
    node: str = ""
    python: str = ""
    asked: int = 0
    gpus: tuple[str, ...] = ()
    shown: int | None = None
    delay: float | None = None
    waits: Waits | None = None
    problem: str = ""


class Trials:
    """One job on each executor, all at once.

    Args:
        folder: where the jobs get their folders; it is made, and is gone in the end.
        workspace: absolute.
        sites: what each executor says, by name.
        gpus: how many each asks for.
        say: is told what there is to say meanwhile.
    """

    def __init__(
        self,
        folder: str,
        workspace: str,
        sites: Mapping[str, Site],
        gpus: Mapping[str, int],
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._executor = SlurmExecutor(folder, sites, {})
        self._jobs = {
            f"test-{number}": Job(
                attempt=f"test-{number}",
                task=f"the test of {name}",
                workspace=workspace,
                recipe=RECIPE,
                kind="python",
                log=os.path.join(folder, f"{number}.log"),
                timeout=LONGEST,
                gpus=gpus[name],
                executor=name,
            )
            for number, name in enumerate(sites)
        }
        self._tried = {attempt: Tried(asked=job.gpus) for attempt, job in self._jobs.items()}
        self._given_up: set[str] = set()
        self._said: set[tuple[str, str]] = set()
        self._say = say
        self._submitted = 0.0

    def run(self, longest: float) -> dict[str, Tried]:
        """How each went, by the name of the executor. What is interrupted leaves nothing behind either.

        Args:
            longest: seconds after which what has not begun is not waited for any more.

        Raises:
            OSError: nothing can be written there.
        """
        os.makedirs(self._folder)
        self._submitted = time.monotonic()
        handles = dict(zip(self._jobs, self._executor.submit([*self._jobs.values()]), strict=True))
        left = {*self._jobs}
        try:
            while left and self._elapsed < longest + 2 * TO_END + (0 if left <= self._given_up else LONGEST):
                left -= self._listen()
                if late := {each for each in left if self._is_late(each, longest)} - self._given_up:
                    self._given_up |= late
                    self._executor.cancel([handles[each] for each in late])
            for attempt in left - self._given_up:
                self._update(attempt, problem="nothing is heard of it any more")
            return {job.executor: self._tried[attempt] for attempt, job in self._jobs.items()}
        finally:
            try:
                self._withdraw(left, handles)
            finally:
                _remove(self._folder)

    def _withdraw(self, left: set[str], handles: Mapping[str, str]) -> None:
        """Have nothing left in Slurm, as far as it answers. What it was just given it is told about again."""
        until = time.monotonic() + TO_END
        while left and time.monotonic() < until:
            self._executor.cancel([handles[each] for each in left], now=True)
            left -= {result.attempt for result in self._executor.finished(1.0)}
        self._executor.close()

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._submitted

    def _waits(self, attempt: str) -> bool:
        return self._tried[attempt].waited is None

    def _is_late(self, attempt: str, longest: float) -> bool:
        """Whether it has waited for too long. That Slurm says why it does is waited for a little longer."""
        waits = self._tried[attempt].waits
        is_told = waits is not None and waits.reason not in ("", UNSEEN)
        return self._waits(attempt) and self._elapsed > longest + (0 if is_told else TO_END)

    def _update(self, attempt: str, **changes: object) -> None:
        self._tried[attempt] = replace(self._tried[attempt], **changes)  # type: ignore[arg-type]

    def _listen(self) -> set[str]:
        """Take in what has happened: those that have ended."""
        results = self._executor.finished(LISTEN)
        for standing in self._executor.standing():
            if isinstance(standing, Began):
                self._update(standing.attempt, waited=self._elapsed, node=standing.node, gpus=standing.gpus)
            else:
                self._update(standing.attempt, waits=standing)
        for result in results:
            self._end(result)
        for word in self._news():
            self._say(word)
        return {result.attempt for result in results}

    def _news(self) -> Iterator[str]:
        yield from self._executor.news()
        for attempt, tried in self._tried.items():
            if not (self._waits(attempt) and tried.waits and tried.waits.reason and self._elapsed > QUIET):
                continue
            if (attempt, tried.waits.reason) not in self._said:
                self._said.add((attempt, tried.waits.reason))
                yield f"{self._jobs[attempt].task} waits in Slurm: {tried.waits.why}"

    def _end(self, result: JobResult) -> None:
        attempt, place = result.attempt, JobFolder(os.path.join(self._folder, result.attempt))
        if result.reason is Reason.CANCELLED and attempt in self._given_up:
            return
        if (begun := place.claimant()) and self._waits(attempt):  # it was over before anybody told that it had begun
            self._update(attempt, waited=self._elapsed, node=begun.node, gpus=begun.gpus)
        if result.ok:
            self._update(attempt, delay=place.age(attempt), **self._told(attempt))
        elif result.reason is Reason.NOT_STARTED:
            self._update(attempt, problem=_with_last_word(result.detail.partition("; see ")[0], place.at(OUTPUT)))
        else:
            how = f"{result.reason.replace('_', ' ')}: {result.detail}" if result.detail else str(result.reason)
            self._update(attempt, problem=_with_last_word(how, self._jobs[attempt].log))

    def _told(self, attempt: str) -> dict[str, object]:
        """What the job says of its node."""
        with contextlib.suppress(OSError, ValueError), open(self._jobs[attempt].log, encoding="utf-8") as file:
            return dict(json.loads(file.read()))
        return {}


def _with_last_word(text: str, path: str) -> str:
    """What went wrong, with what was said last in a file if that is more."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in file if line.strip() and line.strip() not in text]
        return f"{text} ({lines[-1]})" if lines else text
    return text


def _remove(folder: str) -> None:
    """Remove it with all in it, though nodes may still write there for a moment."""
    until = time.monotonic() + TO_VANISH
    while os.path.lexists(folder) and time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(LISTEN if os.path.lexists(folder) else 0)
