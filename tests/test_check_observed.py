"""`mlbuild check --observed`: what runs read and do not declare, and `--fix`, which writes it into the Pipelinefile."""

from __future__ import annotations

import json

from workspace import Workspace

NOTHING = "the last runs were seen to read nothing that is not declared\n"


def reading(workspace: Workspace, *paths: str) -> None:
    """A script that reads these, with {k} for its first argument."""
    lines = "".join(f"open({path!r}.replace('{{k}}', key)).read()\n" for path in paths)
    workspace.write("make.py", f"import sys\n\nkey = sys.argv[-1]\n{lines}")


def test_nothing(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: touch {outputs}\n')
    assert workspace.run("check", "--observed").out == NOTHING
    workspace.ok()
    assert workspace.run("check", "--observed").out == NOTHING
    ended = workspace.run("check", "--fix")
    assert ended.status == 2
    assert ended.err == "error: --fix writes what --observed finds\n  hint: mlbuild check --observed --fix\n"


def test_every_kind_of_file_goes_where_it_belongs(workspace: Workspace) -> None:
    for path in ("lib.py", "config.yaml", "data.csv", "odd {k}'.csv"):
        workspace.write(path, "x\n")
    workspace.write("params.yaml", "lr: 1\n")
    reading(workspace, "lib.py", "config.yaml", "data.csv", "made.txt", "params.yaml")
    workspace.pipeline(
        """
        # What stands here stays.
        params "params.yaml"

        target made:
            outputs: "made.txt"
            run: echo 1 > {outputs}

        target t:
            after: made
            outputs: "t.txt"  # behind a clause
            # before the recipe
            run: python make.py && touch {outputs}

        default t
        """
    )
    workspace.ok()
    ended = workspace.run("check", "--observed")
    assert ended.out == (
        't reads config.yaml, which it does not declare: it lacks code: "config.yaml"\n'
        't reads data.csv, which it does not declare: it lacks inputs: "data.csv"\n'
        't reads lib.py, which it does not declare: it lacks code: "lib.py"\n'
        't reads made.txt, which it does not declare: it lacks inputs: "made.txt"\n'
        "t reads params.yaml, which it does not declare: it lacks params: params\n"
        "`mlbuild check --observed --fix` writes that into the Pipelinefile\n"
    )
    rows = json.loads(workspace.run("check", "--observed", "--json").out)["observed"]
    assert rows[0] == {"target": "t", "path": "config.yaml", "tasks": ["t"], "clause": "code", "item": '"config.yaml"'}

    ended = workspace.run("check", "--observed", "--fix")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (
        't now has code: "config.yaml"\nt now has inputs: "data.csv"\nt now has code: "lib.py"\n'
        't now has inputs: "made.txt"\nt now has params: params\n'
    )
    text = workspace.read("Pipelinefile")
    for line in ("# What stands here stays.", "    # before the recipe", '    outputs: "t.txt"  # behind a clause'):
        assert line in text.splitlines()
    for line in ('    code: "config.yaml", "lib.py"', '    inputs: "data.csv", "made.txt"', "    params: params"):
        assert line in text.splitlines()
    assert workspace.run("fmt", "--check").status == 0
    assert workspace.run("check").status == 0
    assert workspace.run("check", "--observed").out == NOTHING
    assert "read" not in workspace.ok().out
    workspace.write("data.csv", "y\n")
    assert workspace.run("explain", "t").out == "t would run:\n  input data.csv changed since run 2\n"


def test_what_is_declared_runs_nothing(workspace: Workspace) -> None:
    """The same file, with the same content: only its name in the fingerprint is another."""
    workspace.write("config.yaml", "x\n")
    workspace.write("data.csv", "x\n")
    reading(workspace, "config.yaml", "data.csv")
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: python make.py && touch {outputs}\n')
    workspace.ok()
    workspace.run("check", "--observed", "--fix")
    assert workspace.ok().ran == []


def test_clauses_that_are_there_grow(workspace: Workspace) -> None:
    for path in ("a.py", "b.py", "c.csv", "d.csv"):
        workspace.write(path, "x = 1\n")
    reading(workspace, "a.py", "b.py", "c.csv", "d.csv")
    workspace.pipeline(
        """
        target t:
            inputs:
                # one
                first = "c.csv"  # c
            outputs: "t.txt"
            code: "a.py",
            run: python make.py {inputs.first} && touch {outputs}
        """
    )
    workspace.ok()
    workspace.run("check", "--observed", "--fix")
    assert workspace.read("Pipelinefile") == (
        'target t:\n    inputs:\n        # one\n        first = "c.csv"  # c\n        "d.csv"\n    outputs: "t.txt"\n'
        '    code: "a.py", "b.py"\n    run: python make.py {inputs.first} && touch {outputs}\n'
    )
    assert workspace.ok().ran == []


def test_a_recipe_is_not_given_more_than_before(workspace: Workspace) -> None:
    workspace.write("data.csv", "x\n")
    workspace.write("in.txt", "x\n")
    reading(workspace, "data.csv", "made.txt")
    workspace.pipeline(
        """
        target made:
            outputs: "made.txt"
            run: echo 1 > {outputs}

        target t:
            after: made
            inputs: "in.txt"
            outputs: "t.txt"
            run: python make.py {inputs} && touch {outputs}

        default t
        """
    )
    workspace.ok()
    ended = workspace.run("check", "--observed", "--fix")
    assert ended.out == (
        't now has code: "data.csv"\n'
        "t reads made.txt, which it does not declare: declare it by hand, "
        "since its recipe would be given that path too, by `{inputs}`\n"
    )
    assert '    inputs: "in.txt"\n' in workspace.read("Pipelinefile")


def test_paths_that_vary_with_a_key(workspace: Workspace) -> None:
    for path in ("data/a.csv", "data/b.csv", "all.csv", "only.csv"):
        workspace.write(path, "x\n")
    reading(workspace, "data/{k}.csv", "all.csv")
    with (workspace.root / "make.py").open("a") as file:
        file.write("if key == 'a':\n    open('only.csv').read()\n")
    workspace.pipeline(
        """
        partition k: ["a", "b"]

        target t[k]:
            outputs: "out/{k}.txt"
            run: python make.py {k} && touch {outputs}
        """
    )
    workspace.ok()
    ended = workspace.run("check", "--observed", "--fix")
    assert ended.out == (
        't now has inputs: "all.csv"\n'
        't now has inputs: "data/{k}.csv"\n'
        "t reads only.csv, which it does not declare: declare it by hand, since only some of its keys read it\n"
    )
    assert workspace.ok().ran == []
    workspace.write("data/b.csv", "y\n")
    assert workspace.ok().ran == ["t[b]"]
    workspace.write("only.csv", "y\n")
    assert workspace.ok().ran == ["t[a]"]


def test_what_must_be_done_by_hand(workspace: Workspace) -> None:
    workspace.write("lib.toml", "")
    workspace.write("other.py", "")
    reading(workspace, "lib.toml", "other.py")
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    code: none\n    run: python make.py && touch {outputs}\n')
    workspace.ok()
    by_hand = "t reads lib.toml, which it does not declare: declare it by hand, since "
    assert workspace.run("check", "--observed", "--fix").out == by_hand + "it says `code: none`\n"
    workspace.pipeline(
        """
        defaults:
            code: "make.py"

        target t:
            outputs: "t.txt"
            run: python make.py && touch {outputs}
        """
    )
    workspace.write("other.py", "2")
    workspace.ok()
    (workspace.root / "other.py").unlink()
    assert workspace.run("check", "--observed", "--fix").out == by_hand + "its `code:` stands in `defaults:`\n"


def test_targets_of_included_files(workspace: Workspace) -> None:
    workspace.write("lib.py", "")
    reading(workspace, "lib.py")
    workspace.pipeline('include "more.mlb"\n')
    workspace.write("more.mlb", 'target t:\n    outputs: "t.txt"\n    run: python make.py && touch {outputs}\n')
    workspace.ok("t")
    workspace.run("check", "--observed", "--fix")
    assert '    code: "lib.py"\n' in workspace.read("more.mlb")
    assert workspace.read("Pipelinefile") == 'include "more.mlb"\n'
    assert workspace.run("check", "--observed").out == NOTHING
