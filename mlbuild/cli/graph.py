"""`mlbuild graph [GOAL…]`: the graph, as text or for other programs to draw."""

from __future__ import annotations

from mlbuild.app.looking import status
from mlbuild.cli.arguments import Parser, add_key_option, parse, workspace_and_goals
from mlbuild.engine.survey import unknown_keys
from mlbuild.errors import UsageError
from mlbuild.ui.drawing import FORMATS, nodes
from mlbuild.ui.survey import unknown_lines


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "The graph of the pipeline with the state of each target: what it needs stands below it.")
    parser.add_argument("--format", choices=[*FORMATS, "svg"], default="tree", help="how to draw it (default: tree)")
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="the same as --format json")
    parser.add_argument("--tasks", action="store_true", help="a node a task")
    add_key_option(parser)
    options = parse(parser, arguments)
    if options.format == "svg":
        hint = "`mlbuild graph --format dot | dot -Tsvg` draws it with Graphviz"
        raise UsageError("`--format svg` is not there yet", hint=hint)
    workspace, goals = workspace_and_goals(options, command, chosen=False)
    graph = workspace.graph
    seen = status(workspace, goals, whole=True)
    found = nodes(seen, lambda each: [need.name for need in graph.needs(each.surveyed.task)], tasks=options.tasks)
    unknown = unknown_lines(unknown_keys(graph, seen)) if options.format == "tree" else []
    for line in (*FORMATS[options.format](found), *unknown):
        print(line)
    return 0
