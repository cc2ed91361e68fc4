"""`mlbuild show`: what made something, from what, whether it is as it was made, and what depends on it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from workspace import Workspace

PIPELINE = """
    params "params.yaml"
    param lr = 0.1
    partition day: range(5)

    target clean:
        inputs: "data.csv"
        outputs: "clean.csv"
        run: cp {inputs} {outputs}
    target train:
        inputs: clean
        outputs: weights = "model.txt", "parts/"
        run:
            python train.py {lr} > {outputs.weights}
            cp {inputs} parts/x
    target score[day]:
        inputs: train.weights
        outputs: "score/{day}.txt"
        run: echo {day} {params.top} > {outputs}
    target page:
        inputs: score[*]
        outputs: "page.txt"
        run: cat {inputs} > {outputs}
    target tidy:
        after: train
        run: true
"""


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE)
    workspace.write("params.yaml", "top: 3\n")
    workspace.write("data.csv", "x\n1\n")
    workspace.write("train.py", "import sys\nprint(sys.argv[1])\n")
    assert workspace.run("page", "lr=0.2").status == 0
    return workspace


def told(workspace: Workspace, *arguments: str) -> str:
    """What `show` prints, without what differs from run to run."""
    ended = workspace.run("show", *arguments)
    assert (ended.status, ended.err) == (0, "")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN", ended.out)
    text = re.sub(r"\d+\.\ds, \S+ of memory, \S+ of CPU", "0.0s, 9M of memory, 0.0s of CPU", text)
    return re.sub(r"\b[0-9a-f]{12}\b", "DIGEST", text)


def document(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    ended = workspace.run("show", "--json", *arguments)
    assert (ended.status, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_what_a_task_made(built: Workspace) -> None:
    text = told(built, "model.txt")
    head, outputs, source, uses = text.split("\n\n")
    assert (
        head
        == """\
model.txt: as it was made
made by  train, run 1, attempt 1
when     WHEN, on local, took 0.0s, 9M of memory, 0.0s of CPU
command  python train.py 0.2 > model.txt
         cp clean.csv parts/x
with     lr=0.2 (else 0.1)"""
    )
    assert [line.split()[:3] for line in outputs.splitlines()[1:]] == [
        ["model.txt", "as", "made"],
        ["parts/", "as", "made"],
    ]
    assert source.splitlines()[0] == "made from"
    assert re.search(r"\n  input +clean\.csv +DIGEST +clean\n", source)
    assert re.search(r"\n  code +train\.py", source)
    assert re.search(r"\n  param +lr +0\.2", source + "\n")
    assert uses == "read as input by  score (5 tasks)\nand then by       page\n"
    assert told(built, "train.weights") == text


def test_a_task_and_what_only_comes_after_it(built: Workspace) -> None:
    assert told(built, "train").splitlines()[0] == "train: as it was made"
    uses = told(built, "train").split("\n\n")[-1]
    assert uses == "read as input by  score (5 tasks)\ncomes before      tidy\nand then by       page\n"
    assert told(built, "page").endswith("\n\nno task reads it\n")


def test_what_is_no_longer_as_it_was_made(built: Workspace) -> None:
    built.write("parts/x", "by hand\n")
    assert told(built, "model.txt").splitlines()[0] == "model.txt: as it was made"
    assert told(built, "train").splitlines()[0] == "train: not as it was made"
    assert told(built, "parts/x").splitlines()[0] == "parts/x: not as it was made"
    (built.root / "model.txt").unlink()
    assert told(built, "model.txt").splitlines()[0] == "model.txt: gone since it was made"
    assert [output["now"] for output in document(built, "train")["made"]["outputs"]] == ["gone", "changed"]


def test_what_was_temporary(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target a:
            outputs: temp("a.txt")
            run: echo > {outputs}
        target b:
            inputs: a
            outputs: "b.txt"
            run: cp {inputs} {outputs}
        """
    )
    workspace.ok("b")
    assert told(workspace, "a.txt").splitlines()[0] == "a.txt: temporary, and removed"


def test_what_was_restored(built: Workspace) -> None:
    built.ok("train")
    assert built.ok("train", "lr=0.2").restored == ["train"]
    made = document(built, "train")["made"]
    assert (made["run"], made["restored_by"], made["overrides"]) == (1, 3, [["lr", "0.2", "0.1"]])
    assert "\nrestored  by run 3, WHEN\n" in told(built, "train")


def test_what_was_accepted(built: Workspace) -> None:
    built.write("clean.csv", "x\n2\n")
    assert built.run("accept", "clean", "--because", "a better one").status == 0
    text = told(built, "clean.csv")
    assert text.startswith("clean.csv: as it was accepted\nmade by   clean, not by an attempt that is known here\n")
    assert re.search(r"\naccepted  by .*@.*, run 2, WHEN: a better one\n", text)
    assert document(built, "clean.csv")["made"]["accepted"]["why"] == "a better one"


def test_the_commit(built: Workspace) -> None:
    me = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "-q"], ["add", "train.py"], [*me, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=built.root, check=True)
    built.ok("train")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=built.root, check=True, capture_output=True, text=True)
    made = document(built, "train")["made"]
    assert (made["commit"], made["dirty"]) == (head.stdout.strip(), False)
    assert "\ncommit   DIGEST, without changes\n" in told(built, "train")


def test_what_was_never_built(built: Workspace) -> None:
    assert told(built, "tidy") == "tidy was never built here\n\nno task reads it\n"
    assert document(built, "tidy")["made"] is None
    built.pipeline('target a:\n    outputs: "a.txt"\n    run: echo > {outputs}\ntarget both:\n    inputs: a\n')
    assert told(built, "a.txt") == "a.txt, which a makes, was never built here\n\nread as input by  both\n"
    assert told(built, "both") == "both gathers other tasks\n\nno task reads it\n"


@pytest.mark.parametrize(
    ("path", "uses"),
    [
        ("data.csv", "read as input by  clean\nand then by       train, score (5 tasks), page, tidy\n"),
        ("train.py", "read as code by  train\nand then by      score (5 tasks), page, tidy\n"),
        ("params.yaml", "read as param by  score (5 tasks)\nand then by       page\n"),
        ("Pipelinefile", "no task reads it\n"),
    ],
)
def test_a_file_of_ones_own(path: str, uses: str, built: Workspace) -> None:
    assert told(built, path) == f"{path}: no task makes it\n\n{uses}"
    assert document(built, path)["task"] is None


def test_a_file_that_was_read_and_not_declared(workspace: Workspace) -> None:
    workspace.pipeline('target a:\n    outputs: "a.txt"\n    run: python a.py > {outputs}\n')
    workspace.write("a.py", "print(open('secret.txt').read())\n")
    workspace.write("secret.txt", "1\n")
    workspace.ok()
    assert told(workspace, "secret.txt").endswith("\n\nread as an undeclared file by  a\n")
    assert re.search(r"\n  read +secret\.txt +DIGEST\n", told(workspace, "a"))


def test_a_module_that_is_imported(workspace: Workspace) -> None:
    workspace.pipeline('target a:\n    outputs: "a.txt"\n    run: python a.py > {outputs}\n')
    workspace.write("a.py", "import lib\n\nprint(lib.K)\n")
    workspace.write("lib.py", "K = 1\n")
    workspace.ok()
    assert told(workspace, "lib.py").endswith("\n\nread as code by  a\n")


def test_a_document(built: Workspace) -> None:
    found = document(built, "score/2.txt")
    assert (found["path"], found["task"], found["keys"]) == ("score/2.txt", "score[2]", {"day": "2"})
    assert found["read_by"] == [{"task": "page", "as": ["input"]}]
    made = found["made"]
    assert (made["command"], made["executor"], made["attempt"]) == ("echo 2 3 > score/2.txt", "local", 1)
    parts = {(part["kind"], part["what"]): part for part in made["parts"]}
    assert parts["param", "params.top"]["value"] == "3"
    assert parts["input", "model.txt"]["task"] == "train"
    assert len(parts["input", "model.txt"]["value"]) == 32


def test_mistakes(built: Workspace) -> None:
    said = "error: nix: no target is called so, no task makes it, and there is no such file\n"
    assert built.run("show", "nix").err.startswith(said)
    assert built.run("show", "score").err == "error: score is 5 tasks; one is shown\n  hint: for example: score[0]\n"
    assert built.run("show").err.startswith("error: show takes one path or task\n")
