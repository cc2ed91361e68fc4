"""The law of `mlbuild check`: of a valid Pipelinefile with some mistakes planted, it says exactly those."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlbuild.cli import check

ROOT = Path(__file__).parents[1]
PIPELINEFILES = {path.parent.name: path for path in ROOT.glob("examples/*/Pipelinefile")}
PIPELINEFILES["flights"] = ROOT / "Pipelinefile"
NEEDED = ("params.yaml", "pipeline")
"""What the Pipelinefile of this repository names of it."""
STATEMENT = re.compile(r"^(?=(?:include|params?|let|partition|executor|defaults?|target)\b)", re.MULTILINE)


@dataclass(frozen=True)
class Planted:
    """A statement with a mistake: its text, and what is said of it at a line of it (from 0)."""

    text: str
    said: str
    line: int
    whole_graph: bool = False
    """It is seen only in the graph: not of a target whose partition is wrong."""


Plant = Callable[[str, str], Planted | None]
"""From a statement, and a word of its own for this mistake, to the statement with the mistake; None: not possible."""


def clause(line: str, said: str, *, whole_graph: bool = False) -> Plant:
    """A clause that a target lacks, put below its header; `{word}` and `{name}` stand for the target's."""

    def plant(text: str, word: str) -> Planted | None:
        name = re.match(r"target (\w+)", text)
        kind = re.match(r"\s*(\w+)", line)
        if not name or not kind or re.search(rf"^    {kind[1]}:", text, re.MULTILINE):
            return None
        values = {"word": word, "name": name[1]}
        head, rest = text.split("\n", 1)
        below = len(re.match(r'(?:    """.*\n)?', rest)[0])  # type: ignore[index]
        new = f"{head}\n{rest[:below]}{line.format(**values)}\n{rest[below:]}"
        shown = said.format(**values)
        return Planted(new, shown, new[: new.index(line.format(**values))].count("\n"), whole_graph)

    return plant


def change(pattern: str, new: str, said: str) -> Plant:
    """The first match of a pattern written otherwise."""

    def plant(text: str, word: str) -> Planted | None:
        found = re.search(pattern, text, re.MULTILINE)
        if not found:
            return None
        line = text[: found.start()].count("\n")
        changed = text[: found.start()] + found.expand(new) + text[found.end() :]
        return Planted(changed, found.expand(said), line, "circle" in said)

    return plant


def beside(new: str, said: str, line: int, *, whole_graph: bool = False) -> Plant:
    """More statements behind a statement."""

    def plant(text: str, word: str) -> Planted | None:
        above = text if text.endswith("\n") else text + "\n"
        return Planted(above + new.format(word=word), said.format(word=word), above.count("\n") + line, whole_graph)

    return plant


TWINS = """\
target {word}_a:
    outputs: "{word}/x"
    run: true
target {word}_b:
    outputs: "{word}/x"
    run: true
"""

PLANTS: dict[str, Plant] = {
    # --- shape
    "unknown clause": clause("    shell: {word}", "`shell` is no clause"),
    "too deep": clause("        timeout: 5m", "this line is indented too deep"),
    "tabs": clause("\ttimeout: 5m", "this line is indented by tabs, and its block"),
    "never closed": clause("    environ: [{word}", "this `[` is never closed"),
    "no date": clause("    max_active: 2013-01-32", "2013-01-32 is no date: day is out of range for month"),
    "unquoted pattern": clause("    requires: {word}/*.lock", "the path {word}/*.lock needs quotes"),
    "misspelt statement": change(r"\Atarget", "targett", "`targett` is no statement"),
    "no colon": change(r"\A(target \w+(?:\[[\w, ]+\])?):", r"\1", r"a colon is missing after `\1`"),
    "hyphen": change(r"\Atarget (\w+)", r"target \1-x", r"a name has no hyphen: `\1-x`"),
    "no run": change(r"^    run:", "    rum:", "`rum` is no clause"),
    "param without =": change(r"\A(param|let) (\w+) =", r"\1 \2", r"`=` is missing after `\1 \2`"),
    "partition without :": change(r"\A(partition \w+):", r"\1", r"a colon is missing after `\1`"),
    "an assignment": beside("{word} = 3\n", "`{word}` is no statement", 0),
    # --- meaning
    "no unit": clause("    timeout: 5", "a time has a unit, and 5 has none"),
    "no resource": clause("    resources: memry = 3G", "there is no resource `memry`"),
    "no param": clause("    params: {word}", "`{word}` is no param"),
    "unquoted path": clause("    requires: {word}/uv.lock", "there is no `{word}`"),
    "no executor": clause("    on: {word}", "there is no executor `{word}`"),
    "no such name": change(r"(^    run: .*)", r"\1 {nobody}", "there is no `nobody`"),
    "no such input": change(r"(^    run: .*)", r"\1 {inputs.nobody}", "`inputs` has no `nobody`"),
    "no partition": change(r"\A(target \w+\[)\w+", r"\1nothing", "there is no partition `nothing`"),
    "no literal": change(r"\A(param (\w+) = \d+)", r"\1 + 1", r"the value of param `\2` is no literal"),
    "one key": change(
        r"\Apartition (\w+): .*", r"partition \1: 3", "a partition has many keys, and this is a whole number"
    ),
    "twice": beside("let {word} = 1\nlet {word} = 2\n", "`{word}` is declared twice", 1),
    # --- graph
    "no such file": clause('    requires: "{word}.lock"', "{word}.lock does not exist", whole_graph=True),
    "no such code": clause('    code: "{word}.py"', "{word}.py does not exist", whole_graph=True),
    "nothing makes it": beside(
        'target {word}:\n    inputs: "{word}/in"\n', "no target makes {word}/in, and it does not exist", 1
    ),
    "a circle": change(
        r"\A(target (\w+).*\n(?: {4}\"{3}.*\n)?)", r"\1    after: \2\n", r"these tasks need each other in a circle: \2"
    ),
    "twins": beside(TWINS, "{word}_b and {word}_a both make {word}/x", 3),
}


@pytest.fixture(scope="module")
def folders() -> Iterator[dict[str, Path]]:
    """A copy of what each Pipelinefile needs."""
    top = Path(mkdtemp())
    found = {name: top / name for name in PIPELINEFILES}
    for name, path in PIPELINEFILES.items():
        shutil.copytree(path.parent, found[name], ignore=_others if path.parent == ROOT else None)
    # As if it had been built once: of tasks whose keys are not known `check` can't say how they hang together.
    (found["shards"] / "build").mkdir()
    (found["shards"] / "build/towns.txt").write_text("Bergen\nOslo\n")
    yield found
    shutil.rmtree(top)


def _others(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder) == ROOT and name not in NEEDED]


def said(folder: Path) -> list[tuple[str, int, str]]:
    """(file, line, message) of each mistake, in order."""
    with redirect_stdout(io.StringIO()) as out:
        check.run(["--json", "-C", str(folder)], "check")
    return [(row["file"], row["line"], row["message"]) for row in json.loads(out.getvalue())["mistakes"]]


def statements(text: str) -> list[str]:
    return STATEMENT.split(text)


def broken_partitions(parts: list[str], planted: set[int]) -> set[str]:
    """Those in whose statement something is planted, or in that of a target which lists their keys."""
    wrong = {match[1] for place in planted if (match := re.match(r"(?:partition|target) (\w+)", parts[place]))}
    declared = (match for part in parts if (match := re.match(r"partition (\w+).*", part)))
    return {match[1] for match in declared if not wrong.isdisjoint(re.findall(r"\w+", match[0]))}


def uses(text: str, broken: set[str]) -> bool:
    header = re.match(r"target \w+\[([\w, ]+)\]", text)
    return bool(header) and not broken.isdisjoint(re.findall(r"\w+", header[1] if header else ""))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), example=st.sampled_from(sorted(PIPELINEFILES)), in_two=st.booleans())
def test_exactly_what_was_planted(folders: dict[str, Path], data: st.DataObject, example: str, in_two: bool) -> None:
    parts = statements(PIPELINEFILES[example].read_text())
    places = data.draw(st.lists(st.integers(1, len(parts) - 1), min_size=1, max_size=4, unique=True))
    planted: dict[int, Planted] = {}
    for place in places:
        possible = {name: plant(parts[place], f"w{place}") for name, plant in PLANTS.items()}
        name = data.draw(st.sampled_from(sorted(name for name, one in possible.items() if one)))
        planted[place] = possible[name]  # type: ignore[assignment]
    broken = broken_partitions(parts, {place for place, one in planted.items() if not one.whole_graph})
    planted = {place: one for place, one in planted.items() if not (one.whole_graph and uses(parts[place], broken))}
    cut = data.draw(st.integers(1, len(parts))) if in_two else len(parts)
    texts = [planted[number].text if number in planted else part for number, part in enumerate(parts)]
    files = {"Pipelinefile": texts[:cut], "rest.pipe": texts[cut:]}
    if in_two:
        files["Pipelinefile"][0] = 'include "rest.pipe"\n' + files["Pipelinefile"][0]
    for path, own in files.items():
        (folders[example] / path).write_text("".join(own))
    expected = []
    for number in sorted(planted):
        path, first = ("Pipelinefile", 0) if number < cut else ("rest.pipe", cut)
        above = "".join(files[path][: number - first]).count("\n")
        expected.append((path, above + planted[number].line + 1, planted[number].said))
    found = said(folders[example])
    assert [(path, line) for path, line, _ in found] == [(path, line) for path, line, _ in expected], found
    for (_, _, message), (_, _, start) in zip(found, expected, strict=True):
        assert message.startswith(start)
