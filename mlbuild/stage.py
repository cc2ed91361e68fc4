"""For recipes in Python: what the task is given, checkpoints that are whole or not there, a stop that is asked for, and
progress. Needs the standard library only and loads nothing else of mlbuild; run by hand, a script works with it too.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

__all__ = [
    "StageError",
    "checkpoint",
    "inputs",
    "keys",
    "leave",
    "metrics",
    "outputs",
    "params",
    "progress",
    "stopping",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    inputs: Any
    """What the recipe calls `inputs`: a list of paths whose items also go by name; where one is given, a `str`."""
    outputs: Any
    metrics: Any
    """Paths, as `inputs`."""
    params: Any
    """The values that the target lists under `params:`, by how they are written there: `params.train.lr`."""
    keys: Any
    """Partition → the value of this task's key."""

GIVEN = ("inputs", "outputs", "metrics", "params", "keys")
"""What `from mlbuild.stage import …` gives in a task."""
ASIDE = ".mlbuild/saving"
"""Where checkpoints are written, in their directory: a folder of each process's own, so that a name stays as it is."""
BURST, PER_SECOND = 10, 2.0
"""So many reports of progress are written at once, and so many a second after that."""


class StageError(Exception):
    """What was asked for is not to be had: there is no task, no checkpoint directory, no such name."""


# ---------------------------------------------------------------------------------------------------------------------
# What the task is given. `__getattr__` reads it when it is first asked for.


class Table(dict[Any, Any]):
    """A dict whose values also go by name."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(_no(name, self))


class _Named:
    """Paths that also go by name."""

    named: Mapping[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name in self.named:
            return self.named[name]
        raise AttributeError(_no(name, self.named))


class Paths(_Named, list[Any]):
    """A list of paths, or of what each key of a batch has; the items also go by name."""


class OnePath(_Named, str):
    """The one path that is declared, which may also go by its name."""


def _no(name: str, there: Mapping[Any, Any]) -> str:
    names = ", ".join(str(each) for each in there)
    return f"there is no `{name}` here, " + (f"but {names}" if names else "nor any other name")


def __getattr__(name: str) -> Any:
    if name not in GIVEN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    path = os.environ.get("MLBUILD_TASK")
    if not path:
        raise StageError(_not_given(name))
    with open(path, encoding="utf-8") as file:
        task = json.load(file)
    values = globals()
    values.update((each, _made(*task[each])) for each in GIVEN)
    return values[name]


def _not_given(name: str) -> str:
    if "MLBUILD_ATTEMPT" not in os.environ:
        return f"`{name}` is known in a recipe only: mlbuild has not started this"
    return (
        f"`{name}` is not known, since mlbuild did not see that this task imports mlbuild.stage: "
        "name the script that does in the recipe or in `code:`"
    )


def _made(kind: str, value: Any, single: bool = False, named: Any = ()) -> Any:
    """A value out of the form in which mlbuild writes it, which tells lists, tables and paths apart."""
    match kind:
        case "list":
            return [_made(*item) for item in value]
        case "table":
            return Table((name, _made(*item)) for name, item in value)
        case "paths" if single and not value:
            return None
        case "paths" | "each":
            items = value if kind == "paths" else [_made(*item) for item in value]
            paths: _Named = OnePath(value[0]) if single else Paths(items)
            paths.named = {name: _made(*item) for name, item in named}
            return paths
    return value


# ---------------------------------------------------------------------------------------------------------------------
# Checkpoints


class Checkpoints:
    """The checkpoints of this task; there is one of these, `checkpoint`."""

    def __init__(self) -> None:
        self._saved: Path | None = None

    def latest(self) -> Path | None:
        """The checkpoint to go on from: the newest that this process saved, else what mlbuild offers; None: begin."""
        if self._saved is not None:
            return self._saved
        offered = os.environ.get("MLBUILD_RESUME_FROM")
        return Path(offered) if offered else None

    @contextmanager
    def save(self, name: str) -> Iterator[Path]:
        """A path to write a checkpoint to, as a file, or as a folder that is made there.

        At the end of the block it is put on disk and to its place in one step: it is there whole or not at all. One of
        that name is replaced. If the block raises, nothing is left.

        Raises:
            StageError: nothing was written, the name can't be one, or the target has no `checkpoint:`.
        """
        _verify_name(name)
        directory = _directory()
        aside = _folder_aside(directory)
        path = aside / name
        try:
            yield path
            if not os.path.lexists(path):
                raise StageError(_nothing_written(path))
            _put_on_disk(path)
            if directory is not None:
                _note(directory, path)
                _move(path, directory / name)
                _sync(directory)
                self._saved = directory / name
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        _reports.flush()


checkpoint = Checkpoints()


def _verify_name(name: str) -> None:
    if not name or "/" in name or name.startswith(".") or name.endswith((".tmp", ".part")):
        raise StageError(f"{name!r} is no name of a checkpoint: one has no `/`, no `.` at its start, no .tmp, no .part")


def _directory() -> Path | None:
    """Where checkpoints are kept; None outside of mlbuild, where nobody wants any."""
    directory = os.environ.get("MLBUILD_CHECKPOINT_DIR")
    if directory:
        return Path(directory)
    if "MLBUILD_ATTEMPT" in os.environ:
        raise StageError("this task's target has no `checkpoint:`, so there is no place for one")
    return None


def _folder_aside(directory: Path | None) -> Path:
    """An empty folder to write to, on the file system of the checkpoints."""
    if directory is None:
        import tempfile

        return Path(tempfile.mkdtemp(prefix="checkpoint-"))
    aside, own = directory / ASIDE, _attempt() or "by-hand"
    with suppress(FileNotFoundError):
        for left in aside.iterdir():  # by attempts that were killed: there is but one at a time
            if left.name != own:
                shutil.rmtree(left, ignore_errors=True)
    folder = aside / own / f"{os.getpid()}-{threading.get_ident()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _nothing_written(path: Path) -> str:
    others = sorted(other.name for other in path.parent.iterdir())
    hint = f", but `{others[0]}` was: save under that name" if others else ""
    return f"nothing was written to the path of checkpoint `{path.name}`{hint}"


def _put_on_disk(path: Path) -> None:
    """Have all of it survive a power loss."""
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            _put_on_disk(inner)
    if not path.is_symlink():
        _sync(path)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def signature(path: str) -> str:
    """What tells a checkpoint from what becomes of it when it is cut short or written over, as mlbuild works it out.

    It is the SHA-256 of a line with name, size and time of each file in it (of a file itself, with an empty name).
    """
    found = [""]
    if os.path.isdir(path):
        found = [os.path.relpath(f"{folder}/{name}", path) for folder, _, names in os.walk(path) for name in names]
    return sha256(b"".join(sorted(_row(path, name) for name in found))).hexdigest()


def _row(path: str, name: str) -> bytes:
    status = os.stat(os.path.join(path, name) if name else path)
    return b"%s\0%d\0%d\n" % (os.fsencode(name), status.st_size, status.st_mtime_ns)


def _note(directory: Path, path: Path) -> None:
    """Say durably that the checkpoint is whole, before it is put in place: then no kill comes between the two."""
    attempt = _attempt()
    if not attempt:
        return
    row = {"put": path.name, "attempt": attempt, "signature": signature(str(path)), "at": time.time()}
    fd = os.open(directory / ".mlbuild/journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        # With a line break of its own, so that a line that was torn does not spoil it.
        os.write(fd, b"\n" + json.dumps(row).encode() + b"\n")
        os.fdatasync(fd)
    finally:
        os.close(fd)


def _attempt() -> str:
    return os.environ.get("MLBUILD_JOB", "").partition(" ")[0]


def _move(path: Path, place: Path) -> None:
    """Put it to its place, in one step also where a folder stands there: those can only be exchanged."""
    try:
        os.rename(path, place)
    except OSError:
        if not os.path.lexists(place):
            raise
        if not _exchange(path, place):
            replaced = path.with_name(".replaced")
            os.rename(place, replaced)
            try:
                os.rename(path, place)
            except OSError:
                os.rename(replaced, place)
                raise


def _exchange(one: Path, other: Path) -> bool:
    """Have two paths change places; False where the system can't."""
    import ctypes

    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    with suppress(AttributeError):  # the C library is older than 2018
        call = ctypes.CDLL(None).renameat2
        return bool(call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)
    return False


# ---------------------------------------------------------------------------------------------------------------------
# A stop that is asked for


class _Stop:
    """The signal by which a stop was asked for."""

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, Any] = {}
        """Signal → what happened at it before it was watched for."""
        self._mask: set[int] = set()
        os.register_at_fork(before=self._hold, after_in_parent=self._let_go, after_in_child=self._forget)

    def watch(self) -> None:
        """From now on such a signal is noted instead of ending the process."""
        if self._before:
            return
        if threading.current_thread() is not threading.main_thread():
            raise StageError("call `stopping()` in the main thread first: Python takes signals only there")
        for number in {signal.SIGTERM, signal.SIGINT, _asked_by_mlbuild()}:
            self._before[number] = signal.signal(number, self._note)

    def _hold(self) -> None:
        """What arrives during a fork waits until it is clear whose it is."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._before)

    def _let_go(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _forget(self) -> None:
        """A worker that is forked off is ended by signals as ever, unless it asks for itself."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        self.signal = 0
        self._let_go()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal and number == signal.SIGINT:
            raise KeyboardInterrupt  # somebody at a keyboard who does not want to wait
        self.signal = self.signal or number


_stop = _Stop()


def _asked_by_mlbuild() -> int:
    name = os.environ.get("MLBUILD_STOP_SIGNAL") or "TERM"
    return getattr(signal, f"SIG{name.removeprefix('SIG')}")  # type: ignore[no-any-return]


def stopping() -> bool:
    """Whether a stop was asked for: save and `leave()`.

    The first call has TERM, INT and the signal of the target's `checkpoint:` noted instead of obeyed, so ask again and
    again. It must be made in the main thread; StageError otherwise. A second INT ends the process as ever.
    """
    _stop.watch()
    return _stop.signal != 0


def leave() -> NoReturn:
    """End, when `stopping()`, in the way by which mlbuild knows that the work is not done: with status 128 + signal.

    Raises:
        SystemExit: so that what was opened is closed.
        StageError: nobody has asked for a stop.
    """
    if not _stop.signal:
        raise StageError("`leave()` is for when `stopping()` is true")
    raise SystemExit(128 + _stop.signal)


# ---------------------------------------------------------------------------------------------------------------------
# Progress


class _Reports:
    """Writes reports of progress, as many as anybody can read: the last of those that come too fast waits."""

    def __init__(self) -> None:
        self._waiting: tuple[float, float | None, dict[str, object]] | None = None
        self._allowed = float(BURST)
        self._at = 0.0

    def take(self, done: float, total: float | None, metrics: dict[str, object]) -> None:
        now = time.monotonic()
        self._allowed = min(BURST, self._allowed + (now - self._at) * PER_SECOND)
        self._at = now
        self._waiting = done, total, metrics
        if self._allowed >= 1 or done == total:
            self._allowed -= 1
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        path = os.environ.get("MLBUILD_PROGRESS")
        waiting, self._waiting = self._waiting, None
        if waiting is None or not path:
            return
        done, total, metrics = waiting
        row = {
            "done": _plain(done),
            "total": None if total is None else _plain(total),
            "metrics": {name: _plain(value) for name, value in metrics.items()},
        }
        with suppress(OSError):  # a full disk is no reason to end a training for
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                os.write(fd, json.dumps(row).encode() + b"\n")
            finally:
                os.close(fd)


_reports = _Reports()
atexit.register(_reports.flush)


def progress(done: float, total: float | None = None, /, **metrics: object) -> None:
    """Say how far the work is: `progress(epoch, epochs, loss=loss)`. Metrics are numbers, or what `float` takes.

    Cheap enough for a loop: ten reports are written at once, after that two a second. The last one is never lost for
    good: it is written when `done` equals `total`, with the next checkpoint, and when the process ends (but by a signal
    that nobody notes). Outside of mlbuild it does nothing.
    """
    _reports.take(done, total, metrics)


def _plain(value: Any) -> object:
    """A number as JSON can hold it (which knows no NaN), and of anything else its text."""
    if isinstance(value, bool | int | str):
        return value
    if hasattr(value, "__index__"):
        return int(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if abs(number) < float("inf") else str(number)
