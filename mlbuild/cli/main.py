"""The command `mlbuild`: finds the subcommand, prints errors, gives the exit status. Loads only what that one needs."""

from __future__ import annotations

import errno
import os
import sys

from mlbuild import __version__
from mlbuild.cli.commands import COMMANDS, command_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

INTERNAL_ERROR = 70
"""The exit status for a bug of mlbuild's own (EX_SOFTWARE of sysexits.h)."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No bug of ours, wherever it is met."""


def main(arguments: list[str]) -> int:
    """Run one command line (without the program's name) and return its exit status."""
    _prepare_streams()
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _close_output()  # whoever read it has seen enough
        return 141
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            _close_output()
            print(f"error: {error.strerror}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
            return 1
        from mlbuild.errors import MlbuildError

        if isinstance(error, MlbuildError):
            print(error, file=sys.stderr)
            return error.exit_status
        return _bug()


def _prepare_streams() -> None:
    """Have all three, were it to nowhere: a file opened later would take the number of one that is closed."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    os.close(number)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w")
        stream.reconfigure(errors="backslashreplace")  # names of files and tasks may hold what it can't encode
        setattr(sys, name, stream)


def _close_output() -> None:
    """Say no more there; the interpreter would fail again when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["--version"]:
        print(f"mlbuild {__version__}")
        return 0
    if arguments[:1] == ["__complete"]:
        from mlbuild.cli.completion import complete

        return complete(arguments[1:])
    at = command_at(arguments)
    command = arguments[at] if at < len(arguments) else ""
    if command not in COMMANDS:
        return _building("build", arguments, "")
    rest = [*arguments[:at], *arguments[at + 1 :]]
    if command in ("build", "backfill", "submit"):
        return _building(command, rest, command)
    status: int = _loaded(command).run(rest, command)
    return status


def _building(module: str, arguments: list[str], command: str) -> int:
    from mlbuild.executors.daemon import prepare

    # Before the rest is loaded: what is forked later would be as large as we are then.
    prepared = prepare()
    status: int = _loaded(module).run(arguments, command, prepared)
    return status


def _loaded(command: str) -> ModuleType:
    """A command's module with all that it needs. None of it is garbage: to look for some takes a tenth of a start."""
    import gc
    from importlib import import_module

    gc.disable()
    try:
        return import_module(f"mlbuild.cli.{command}")
    finally:
        gc.freeze()
        gc.enable()


def _bug() -> int:
    """Say that it is ours, and where the traceback is."""
    import tempfile
    import traceback

    text = traceback.format_exc()
    with tempfile.NamedTemporaryFile("w", prefix="mlbuild-bug-", suffix=".txt", delete=False) as file:
        file.write(text)
    last = text.strip().splitlines()[-1]
    print(
        f"error: this is a bug of mlbuild's own: {last}\n  hint: please report it with what is in {file.name}",
        file=sys.stderr,
    )
    return INTERNAL_ERROR
