"""`mlbuild help [SUBCOMMAND]`: what it does, and its options."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from mlbuild.app.workspace import find
from mlbuild.cli.arguments import Parser, parse, refuse_later, refuse_target
from mlbuild.cli.build import build_parser
from mlbuild.cli.commands import COMMANDS
from mlbuild.errors import UsageError
from mlbuild.values import nearest


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "What a subcommand does, and its options.", ("SUBCOMMAND", "without it: all of them"))
    options = parse(parser, arguments)
    path = None
    with suppress(UsageError):  # it helps where there is no Pipelinefile, too
        path = find(options.file, options.directory)
    if path:
        refuse_target(path, command)
    if len(options.words) > 1:
        raise UsageError("help takes one subcommand", hint="`mlbuild help` lists them")
    word = options.words[0] if options.words else "build"
    refuse_later(word)
    if word not in COMMANDS:
        near = nearest(word, COMMANDS)
        hint = f"did you mean {near}?" if near else "`mlbuild help` lists them"
        raise UsageError(f"there is no subcommand `{word}`", hint=hint)
    if word == "build":
        build_parser().print_help()
        return 0
    status: int = import_module(f"mlbuild.cli.{word}").run(["--help"], word)
    return status
