"""`explain` for people and programs: why a task would run, or where what is in place comes from."""

from __future__ import annotations

import time
from typing import Any

from mlbuild.code.reach import Whole
from mlbuild.engine.causes import Alike
from mlbuild.engine.decide import Verdict
from mlbuild.engine.explain import Explained, Explanation, Group, Node, Origin
from mlbuild.engine.survey import Seen
from mlbuild.ui.survey import task_json
from mlbuild.ui.words import and_more, counted, duration, reason_json, reason_text

WAY = 3
"""How many tasks between a cause and what it explains are named."""


def explain_lines(explanation: Explanation) -> list[str]:
    """For each group what would happen, and below it the first causes; then which code counts more than it might."""
    lines = []
    for group in explanation.groups:
        first, count = group.tasks[0], len(group.tasks)
        name = and_more([each.task.name for each in group.tasks])
        said = f"{name} {_happens(first, plural=count > 1)}"
        below = [*_attempted(first.seen, count), *(line for alike in group.causes for line in _cause(alike, group))]
        lines += [f"{said}:", *(f"  {line}" for line in below)] if below else [said]
    return [*lines, *(_whole(whole) for whole in explanation.whole)]


def _whole(whole: Whole) -> str:
    place = f"line {whole.line}" if whole.path == whole.file else f"{whole.path}, line {whole.line}"
    return f"all of {whole.file} counts, called or not: {whole.why} ({place}) may reach any of it"


def _happens(each: Explained, *, plural: bool) -> str:
    """What would happen to a task, or to several alike."""
    surveyed, origin = each.seen.surveyed, each.origin
    verdict, be = surveyed.decision.verdict, "are" if plural else "is"
    if surveyed.blocked:
        return "would fail" if each.seen.state == "failed" else f"{be} blocked"
    if verdict is Verdict.RUN:
        if surveyed.task.is_group:
            return f"{'gather' if plural else 'gathers'} what would run"
        return "may run, if what it needs comes out otherwise" if surveyed.maybe else "would run"
    if verdict is Verdict.RESTORE:
        return "would be restored from the store" + (f", as {_made(origin, plural=plural)}" if origin else "")
    if verdict is Verdict.ABSENT:
        return f"{be} absent: gone and not in the store, but all that needs {'them' if plural else 'it'} is fresh"
    return f"{be} fresh" + (f": {_comes_from(origin, plural=plural)}" if origin else "")


def _comes_from(origin: Origin, *, plural: bool) -> str:
    text = f"{_made(origin, plural=plural)}, and {_inputs(origin, plural=plural)}"
    if not origin.again:
        return text
    return f"{text}; {and_more(origin.again)} ran again since, and came out the same"


def _inputs(origin: Origin, *, plural: bool) -> str:
    if plural or not origin.inputs:
        return "nothing that counts has changed since"
    inputs = "input" if origin.inputs == 1 else f"{origin.inputs} inputs"
    return f"its {inputs} and all else that counts are as they were"


def _made(origin: Origin, *, plural: bool) -> str:
    how = f"{origin.how} in run {origin.run}"
    if plural:
        return how
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(origin.time))
    if origin.acceptance:
        return f"{how} on {moment} by {origin.acceptance.who} ({origin.acceptance.why})"
    return f"{how} on {moment} in {duration(origin.seconds)}"


def _attempted(seen: Seen, count: int) -> list[str]:
    """How the last attempt ended, if the task is called failed for it."""
    if seen.state == "running":
        return ["another build is at it"]
    if seen.state != "failed" or seen.last is None or seen.last.reason == "ok" or count > 1:
        return []
    last = seen.last
    how = f"with exit status {last.exit_status}" if last.reason == "exit" else f"({last.message or last.reason})"
    return [f"its last attempt failed {how}, in run {last.run}: `mlbuild log {seen.surveyed.task.name}`"]


def _cause(alike: Alike, group: Group) -> list[str]:
    """A line for causes that are alike, and one for the way from there, if there is any between."""
    cause, tasks, text = alike.first, alike.tasks, _changed(alike)
    own = {each.task.name for each in group.tasks}
    if cause.task.name in own:
        if alike.things > 1:
            return [f"{text}, and {alike.things - 1} more like it"]
        return [text if len(tasks) == len(own) else f"{text} ({and_more(tasks)})"]
    more = f", and {len(tasks) - 1} more like it" if len(tasks) > 1 else ""
    lines = [f"{cause.task.name} {_verb(alike)}, because {text}{more}"]
    if alike.way:
        named = ", ".join(task.name for task in alike.way[:WAY])
        rest = len(alike.way) - WAY
        lines.append(f"  by way of {named}" + (f" and {counted(rest, 'more task')}" if rest > 0 else ""))
    return lines


def _verb(alike: Alike) -> str:
    if alike.first.made is not None:
        return f"changed in run {alike.first.made}"
    return {
        Verdict.RUN: "would run",
        Verdict.RESTORE: "would be restored",
    }.get(alike.first.verdict, "changed")


def _changed(alike: Alike) -> str:
    reason, since = alike.first.reason, alike.first.since
    # Only what is a difference is one to something.
    is_difference = since is not None and (reason.old is not None or reason.new is not None)
    return reason_text(reason) + (f" since run {since}" if is_difference else "")


def explain_json(explanation: Explanation) -> dict[str, Any]:
    """The document of `explain --json` (see the command-line reference): every task once, however long the chains."""
    return {
        "groups": [_group_json(group) for group in explanation.groups],
        "tasks": [_node_json(node) for node in explanation.nodes],
        "whole": [{"file": one.file, "why": one.why, "path": one.path, "line": one.line} for one in explanation.whole],
    }


def _node_json(node: Node) -> dict[str, Any]:
    surveyed, origin = node.explained.seen.surveyed, node.explained.origin
    return {
        **task_json(node.explained.seen),
        "verdict": surveyed.decision.verdict.value,
        "maybe": surveyed.maybe,
        "behind": list(node.behind),
        "origin": _origin_json(origin) if origin else None,
    }


def _group_json(group: Group) -> dict[str, Any]:
    first = group.tasks[0].seen
    return {
        "tasks": [each.task.name for each in group.tasks],
        "state": first.state,
        "verdict": first.surveyed.decision.verdict.value,
        "maybe": first.surveyed.maybe,
        "causes": [_cause_json(alike) for alike in group.causes],
    }


def _cause_json(alike: Alike) -> dict[str, Any]:
    cause = alike.first
    return {
        "task": cause.task.name,
        **reason_json(cause.reason),
        "since": cause.since,
        "run": cause.made,
        "tasks": len(alike.tasks),
        "things": alike.things,
        "way": [task.name for task in alike.way],
    }


def _origin_json(origin: Origin) -> dict[str, Any]:
    row: dict[str, Any] = {"how": origin.how, "run": origin.run, "time": origin.time, "seconds": origin.seconds}
    if origin.acceptance:
        row |= {"who": origin.acceptance.who, "why": origin.acceptance.why}
    return row | {"again": list(origin.again)}
