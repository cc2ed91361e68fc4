"""What the commands share: options that name a Pipelinefile, and words that are goals or overrides."""

from __future__ import annotations

import argparse
import os
import re
from typing import NoReturn

from mlbuild.app import Workspace, find, open_workspace
from mlbuild.cli.commands import COMMANDS, NOT_YET
from mlbuild.errors import UsageError

OVERRIDE = re.compile(r"(?P<name>[A-Za-z_]\w*(?:\.\w+)*)=(?P<value>.*)", re.DOTALL)


GOALS = ("GOAL or NAME=value", "targets, tasks, named outputs, paths; overrides")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose mistakes are UsageErrors, with the options that every command has.

    Args:
        words: what the words beside the options are, and in a sentence.
    """

    def __init__(self, command: str, description: str, words: tuple[str, str] = GOALS) -> None:
        super().__init__(prog=f"mlbuild {command}".rstrip(), description=description, allow_abbrev=False)
        self.add_argument("-f", "--file", metavar="PATH", help="this Pipelinefile; its folder is the workspace")
        self.add_argument("-C", "--directory", metavar="PATH", default=".", help="as if started in this folder")
        self.add_argument("words", nargs="*", metavar=words[0], help=words[1])

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` lists the options")


def parse(parser: Parser, arguments: list[str]) -> argparse.Namespace:
    """Options may stand before, between and after goals; after `--` everything is a goal."""
    if "--" in arguments:
        cut = arguments.index("--")
        options = parser.parse_intermixed_args(arguments[:cut])
        options.words += arguments[cut + 1 :]
    else:
        options = parser.parse_intermixed_args(arguments)
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
    path = find(options.file, options.directory)
    workspace = open_workspace(path, overrides, options.directory)
    if not chosen:
        _refuse_ambiguous(workspace, command or (goals[0] if goals else ""))
    return workspace, goals


def _refuse_ambiguous(workspace: Workspace, word: str) -> None:
    """A first word that is a subcommand as well as a target could mean either."""
    if word in COMMANDS or word in NOT_YET:
        if word in workspace.pipeline.targets:
            raise ambiguous(word)
        if word in NOT_YET:
            raise UsageError(f"the subcommand `{word}` is not there yet")


def ambiguous(word: str) -> UsageError:
    """The error for a first word that is a subcommand and a target."""
    hint = f"for the target: `mlbuild build {word}`, or `mlbuild -- {word}`"
    return UsageError(f"`{word}` is a subcommand and a target", hint=hint)
