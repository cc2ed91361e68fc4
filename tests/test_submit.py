"""`mlbuild submit`: a cluster gets all that must run at once, and whoever builds next takes in what came of it."""

from __future__ import annotations

import json
import signal

import pytest
from cluster import Cluster
from on_slurm import EXECUTOR, SCRIPT, jobs, stand_in
from workspace import Workspace

CHAIN = """
    {executor}
    target raw:
        inputs: "in.txt"
        outputs: "raw.txt"
        code: none
        on: gpu
        run:
            exec 9> lock; flock -n 9
            echo raw >> ran
            while ! test -e go; do sleep 0.05; done
            test ! -e fail
            cat {{inputs}} > {{outputs}}

    target model:
        inputs: raw, "in.txt"
        outputs: "model.txt"
        on: gpu
        run: echo model >> ran; cat {{inputs}} > {{outputs}}
"""


@pytest.fixture
def chain(slurm: Workspace) -> Workspace:
    """Two tasks on the cluster, one behind the other; the first waits for a file `go`."""
    slurm.pipeline(CHAIN.format(executor=EXECUTOR))
    slurm.write("in.txt", "in\n")
    return slurm


def wait_until_over(workspace: Workspace, cluster: Cluster) -> None:
    workspace.wait_until(lambda: jobs(cluster) == [])


def test_what_was_submitted_runs_by_itself_and_is_taken_in(chain: Workspace, cluster: Cluster) -> None:
    ended = chain.run("submit", "model")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[:2] == ["submit  raw to gpu", "submit  model to gpu, behind raw"]
    assert ended.out.splitlines()[2] == "        Slurm has taken 2 jobs"
    assert ended.out.splitlines()[3].startswith("2 tasks submitted in ")
    hint = "`mlbuild status` shows how they stand, `mlbuild cancel` stops them; `mlbuild model` takes them in"
    assert ended.out.splitlines()[4:] == [hint]
    assert chain.processes() == [], "nobody waits"
    assert set(chain.states().values()) <= {"queued", "running"} and chain.states()["model"] == "queued"
    chain.write("go", "")
    wait_until_over(chain, cluster)
    assert chain.lines("ran") == ["raw", "model"]
    said = chain.run("status", "--tasks").out
    assert said.count("; it has ended, and the next build takes that in") == 2 and "run 1 has submitted it, at " in said
    after = chain.ok("model")
    assert after.ran == ["model", "raw"], "their results were taken in"
    assert chain.lines("ran") == ["raw", "model"], "and nothing ran twice"
    assert "raw: submitted by run 1" in after.out and "died" not in after.out
    assert chain.read("model.txt") == "in\nin\n"
    assert "nothing to do" in chain.ok("model").out
    assert [path.name for path in (chain.root / ".mlbuild/jobs").rglob("*")] == ["results"], "nothing is left of them"


def test_a_build_waits_for_what_was_submitted(chain: Workspace) -> None:
    chain.run("submit", "model")
    chain.wait_for("ran")
    driver = chain.start("model")
    chain.write("go", "")
    out, _ = driver.communicate(timeout=60)
    assert driver.returncode == 0, out
    assert chain.lines("ran") == ["raw", "model"]


def test_what_is_taken_in_is_still_told_to_those_behind_it(chain: Workspace, cluster: Cluster) -> None:
    chain.run("submit", "model")
    behind = next(
        row.split()[0] for row in cluster.ask("squeue", "--noheader", "--format=%i %j").splitlines() if "model" in row
    )
    cluster.ask("scontrol", "hold", behind)
    chain.write("go", "")
    chain.ok("raw")
    cluster.ask("scontrol", "release", behind)
    wait_until_over(chain, cluster)
    assert chain.lines("ran") == ["raw", "model"]
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "model"]
    assert [path.name for path in (chain.root / ".mlbuild/jobs").rglob("*")] == ["results"]


@pytest.mark.parametrize(
    "point", ["intended:2", "prepared:2", "submitted", "slurm-sending:2", "slurm-sent", "slurm-sent:2"]
)
def test_one_that_is_killed_doubles_nothing(chain: Workspace, cluster: Cluster, point: str) -> None:
    killed = chain.run("submit", "model", env={"MLBUILD_TEST_KILL": point})
    assert killed.status == -signal.SIGKILL
    again = chain.run("submit", "model")
    assert again.status == 0, again.err
    assert len(jobs(cluster)) == 2
    chain.write("go", "")
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "model"]


def test_on_a_terminal(chain: Workspace) -> None:
    status, shown = chain.on_a_terminal("submit", "model")
    assert status == 0
    assert "→ raw to gpu" in shown and "→ model to gpu, behind raw" in shown and "Slurm has taken 2 jobs" in shown


def test_nothing_to_submit(chain: Workspace, cluster: Cluster) -> None:
    chain.write("go", "")
    chain.ok("model")
    ended = chain.run("submit", "model")
    assert (ended.status, ended.out) == (0, "nothing to do: 2 tasks fresh\n")
    assert jobs(cluster) == []


def test_as_json(chain: Workspace) -> None:
    document = json.loads(chain.run("submit", "model", "--json").out)
    assert document == {
        "run": 1,
        "jobs": 2,
        "arrays": 0,
        "tasks": [
            {"task": "raw", "executor": "gpu", "attempt": 1, "behind": []},
            {"task": "model", "executor": "gpu", "attempt": 1, "behind": ["raw"]},
        ],
    }


def test_alike_tasks_are_arrays_and_none_waits_for_all(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(f"""
        {EXECUTOR}
        partition k: range(4)
        target raw[k]:
            outputs: "raw/{{k}}"
            code: none
            on: gpu
            run: echo raw >> ran; test {{k}} != 1 || while ! test -e go; do sleep 0.05; done; echo {{k}} > {{outputs}}
        target mid[k]:
            inputs: raw
            outputs: "mid/{{k}}/"
            on: gpu
            run: echo mid >> ran; cp {{inputs}} {{outputs}}/a
        target pair[k]:
            inputs: mid[k-1..k]
            outputs: "pair/{{k}}"
            on: gpu
            run: echo pair >> ran; cat mid/*/a > {{outputs}}
        target all:
            inputs: pair[*]
        target model:
            inputs: all
            outputs: "model.txt"
            on: gpu
            run: echo model >> ran; cat raw/* > {{outputs}}
    """)
    log = slurm.root / "sbatch.log"
    environment = stand_in(
        slurm, "sbatch", f'grep dependency "${{@: -1}}" >> {log}; echo >> {log}; /usr/bin/sbatch "$@"'
    )
    slurm.ok("raw[0]")
    ended = slurm.run("submit", "model", env=environment)
    assert "        Slurm has taken 12 jobs, 2 arrays among them\n12 tasks submitted" in ended.out, (
        ended.out + ended.err
    )
    kinds = [line.partition("--dependency=")[2].partition(":")[0] for line in slurm.lines("sbatch.log") if line]
    assert kinds.count("aftercorr") == 1, "one array behind another, by index"
    slurm.wait_until(lambda: slurm.lines("ran").count("mid") == 3)
    slurm.write("go", "")
    wait_until_over(slurm, cluster)
    assert slurm.read("model.txt") == "0\n1\n2\n3\n"
    assert len(slurm.lines("ran")) == 13
    assert len(slurm.ok("model").ran) == 12
    assert len(slurm.lines("ran")) == 13


# --- what does not go well


def test_interrupted_while_it_submits_it_leaves_nothing(chain: Workspace, cluster: Cluster) -> None:
    """Before it could be told, Slurm had the first."""
    folder = chain.root
    wait = f"touch {folder}/sending; while ! test -e {folder}/told; do sleep 0.05; done"
    slow = stand_in(chain, "sbatch", f'{wait}; exec /usr/bin/sbatch "$@"')
    driver = chain.start("submit", "model", env=slow)
    chain.wait_for("sending")
    driver.send_signal(signal.SIGINT)
    chain.write("told", "")
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, out + err
    wait_until_over(chain, cluster)
    assert "model" not in chain.lines("ran")
    chain.write("go", "")
    chain.ok("model")
    assert chain.lines("ran")[-2:] == ["raw", "model"]


def test_what_needs_a_task_that_failed_is_given_up_and_put_back(chain: Workspace, cluster: Cluster) -> None:
    chain.write("go", "")
    chain.ok("model")
    chain.write("in.txt", "new\n")
    chain.write("fail", "")
    assert chain.run("submit", "model").status == 0
    wait_until_over(chain, cluster)
    assert chain.lines("ran") == ["raw", "model", "raw"]
    assert not chain.exists("model.txt"), "it was set aside"
    assert chain.states("model") == {"raw": "missing", "model": "missing"}, "neither is queued any more"
    assert "; it came to nothing, and the next build runs it again" in chain.run("status", "--tasks", "raw").out
    assert "run     raw: " in chain.run("--dry-run", "raw").out, "it is not taken over"
    ended = chain.build("model")
    assert (ended.status, ended.failed) == (1, ["raw"])
    assert "raw: attempt 1 had come to nothing (exit status 1)" in ended.out
    assert chain.read("model.txt") == "in\nin\n", "it is back although nothing was made of what it needs"


def test_what_was_given_up_costs_no_time_although_slurm_has_forgotten_it(slurm: Workspace, cluster: Cluster) -> None:
    """With such a file system it takes longer than a test may until it is clear that a job never began."""
    slurm.pipeline(f"""
        {EXECUTOR.replace("delay = 1s", "delay = 1h")}
        target raw:
            outputs: "raw"
            on: gpu
            run: test -e go; touch {{outputs}}
        target one:
            inputs: raw
            outputs: "one"
            on: gpu
            run: touch {{outputs}}
        target two:
            inputs: one
            outputs: "two"
            on: gpu
            run: touch {{outputs}}
    """)
    assert slurm.run("submit", "two").status == 0
    wait_until_over(slurm, cluster)
    slurm.write("go", "")
    forgetful = stand_in(slurm, "squeue", "")
    assert slurm.ok("two", env=forgetful).ran == ["one", "raw", "two"]


def test_what_slurm_does_not_take_fails_with_what_comes_behind_it(chain: Workspace, cluster: Cluster) -> None:
    chain.write("mlbuild.toml", '[executors.gpu]\noptions = ["--nodelist=nowhere"]\n')
    ended = chain.run("submit", "model")
    assert ended.status == 1
    assert "FAILED  raw: not started: Slurm does not take it" in ended.out and "1 task blocked" in ended.out
    assert jobs(cluster) == []
    (chain.root / "mlbuild.toml").unlink()
    chain.write("go", "")
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "model"]


def test_what_comes_behind_a_job_of_which_sbatch_said_nothing(chain: Workspace, cluster: Cluster) -> None:
    asked = chain.root / "asked"
    lost = "echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1"
    first = f'if ! test -e {asked}; then touch {asked}; /usr/bin/sbatch "$@" > {asked}; {lost}; fi'
    ended = chain.run("submit", "model", env=stand_in(chain, "sbatch", f'{first}\nexec /usr/bin/sbatch "$@"'))
    assert ended.status == 0, ended.err
    assert len(jobs(cluster)) == 2
    chain.write("go", "")
    wait_until_over(chain, cluster)
    assert chain.lines("ran") == ["raw", "model"]


def test_the_order_holds_also_if_slurm_has_forgotten_what_comes_before(chain: Workspace, cluster: Cluster) -> None:
    """Behind such an id a job starts at once; here it does since Slurm was told of none."""
    forgetful = stand_in(chain, "sbatch", 'sed -i /--dependency/d "${@: -1}"; exec /usr/bin/sbatch "$@"')
    assert chain.run("submit", "model", env=forgetful).status == 0
    chain.wait_until(lambda: len(jobs(cluster)) == 1)
    chain.write("go", "")
    wait_until_over(chain, cluster)
    assert chain.lines("ran") == ["raw"]
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "model"]


def test_what_was_submitted_is_cancelled(chain: Workspace, cluster: Cluster) -> None:
    chain.run("submit", "model")
    chain.wait_for("ran")
    ended = chain.run("cancel")
    assert ended.status == 0, ended.err
    out = ended.out.splitlines()
    assert out[0] == "run 1 had submitted" and out[1].startswith("    raw was stopped after ")
    assert out[2].startswith("    model was stopped after ")
    assert jobs(cluster) == []
    assert set(chain.states().values()) == {"missing"}
    chain.write("go", "")
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "raw", "model"]


def test_code_that_was_edited_before_it_started_does_not_run(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(f"""
        {EXECUTOR}
        target raw:
            outputs: "raw.txt"
            code: none
            on: gpu
            run: touch running; while ! test -e go; do sleep 0.05; done; touch {{outputs}}
        target model:
            inputs: raw
            outputs: "model.txt"
            on: gpu
            run: python train.py {{outputs}}
    """)
    script = "import sys\nopen('ran', 'a').write('{0}\\n')\nopen(sys.argv[1], 'w').write('{0}\\n')\n"
    slurm.write("train.py", script.format("old"))
    assert slurm.run("submit", "model").status == 0
    slurm.wait_for("running")
    slurm.write("train.py", script.format("new"))
    slurm.write("go", "")
    wait_until_over(slurm, cluster)
    assert not slurm.exists("ran")
    slurm.ok("model")
    assert slurm.lines("ran") == ["new"]


def test_what_read_something_else_than_is_in_place_is_made_again(chain: Workspace, cluster: Cluster) -> None:
    chain.run("submit", "model")
    chain.write("go", "")
    wait_until_over(chain, cluster)
    chain.write(
        "Pipelinefile",
        chain.read("Pipelinefile").replace("cat {inputs} > {outputs}", "sed s/i/o/ {inputs} > {outputs}", 1),
    )
    after = chain.ok("model")
    assert chain.lines("ran") == ["raw", "model", "raw", "model"]
    assert chain.read("model.txt") == "on\nin\n", after.out


def test_nobody_is_said_to_have_died_who_has_submitted_or_was_refused(chain: Workspace, cluster: Cluster) -> None:
    chain.pipeline(CHAIN.format(executor=EXECUTOR) + '\n    target here:\n        outputs: "h"\n        run: touch h\n')
    few = """if grep -q raw "${@: -1}"; then exec /usr/bin/sbatch "$@"; fi
        echo 'sbatch: error: Batch job submission failed: Job violates accounting/QOS policy' >&2; exit 1"""
    driver = chain.start("submit", "model", env=stand_in(chain, "sbatch", few))
    chain.wait_for("ran")
    driver.kill()
    driver.communicate()
    assert chain.run("submit", "model", "here").status == 2, "it runs on this machine"
    assert "run 1 has submitted it, at " in chain.run("status", "raw", "--tasks").out
    assert chain.run("cancel", "--dry-run").out.startswith("run 1 had submitted\n")
    chain.write("go", "")
    after = chain.ok("model")
    assert "raw: submitted by run 1" in after.out and "died" not in after.out
    assert chain.lines("ran") == ["raw", "model"]


def test_it_does_not_wait_for_another_build(chain: Workspace, cluster: Cluster) -> None:
    driver = chain.start("raw")
    chain.wait_for("ran")
    ended = chain.run("submit", "model")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"error: raw can't be had now: run 1 (process {driver.pid}) makes it\n")
    assert len(jobs(cluster)) == 1
    chain.write("go", "")
    assert driver.wait(60) == 0
    assert chain.run("submit", "model").status == 0
    wait_until_over(chain, cluster)
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "model"]


# --- going on


def test_a_training_behind_what_it_reads_goes_on_from_its_checkpoint(slurm: Workspace, cluster: Cluster) -> None:
    slurm.pipeline(f"""
        {EXECUTOR.replace(")", ", time = 14s)")}
        target raw:
            outputs: "raw.txt"
            on: gpu
            run: echo raw > {{outputs}}
        target train:
            inputs: raw
            outputs: "model.txt"
            on: gpu
            checkpoint: "ckpt/", signal = TERM, grace = 2s
            run: python train.py {{checkpoint}} {{outputs}}
    """)
    slurm.write("train.py", SCRIPT)
    assert slurm.run("submit", "train", env={"STEPS": "30"}).status == 0
    wait_until_over(slurm, cluster)
    assert slurm.lines("attempts") == ["0"], "nobody tries again"
    slurm.ok("train", env={"STEPS": "30"})
    first, second, *_ = map(int, slurm.lines("attempts"))
    assert second > first, "it went on from the checkpoint that it left"


def test_what_is_new_comes_behind_what_goes_on(chain: Workspace, cluster: Cluster) -> None:
    chain.run("submit", "raw")
    ended = chain.run("submit", "model")
    assert ended.out.splitlines()[1] == "submit  model to gpu, behind raw"
    assert "1 task submitted, 1 task going on in " in ended.out
    assert len(jobs(cluster)) == 2
    assert chain.run("submit", "model").out.splitlines()[-1].startswith("2 tasks going on in "), "nothing is new"
    chain.write("go", "")
    wait_until_over(chain, cluster)
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "model"]


def test_what_goes_on_with_what_is_to_be_made_anew_is_stopped(chain: Workspace, cluster: Cluster) -> None:
    chain.write("go", "")
    chain.ok("raw")
    chain.pipeline(chain.read("Pipelinefile").replace("echo model >> ran", "echo model >> ran; sleep $(cat in.txt)"))
    chain.write("in.txt", "1000\n")
    chain.ok("raw")
    chain.run("submit", "model")
    chain.wait_until(lambda: "model" in chain.lines("ran"))
    chain.write("in.txt", "0\n")
    ended = chain.run("submit", "model")
    assert ended.out.splitlines()[:2] == ["submit  raw to gpu", "submit  model to gpu, behind raw"]
    wait_until_over(chain, cluster)
    chain.ok("model")
    assert chain.lines("ran") == ["raw", "raw", "model", "raw", "model"]
    assert chain.read("model.txt") == "0\n0\n"


def test_what_reads_undeclared_what_is_to_be_made_comes_behind_it(slurm: Workspace, cluster: Cluster) -> None:
    text = f"""
        {EXECUTOR}
        target raw:
            outputs: "raw.txt"
            code: none
            on: gpu
            run: echo 1 > {{outputs}}
        target model:
            after: raw
            outputs: "model.txt"
            on: gpu
            run: python train.py {{outputs}}
    """
    slurm.pipeline(text)
    slurm.write("train.py", "import sys\nopen(sys.argv[1], 'w').write(open('raw.txt').read())\n")
    slurm.ok("model")
    slurm.pipeline(text.replace("echo 1", "echo 2"))
    assert slurm.run("submit", "model").out.splitlines()[1] == "submit  model to gpu, behind raw"
    wait_until_over(slurm, cluster)
    slurm.ok("model")
    assert slurm.read("model.txt") == "2\n"
    assert "nothing to do" in slurm.ok("model").out


def test_what_is_temporary_and_only_comes_behind_something_is_made_for_what_reads_it(
    slurm: Workspace, cluster: Cluster
) -> None:
    text = f"""
        {EXECUTOR}
        target raw:
            outputs: "raw.txt"
            code: none
            on: gpu
            run: echo raw1 >> ran; touch {{outputs}}
        target scratch:
            after: raw
            outputs: temp("scratch.txt")
            code: none
            on: gpu
            run: echo scratch >> ran; touch {{outputs}}
        target model:
            inputs: scratch
            outputs: "model.txt"
            code: none
            on: gpu
            run: echo model1 >> ran; touch {{outputs}}
    """
    slurm.pipeline(text)
    slurm.ok("model")
    assert not slurm.exists("scratch.txt")
    slurm.pipeline(text.replace("1", "2"))
    said = slurm.run("submit", "model").out.splitlines()
    assert said[1:3] == ["submit  scratch to gpu, behind raw", "submit  model to gpu, behind scratch"]
    wait_until_over(slurm, cluster)
    slurm.ok("model")
    assert slurm.lines("ran") == ["raw1", "scratch", "model1", "raw2", "scratch", "model2"]


def test_what_is_new_comes_behind_an_array_whose_jobs_do_each_others_work(slurm: Workspace, cluster: Cluster) -> None:
    """The job of the third is over while the first job does its work; two have room at once."""
    slurm.pipeline(f"""
        {EXECUTOR}
        partition k: range(3)
        target raw[k]:
            outputs: "raw/{{k}}"
            code: none
            on: gpu
            resources: cpus = 8
            run:
                echo raw >> ran
                while test {{k}} != 0 && ! test -e go{{k}}; do sleep 0.05; done
                touch {{outputs}}
        target model[k]:
            inputs: raw
            outputs: "model/{{k}}"
            on: gpu
            run: echo model >> ran; touch {{outputs}}
    """)
    log = slurm.root / "sbatch.log"
    noted = stand_in(slurm, "sbatch", f'grep -o dependency=.* "${{@: -1}}" >> {log}; exec /usr/bin/sbatch "$@"')
    slurm.run("submit", "raw")
    slurm.wait_until(lambda: len(slurm.lines("ran")) == 3)
    slurm.run("submit", "model", env=noted)
    (array,) = {line.split("_")[0] for line in cluster.ask("squeue", "-hro%F_%j").splitlines() if "raw" in line}
    assert slurm.lines("sbatch.log") == [f"dependency=afterany:{array}"], "one array behind all of the other"
    slurm.write("go1", "")
    slurm.wait_until(lambda: sum("raw" in name for name in jobs(cluster)) == 1)
    slurm.write("go2", "")
    wait_until_over(slurm, cluster)
    assert sorted(slurm.lines("ran")) == ["model"] * 3 + ["raw"] * 3
    slurm.ok("model")
    assert len(slurm.lines("ran")) == 6


# --- what can't be submitted


REFUSED = {
    "here": (
        'target t:\n    outputs: "t"\n    run: touch t\n',
        "t can't be submitted: it runs on `local`, which is no cluster",
    ),
    "limit": (
        'target t:\n    outputs: "t"\n    on: few\n    run: touch t\n',
        "t can't be submitted: `few` takes only so much at once, which a build sees to",
    ),
    "max_active": (
        'partition k: range(2)\ntarget t[k]:\n    outputs: "{k}"\n    on: gpu\n    max_active: 1\n    run: touch {k}\n',
        "t[0] can't be submitted: only so many of its tasks may run at once, which a build sees to",
    ),
    "batch": (
        'partition k: range(2)\ntarget t[k]:\n    outputs: "{k}"\n    on: gpu\n    batch: 2\n    run: touch {k}\n',
        "t[0] can't be submitted: which of its tasks go together, a build finds out",
    ),
    "lists": (
        'target all:\n    inputs: t[*]\ntarget split:\n    outputs: "keys"\n    on: gpu\n    run: echo a > {outputs}\n'
        'partition k: lines(split)\ntarget t[k]:\n    outputs: "{k}"\n    on: gpu\n    run: touch {k}\n',
        "split can't be submitted: it lists the keys of `k`, and what hangs on them is not known before",
    ),
    "check": (
        'target t:\n    inputs: a\n    outputs: "t"\n    on: gpu\n    run: touch t\n'
        'target a:\n    outputs: "a"\n    on: gpu\n    check: size(outputs) > 0\n    run: echo > {outputs}\n',
        "t can't be submitted: it needs a, and whether the conditions of that hold, a build finds out",
    ),
    "stat": (
        'target t:\n    inputs: stat("a")\n    outputs: "t"\n    on: gpu\n    run: touch t\n'
        'target a:\n    outputs: "a"\n    on: gpu\n    run: touch a\n',
        "t can't be submitted: of a, which is yet to be made, something else counts than its content",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_takes_a_build_that_waits_is_refused(workspace: Workspace, case: str) -> None:
    text, said = REFUSED[case]
    workspace.write("a", "")
    workspace.pipeline(text + "\n" + EXECUTOR + "executor few: slurm(jobs = 1)\n")
    dry = workspace.run("submit", "-n")
    ended = workspace.run("submit")
    assert (ended.status, ended.out) == (2, "")
    assert (dry.status, dry.out, dry.err) == (2, "", ended.err)
    assert f"error: {said}\n" in ended.err
    there = "; `--on gpu` has all of it run there" if case == "here" else ""
    assert f"hint: `mlbuild --detach` builds it without a terminal{there}\n" in ended.err
    assert not workspace.exists(".mlbuild/jobs"), "nothing was submitted"
