"""Whose the GPUs of a machine are: how they are found, and what builds, strangers and slices do to each other.

No GPU is needed: NVML is played by `nvml/pynvml.py`; processes, locks and builds are real.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from workspace import ROOT, Workspace

from mlbuild.digest import digest_bytes

GIB = 1 << 30
EXCLUSIVE = """
            exec 9> "lock-$CUDA_VISIBLE_DEVICES"
            flock -n 9
            echo $CUDA_VISIBLE_DEVICES >> log
"""


@pytest.fixture(autouse=True)
def without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has, a test has what it says."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


def uuid(workspace: Workspace, index: int, kind: str = "GPU") -> str:
    """Unique in the world, as they are: no other test's build shall have it."""
    return f"{kind}-{index}{digest_bytes(bytes(workspace.root))}"


def nvml(workspace: Workspace, *devices: dict[str, Any] | None) -> dict[str, str]:
    """The environment of a machine with these GPUs; None is one that has fallen off the bus."""
    own = [{"uuid": uuid(workspace, index)} for index in range(len(devices))]
    rows = [None if device is None else {**names, **device} for names, device in zip(own, devices, strict=True)]
    place = workspace.write("nvml/devices.json", json.dumps(rows)).parent
    return {"NVML_STANDIN": str(place), "PYTHONPATH": f"{Path(__file__).parent / 'nvml'}:{ROOT}"}


@contextmanager
def stranger(workspace: Workspace, device: str, name: str = "sleep") -> Iterator[int]:
    """A process of nobody's build that computes on a device."""
    with subprocess.Popen(["bash", "-c", f"exec -a {name} sleep 1000"]) as process:
        workspace.write(f"nvml/{device}", f"{process.pid} {GIB}\n")
        try:
            yield process.pid
        finally:
            process.kill()


def said(ended: Any) -> list[str]:
    return [row["text"] for row in ended.events if row["event"] == "said"]


ONE = """
    target t:
        outputs: "t.txt"
        resources: gpus = 1
        run: echo $CUDA_VISIBLE_DEVICES > {outputs}
"""


def test_eight_tasks_on_four_that_are_configured(workspace: Workspace) -> None:
    workspace.write("mlbuild.toml", "gpus = 4\n")
    workspace.pipeline(f"""
    partition k: range(8)

    target t[k]:
        outputs: "{{k}}.txt"
        resources: gpus = 1
        run:
            {EXCLUSIVE.strip()}
            for i in $(seq 1000); do test $(wc -l < log) -ge 4 && break; sleep 0.05; done
            echo $CUDA_DEVICE_ORDER > {{outputs}}
    """)
    ended = workspace.ok("-j8", "t")
    assert len(ended.ran) == 8
    assert set(workspace.lines("log")) == {"0", "1", "2", "3"} and len(workspace.lines("log")) == 8
    assert workspace.lines("0.txt") == ["PCI_BUS_ID"]


def test_more_than_are_configured(workspace: Workspace) -> None:
    workspace.write("mlbuild.toml", "gpus = 2\n")
    workspace.pipeline(ONE.replace("gpus = 1", "gpus = 3"))
    assert workspace.build().err == "error: t asks for 3 GPUs, and there are 2\n"
    ended = workspace.build(env={"CUDA_VISIBLE_DEVICES": "1,7"})
    assert ended.err == "error: t asks for 3 GPUs, and there is 1\n"


def test_what_the_driver_tells_comes_before_what_is_configured(workspace: Workspace) -> None:
    workspace.write("mlbuild.toml", "gpus = 4\n")
    workspace.pipeline(ONE.replace("gpus = 1", "gpus = 3"))
    env = nvml(workspace, {}, {})
    assert workspace.build(env=env).err == "error: t asks for 3 GPUs, and there are 2\n"


def test_a_recipe_is_told_the_unique_id(workspace: Workspace) -> None:
    workspace.pipeline(ONE)
    workspace.ok(env=nvml(workspace, None, {}))
    assert workspace.lines("t.txt") == [uuid(workspace, 1)]


@pytest.mark.parametrize(
    ("visible", "indices"),
    [
        ("2,0", [0, 2]),
        ("GPU-2,GPU-1", [1, 2]),
        ("1,1", [1]),
        ("1,9,0", [1]),
        ("0,,1", [0]),
        ("1,-1,0", [1]),
        ("GPU-,0", []),
        ("NoDevFiles", []),
        ("", []),
        ("-1", []),
    ],
)
def test_of_those_that_the_surroundings_name(workspace: Workspace, visible: str, indices: list[int]) -> None:
    workspace.pipeline(ONE.replace("gpus = 1", f"gpus = {len(indices) or 1}"))
    ended = workspace.build(env={**nvml(workspace, {}, {}, {}), "CUDA_VISIBLE_DEVICES": visible})
    if indices:
        assert ended.status == 0, ended.err
        assert sorted(workspace.lines("t.txt")[0].split(",")) == [uuid(workspace, index) for index in indices]
        workspace.pipeline(ONE.replace("gpus = 1", f"gpus = {len(indices) + 1}"))
        ended = workspace.build("-B", env={**nvml(workspace, {}, {}, {}), "CUDA_VISIBLE_DEVICES": visible})
    assert f"and there {'is' if len(indices) == 1 else 'are'} {len(indices) or 'none'}\n" in ended.err


def test_an_index_among_different_models_is_what_cuda_takes_it_for(workspace: Workspace) -> None:
    """CUDA counts by speed, the driver by bus: which one it is nobody here knows, unless both count by bus."""
    workspace.pipeline(ONE)
    env = {**nvml(workspace, {"model": "T4"}, {"model": "H100"}), "CUDA_VISIBLE_DEVICES": "1"}
    workspace.ok(env=env)
    assert workspace.lines("t.txt") == ["1"]
    workspace.ok("-B", env={**env, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    assert workspace.lines("t.txt") == [uuid(workspace, 1)]


def sliced(workspace: Workspace) -> dict[str, str]:
    """A GPU in two slices, and a whole one."""
    slices = [{"uuid": uuid(workspace, number, "MIG"), "memory": 10 * GIB} for number in range(2)]
    return nvml(workspace, {"slices": slices, "memory": 40 * GIB}, {"memory": 40 * GIB})


def test_slices_count_as_gpus_with_their_own_memory(workspace: Workspace) -> None:
    workspace.pipeline(ONE.replace("gpus = 1", "gpus = 4"))
    env = sliced(workspace)
    assert workspace.build(env=env).err == "error: t asks for 4 GPUs, and there are 3\n"
    workspace.pipeline(ONE.replace("gpus = 1", "gpus = 2, gpu_memory = 20G"))
    assert workspace.build(env=env).err == "error: t asks for 2 GPUs with 20G of memory, and there is 1\n"
    workspace.pipeline(ONE.replace("gpus = 1", "gpus = 3"))
    workspace.ok(env=env)
    every = {uuid(workspace, 0, "MIG"), uuid(workspace, 1, "MIG"), uuid(workspace, 1)}
    assert set(workspace.lines("t.txt")[0].split(",")) == every


@pytest.mark.parametrize(("visible", "count"), [("0", 2), ("GPU-0", 2), ("MIG-1", 1), ("1", 1)])
def test_the_name_of_a_sliced_one_stands_for_its_slices(workspace: Workspace, visible: str, count: int) -> None:
    workspace.pipeline(ONE.replace("gpus = 1", "gpus = 4"))
    ended = workspace.build(env={**sliced(workspace), "CUDA_VISIBLE_DEVICES": visible})
    assert ended.err == f"error: t asks for 4 GPUs, and there {'is' if count == 1 else 'are'} {count}\n"


def test_one_that_a_stranger_computes_on_is_left_alone(workspace: Workspace) -> None:
    workspace.pipeline("""
        partition k: range(3)

        target t[k]:
            outputs: "{k}.txt"
            resources: gpus = 1
            run: echo $CUDA_VISIBLE_DEVICES > {outputs}
    """)
    env = nvml(workspace, {}, {})
    with stranger(workspace, uuid(workspace, 0)) as pid:
        ended = workspace.ok("-j8", "t", env=env)
        owner = Path(f"/proc/{pid}").owner()
    assert {workspace.read(f"{k}.txt").strip() for k in range(3)} == {uuid(workspace, 1)}
    assert said(ended) == [f"GPU 0 is used by process {pid} (sleep, {owner}): left alone"]


def test_if_strangers_have_all_of_them_the_task_waits_and_says_so(workspace: Workspace) -> None:
    workspace.pipeline(ONE)
    env = nvml(workspace, {})
    with stranger(workspace, uuid(workspace, 0)) as pid:
        build = workspace.start(env=env, events="events")
        workspace.wait_until(lambda: "waits" in workspace.read("events") if workspace.exists("events") else False)
        assert not workspace.exists("t.txt")
    out, err = build.communicate()
    assert build.returncode == 0, err
    told = [line.strip() for line in out.splitlines() if "GPU" in line]
    assert told[0].startswith(f"GPU 0 is used by process {pid} (sleep, ")
    assert told[1:] == ["t waits for 1 GPU: others use 1 of 1", "start   t on GPU 0"]


def test_a_process_that_has_ended_is_no_stranger(workspace: Workspace) -> None:
    workspace.pipeline(ONE)
    env = nvml(workspace, {})
    with stranger(workspace, uuid(workspace, 0)):
        pass
    assert said(workspace.ok(env=env)) == []


def test_tasks_that_share_one_are_no_strangers_to_each_other(workspace: Workspace) -> None:
    workspace.pipeline("""
        target first:
            outputs: "first.txt"
            resources: gpu_memory = 1G
            run:
                echo $$ 1 > nvml/$CUDA_VISIBLE_DEVICES
                touch begun
                for i in $(seq 1000); do test -e second.txt && break; sleep 0.05; done
                cp second.txt {outputs}

        target second:
            outputs: "second.txt"
            resources: gpu_memory = 1G
            on: slow
            run: for i in $(seq 1000); do test -e begun && break; sleep 0.05; done; sleep 3; echo made > {outputs}

        target third:
            after: second
            outputs: "third.txt"
            resources: gpu_memory = 1G
            run: echo $CUDA_VISIBLE_DEVICES > {outputs}

        target all:
            inputs: first, third

        executor slow: local(jobs = 1)
    """)
    ended = workspace.ok("-j8", "all", env=nvml(workspace, {"memory": 16 * GIB}))
    assert said(ended) == []


def test_builds_of_two_workspaces_are_never_on_one_together(workspace: Workspace, tmp_path_factory: Any) -> None:
    other = Workspace(tmp_path_factory.mktemp("other"))
    env = nvml(workspace, {}, {})
    text = f"""
    partition k: range(4)

    target t[k]:
        outputs: "{{k}}.txt"
        resources: gpus = 1
        run:
            exec 9> "{workspace.root}/lock-$CUDA_VISIBLE_DEVICES"
            flock -n 9
            echo $CUDA_VISIBLE_DEVICES >> log
            sleep 0.2
            touch {{outputs}}
    """
    builds = []
    for each in (workspace, other):
        each.pipeline(text)
        builds.append(each.start("-j8", "t", env=env))
    for build in builds:
        out, err = build.communicate()
        assert build.returncode == 0, out + err
    assert len(workspace.lines("log")) == len(other.lines("log")) == 4


def test_what_a_build_that_was_killed_left_running_keeps_its_own(workspace: Workspace, tmp_path_factory: Any) -> None:
    """Until it ends: the lock is held by what watches over the recipe."""
    other = Workspace(tmp_path_factory.mktemp("other"))
    env = nvml(workspace, {})
    workspace.pipeline("""
        target t:
            outputs: "t.txt"
            resources: gpus = 1
            run: touch begun; for i in $(seq 1000); do test -e end && break; sleep 0.05; done; touch {outputs}
    """)
    build = workspace.start(env=env)
    workspace.wait_for("begun")
    build.kill()
    build.communicate()
    other.pipeline(ONE)
    second = other.start(env=env, events="events")
    other.wait_until(lambda: "waits for 1 GPU" in other.read("events") if other.exists("events") else False)
    workspace.write("end", "")
    out, err = second.communicate()
    assert second.returncode == 0, out + err
    assert other.lines("t.txt") == [uuid(workspace, 0)]


def test_a_build_within_a_recipe_has_what_the_recipe_was_lent(workspace: Workspace) -> None:
    inner = Workspace(workspace.root / "inner")
    inner.write("Pipelinefile", ONE)
    workspace.pipeline("""
        target t:
            outputs: "t.txt"
            resources: gpus = 1
            run: echo $$ 1 > nvml/$CUDA_VISIBLE_DEVICES; (cd inner && python -m mlbuild); cp inner/t.txt {outputs}
    """)
    workspace.ok(env=nvml(workspace, {}, {}))
    assert workspace.lines("t.txt") == [uuid(workspace, 0)]


USING = """
    target t:
        outputs: "t.txt"
        resources: gpus = 1
        retry: 0
        run:
            echo "$$ 3221225472" > nvml/$CUDA_VISIBLE_DEVICES
            echo computing
            for i in $(seq 1000); do test -e nvml/looks && test $(wc -l < nvml/looks) -ge 2 && break; sleep 0.05; done
            touch {outputs}
"""


def test_what_a_task_did_with_its_gpus_is_told(workspace: Workspace) -> None:
    workspace.pipeline(USING)
    (finished,) = [
        row
        for row in workspace.ok(env=nvml(workspace, {"busy": 80, "memory": 16 * GIB})).events
        if row["event"] == "task_finished"
    ]
    assert finished["gpu_utilization"] == pytest.approx(0.8)
    assert finished["max_gpu_memory"] == 3 * GIB
    (row,) = json.loads(workspace.run("runs", "1", "--json").out)["tasks"]
    made = json.loads(workspace.run("show", "t", "--json").out)["made"]
    for told in (row, made):
        assert (told["gpu_utilization"], told["max_gpu_memory"]) == (finished["gpu_utilization"], 3 * GIB)
    log = workspace.run("log", "t")
    assert log.out == "computing\n"
    for text in (log.err, workspace.run("runs", "1").out, workspace.run("show", "t").out):
        assert " of CPU, 3.0G of GPU memory, GPU 80% busy\n" in text


def test_of_an_attempt_that_failed_too(workspace: Workspace) -> None:
    workspace.pipeline(USING.replace("touch {outputs}", "exit 3"))
    assert workspace.build(env=nvml(workspace, {"busy": 80, "memory": 16 * GIB})).status == 1
    (row,) = json.loads(workspace.run("runs", "1", "--json").out)["tasks"]
    assert (row["gpu_utilization"], row["max_gpu_memory"]) == (pytest.approx(0.8), 3 * GIB)


def test_where_the_driver_does_not_say_whose_memory_it_is(workspace: Workspace) -> None:
    """As in many a container: then it is the task's what came to be used since it began, if it is alone there."""
    nvml(workspace, {"memory": 9, "used": 7})
    (workspace.root / "nvml/devices.json").rename(workspace.root / "nvml/later.json")
    env = nvml(workspace, {"memory": 9, "used": 2})
    change = """
            for i in $(seq 1000); do test -e nvml/looks && break; sleep 0.05; done
            mv $NVML_STANDIN/later.json $NVML_STANDIN/devices.json
            rm nvml/looks
    """
    workspace.pipeline(USING.replace('echo "$$ 3221225472" > nvml/$CUDA_VISIBLE_DEVICES', change.strip()))
    (finished,) = [row for row in workspace.ok(env=env).events if row["event"] == "task_finished"]
    assert (finished["gpu_utilization"], finished["max_gpu_memory"]) == (None, 5)


def test_without_a_driver_that_tells_nothing_is_told(workspace: Workspace) -> None:
    workspace.write("mlbuild.toml", "gpus = 1\n")
    workspace.pipeline(ONE)
    (finished,) = [row for row in workspace.ok().events if row["event"] == "task_finished"]
    assert (finished["gpu_utilization"], finished["max_gpu_memory"]) == (None, None)


def test_environment_of_a_task_without(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo ${CUDA_VISIBLE_DEVICES-unset} > {outputs}\n')
    workspace.ok(env=nvml(workspace, {}))
    assert workspace.lines("t.txt") == ["unset"]
    assert "MLBUILD_LENT" not in os.environ
