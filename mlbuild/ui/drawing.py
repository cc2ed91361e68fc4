"""The graph of a pipeline as a tree of lines, for Graphviz, for Mermaid, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from mlbuild.engine.survey import Seen
from mlbuild.ui.survey import states_text

COLORS = {
    **dict.fromkeys(("fresh", "absent"), "#d5ecd4"),
    "restorable": "#d3e5f5",
    **dict.fromkeys(("stale", "missing", "queued", "running"), "#fbeac1"),
    **dict.fromkeys(("failed", "blocked"), "#f5cfcf"),
}
"""Of a state, for boxes; a box of several states has the colour of the last of them in this order."""


class Node(Struct, frozen=True):
    """A target with all of its tasks, or one task.

    Attributes:
        facts: what JSON says of it beside its name and states.
        needs: the names of the nodes that it needs, in order, never its own.
    """

    name: str
    facts: Mapping[str, Any]
    states: Mapping[str, int]
    needs: Sequence[str]

    @property
    def words(self) -> str:
        return states_text(self.states)

    @property
    def color(self) -> str:
        return next((color for state, color in reversed(COLORS.items()) if self.states.get(state)), "#eeeeee")


def nodes(seen: Sequence[Seen], needs: Callable[[Seen], Sequence[str]], *, tasks: bool) -> list[Node]:
    """A node for each target, or for each task, in the order of `seen`.

    Args:
        needs: the names of the tasks that one needs.
    """
    targets = {each.surveyed.task.name: _shown(each) for each in seen}
    groups: dict[str, list[Seen]] = {}
    for each in seen:
        groups.setdefault(each.surveyed.task.name if tasks else _shown(each), []).append(each)
    found = []
    for name, group in groups.items():
        below = (need if tasks else targets[need] for each in group for need in needs(each))
        others = [other for other in dict.fromkeys(below) if other != name]
        found.append(Node(name, _facts(group[0], tasks), Counter(each.state for each in group), others))
    return found


def _shown(each: Seen) -> str:
    """A target as it is declared: `extract[day]`."""
    target = each.surveyed.task.target
    return f"{target.name}[{', '.join(target.partitions)}]" if target.partitions else target.name


def _facts(each: Seen, tasks: bool) -> dict[str, Any]:
    task = each.surveyed.task
    if not tasks:
        return {"target": task.target.name, "partitions": list(task.target.partitions)}
    keys = {name: key.text for name, key in zip(task.target.partitions, task.keys, strict=True)}
    return {"target": task.target.name, "keys": keys}


def tree(found: Sequence[Node]) -> Iterator[str]:
    """What nothing else needs at the left, and below each node what it needs; what was shown is not shown again."""
    by_name = {node.name: node for node in found}
    needed = {name for node in found for name in node.needs}
    shown: set[str] = set()
    # Targets may need each other in a circle (today's of one, yesterday's of the other): then no one is at the top.
    for root in sorted(found, key=lambda node: node.name in needed):
        if root.name not in shown:
            yield from _branch(root, by_name, shown)


def _branch(root: Node, by_name: Mapping[str, Node], shown: set[str]) -> Iterator[str]:
    # A stack and no recursion: a chain of days is as deep as there are days.
    waiting = [(root, "", "")]
    while waiting:
        node, first, rest = waiting.pop()
        again = node.name in shown and bool(node.needs)
        yield f"{first}{node.name}  {'(above)' if again else node.words}"
        shown.add(node.name)
        if not again:
            below = [(by_name[name], f"{rest}├─ ", f"{rest}│  ") for name in node.needs[:-1]]
            below += [(by_name[name], f"{rest}└─ ", f"{rest}   ") for name in node.needs[-1:]]
            waiting += reversed(below)


def dot(found: Sequence[Node]) -> Iterator[str]:
    """For Graphviz."""
    yield "digraph pipeline {"
    yield "    rankdir=LR"
    yield '    node [shape=box, style="rounded,filled", fontname="Helvetica"]'
    for node in found:
        yield f'    {_quoted(node.name)} [label={_quoted(node.name, node.words)}, fillcolor="{node.color}"]'
    for node in found:
        for need in node.needs:
            yield f"    {_quoted(need)} -> {_quoted(node.name)}"
    yield "}"


def _quoted(*lines: str) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in lines)
    return '"' + "\\n".join(escaped) + '"'


def mermaid(found: Sequence[Node]) -> Iterator[str]:
    """For Markdown pages that draw Mermaid."""
    numbers = {node.name: f"n{number}" for number, node in enumerate(found)}
    yield "flowchart LR"
    for node in found:
        text = "".join(char if char.isalnum() or char in " ,._-[]" else f"#{ord(char)};" for char in node.name)
        yield f'    {numbers[node.name]}["{text}<br/>{node.words}"]'
        yield f"    style {numbers[node.name]} fill:{node.color}"
    for node in found:
        for need in node.needs:
            yield f"    {numbers[need]} --> {numbers[node.name]}"


def document(found: Sequence[Node]) -> Iterator[str]:
    """JSON: `{"nodes": [{"name", "target", "partitions" or "keys", "states"}], "edges": [{"from", "to"}]}`."""
    rows = [{"name": node.name, **node.facts, "states": dict(node.states)} for node in found]
    edges = [{"from": need, "to": node.name} for node in found for need in node.needs]
    yield json.dumps({"nodes": rows, "edges": edges}, indent=2, ensure_ascii=False)


FORMATS: Mapping[str, Callable[[Sequence[Node]], Iterator[str]]] = {
    "tree": tree,
    "dot": dot,
    "mermaid": mermaid,
    "json": document,
}
