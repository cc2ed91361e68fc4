"""The names of the subcommands, those that are taken for later ones among them, and where one stands."""

from collections.abc import Sequence

COMMANDS = {
    "build": "bring goals up to date (what `mlbuild GOAL` does, too)",
    "backfill": "the tasks of a range of keys that are missing, stale or failed, one after another",
    "submit": "give a cluster all that must run at once, each task behind what it needs, and leave",
    "status": "each target's state",
    "explain": "why a task would run, or why not",
    "impact": "what edits would make run, and what that costs",
    "accept": "take outputs that are in place for the result of the present code and values",
    "graph": "the graph: a tree with states, or for dot, mermaid, json",
    "log": "what a task's last attempt printed",
    "attach": "the view of a detached build",
    "cancel": "stop the builds that go on here, or only tasks of them",
    "remove": "remove outputs; what they held stays in the store",
    "store": "how large the store is; drop what nothing recent uses; find damage",
    "runs": "earlier builds: when, what ran, how it ended",
    "show": "what made a file, from what, and what depends on it",
    "executors": "where targets run: settings, what was found there, and what is wrong",
    "metrics": "values side by side: over keys, or against an earlier build",
    "init": "write a first Pipelinefile",
    "fmt": "lay out the Pipelinefile",
    "check": "read the Pipelinefile and say everything that is wrong with it",
    "completion": "a script for bash, zsh or fish that completes what is typed",
    "help": "what a subcommand does, and its options",
}
NOT_YET = frozenset((*("shell", "watch", "config", "push", "pull", "ui", "report", "import"),))
"""Subcommands whose names are taken already."""

WITH_PATH = ("-f", "--file", "-C", "--directory")
"""Options of every command, each with a path behind it."""


def command_at(words: Sequence[str]) -> int:
    """The place in a command line of its first word that is no option of every command; its length if there is none.

    A subcommand stands there, or nowhere.
    """
    waiting = iter(enumerate(words))
    for at, word in waiting:
        if word in WITH_PATH:
            next(waiting, None)
        elif word not in ("-h", "--help") and not word.startswith(("-f", "-C", "--file=", "--directory=")):
            return at
    return len(words)
