"""What attempts used of what they asked for, for people and programs, and what would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlbuild.engine.usage import Advice, Usage, advice, usage
from mlbuild.state.runs import Attempted
from mlbuild.ui.words import size, table


def usage_lines(attempts: Sequence[Attempted]) -> list[str]:
    """What attempts used of what they asked for, where that was more than the least, and what would do."""
    rows = [each for each in usage(attempts) if each.asked.memory or each.asked.gpus or each.asked.cpus > 1]
    if not rows:
        return []
    cells = [(each.target, str(each.attempts), _memory(each), _cpus(each), *_gpus(each)) for each in rows]
    head = ("target", "attempts", "memory used", "CPUs busy", "GPU-hours", "GPUs busy")
    columns = [column for column in zip(head, *cells, strict=True) if any(column[1:])]
    advised = [line for each in rows for line in advice_lines(each)]
    lines = table(list(zip(*columns, strict=True)), right=[1])
    return ["", *lines, *(["", *advised] if advised else [])]


def advice_lines(used: Usage) -> list[str]:
    """What would do of what was asked for."""
    return [f"{used.target}: {_advice_text(used, each)}" for each in advice(used)]


def _memory(used: Usage) -> str:
    part = used.memory_part
    return "" if part is None else f"{size(used.max_rss)} of {size(used.asked.memory or 0)} ({part:.0%})"


def _cpus(used: Usage) -> str:
    busy, asked = used.cpus_busy, used.asked.cpus
    return f"{busy:.1f} of {asked:g} ({busy / asked:.0%})" if asked and used.seen else ""


def _gpus(used: Usage) -> tuple[str, str]:
    if not used.asked.gpus:
        return "", ""
    busy = used.gpu_utilization
    return f"{used.gpu_hours:.2f}", "not known" if busy is None else f"{busy:.0%} of the time"


def _advice_text(used: Usage, advised: Advice) -> str:
    enough = advised.enough
    if advised.what == "gpus":
        return f"its GPUs were at work {used.gpu_utilization:.0%} of the time: something else holds it up"
    if advised.what == "cpus":
        return f"{used.cpus_busy:.1f} of its {used.asked.cpus:g} CPUs were busy: `cpus = {enough}` may do"
    instead = f"`memory = {_written(enough or 0)}`"
    if advised.more:
        how = "was killed for want of memory" if used.out_of_memory else "came close to the memory that it asked for"
        return f"it {how}, {size(used.asked.memory or 0)}: {instead} leaves room"
    return f"its largest process held {size(used.max_rss)} of {size(used.asked.memory or 0)}: {instead} may do"


def _written(amount: int) -> str:
    """As in a Pipelinefile: 384M, 2G."""
    return f"{amount >> 20}M" if amount % (1 << 30) else f"{amount >> 30}G"


def usage_json(attempts: Sequence[Attempted]) -> list[dict[str, Any]]:
    """A row for all attempts of a target that asked for the same."""
    return [_row(used) for used in usage(attempts)]


def _row(used: Usage) -> dict[str, Any]:
    return {
        "target": used.target,
        "attempts": used.attempts,
        "seconds": used.seconds,
        "memory": used.asked.memory,
        "max_rss": used.max_rss or None,
        "cpus": used.asked.cpus,
        "cpus_busy": used.cpus_busy if used.seen else None,
        "gpus": used.asked.gpus,
        "gpu_hours": used.gpu_hours,
        "gpu_utilization": used.gpu_utilization,
        "nodes": used.asked.nodes,
        "advice": [
            {"what": each.what, "enough": each.enough, "text": _advice_text(used, each)} for each in advice(used)
        ],
    }
