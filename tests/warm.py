"""The command, forked from a process that has loaded mlbuild already: loading is four fifths of what a command costs.

A process like any other, with a session, streams, environment and folder of its own. Blind to what a command loads for
itself: that is seen wherever a test starts it in another way, and by `tests/test_startup.py`.
"""

from __future__ import annotations

import json
import os
import runpy
import selectors
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONGEST = 1 << 20
"""A request, in bytes."""


class Warm:
    """A process that has loaded mlbuild and becomes one command after the other."""

    def __init__(self) -> None:
        self._load()

    def _load(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                # The last word tells whoever lists processes what is forked from this one.
                [sys.executable, __file__, str(theirs.fileno()), "mlbuild"],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                # As a command's own, so that Python's streams on top of these are as a command's.
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def run(self, arguments: Sequence[str], folder: Path, env: dict[str, str], patience: float) -> tuple[int, str, str]:
        """(exit status as `subprocess` has it, stdout, stderr) of a command.

        Raises TimeoutError if for so many seconds of patience nothing is written and it doesn't end, or others go on to
        hold its streams.
        """
        out, err = os.pipe(), os.pipe()
        request = json.dumps([arguments, str(folder), env]).encode()
        socket.send_fds(self._requests, [request], [out[1], err[1]])
        os.close(out[1])
        os.close(err[1])
        said = {out[0]: b"", err[0]: b"", self._requests.fileno(): b""}
        with selectors.DefaultSelector() as waiting:
            for file in said:
                waiting.register(file, selectors.EVENT_READ)
            while waiting.get_map():
                ready = waiting.select(patience)
                if not ready:
                    self._process.kill()
                    self._load()  # for those to come
                    raise TimeoutError(f"mlbuild {' '.join(arguments)}")
                for key, _ in ready:
                    said[key.fd] += (read := os.read(key.fd, 1 << 16))
                    if not read or key.fileobj == self._requests.fileno():
                        waiting.unregister(key.fileobj)
        os.close(out[0])
        os.close(err[0])
        status = said[self._requests.fileno()]
        assert status, self._process.communicate()[1]
        return int(status), said[out[0]].decode(), said[err[0]].decode()


def _serve(requests: socket.socket) -> list[str]:
    """Fork a process for each request, and answer with its exit status. Returns in these, with the arguments."""
    while True:
        request, streams, _, _ = socket.recv_fds(requests, LONGEST, 2)
        if not request:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            break
        for stream in streams:
            os.close(stream)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        requests.send(str(status).encode())
    requests.close()
    arguments, folder, env = json.loads(request)
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    return arguments


def _import() -> None:
    """What all commands load, and the tables by which they read a Pipelinefile."""
    from mlbuild.cli import build  # noqa: F401
    from mlbuild.language.parser import parse

    parse("Pipelinefile", (ROOT / "Pipelinefile").read_bytes())


if __name__ == "__main__":
    _import()
    sys.argv[1:] = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.path[0] = os.getcwd()
    runpy.run_module("mlbuild", run_name="__main__", alter_sys=True)
