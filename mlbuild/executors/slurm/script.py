"""The script of a job, as text: what Slurm is asked for, and what runs on the node. Blind to the disk and to Slurm."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mlbuild.executors.folder import CLAIM, JOB, OUTPUT, REFUSED
from mlbuild.executors.job import Job
from mlbuild.executors.node import EARLY, TO_CLOSE

MEBIBYTE = 1 << 20
REFUSE = f'refuse() {{ echo "$1, on ${{SLURMD_NODENAME:-$HOSTNAME}}" | tee "$folder/{REFUSED}"; exit 1; }}'
"""How a script says why nothing can run on its node, and ends."""
WATCH = """trap 'refuse "setup failed by exit status $?: $BASH_COMMAND"' ERR"""
"""A line of the setup that fails ends the job, but not one within a function, as `module` is one."""
LONGEST_WARNING = 65_535
"""Seconds before the end of a job's time at which Slurm can warn it."""
MOST_OTHERS = 10_000
"""Of so many of its array a job is told: a command line holds a few times as much."""


@dataclass(frozen=True, slots=True)
class Site:
    """What an executor says of its cluster.

    Attributes:
        queue, account, qos, constraint, exclude: as the options of `sbatch` (the queue is its partition).
        gpu: the type of its GPUs.
        ntasks: how many tasks `srun` starts.
        time: no job runs for longer, in seconds.
        options: for all else, as given to `sbatch`.
        setup: lines of shell before the job.
        delay: seconds after which this host is sure to see what a node has written.
    """

    queue: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    gpu: str | None = None
    ntasks: int | None = None
    time: float | None = None
    options: tuple[str, ...] = ()
    setup: str = ""
    delay: float = 10.0


def limit(job: Job, site: Site) -> float | None:
    """After how many seconds Slurm may end the job; None: that is left to the queue."""
    own = None if job.timeout is None else job.timeout + job.grace + TO_CLOSE + EARLY
    known = [seconds for seconds in (own, site.time) if seconds is not None]
    return min(known) if known else None


def resources(job: Job, site: Site) -> list[str]:
    """The options of `sbatch` for what a job asks for."""
    seconds = limit(job, site)
    given = {
        "partition": site.queue,
        "account": site.account,
        "qos": site.qos,
        "constraint": site.constraint,
        "nodes": job.nodes,
        "ntasks": site.ntasks,
        "cpus-per-task": math.ceil(job.cpus),
        "mem": f"{math.ceil(job.memory / MEBIBYTE)}M" if job.memory else None,
        "gres": f"gpu:{site.gpu}:{job.gpus}" if site.gpu and job.gpus else f"gpu:{job.gpus}" if job.gpus else None,
        "time": math.ceil(seconds / 60) if seconds else None,  # Slurm counts minutes
        # Without `B:` the processes of `srun` would be told, and not we.
        "signal": f"B:USR1@{min(round(job.grace + EARLY), LONGEST_WARNING)}",
    }
    return [f"--{name}={value}" for name, value in given.items() if value is not None]


def render(
    name: str,
    folders: Sequence[str],
    job: Job,
    site: Site,
    exclude: Sequence[str],
    python: str,
    root: str,
    after: str = "",
    width: int | None = None,
    indices: Sequence[int] = (0,),
    is_shared: bool = True,
) -> str:
    """The script of one job, or of an array of jobs that ask for the same.

    Args:
        folders: of the jobs, absolute, all in one folder; the script lies in the first.
        job: one of them.
        exclude: nodes on which none shall run.
        python: the interpreter.
        root: the folder in which `mlbuild` lies.
        after: what must have succeeded before, as `--dependency` has it.
        width: at most so many of an array run at once.
        indices: those that the jobs have in their array.
        is_shared: whether a job of the array may take up the work of others of it.
    """
    first, jobs = folders[0], os.path.dirname(folders[0])
    away = ",".join(filter(None, (site.exclude, *exclude)))
    # Of an array each job has a folder of its own, which Slurm doesn't know.
    output = os.path.join(first, OUTPUT).replace("%", "%%") if len(folders) == 1 else os.devnull
    at_once = f"%{width}" if width and width < len(folders) else ""
    options = [
        f"--job-name={name}",
        f"--output={output}",
        f"--chdir={job.workspace}",
        "--open-mode=append",
        # A job is one attempt: where the next one is made, its driver decides.
        "--no-requeue",
        *resources(job, site),
        *([f"--exclude={away}"] if away else []),
        *([f"--array={_ranges(indices)}{at_once}"] if len(folders) > 1 else []),
        # Behind one that failed it would wait for ever.
        *([f"--dependency={after}", "--kill-on-invalid-dep=yes"] if after else []),
        *site.options,
    ]
    lines = ["#!/bin/bash", *(f"#SBATCH {shlex.quote(option)}" for option in options), ""]
    # Slurm's warning may come at once, and would end the shell before there is anybody who knows what it means.
    lines.append("trap '' USR1")
    if len(folders) == 1:
        lines.append(f"folder={shlex.quote(first)}")
    else:
        names = (shlex.quote(os.path.basename(each)) for each in folders)
        lines.append(f"attempts=({' '.join(f'[{index}]={name}' for index, name in zip(indices, names, strict=True))})")
        lines.append(f'folder={shlex.quote(jobs)}/"${{attempts[$SLURM_ARRAY_TASK_ID]}}"')
        # Another of the array may have taken it up, and may have done it.
        lines.append(f'if test -e "$folder/{CLAIM}" || ! test -e "$folder/{JOB}"; then exit; fi')
        lines.append(f'exec >> "$folder/{OUTPUT}" 2>&1')
    lines.append(REFUSE)
    lines += [WATCH, site.setup, "trap - ERR"] if site.setup else []
    lines.append(f"[ -x {shlex.quote(python)} ] || refuse {shlex.quote(f'there is no {python}')}")
    # `-m` finds mlbuild where we are, and the recipe's PYTHONPATH stays its own.
    lines.append(f"cd {shlex.quote(root)} || refuse {shlex.quote(f'there is no {root}, where mlbuild lies')}")
    others = f' "${{attempts[@]:{indices[-MOST_OTHERS:][0]}}}"' if len(folders) > 1 and is_shared else ""
    lines.append(f'exec {shlex.quote(python)} -m mlbuild.executors.node "$folder" "$SECONDS"{others}')
    return "\n".join(lines) + "\n"


def _ranges(indices: Sequence[int]) -> str:
    """Indices in their order, those in a row as one: 0-2,5"""
    rows: list[list[int]] = []
    for index in indices:
        if rows and rows[-1][-1] == index - 1:
            rows[-1].append(index)
        else:
            rows.append([index])
    return ",".join(f"{row[0]}-{row[-1]}" if len(row) > 1 else f"{row[0]}" for row in rows)
