"""What can stand where the cursor is on a command line.

Only looks at the left edge of the Pipelinefile, but for tasks: so a broken one completes as well as a whole one, and a
key press loads next to nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from mlbuild.cli.commands import COMMANDS, WITH_PATH, command_at

Candidate = tuple[str, str]
"""(What is typed, what it is in a few words or nothing.)"""

COMMON = ("--file", "--directory", "--help")
TELLING = ("--events", "--verbose", "--quiet", "--color", "--no-color", "--progress")
BUILDING = ("--dry-run", "--jobs", "--key", "--max-active", "--on", "--detach", *TELLING)
BUILD = ("--keep-going", "--no-keep-going", "--always-make", "--force", "--question", *BUILDING)
OPTIONS = {
    "": ("--version", *BUILD),
    "build": BUILD,
    "backfill": (
        *("--from", "--to", "--mode", "--newest-first", "--canary", "--max-failures", "--with-upstream"),
        *("--with-downstream", "--json", *BUILDING),
    ),
    "submit": ("--dry-run", "--key", "--on", "--json", *TELLING),
    "status": ("--key", "--tasks", "--json"),
    "explain": ("--key", "--json"),
    "impact": ("--since", "--budget", "--gpu-hours", "--key", "--json"),
    "accept": ("--because", "--key", "--dry-run"),
    "graph": ("--key", "--format", "--tasks", "--json"),
    "log": ("--follow", "--attempt"),
    "cancel": ("--dry-run", "--now", "--key", "--json"),
    "remove": ("--all", "--checkpoints", "--vanished", "--key", "--dry-run"),
    "store": ("--older-than", "--max-size", "--dry-run", "--json"),
    "runs": ("--limit", "--json"),
    "show": ("--json",),
    "metrics": ("--key", "--against", "--format", "--json"),
    "executors": ("--test", "--wait", "--json"),
    "check": ("--observed", "--fix", "--json"),
    "fmt": ("--check",),
}
"""Beside those that all commands have. Written down here, since loading a command takes ten times as long."""
VALUES = {
    "--progress": ("auto", "plain", "off"),
    "--mode": ("missing", "failed", "stale", "all"),
    "graph --format": ("tree", "dot", "mermaid", "json"),
    "metrics --format": ("table", "csv", "json"),
}
WORDS = {"completion": ("bash", "zsh", "fish"), "store": ("stats", "gc", "verify"), "help": tuple(COMMANDS)}
"""What stands behind a command that takes neither goals nor paths."""
PATHS = (*WITH_PATH, "--events")
"""Options whose value is a path: for the shell to complete."""
NUMBERS = (
    "-j",
    "--jobs",
    "--max-active",
    "--attempt",
    "--older-than",
    "--max-size",
    "--limit",
    "--wait",
    "--against",
    "--from",
    "--to",
)
NO_GOALS = ("runs", "attach", "check", "fmt", "init", "completion")

DECLARED = re.compile(
    r"""^(?:target[ \t]+(?P<target>\w+)[ \t]*(?:\[[^]\n]*\])?[ \t]*:[^\n]*(?:\n[ \t]+\"\"\"(?P<description>[^"\n]+))?"""
    r"""|executor[ \t]+(?P<executor>\w+)[ \t]*:"""
    r"""|param[ \t]+(?P<param>\w+)[ \t]*=[ \t]*(?P<value>[^#\n]*)|include[ \t]+["'](?P<file>[^"'\n]+)["'])""",
    re.MULTILINE,
)
LONGEST = 4 << 20
MOST_TASKS = 1000


def candidates(words: Sequence[str]) -> list[Candidate]:
    """What the last of the words (behind `mlbuild`) can be completed to; empty if that is for the shell to say."""
    *before, current = words or [""]
    current = current.lstrip("'\"").replace("\\", "")
    try:
        return [found for found in _all(before, current) if found[0].startswith(current)]
    except OSError:
        return []


def _all(before: list[str], current: str) -> Iterator[Candidate]:
    last = before[-1] if before else ""
    at = command_at(before)
    command = next((word for word in before[at : at + 1] if word in COMMANDS), "")
    if last in PATHS or last in NUMBERS or "=" in (last, current):
        return
    is_option = current.startswith("-") and "--" not in before
    if last == "--on" or (command == "executors" and not is_option):
        yield from ((name, "") for name in dict.fromkeys(["local", *_executors(before)]))
    elif values := VALUES.get(last) or VALUES.get(f"{command} {last}"):
        yield from ((value, "") for value in values)
    elif is_option:
        yield from ((option, "") for option in (*OPTIONS.get(command, ()), *COMMON))
    elif command in WORDS:
        yield from ((word, "") for word in WORDS[command])
    elif command not in NO_GOALS:
        if at == len(before):
            yield from COMMANDS.items()
        yield from _goals(before, current)


def _goals(before: list[str], current: str) -> Iterator[Candidate]:
    path = _chosen(before)
    if path and "[" in current:
        yield from ((name, "") for name in islice(_tasks(path, current.partition("[")[0]), MOST_TASKS))
    elif path:
        yield from (found for kind, found in _declared(path, os.path.dirname(path), set()) if kind != "executor")


def _executors(before: list[str]) -> Iterator[str]:
    if path := _chosen(before):
        yield from (name for kind, (name, _) in _declared(path, os.path.dirname(path), set()) if kind == "executor")


def _chosen(before: list[str]) -> str | None:
    """The Pipelinefile that the words speak of."""
    return _pipelinefile(_value(before, "-f", "--file"), _value(before, "-C", "--directory") or ".")


def _value(before: list[str], *names: str) -> str | None:
    found = [value for option, value in pairwise(before) if option in names]
    return found[-1] if found else None


def _pipelinefile(file: str | None, folder: str) -> str | None:
    if file:
        return os.path.join(folder, file)
    folder = os.path.abspath(folder)
    while not os.path.isfile(os.path.join(folder, "Pipelinefile")):
        if os.path.dirname(folder) == folder:
            return None
        folder = os.path.dirname(folder)
    return os.path.join(folder, "Pipelinefile")


def _declared(path: str, root: str, seen: set[str]) -> Iterator[tuple[str, Candidate]]:
    """(kind, candidate) of the targets, params and executors of a file and of those that it includes."""
    if path in seen or not os.path.isfile(path):
        return
    seen.add(path)
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(LONGEST)
    for match in DECLARED.finditer(text):
        if match["file"]:
            yield from _declared(os.path.join(root, match["file"]), root, seen)
        elif match["param"]:
            yield "param", (f"{match['param']}=", f"now {match['value'].strip()}")
        elif match["executor"]:
            yield "executor", (match["executor"], "")
        else:
            yield "target", (match["target"], (match["description"] or "").strip())


def _tasks(path: str, target: str) -> Iterator[str]:
    # This much is loaded only once a `[` was typed.
    from mlbuild.app.workspace import open_workspace
    from mlbuild.errors import MlbuildError

    try:
        workspace = open_workspace(path)
        if target in workspace.pipeline.targets:
            yield from (task.name for task in workspace.graph.tasks(workspace.pipeline.targets[target]))
    except MlbuildError:
        return
