"""A workspace in a temporary folder, driven through the real command."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from textwrap import dedent
from typing import Any

from warm import Warm

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "mlbuild"]
PATIENCE = 300.0
"""Seconds after which a test gives up on a process."""
COLD = "MLBUILD_TEST_COLD" in os.environ
"""Each command is a Python of its own, also where nothing is done to it while it runs."""
READ_EARLY = ("PYTHON", "LC_", "XDG_CACHE_HOME", "MLBUILD_TEST_KILL")
"""How the variables begin that are read as Python and mlbuild are loaded."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    out: str
    err: str
    events: list[dict[str, Any]]

    def tasks(self, event: str) -> list[str]:
        """The tasks of all events of this name, sorted."""
        return sorted(row["task"] for row in self.events if row["event"] == event)

    @property
    def ran(self) -> list[str]:
        return self.tasks("task_finished")

    @property
    def restored(self) -> list[str]:
        return self.tasks("task_restored")

    @property
    def failed(self) -> list[str]:
        return self.tasks("task_failed")


@cache
def _warm() -> Iterator[Warm]:
    """Two take turns: sets have another order in each, so that no command sees those of the one before."""
    return cycle([Warm(), Warm()])


class Workspace:
    """A folder with a Pipelinefile."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._built = 0

    # --- files

    def write(self, path: str, text: str) -> Path:
        """Write a file; common indentation is taken off, so that texts can be indented in tests."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(dedent(text).lstrip("\n"))
        return full

    def pipeline(self, text: str) -> None:
        self.write("Pipelinefile", text)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def exists(self, path: str) -> bool:
        return (self.root / path).exists()

    def lines(self, path: str) -> list[str]:
        return self.read(path).splitlines() if self.exists(path) else []

    def events(self, path: str) -> list[dict[str, Any]]:
        """What a build has written there by now; a line that is being written is not there yet."""
        lines = self.read(path).splitlines(keepends=True) if self.exists(path) else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_for(self, path: str) -> None:
        """Until a file is there."""
        self.wait_until(lambda: self.exists(path))

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Until something holds, which a test knows will."""
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, "it never came"
            time.sleep(0.01)

    # --- commands

    def start(self, *arguments: str, env: dict[str, str] | None = None, events: str = "") -> subprocess.Popen[str]:
        """Start a command in a session of its own, without waiting for it."""
        return subprocess.Popen(
            [*COMMAND, *arguments, *(["--events", events] if events else [])],
            cwd=self.root,
            env={**self._environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> Ended:
        """Run a command that builds nothing (`status`, `explain`, …), or of which no events are wanted."""
        return Ended(*self._end(arguments, env), [])

    def _environment(self) -> dict[str, str]:
        # Recipes that say `python` mean this one, as in an activated virtual environment.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {"PYTHONPATH": str(ROOT), "PATH": path, "NO_COLOR": "1", "XDG_CONFIG_HOME": str(self.root / ".config")}
        return {**os.environ, **own}

    def _end(self, arguments: Sequence[str], env: dict[str, str] | None) -> tuple[int, str, str]:
        """(exit status, stdout, stderr) of a command that ends by itself."""
        if not COLD and not any(name.startswith(READ_EARLY) for name in env or {}):
            return next(_warm()).run(arguments, self.root, {**self._environment(), **(env or {})}, PATIENCE)
        process = self.start(*arguments, env=env)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    def on_a_terminal(
        self,
        *arguments: str,
        typed: bytes = b"",
        after: bytes = b"",
        then: Callable[[], object] = lambda: None,
        columns: int = 100,
        env: dict[str, str] | None = None,
        raw: bool = False,
    ) -> tuple[int, str]:
        """(exit status, all that was drawn) of a command on a real terminal.

        Args:
            typed: what is typed once `after` was shown.
            then: what is done then.
            raw: with colours and moves, which are left out otherwise.
        """
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.root)
            own = {"TERM": "xterm-256color", "COLUMNS": str(columns), "PYTHONPATH": str(ROOT)}
            words = [sys.executable, "-m", "mlbuild", *arguments]
            os.execve(sys.executable, words, {**os.environ, **own, **(env or {})})
        shown = b""
        while True:
            try:
                shown += os.read(terminal, 1 << 16)
            except OSError:
                break
            if after and after in shown:
                os.write(terminal, typed)
                then()
                after = b""
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        text = shown.decode(errors="replace").replace("\r\n", "\n")
        return status, text if raw else re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    def build(self, *arguments: str, env: dict[str, str] | None = None) -> Ended:
        """Build, and read the events."""
        self._built += 1
        path = self.root / ".events" / f"{self._built}.jsonl"
        path.parent.mkdir(exist_ok=True)
        status, out, err = self._end([*arguments, "--events", str(path)], env)
        rows = path.read_text().splitlines() if path.exists() else []
        return Ended(status, out, err, [json.loads(row) for row in rows])

    def ok(self, *arguments: str, env: dict[str, str] | None = None) -> Ended:
        """Build, and insist on success."""
        ended = self.build(*arguments, env=env)
        assert ended.status == 0, f"exit status {ended.status}\n{ended.out}\n{ended.err}"
        return ended

    def states(self, *goals: str) -> dict[str, str]:
        """The state of each task, by `status --json`."""
        ended = self.run("status", "--json", *goals)
        assert ended.status == 0, ended.err
        targets = json.loads(ended.out)["targets"]
        return {task["task"]: task["state"] for target in targets for task in target["tasks"]}

    # --- processes

    def processes(self) -> list[int]:
        """Every process that works in this workspace: drivers, supervisors, recipes and what these started."""
        pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return [pid for pid in pids if pid != os.getpid() and _works_in(pid, str(self.root))]

    def wait_until_quiet(self) -> None:
        """Until no process works in this workspace."""
        until = time.monotonic() + PATIENCE
        while self.processes():
            assert time.monotonic() < until, f"still there: {[describe(pid) for pid in self.processes()]}"
            time.sleep(0.02)

    def kill_supervisors(self) -> int:
        """`kill -9` of every supervisor; how many there were."""
        killed = 0
        for pid in self.processes():
            if is_supervisor(pid):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        return killed


def _works_in(pid: int, root: str) -> bool:
    """Of strings alone: tests ask it of each process there is, again and again. One that has ended works nowhere."""
    try:
        folder = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    return folder == root or folder.startswith(f"{root}/")


def describe(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "gone"


def is_supervisor(pid: int) -> bool:
    """A supervisor is forked from the command, so it looks like one, in a session whose leader is gone or itself."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return "mlbuild" in describe(pid) and fields[1] == "1"


def names(target: str, keys: Sequence[str]) -> list[str]:
    """Task names: `names("f", ["a", "b"])` is `["f[a]", "f[b]"]`."""
    return [f"{target}[{key}]" for key in keys]
