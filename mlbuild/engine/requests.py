"""What other commands ask of a build that lives: how tasks stand in it, and to stop it or to give some of them up.

Blind to how that is done. Whoever asks connects to a socket in the folder of the run, and is answered there.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from mlbuild.engine.states import OVER, State, States
from mlbuild.executors import lines
from mlbuild.graph.task import Task

SOCKET = "driver"
"""Its name in the run's folder."""
PATIENCE = 2.0
"""Seconds without an answer after which whoever asks is told that it takes its time."""


class Request(Struct, frozen=True):
    """Of tasks, by name; None: of the whole build. `stop`: nothing more of them is wanted; `now`: without grace."""

    tasks: tuple[str, ...] | None
    stop: bool = False
    now: bool = False


class Answer(Struct, frozen=True):
    """Names of tasks: of those asked for, which run and which are still to start; and which others need them."""

    running: tuple[str, ...]
    waiting: tuple[str, ...]
    behind: tuple[str, ...]


class Requests:
    """Those to one build. Where no socket can be made, nothing can be asked.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._listener: socket.socket | None = None
        self._clients: list[lines.Channel] = []
        with suppress(OSError):
            self._listener = lines.listen(folder, SOCKET)
            self._listener.setblocking(False)

    def answer(self, obey: Callable[[Request], Answer]) -> None:
        """Answer what was asked since the last call. Never waits."""
        with suppress(OSError):  # nobody else is waiting, or no file is to be had
            while self._listener:
                self._clients.append(lines.Channel(self._listener.accept()[0]))
        for client in self._clients:
            for message in client.receive():
                tasks = message["tasks"]
                asked = Request(tasks and tuple(tasks), message["stop"], message["now"])
                client.post(asdict(obey(asked)))
            client.flush()
            if client.closed:
                client.close()
        self._clients = [client for client in self._clients if not client.closed]

    def close(self) -> None:
        for client in self._clients:
            client.close()
        if self._listener:
            self._listener.close()
            with suppress(OSError):
                os.unlink(os.path.join(self._folder, SOCKET))


def ask(folder: str, request: Request, late: Callable[[], None] = lambda: None) -> Answer | None:
    """The answer of the build whose run has this folder; None if it has ended, or can't be asked.

    Args:
        late: is called, once, if the answer takes its time.
    """
    connection = lines.connect(folder, SOCKET)
    if connection is None:
        return None
    channel, messages = lines.Channel(connection), list[dict[str, Any]]()
    channel.send([asdict(request)])
    if not select.select([channel], [], [], PATIENCE)[0]:
        late()
    while not (messages or channel.closed):
        select.select([channel], [], [])
        messages = channel.receive()
    channel.close()
    return Answer(**{name: tuple(tasks) for name, tasks in messages[0].items()}) if messages else None


def standing(
    request: Request, states: States, tasks: Mapping[str, Task], consumers: Mapping[Task, Sequence[Task]]
) -> Answer:
    """How the tasks that a request names stand.

    Args:
        tasks: those of the build, by name.
        consumers: task → the tasks that need it.
    """
    named = [tasks[name] for name in (tasks if request.tasks is None else request.tasks) if name in tasks]
    running = [task for task in named if states[task] is State.RUNNING]
    waiting = [task for task in named if _is_to_come(states[task])]
    behind, stack = dict[Task, None](), [*running, *waiting]
    while stack:
        found = [each for each in consumers[stack.pop()] if _is_to_come(states[each]) and each not in behind]
        behind.update(dict.fromkeys(found))
        stack += found
    rest = [task for task in behind if task not in waiting]
    return Answer(*(tuple(task.name for task in some) for some in (running, waiting, rest)))


def _is_to_come(state: State) -> bool:
    return state not in OVER and state not in (State.RUNNING, State.CHECKING)
