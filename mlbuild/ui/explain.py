"""`explain` for people and programs: why a task would run, or where what is in place comes from."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from typing import Any

from mlbuild.code.reach import Whole
from mlbuild.engine.causes import Alike, Cause
from mlbuild.engine.decide import Verdict
from mlbuild.engine.explain import Explanation, Group, Node, Origin
from mlbuild.engine.lying import Grown, Lying
from mlbuild.engine.survey import Seen
from mlbuild.ui.survey import task_json
from mlbuild.ui.words import (
    SHOWN,
    and_more,
    counted,
    duration,
    failed,
    orphan_text,
    reason_json,
    reason_text,
    standing_text,
    written_with,
)

WAY = 3
"""How many tasks between a cause and what it explains are named."""


def explain_lines(explanation: Explanation) -> list[str]:
    """For each group what would happen, and below it the first causes; then which code counts more than it might."""
    lines = []
    for group in explanation.groups:
        first, count = group.tasks[0], len(group.tasks)
        name = and_more([each.task.name for each in group.tasks])
        said = f"{name} {_happens(group)}"
        causes = [line for some in _of_one_file(group.causes) for line in _cause(some, group)]
        below = [*_attempted(first.seen, count), *causes, *_checkpoints(group)]
        lines += [f"{said}:", *(f"  {line}" for line in below)] if below else [said]
    return [*lines, *(_whole(whole) for whole in explanation.whole)]


def _whole(whole: Whole) -> str:
    place = f"line {whole.line}" if whole.path == whole.file else f"{whole.path}, line {whole.line}"
    return f"all of {whole.file} counts, called or not: {whole.why} ({place}) may reach any of it"


def _happens(group: Group) -> str:
    """What would happen to a task, or to several alike."""
    seen, plural = group.tasks[0].seen, len(group.tasks) > 1
    origins = [each.origin for each in group.tasks if each.origin]
    surveyed, be = seen.surveyed, "are" if plural else "is"
    decision, verdict = surveyed.decision, surveyed.decision.verdict
    if surveyed.blocked:
        return "would fail" if seen.state == "failed" else f"{be} blocked"
    if seen.orphan and seen.orphan.wanted and not seen.orphan.over:
        return "still run" if plural else "still runs"
    if verdict is Verdict.RUN:
        if surveyed.task.is_group:
            return f"{'gather' if plural else 'gathers'} what would run"
        return "may run, if what it needs comes out otherwise" if surveyed.maybe else "would run"
    if verdict is Verdict.RESTORE:
        return "would be restored from the store" + (f", as {_made(origins)}" if origins else "")
    if verdict is Verdict.ABSENT:
        return f"{be} absent: gone and not in the store, but all that needs {'them' if plural else 'it'} is fresh"
    if decision.take is not None:
        then = f"as {_made(origins)}, when all that counts was as it is now" if origins else "what the store has for it"
        return f"{be} fresh: what is in place is {then}; that is not {'their' if plural else 'its'} last success here"
    return f"{be} fresh" + (f": {_comes_from(origins)}" if origins else "")


def _comes_from(origins: Sequence[Origin]) -> str:
    text, again = f"{_made(origins)}, and {_inputs(origins)}", origins[0].again
    if origins[0].grown:
        text = f"{text}; it grew out of a checkpoint {_grown(origins[0].grown)}"
    return f"{text}; {and_more(again)} ran again since, and came out the same" if again else text


def _inputs(origins: Sequence[Origin]) -> str:
    count = origins[0].inputs
    if len(origins) > 1 or not count:
        return "nothing that counts has changed since"
    inputs = "input" if count == 1 else f"{count} inputs"
    return f"its {inputs} and all else that counts are as they were"


def _made(origins: Sequence[Origin]) -> str:
    """How, and in which run; of one also when."""
    origin, runs = origins[0], {origin.run for origin in origins}
    if len(runs) > 1:
        return f"{origin.how} in runs {min(runs)} {'and' if len(runs) == 2 else 'to'} {max(runs)}"
    how = f"{origin.how} in run {origin.run}"
    if len(origins) > 1:
        return how
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(origin.time))
    if origin.acceptance:
        return f"{how} on {moment} by {origin.acceptance.who} ({origin.acceptance.why})"
    # What a restored result took is that of making it, wherever that was.
    return f"{how} on {moment}" + ("" if origin.how == "restored" else f" in {duration(origin.seconds)}")


def _attempted(seen: Seen, count: int) -> list[str]:
    """How the last attempt ended, if the task is called failed for it."""
    if seen.orphan:
        return [orphan_text(seen.orphan, seen.standing)]
    if seen.standing:
        return [": ".join(filter(None, ["another build is at it", standing_text(seen.standing)]))]
    if seen.state != "failed" or seen.last is None or seen.last.reason == "ok":
        return []
    last, task = seen.last, seen.surveyed.task.name
    how = failed(last.reason or "", last.exit_status or 0, last.message)
    how = f"with {how}" if last.reason == "exit" else f"({how})"
    whose = "its last attempt failed" if count == 1 else f"their last attempts failed, that at {task}"
    return [f"{whose} {how}, in run {last.run}: `{shlex.join(['mlbuild', 'log', task])}`"]


def _grown(grown: Sequence[Grown]) -> str:
    """What a result grew out of."""
    return " and of one ".join(f"written with {written_with(each.differs)}" for each in grown)


def _checkpoints(group: Group) -> Iterator[str]:
    """What becomes of the checkpoints of tasks that would run, and what they would go on from."""
    some = [(each.task.name, each.seen.lying) for each in group.tasks if each.seen.lying]
    for name, lying in some[:SHOWN]:
        who, whose = ("it", "its") if len(group.tasks) == 1 else (name, "the")
        if lying.set_aside:
            how = f"were written with {written_with(lying.differs)}: they would be set aside"
            yield f"{whose} checkpoints in {lying.directory} {how}"
        if lying.resume_from:
            yield f"{who} would go on from {lying.resume_from}"
    if len(some) > SHOWN:
        yield f"and so on for {counted(len(some) - SHOWN, 'more task')}"


def _of_one_file(causes: Sequence[Alike]) -> list[list[Alike]]:
    """The definitions of one file that changed for the same tasks together, all else by itself."""
    found: dict[tuple[object, ...], list[Alike]] = {}
    for number, alike in enumerate(causes):
        cause = alike.first
        file, _, definition = cause.reason.what.partition(": ")
        if cause.reason.kind == "code" and definition and alike.things == 1:
            same = (file, tuple(alike.tasks), cause.since, cause.made, cause.verdict, alike.way)
            found.setdefault(same, []).append(alike)
        else:
            found[(number,)] = [alike]
    return list(found.values())


def _cause(some: Sequence[Alike], group: Group) -> list[str]:
    """A line for causes that are told together, and one for the way from there, if there is any between."""
    alike = some[0]
    cause, tasks, text = alike.first, alike.tasks, _changed([each.first for each in some])
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


def _changed(causes: Sequence[Cause]) -> str:
    """What changed, and since when.

    Args:
        causes: one, or several of one file: that is named once.
    """
    reason, since = causes[0].reason, causes[0].since
    file = f"code {reason.what.partition(': ')[0]}: "
    *texts, last = reason_text(reason), *(reason_text(one.reason).removeprefix(file) for one in causes[1:])
    text = f"{', '.join(texts)} and {last}" if texts else last
    # Only what is a difference is one to something.
    is_difference = since is not None and (reason.old is not None or reason.new is not None)
    return text + (f" since run {since}" if is_difference else "")


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
        "checkpoints": _lying_json(node.explained.seen.lying) if node.explained.seen.lying else None,
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
    return row | {"again": list(origin.again), "grown_from": grown_json(origin.grown)}


def _lying_json(lying: Lying) -> dict[str, Any]:
    return {
        "directory": lying.directory,
        "resume_from": lying.resume_from or None,
        "set_aside": lying.set_aside,
        "differs": [reason_json(reason) for reason in lying.differs],
    }


def grown_json(grown: Sequence[Grown]) -> list[dict[str, Any]]:
    """Out of whose checkpoints a result grew."""
    return [{"fingerprint": one.fingerprint, "differs": [reason_json(each) for each in one.differs]} for one in grown]
