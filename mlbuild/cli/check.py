"""`mlbuild check`: read the Pipelinefile and say everything that is wrong with it, and what is doubtful."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from mlbuild.app import Workspace, verify
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.cli.candidates import BUILD, COMMON
from mlbuild.errors import ManyErrors, MlbuildError
from mlbuild.language.doubts import doubts
from mlbuild.ui.words import counted


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Say everything that is wrong with the Pipelinefile, and what is doubtful.")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parse(parser, arguments)
    try:
        workspace, _ = workspace_and_goals(options, command, chosen=False)
        verify(workspace)
    except MlbuildError as error:
        if not options.json:
            raise
        print(_document(error.errors if isinstance(error, ManyErrors) else (error,), ()))
        return error.exit_status
    found = doubts(workspace.pipeline, (*BUILD, *COMMON))
    if options.json:
        print(_document((), found))
        return 0
    for doubt in found:
        print(f"{doubt}\n", file=sys.stderr)
    print(f"{_counts(workspace)}: no mistake found" + (f", {counted(len(found), 'doubt')}" if found else ""))
    return 0


def _counts(workspace: Workspace) -> str:
    pipeline = workspace.pipeline
    return f"{counted(len(pipeline.targets), 'target')}, {counted(len(pipeline.partitions), 'partition')}"


def _document(mistakes: Iterable[MlbuildError], doubtful: Iterable[MlbuildError]) -> str:
    rows = {"mistakes": [_row(one) for one in mistakes], "doubts": [_row(one) for one in doubtful]}
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _row(error: MlbuildError) -> dict[str, Any]:
    row: dict[str, Any] = {"message": error.message, "hint": error.hint}
    if error.at:
        row |= {"file": error.at.source.path, "line": error.at.line, "column": error.at.column}
    return row
