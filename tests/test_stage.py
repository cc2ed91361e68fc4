"""What scripts get from `mlbuild.stage`, each a process of its own, as a recipe is."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest
from workspace import PATIENCE, ROOT, Workspace, is_supervisor

from mlbuild import stage
from mlbuild.executors import lineage


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where an attempt keeps its checkpoints, as mlbuild prepares it."""
    folder = tmp_path / "checkpoints"
    (folder / ".mlbuild").mkdir(parents=True)
    return folder


def attempt(directory: Path) -> dict[str, str]:
    """The environment of an attempt with a checkpoint directory."""
    return {
        "MLBUILD_JOB": f"7-1 {directory.parent}",
        "MLBUILD_ATTEMPT": "1",
        "MLBUILD_CHECKPOINT_DIR": str(directory),
        "MLBUILD_RESUME_FROM": "",
        "MLBUILD_PROGRESS": str(directory.parent / "progress"),
    }


def start(text: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a script."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLBUILD_")}
    return subprocess.Popen(
        [sys.executable, "-c", dedent(text)],
        env={**own, "PYTHONPATH": str(ROOT), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(text: str, env: Mapping[str, str]) -> tuple[int, str, str]:
    """(exit status, output, errors) of a script."""
    process = start(text, env)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def ok(text: str, env: Mapping[str, str]) -> str:
    status, out, err = run(text, env)
    assert status == 0, err
    return out


def notes(directory: Path) -> list[dict[str, object]]:
    """The lines of the journal of checkpoints."""
    return [json.loads(line) for line in (directory / ".mlbuild/journal").read_text().split("\n") if line]


def visible(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != ".mlbuild")


def test_nothing_else_of_mlbuild_is_loaded() -> None:
    text = "import sys, mlbuild.stage; print(sorted(name for name in sys.modules if name.startswith('mlbuild')))"
    assert ast.literal_eval(ok(text, {})) == ["mlbuild", "mlbuild.stage"]


# --- what the task is given


def test_inputs_outputs_metrics_params_and_keys(workspace: Workspace) -> None:
    workspace.write("a.csv", "a\n")
    workspace.write("b.csv", "b\n")
    workspace.write("params.yaml", "train: {lr: 0.1, betas: [0.9, 0.99], sizes: {1: small}}\nother: 1\n")
    workspace.write(
        "train.py",
        """
        import json
        from mlbuild.stage import inputs, keys, metrics, outputs, params

        with open(outputs.weights, "w") as file:
            print(list(inputs), inputs.first, list(inputs.all), file=file)
            print(outputs.log, outputs[1], metrics, type(keys.fold), keys.fold, keys["model"], file=file)
            print(params.train.lr, params.train.betas[1], params.train["sizes"], params.epochs, file=file)
            print(sorted(params), sorted(params.train), file=file)
        open(outputs.log, "w").close()
        with open(metrics, "w") as file:
            json.dump({}, file)
        """,
    )
    workspace.pipeline(
        """
        params "params.yaml"
        param epochs = 3
        param unused = 4
        partition fold: [1, 2]
        partition model: ["a-b"]
        target train[fold, model]:
            inputs: first = "a.csv", all = glob("*.csv")
            outputs: weights = "{fold}-{model}.txt", log = "{fold}-{model}.log"
            metrics: "{fold}-{model}.json"
            params: params.train, epochs
            run: python train.py
        """
    )
    workspace.ok("epochs=5")
    assert workspace.lines("1-a-b.txt") == [
        "['a.csv', 'a.csv', 'b.csv'] a.csv ['a.csv', 'b.csv']",
        "1-a-b.log 1-a-b.log 1-a-b.json <class 'int'> 1 a-b",
        "0.1 0.99 {1: 'small'} 5",
        "['epochs', 'train'] ['betas', 'lr', 'sizes']",
    ]
    assert [path.name for path in (workspace.root / ".mlbuild/tmp").iterdir()] == []


def test_a_value_that_is_not_listed_is_not_there(workspace: Workspace) -> None:
    workspace.write("train.py", "from mlbuild.stage import params, outputs\nprint(params.lr)\n")
    workspace.pipeline(
        'param lr = 1\nparam l2 = 2\ntarget t:\n    outputs: "t"\n    params: l2\n    run: python train.py {lr}\n'
    )
    ended = workspace.build()
    assert "AttributeError: there is no `lr` here, but l2" in ended.out


def test_one_path_is_a_text_and_one_that_is_absent_is_none(workspace: Workspace) -> None:
    workspace.write("a.csv", "a\n")
    workspace.write(
        "run.py",
        "from mlbuild.stage import *\nfrom mlbuild.stage import inputs\nprint(open(inputs.a).read(), inputs.b)",
    )
    workspace.pipeline('target t:\n    inputs: a = "a.csv", b = "b.csv"?\n    run: python run.py\n')
    workspace.ok()
    assert workspace.run("log", "t").out == "a\n None\n"


def test_what_a_script_can_ask_for_counts(workspace: Workspace) -> None:
    """Two inputs that change names, and nothing else that the recipe shows."""
    workspace.write("a.csv", "a\n")
    workspace.write("b.csv", "b\n")
    script = "import shutil\nfrom mlbuild import stage\nshutil.copy(stage.inputs.first, stage.outputs)\n"
    text = 'target t:\n    inputs: first = "a.csv", second = "b.csv"\n    outputs: "out"\n    run: python {script}\n'
    workspace.write("with.py", script)
    workspace.write("without.py", "open('out', 'w').close()\n")
    for name in ("with.py", "without.py"):
        workspace.pipeline(text.replace("{script}", name))
        workspace.ok()
        exchanged = text.replace("first", "third").replace("second", "first").replace("third", "second")
        workspace.pipeline(exchanged.replace("{script}", name))
        ended = workspace.ok("-v")
        assert ended.ran == (["t"] if name == "with.py" else [])
        if name == "with.py":
            assert workspace.read("out") == "b\n"
            assert "t: its inputs, outputs or keys go by other names or stand in another order" in ended.out


def test_a_recipe_in_python_is_given_it_too(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target t:
            outputs: "t"
            run python:
                import mlbuild.stage
                open(mlbuild.stage.outputs, "w").close()
        """
    )
    workspace.ok()


def test_who_is_not_seen_to_ask_is_told_so(workspace: Workspace) -> None:
    workspace.write("run.py", "import importlib\nprint(importlib.import_module('mlbuild.' + 'stage').inputs)\n")
    workspace.pipeline("target t:\n    code: none\n    run: python run.py\n")
    assert (
        "mlbuild.stage.StageError: `inputs` is not known, since mlbuild did not see that this task imports "
        "mlbuild.stage: name the script that does in the recipe or in `code:`"
    ) in workspace.build().out


def test_a_build_within_a_recipe_hears_nothing_of_the_outer_task(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    run: echo "[$MLBUILD_TASK]"\n')
    workspace.ok(env={"MLBUILD_TASK": "outer"})
    assert workspace.run("log", "t").out == "[]\n"


def test_by_hand_there_is_no_task() -> None:
    status, _, err = run("from mlbuild.stage import inputs", {})
    assert status == 1
    assert err.endswith("StageError: `inputs` is known in a recipe only: mlbuild has not started this\n")


# --- checkpoints

SAVE = """
from mlbuild.stage import checkpoint

with checkpoint.save("one") as path:
    path.write_text("state")
print(checkpoint.latest())
"""
SAVE_FOLDER = """
from mlbuild.stage import checkpoint

with checkpoint.save("one") as path:
    (path / "inner").mkdir(parents=True)
    (path / "model").write_text("{text}")
    (path / "inner/optimiser").write_text("state")
"""


def test_a_file_and_a_folder(directory: Path) -> None:
    env = attempt(directory)
    assert ok(SAVE, env) == f"{directory}/one\n"
    ok(SAVE_FOLDER.replace('"one"', '"two"'), env)
    assert (directory / "one").read_text() == "state"
    assert (directory / "two/inner/optimiser").read_text() == "state"
    assert visible(directory) == ["one", "two"]
    for note, name in zip(notes(directory), ("one", "two"), strict=True):
        assert (note["put"], note["attempt"]) == (name, "7-1")
        assert note["signature"] == stage.signature(str(directory / name))
        assert abs(float(str(note["at"])) - time.time()) < PATIENCE
    assert list((directory / ".mlbuild/saving").rglob("*")) == [directory / ".mlbuild/saving/7-1"]


def test_a_signature_tells_what_was_cut_short_from_a_copy(directory: Path) -> None:
    ok(SAVE_FOLDER, attempt(directory))
    whole = stage.signature(str(directory / "one"))
    copy = directory / "copy"
    shutil.copytree(directory / "one", copy)
    assert stage.signature(str(copy)) == whole
    os.utime(copy / "model", (0, 0))
    assert stage.signature(str(copy)) != whole
    os.truncate(directory / "one/inner/optimiser", 2)
    assert stage.signature(str(directory / "one")) != whole


def test_whoever_looks_for_checkpoints_reads_what_is_noted(directory: Path) -> None:
    ok(SAVE, attempt(directory))
    ok(SAVE_FOLDER.replace('"one"', '"two"'), attempt(directory))
    (directory / "two/link").symlink_to("model")
    for name in ("one", "two"):
        assert stage.signature(str(directory / name)) == lineage.signature(str(directory / name))
    puts = lineage.Lineage(str(directory / ".mlbuild/journal")).puts
    assert [put["attempt"] for put in puts.values()] == ["7-1", "7-1"]
    assert ("one", stage.signature(str(directory / "one"))) in puts


def test_one_of_the_same_name_is_replaced_whole(directory: Path) -> None:
    env = attempt(directory)
    ok(SAVE, env)
    ok(SAVE_FOLDER.replace("{text}", "first"), env)
    (directory / "one/left").touch()
    ok(SAVE_FOLDER.replace("{text}", "second"), env)
    assert sorted(os.listdir(directory / "one")) == ["inner", "model"]
    assert (directory / "one/model").read_text() == "second"
    ok(SAVE, env)
    assert (directory / "one").read_text() == "state"
    assert visible(directory) == ["one"]


def test_a_folder_is_replaced_where_paths_cannot_be_exchanged(directory: Path) -> None:
    ok(SAVE_FOLDER.replace("{text}", "first"), attempt(directory))
    cannot = "import mlbuild.stage\nmlbuild.stage._exchange = lambda one, other: False\n"
    ok(cannot + SAVE_FOLDER.replace("{text}", "second"), attempt(directory))
    assert (directory / "one/model").read_text() == "second"
    assert visible(directory) == ["one"]
    assert list((directory / ".mlbuild/saving").rglob("*")) == [directory / ".mlbuild/saving/7-1"]


def test_an_error_leaves_nothing(directory: Path) -> None:
    text = """
    from mlbuild.stage import checkpoint

    try:
        with checkpoint.save("one") as path:
            path.write_text("half")
            raise ValueError
    except ValueError:
        print(checkpoint.latest())
    """
    assert ok(text, attempt(directory)) == "None\n"
    assert visible(directory) == []
    assert not (directory / ".mlbuild/journal").exists()
    assert list((directory / ".mlbuild/saving").rglob("*")) == [directory / ".mlbuild/saving/7-1"]


def test_what_a_killed_attempt_had_half_written_is_dropped(directory: Path) -> None:
    text = """
    import os
    from mlbuild.stage import checkpoint

    with checkpoint.save("one") as path:
        path.write_text("half")
        os.kill(os.getpid(), 9)
    """
    assert run(text, attempt(directory))[0] == -9
    assert visible(directory) == []
    assert len(list((directory / ".mlbuild/saving").rglob("one"))) == 1
    ok(SAVE.replace("one", "two"), {**attempt(directory), "MLBUILD_JOB": f"8-1 {directory.parent}"})
    assert list((directory / ".mlbuild/saving").rglob("one")) == []


def test_it_is_noted_before_it_is_in_place(directory: Path) -> None:
    """A kill between the two leaves a note of something that is not there, and never the other way round."""
    killed = "import os\nimport mlbuild.stage\nmlbuild.stage._move = lambda one, other: os.kill(os.getpid(), 9)\n"
    assert run(killed + SAVE, attempt(directory))[0] == -9
    assert visible(directory) == []
    assert [note["put"] for note in notes(directory)] == ["one"]


def test_a_note_that_was_torn_does_not_spoil_the_next(directory: Path) -> None:
    (directory / ".mlbuild/journal").write_text('{"put": "to')
    ok(SAVE, attempt(directory))
    torn, note, _ = (directory / ".mlbuild/journal").read_text().split("\n")
    assert torn == '{"put": "to'
    assert json.loads(note)["put"] == "one"


def test_the_latest_is_the_own_or_the_one_that_is_offered(directory: Path) -> None:
    text = "from mlbuild.stage import checkpoint\nprint(repr(checkpoint.latest()))\n"
    env = attempt(directory)
    assert ok(text, env) == "None\n"
    assert ok(text, {**env, "MLBUILD_RESUME_FROM": f"{directory}/zero"}) == f"{Path(f'{directory}/zero')!r}\n"
    assert ok(SAVE, {**env, "MLBUILD_RESUME_FROM": f"{directory}/zero"}) == f"{directory}/one\n"


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a.tmp", "a.part"])
def test_a_name_that_can_be_none(directory: Path, name: str) -> None:
    _, _, err = run(SAVE.replace('"one"', repr(name)), attempt(directory))
    assert err.endswith(
        f"StageError: {name!r} is no name of a checkpoint: one has no `/`, no `.` at its start, no .tmp, no .part\n"
    )
    assert visible(directory) == []


def test_a_library_that_puts_an_ending_behind_the_name(directory: Path) -> None:
    text = SAVE.replace("path.write_text", 'path.with_suffix(".npz").write_text')
    _, _, err = run(text, attempt(directory))
    assert err.endswith(
        "StageError: nothing was written to the path of checkpoint `one`, but `one.npz` was: save under that name\n"
    )
    ok(SAVE.replace('"one"', '"one.npz"'), attempt(directory))
    assert visible(directory) == ["one.npz"]


def test_a_task_without_a_checkpoint_directory_is_told_so() -> None:
    _, _, err = run(SAVE, {"MLBUILD_ATTEMPT": "1", "MLBUILD_JOB": "7-1 /"})
    assert err.endswith("StageError: this task's target has no `checkpoint:`, so there is no place for one\n")


def test_by_hand_nothing_is_kept(tmp_path: Path) -> None:
    assert ok(SAVE, {"TMPDIR": str(tmp_path)}) == "None\n"
    assert list(tmp_path.iterdir()) == []


def test_by_hand_a_directory_can_be_named(directory: Path) -> None:
    assert ok(SAVE, {"MLBUILD_CHECKPOINT_DIR": str(directory)}) == f"{directory}/one\n"
    assert not (directory / ".mlbuild/journal").exists()


# --- in a build

TRAIN = """
from pathlib import Path
from mlbuild.stage import checkpoint, outputs, params
import os, time

start = checkpoint.latest()
print("goes on from", start and start.name)
done = int(start.read_text()) if start else 0
for epoch in range(done + 1, 5):
    if epoch == 3 and not start:
        Path("waits").touch()
        while not os.path.exists("go"):
            time.sleep(0.01)
    with checkpoint.save(f"epoch-{epoch}") as path:
        path.write_text(str(epoch))
    if epoch == 3 and not start:
        Path("saved").touch()
        time.sleep(600)
Path(outputs).touch()
"""
PIPELINE = """
target train:
    outputs: "model"
    checkpoint: "checkpoints/"
    run: python train.py
"""


def test_kill_9_of_all_loses_no_checkpoint(workspace: Workspace) -> None:
    """The third is saved while whoever watches is held, so nobody but the script itself can tell that it is whole."""
    workspace.write("train.py", TRAIN)
    workspace.pipeline(PIPELINE)
    process = workspace.start()
    workspace.wait_for("waits")
    (watching,) = (pid for pid in workspace.processes() if is_supervisor(pid))
    os.kill(watching, signal.SIGSTOP)
    workspace.write("go", "")
    workspace.wait_for("saved")
    for pid in workspace.processes():
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    workspace.wait_until_quiet()
    workspace.ok()
    assert workspace.run("log", "train").out == "goes on from epoch-3\n"


@pytest.mark.parametrize(
    ("moment", "from_"),
    [("_put_on_disk", "epoch-2"), ("_note", "epoch-2"), ("_move", "epoch-2"), ("_sync(directory)", "epoch-3")],
)
def test_killed_while_it_saves(workspace: Workspace, moment: str, from_: str) -> None:
    """Just before each step of the third save: what is offered is whole, and not older than it need be."""
    text = (ROOT / "mlbuild/stage.py").read_text()
    step = re.compile(rf"^( +)(?={re.escape(moment)})", re.MULTILINE)
    assert len(step.findall(text[text.index("def save(") :])) >= 1
    start = text.index("def save(")
    dies = r"\1path.name == 'epoch-3' and not os.path.exists('died') and (open('died', 'w').close(), os.kill(0, 9))\n\1"
    # A copy of the module, found before it, that is killed once.
    workspace.write("own/mlbuild/__init__.py", "")
    (workspace.root / "own/mlbuild/stage.py").write_text(text[:start] + step.sub(dies, text[start:], count=1))
    workspace.write("train.py", TRAIN.replace("epoch == 3 and not start", "False"))
    workspace.pipeline(PIPELINE.replace("python", 'PYTHONPATH="$PWD/own:$PYTHONPATH" python'))
    assert workspace.build().failed == ["train"]
    workspace.ok()
    assert workspace.run("log", "train").out == f"goes on from {from_}\n"
    assert {path.name for path in (workspace.root / "checkpoints").glob("*")} >= {"epoch-3", "epoch-4"}


# --- a stop that is asked for

WORKERS = """
import multiprocessing, time
from mlbuild.stage import checkpoint, leave, stopping

def work(pipe):
    while True:
        pipe.send(pipe.recv() + 1)

if __name__ == "__main__":
    stopping()
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.get_context({kind!r}).Process(target=work, args=(theirs,), daemon=True).start()
    ours.send(1)
    assert ours.recv() == 2
    open("ready", "w").close()
    while not stopping():
        time.sleep(0.01)
    time.sleep(0.5)  # whoever else was sent the signal has it by now
    ours.send(2)
    with checkpoint.save("one") as path:
        path.write_text(str(ours.recv()))
    leave()
"""


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver"])
def test_a_script_that_is_told_to_stop_still_has_its_workers(workspace: Workspace, kind: str) -> None:
    workspace.write("train.py", WORKERS.replace("{kind!r}", repr(kind)))
    workspace.pipeline('target t:\n    checkpoint: "checkpoints/"\n    outputs: "t"\n    run: python train.py\n')
    process = workspace.start()
    workspace.wait_for("ready")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert "t can go on from checkpoints/one" in out, err
    assert workspace.read("checkpoints/one") == "3"


LOOP = """
import time
from mlbuild.stage import leave, stopping

print(stopping(), flush=True)
while not stopping():
    time.sleep(0.001)
print("saves")
leave()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_stop(number: int) -> None:
    process = start(LOOP, {"MLBUILD_STOP_SIGNAL": "USR1"})
    assert process.stdout is not None
    assert process.stdout.readline() == "False\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (128 + number, "saves\n", "")


def test_a_second_int_does_not_wait() -> None:
    process = start(LOOP.replace('print("saves")', 'print("saves", flush=True)\ntime.sleep(600)'), {})
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "saves\n"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err.splitlines()[-1]) == (-signal.SIGINT, "KeyboardInterrupt")


def test_a_script_that_never_asks_is_stopped_as_ever() -> None:
    process = start("import time, mlbuild.stage\nprint(1, flush=True)\ntime.sleep(600)\n", {})
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGTERM


def test_a_forked_worker_is_ended_as_ever() -> None:
    text = """
    import multiprocessing, time
    from mlbuild.stage import stopping
    stopping()
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    worker.start()
    worker.terminate()
    worker.join()
    print(worker.exitcode)
    """
    assert ok(text, {}) == "-15\n"


def test_it_is_asked_in_the_main_thread_first() -> None:
    text = """
    import threading
    from mlbuild.stage import stopping
    if {first}:
        stopping()
    thread = threading.Thread(target=lambda: print(stopping()))
    thread.start()
    thread.join()
    """
    _, _, err = run(text.replace("{first}", "False"), {})
    assert "StageError: call `stopping()` in the main thread first: Python takes signals only there" in err
    assert ok(text.replace("{first}", "True"), {}) == "False\n"


def test_nobody_leaves_unasked() -> None:
    _, _, err = run("from mlbuild.stage import leave\nleave()\n", {})
    assert err.endswith("StageError: `leave()` is for when `stopping()` is true\n")


# --- progress


def reported(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_numbers_of_all_kinds(tmp_path: Path) -> None:
    text = """
    import numpy as np
    from mlbuild.stage import progress
    progress(1, 20, loss=0.5, name="a")
    progress(np.int64(2), 20.5, loss=np.float32(0.25), bad=float("nan"), worse=[1])
    progress(3)
    """
    ok(text, {"MLBUILD_PROGRESS": f"{tmp_path}/progress"})
    assert reported(tmp_path / "progress") == [
        {"done": 1, "total": 20, "metrics": {"loss": 0.5, "name": "a"}},
        {"done": 2, "total": 20.5, "metrics": {"loss": 0.25, "bad": "nan", "worse": "[1]"}},
        {"done": 3, "total": None, "metrics": {}},
    ]


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ("", [99_998]),
        ("progress(100_000, 100_000)", [100_000]),
        ("raise SystemExit(3)", [99_998]),
        ("with checkpoint.save('one') as path: path.touch()\nos.kill(os.getpid(), 9)", [99_998]),
    ],
)
def test_a_fast_loop_writes_little_and_never_loses_the_last(directory: Path, end: str, last: list[int]) -> None:
    text = """
    import os
    from mlbuild.stage import checkpoint, progress
    for done in range(99_999):
        progress(done, 100_000, loss=0.5)
    """
    run(dedent(text) + end, attempt(directory))
    rows = reported(directory.parent / "progress")
    assert [row["done"] for row in rows[:10]] == [*range(10)]
    assert len(rows) < 1000
    assert [rows[-1]["done"]] == last


def test_by_hand_progress_goes_nowhere(tmp_path: Path) -> None:
    text = f"import os\nos.chdir({str(tmp_path)!r})\nfrom mlbuild.stage import progress\nprogress(1, 2)\n"
    assert ok(text, {}) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_no_training() -> None:
    ok("from mlbuild.stage import progress\nprogress(1, 2)\n", {"MLBUILD_PROGRESS": "/dev/full"})
