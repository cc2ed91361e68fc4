"""Inputs that are no plain paths: URLs, copies of them, what counts by size and time, and lists with their origins."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pipelinefile import mistakes
from workspace import Workspace

from mlbuild.files import remote_digest

# ruff: noqa: E501 (the texts are what they are)


def test_a_url_counts_by_content_and_stands_in_the_recipe(workspace: Workspace, tmp_path: Path) -> None:
    data = tmp_path / "elsewhere" / "data.csv"
    data.parent.mkdir()
    data.write_text("1\n")
    url = f"file://{data}"
    workspace.pipeline(
        f'target t:\n    inputs: "{url}"\n    outputs: "t.txt"\n    run: echo {{inputs}} > {{outputs}}\n'
    )
    assert workspace.ok().ran == ["t"]
    assert workspace.read("t.txt") == url + "\n"
    os.utime(data, (1, 1))
    assert workspace.ok().ran == []
    data.write_text("2\n")
    assert f"input {url} changed" in workspace.run("explain", "t").out
    assert workspace.ok().ran == ["t"]


def test_a_local_copy(workspace: Workspace, tmp_path: Path) -> None:
    data = tmp_path / "elsewhere" / "data.csv"
    data.parent.mkdir()
    data.write_text("1\n")
    workspace.pipeline(
        f'target t:\n    inputs: local("file://{data}")\n    outputs: "t.txt"\n    run: cp {{inputs}} {{outputs}}; echo {{inputs:name}} >> {{outputs}}\n'
    )
    assert workspace.ok().ran == ["t"]
    assert workspace.read("t.txt") == "1\ndata.csv\n"
    assert workspace.ok().ran == []
    data.write_text("2\n")
    assert workspace.ok().ran == ["t"]
    assert workspace.read("t.txt") == "2\ndata.csv\n"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///no/such/file", "file:///no/such/file does not exist"),
        ("nonesuch://x/y", "nonesuch:// can't be read here: Protocol not known: nonesuch"),
    ],
)
def test_a_url_that_can_t_be_had(workspace: Workspace, url: str, said: str) -> None:
    workspace.pipeline(f'target t:\n    inputs: "{url}"\n    outputs: "t.txt"\n    run: touch t.txt\n')
    ended = workspace.build()
    assert (ended.status, ended.failed) == (1, ["t"])
    assert said in ended.out
    assert "Pipelinefile:2:13" in ended.out


def test_what_a_file_system_knows_a_file_by() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/a/one", b"1")
    memory.pipe("/a/two", b"2")
    one, both = remote_digest("memory://a/one"), remote_digest("memory://a")
    assert one != remote_digest("memory://a/two")
    memory.pipe("/a/one", b"1")
    assert (remote_digest("memory://a/one"), remote_digest("memory://a")) == (one, both)
    memory.pipe("/a/one", b"3")
    assert remote_digest("memory://a") != both
    assert remote_digest("memory://a/three") is None


def test_size_and_time_stand_for_the_content(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    inputs: stat("big.bin")\n    outputs: "t.txt"\n    run: cp {inputs} {outputs}\n')
    workspace.write("big.bin", "1")
    os.utime(workspace.root / "big.bin", (1, 1))
    assert workspace.ok().ran == ["t"]
    workspace.write("big.bin", "2")
    os.utime(workspace.root / "big.bin", (1, 1))
    assert workspace.ok().ran == []
    os.utime(workspace.root / "big.bin", (2, 2))
    assert "stat big.bin changed" in workspace.run("explain", "t").out
    assert workspace.ok().ran == ["t"]


def test_a_list_with_origins(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: ["a", "b"]
        target part[k]:
            outputs: "{k}.txt"
            run: touch {outputs}
        target t:
            inputs: parts = part[*], "own.txt"
            outputs: "t.json"
            run: echo {inputs:json} > {outputs}; echo {inputs.parts:json} >> {outputs}
        default t
        """
    )
    workspace.write("own.txt", "")
    workspace.ok()
    parts = [{"path": f"{key}.txt", "target": "part", "keys": {"k": key}} for key in "ab"]
    whole, named = map(json.loads, workspace.lines("t.json"))
    assert whole == [*parts, {"path": "own.txt", "target": None, "keys": {}}]
    assert named == parts


@pytest.mark.parametrize(
    ("clauses", "said"),
    [
        (
            'outputs: "s3://b/k"',
            """\
Pipelinefile:2:14: error: only files are made here, and this is a URL
  2 |     outputs: "s3://b/k"
    |              ^^^^^^^^^^
  hint: URLs stand in `inputs:`""",
        ),
        (
            "inputs: stat()",
            """\
Pipelinefile:2:13: error: `stat()` takes one path
  2 |     inputs: stat()
    |             ^^^^^^
  hint: as in stat("data.csv")""",
        ),
        (
            'inputs: globb("x")',
            """\
Pipelinefile:2:13: error: `globb()` is nothing that inputs can be
  2 |     inputs: globb("x")
    |             ^^^^^^^^^^
  hint: did you mean `glob`?""",
        ),
    ],
)
def test_what_is_no_input(clauses: str, said: str) -> None:
    assert mistakes(f"target t:\n    {clauses}\n    run: x\n") == said
