"""The same ten edits of the same pipeline under mlbuild, DVC and Snakemake: what each runs, and what it should have.

    bench/setup && .venv-bench/bin/python bench/edits.py               the three tools, as tables in Markdown
    python bench/edits.py mlbuild                                      some of them
    .venv-bench/bin/python bench/edits.py --time                       a build with nothing to do, too

What should have run is found by clean builds without any of the tools (`edits/all.sh`): the stages whose output an edit
changes. Of those a tool that did not run them and left the old output has *missed* them; what it ran beside them is
*unneeded*.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PIPELINE = HERE / "edits"
OUTPUTS = {
    "prepare": ("days/1.csv", "days/2.csv", "days/3.csv"),
    **{f"features {day}": (f"features/{day}.csv",) for day in (1, 2, 3)},
    **{f"train {model}": (f"{model}.json",) for model in ("linear", "ridge")},
    "evaluate": ("scores.json",),
}
"""Stage, as the scripts call it → what it makes, below build/."""
ROUNDS = 5


# --- the tools


@dataclass(frozen=True)
class Tool:
    """A build tool: how it is asked for its version, to take a folder as its own, and to build what stands there."""

    version: list[str]
    build: list[str]
    prepare: tuple[list[str], ...] = ()


TOOLS = {
    "mlbuild": Tool([sys.executable, "-m", "mlbuild", "--version"], [sys.executable, "-m", "mlbuild", "-j2"]),
    "dvc": Tool(
        ["dvc", "--version"],
        ["dvc", "repro", "--quiet"],
        (["dvc", "init", "--no-scm", "--quiet"], ["dvc", "config", "core.analytics", "false"]),
    ),
    "snakemake": Tool(["snakemake", "--version"], ["snakemake", "--cores", "2", "--quiet", "all"]),
}


def run(words: list[str], folder: Path) -> str:
    """What a command prints, in a folder; its recipes find this Python first, and note what ran in the file `log`."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"PATH": path, "EDITS_LOG": str(folder / "log"), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(words, cwd=folder, env={**os.environ, **own}, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(words)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout.strip()


def version(tool: Tool) -> str:
    return re.sub(r"^\D*", "", run(tool.version, HERE))


# --- the edits


Change = Callable[[Path], None]


def exchange(path: str, old: str, new: str) -> Change:
    """Put one piece of a file in another's place."""

    def change(folder: Path) -> None:
        text = (folder / path).read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        (folder / path).write_text(text.replace(old, new))

    return change


def touch(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and "build" not in path.parts and not any(part.startswith(".") for part in path.parts):
            os.utime(path)


def remarks(folder: Path) -> None:
    """Comments, docstrings and layout."""
    exchange("src/common.py", '"""From degrees Fahrenheit."""', '"""Degrees Celsius."""')(folder)
    exchange("src/common.py", "return min(values), max(values)", "return (min(values), max(values))  # both")(folder)
    exchange("src/units.py", "BOILING", "\n# At the level of the sea.\nBOILING")(folder)


@dataclass(frozen=True)
class Edit:
    """An edit of a pipeline that is built, after `first`, which is built as well."""

    title: str
    change: Change
    first: Change | None = None


RIDGE = "penalty: 2.5", "penalty: 3.5"
EDITS = [
    Edit("every file touched", touch),
    Edit("comments, docstrings, layout of a shared module", remarks),
    Edit("a function that nothing calls", exchange("src/common.py", "min(values), max(values)", "sorted(values)")),
    Edit("a shared function that only training calls", exchange("src/common.py", "x * x for", "x * x + 1 for")),
    Edit("a constant two imports away", exchange("src/units.py", "32.0", "31.0")),
    Edit(
        "another expression of the same value",
        exchange("src/prepare.py", "== Path(out).stem", '== f"{Path(out).stem}"'),
    ),
    Edit("one measurement of one day", exchange("data/raw.csv", "2,42.2,135.2", "2,42.2,135.25")),
    Edit("a param of one model", exchange("params.yaml", *RIDGE)),
    Edit("that param, and back", exchange("params.yaml", *reversed(RIDGE)), exchange("params.yaml", *RIDGE)),
    Edit("a file that a script reads and nobody declared", exchange("data/offset.txt", "0.0", "1.0")),
]


# --- what ran


def outputs(folder: Path) -> dict[str, list[bytes]]:
    """Stage → what stands where its outputs belong."""
    return {stage: [(folder / "build" / path).read_bytes() for path in paths] for stage, paths in OUTPUTS.items()}


def clean(folder: Path, edit: Edit | None) -> dict[str, list[bytes]]:
    """What every stage makes after an edit, in an empty folder and without any tool."""
    shutil.copytree(PIPELINE, folder)
    if edit is not None:
        for change in (edit.first, edit.change):
            if change:
                change(folder)
    run(["sh", "all.sh"], folder)
    return outputs(folder)


def ran(folder: Path) -> list[str]:
    """The stages that ran since the last look."""
    log = folder / "log"
    found = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return found


def cell(reran: list[str], needed: set[str], stale: set[str]) -> str:
    """How a tool did, in words."""
    unneeded = len(reran) - len(needed.intersection(reran))
    found = [f"{unneeded} unneeded"] if unneeded else []
    found += [f"**{len(stale)} missed**"] if stale else []
    return f"{len(reran)}: {', '.join(found)}" if found else str(len(reran))


def compare(tools: list[str], place: Path) -> list[str]:
    """The table, a row an edit."""
    before = clean(place / "clean", None)
    bases = {}
    for name in tools:
        bases[name] = place / name
        shutil.copytree(PIPELINE, bases[name])
        for words in TOOLS[name].prepare:
            run(words, bases[name])
        run(TOOLS[name].build, bases[name])
        ran(bases[name])
    rows = [["edit", "needed", *tools], ["---", "--:", *("---" for _ in tools)]]
    for number, edit in enumerate(EDITS):
        after = clean(place / f"clean-{number}", edit)
        needed = {stage for stage in OUTPUTS if after[stage] != before[stage]}
        cells = []
        for name in tools:
            folder = place / f"{name}-{number}"
            subprocess.run(["cp", "-a", bases[name], folder], check=True)
            if edit.first:
                edit.first(folder)
                run(TOOLS[name].build, folder)
                ran(folder)
            edit.change(folder)
            run(TOOLS[name].build, folder)
            left = outputs(folder)
            cells.append(cell(ran(folder), needed, {stage for stage in OUTPUTS if left[stage] != after[stage]}))
        rows.append([edit.title, str(len(needed)), *cells])
    return [f"| {' | '.join(row)} |" for row in rows]


# --- nothing to do


WIDE = {
    "mlbuild": (
        "Pipelinefile",
        "partition n: range({tasks})\ntarget t[n]:\n"
        '    inputs: "in.txt"\n    outputs: "out/{{n}}.txt"\n    run: cp {{inputs}} {{outputs}}\n',
    ),
    "dvc": (
        "dvc.yaml",
        "stages:\n  t:\n    foreach: {numbers}\n    do:\n      cmd: mkdir -p out; cp in.txt out/${{item}}.txt\n"
        '      deps: [in.txt]\n      outs: ["out/${{item}}.txt"]\n',
    ),
    "snakemake": (
        "Snakefile",
        'rule all:\n    input: expand("out/{{n}}.txt", n=range({tasks}))\n'
        'rule t:\n    input: "in.txt"\n    output: "out/{{n}}.txt"\n    shell: "cp {{input}} {{output}}"\n',
    ),
}


def time_nothing(tools: list[str], place: Path, tasks: int) -> list[str]:
    """How long a build takes that has nothing to do, by turns: the median, in seconds and as a ratio."""
    for name in tools:
        folder = place / f"wide-{name}"
        folder.mkdir()
        file, text = WIDE[name]
        (folder / file).write_text(text.format(tasks=tasks, numbers=list(range(tasks))))
        (folder / "in.txt").write_text("in\n")
        for words in (*TOOLS[name].prepare, TOOLS[name].build):
            run(words, folder)
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(ROUNDS):
        for name in tools:
            started = time.monotonic()
            run(TOOLS[name].build, place / f"wide-{name}")
            seconds[name].append(time.monotonic() - started)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    best = min(medians.values())
    rows = [["", *tools], ["---", *("--:" for _ in tools)], [f"nothing to do in {tasks} tasks"]]
    rows[-1] += [f"{found:.2f} s ({found / best:.1f})" for found in medians.values()]
    return [f"| {' | '.join(row)} |" for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="*", choices=[*TOOLS, []], help="default: all")
    parser.add_argument("--time", action="store_true", help="time builds with nothing to do, too")
    options = parser.parse_args()
    tools = options.tools or list(TOOLS)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        print(", ".join(f"{name} {version(TOOLS[name])}" for name in tools), end="")
        print(f"; Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
        print("\n".join(compare(tools, place)))
        if options.time:
            print("", *time_nothing(tools, place, 100), sep="\n")


if __name__ == "__main__":
    main()
