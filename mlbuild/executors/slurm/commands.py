"""Slurm's commands, and what their answers say. An answer that is none is told from one that says nothing.

Blind to what is done about it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

FORMAT = "%i|%T|%r|%S|%N|%j"
HEADER = "JOBID|"
ENDED = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)
"""States in which a job is over."""
AGAIN = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"})
"""States in which a job is still, or again, to start."""
WAITING = {
    "Resources": "for nodes that are free",
    "Priority": "others come first",
    "Dependency": "it comes behind others",
    "BeginTime": "its time has not come",
    "ReqNodeNotAvail": "nodes that it needs are down, or kept for others",
    "Nodes required for job are DOWN": "nodes that it needs are down, or kept for others",
    "PartitionDown": "its queue is closed",
    "PartitionInactive": "its queue is closed",
    "PartitionTimeLimit": "it asks for more time than its queue allows",
    "PartitionNodeLimit": "it asks for more nodes than its queue allows",
    "JobHeldUser": "somebody holds it back (`scontrol release` lets it go)",
    "JobHeldAdmin": "an administrator holds it back",
    "Licenses": "for licenses",
    "Reservation": "its reservation has not begun",
    "JobArrayTaskLimit": "as many of its array run as may at once",
    "BadConstraints": "no node has what it asks for",
    "InvalidAccount": "its account may not be used",
    "InvalidQOS": "its qos may not be used",
    "AccountNotAllowed": "its queue is not open to its account",
    "QOSNotAllowed": "its queue is not open to its qos",
}
"""Slurm's reasons for which a job is still to start, in words, but for limits. Those that aren't here say enough."""
REFUSALS = (
    ("partition name", "`queue` is none that it has"),
    ("account", "its `account` or `queue` is not open to you"),
    ("qos", "its `qos` is not open to you"),
    ("feature", "no node has what `constraint` says"),
    ("node configuration", "no node of its queue has all that it asks for"),
    ("memory specification", "no node of its queue has so much memory"),
    ("time limit", "its queue allows no job of that length: see `time`, and `timeout:`"),
    ("node name", "`exclude`, or one of `options`, names a node that there isn't"),
    ("option", "one of `options` is none that it knows"),
    ("license", "it has no such license"),
)
"""What stands in a word of `sbatch` that refuses a job, and what that means in the words of an executor."""
UNSURE = (
    "timed out",
    "timeout",
    "unable to contact",
    "connect failure",
    "connection refused",
    "zero bytes were transmitted",
    "unexpected message received",
    "communications",
    "temporarily",
    "try again",
    "not responding",
    "backup",
)
"""What stands in a word of `sbatch` that says nothing about the job: it may have been taken."""
WAIT = 10.0
"""Seconds for which an answer is waited for that tells more, but without which one can go on."""
LOOK_EVERY = 0.1
"""Seconds between two looks at whether steps that were killed are gone."""
ASK_FOR = 60.0
"""Seconds after which a command is not waited for any more."""
ACCOUNTING = 15.0
"""Seconds after which accounting is not waited for any more."""
TO_DIE = 1.0
"""Seconds for which a command that was killed is waited for."""
MOST = 1000
"""How many jobs a command is told at most, and how large an array is: as Slurm is delivered."""


@dataclass(frozen=True, slots=True)
class Row:
    """A job as `squeue` tells of it. `starts` is when it began or is expected to, in epoch seconds, None if Slurm does
    not know; `node` is empty if it never had one."""

    id: str
    state: str
    reason: str
    starts: float | None
    node: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said. `status` is None if it was given up."""

    status: int | None
    out: str
    err: str

    @property
    def is_unsure(self) -> bool:
        """Whether it says nothing, since Slurm could not be reached."""
        return self.status is None or any(word in self.err.lower() for word in UNSURE)

    @property
    def is_refusal(self) -> bool:
        """Whether it says in Slurm's words why not; else it may have come to nothing after Slurm had done it."""
        return "error:" in self.err

    @property
    def word(self) -> str:
        """Its last word, for people."""
        if self.status is None:
            return "it gave no answer"
        lines = [line for line in self.err.splitlines() if line.strip() and not line.startswith("Try ")]
        return lines[-1].partition("error: ")[2] or lines[-1] if lines else f"exit status {self.status}"


class Command:
    """A command that is at work, in a session of its own: what ends this process by the terminal doesn't end it.

    Args:
        longest: seconds after which it is given up; None: as long as all.
        keep: variables that count, of those that give it options.
    """

    def __init__(self, arguments: Sequence[str], longest: float | None = None, keep: Sequence[str] = ()) -> None:
        # Most builds ask Slurm nothing, and then nothing of this is loaded.
        import subprocess
        import tempfile

        self.began = time.monotonic()
        self._longest = ASK_FOR if longest is None else longest
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self._problem = ""
        try:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=self._err,
                env=environment(keep),
                start_new_session=True,
            )
        except FileNotFoundError:
            self._process, self._problem = None, f"error: there is no `{arguments[0]}` here"
        except OSError as error:
            self._process, self._problem = None, f"error: `{arguments[0]}` can't be run: {error.strerror}"

    def answer(self, wait: float = 0.0) -> Answer | None:
        """What it said, after waiting for it at most so many seconds; None while it is still at work."""
        import subprocess

        if self._process is None:
            return self._close(127, self._problem)
        try:
            return self._close(self._process.wait(wait))
        except subprocess.TimeoutExpired:
            if time.monotonic() - self.began < self._longest:
                return None
        self.give_up()
        return self._close(None)

    def give_up(self) -> None:
        """End it: nobody wants to know any more."""
        import subprocess

        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in the kernel
                self._process.wait(TO_DIE)

    def _close(self, status: int | None, problem: str = "") -> Answer:
        self._out.seek(0)
        self._err.seek(0)
        with self._out, self._err:
            out, err = (file.read().decode(errors="replace") for file in (self._out, self._err))
        return Answer(status, out, problem or err)


class Orders:
    """Commands whose answers nobody waits for. What is false has none at work."""

    def __init__(self) -> None:
        self._given: list[Command] = []

    def __bool__(self) -> bool:
        return bool(self._given)

    def give(self, options: Sequence[str], ids: Sequence[str]) -> None:
        """Have Slurm do this to jobs, if any of them has an id. If it doesn't, they find it in their folders."""
        ids = [id for id in ids if id]
        for at in range(0, len(ids), MOST):
            self._given.append(Command([*options, *ids[at : at + MOST]]))

    def go_on(self) -> None:
        self._given = [order for order in self._given if order.answer() is None]

    def close(self) -> None:
        """Give up what is still at work."""
        for order in self._given:
            order.give_up()


def environment(keep: Sequence[str] = ()) -> dict[str, str]:
    """Ours, without what is about the job that we may be in ourselves, or gives commands options that they are given.

    Args:
        keep: variables that stay all the same.
    """
    kept = ("SLURM_CONF", *keep)
    own = ("SLURM_", "SLURMD_", "SBATCH_", "SQUEUE_", "SINFO_", "SACCT_", "SCANCEL_")
    return {name: value for name, value in os.environ.items() if name in kept or not name.startswith(own)}


def queue() -> Command:
    """Ask for all of this user's jobs, also those that have ended of late."""
    return Command(["squeue", f"--user={os.getuid()}", "--states=all", "--array", f"--format={FORMAT}"])


def steps(job: str) -> list[str]:
    """What `srun` has started in a job and goes on, by its ids; none as well if Slurm doesn't tell."""
    answer = Command(["squeue", "--noheader", "--steps", f"--jobs={job}", "--format=%i"], WAIT).answer(WAIT)
    return [id for id in answer.out.split() if id.rpartition(".")[2].isdigit()] if answer else []


def end_steps(job: str) -> None:
    """End what `srun` has started in a job, on whatever node: of a killed `srun` it goes on by itself."""
    until = time.monotonic() + WAIT
    while (found := steps(job)) and time.monotonic() < until:
        Command(["scancel", "--quiet", "--signal=KILL", *found], WAIT).answer(WAIT)
        time.sleep(LOOK_EVERY)


def rows(answer: Answer) -> list[Row] | None:
    """The jobs that `squeue` tells of; None if it told nothing: without its heading an answer is none."""
    head, _, body = answer.out.partition("\n")
    if answer.status != 0 or not head.startswith(HEADER):
        return None
    return [
        Row(id, state, reason, _moment(starts), node, name)
        for id, state, reason, starts, node, name in _fields(body, len(FORMAT.split("|")))
    ]


def _moment(text: str) -> float | None:
    """Epoch seconds of what Slurm says by the clock on the wall; None where it says N/A."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def accounting(id: str) -> Command:
    """Ask for a job and its steps, or for all of an array, whatever became of them."""
    options = ("--noheader", "--parsable2", "--units=K", "--format=JobID,JobName,State,ReqMem,MaxRSS")
    return Command(["sacct", *options, f"--jobs={id}"], ACCOUNTING)


def accounted(answer: Answer) -> dict[str, str]:
    """The states in which jobs ended, by id and name; of `CANCELLED by 1000` the first word.

    Where Slurm has no control groups it may end by itself what holds more memory than was asked for, and calls that
    FAILED (22.05). What a step held tells it from what somebody else killed.
    """
    states: dict[str, str] = {}
    names: dict[str, str] = {}
    asked: dict[str, int] = {}
    for id, name, told, memory, held in _fields(answer.out, 5):
        job, _, step = id.partition(".")
        state = told.partition(" ")[0]
        if not step and state in ENDED:
            names[job], states[job], asked[job] = name, state, _kibibytes(memory)
        elif states.get(job) == "FAILED" and _kibibytes(held) > asked[job] > 0:
            states[job] = "OUT_OF_MEMORY"
    return {f"{job} {names[job]}": state for job, state in states.items()}


def _kibibytes(text: str) -> int:
    """Of `102400K`, or as it was before 21.08, `102400Kn`; 0 where Slurm tells nothing."""
    match = re.fullmatch(r"(\d+)K?n?", text)
    return int(match[1]) if match else 0


def _fields(text: str, count: int) -> Iterator[list[str]]:
    for line in text.splitlines():
        fields = line.split("|", count - 1)
        if len(fields) == count:
            yield fields
