"""What was interrupted goes on from its last checkpoint, and no epoch is computed twice: by the scripts' own logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from textwrap import dedent

import pytest
from workspace import Ended, Workspace

BASH = """
    epoch=0
    if [ -n "$MLBUILD_RESUME_FROM" ]; then epoch=$(cat "$MLBUILD_RESUME_FROM"); fi
    echo $$ > pid
    while [ $epoch -lt $1 ]; do
        epoch=$((epoch + 1))
        echo "$epoch at $2" >> log
        echo $epoch > "$MLBUILD_CHECKPOINT_DIR/.new"
        mv "$MLBUILD_CHECKPOINT_DIR/.new" "$MLBUILD_CHECKPOINT_DIR/epoch-$epoch"
        if [ -e hold-$epoch ]; then
            touch held
            while [ -e hold-$epoch ]; do sleep 0.02; done
        fi
    done
    echo "$epoch epochs at $2" > $3
"""
PYTHON = """
    import os, sys, time
    from pathlib import Path

    epochs, rate, out = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    folder, last = Path(os.environ["MLBUILD_CHECKPOINT_DIR"]), os.environ["MLBUILD_RESUME_FROM"]
    epoch = int(Path(last).read_text()) if last else 0
    Path("pid").write_text(str(os.getpid()))
    while epoch < epochs:
        epoch += 1
        with open("log", "a") as log:
            log.write(f"{epoch} at {rate}\\n")
        (folder / "new.tmp").write_text(str(epoch))
        os.replace(folder / "new.tmp", folder / f"epoch-{epoch}")
        if os.path.exists(f"hold-{epoch}"):
            Path("held").touch()
            while os.path.exists(f"hold-{epoch}"):
                time.sleep(0.02)
    out.write_text(f"{epoch} epochs at {rate}\\n")
"""
RECIPES = {"bash": ("train.sh", BASH), "python": ("train.py", PYTHON)}


def trains(workspace: Workspace, program: str = "bash", clauses: str = "") -> None:
    """A target that trains for `epochs`; it waits behind an epoch N for as long as a file `hold-N` is there."""
    path, text = RECIPES[program]
    workspace.write(path, text)
    workspace.pipeline(f"""
        param epochs = 4
        param lr = 0.1
        target train:
            outputs: "model.txt"
            checkpoint: "checkpoints/train/", ignore = epochs, grace = 5s
            {clauses}
            run: {program} {path} {{epochs}} {{lr}} {{outputs}}
    """)


def epochs(first: int, last: int, lr: str = "0.1") -> list[str]:
    """The lines that a script logs."""
    return [f"{epoch} at {lr}" for epoch in range(first, last + 1)]


def hold(workspace: Workspace, epoch: int) -> None:
    workspace.write(f"hold-{epoch}", "")


def let_go(workspace: Workspace, epoch: int) -> None:
    (workspace.root / f"hold-{epoch}").unlink()
    (workspace.root / "held").unlink()


def held(workspace: Workspace) -> subprocess.Popen[str]:
    """A build whose task waits at the epoch at which it is held."""
    process = workspace.start(events=str(workspace.root / "events.jsonl"))
    workspace.wait_for("held")
    return process


def ended(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=100)
    return Ended(process.returncode, out, err, [])


def send(workspace: Workspace, number: int) -> None:
    """A signal to the script."""
    os.kill(int(workspace.read("pid")), number)


@pytest.mark.parametrize("program", RECIPES)
def test_a_script_that_was_killed(program: str, workspace: Workspace) -> None:
    """By KILL: that is a failure, as far as anybody can tell; but what it has saved is not lost."""
    trains(workspace, program)
    hold(workspace, 3)
    process = held(workspace)
    send(workspace, signal.SIGKILL)
    failed = ended(process)
    let_go(workspace, 3)
    assert failed.status == 1
    assert "\n    it can go on from checkpoints/train/epoch-3\n" in failed.out
    again = workspace.ok()
    assert "start   train from checkpoints/train/epoch-3\n" in again.out
    assert workspace.lines("log") == epochs(1, 4)
    assert workspace.read("model.txt") == "4 epochs at 0.1\n"


@pytest.mark.parametrize("program", RECIPES)
def test_a_script_that_was_told_to_leave(program: str, workspace: Workspace) -> None:
    """By TERM from outside: the same build goes on at once, and there need not be a retry for that."""
    trains(workspace, program)
    hold(workspace, 2)
    process = held(workspace)
    send(workspace, signal.SIGTERM)
    done = ended(process)
    assert done.status == 0, done.out
    assert "resume  train from checkpoints/train/epoch-2, after preemption\n" in done.out
    assert "start   train from checkpoints/train/epoch-2 (attempt 2)\n" in done.out
    assert workspace.lines("log") == epochs(1, 4)


def test_a_script_that_ran_out_of_time(workspace: Workspace) -> None:
    trains(workspace, clauses="timeout: 3s")
    hold(workspace, 2)
    done = workspace.ok()
    (event,) = [row for row in done.events if row["event"] == "task_preempted"]
    assert (event["reason"], event["attempt"]) == ("timeout", 1)
    assert event["checkpoint"] == "checkpoints/train/epoch-2"
    assert done.failed == []
    assert workspace.lines("log") == epochs(1, 4)
    rows = json.loads(workspace.run("runs", "1", "--json").out)["tasks"]
    assert [(row["state"], row["reason"]) for row in rows] == [("preempted", "timeout"), ("built", "ok")]


def test_an_interrupted_build_says_what_can_go_on(workspace: Workspace) -> None:
    trains(workspace)
    hold(workspace, 2)
    process = held(workspace)
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    let_go(workspace, 2)
    assert stopped.status == 130
    assert stopped.out.splitlines()[-1] == "train can go on from checkpoints/train/epoch-2"
    workspace.ok()
    assert workspace.lines("log") == epochs(1, 4)


def test_more_epochs_and_fewer_again(workspace: Workspace) -> None:
    """40 go on from 20, also after the run with 20 had finished, and 20 are never served from 40."""
    trains(workspace)
    workspace.ok("epochs=20")
    assert workspace.ok("epochs=40").out.startswith("start   train from checkpoints/train/epoch-20\n")
    assert workspace.lines("log") == epochs(1, 40)
    assert workspace.read("model.txt") == "40 epochs at 0.1\n"
    # With 20 it is known what comes out.
    assert workspace.ok("epochs=20").restored == ["train"]
    assert workspace.read("model.txt") == "20 epochs at 0.1\n"
    # Without the store it is made again, from what was written for 20.
    assert workspace.ok("epochs=20", "-B").out.startswith("start   train from checkpoints/train/epoch-20\n")
    assert workspace.ok("epochs=30").out.startswith("start   train from checkpoints/train/epoch-20\n")
    assert workspace.lines("log") == epochs(1, 40) + epochs(21, 30)


def test_another_rate_and_back(workspace: Workspace) -> None:
    trains(workspace)
    workspace.ok("epochs=3")
    workspace.ok("epochs=3", "lr=0.2")
    assert workspace.lines("log") == epochs(1, 3) + epochs(1, 3, "0.2")
    workspace.ok("epochs=5")
    assert workspace.lines("log") == epochs(1, 3) + epochs(1, 3, "0.2") + epochs(4, 5)
    assert workspace.read("model.txt") == "5 epochs at 0.1\n"


def test_what_never_saves_anything_ends_by_its_retries(workspace: Workspace) -> None:
    workspace.pipeline("""
        target train:
            outputs: "model.txt"
            checkpoint: "checkpoints/train/"
            resources: memory = 1M * attempt
            retry: 2, backoff = 10ms
            run:
                echo {resources.memory} >> log
                if [ ! -e "{checkpoint}one" ]; then touch {checkpoint}.new; mv {checkpoint}.new {checkpoint}one; fi
                kill -TERM $$
    """)
    done = workspace.build()
    assert done.status == 1
    assert done.tasks("task_preempted") == ["train"]
    assert done.tasks("task_retried") == ["train"] * 2
    # What goes on at no cost asks for what it had.
    assert workspace.lines("log") == ["1048576", "1048576", "2097152", "3145728"]


def test_a_class_can_be_retried(workspace: Workspace) -> None:
    trains(workspace, clauses="retry: 1, backoff = 10ms, on = [signal]")
    hold(workspace, 2)
    process = held(workspace)
    send(workspace, signal.SIGKILL)
    assert ended(process).status == 0
    assert workspace.lines("log") == epochs(1, 4)


def test_a_build_that_died_is_gone_on_with(workspace: Workspace) -> None:
    """The recipe outlives it, and the next build takes it over."""
    trains(workspace)
    hold(workspace, 2)
    process = held(workspace)
    process.kill()
    process.communicate()
    let_go(workspace, 2)
    done = workspace.ok()
    assert "taken over from run 1" in done.out
    assert workspace.lines("log") == epochs(1, 4)


def kill_all(workspace: Workspace, process: subprocess.Popen[str]) -> None:
    """The build, what watches over the recipe, and the recipe."""
    process.kill()
    process.communicate()
    assert workspace.kill_supervisors() == 1
    os.killpg(os.getsid(int(workspace.read("pid"))), signal.SIGKILL)
    workspace.wait_until_quiet()


def test_everything_died(workspace: Workspace) -> None:
    """Nobody could say any more how it ended."""
    trains(workspace)
    hold(workspace, 2)
    process = held(workspace)
    # A script that only renames is seen to do so by what watches over it.
    workspace.wait_until(lambda: "epoch-2" in workspace.read("checkpoints/train/.mlbuild/journal"))
    kill_all(workspace, process)
    let_go(workspace, 2)
    done = workspace.ok()
    assert "start   train from checkpoints/train/epoch-2" in done.out
    assert workspace.lines("log") == epochs(1, 4)


def test_what_was_lost_had_read_something_that_is_not_as_it_was(workspace: Workspace) -> None:
    """Nobody declared it, and nobody was left to tell of it but the notes of the process."""
    trains(workspace, "python")
    workspace.write("train.py", PYTHON.replace("while epoch <", 'Path("extra.txt").read_text()\n    while epoch <'))
    workspace.write("extra.txt", "1")
    hold(workspace, 2)
    process = held(workspace)
    kill_all(workspace, process)
    let_go(workspace, 2)
    workspace.write("extra.txt", "2")
    done = workspace.ok()
    assert "start   train (attempt 2)\n" in done.out
    assert workspace.lines("log") == epochs(1, 2) + epochs(1, 4)


def test_explain_tells_of_the_checkpoints(workspace: Workspace) -> None:
    trains(workspace)
    workspace.ok()
    assert workspace.run("explain", "epochs=6").out.endswith("\n  it would go on from checkpoints/train/epoch-4\n")
    said = "its checkpoints in checkpoints/train/ were written with param lr = 0.1: they would be set aside\n"
    assert workspace.run("explain", "lr=0.2").out.endswith(f"\n  {said}")
    workspace.ok("lr=0.2")
    # Back, and further: those that were set aside are for it again.
    back = workspace.run("explain", "epochs=6").out
    assert back.endswith(
        "\n  its checkpoints in checkpoints/train/ were written with param lr = 0.2: they would be set aside"
        "\n  it would go on from checkpoints/train/epoch-4\n"
    )
    told = json.loads(workspace.run("explain", "epochs=6", "--json").out)["tasks"][0]["checkpoints"]
    differs = [(each["kind"], each["what"], each["old"], each["new"]) for each in told.pop("differs")]
    assert differs == [("param", "lr", "0.2", "0.1")]
    where = {"directory": "checkpoints/train/", "resume_from": "checkpoints/train/epoch-4"}
    assert told == {**where, "set_aside": True}


def test_explain_tells_of_the_code_that_wrote_them(workspace: Workspace) -> None:
    trains(workspace, "python")
    workspace.ok()
    workspace.write("train.py", PYTHON.replace("epoch += 1", "epoch = epoch + 1"))
    said = workspace.run("explain").out.splitlines()[-1]
    assert said == (
        "  its checkpoints in checkpoints/train/ were written with other code train.py: what runs at import:"
        " they would be set aside"
    )


def begins_anew(workspace: Workspace, why: str, *arguments: str) -> None:
    """The dry run, the explanation and the build tell that the checkpoints don't count, and why."""
    said = f"its checkpoints in checkpoints/train/ were written with {why}"
    assert f"; begins anew: {said}\n" in workspace.run("-n", *arguments).out
    assert workspace.run("explain", "train", *arguments).out.endswith(f"\n  {said}: they would be set aside\n")
    built = workspace.ok(*arguments)
    more = "`mlbuild explain train` tells more"
    assert built.out.startswith(f"        train begins anew: {said}; {more}\nstart   train\n")
    assert built.tasks("task_begun_anew") == ["train"]


def test_a_build_that_begins_anew_says_why(workspace: Workspace) -> None:
    trains(workspace, "python")
    workspace.ok("epochs=3")
    begins_anew(workspace, "param epochs = 3", "epochs=2")
    begins_anew(workspace, "param lr = 0.1", "lr=0.2")
    workspace.write("train.py", PYTHON.replace("epoch += 1", "epoch = epoch + 1"))
    begins_anew(workspace, "other code train.py: what runs at import", "lr=0.2")
    quiet = workspace.ok("lr=0.2", "epochs=9")
    assert "begins anew" not in quiet.out
    assert quiet.tasks("task_begun_anew") == []


def test_a_build_that_begins_anew_since_a_file_changed_that_nobody_declared_says_so(workspace: Workspace) -> None:
    trains(workspace, "python")
    workspace.write("train.py", PYTHON.replace("while epoch <", 'Path("extra.txt").read_text()\n    while epoch <'))
    workspace.write("extra.txt", "1")
    workspace.ok()
    workspace.write("extra.txt", "2")
    begins_anew(workspace, "other extra.txt")


def test_explain_tells_of_no_value_that_never_was(workspace: Workspace) -> None:
    """What is ignored counts as one value for all."""
    trains(workspace)
    workspace.ok()
    workspace.pipeline(workspace.read("Pipelinefile").replace("ignore = epochs, ", ""))
    told = workspace.run("explain", "lr=0.2").out
    assert "were written with param lr = 0.1: they would be set aside\n" in told


def test_nothing_is_told_of_what_may_yet_change(workspace: Workspace) -> None:
    """What the task would read is made first."""
    workspace.pipeline("""
        param n = 1
        target data:
            outputs: "data.txt"
            run: echo {n} > {outputs}
        target train:
            inputs: data
            checkpoint: "checkpoints/train/"
            run: cd {checkpoint}; touch .new; mv .new one
    """)
    workspace.ok("train")
    assert "checkpoints" not in workspace.run("explain", "train", "n=2").out


def test_a_result_names_what_it_grew_out_of(workspace: Workspace) -> None:
    """Also once it has been restored."""
    trains(workspace)
    workspace.ok()
    workspace.ok("epochs=6")
    grown = "it grew out of a checkpoint written with param epochs = 4\n"
    assert workspace.run("explain", "epochs=6").out.endswith(f"; {grown}")
    (workspace.root / "model.txt").unlink()
    assert workspace.ok("epochs=6").restored == ["train"]
    assert workspace.run("explain", "epochs=6").out.endswith(f"; {grown}")
    shown = workspace.run("show", "train", "epochs=6").out
    assert "\ngrown from  a checkpoint written with param epochs = 4\n" in shown
    made = json.loads(workspace.run("show", "train", "epochs=6", "--json").out)["made"]["grown_from"]
    assert [each["what"] for each in made[0]["differs"]] == ["epochs"]


def test_runs_tell_where_attempts_went_on(workspace: Workspace) -> None:
    trains(workspace)
    hold(workspace, 2)
    process = held(workspace)
    send(workspace, signal.SIGTERM)
    ended(process)
    rows = json.loads(workspace.run("runs", "1", "--json").out)["tasks"]
    told = [(row["state"], row["reason"], row["resumed_from"], row["checkpoint"]) for row in rows]
    second, fourth = "checkpoints/train/epoch-2", "checkpoints/train/epoch-4"
    assert told == [("preempted", "preempted", None, second), ("built", "ok", second, fourth)]
    lines = workspace.run("runs", "1").out.splitlines()[-2:]
    assert [line.split()[1] for line in lines] == ["preempted", "built"]
    assert "  from checkpoints/train/epoch-2  " in lines[1]


def test_what_is_passed_over_is_said(workspace: Workspace) -> None:
    workspace.pipeline("""
        target train:
            outputs: "model.txt"
            checkpoint: "ck/"
            retry: 3, backoff = 1ms
            run:
                if [ -z "$MLBUILD_RESUME_FROM" ] && [ {attempt} = 1 ]; then
                    for name in a b; do touch {checkpoint}.new; mv {checkpoint}.new {checkpoint}$name; done
                fi
                exit 1
    """)
    out = workspace.build().out
    said = [line.strip() for line in out.splitlines() if "passed over" in line]
    why = "is passed over from now on: this attempt failed from it and left no new one"
    assert said == [
        f"train: ck/b {why}",
        f"train: ck/a {why}; none is left, and the next attempt begins anew",
    ]
    assert "start   train (attempt 4)\n" in out


def took(workspace: Workspace, run: int) -> float:
    """Seconds of all attempts of a run."""
    return float(sum(row["seconds"] for row in json.loads(workspace.run("runs", str(run), "--json").out)["tasks"]))


def explained_seconds(workspace: Workspace, *args: str) -> float:
    """Seconds that making what is in place took."""
    return float(json.loads(workspace.run("explain", "--json", *args).out)["tasks"][0]["origin"]["seconds"])


def test_a_result_took_what_all_took_that_it_went_on_from(workspace: Workspace) -> None:
    """Attempts of the same build, of one before it, and at other epochs; but not those at another rate."""
    trains(workspace)
    hold(workspace, 2)
    process = held(workspace)
    send(workspace, signal.SIGTERM)
    ended(process)
    let_go(workspace, 2)
    whole = took(workspace, 1)
    assert explained_seconds(workspace) == pytest.approx(whole)
    assert len(json.loads(workspace.run("runs", "1", "--json").out)["tasks"]) == 2
    workspace.ok("lr=0.2")
    assert explained_seconds(workspace, "lr=0.2") == pytest.approx(took(workspace, 2))
    hold(workspace, 5)
    process = workspace.start("epochs=6")
    workspace.wait_for("held")
    process.send_signal(signal.SIGINT)
    process.communicate()
    let_go(workspace, 5)
    workspace.ok("epochs=6")
    grown = whole + took(workspace, 3) + took(workspace, 4)
    assert explained_seconds(workspace, "epochs=6") == pytest.approx(grown)
    again = workspace.ok("epochs=6", "-B").events
    assert [row["expected"] for row in again if row["event"] == "task_ready"] == [pytest.approx(grown)]


def test_what_never_began_took_no_time(workspace: Workspace) -> None:
    trains(workspace)
    workspace.write("checkpoints/train", "no folder")
    assert workspace.build().status == 1
    (row,) = json.loads(workspace.run("runs", "1", "--json").out)["tasks"]
    assert (row["reason"], row["seconds"]) == ("not_started", 0)


def test_checkpoints_can_be_removed(workspace: Workspace) -> None:
    trains(workspace)
    workspace.ok()
    workspace.ok("lr=0.2")
    would = workspace.run("remove", "--checkpoints", "-n", "train")
    assert would.out == "would be removed checkpoints/train/\ncheckpoints of 1 task would be removed\n"
    assert workspace.run("remove", "--checkpoints", "train").out == (
        "removed checkpoints/train/\ncheckpoints of 1 task removed\n"
    )
    assert not workspace.exists("checkpoints/train")
    assert workspace.exists("model.txt")
    assert workspace.run("remove", "--checkpoints", "--all").out == "checkpoints of 0 tasks removed\n"
    assert "  checkpoints of 1 task removed  " in workspace.run("runs", "--limit", "1").out
    assert workspace.ok("epochs=5").out.startswith("start   train\n")


def test_what_others_put_there_is_not_removed(workspace: Workspace) -> None:
    trains(workspace)
    workspace.write("checkpoints/train/mine", "1")
    kept = workspace.run("remove", "--checkpoints", "train")
    assert (kept.out, kept.err) == (
        "checkpoints of 0 tasks removed\n",
        "checkpoints/train/ stays: mlbuild did not make it\n",
    )


def test_what_lay_there_before_is_set_aside_with_a_word_and_never_removed(workspace: Workspace) -> None:
    trains(workspace)
    workspace.write("checkpoints/train/mine", "1")
    workspace.write("checkpoints/train/other", "1")
    aside = "checkpoints/train/.mlbuild/aside/unknown"
    said = f"        train: checkpoints/train/mine and 1 more is set aside in {aside}: it is no checkpoint\n"
    assert said in workspace.ok().out
    assert said not in workspace.ok("epochs=5").out
    removed = workspace.run("remove", "--checkpoints", "train").out
    place = f".mlbuild/failed/removed-3/{aside}"
    assert removed == (
        f"{aside} is not of mlbuild: moved to {place}\nremoved checkpoints/train/\ncheckpoints of 1 task removed\n"
    )
    assert workspace.read(f"{place}/mine") == "1"


def test_checkpoints_behind_a_link_are_removed(workspace: Workspace) -> None:
    trains(workspace)
    (workspace.root / "large").mkdir()
    (workspace.root / "checkpoints").mkdir()
    (workspace.root / "checkpoints/train").symlink_to("../large")
    workspace.ok()
    assert workspace.exists("large/epoch-4")
    assert workspace.run("remove", "--checkpoints", "train").out.startswith("removed checkpoints/train/\n")
    assert list((workspace.root / "large").iterdir()) == []
    assert workspace.ok("epochs=5").out.startswith("start   train\n")


def test_checkpoints_in_use_are_not_removed(workspace: Workspace) -> None:
    trains(workspace)
    hold(workspace, 2)
    process = held(workspace)
    refused = workspace.run("remove", "--checkpoints", "train")
    assert refused.status == 1
    assert refused.err.startswith(f"error: run 1 (process {process.pid}) works on or needs train\n")
    let_go(workspace, 2)
    assert ended(process).status == 0
    assert workspace.lines("log") == epochs(1, 4)


def test_a_script_that_stalled(workspace: Workspace) -> None:
    trains(workspace, clauses="stall: 2s")
    hold(workspace, 2)
    done = workspace.ok()
    (event,) = [row for row in done.events if row["event"] == "task_preempted"]
    assert (event["reason"], event["checkpoint"]) == ("stalled", "checkpoints/train/epoch-2")
    assert workspace.lines("log") == epochs(1, 4)


def test_a_let_and_a_value_of_a_file_can_be_ignored(workspace: Workspace) -> None:
    """At each key its own, and as files and variables give them, too."""
    workspace.write("params.yaml", "a: {epochs: 2, lr: 1}\nb: {epochs: 1, lr: 1}\n")
    workspace.pipeline("""
        params "params.yaml"
        param n = 1
        let twice = n * 2
        partition model: ["a", "b"]
        target train[model]:
            outputs: "{model}.txt"
            environ: TWICE = twice
            checkpoint: "c/{model}/", ignore = [twice, params[model].epochs]
            run:
                echo "{model} $TWICE {params[model].epochs} {params[model].lr} from ${MLBUILD_RESUME_FROM##*/}" >> log
                touch {checkpoint}.new; mv {checkpoint}.new {checkpoint}{model}-$TWICE
                touch {outputs}
    """)
    workspace.ok("train[*]", "-j1")
    workspace.ok("train[*]", "-j1", "n=2", "params.a.epochs=3")
    workspace.ok("train[a]", "-j1", "n=3", "params.a.epochs=2")
    workspace.ok("train[b]", "-j1", "n=3", "params.b.lr=2")
    # In which order both models train is not said.
    assert sorted(workspace.lines("log"), key=lambda line: line[0]) == [
        *("a 2 2 1 from ", "a 4 3 1 from a-2", "a 6 2 1 from a-2"),  # what was written for 3 epochs is not for 2
        *("b 2 1 1 from ", "b 4 1 1 from b-2", "b 6 1 2 from "),  # another rate
    ]


def test_what_is_ignored_at_a_key_must_be_one_value(workspace: Workspace) -> None:
    workspace.write("params.yaml", "a: {epochs: [1, 2]}\n")
    workspace.pipeline("""
        params "params.yaml"
        partition model: ["a"]
        target train[model]:
            checkpoint: "c/{model}/", ignore = params[model].epochs
            run: echo {params[model].epochs}
    """)
    failed = workspace.build("train[a]")
    assert failed.status == 1
    assert (
        "Pipelinefile:4:40: error: `params[model].epochs` is a list, and what is ignored is one value\n" in failed.out
    )


def test_a_checkpoint_that_the_recipe_names_is_no_code(workspace: Workspace) -> None:
    """It would be stale for what it has written itself."""
    workspace.pipeline("""
        target train:
            outputs: "model.txt"
            checkpoint: "c/"
            run:
                if [ ! -e c/last ]; then echo 1 > c/.new; mv c/.new c/last; fi
                cp c/last {outputs}
    """)
    workspace.ok()
    assert workspace.states() == {"train": "fresh"}


def test_what_is_preempted_while_nothing_more_starts(workspace: Workspace) -> None:
    """Something else has failed: it is not gone on with, but it has not failed."""
    trains(workspace)
    more = """
        target bad:
            run: while [ ! -e held ]; do sleep 0.02; done; touch failed; exit 1
    """
    workspace.pipeline(dedent(workspace.read("Pipelinefile")) + dedent(more))
    hold(workspace, 2)
    process = workspace.start("train", "bad", "-j2", events=str(workspace.root / "events.jsonl"))
    workspace.wait_until(lambda: "task_failed" in workspace.read("events.jsonl") if workspace.exists("held") else False)
    send(workspace, signal.SIGTERM)
    done = ended(process)
    assert done.status == 1
    assert "stopped train\n" in done.out
    assert "FAILED  train" not in done.out
    assert done.out.endswith("\ntrain can go on from checkpoints/train/epoch-2\n")
    assert workspace.ok("train").out.startswith("start   train from checkpoints/train/epoch-2\n")


def test_what_a_dead_build_left_running_and_nobody_wants(workspace: Workspace) -> None:
    """It is stopped; what it has saved is there once it is wanted again."""
    trains(workspace)
    hold(workspace, 2)
    process = held(workspace)
    process.kill()
    process.communicate()
    workspace.ok("lr=0.2", "epochs=1")
    assert workspace.lines("log") == epochs(1, 2) + epochs(1, 1, "0.2")
    let_go(workspace, 2)
    workspace.ok()
    assert workspace.lines("log") == epochs(1, 2) + epochs(1, 1, "0.2") + epochs(3, 4)


@pytest.mark.parametrize(
    ("options", "save", "lacks"),
    [
        ("", "echo 1 > {checkpoint}/last", "was not renamed to its place"),
        (', complete = "DONE"', "mkdir {checkpoint}/last", "holds no DONE"),
    ],
)
def test_what_is_saved_and_counts_for_no_checkpoint_is_said(
    workspace: Workspace, options: str, save: str, lacks: str
) -> None:
    workspace.pipeline(f"""
        target t:
            outputs: "t.txt"
            checkpoint: "ck/"{options}
            run: {save}; exit 1
    """)
    ended = workspace.build()
    assert f"t: ck/last is no checkpoint: it {lacks}" in ended.out


def test_what_saves_and_is_ended_at_once_over_and_over_does_not_spin(workspace: Workspace) -> None:
    workspace.pipeline("""
        target t:
            outputs: "t.txt"
            checkpoint: "ck/"
            run:
                date +%s.%N >> starts
                echo 1 > ck/.e; mv ck/.e ck/e
                test $(wc -l < starts) = 3 || kill -TERM $$
                echo > {outputs}
    """)
    assert workspace.ok().tasks("task_preempted") == ["t", "t"]
    first, second, third = map(float, workspace.lines("starts"))
    assert min(second - first, third - second) > 0.9
