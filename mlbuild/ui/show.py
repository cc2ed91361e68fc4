"""Where something comes from and where it goes, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlbuild.engine.provenance import Origin, Shown
from mlbuild.graph.task import Task
from mlbuild.ui.explain import grown_json
from mlbuild.ui.runs import commit_text, used
from mlbuild.ui.words import counted, duration, size, table, when, written_with

DIGITS = 12
"""Of a digest and a commit, for people."""
UNDECLARED = {"read": "an undeclared file"}
NAMED = 3
"""Tasks that are named before they, or those beyond, are counted."""


def show_lines(shown: Shown) -> list[str]:
    if shown.task is None:
        return [f"{shown.path}: no task makes it", *_uses(shown)]
    name = shown.path or shown.task.name
    origin = shown.origin
    if origin is None:
        never = "gathers other tasks" if shown.task.is_group else "was never built here"
        by = f", which {shown.task.name} makes," if shown.path else ""
        return [f"{name}{by} {never}", *_uses(shown)]
    outputs = [(output.path, how, size(output.size), _short(output.digest)) for output, how in origin.outputs]
    lines = [f"{name}: {_state(shown, origin)}", *table(_facts(shown.task, origin))]
    if outputs:
        lines += ["", *table([("output", "now", "size", "digest"), *outputs], right=[2])]
    parts = [(*row, shown.makers[row[1]].name if row[1] in shown.makers else "") for row in _parts(origin)]
    if parts:
        lines += ["", "made from", *(f"  {line}" for line in table(parts))]
    return [*lines, *_uses(shown)]


def _state(shown: Shown, origin: Origin) -> str:
    """Whether what was asked for is as it was made."""
    wanted = (shown.path or "").rstrip("/")
    found = [how for output, how in origin.outputs if not wanted or _holds(output.path, wanted)]
    made = "as it was accepted" if origin.accepted else "as it was made"
    words = {"gone": "gone since it was made", "changed": f"not {made}", "removed": "temporary, and removed"}
    return next((words[how] for how in words if how in found), made)


def _holds(made: str, path: str) -> bool:
    return made.rstrip("/") == path or path.startswith(made.rstrip("/") + "/")


def _facts(task: Task, origin: Origin) -> list[tuple[str, str]]:
    attempt, run = origin.attempt, origin.run
    facts = []
    if attempt:
        facts.append(("made by", f"{task.name}, run {attempt.begun}, attempt {attempt.number}"))
        facts.append(("when", f"{when(attempt.started)}, on {attempt.executor}{_cost(origin)}"))
    else:
        facts.append(("made by", f"{task.name}, not by an attempt that is known here"))
    if origin.beside:
        more = f" and {len(origin.beside) - NAMED} more" if len(origin.beside) > NAMED else ""
        facts.append(("together", f"with {', '.join(origin.beside[:NAMED])}{more}, in one run of the recipe"))
    if origin.again:
        facts.append(("restored", f"by run {origin.again.number}, {when(origin.trace.finished)}"))
    if origin.accepted:
        said = origin.accepted
        facts.append(("accepted", f"by {said.who}, run {said.run}, {when(said.at)}: {said.why}"))
    facts += [("grown from", f"a checkpoint written with {written_with(each.differs)}") for each in origin.grown]
    if attempt:
        facts += zip(["command", *[""] * len(attempt.command)], attempt.command.splitlines(), strict=False)
    if run and run.overrides:
        facts.append(("with", ", ".join(f"{name}={new} (else {old})" for name, new, old in run.overrides)))
    if run and run.commit:
        facts.append(("commit", commit_text(run.commit, run.dirty)))
    return facts


def _cost(origin: Origin) -> str:
    attempt = origin.attempt
    if attempt is None or attempt.seconds is None:
        return ""
    return ", took " + ", ".join(filter(None, (duration(attempt.seconds), used(attempt))))


def _parts(origin: Origin) -> list[tuple[str, str, str]]:
    """What it was made from: (kind, what, digest or value)."""
    fingerprint = origin.trace.fingerprint
    rows = [
        (kind, what, value if kind in ("param", "environ") else _short(value))
        for kind, what, value in _split(fingerprint.named())
        if kind not in ("recipe", "output", "names")
    ]
    return rows + _split({name: value for name, value in fingerprint.notes.items() if name not in fingerprint.parts})


def _split(parts: Any) -> list[tuple[str, str, str]]:
    """(kind, what, value) of the parts of a fingerprint."""
    return [(*name.partition(" ")[::2], value) for name, value in parts.items()]


def _short(digest: str) -> str:
    return digest[:DIGITS] if " " not in digest else digest


def _uses(shown: Shown) -> list[str]:
    """Which tasks read it, and which depend on those."""
    if not shown.readers:
        return ["", "no task reads it"]
    lines = []
    for kinds in dict.fromkeys(reader.kinds for reader in shown.readers):
        how = (
            "comes before"
            if kinds == ("after",)
            else f"read as {' and '.join(UNDECLARED.get(kind, kind) for kind in kinds)} by"
        )
        lines.append((how, _listed([reader.task for reader in shown.readers if reader.kinds == kinds])))
    if shown.downstream:
        lines.append(("and then by", _listed(shown.downstream)))
    return ["", *table(lines)]


def _listed(tasks: Sequence[Task]) -> str:
    """The names of tasks; of a target with many, how many."""
    by_target: dict[str, list[str]] = {}
    for task in tasks:
        by_target.setdefault(task.target.name, []).append(task.name)
    return ", ".join(
        ", ".join(names) if len(names) <= NAMED else f"{target} ({counted(len(names), 'task')})"
        for target, names in by_target.items()
    )


def show_json(shown: Shown) -> dict[str, Any]:
    task = shown.task
    return {
        "path": shown.path,
        "task": task.name if task else None,
        "keys": {n: key.text for n, key in zip(task.target.partitions, task.keys, strict=True)} if task else {},
        "made": _made(shown, shown.origin) if shown.origin else None,
        "read_by": [{"task": each.task.name, "as": list(each.kinds)} for each in shown.readers],
        "downstream": [each.name for each in shown.downstream],
    }


def _made(shown: Shown, origin: Origin) -> dict[str, Any]:
    attempt, run, said = origin.attempt, origin.run, origin.accepted
    fingerprint = origin.trace.fingerprint
    return {
        "run": attempt.begun if attempt else None,
        "attempt": attempt.number if attempt else None,
        "beside": list(origin.beside),
        "started": attempt.started if attempt else None,
        "seconds": attempt.seconds if attempt else None,
        "max_rss": attempt.max_rss if attempt else None,
        "cpu_seconds": attempt.cpu_seconds if attempt else None,
        "gpu_utilization": attempt.gpu_utilization if attempt else None,
        "max_gpu_memory": attempt.max_gpu_memory if attempt else None,
        "executor": attempt.executor if attempt else None,
        "command": attempt.command if attempt else None,
        "overrides": [list(each) for each in run.overrides] if run else [],
        "commit": run.commit if run else None,
        "dirty": run.dirty if run else None,
        "restored_by": origin.again.number if origin.again else None,
        "accepted": {"run": said.run, "time": said.at, "who": said.who, "why": said.why} if said else None,
        "fingerprint": fingerprint.key,
        "grown_from": grown_json(origin.grown),
        "outputs": [
            {"path": output.path, "digest": output.digest, "size": output.size, "now": how}
            for output, how in origin.outputs
        ],
        "parts": [
            {"kind": kind, "what": what, "value": value}
            | ({"task": shown.makers[what].name} if what in shown.makers else {})
            for kind, what, value in _split({**fingerprint.notes, **fingerprint.named()})
        ],
    }
