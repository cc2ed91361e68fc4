"""What the commands share: options that name a Pipelinefile, and words that are goals or overrides."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from typing import NoReturn

from mlbuild.app.workspace import Workspace, find, open_workspace
from mlbuild.cli.commands import COMMANDS, NOT_YET
from mlbuild.errors import MlbuildError, UnknownParam, UsageError
from mlbuild.graph.select import select
from mlbuild.values import nearest

OVERRIDE = re.compile(r"(?P<name>[A-Za-z_]\w*(?:\.\w+)*)=(?P<value>.*)", re.DOTALL)


PARTITION = re.compile(r"--(?P<name>[A-Za-z_]\w*)(?:=(?P<keys>.*))?", re.DOTALL | re.ASCII)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
GOALS = ("GOAL or NAME=value", "targets, tasks, named outputs, paths; overrides")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose mistakes are UsageErrors, with the options that every command has.

    Args:
        words: what the words beside the options are, and in a sentence; the first is empty where there are none.
    """

    def __init__(self, command: str, description: str, words: tuple[str, str] = GOALS) -> None:
        super().__init__(prog=f"mlbuild {command}".rstrip(), description=description, allow_abbrev=False)
        self.add_argument("-f", "--file", metavar="PATH", help="this Pipelinefile; its folder is the workspace")
        self.add_argument("-C", "--directory", metavar="PATH", default=".", help="as if started in this folder")
        self.add_argument("words", nargs="*", metavar=words[0], help=words[1] if words[0] else argparse.SUPPRESS)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` lists the options")


def parse(parser: Parser, arguments: list[str]) -> argparse.Namespace:
    """Options may stand before, between and after goals; after `--` everything is a goal."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    options, unknown = parser.parse_known_intermixed_args(_with_keys(parser, arguments[:cut]))
    options.known, options.prog = [*parser._option_string_actions], parser.prog
    if unknown:
        raise _no_option(unknown[0].partition("=")[0], options.known, parser.prog)
    options.words += arguments[cut + 1 :]
    if not os.path.isdir(options.directory):
        raise UsageError(f"-C: there is no folder {options.directory}")
    return options


def workspace_and_goals(options: argparse.Namespace, command: str, *, chosen: bool) -> tuple[Workspace, list[str]]:
    """Read the Pipelinefile, and tell overrides from goals.

    Args:
        command: the subcommand as typed, or ''.
        chosen: it could not mean a target (it stood behind `build`, or `--` stood before the goals).

    Raises:
        MlbuildError: what is wrong with either.
    """
    matches = [(word, OVERRIDE.fullmatch(word)) for word in options.words]
    goals = [word for word, match in matches if not match]
    overrides = [(match["name"], match["value"]) for _, match in matches if match]
    workspace, goals = _open(options, goals, overrides)
    _verify_keys(workspace, options)
    if not chosen:
        _refuse_ambiguous(workspace, command or (goals[0] if goals else ""))
    if not chosen and not command and goals:
        _hint_at_subcommand(workspace, goals[0])
    return workspace, goals


def _open(
    options: argparse.Namespace, goals: list[str], overrides: list[tuple[str, str]]
) -> tuple[Workspace, list[str]]:
    """Read the Pipelinefile. What looks like an override, and is a path that some target makes, is a goal."""
    keys = [_key_option(text) for text in getattr(options, "key", [])]
    try:
        return open_workspace(find(options.file, options.directory), overrides, options.directory, keys), goals
    except UnknownParam as error:
        paths = [f"{name}={value}" for name, value in overrides if name == error.name]
        rest = [(name, value) for name, value in overrides if name != error.name]
        workspace, goals = _open(options, [*goals, *paths], rest)
        try:
            select(workspace.graph, paths, workspace.folder)
        except UsageError:
            raise error from None
        return workspace, goals


def _key_option(text: str) -> tuple[str, str]:
    name, sign, keys = text.partition("=")
    if not sign:
        raise UsageError(f"--key {text}: no keys are given", hint="as in --key day=2013-01-01..2013-01-31")
    return name, keys


def add_key_option(parser: Parser) -> None:
    """`--key NAME=KEYS`, as which `parse` reads `--NAME KEYS` too."""
    help = "only these keys of the goals that have the partition; also --NAME KEYS"
    parser.add_argument("--key", action="append", default=[], metavar="NAME=KEYS", help=help)


def as_duration(text: str) -> float:
    """The value of an option as seconds. Raises ArgumentTypeError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is no duration; write it as 90s, 30m, 4h or 2d")
    return float(match[1]) * UNITS[match[2]]


def _with_keys(parser: Parser, arguments: list[str]) -> list[str]:
    """`--day K` and `--day=K` as `--key day=K`, for all that is no option."""
    known = parser._option_string_actions
    found: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        match = PARTITION.fullmatch(word)
        if not match or f"--{match['name']}" in known or "--key" not in known:
            found.append(word)
            continue
        keys = match["keys"] if match["keys"] is not None else next(waiting, None)
        if keys is None or keys.startswith("-"):
            if get_close_matches(f"--{match['name']}", known, 1, 0.75):
                raise _no_option(f"--{match['name']}", known, parser.prog)
            parser.error(f"--{match['name']}: no keys are given")
        found += ["--key", f"{match['name']}={keys}"]
    return found


def _no_option(word: str, known: Iterable[str], prog: str) -> UsageError:
    near = get_close_matches(word, [name for name in known if name.startswith("--")], 1)
    hint = f"did you mean {near[0]}?" if near else f"`{prog} --help` lists the options"
    return UsageError(f"there is no option {word}", hint=hint)


def _verify_keys(workspace: Workspace, options: argparse.Namespace) -> None:
    """Raises UsageError for an option that was read as a partition, and is none."""
    for name, _ in workspace.keys:
        if name not in workspace.graph.partitions:
            error = _no_option(
                f"--{name}", (*(f"--{one}" for one in workspace.graph.partitions), *options.known), options.prog
            )
            raise UsageError(f"there is no option or partition `{name}`", hint=error.hint)


def _refuse_ambiguous(workspace: Workspace, word: str) -> None:
    """A first word that is a subcommand as well as a target could mean either."""
    if word in COMMANDS or word in NOT_YET:
        if word in workspace.pipeline.targets:
            raise ambiguous(word)
        refuse_later(word)


def _hint_at_subcommand(workspace: Workspace, word: str) -> None:
    """Raises UsageError for a first word that means nothing and is, or nearly is, a subcommand."""
    command = nearest(word, COMMANDS)
    if command is None or word in workspace.pipeline.targets:
        return
    try:
        select(workspace.graph, [word], workspace.folder)
    except UsageError as error:
        near = [f"`mlbuild {command}`", *get_close_matches(word, workspace.pipeline.targets, 1)]
        raise UsageError(error.message, hint=f"did you mean {' or '.join(near)}?") from None


def refuse_later(word: str) -> None:
    """Raises UsageError for a subcommand that a later version brings."""
    if word in NOT_YET:
        raise UsageError(f"the subcommand `{word}` is not there yet")


def find_unread(options: argparse.Namespace, command: str) -> str:
    """The path of the Pipelinefile, for a command that works although that is broken. Raises UsageError if there is
    none, or a target is called like the command."""
    path = find(options.file, options.directory)
    refuse_target(path, command)
    return path


def refuse_target(path: str, command: str) -> None:
    """For a command that works although the Pipelinefile is broken. Raises UsageError if a target is called like it."""
    from mlbuild.app.texts import has_target

    is_target = False
    with suppress(MlbuildError):
        is_target = has_target(path, command)
    if is_target:
        raise ambiguous(command)


def ambiguous(word: str) -> UsageError:
    """The error for a first word that is a subcommand and a target."""
    hint = f"for the target: `mlbuild build {word}`, or `mlbuild -- {word}`"
    return UsageError(f"`{word}` is a subcommand and a target", hint=hint)
