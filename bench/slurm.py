"""Many trivial tasks on a Slurm cluster: mlbuild, a plain `sbatch --array` of the same recipe, and Snakemake, by turns.

    python bench/slurm.py                                                  1,000 tasks, beside a plain array
    bench/setup && .venv-bench/bin/python bench/slurm.py snakemake         100 tasks, beside Snakemake, too

Brings up the cluster of the tests on this machine, two nodes of 8 CPUs as they claim. The clock runs from the command
to the last output; calls of Slurm's commands are counted by scripts before them in PATH. The plain array is what one
would write by hand for the recipe: `#!/bin/bash`, `set -euo pipefail`, and the recipe with SLURM_ARRAY_TASK_ID as key.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from cluster import Cluster, until

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
STAND_IN = '#!/bin/sh\necho {name} >> "{log}"\nexec {path} "$@"\n'
SRUN = '#!/bin/sh\nSLURM_CONF={conf} exec {path} "$@"\n'
"""Snakemake's jobs drop the variable that names the cluster, and call `srun`."""
ARRAY = """\
#!/bin/bash
#SBATCH --array=0-{last} --mem=10M --output=/dev/null
set -euo pipefail
echo "$SLURM_ARRAY_TASK_ID" > "out/$SLURM_ARRAY_TASK_ID"
"""
PIPELINE = """\
executor cluster: slurm(delay = 1s)
partition n: range({count})
target t[n]:
    outputs: "out/{{n}}"
    on: cluster
    resources: memory = 10M
    run: echo {{n}} > {{outputs}}
"""
SNAKEFILE = """\
rule all:
    input: expand("out/{{n}}", n=range({count}))
rule t:
    output: "out/{{n}}"
    resources: mem_mb=10
    shell: "echo {{wildcards.n}} > {{output}}"
"""


def plain(folder: Path, count: int) -> list[str]:
    (folder / "array.sh").write_text(ARRAY.format(last=count - 1))
    (folder / "out").mkdir()
    return ["sbatch", "array.sh"]


def mlbuild(folder: Path, count: int) -> list[str]:
    (folder / "Pipelinefile").write_text(PIPELINE.format(count=count))
    return [sys.executable, "-m", "mlbuild", "--quiet"]


def snakemake(folder: Path, count: int) -> list[str]:
    """As fast as its plugin goes: no wait before it first looks. Without accounting it asks `squeue`. The script of its
    arrays falls apart into several lines, of which only the first job's runs: they are left out."""
    (folder / "Snakefile").write_text(SNAKEFILE.format(count=count))
    slurm = ["--slurm-no-account", "--slurm-status-command=squeue"]
    early = ["--slurm-init-seconds-before-status-checks=1", "--seconds-between-status-checks=1"]
    resources = ["--default-resources", "runtime=10", "slurm_partition=main"]
    return ["snakemake", "all", "--quiet", "all", "--executor=slurm", f"--jobs={count}", *slurm, *early, *resources]


TOOLS = {"a plain array": plain, "mlbuild": mlbuild, "snakemake": snakemake}


@contextmanager
def cluster() -> Iterator[Cluster]:
    made = Cluster(Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp")))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def counting(folder: Path, slurm: Cluster) -> tuple[str, Path]:
    """A folder for PATH in which Slurm's commands are counted, and the list of the calls."""
    log = folder / "calls"
    log.touch()
    (folder / "bin").mkdir()
    for name in COMMANDS:
        script = folder / "bin" / name
        script.write_text(STAND_IN.format(name=name, log=log, path=shutil.which(name)))
        script.chmod(0o755)
    srun = folder / "bin/srun"
    srun.write_text(SRUN.format(conf=slurm.environment["SLURM_CONF"], path=shutil.which("srun")))
    srun.chmod(0o755)
    return str(folder / "bin"), log


def timed(tool: str, count: int, slurm: Cluster) -> tuple[float, Counter[str]]:
    """Seconds until all outputs are there, and how often each of Slurm's commands was called."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as aside:
        folder = Path(name)
        words = TOOLS[tool](folder, count)
        counted, log = counting(Path(aside), slurm)
        path = f"{counted}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        began = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=folder, env={**os.environ, **slurm.environment, "PATH": path}, stdout=subprocess.DEVNULL
        )
        if tool == "a plain array":
            process.wait()
            out = folder / "out"
            while len(os.listdir(out)) < count or not all(file.stat().st_size for file in out.iterdir()):
                time.sleep(0.05)
        if process.wait():
            sys.exit(f"{tool} ended with {process.returncode}")
        seconds = time.perf_counter() - began
        until(lambda: not slurm.ask("squeue", "--noheader").strip())
        return seconds, Counter(log.read_text().split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("others", nargs="*", choices=["snakemake", []], help="beside mlbuild and a plain array")
    parser.add_argument("--tasks", type=int, help="default: 1000, with others 100")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    count = options.tasks or (100 if options.others else 1000)
    tools = [*TOOLS][:2] + options.others
    took: dict[str, list[float]] = {tool: [] for tool in tools}
    calls: dict[str, Counter[str]] = {}
    with cluster() as slurm:
        for _ in range(options.rounds):
            for tool in tools:
                seconds, calls[tool] = timed(tool, count, slurm)
                took[tool].append(seconds)
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    print(f"| {count:,} tasks | s, median | of a plain array | {' | '.join(f'`{name}`' for name in COMMANDS)} |")
    print(f"| --- |{' --: |' * (2 + len(COMMANDS))}")
    base = statistics.median(took[tools[0]])
    for tool in tools:
        median = statistics.median(took[tool])
        counts = " | ".join(str(calls[tool][name]) for name in COMMANDS)
        print(f"| {tool} | {median:.1f} | {median / base:.2f} | {counts} |")


if __name__ == "__main__":
    main()
