"""Where the keys of partitions come from: lists, tables, files, lines of files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelinefile import loaded, mistakes
from workspace import Workspace

from mlbuild.errors import MlbuildError
from mlbuild.files import as_regex
from mlbuild.graph.dag import Graph
from mlbuild.graph.select import select
from mlbuild.target import Listed

# ruff: noqa: E501 (the texts are what they are)

COPY = 'target t[k]:\n    inputs: "raw/{k}.csv"\n    outputs: "out/{k}.csv"\n    run: cp {inputs} {outputs}\n'


def keys(text: str, files: dict[str, str] | None = None) -> list[str]:
    source = loaded(text + "\ntarget t[k]:\n    run: x\n", files=files).partitions["k"].source
    assert isinstance(source, Listed)
    return [key.text for key in source.keys]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('["us", "eu"]', ["us", "eu"]),
        ("[1e-3, 1e-4, 3]", ["1e-3", "1e-4", "3"]),
        ("range(3)", ["0", "1", "2"]),
        ("range(2, 4)", ["2", "3"]),
        ("keys(params.models)", ["logistic", "boosted"]),
        ('lines("samples.txt")', ["a", "b c", "d"]),
        ('glob("raw/{k}.csv")', ["x", "y"]),
        ('glob("{params.folder}/*/{k}/n.csv")', ["p", "q"]),
        ('glob("**/{k}.tsv")', ["z"]),
        ('["a"] + keys(params.models)', ["a", "logistic", "boosted"]),
    ],
)
def test_sources(source: str, found: list[str]) -> None:
    files = {
        "params.yaml": "folder: deep\nmodels: {logistic: 1, boosted: 2}\n",
        "samples.txt": "a\n\nb c\n  \nd\n",
        **dict.fromkeys(
            ("raw/x.csv", "raw/y.csv", "raw/.hidden.csv", "deep/1/p/n.csv", "deep/2/q/n.csv", "a/b/z.tsv"), ""
        ),
    }
    assert keys(f'params "params.yaml"\npartition k: {source}', files) == found


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            'glob("raw/*.csv")',
            """\
Pipelinefile:1:14: error: this says not which part of a path is the key of `k`
  1 | partition k: glob("raw/*.csv")
    |              ^^^^^^^^^^^^^^^^^
  hint: write {k} where the keys stand: glob("raw/{k}.csv")""",
        ),
        (
            'glob("none/{k}.csv")',
            """\
Pipelinefile:1:14: error: partition `k` has no keys: no file matches
  1 | partition k: glob("none/{k}.csv")
    |              ^^^^^^^^^^^^^^^^^^^^
  hint: correct the pattern, or make such a file""",
        ),
        (
            'glob("*/{k}.csv")',
            """\
Pipelinefile:1:14: error: two files have the key x: a/x.csv and b/x.csv
  1 | partition k: glob("*/{k}.csv")
    |              ^^^^^^^^^^^^^^^^^
  hint: rename one of them, or write a pattern that only one matches""",
        ),
        (
            'lines("nope.txt")',
            """\
Pipelinefile:1:14: error: can't read nope.txt: it is not there
  1 | partition k: lines("nope.txt")
    |              ^^^^^^^^^^^^^^^^^""",
        ),
        (
            "lines(t.index)",
            """\
Pipelinefile:1:20: error: `t` has no output `index`
  1 | partition k: lines(t.index)
    |                    ^^^^^^^
  hint: its outputs with a name: none (metrics have no lines)""",
        ),
        (
            'lines("twice.txt")',
            """\
Pipelinefile:1:14: error: two keys have the text a
  1 | partition k: lines("twice.txt")
    |              ^^^^^^^^^^^^^^^^^^
  hint: leave out one of them""",
        ),
        (
            'env("NOT_SET_AT_ALL")',
            """\
Pipelinefile:1:14: error: the variable NOT_SET_AT_ALL is not set
  1 | partition k: env("NOT_SET_AT_ALL")
    |              ^^^^^^^^^^^^^^^^^^^^^
  hint: give a default: env("NOT_SET_AT_ALL", …)""",
        ),
    ],
)
def test_sources_without_keys(source: str, said: str) -> None:
    files = {"a/x.csv": "", "b/x.csv": "", "twice.txt": "a\na\n"}
    assert mistakes(f"partition k: {source}\ntarget t:\n    run: x\n", files=files) == said


def test_a_glob_finds_new_files_and_forgets_old_ones(workspace: Workspace) -> None:
    workspace.pipeline('partition k: glob("raw/{k}.csv")\n' + COPY)
    for name in "ab":
        workspace.write(f"raw/{name}.csv", name)
    assert workspace.ok().ran == ["t[a]", "t[b]"]
    workspace.write("raw/c.csv", "c")
    (workspace.root / "raw/a.csv").unlink()
    assert workspace.ok().ran == ["t[c]"]


def test_what_targets_make_is_no_key(workspace: Workspace) -> None:
    workspace.pipeline('partition k: glob("raw/{k}.csv")\n' + COPY.replace("out/{k}.csv", "raw/{k}.clean.csv"))
    workspace.write("raw/a.csv", "a")
    assert workspace.ok().ran == ["t[a]"]
    assert workspace.ok().ran == []
    workspace.pipeline('partition k: glob("raw/{k}.csv")\n' + COPY.replace("out/{k}.csv", "raw/{k}.csv"))
    assert workspace.build().err == (
        "Pipelinefile:1:11: error: partition `k` has no keys: targets make all that it matches\n"
        '  1 | partition k: glob("raw/{k}.csv")\n'
        "    |           ^\n"
        "  hint: the keys of a glob are those of files that no target makes\n"
        "\n"
        "Pipelinefile:2:8: error: these tasks need each other in a circle: t[a.clean] → t[a.clean]\n"
        "  2 | target t[k]:\n"
        "    |        ^\n"
        "  hint: break it at one of these:\n"
        "  t[a.clean] at Pipelinefile:2:8\n"
    )


def test_env_has_the_type_of_its_default(workspace: Workspace) -> None:
    workspace.pipeline(
        'let n = env("FOLDS", 2)\npartition k: range(n)\ntarget t[k]:\n    outputs: "{k}"\n    run: echo > {outputs}\n'
    )
    assert workspace.ok().ran == ["t[0]", "t[1]"]
    assert workspace.ok(env={"FOLDS": "3"}).ran == ["t[2]"]
    assert "the variable FOLDS is many, and its default is a whole number" in workspace.build(env={"FOLDS": "many"}).err


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("a/*.csv", "a/b.csv", True),
        ("a/*.csv", "a/b/c.csv", False),
        ("a/*.csv", "a/.b.csv", False),
        ("a/**", "a/b/c.csv", True),
        ("**/c.csv", "c.csv", True),
        ("**/c.csv", "a/b/c.csv", True),
        ("a?[b-d].x", "aac.x", True),
        ("a?[!b-d].x", "aac.x", False),
        ("[z-a]", "[z-a]", True),
        ("a[*]", "a*", True),
        ("[]]", "]", True),
    ],
)
def test_globs_as_patterns(pattern: str, path: str, matches: bool) -> None:
    import re

    assert bool(re.fullmatch(as_regex(pattern), path)) is matches


# --- Hostile keys


class NoDisk:
    def exists(self, path: str) -> bool:
        return True

    def read(self, path: str) -> bytes:
        return b""

    def glob(self, pattern: str) -> list[str]:
        return []

    def walk(self, path: str) -> list[str]:
        return []

    def copy_of(self, url: str) -> str:
        return url

    def was_made(self, path: str) -> bool:
        return False

    def look_again(self) -> None:
        pass


def graph_of(keys: list[str]) -> Graph:
    from datetime import UTC, datetime

    text = 'params "p.json"\npartition k: p.keys\npartition n: range(2)\ntarget t[k, n]:\n    outputs: "out/{k}/{n}.txt"\n    run: x\n'
    return Graph(loaded(text, files={"p.json": json.dumps({"keys": keys})}), datetime.now(UTC), NoDisk())  # type: ignore[arg-type]


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(
        st.text(min_size=1, max_size=12) | st.text("ab,\"]=.[* \\/\n\t-'", min_size=1, max_size=6),
        min_size=1,
        max_size=3,
        unique=True,
    )
)
def test_any_key_that_may_stand_in_a_path_comes_back_from_the_command_line(texts: list[str]) -> None:
    try:
        graph = graph_of(texts)
    except MlbuildError as error:
        assert "can't be a key" in str(error)
        assert any("\0" in text or "/" in text or text.strip("./") == "" or not text.isprintable() for text in texts)
        return
    for task in graph.tasks(graph.pipeline.targets["t"]):
        assert select(graph, [task.name]) == [task]
        (path,) = task.outputs
        assert path == f"out/{task.keys[0].text}/{task.keys[1].text}.txt"
        assert select(graph, [path]) == [task]


HOSTILE = [
    "a,b",
    'say "hi"',
    "it's",
    "$(touch pwned)",
    "-rf",
    "a b",
    "line\nbreak",
    "ü€",
    "a]b",
    "k=v",
    "..a",
    "*",
    "x..y",
    "a\\b",
]


def test_hostile_keys_through_the_real_command(workspace: Workspace) -> None:
    workspace.write("p.json", json.dumps({"keys": HOSTILE}))
    workspace.pipeline(
        'params "p.json"\npartition k: p.keys\ntarget t[k]:\n    outputs: "out/{k}.txt"\n    run: printf %s {k} > {outputs}\n'
    )
    ended = workspace.ok()
    assert len(ended.ran) == len(HOSTILE)
    for key in HOSTILE:
        assert workspace.read(f"out/{key}.txt") == key
    for name in ended.ran:
        assert workspace.ok("--force", name, name).ran == [name]
    assert not workspace.exists("pwned")
    assert workspace.ok("-B", 't["a,b"]').ran == ['t["a,b"]']
    assert workspace.ok("-B", 'out/say "hi".txt').ran == ['t["say \\"hi\\""]']


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("../a", "as a path it leads elsewhere"),
        ("a/./b", "as a path it leads elsewhere"),
        ("/etc", "it begins or ends with `/`, or holds `//`"),
        ("a//b", "it begins or ends with `/`, or holds `//`"),
        ("", "it is empty"),
        ("x" * 201, "a name of more than 200 bytes is too long for a file"),
    ],
)
def test_keys_that_leave_their_folder_are_refused_with_the_place(key: str, why: str) -> None:
    said = mistakes(f'partition k: ["{key}"]\ntarget t[k]:\n    run: x\n')
    assert said.startswith(f"Pipelinefile:1:15: error: {key!r} can't be a key: {why}\n")
