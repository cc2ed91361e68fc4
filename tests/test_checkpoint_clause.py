"""The clauses `checkpoint:` and `stall:`, and what is said where they are misused."""

from __future__ import annotations

import pytest
from pipelinefile import loaded, mistakes
from workspace import Workspace

from mlbuild.expression import written

HEAD = """\
param epochs = 20
params "params.yaml"
partition model: ["a", "b"]
target train[model]:
    outputs: "m/{model}.txt"
    run: train {outputs}
"""
FILES = {"params.yaml": "train: {lr: 0.1, epochs: 5}"}

CASES = {
    "no slash": (
        'checkpoint: "c/{model}"',
        '''\
Pipelinefile:7:17: error: a checkpoint directory ends in `/`
  7 |     checkpoint: "c/{model}"
    |                 ^^^^^^^^^^^
  hint: write "c/{model}/"''',
    ),
    "unquoted": (
        "checkpoint: checkpoints/x",
        '''\
Pipelinefile:7:17: error: there is no `checkpoints`
  7 |     checkpoint: checkpoints/x
    |                 ^^^^^^^^^^^
  hint: a path stands in quotes: "checkpoints/x"''',
    ),
    "no text": (
        "checkpoint: 7",
        '''\
Pipelinefile:7:17: error: a path is needed, and this is 7
  7 |     checkpoint: 7
    |                 ^
  hint: a path stands in "…"''',
    ),
    "a partition is missing": (
        'checkpoint: "c/"',
        """\
Pipelinefile:7:17: error: the tasks of `train` would all have this checkpoint directory: it lacks {model}
  7 |     checkpoint: "c/"
    |                 ^^^^
  hint: put {model} into it""",
    ),
    "no directory": (
        "checkpoint: keep = 2",
        """\
Pipelinefile:7:5: error: `checkpoint:` names no directory
  7 |     checkpoint: keep = 2
    |     ^^^^^^^^^^
  hint: as in `checkpoint: "checkpoints/train/", keep = 2`""",
    ),
    "two directories": (
        'checkpoint: "c/{model}/", "d/{model}/"',
        '''\
Pipelinefile:7:31: error: a target has one checkpoint directory
  7 |     checkpoint: "c/{model}/", "d/{model}/"
    |                               ^^^^^^^^^^^^
  hint: leave out "d/{model}/"''',
    ),
    "unknown option": (
        'checkpoint: "c/{model}/", kep = 2',
        """\
Pipelinefile:7:31: error: `checkpoint:` has no `kep`
  7 |     checkpoint: "c/{model}/", kep = 2
    |                               ^^^^^^^
  hint: did you mean `keep`?""",
    ),
    "an option of no kind": (
        'checkpoint: "c/{model}/", every = 2',
        """\
Pipelinefile:7:31: error: `checkpoint:` has no `every`
  7 |     checkpoint: "c/{model}/", every = 2
    |                               ^^^^^^^^^
  hint: it takes keep, ignore, complete, signal, grace""",
    ),
    "twice": (
        'checkpoint: "c/{model}/", keep = 2, keep = 3',
        """\
Pipelinefile:7:41: error: `keep` is given twice
  7 |     checkpoint: "c/{model}/", keep = 2, keep = 3
    |                                         ^^^^^^^^
  hint: leave out one of them""",
    ),
    "keep 0": (
        'checkpoint: "c/{model}/", keep = 0',
        """\
Pipelinefile:7:38: error: `keep` is a whole number from 1 on, and this is 0
  7 |     checkpoint: "c/{model}/", keep = 0
    |                                      ^
  hint: without `keep` all checkpoints stay""",
    ),
    "keep negative": (
        'checkpoint: "c/{model}/", keep = -1',
        """\
Pipelinefile:7:38: error: `keep` is a whole number from 1 on, and this is -1
  7 |     checkpoint: "c/{model}/", keep = -1
    |                                      ^^
  hint: without `keep` all checkpoints stay""",
    ),
    "keep half": (
        'checkpoint: "c/{model}/", keep = 1.5',
        """\
Pipelinefile:7:38: error: `keep` is a whole number from 1 on, and this is 1.5
  7 |     checkpoint: "c/{model}/", keep = 1.5
    |                                      ^^^
  hint: without `keep` all checkpoints stay""",
    ),
    "ignore unknown": (
        'checkpoint: "c/{model}/", ignore = epoch',
        """\
Pipelinefile:7:40: error: `epoch` is no param
  7 |     checkpoint: "c/{model}/", ignore = epoch
    |                                        ^^^^^
  hint: did you mean `epochs`?""",
    ),
    "ignore number": (
        'checkpoint: "c/{model}/", ignore = [epochs, 3]',
        """\
Pipelinefile:7:49: error: `3` is no param
  7 |     checkpoint: "c/{model}/", ignore = [epochs, 3]
    |                                                 ^
  hint: as in `ignore = epochs` or `ignore = [epochs, params.patience]`""",
    ),
    "ignore partition": (
        'checkpoint: "c/{model}/", ignore = model',
        """\
Pipelinefile:7:40: error: `model` is no param
  7 |     checkpoint: "c/{model}/", ignore = model
    |                                        ^^^^^
  hint: as in `ignore = epochs` or `ignore = [epochs, params.patience]`""",
    ),
    "ignore a table": (
        'checkpoint: "c/{model}/", ignore = params.train',
        """\
Pipelinefile:7:40: error: `params.train` is a table, and what is ignored is one value
  7 |     checkpoint: "c/{model}/", ignore = params.train
    |                                        ^^^^^^^^^^^^
  hint: name the values in it: params.train.NAME""",
    ),
    "ignore unknown value": (
        'checkpoint: "c/{model}/", ignore = params.train.rate',
        """\
Pipelinefile:7:40: error: `params.train` has no `rate`
  7 |     checkpoint: "c/{model}/", ignore = params.train.rate
    |                                        ^^^^^^^^^^^^^^^^^
  hint: it has `lr`, `epochs`""",
    ),
    "ignore in path": (
        'checkpoint: "c/{model}/{epochs}/", ignore = [epochs]',
        """\
Pipelinefile:7:50: error: `epochs` can't be ignored: a path of this target holds it
  7 |     checkpoint: "c/{model}/{epochs}/", ignore = [epochs]
    |                                                  ^^^^^^
  hint: leave it out here, or out of the paths""",
    ),
    "complete": (
        'checkpoint: "c/{model}/", complete = "a/b"',
        '''\
Pipelinefile:7:42: error: `complete` is the name of a file in each checkpoint, and this is "a/b"
  7 |     checkpoint: "c/{model}/", complete = "a/b"
    |                                          ^^^^^
  hint: as in complete = "DONE"''',
    ),
    "complete word": (
        'checkpoint: "c/{model}/", complete = DONE',
        '''\
Pipelinefile:7:42: error: there is no `DONE`
  7 |     checkpoint: "c/{model}/", complete = DONE
    |                                          ^^^^
  hint: a text stands in quotes: "DONE"''',
    ),
    "signal KILL": (
        'checkpoint: "c/{model}/", signal = KILL',
        """\
Pipelinefile:7:40: error: `KILL` is no signal that a recipe can answer
  7 |     checkpoint: "c/{model}/", signal = KILL
    |                                        ^^^^
  hint: nothing can be saved on that: TERM is what is sent else""",
    ),
    "signal SIGTERM": (
        'checkpoint: "c/{model}/", signal = SIGTERM',
        """\
Pipelinefile:7:40: error: `SIGTERM` is no signal that a recipe can answer
  7 |     checkpoint: "c/{model}/", signal = SIGTERM
    |                                        ^^^^^^^
  hint: did you mean `TERM`?""",
    ),
    "signal unknown": (
        'checkpoint: "c/{model}/", signal = 15',
        """\
Pipelinefile:7:40: error: `15` is no signal that a recipe can answer
  7 |     checkpoint: "c/{model}/", signal = 15
    |                                        ^^
  hint: one of TERM, INT, HUP, QUIT, USR1, USR2, XCPU""",
    ),
    "grace": (
        'checkpoint: "c/{model}/", grace = 60',
        """\
Pipelinefile:7:39: error: a time has a unit, and 60 has none
  7 |     checkpoint: "c/{model}/", grace = 60
    |                                       ^^
  hint: write 60s""",
    ),
    "share": (
        'checkpoint: "c/{model}/", share_resumed = true',
        """\
Pipelinefile:7:31: error: `share_resumed` is not there yet
  7 |     checkpoint: "c/{model}/", share_resumed = true
    |                               ^^^^^^^^^^^^^^^^^^^^
  hint: a later version of mlbuild brings it""",
    ),
    "stall": (
        "stall: 30",
        """\
Pipelinefile:7:12: error: a time has a unit, and 30 has none
  7 |     stall: 30
    |            ^^
  hint: write 30s""",
    ),
    "url": (
        'checkpoint: "s3://b/{model}/"',
        """\
Pipelinefile:7:17: error: only files are kept here, and this is a URL
  7 |     checkpoint: "s3://b/{model}/"
    |                 ^^^^^^^^^^^^^^^^^
  hint: URLs stand in `inputs:`""",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_of_a_clause(case: str) -> None:
    clause, said = CASES[case]
    assert mistakes(f"{HEAD}    {clause}\n", files=FILES) == said


def test_what_the_clause_says() -> None:
    clause = (
        'checkpoint: "c/{model}/", keep = 2, ignore = [epochs, params.train.epochs], complete = "DONE", signal = USR1'
    )
    found = loaded(f"{HEAD}    {clause}, grace = 2m\n    stall: 30m\n", files=FILES).targets["train"]
    checkpoint = found.checkpoint
    assert checkpoint
    assert (checkpoint.keep, checkpoint.complete, checkpoint.signal, checkpoint.grace) == (2, "DONE", 10, 120)
    assert [written(node) for node in checkpoint.ignore] == ["epochs", "params.train.epochs"]
    assert found.stall == 1800


def test_all_checkpoints_stay_if_it_says_nothing_else() -> None:
    found = loaded(f'{HEAD}    checkpoint: "c/{{model}}/"\n', files=FILES).targets["train"].checkpoint
    assert found
    assert (found.keep, found.ignore, found.complete, found.signal, found.grace) == (None, (), None, 15, 60)


def test_the_slot_needs_the_clause() -> None:
    recipe = "run: train {checkpoint:--dir} {model} > {{checkpoint}}"
    text = f'partition model: ["a", "b"]\ntarget train[model]:\n    {recipe}\n'
    assert (
        mistakes(text)
        == """\
Pipelinefile:3:16: error: this target has no `checkpoint:`
  3 |     run: train {checkpoint:--dir} {model} > {{checkpoint}}
    |                ^^^^^^^^^^^^^^^^^^
  hint: add the clause: checkpoint: "checkpoints/train/{model}/\""""
    )


def test_no_two_targets_can_share_it_so_it_is_no_default() -> None:
    assert (
        mistakes('defaults:\n    checkpoint: "c/"\n    stall: 1h\ntarget t:\n    run: true\n')
        == """\
Pipelinefile:2:5: error: `checkpoint:` can't stand in `defaults:`
  2 |     checkpoint: "c/"
    |     ^^^^^^^^^^
  hint: it belongs to one target"""
    )


def test_stall_can_be_a_default() -> None:
    assert loaded("defaults:\n    stall: 1h\ntarget t:\n    run: true\n").targets["t"].stall == 3600


PLACES = {
    "two targets": (
        """
        target a:
            checkpoint: "c/"
            run: true
        target b:
            checkpoint: "./c/"
            run: true
        """,
        """\
Pipelinefile:5:17: error: b and a have one checkpoint directory: c/
  5 |     checkpoint: "./c/"
    |                 ^^^^^^
  hint: the other is declared at Pipelinefile:1:8
""",
    ),
    "one in another": (
        """
        target a:
            checkpoint: "c/a/"
            run: true
        target b:
            checkpoint: "c/"
            run: true
        """,
        """\
Pipelinefile:2:17: error: the checkpoint directory c/a/ of a lies in that of b
  2 |     checkpoint: "c/a/"
    |                 ^^^^^^
  hint: the other is declared at Pipelinefile:4:8
""",
    ),
    "in an output": (
        """
        target a:
            outputs: "out/"
            checkpoint: "out/c/"
            run: true
        """,
        """\
Pipelinefile:3:17: error: the checkpoint directory out/c/ of a lies in out/, which a makes
  3 |     checkpoint: "out/c/"
    |                 ^^^^^^^^
  hint: a is declared at Pipelinefile:1:8
""",
    ),
    "in another's output": (
        """
        target a:
            checkpoint: "out/c/"
            run: true
        target b:
            outputs: "out/"
            run: true
        """,
        """\
Pipelinefile:2:17: error: the checkpoint directory out/c/ of a lies in out/, which b makes
  2 |     checkpoint: "out/c/"
    |                 ^^^^^^^^
  hint: b is declared at Pipelinefile:4:8
""",
    ),
    "an output in it": (
        """
        target a:
            outputs: "c/model.txt"
            checkpoint: "c/"
            run: true
        """,
        """\
Pipelinefile:3:17: error: a makes c/model.txt, which lies in the checkpoint directory of a
  3 |     checkpoint: "c/"
    |                 ^^^^
  hint: a is declared at Pipelinefile:1:8
""",
    ),
    "in an input": (
        """
        target a:
            inputs: "data"
            checkpoint: "data/c/"
            run: true
        """,
        """\
Pipelinefile:3:17: error: the checkpoint directory data/c/ of a lies in data, which a reads
  3 |     checkpoint: "data/c/"
    |                 ^^^^^^^^^
  hint: a is declared at Pipelinefile:1:8
""",
    ),
    "an input of another in it": (
        """
        target a:
            checkpoint: "data/"
            run: true
        target b:
            inputs: "data/a.csv"
            run: true
        """,
        """\
Pipelinefile:2:17: error: b reads data/a.csv, which lies in the checkpoint directory of a
  2 |     checkpoint: "data/"
    |                 ^^^^^^^
  hint: b is declared at Pipelinefile:4:8
""",
    ),
    "it is an input": (
        """
        target a:
            checkpoint: "data/"
            run: true
        target b:
            inputs: "data"
            run: true
        """,
        """\
Pipelinefile:2:17: error: the checkpoint directory data/ of a lies in data, which b reads
  2 |     checkpoint: "data/"
    |                 ^^^^^^^
  hint: b is declared at Pipelinefile:4:8
""",
    ),
    "in .mlbuild": (
        """
        target a:
            checkpoint: ".mlbuild/c/"
            run: true
        """,
        """\
Pipelinefile:2:17: error: .mlbuild/c/ lies in .mlbuild/, which is mlbuild's own
  2 |     checkpoint: ".mlbuild/c/"
    |                 ^^^^^^^^^^^^^
  hint: make it elsewhere
""",
    ),
    "the workspace": (
        """
        target a:
            checkpoint: "./"
            run: true
        """,
        """\
Pipelinefile:2:17: error: ./ holds the workspace itself, which no target can make
  2 |     checkpoint: "./"
    |                 ^^^^
  hint: name a folder in it: "out/"
""",
    ),
    "around the Pipelinefile": (
        """
        params "conf/params.yaml"
        target a:
            checkpoint: "conf/"
            run: true
        """,
        """\
Pipelinefile:3:17: error: conf/ holds conf/params.yaml, which is read before anything runs
  3 |     checkpoint: "conf/"
    |                 ^^^^^^^
  hint: choose another path
""",
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_where_it_can_not_lie(case: str, workspace: Workspace) -> None:
    text, said = PLACES[case]
    workspace.write("data/a.csv", "1")
    workspace.write("conf/params.yaml", "lr: 1")
    workspace.pipeline(text)
    ended = workspace.run("check")
    assert ended.status == 2
    assert ended.err == said


@pytest.mark.parametrize("recipe", ["run: train {steps} {params:file}", "run python: print(steps, params)"])
def test_what_is_ignored_in_vain_is_doubtful(recipe: str, workspace: Workspace) -> None:
    workspace.write("params.yaml", "patience: 3")
    workspace.pipeline(f"""
        param epochs = 20
        let steps = epochs * 100
        params "params.yaml"
        target train:
            checkpoint: "c/", ignore = [epochs, steps, params.patience]
            {recipe}
    """)
    checked = workspace.run("check")
    assert checked.status == 0
    assert checked.out == "1 target, 0 partitions: no mistake found, 1 doubt\n"
    assert (
        checked.err
        == """\
Pipelinefile:5:33: doubtful: `epochs` is ignored, and `train` does not use it
  5 |     checkpoint: "c/", ignore = [epochs, steps, params.patience]
    |                                 ^^^^^^
  hint: leave it out; of a let that is worked out of it, name the let

"""
    )
