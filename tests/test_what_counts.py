"""What counts beside inputs and the recipe, and what does not: code, requires, params, variables, secrets."""

from __future__ import annotations

import json

import pytest
from pipelinefile import mistakes
from workspace import Workspace

# ruff: noqa: E501 (the texts are what they are)

HEAD = 'target t:\n    outputs: "t.txt"\n'


def explained(workspace: Workspace, goal: str = "t") -> str:
    ended = workspace.run("explain", goal)
    return ended.out + ended.err


def test_requires_counts_by_content(workspace: Workspace) -> None:
    workspace.pipeline(HEAD + '    requires: "uv.lock", glob("envs/*.yml")\n    run: touch {outputs}\n')
    workspace.write("uv.lock", "1")
    assert workspace.ok().ran == ["t"]
    assert workspace.ok().ran == []
    workspace.write("uv.lock", "2")
    assert "requires uv.lock changed" in explained(workspace)
    assert workspace.ok().ran == ["t"]
    workspace.write("envs/a.yml", "x")
    assert workspace.ok().ran == ["t"]


def test_what_is_required_must_be_there(workspace: Workspace) -> None:
    workspace.pipeline(HEAD + '    requires: "uv.lock"\n    run: touch {outputs}\n')
    for ended in (workspace.build(), workspace.run("status"), workspace.run("check")):
        assert ended.status == 2
        assert ended.err == (
            "Pipelinefile:3:15: error: uv.lock does not exist\n"
            '  3 |     requires: "uv.lock"\n'
            "    |               ^^^^^^^^^\n"
            '  hint: correct the path, or write "uv.lock"? if it may be absent\n'
        )
    workspace.pipeline(HEAD + '    requires: "uv.lock"?\n    run: touch {outputs}\n')
    assert workspace.ok().ran == ["t"]


def test_code_adds_files_and_none_takes_them_away(workspace: Workspace) -> None:
    run = "    run: sh make.sh {outputs}\n"
    workspace.write("make.sh", "cat lib/part.sh > $1\n")
    workspace.write("lib/part.sh", "1\n")
    workspace.pipeline(HEAD + '    code: "lib/"\n' + run)
    assert workspace.ok().ran == ["t"]
    workspace.write("lib/part.sh", "2\n")
    assert workspace.ok().ran == ["t"]
    workspace.write("make.sh", "cat lib/part.sh lib/part.sh > $1\n")
    assert workspace.ok().ran == ["t"]
    workspace.pipeline(HEAD + "    code: none\n" + run)
    assert workspace.ok().ran == ["t"]
    workspace.write("make.sh", "exit 1\n")
    assert workspace.ok().ran == []


def test_variables_are_set_and_count(workspace: Workspace) -> None:
    text = (
        'param threads = 4\npartition k: ["a"]\ntarget t[k]:\n    outputs: "{k}.txt"\n'
        '    environ: OMP_NUM_THREADS = threads, GREETING = "hello $k {k}", FROM_OUTSIDE\n'
        '    run: echo "$OMP_NUM_THREADS $GREETING $FROM_OUTSIDE" > {outputs}\n'
    )
    workspace.pipeline(text)
    one = {"FROM_OUTSIDE": "1"}
    assert workspace.ok(env=one).ran == ["t[a]"]
    assert workspace.read("a.txt") == "4 hello $k a 1\n"
    assert workspace.ok(env=one).ran == []
    assert workspace.ok("threads=8", env=one).ran == ["t[a]"]
    assert workspace.ok(env={"FROM_OUTSIDE": "2"}).ran == ["t[a]"]
    assert workspace.ok(env=one).restored == ["t[a]"]


def test_a_variable_that_must_be_set(workspace: Workspace) -> None:
    workspace.pipeline(HEAD + "    environ: NOT_SET_AT_ALL\n    run: touch {outputs}\n")
    ended = workspace.build()
    assert ended.status == 2
    assert ended.err == (
        "Pipelinefile:3:14: error: the variable NOT_SET_AT_ALL is not set, and `t` needs it\n"
        "  3 |     environ: NOT_SET_AT_ALL\n"
        "    |              ^^^^^^^^^^^^^^\n"
        "  hint: set it where mlbuild is started: export NOT_SET_AT_ALL=…\n"
    )
    assert workspace.run("status").status == 0


def test_a_secret_never_counts_and_stands_nowhere(workspace: Workspace) -> None:
    workspace.pipeline(
        HEAD
        + '    environ: secret(API_TOKEN), MODE = "fast"\n    run: test "$API_TOKEN" != "" && printf %s "${{#API_TOKEN}}" > {outputs}; exit 3\n'
    )
    secret = "hush-6f1d0c"
    ended = workspace.build(env={"API_TOKEN": secret})
    assert ended.status == 1
    workspace.pipeline(
        HEAD + '    environ: secret(API_TOKEN), MODE = "fast"\n    run: test "$API_TOKEN" != "" && touch {outputs}\n'
    )
    again = workspace.ok("-v", env={"API_TOKEN": secret})
    assert again.ran == ["t"]
    assert workspace.ok(env={"API_TOKEN": "another"}).ran == []
    for shown in (
        ended.out,
        ended.err,
        again.out,
        json.dumps(ended.events),
        json.dumps(again.events),
        explained(workspace),
    ):
        assert secret not in shown
    for path in (workspace.root / ".mlbuild").rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    missing = workspace.build()
    assert "the secret API_TOKEN is not set, and `t` needs it" in missing.err


PARAMS = """
    params "params.yaml"
    target t:
        params: params.train
        outputs: "t.txt"
        run: cp {params:file} {outputs}; echo {params:file:name} >> {outputs}
"""


def test_a_file_of_the_params_in_effect(workspace: Workspace) -> None:
    workspace.pipeline(PARAMS.replace("; echo {params:file:name} >> {outputs}", ""))
    workspace.write("params.yaml", "train: {lr: 1e-5, names: [no, ü]}\nother: 1\n")
    assert workspace.ok().ran == ["t"]
    assert workspace.read("t.txt") == "train:\n  lr: 1.0e-05\n  names:\n  - 'no'\n  - ü\nother: 1\n"
    workspace.ok("params.train.lr=0.5")
    assert "lr: 0.5" in workspace.read("t.txt")
    # Nothing but what `params:` lists counts.
    assert workspace.ok().restored == ["t"]
    workspace.write("params.yaml", "train: {lr: 1e-5, names: [no, ü]}\nother: 2\n")
    assert workspace.ok().ran == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("p.json", '{"a": {"b": [1, 2.5]}}', '{\n  "a": {\n    "b": [\n      1,\n      2.5\n    ]\n  }\n}'),
        ("p.toml", 'x = "ä\\"b"\n[a]\nb = [1, 2.5, true]\n', '"x" = "\\u00e4\\"b"\n"a" = {"b" = [1, 2.5, true]}\n'),
    ],
)
def test_the_file_has_the_format_of_the_original(workspace: Workspace, name: str, text: str, found: str) -> None:
    workspace.pipeline(f'params "{name}"\n' + HEAD + "    run: cp {p:file} {outputs}; ls {p:file}\n")
    workspace.write(name, text)
    workspace.ok()
    assert workspace.read("t.txt") == found
    workspace.write(name, text.replace("2.5", "3.5"))
    assert workspace.ok().ran == ["t"]
    assert list((workspace.root / ".mlbuild/tmp").iterdir()) == []


def test_params_that_a_script_reads_itself_count(workspace: Workspace) -> None:
    workspace.pipeline(
        'params "params.yaml"\n'
        + HEAD
        + "    params: params.train\n    run: cp params.yaml {outputs}\n    code: none\n"
    )
    workspace.write("params.yaml", "train: {lr: 1}\nother: 1\n")
    workspace.ok()
    workspace.write("params.yaml", "train: {lr: 1}\nother: 2\n")
    assert workspace.ok().ran == []
    workspace.write("params.yaml", "train: {lr: 2}\nother: 2\n")
    assert workspace.ok().ran == ["t"]
    assert "can't be overridden: `t` reads it from the file itself" in workspace.build("params.train.lr=3").err


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        (
            "environ: 3",
            """\
Pipelinefile:3:14: error: `3` names no variable
  3 |     environ: 3
    |              ^
  hint: as in `environ: OMP_NUM_THREADS = "1", CUDA_HOME, secret(API_TOKEN)`""",
        ),
        (
            "environ: A = secret(B)",
            """\
Pipelinefile:3:14: error: a secret has the value that it is set to
  3 |     environ: A = secret(B)
    |              ^^^^^^^^^^^^^
  hint: write secret(A)""",
        ),
        (
            'requires: x = "a"',
            """\
Pipelinefile:3:15: error: `requires:` gives no names
  3 |     requires: x = "a"
    |               ^^^^^^^
  hint: names are for `inputs:`""",
        ),
        (
            "code: t",
            """\
Pipelinefile:3:11: error: what a target makes is an input
  3 |     code: t
    |           ^
  hint: put it into `inputs:`""",
        ),
        (
            "max_active: 0",
            """\
Pipelinefile:3:17: error: a number of tasks is needed, and this is 0
  3 |     max_active: 0
    |                 ^
  hint: as in `max_active: 2`""",
        ),
        (
            "cache: nevr",
            """\
Pipelinefile:3:12: error: `cache:` can't be nevr
  3 |     cache: nevr
    |            ^^^^
  hint: did you mean `never`?""",
        ),
        (
            "on_failure: ignore",
            """\
Pipelinefile:3:17: error: `on_failure:` can't be ignore
  3 |     on_failure: ignore
    |                 ^^^^^^
  hint: write stop or continue""",
        ),
        (
            "after: t failed",
            """\
Pipelinefile:3:12: error: `t failed` is not there yet
  3 |     after: t failed
    |            ^^^^^^^^
  hint: a later version of mlbuild brings it""",
        ),
        (
            "after: t.x",
            """\
Pipelinefile:3:12: error: `t` has no output `x`
  3 |     after: t.x
    |            ^^^
  hint: name it there: outputs: x = "…\"""",
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_clauses_that_are_wrong(clause: str, said: str) -> None:
    assert mistakes(HEAD + f"    {clause}\n    run: x\n") == said
