"""One target at very many keys under mlbuild, Snakemake and Dagster: what it costs to plan, to look, to backfill a few.

    bench/setup && .venv-bench/bin/python bench/scale.py                  the three tools, as tables in Markdown
    python bench/scale.py mlbuild --keys 1000 10000                       one of them, at some numbers of keys

Whole processes are timed, each once: seconds on a CPU (user and system, with all that a process waited for), since
other work on the machine changes these least; and the peak of its memory. Dagster has no command for a plan: a script
asks its library for what its daemon computes before the first run of a backfill starts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEYS = {
    "mlbuild": [1_000, 33_000, 90_000, 100_000, 1_000_000],
    "snakemake": [1_000, 3_000, 10_000],
    "dagster": [1_000, 10_000],
}
FILES = {
    "Pipelinefile": "partition n: range({count})\ntarget t[n]:\n"
    '    inputs: "in.txt"\n    outputs: "out/{{n}}.txt"\n    run: cp {{inputs}} {{outputs}}\n',
    "Snakefile": 'rule all:\n    input: expand("out/{{n}}.txt", n=range({count}))\n'
    'rule t:\n    input: "in.txt"\n    output: "out/{{n}}.txt"\n    shell: "cp {{input}} {{output}}"\n',
}
FEW = 100
"""Keys of a backfill."""


@dataclass(frozen=True)
class Cost:
    """Seconds on a CPU, and the most memory that one process had, in bytes."""

    seconds: float
    memory: int


def cost(words: list[str], folder: Path) -> Cost:
    """What a command costs, in a folder."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with open(folder / "said", "w+") as said:
        process = subprocess.Popen(words, cwd=folder, env={**os.environ, "PATH": path}, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(words)} ended with {process.returncode}:\n{said.read()[-2000:]}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def laid_out(folder: Path, count: int) -> None:
    for name, text in FILES.items():
        (folder / name).write_text(text.format(count=count))
    (folder / "in.txt").write_text("in\n")


def mlbuild(folder: Path, count: int) -> Iterator[Cost]:
    """Plan, status, a build with nothing to do, a dry run and a run of a backfill of a few."""
    tool = [sys.executable, "-m", "mlbuild"]
    yield cost([*tool, "-n"], folder)
    (folder / "out").mkdir()
    for number in range(count):
        (folder / "out" / f"{number}.txt").write_text("in\n")
    # As if all had been built: what stands there is said to be the result.
    cost([*tool, "accept", "t", "--because", "it takes hours"], folder)
    yield cost([*tool, "status"], folder)
    yield cost(tool, folder)
    first = count // 2
    for number in range(first, first + FEW):
        (folder / "out" / f"{number}.txt").unlink()
    backfill = [*tool, "backfill", "t", "--n", f"{first}..{first + FEW - 1}"]
    yield cost([*backfill, "-n"], folder)
    yield cost(backfill, folder)
    assert (folder / "out" / f"{first}.txt").exists()


def snakemake(folder: Path, count: int) -> Iterator[Cost]:
    yield cost(["snakemake", "-n", "--quiet", "all"], folder)


def dagster(folder: Path, count: int) -> Iterator[Cost]:
    yield cost([sys.executable, str(HERE / "scale/plan_dagster.py"), str(count)], folder)


TOOLS = {"mlbuild": mlbuild, "snakemake": snakemake, "dagster": dagster}
STEPS = ["plan", "`status`", "nothing to do", f"`backfill -n` of {FEW}", f"backfill of {FEW}"]
VERSION = "from importlib.metadata import version; print(version({!r}))"


def measured(tool: str, count: int) -> list[str]:
    """A row: each step in seconds, then the most memory that one of the first three had."""
    with tempfile.TemporaryDirectory() as folder:
        laid_out(Path(folder), count)
        costs = list(TOOLS[tool](Path(folder), count))
    seconds = [f"{each.seconds:.2f} s" for each in costs]
    memory = f"{max(each.memory for each in costs[:3]) / 1e6:,.0f} MB"
    return [tool, f"{count:,}", *seconds, *[""] * (len(STEPS) - len(seconds)), memory]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="*", choices=[*TOOLS, []], help="default: all")
    parser.add_argument("--keys", type=int, nargs="+", help="default: up to a million for mlbuild, 10,000 for others")
    options = parser.parse_args()
    tools = options.tools or list(TOOLS)
    versions = [subprocess.check_output([sys.executable, "-c", VERSION.format(tool)], text=True) for tool in tools]
    print(", ".join(f"{tool} {version.strip()}" for tool, version in zip(tools, versions, strict=True)), end="")
    print(f"; Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    print(f"| tool | keys | {' | '.join(STEPS)} | memory |")
    print(f"| --- | --: |{' --: |' * (len(STEPS) + 1)}")
    for tool in tools:
        for count in options.keys or KEYS[tool]:
            print(f"| {' | '.join(measured(tool, count))} |", flush=True)


if __name__ == "__main__":
    main()
