"""Executors that a Pipelinefile or the configuration declares, and their pools."""

from __future__ import annotations

import pytest
from pipelinefile import loaded, mistakes
from workspace import Workspace

from mlbuild.language.executors import overlaid
from mlbuild.target import Executor


def most_at_once(workspace: Workspace, log: str) -> int:
    running = most = 0
    for line in workspace.lines(log):
        running += 1 if line == "+" else -1
        most = max(most, running)
    return most


RUN = "run: echo + >> {target}.log; sleep 0.1; echo - >> {target}.log; touch {outputs}"
MEETING = "run: echo + >> {target}.log; until test $(grep -c + {target}.log) -gt 2; do sleep 0.1; done; touch {outputs}"
PIPELINE = f"""
    partition k: range(4)
    executor narrow: local(jobs = 1)
    executor local: local(licence = 2)

    target one[k]:
        outputs: "one/{{k}}"
        on: narrow
        {RUN}

    target two[k]:
        outputs: "two/{{k}}"
        resources: licence = 1
        {RUN}

    target free[k]:
        outputs: "free/{{k}}"
        {RUN}

    target all:
        inputs: one[*], two[*], free[*]
"""


def test_each_executor_keeps_its_limits_and_holds_up_no_other(workspace: Workspace) -> None:
    before, _, after = PIPELINE.rpartition(RUN)
    workspace.pipeline(before + MEETING + after)  # three that are free wait for each other
    ended = workspace.ok("-j8", "all")
    assert len(ended.ran) == 12
    assert most_at_once(workspace, "one.log") == 1
    assert most_at_once(workspace, "two.log") == 2
    executors = {row["task"]: row["executor"] for row in ended.events if row["event"] == "task_finished"}
    assert (executors["one[0]"], executors["two[0]"]) == ("narrow", "local")


def test_the_configuration_overrides_one_of_the_same_name(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    workspace.write("mlbuild.toml", "[executors.narrow]\njobs = 2\n")
    workspace.ok("-j8", "all")
    assert most_at_once(workspace, "one.log") == 2


def test_where_it_runs_does_not_count(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    workspace.ok("-j8", "all")
    workspace.pipeline(PIPELINE.replace("jobs = 1", "jobs = 2, cpus = 1").replace("licence = 1", "licence = 2"))
    assert workspace.ok("all").ran == []


def test_more_than_a_pool_holds_is_refused_before_anything_runs(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE.replace("licence = 1", "licence = 3"))
    ended = workspace.build("all")
    assert (ended.status, ended.ran) == (2, [])
    assert "two[0] asks for 3 of `licence`, and `local` has 2" in ended.err


def test_all_run_where_the_command_line_says(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE.replace("{target}.log", "log"))
    ended = workspace.ok("-j8", "--on", "narrow", "all")
    assert {row["executor"] for row in ended.events if row["event"] == "task_finished"} == {"narrow"}
    assert most_at_once(workspace, "log") == 1
    assert workspace.ok("--on", "local", "all").ran == []


@pytest.mark.parametrize(("name", "hint"), [("narow", "did you mean `narrow`?"), ("gpu", "there are: local, narrow")])
@pytest.mark.parametrize("option", ["-j1", "-n", "-q"])
def test_an_executor_that_is_not_there(workspace: Workspace, name: str, hint: str, option: str) -> None:
    workspace.pipeline(PIPELINE)
    ended = workspace.build(option, "--on", name, "all")
    assert (ended.status, ended.ran) == (2, [])
    assert ended.err == f"error: --on: there is no executor `{name}`\n  hint: {hint}\n"


def test_what_is_declared() -> None:
    executors = loaded(
        "executor small: local(cpus = 2, memory = 8G, jobs = 3, licence = 1)\ntarget t:\n    run: x\n"
    ).executors
    small = executors["small"]
    assert (small.cpus, small.memory, small.jobs, small.pools) == (2, 8 << 30, 3, {"licence": 1})
    assert list(executors) == ["local", "small"]


def test_what_is_declared_of_a_cluster() -> None:
    text = 'executor gpu: slurm(queue = "gpu", time = 4h, options = ["--exclusive"], jobs = 9, licence = 2)\n'
    gpu = loaded(text + "target t:\n    on: gpu\n    resources: licence = 1\n    run: x\n").executors["gpu"]
    assert (gpu.kind, gpu.jobs, gpu.pools) == ("slurm", 9, {"licence": 2})
    assert gpu.settings == {"queue": "gpu", "time": 4 * 3600, "options": ("--exclusive",)}


DECLARED = Executor("gpu", "slurm", jobs=2, pools={"licence": 1}, settings={"queue": "gpu", "account": "ml"})


@pytest.mark.parametrize(
    ("declared", "given", "made"),
    [
        (None, {"jobs": 2}, Executor("gpu", jobs=2)),
        (None, {"kind": "slurm", "settings": {"queue": "a"}}, Executor("gpu", "slurm", settings={"queue": "a"})),
        (
            DECLARED,
            {"jobs": 3, "pools": {"seat": 1}, "settings": {"account": "me", "setup": "module load cuda"}},
            Executor(
                "gpu",
                "slurm",
                jobs=3,
                pools={"licence": 1, "seat": 1},
                settings={"queue": "gpu", "account": "me", "setup": "module load cuda"},
            ),
        ),
        (DECLARED, {"kind": "local", "cpus": 2}, Executor("gpu", cpus=2)),
    ],
)
def test_the_configuration_is_laid_over_what_is_declared(
    declared: Executor | None, given: dict[str, object], made: Executor
) -> None:
    assert overlaid("gpu", declared, given) == made


def test_a_setting_that_the_kind_does_not_have(workspace: Workspace) -> None:
    workspace.pipeline("target t:\n    run: x\n")
    workspace.write("mlbuild.toml", '[executors.local]\nqueue = "gpu"\n')
    ended = workspace.run()
    assert ended.status == 2
    assert ended.err == (
        "error: `executors.local.queue` is nothing that an executor of the kind local has\n"
        "  hint: it has cpus, memory, gpus, disk, jobs\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "executor gpu: ray()",
            """\
Pipelinefile:1:15: error: `ray()` is not there yet
  1 | executor gpu: ray()
    |               ^^^^^
  hint: a later version of mlbuild brings it""",
        ),
        (
            "executor gpu: slurm(\"gpu\")",
            """\
Pipelinefile:1:21: error: a setting is given as NAME = value
  1 | executor gpu: slurm("gpu")
    |                     ^^^^^
  hint: as in slurm(queue = "gpu", time = 4h)""",
        ),
        (
            "executor gpu: slurm(accuont = \"ml\")",
            """\
Pipelinefile:1:21: error: `slurm()` has no `accuont`
  1 | executor gpu: slurm(accuont = "ml")
    |                     ^^^^^^^^^^^^^^
  hint: did you mean `account`?""",
        ),
        (
            "executor gpu: slurm(cpus = 4)",
            """\
Pipelinefile:1:21: error: `cpus` can't be limited: what waits for nodes waits in Slurm
  1 | executor gpu: slurm(cpus = 4)
    |                     ^^^^^^^^""",
        ),
        (
            "executor gpu: slurm(queue = 4)",
            """\
Pipelinefile:1:21: error: `queue` is a text
  1 | executor gpu: slurm(queue = 4)
    |                     ^^^^^^^^^
  hint: as in queue = "gpu\"""",
        ),
        (
            "executor gpu: slurm(time = 4)",
            """\
Pipelinefile:1:28: error: a time has a unit, and 4 has none
  1 | executor gpu: slurm(time = 4)
    |                            ^
  hint: write 4s""",
        ),
        (
            "executor gpu: slurm(ntasks = 0)",
            """\
Pipelinefile:1:21: error: `ntasks` is a whole number from 1 on
  1 | executor gpu: slurm(ntasks = 0)
    |                     ^^^^^^^^^^""",
        ),
        (
            "executor gpu: slurm(options = \"--exclusive\")",
            """\
Pipelinefile:1:21: error: `options` is a list of options
  1 | executor gpu: slurm(options = "--exclusive")
    |                     ^^^^^^^^^^^^^^^^^^^^^^^
  hint: as in options = ["--exclusive"]""",
        ),
        (
            "executor gpu: locla(cpus = 1)",
            """\
Pipelinefile:1:15: error: there is no kind of executor `locla`
  1 | executor gpu: locla(cpus = 1)
    |               ^^^^^^^^^^^^^^^
  hint: did you mean `local`?""",
        ),
        (
            "executor gpu: local",
            """\
Pipelinefile:1:15: error: `local` is no kind of executor
  1 | executor gpu: local
    |               ^^^^^
  hint: as in `executor gpu: local(cpus = 4)`""",
        ),
        (
            "executor a: local(cpus = 0)",
            """\
Pipelinefile:1:26: error: `cpus` is a number above 0, and this is 0
  1 | executor a: local(cpus = 0)
    |                          ^
  hint: as in `cpus = 2`""",
        ),
        (
            "executor a: local()\nexecutor a: local()",
            """\
Pipelinefile:2:10: error: executor `a` is declared twice: first at Pipelinefile:1:10
  2 | executor a: local()
    |          ^
  hint: choose another name""",
        ),
        (
            "executor big: local()\ntarget u:\n    on: bigg\n    run: x",
            """\
Pipelinefile:3:9: error: there is no executor `bigg`
  3 |     on: bigg
    |         ^^^^
  hint: did you mean `big`?""",
        ),
        (
            "executor big: local(licence = 2)\ntarget u:\n    resources: licence = 1\n    on: local\n    run: x",
            """\
Pipelinefile:3:16: error: there is no resource `licence`
  3 |     resources: licence = 1
    |                ^^^^^^^^^^^
  hint: executor `local` has cpus, memory, gpus, gpu_memory, disk, nodes""",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong(text: str, said: str) -> None:
    assert mistakes(f"{text}\ntarget t:\n    run: x\n") == said
