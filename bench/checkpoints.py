"""What checkpoints cost an attempt, and what it costs to watch for them: as tables in Markdown.

    python bench/checkpoints.py                     about a minute
    python bench/checkpoints.py --rounds 3 --seconds 1 --many 100

An attempt is timed from the moment its executor is given it until that has the result. Of the process that watches, and
of the children that it sends to look at files, the time on a CPU is taken as the kernel counts it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlbuild.executors.job import Checkpoints, Job
from mlbuild.executors.local import LocalExecutor

SAVE = "echo 1 > {0}/{1}.tmp; mv {0}/{1}.tmp {0}/{1}"


class Bench:
    """A workspace and its executor; each attempt has a number of its own."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        (workspace / ".mlbuild/runs/1").mkdir(parents=True)
        self.executor = LocalExecutor(str(workspace / ".mlbuild/runs/1"), str(workspace), 4, 4, None)
        self.count = 0

    def job(self, recipe: str, asked: Checkpoints | None) -> Job:
        self.count += 1
        return Job(f"a{self.count}", "task", str(self.workspace), recipe, log=f"log{self.count}", checkpoints=asked)

    def seconds(self, recipe: str, asked: Checkpoints | None) -> float:
        """How long an attempt takes."""
        job = self.job(recipe.format((asked.directory if asked else "plain/").rstrip("/"), self.count), asked)
        begin = time.perf_counter()
        self.executor.submit([job])
        (result,) = self.executor.finished(600)
        assert result.ok, result
        return time.perf_counter() - begin

    def fill(self, asked: Checkpoints, many: int) -> None:
        """Have an attempt leave many checkpoints."""
        script = self.workspace / "fill.py"
        script.write_text(
            "import os\n"
            f"for n in range({many}):\n"
            f"    open(f'{asked.directory}{{n}}.tmp', 'w').write(str(n))\n"
            f"    os.rename(f'{asked.directory}{{n}}.tmp', f'{asked.directory}{{n}}')\n"
        )
        self.seconds(f"{sys.executable} fill.py", asked)


def attempts(place: Path, rounds: int, many: int) -> list[str]:
    """What attempts take, by turns."""
    bench = Bench(place)
    (place / "plain").mkdir()
    kinds: dict[str, Callable[[], float]] = {
        "without checkpoints": lambda: bench.seconds("true", None),
        "with an empty directory": lambda: bench.seconds("true", Checkpoints("empty/", "k", "f")),
        "the same file written, without checkpoints": lambda: bench.seconds(SAVE, None),
        "one saved, `keep = 2`": lambda: bench.seconds(SAVE, Checkpoints("kept/", "k", "f", keep=2)),
        f"nothing saved, {many:,} there": lambda: bench.seconds("true", Checkpoints("many/", "k", "f")),
    }
    bench.fill(Checkpoints("many/", "k", "f"), many)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, measure in kinds.items():
            times[name].append(measure() * 1e3)
    bench.executor.close()
    rows = [f"| {name} | {statistics.median(found):.1f} | {min(found):.1f} |" for name, found in times.items()]
    return ["| an attempt | ms, median | ms, least |", "| --- | --: | --: |", *rows]


def watching(place: Path, seconds: float, many: int) -> list[str]:
    """The part of a core that it takes to watch over an attempt with many checkpoints."""
    bench = Bench(place)
    asked = Checkpoints("many/", "k", "f")
    bench.fill(asked, many)
    rows = ["| watching over | % of a core |", "| --- | --: |"]
    kinds = {
        f"{many:,} checkpoints, nothing saved": "sleep 1000",
        f"{many:,} checkpoints, one saved a second": f"while sleep 1; do {SAVE.format('many', 'new')}; done",
    }
    for name, recipe in kinds.items():
        (handle,) = bench.executor.submit([bench.job(f"echo $PPID > parent; {recipe}", asked)])
        while not (place / "parent").exists() or not (place / "parent").read_text():
            time.sleep(0.1)
        pid = int((place / "parent").read_text())
        time.sleep(2)  # what there is to do at the start is done
        begin, before = time.monotonic(), on_cpu(pid)
        time.sleep(seconds)
        part = (on_cpu(pid) - before) / (time.monotonic() - begin)
        rows.append(f"| {name} | {part * 100:.3f} |")
        bench.executor.cancel([handle], now=True)
        bench.executor.finished(600)
        (place / "parent").unlink()
    bench.executor.close()
    return rows


def on_cpu(pid: int) -> float:
    """Seconds on a CPU, of a process and the children that it has reaped."""
    own = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="attempts of each kind")
    parser.add_argument("--seconds", type=float, default=20, help="of watching")
    parser.add_argument("--many", type=int, default=10_000, help="how many checkpoints are many")
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs\n")
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (
            ("attempts", lambda place: attempts(place, asked.rounds, asked.many)),
            ("watching", lambda place: watching(place, asked.seconds, asked.many)),
        ):
            (Path(folder) / name).mkdir()
            print(*rows(Path(folder) / name), "", sep="\n")


if __name__ == "__main__":
    main()
