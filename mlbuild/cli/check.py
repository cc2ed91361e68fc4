"""`mlbuild check`: read the Pipelinefile and say everything that is wrong with it."""

from __future__ import annotations

from mlbuild.app import verify
from mlbuild.cli.arguments import Parser, parse, workspace_and_goals
from mlbuild.ui.words import counted


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Say everything that is wrong with the Pipelinefile.")
    options = parse(parser, arguments)
    workspace, _ = workspace_and_goals(options, command, chosen=False)
    verify(workspace)
    pipeline = workspace.pipeline
    counts = f"{counted(len(pipeline.targets), 'target')}, {counted(len(pipeline.partitions), 'partition')}"
    print(f"{counts}: no mistake found")
    return 0
