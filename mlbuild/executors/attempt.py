"""One attempt at a job, on whatever node it is: what it reads, its processes from a gate to the last straggler, its
clock and signals, what it made.

Blind to other attempts, to who asked and where results are kept, and to processes that leave their session (`setsid`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from io import FileIO

from mlbuild import digest
from mlbuild.executors import observed, processes, stacks
from mlbuild.executors.job import Job, JobResult, Made, Read, Reason

MARK = "MLBUILD_JOB"
"""The variable by which a process tells whose it is: attempt and workspace, as `mark` writes them."""
BASH = "bash", "-euo", "pipefail"
GATE = "read -r -u 3 _ || exit 125; exec 3<&-; "
"""Goes before a recipe, on its first line, so that bash numbers its lines right. If whoever holds the gate dies, the
recipe never begins. (A process that waits and then becomes bash would cost half a millisecond, or a fork one.)"""
MAX_TEXT = 120_000
"""Bytes of recipe on the command line; Linux takes 131,072 for one argument, gate and closing zero included."""
READ_PYTHON = "exec(compile(open(4, 'rb').read(), '<recipe>', 'exec'))"
LIGHT_BYTES, LIGHT_PATHS, LIGHT_NOTES = 1 << 20, 100, 1 << 16


def hold_signals() -> None:
    """Have this process pass over all signals but KILL and STOP, and the recipes that it starts ignore none."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


class Attempt:
    """A recipe in a session of its own. It waits at a gate until `release`, and is over when `settle` says so.

    `fd` becomes readable when it is time to call `settle`; `alarm` is when to call `ring`, in `time.monotonic` seconds.

    Args:
        job: what to run; this process must have changed to its workspace.
        environment: what the recipe starts from; the job's own variables are added.

    Raises:
        OSError: it can't be started: no shell, no log file, no more processes to be had.
    """

    def __init__(self, job: Job, environment: dict[str, str]) -> None:
        self.job = job
        self.alarm: float | None = None
        self._started = 0.0
        self._stopped: Reason | None = None
        self._why = ""
        self._ending = False
        self.has_ended = False
        """Its leader has, though there may be stragglers."""
        reader, writer = os.pipe()
        self._gate = open(writer, "wb", buffering=0)
        first = processes.now()
        with open(reader, "rb", buffering=0) as gate, open_log(job) as log:
            own = stacks.environment(job, observed.environment(job, {**environment, **job.environment}))
            self.pid = spawn(job, {**own, MARK: mark(job.attempt, job.workspace)}, log, gate)
        self.born = first, processes.now()
        self.fd = os.pidfd_open(self.pid)

    def release(self) -> None:
        """Let the recipe begin."""
        self._started = time.time()
        if self.job.timeout is not None:
            self.alarm = time.monotonic() + self.job.timeout
        with self._gate, contextlib.suppress(BrokenPipeError):  # it died at the gate: `result` tells of what
            self._gate.write(b"\n")

    def abandon(self) -> None:
        """Instead of `release`: the recipe shall not run."""
        self._gate.close()
        os.close(self.fd)
        os.waitpid(self.pid, 0)

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end, or only stragglers are left of it."""
        return self._ending

    def stop(self, reason: Reason, detail: str = "", *, now: bool = False) -> None:
        """Have it end: by the job's signal, and KILL when its grace has passed; or by KILL at once."""
        if not self._stopped:
            self._stopped, self._why = reason, detail
        self._end(now=now)

    def _end(self, *, now: bool) -> None:
        if self._ending and not now:
            return
        self._ending = True
        if now:
            processes.send(processes.session(self.pid), signal.SIGKILL)
        else:
            processes.send(processes.to_tell(self.pid, self.job.signal), self.job.signal)
        self.alarm = time.monotonic() + (processes.KILL_EVERY if now else self.job.grace)

    def ring(self) -> None:
        """What `alarm` was set for: the job's time has passed, or the grace."""
        if self._ending:
            self._end(now=True)
        else:
            self.stop(Reason.TIMEOUT)

    def settle(self) -> bool:
        """Look again at what `fd` has announced: whether nothing of the session lives any more.

        Once its leader has ended, the rest of a session is ended too. Whatever goes on in the background would write
        into outputs that are already taken for made, and run beside the next attempt. Nor is the leader reaped before:
        as long as it isn't, the number of its session can't be given to another one.
        """
        self.has_ended = True
        os.close(self.fd)
        while left := processes.followers(self.pid):
            self._end(now=False)
            with contextlib.suppress(ProcessLookupError):
                self.fd = os.pidfd_open(left[0])
                return False
        return True

    def result(self, node: str) -> JobResult:
        """How it ended, once it is settled; what it made isn't looked at."""
        _, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        reason, detail = self._verdict(code)
        return JobResult(
            attempt=self.job.attempt,
            reason=reason,
            exit_status=code,
            detail=detail,
            started=self._started,
            ended=time.time(),
            max_rss=usage.ru_maxrss * 1024,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            node=node,
        )

    def _verdict(self, code: int) -> tuple[Reason, str]:
        if self._stopped:
            return self._stopped, self._why
        if number := signal_in(code):
            whom = "killed" if code < 0 else "a command in it was killed"
            return Reason.SIGNAL, f"{whom} by {signal_name(number)}"
        return (Reason.EXIT if code else Reason.OK), ""


def mark(attempt: str, workspace: str) -> str:
    return f"{attempt} {workspace}"


def spawn(job: Job, environment: dict[str, str], log: FileIO, gate: FileIO) -> int:
    """Start a recipe that waits at its gate. The pid of its leader is the number of its session."""
    program = find_bash(environment.get("PATH", os.defpath))
    arguments, text = command(job)
    with open(os.devnull, "rb", buffering=0) as null, open(os.memfd_create("recipe"), "wb", buffering=0) as file:
        os.pwrite(file.fileno(), text, 0)
        files = [null, log, log, gate, *([file] if text else [])]
        return os.posix_spawn(
            program,
            arguments,
            environment,
            setsid=True,
            setsigmask=(),
            file_actions=[(os.POSIX_SPAWN_DUP2, each.fileno(), number) for number, each in enumerate(files)],
        )


def command(job: Job) -> tuple[list[bytes | str], bytes]:
    """The command line of a recipe, and what it finds open as file 4: nothing, unless the recipe is too long for it."""
    text = job.recipe.encode(errors="surrogateescape")
    short = len(text) <= MAX_TEXT
    if job.kind == "python":
        start = GATE + 'exec "$0" "$@"'
        return [*BASH, "-c", start, sys.executable, "-c", text if short else READ_PYTHON], b"" if short else text
    if short:
        return [*BASH, "-c", GATE.encode() + text], b""
    return [*BASH, "/proc/self/fd/4"], f"{GATE}exec 4<&-; ".encode() + text


@lru_cache(maxsize=64)
def find_bash(path: str) -> str:
    """Where it is, given PATH. Raises FileNotFoundError."""
    for folder in path.split(":"):
        program = os.path.join(folder, "bash")
        if os.path.isfile(program) and os.access(program, os.X_OK):
            return program
    raise FileNotFoundError(errno.ENOENT, "bash is in none of the folders of PATH")


def open_log(job: Job) -> FileIO:
    """The job's log, new and empty. A file and no pipe: whoever keeps it open, nobody waits for them."""
    path = os.path.join(job.workspace, job.log) if job.log else os.devnull
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666), "wb", buffering=0)


def words(error: Exception) -> str:
    """What went wrong, for people."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror


def signal_in(code: int) -> int:
    """The signal of which an exit status tells, 0 if of none: bash has 128 + N if the command wasn't its last."""
    number = -code if code < 0 else code - 128
    return number if 0 < number < signal.NSIG else 0


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"


def whole(jobs: Sequence[Job]) -> Job:
    """The job that the run of these is: the first of them, with all that any of them reads and makes."""
    if len(jobs) == 1:
        return jobs[0]
    reads = dict.fromkeys(read for job in jobs for read in job.reads)
    return replace(jobs[0], reads=tuple(reads), outputs=tuple(path for job in jobs for path in job.outputs))


def changed(job: Job) -> str:
    """Which of the job's inputs is not as it was fingerprinted, in words; empty if all are."""
    return changes([job])[0]


def changes(jobs: Sequence[Job]) -> list[str]:
    """As `changed`, of each of a batch."""
    look = cache(partial(_change, jobs[0]))
    return [next(filter(None, map(look, job.reads)), "") for job in jobs]


def _change(job: Job, read: Read) -> str:
    path = os.path.join(job.workspace, read.path)
    try:
        seen = digest.signature(path)
        if seen and seen[0] == read.signature:
            return ""
        found = digest.digest_path(path) if seen else None
    except OSError as error:
        return f"{read.path} can't be read: {words(error)}"
    if not found:
        return f"{read.path} is gone"
    return "" if found[0] == read.digest else f"{read.path} has changed"


def shares(jobs: Sequence[Job], result: JobResult) -> list[JobResult]:
    """The result of a run as that of each job which has a part in it."""
    cpu_seconds = result.cpu_seconds / len(jobs)
    return [replace(result, attempt=job.attempt, sharers=len(jobs), cpu_seconds=cpu_seconds) for job in jobs]


def measured(jobs: Sequence[Job], result: JobResult) -> list[JobResult]:
    """The results of a recipe that went well, after a look at its outputs and, once more, at its inputs."""
    found = [[_made(job, path) for path in job.outputs] for job in jobs]
    look = cache(partial(_change, jobs[0]))
    results = [_judged(*each, look) for each in zip(jobs, shares(jobs, result), found, strict=True)]
    # What none of them names may have gone into each.
    opened = observed.opened(whole(jobs), result.started) if any(each.ok for each in results) else ()
    return [replace(each, opened=opened) if each.ok else each for each in results]


def _judged(job: Job, result: JobResult, found: list[Made | str], look: Callable[[Read], str]) -> JobResult:
    # A changed input comes first: it may well be why an output is missing, and the task is decided again.
    if detail := next(filter(None, (look(read) for read in job.reads if not read.is_code)), ""):
        return replace(result, reason=Reason.INPUT_CHANGED, detail=detail)
    if missing := next((each for each in found if not isinstance(each, Made)), ""):
        return replace(result, reason=Reason.MISSING_OUTPUT, detail=missing)
    made = tuple(each for each in found if isinstance(each, Made))
    edited = tuple(read.path for read in job.reads if read.is_code and look(read))
    return replace(result, made=made, edited=edited)


def _made(job: Job, path: str) -> Made | str:
    """An output, or what is wrong with it."""
    full = os.path.join(job.workspace, path)
    try:
        found = digest.digest_path(full.rstrip("/"))
    except OSError as error:
        return f"{path} can't be read: {words(error)}"
    if not found:
        return f"{path} is not there"
    if os.path.isdir(full) != path.endswith("/"):
        return f"{path} is a directory" if os.path.isdir(full) else f"{path} is not a directory"
    return Made(path, *found)


def is_light(job: Job, outputs: tuple[str, ...] = ()) -> bool:
    """Whether `changed` (with outputs: `measured`) will take so little that others can wait for it."""
    if observed.size(job) > LIGHT_NOTES:
        return False
    known = [(read.path, read.signature) for read in job.reads]
    looks = [(path, "") for path in (*outputs, *observed.paths(job))] + known
    return len(looks) <= LIGHT_PATHS and sum(_burden(job, *look) for look in looks) <= LIGHT_BYTES


def _burden(job: Job, path: str, signature: str) -> float:
    """How many bytes must be read to know whether this path is as it was; nobody knows of a directory."""
    full = os.path.join(job.workspace, path)
    try:
        status = os.stat(full)
        if stat.S_ISDIR(status.st_mode):
            return float("inf")
        seen = digest.signature(full)
        return 0 if seen and seen[0] == signature else status.st_size
    except OSError:
        return 0
