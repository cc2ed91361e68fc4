"""`mlbuild fmt [PATH…]`: lay out Pipelinefiles."""

from __future__ import annotations

import os

from mlbuild.app.texts import has_target, lay_out
from mlbuild.app.workspace import find
from mlbuild.cli.arguments import Parser, ambiguous, parse
from mlbuild.ui.words import counted


def run(arguments: list[str], command: str) -> int:
    """Returns 1 if `--check` found something to change."""
    words = ("PATH", "Pipelinefiles (default: the one of this workspace; not those that it includes)")
    parser = Parser(command, "Lay out Pipelinefiles: indentation, blanks, empty lines.", words)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something would change")
    options = parse(parser, arguments)
    paths = options.words or [_own(options.file, options.directory, command)]
    changed = lay_out(options.directory, paths, write=not options.check)
    for path in changed:
        print(f"would lay out {path}" if options.check else f"laid out {path}")
    if not changed:
        print(f"{counted(len(paths), 'file')} laid out already")
    return int(options.check and bool(changed))


def _own(file: str | None, folder: str, command: str) -> str:
    """The path of this workspace's Pipelinefile from a folder."""
    path = find(file, folder)
    if has_target(path, command):
        raise ambiguous(command)
    return os.path.relpath(path, folder)
