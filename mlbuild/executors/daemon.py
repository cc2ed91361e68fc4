"""The process in which a build's supervisor works and which outlives the build: forked early, set to work, found again.

Blind to what it works at.
"""

from __future__ import annotations

import fcntl
import gc
import os
import socket
import sys

from mlbuild.executors import attempt, lines
from mlbuild.executors.processes import fork
from mlbuild.executors.supervisor import Supervisor

LOCK, SOCKET, CRASH = "supervisor.lock", "socket", "supervisor.log"
"""Files in a run's folder. The lock is held for as long as the process lives; the crash log is seldom there."""


def prepare(*, child: bool = False) -> socket.socket:
    """Fork what `start` makes a supervisor of; best before anything heavy is loaded, for it stays as large as we are.

    It leaves when the socket returned is closed. Raises OSError.

    Args:
        child: it stays our child, so that whoever ends all that descends from us ends it too, and what it runs ends
            with us.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        if child:
            fork(lambda: _wait(theirs, child))
        else:
            # Two forks: an orphan leaves no zombie behind in a driver that lives on.
            os.waitpid(fork(lambda: fork(lambda: _wait(theirs, child))), 0)
    return ours


def start(run_folder: str, workspace: str, prepared: socket.socket | None = None) -> socket.socket:
    """Set a supervisor to work for this run and return the connection to it.

    It works until nobody is connected and nothing runs. Raises OSError if its files can't be made.
    """
    os.makedirs(run_folder, exist_ok=True)
    folder = os.open(run_folder, os.O_RDONLY | os.O_DIRECTORY)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o666, dir_fd=folder)
    fcntl.flock(lock, fcntl.LOCK_EX)
    connection = prepared or prepare()
    with lines.listen(folder, SOCKET) as listener:
        given = [os.fsencode(workspace)], [folder, lock, listener.fileno()]
        try:
            socket.send_fds(connection, *given)
        except BrokenPipeError:  # it was killed while it waited
            connection.close()
            connection = prepare()
            socket.send_fds(connection, *given)
    os.close(lock)
    os.close(folder)
    return connection


def connect(run_folder: str) -> socket.socket | None:
    """A connection to the supervisor of a run that another process started; None if it no longer lives."""
    return lines.connect(run_folder, SOCKET)


def is_alive(run_folder: str) -> bool:
    """Whether the run's supervisor holds its lock."""
    try:
        with open(os.path.join(run_folder, LOCK), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _wait(driver: socket.socket, child: bool) -> None:
    """The life of a supervisor before it has anything to do, in its own process."""
    os.setsid()
    attempt.hold_signals()
    gc.freeze()  # what the driver had loaded shall stay shared with it
    _close_others({driver.fileno()})
    workspace, given, _, _ = socket.recv_fds(driver, 1 << 16, 3)
    if workspace:
        for file in given:
            os.set_inheritable(file, False)
        folder, lock, listener = given
        _serve(folder, os.fsdecode(workspace), lock, socket.socket(fileno=listener), driver, child)


def _serve(folder: int, workspace: str, lock: int, listener: socket.socket, driver: socket.socket, child: bool) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # passed on, but over NFS it is the process's
        os.chdir(workspace)
        Supervisor(folder, listener, driver, outlives=not child).serve()
        os.unlink(SOCKET, dir_fd=folder)
    except BaseException:
        os.dup2(os.open(CRASH, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666, dir_fd=folder), 2)
        sys.__excepthook__(*sys.exc_info())
        raise


def _close_others(keep: set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    for number in {int(name) for name in os.listdir("/proc/self/fd")} - keep - {0, 1, 2}:
        try:
            os.close(number)
        except OSError:  # the listing's own
            continue
