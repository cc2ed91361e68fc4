"""`mlbuild check`: read the Pipelinefile and say everything that is wrong with it, and what is doubtful."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from mlbuild.app.looking import doubtful_imports
from mlbuild.app.texts import declare, observed
from mlbuild.app.workspace import Workspace, verify
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.cli.candidates import BUILD, COMMON
from mlbuild.engine.undeclared import Missing
from mlbuild.errors import ManyErrors, MlbuildError, UsageError
from mlbuild.language.doubts import doubts
from mlbuild.ui.words import counted, problem_row


def run(arguments: list[str], command: str) -> int:
    words = ("NAME=value", "overrides")
    parser = Parser(command, "Say everything that is wrong with the Pipelinefile, and what is doubtful.", words)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--observed", action="store_true", help="say what runs were seen to read, undeclared")
    parser.add_argument("--fix", action="store_true", help="with --observed: write it into the Pipelinefile")
    options = parse(parser, arguments)
    if options.fix and not options.observed:
        raise UsageError("--fix writes what --observed finds", hint="mlbuild check --observed --fix")
    try:
        workspace, goals = workspace_and_goals(options, command, chosen=False)
        verify(workspace)
    except MlbuildError as error:
        if not options.json:
            raise
        print(_document(error.errors if isinstance(error, ManyErrors) else (error,), ()))
        return error.exit_status
    if goals:
        raise UsageError(f"check takes no goal, and this is one: {goals[0]}", hint="it reads all of the Pipelinefile")
    if options.observed:
        return _observed(workspace, fix=options.fix, as_json=options.json)
    found = [*doubts(workspace.pipeline, (*BUILD, *COMMON)), *doubtful_imports(workspace)]
    if options.json:
        print(_document((), found))
        return 0
    for doubt in found:
        print(f"{doubt}\n", file=sys.stderr)
    print(f"{_counts(workspace)}: no mistake found" + (f", {counted(len(found), 'doubt')}" if found else ""))
    return 0


def _observed(workspace: Workspace, *, fix: bool, as_json: bool) -> int:
    """What runs were seen to read is said, or written into the Pipelinefile where that changes nothing else."""
    found = observed(workspace)
    left = declare(workspace, found) if fix else [one for one in found if one.problem]
    problems = {(one.target.name, one.path): one.problem for one in left}
    if as_json:
        rows = [_missing_row(one, problems.get((one.target.name, one.path), "")) for one in found]
        print(json.dumps({"observed": rows}, indent=2, ensure_ascii=False))
        return 0
    for one in found:
        name, problem = one.target.name, problems.get((one.target.name, one.path))
        if problem:
            print(f"{name} reads {one.path}, which it does not declare: declare it by hand, since {problem}")
        elif fix:
            print(f"{name} now has {one.clause}: {one.item}")
        else:
            print(f"{name} reads {one.path}, which it does not declare: it lacks {one.clause}: {one.item}")
    if not found:
        print("the last runs were seen to read nothing that is not declared")
    elif not fix and len(problems) < len(found):
        print("`mlbuild check --observed --fix` writes that into the Pipelinefile")
    return 0


def _missing_row(one: Missing, problem: str) -> dict[str, Any]:
    tasks = [task.name for task in one.tasks]
    row = {"target": one.target.name, "path": one.path, "tasks": tasks, "clause": one.clause, "item": one.item}
    return row | ({"problem": problem} if problem else {})


def _counts(workspace: Workspace) -> str:
    pipeline = workspace.pipeline
    return f"{counted(len(pipeline.targets), 'target')}, {counted(len(pipeline.partitions), 'partition')}"


def _document(mistakes: Iterable[MlbuildError], doubtful: Iterable[MlbuildError]) -> str:
    rows = {"mistakes": [problem_row(one) for one in mistakes], "doubts": [problem_row(one) for one in doubtful]}
    return json.dumps(rows, indent=2, ensure_ascii=False)
