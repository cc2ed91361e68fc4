"""An edit of the flights pipeline, row by row, and exactly the tasks that it makes run; its undo runs none."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flights import first_days, lay_out
from test_flights import BEHIND_TRAIN
from workspace import Workspace, names

DAYS = first_days(int(os.environ.get("MLBUILD_TEST_DAYS", 8)))
"""Of the year. The soak has all of them."""
REPORT = "    run: python pipeline/report.py"
FEATURES = names("features", DAYS)


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The first days of the flights, in a pipeline whose scripts share modules; built."""
    workspace = Workspace(tmp_path_factory.mktemp("flights"))
    lay_out(workspace, DAYS)
    replace(workspace, "Pipelinefile", REPORT, f'    code: "pipeline/carriers.json"\n{REPORT}')
    _share_modules(workspace)
    assert workspace.ok().ran == sorted([*names("extract", DAYS), *FEATURES, *BEHIND_TRAIN])
    yield workspace
    workspace.wait_until_quiet()


def _share_modules(workspace: Workspace) -> None:
    """features.py ← rates.py ← constants.py; features.py and report.py ← formats.py; and report.py reads two files."""
    features = workspace.read("pipeline/features.py")
    (rates,) = re.findall(r"class Rates:.*?\n\n\n", features, flags=re.DOTALL)
    (prior,) = re.findall(r"PRIOR = .*\n", features)
    workspace.write("pipeline/constants.py", f"{prior}MOST = 3\n")
    head = "from __future__ import annotations\nfrom collections import defaultdict\nimport constants\n"
    workspace.write("pipeline/rates.py", head + rates.replace("PRIOR", "constants.PRIOR"))
    features = features.replace(rates, "").replace(prior, "")
    features = features.replace("\nNOTICE", "\nimport formats\nfrom rates import Rates\nNOTICE")
    workspace.write("pipeline/features.py", features)
    replace(workspace, "pipeline/features.py", "int(clock[:2]) * 60 + int(clock[3:])", "formats.minutes(clock)")
    workspace.write("pipeline/formats.py", FORMATS)
    report = workspace.read("pipeline/report.py")
    (carriers,) = re.findall(r"CARRIERS = (\{.*?\n\})", report, flags=re.DOTALL)
    workspace.write("pipeline/carriers.json", json.dumps(eval(carriers)))
    workspace.write("pipeline/footer.txt", "by hand\n")
    report = report.replace(carriers, 'json.loads(Path("pipeline/carriers.json").read_text())\nimport formats')
    report = report.replace('f"{total.rate:.1%}"', "formats.percent(total.rate)")
    report = report.replace("write_text(filled", 'write_text(filled + Path("pipeline/footer.txt").read_text()')
    workspace.write("pipeline/report.py", report)


FORMATS = '''
    """How numbers are written."""

    HOUR = 60


    def minutes(clock):
        """Since midnight."""
        return int(clock[:2]) * HOUR + int(clock[3:])


    def percent(value):
        return f"{value:.1%}"


    def nobody(value):
        return str(value)
'''


# --- edits


Change = Callable[[Workspace], None]


def replace(workspace: Workspace, path: str, old: str, new: str) -> None:
    """Exchange one piece of a file for another; it must be there once."""
    text = workspace.read(path)
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
    (workspace.root / path).write_text(text.replace(old, new))


def edit(path: str, old: str, new: str) -> Change:
    return lambda workspace: replace(workspace, path, old, new)


def touch(workspace: Workspace) -> None:
    for path in workspace.root.rglob("*"):
        if path.is_file() and ".mlbuild" not in path.parts:
            os.utime(path)


def reformat(workspace: Workspace) -> None:
    """Comments, blank lines, quotes, brackets and line breaks, in each script and module."""
    for path in sorted((workspace.root / "pipeline").glob("*.py")):
        path.write_text(f"# A remark.\n{path.read_text()}\n\n# The end.\n")
    replace(workspace, "pipeline/formats.py", "* HOUR + int(clock[3:])", "* (\n HOUR ) + int(clock[3:],)  # so")
    replace(workspace, "pipeline/features.py", '["late", "weekday"', "['late', 'weekday'")


LOCAL = "for flight in flights:\n            late[kind(flight)].append(flight.late)"
"""With a variable that can be renamed."""


def rename(name: str) -> Change:
    return edit("pipeline/rates.py", LOCAL, LOCAL.replace("flight", name).replace(f"{name}s", "flights"))


def shadow(workspace: Workspace) -> None:
    """A package goes before a module of its name."""
    text = workspace.read("pipeline/rates.py")
    changed = text.replace("constants.PRIOR * overall", "overall * constants.PRIOR")
    assert changed != text
    workspace.write("pipeline/rates/__init__.py", changed)


def reorder(workspace: Workspace) -> None:
    table = json.loads(workspace.read("pipeline/carriers.json"))
    assert list(table) != sorted(table, reverse=True)
    text = json.dumps({key: table[key] for key in sorted(table, reverse=True)}, indent=4)
    (workspace.root / "pipeline/carriers.json").write_text(text)


def remarks(workspace: Workspace) -> None:
    """Descriptions, retries, resources, timeouts."""
    replace(workspace, "Pipelinefile", "A model fitted", "One model fitted")
    replace(workspace, "Pipelinefile", "retry: 1, backoff = 1s", "retry: 3, backoff = 2s")
    replace(workspace, "Pipelinefile", "memory = 256M", "memory = 300M")
    replace(workspace, "Pipelinefile", "timeout: 30m", "timeout: 50m")


@dataclass(frozen=True)
class Row:
    """An edit, and all that it makes run."""

    title: str
    change: Change
    ran: list[str]


TABLE = [
    Row("every file touched", touch, []),
    Row("comments and a reformat", reformat, []),
    Row("a docstring", edit("pipeline/formats.py", "Since midnight.", "Of the day."), []),
    Row("a docstring of a script", edit("pipeline/extract.py", "The header, and the lines", "The lines"), []),
    # Meaning is structure. The features come out as they were, so that it ends there.
    Row("a renamed local variable", rename("one"), FEATURES),
    Row(
        "a constant two modules down",
        edit("pipeline/constants.py", "PRIOR = 10", "PRIOR = 11"),
        [*FEATURES, *BEHIND_TRAIN],
    ),
    Row("a constant that nothing reaches", edit("pipeline/constants.py", "MOST = 3", "MOST = 4"), []),
    Row("a function that nothing reaches", edit("pipeline/formats.py", "str(value)", "repr(value)"), []),
    Row("a function that one of two targets reaches", edit("pipeline/formats.py", ".1%", ".2%"), ["summary"]),
    Row("a package that shadows a module", shadow, FEATURES),
    Row(
        "a param",
        edit("params.yaml", "lr: 0.2", "lr: 0.17"),
        ["evaluate[boosted]", "summary", "train[boosted]"],
    ),
    Row("a key of params.yaml that nothing uses", edit("params.yaml", "seed:", "threads: 4\nseed:"), []),
    Row("descriptions, retries, resources, timeouts", remarks, []),
    Row("a check", edit("Pipelinefile", "metrics.auc >= 0.5", "metrics.auc >= 0.4"), []),
    Row("a reordered dict in a JSON file", reorder, []),
    Row("a value in a JSON file", edit("pipeline/carriers.json", "Endeavor", "Endeavour"), ["summary"]),
    Row("an undeclared file that the run read", edit("pipeline/footer.txt", "hand", "head"), ["summary"]),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.title)
def test_an_edit_and_its_undo(flights: Workspace, row: Row) -> None:
    before = written(flights)
    row.change(flights)
    ended = flights.ok()
    restore(flights, before)
    assert ended.ran == sorted(row.ran)
    assert flights.ok().ran == []


def written(workspace: Workspace) -> dict[Path, bytes]:
    """All that people wrote."""
    found = [*(workspace.root / "pipeline").rglob("*"), workspace.root / "params.yaml", workspace.root / "Pipelinefile"]
    return {path: path.read_bytes() for path in found if path.is_file() and "__pycache__" not in path.parts}


def restore(workspace: Workspace, before: dict[Path, bytes]) -> None:
    for path in written(workspace).keys() - before.keys():
        path.unlink()
        if path.parent.name != "pipeline":
            shutil.rmtree(path.parent)
    for path, text in before.items():
        path.write_bytes(text)


def test_another_branch_and_back(flights: Workspace) -> None:
    git(flights, "init", "--quiet", "--initial-branch=main")
    git(flights, "add", "Pipelinefile", "params.yaml", "pipeline")
    git(flights, "commit", "--quiet", "--message=main")
    git(flights, "checkout", "--quiet", "-b", "other")
    rename("each")(flights)
    replace(flights, "params.yaml", "l2: 10.0", "l2: 9.0")
    git(flights, "commit", "--quiet", "--all", "--message=other")
    changed = ["evaluate[boosted]", "summary", "train[boosted]"]
    assert flights.ok().ran == sorted([*FEATURES, *changed])
    git(flights, "checkout", "--quiet", "main")
    ended = flights.ok()
    assert (ended.ran, ended.restored) == ([], changed)
    git(flights, "checkout", "--quiet", "other")
    ended = flights.ok()
    assert (ended.ran, ended.restored) == ([], changed)
    git(flights, "checkout", "--quiet", "main")
    assert flights.ok().ran == []
    shutil.rmtree(flights.root / ".git")


def git(workspace: Workspace, *words: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, *words], cwd=workspace.root, check=True)
