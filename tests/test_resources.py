"""What tasks are lent of this machine: GPUs of their own or in parts, disk space, one node."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from pipelinefile import mistakes
from workspace import Workspace

from mlbuild.digest import digest_bytes
from mlbuild.executors.nvidia import Device, counted

HERE = Path(sys.executable).parent
GIB = 1 << 30


@pytest.fixture(autouse=True)
def without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has, a test has what it says."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


def uuid(workspace: Workspace, index: int) -> str:
    """Unique in the world, as they are: no other test's build shall have it."""
    return f"GPU-{index}{digest_bytes(bytes(workspace.root))}"


def machine(workspace: Workspace, *memory: str) -> dict[str, str]:
    """The environment of a machine with GPUs of so many MiB, as `nvidia-smi` tells of them."""
    rows = "".join(f"{index}, {uuid(workspace, index)}, {size}, T4\\n" for index, size in enumerate(memory))
    tool = workspace.write("bin/nvidia-smi", f"#!/bin/sh\ncase $1 in *query-gpu*) printf '{rows}';; esac\n")
    tool.chmod(0o755)
    return {"PATH": f"{tool.parent}:{HERE}:{os.environ['PATH']}"}


def seen(workspace: Workspace) -> list[set[str]]:
    """The GPUs of each task, after a look that no two of them had one at the same time."""
    held: list[set[str]] = []
    found = []
    for line in workspace.lines("log"):
        sign, _, devices = line.partition(" ")
        mine = set(devices.split(","))
        if sign == "+":
            assert not any(mine & other for other in held), workspace.read("log")
            held.append(mine)
            found.append(mine)
        else:
            held.remove(mine)
    return found


def together(count: int) -> str:
    """A recipe that ends only once so many tasks have begun."""
    steps = (
        "echo + $CUDA_VISIBLE_DEVICES >> log",
        f"for i in $(seq 1000); do test $(grep -c + log) -ge {count} && break; sleep 0.05; done",
        f"test $(grep -c + log) -ge {count}",
        "sleep 0.1; echo - $CUDA_VISIBLE_DEVICES >> log",
        "echo $CUDA_VISIBLE_DEVICES ${CUDA_DEVICE_ORDER-} > {outputs}",
    )
    return "; ".join(steps)


def four(resources: str, recipe: str) -> str:
    return f"""
    partition k: range(4)

    target t[k]:
        outputs: "{{k}}.txt"
        resources: {resources}
        run: {recipe}
    """


def test_each_task_has_its_own(workspace: Workspace) -> None:
    workspace.pipeline(four("gpus = 1", together(2)))
    ended = workspace.ok("-j8", "t", env=machine(workspace, "16384", "16384"))
    assert len(ended.ran) == 4
    first, second = uuid(workspace, 0), uuid(workspace, 1)
    assert sorted(seen(workspace), key=str) == [{first}, {first}, {second}, {second}]
    assert workspace.read("0.txt").split() in ([first], [second])


def test_they_come_out_of_those_that_the_build_may_use(workspace: Workspace) -> None:
    workspace.pipeline(four("gpus = 1", together(2)))
    workspace.ok("-j8", "t", env={**machine(workspace, *["16384"] * 8), "CUDA_VISIBLE_DEVICES": "5,GPU-7"})
    fifth, seventh = uuid(workspace, 5), uuid(workspace, 7)
    assert sorted(seen(workspace), key=str) == [{fifth}, {fifth}, {seventh}, {seventh}]


def test_two_for_each(workspace: Workspace) -> None:
    workspace.pipeline(four("gpus = 2", together(2)))
    workspace.ok("-j8", "t", env=machine(workspace, *["16384"] * 5))
    assert all(len(mine) == 2 for mine in seen(workspace))


@pytest.mark.parametrize(("own", "said"), [({}, "unset"), ({"CUDA_VISIBLE_DEVICES": "0,1"}, "0,1")])
def test_a_task_that_asks_for_none_is_left_alone(workspace: Workspace, own: dict[str, str], said: str) -> None:
    workspace.pipeline("""
        target t:
            outputs: "t.txt"
            resources: gpus = 0
            run: echo ${CUDA_VISIBLE_DEVICES-unset} > {outputs}
    """)
    workspace.ok(env={**machine(workspace, "16384", "16384"), **own})
    assert workspace.read("t.txt") == f"{said}\n"


def test_tasks_that_say_how_much_of_it_share_one(workspace: Workspace) -> None:
    workspace.pipeline(four("gpu_memory = 8G", together(2)))
    workspace.ok("-j8", "t", env=machine(workspace, "16384"))
    running = most = 0
    for line in workspace.lines("log"):
        assert line[2:] == uuid(workspace, 0)
        running += 1 if line[0] == "+" else -1
        most = max(most, running)
    assert most == 2


def test_one_that_wants_it_whole_does_not_share(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition k: range(2)

        target part[k]:
            outputs: "{k}.txt"
            resources: gpu_memory = 1G
            run: echo + part-$CUDA_VISIBLE_DEVICES >> log; touch {outputs}; echo - part-$CUDA_VISIBLE_DEVICES >> log

        target whole[k]:
            outputs: "whole-{k}.txt"
            resources: gpus = 1
            run:
                echo + $CUDA_VISIBLE_DEVICES >> log
                test "$(tail -n 1 log)" = "+ $CUDA_VISIBLE_DEVICES"
                sleep 0.1
                test "$(tail -n 1 log)" = "+ $CUDA_VISIBLE_DEVICES"
                echo - $CUDA_VISIBLE_DEVICES >> log
                touch {outputs}

        target all:
            inputs: part[*], whole[*]
    """)
    assert len(workspace.ok("-j8", "all", env=machine(workspace, "16384")).ran) == 4


def test_shares_are_packed_so_that_whole_ones_stay_free(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition k: range(2)

        target part[k]:
            outputs: "part-{k}.txt"
            resources: gpu_memory = 8G
            run: for i in $(seq 1000); do test -e whole.txt && break; sleep 0.05; done; cp whole.txt {outputs}

        target whole:
            outputs: "whole.txt"
            resources: gpus = 1
            run: echo $CUDA_VISIBLE_DEVICES > {outputs}

        target all:
            inputs: part[*], whole
    """)
    workspace.ok("-j8", "all", env=machine(workspace, "16384", "16384"))
    assert workspace.read("whole.txt") == f"{uuid(workspace, 1)}\n"


@pytest.mark.parametrize("memory", [None, "[N/A]"])
def test_one_of_unknown_memory_is_not_shared(workspace: Workspace, memory: str | None) -> None:
    workspace.pipeline(four("gpu_memory = 8G", together(1)))
    workspace.ok("-j8", "t", env=machine(workspace, memory) if memory else {"CUDA_VISIBLE_DEVICES": "0"})
    assert seen(workspace) == [{uuid(workspace, 0) if memory else "0"}] * 4


def test_what_waits_for_one_holds_up_no_other(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition k: range(2)

        target heavy[k]:
            outputs: "heavy-{k}.txt"
            resources: gpus = 1
            run:
                for i in $(seq 1000); do test -e light.txt && break; sleep 0.05; done
                cp light.txt {outputs}

        target light:
            outputs: "light.txt"
            run: touch {outputs}

        target all:
            inputs: heavy[*], light
    """)
    assert len(workspace.ok("-j4", "all", env=machine(workspace, "16384")).ran) == 3


def test_an_executor_has_its_own_number_of_them(workspace: Workspace) -> None:
    workspace.pipeline(f"""
    executor small: local(gpus = 1)
    partition k: range(3)

    target narrow[k]:
        outputs: "narrow-{{k}}.txt"
        on: small
        resources: gpus = 1
        run: {together(1)}

    target wide:
        outputs: "wide.txt"
        resources: gpus = 2
        run: {together(1)}

    target all:
        inputs: narrow[*], wide
    """)
    workspace.ok("-j8", "all", env=machine(workspace, *["16384"] * 3))
    held = most = 0
    for line in workspace.lines("log"):
        if "," not in line:
            held += 1 if line[0] == "+" else -1
            most = max(most, held)
    assert most == 1
    assert sum(map(len, seen(workspace))) == 5


def test_the_amount_may_use_the_attempt(workspace: Workspace) -> None:
    workspace.pipeline("""
        target t:
            outputs: "t.txt"
            resources: gpus = attempt
            retry: 2, backoff = 1ms
            run: echo {resources.gpus} $CUDA_VISIBLE_DEVICES >> log; false
    """)
    ended = workspace.build(env=machine(workspace, "16384", "16384"))
    assert workspace.lines("log") == [f"1 {uuid(workspace, 0)}", f"2 {uuid(workspace, 0)},{uuid(workspace, 1)}"]
    assert (ended.status, ended.failed) == (1, ["t"])
    assert "t failed: not started: t asks for 3 GPUs, and there are 2" in ended.out


def test_none_of_it_counts(workspace: Workspace) -> None:
    text = """
        target t:
            outputs: "t.txt"
            resources: gpus = 1, gpu_memory = 1G, disk = 1M, nodes = 1
            run: echo {resources.gpus} {resources.gpu_memory} {resources.disk} {resources.nodes} > {outputs}
    """
    workspace.pipeline(text)
    env = machine(workspace, "16384", "16384")
    workspace.ok(env=env)
    assert workspace.read("t.txt") == f"1 {GIB} {1 << 20} 1\n"
    workspace.pipeline(text.replace("gpus = 1, gpu_memory = 1G, disk = 1M", "gpus = 2"))
    assert workspace.ok(env=env).ran == []


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ("gpus = 3", "t asks for 3 GPUs, and there are 2"),
        ("gpus = 2, gpu_memory = 20G", "t asks for 2 GPUs with 20G of memory, and there is 1"),
        ("gpu_memory = 40G", "t asks for 1 GPU with 40G of memory, and there are none"),
        ("nodes = 2", "t asks for 2 nodes, and this machine is one node"),
    ],
)
def test_more_than_there_is_is_refused_before_anything_runs(workspace: Workspace, resources: str, said: str) -> None:
    workspace.pipeline(f"""
        target first:
            outputs: "first.txt"
            run: touch {{outputs}}

        target t:
            inputs: first
            outputs: "t.txt"
            resources: {resources}
            run: touch {{outputs}}
    """)
    ended = workspace.build("t", env=machine(workspace, "16384", "24576"))
    assert (ended.status, ended.ran, ended.err) == (2, [], f"error: {said}\n")


def test_a_machine_without_any(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    resources: gpus = 1\n    run: touch {outputs}\n')
    for env in ({}, {"CUDA_VISIBLE_DEVICES": ""}, {"CUDA_VISIBLE_DEVICES": "-1"}):
        ended = workspace.build(env={"PATH": f"{HERE}:/usr/bin:/bin", **env})
        said = (
            "error: t asks for 1 GPU, and there are none\n"
            "  hint: GPUs are those that the NVIDIA driver tells of and CUDA_VISIBLE_DEVICES leaves;"
            " where no driver tells, `gpus = N` in mlbuild.toml does\n"
        )
        assert (ended.status, ended.err) == (2, said)
        dry = workspace.run("-n", env={"PATH": f"{HERE}:/usr/bin:/bin", **env})
        assert (dry.status, dry.out, dry.err) == (2, "", said)


def test_what_a_build_that_died_left_running_keeps_its_own(workspace: Workspace) -> None:
    workspace.pipeline("""
        target held:
            outputs: "held.txt"
            resources: gpus = 1
            run:
                echo $CUDA_VISIBLE_DEVICES > begun
                for i in $(seq 1000); do test -e other.txt && break; sleep 0.05; done
                echo $CUDA_VISIBLE_DEVICES > {outputs}

        target first:
            outputs: "first.txt"
            run: touch {outputs}

        target other:
            outputs: "other.txt"
            resources: gpus = 1
            run: echo $CUDA_VISIBLE_DEVICES > {outputs}
    """)
    env = machine(workspace, "16384", "16384")
    driver = workspace.start("held", env=env)
    workspace.wait_for("begun")
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    workspace.ok("other", env=env)
    assert workspace.lines("begun") == [uuid(workspace, 0)]
    assert workspace.lines("other.txt") == [uuid(workspace, 1)]


def test_disk_space_that_others_have_claimed_is_waited_for(workspace: Workspace) -> None:
    share = shutil.disk_usage(workspace.root).free * 6 // 10 >> 20
    workspace.pipeline(four(f"disk = {share}M", together(1)))
    workspace.ok("-j4", "t", env={"CUDA_VISIBLE_DEVICES": "all"})
    assert len(seen(workspace)) == 4


def test_an_executor_has_its_own_disk_space(workspace: Workspace) -> None:
    workspace.pipeline("    executor local: local(disk = 3M)\n" + four("disk = 2M", together(1)))
    workspace.ok("-j4", "t", env={"CUDA_VISIBLE_DEVICES": "all"})
    assert len(seen(workspace)) == 4


def test_disk_space_that_is_not_free(workspace: Workspace) -> None:
    usage = shutil.disk_usage(workspace.root)
    between = (usage.free + usage.total) // 2 >> 20
    workspace.pipeline(f"""
        target t:
            outputs: "t.txt"
            resources: disk = {between}M
            run: touch {{outputs}}
    """)
    ended = workspace.build()
    assert (ended.status, ended.failed) == (1, ["t"])
    assert "t failed: not started: it asks for " in ended.out and " are free" in ended.out
    workspace.pipeline(workspace.read("Pipelinefile").replace(f"{between}M", "9999T"))
    ended = workspace.build()
    assert ended.status == 2
    assert ended.err.startswith("error: t asks for 9999T of disk, and there are ")


def test_without_the_tool_the_folders_of_the_driver_are_counted(tmp_path: Path) -> None:
    assert counted(str(tmp_path)) == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "proc/driver/nvidia/gpus" / name).mkdir(parents=True)
    assert counted(str(tmp_path)) == [Device("0"), Device("1")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "target u:\n    resources: gpus = 1.5\n    run: x",
            """\
Pipelinefile:2:23: error: `gpus` is a whole number, and this is 1.5
  2 |     resources: gpus = 1.5
    |                       ^^^
  hint: as in `gpus = 2`""",
        ),
        (
            "target u:\n    resources: gpu_memory = 8\n    run: x",
            """\
Pipelinefile:2:29: error: gpu_memory of 8 bytes
  2 |     resources: gpu_memory = 8
    |                             ^
  hint: a size has a unit: 8G""",
        ),
        (
            "executor a: local(nodes = 2)",
            """\
Pipelinefile:1:19: error: `nodes` can't be limited
  1 | executor a: local(nodes = 2)
    |                   ^^^^^^^^^
  hint: the limits are cpus, memory, gpus, disk, jobs, and pools of any other name""",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong(text: str, said: str) -> None:
    assert mistakes(f"{text}\ntarget t:\n    run: x\n") == said
