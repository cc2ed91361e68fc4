"""Every snippet of the documents, run.

A section of a document (what stands between two headings) is one workspace. In it, from top to bottom:

    <!-- files: a.csv b.csv -->     makes these files, with a line in each
    ```yaml params.yaml             writes a file (any language, then a path)
    ```pipelinefile                 writes the Pipelinefile, in which `mlbuild check` finds nothing wrong or doubtful
    ```pipelinefile part            statements without a target: the same, with a target added
    ```pipelinefile wrong           writes it; what is said of it stands in the console block that follows
    ```console                      runs each line that begins with `$`, and compares what it prints

`python tests/test_docs.py` writes what the commands really print into the documents.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from unittest import mock

import pytest
from workspace import PATIENCE

from mlbuild.cli import check
from mlbuild.cli.commands import COMMANDS
from mlbuild.cli.commands import NOT_YET as LATER_COMMANDS
from mlbuild.engine.events import Event
from mlbuild.errors import MlbuildError
from mlbuild.executors.job import Reason
from mlbuild.language.functions import FUNCTIONS
from mlbuild.language.pending import NOT_YET
from mlbuild.ui.survey import ORDER as STATES

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^```(?P<info>[^`\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = re.compile(r"^<!-- files: (?P<files>.*) -->$", re.MULTILINE)
HEADING = re.compile(r"^#{1,4} (.*)$", re.MULTILINE)
A_TARGET = "\ntarget a_target:\n    run: true\n"
VOLATILE = (
    (re.compile(r"\b\d+(?:\.\d)?s\b"), "0.0s"),
    (re.compile(r"\b\d+(?:\.\d)?M of memory"), "9M of memory"),
    (re.compile(r"\b\d+(?:\.\d)?M of (\d\.\dG)(?: \(\d+%\))?"), r"9M of \1"),
    (re.compile(r"\b\d\.\d of 1 \(\d+%\)"), "0.0 of 1 (0%)"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "2026-01-01 00:00:00"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b"), "1970-01-01 00:00"),
    (re.compile(r'("(?:time|started|seconds|max_rss|cpu_seconds|expected|mlbuild)": )[^,}\s]+'), r"\1…"),
)
"""What differs from run to run: durations, moments, and the numbers of events."""


@dataclass(frozen=True)
class Section:
    """A heading of a document and the blocks below it: (info string, body, start of the body in the document)."""

    document: Path
    heading: str
    blocks: tuple[tuple[str, str, int], ...]

    def __str__(self) -> str:
        return f"{self.document.stem}: {self.heading}"


def sections(document: Path) -> Iterator[Section]:
    """Those that hold anything to run."""
    text = document.read_text()
    hidden = [(match.start(), match.end()) for match in FENCE.finditer(text)]
    headings = [match for match in HEADING.finditer(text) if not any(a <= match.start() < b for a, b in hidden)]
    for heading, after in zip(headings, [*headings[1:], None], strict=True):
        end = after.start() if after else len(text)
        found = [(match.start(), match["info"], match["body"], match.start("body")) for match in FENCE.finditer(text)]
        found += [(match.start(), "files", match["files"], 0) for match in FILES.finditer(text)]
        blocks = tuple(block for start, *block in sorted(found) if heading.end() <= start < end)
        if any(info.split()[:1] in (["pipelinefile"], ["console"]) for info, *_ in blocks):
            yield Section(document, heading[1], blocks)  # type: ignore[arg-type]


SECTIONS = [section for document in DOCUMENTS for section in sections(document)]


class Reader:
    """Someone who follows a section in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
        tools, settings = folder / "bin", folder / "config/mlbuild"
        tools.mkdir()
        settings.mkdir(parents=True)
        command = tools / "mlbuild"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mlbuild "$@"\n')
        command.chmod(0o755)
        # One task at a time, so that what is printed has one order.
        (settings / "config.toml").write_text("jobs = 1\n")
        self._environment = {
            **os.environ,
            "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "NO_COLOR": "1",
            "COLUMNS": "100",
        }

    def follow(self, section: Section) -> list[tuple[int, str, str]]:
        """Do all that a section says.

        Returns:
            for each console block: where its body starts in the document, the body, and the body as it should be.
        """
        consoles = []
        for info, body, start in section.blocks:
            words = info.split()
            if words[:1] == ["files"]:
                for path in body.split():
                    self._write(path, "a line\n")
            elif words[:1] == ["pipelinefile"]:
                self._pipelinefile(body, words[1:])
            elif words[:1] == ["console"]:
                consoles.append((start, body, "".join(self._console(body))))
            elif len(words) == 2:
                self._write(words[1], body)
        return consoles

    def _write(self, path: str, text: str) -> None:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)

    def _pipelinefile(self, body: str, kind: list[str]) -> None:
        self._write("Pipelinefile", body + (A_TARGET if kind == ["part"] else ""))
        if kind != ["wrong"]:
            said = self._check()
            assert re.fullmatch(r".*: no mistake found\n", said), f"{body}\n{said}"

    def _check(self) -> str:
        """What `mlbuild check` prints: here and not as a command, whose start takes ten times as long."""
        said = io.StringIO()
        with chdir(self.root), redirect_stdout(said), mock.patch.dict(os.environ, self._environment):
            try:
                check.run([], "check")
            except MlbuildError as error:
                print(error)
        return said.getvalue()

    def _console(self, body: str) -> Iterator[str]:
        for command in re.findall(r"^\$ (.*)$", body, re.MULTILINE):
            yield f"$ {command}\n{self.run(command)}"

    def run(self, command: str) -> str:
        """What a command prints, errors and all."""
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        return ended.stdout


def steady(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, instead in VOLATILE:
        text = pattern.sub(instead, text)
    return text


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_section(section: Section, tmp_path: Path) -> None:
    for _, shown, real in Reader(tmp_path).follow(section):
        assert steady(real) == steady(shown)


# --- Nothing is left out, and nothing pretended


def language() -> str:
    return (ROOT / "docs/language.md").read_text()


def snippets() -> str:
    """All Pipelinefiles of the language reference that are not there to be wrong."""
    return "\n".join(match["body"] for match in FENCE.finditer(language()) if match["info"].startswith("pipelinefile"))


def test_what_is_not_there_yet_is_said() -> None:
    _, _, section = language().partition("\n## Not there yet\n")
    rows = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    assert sorted(rows) == sorted(NOT_YET)


def keywords() -> list[str]:
    """The words of the grammar."""
    grammar = (ROOT / "grammar/pipelinefile.lark").read_text()
    words = re.findall(r"^[A-Z_]+(?:\.\d)?:\s+/([a-z_]+)\\b/", grammar, re.MULTILINE)
    groups = re.findall(r"^[A-Z_]+(?:\.\d)?:\s+/\(\?:([a-z|]+)\)\\b", grammar, re.MULTILINE)
    return sorted({*words, *(word for group in groups for word in group.split("|"))})


def later(word: str) -> bool:
    """Whether a word of the grammar belongs to something that is not there yet."""
    return not {word, f"{word}:", f"{word}()"}.isdisjoint(NOT_YET)


def test_the_grammar_has_keywords() -> None:
    assert {"target", "inputs", "on_failure", "hourly", "true", "and", "as", "failed"} <= set(keywords())


@pytest.mark.parametrize("word", keywords())
def test_every_keyword_has_a_snippet(word: str) -> None:
    text = snippets() if not later(word) and word not in ("failed", "finished", "started", "ok") else language()
    assert re.search(rf"\b{word}\b", text)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_snippet(function: str) -> None:
    missing = any(row.startswith(f"{function}()") for row in NOT_YET)
    assert re.search(rf"\b{function}\(", language() if missing else snippets())


CONSTRUCTS = (
    *("512MiB", "1h30m", "= 2013-01\n", "2013-01-31T06", "3e-4", "null", '"""', "'", '\\"', "learning rate"),
    *('in "', r"\.last-", r"\[\.\.2", r"\.\.\]", r"\[\*\]", r"= \*", "= day", r"\]\?", r"\[day-1\]", r"\]\.metrics\."),
    *(r"temp\(", r"local\(", r"stat\(", r"secret\(", r"glob\(", "https?://", '/"', "code: none"),
    *("keep =", "ignore =", "complete =", "signal =", "grace =", "backoff =", r"\* attempt"),
    *("cpus =", "gpus =", "gpu_memory =", "memory =", "disk =", "nodes ="),
    *("cache: never", "cache: false", "continue", "run python:", "<<", r"\[0\]", r"\{\{"),
    *(":raw", ":json", ":--", ":%", r":\.3f", ":stem", ":name", ":dir", "inputs:file", "inputs:json", "params:file"),
    *(r"\{target", r"\{attempt", r"\{checkpoint", r"\{resources\.", r"\{outputs\.", r"\{inputs\.", r"\{metrics"),
)
"""Of what is no keyword and no function, as regular expressions."""


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_every_construct_has_a_snippet(construct: str) -> None:
    assert re.search(construct, snippets())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", FENCE.sub("", document.read_text())):
        linked = document.parent / path if path else document
        assert linked.exists(), path
        if anchor:
            headings = HEADING.findall(FENCE.sub("", linked.read_text()))
            assert anchor in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def part(heading: str) -> str:
    """What stands in the reference of the command line below a heading."""
    _, found, rest = (ROOT / "docs/cli.md").read_text().partition(f"\n## {heading}\n")
    assert found, heading
    return rest.partition("\n## ")[0]


def rows(text: str) -> dict[str, set[str]]:
    """Of each row of the tables: the words in code of its first column → those of its others."""
    lines = re.findall(r"^\| (`.*?) \| (.*) \|$", text, re.MULTILINE)
    return {word: set(re.findall("`(.*?)`", rest)) for first, rest in lines for word in re.findall("`(.*?)`", first)}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_described(command: str, tmp_path: Path) -> None:
    usage = Reader(tmp_path).run(f"mlbuild {command} --help")
    beginning = (ROOT / "docs/cli.md").read_text().partition("\n## ")[0]
    common, real, described = (
        set(re.findall(r"--[a-z][a-z-]+", text))
        for text in (beginning, usage, FENCE.sub("", part(f"mlbuild {command}")))
    )
    assert real - common == described - common


def test_every_command_that_is_to_come_is_said() -> None:
    (line,) = re.findall(r"taken for later versions: ((?:`\w+`\s*)+)\.", (ROOT / "docs/cli.md").read_text())
    assert set(re.findall(r"\w+", line)) == LATER_COMMANDS


def test_every_event_is_described_with_its_keys() -> None:
    described = rows(part("Events"))
    real = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): set(kind.__struct_fields__) for kind in get_args(Event)
    }
    assert described.keys() == real.keys()
    for event, keys in real.items():
        assert keys <= described[event], event


def test_every_way_to_fail_is_described() -> None:
    text = part("Events")
    assert [reason for reason in Reason if reason != "ok" and f"`{reason}`" not in text] == []


def test_every_state_is_described() -> None:
    assert set(STATES) <= rows(part("mlbuild status")).keys()


def rewrite(say: Callable[[str], None] = print) -> None:
    """Write what the commands really print into the documents."""
    for document in DOCUMENTS:
        text = document.read_text()
        found = []
        for section in sections(document):
            try:
                with tempfile.TemporaryDirectory() as folder:
                    found += Reader(Path(folder)).follow(section)
            except AssertionError as error:
                say(f"{section}: {error}")
        for start, shown, real in sorted(found, reverse=True):
            if steady(shown) != steady(real):
                say(f"{document.name}: {shown.splitlines()[0]}")
                text = text[:start] + real + text[start + len(shown) :]
        document.write_text(text)


if __name__ == "__main__":
    rewrite()
