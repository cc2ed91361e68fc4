"""`mlbuild executors`: what executors are told, what was found there, and what is wrong with it."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster, until
from on_slurm import jobs, stand_in
from workspace import ROOT, Ended, Workspace

from mlbuild.engine.sites import Described, judged
from mlbuild.executors.job import Waits
from mlbuild.executors.mounts import Mount, mount
from mlbuild.executors.slurm import cluster as found
from mlbuild.executors.slurm.cluster import seconds
from mlbuild.executors.slurm.trial import Tried

PIPELINE = """
    executor gpu: slurm(queue = "main", time = 4h)

    target train:
        outputs: "model"
        on: gpu
        resources: gpus = 2
        run: touch {outputs}
"""


def described(workspace: Workspace, *words: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The rows of `--json` by name."""
    return {
        row["executor"]: row
        for row in json.loads(workspace.run("executors", "--json", *words, env=env).out)["executors"]
    }


def stand_ins(workspace: Workspace, **commands: str) -> dict[str, str]:
    """The environment of a site whose commands are these scripts, and no others."""
    folder = workspace.root / "site"
    folder.mkdir()
    for name in ("bash", "sleep", "cat"):
        (folder / name).symlink_to(f"/bin/{name}")
    for name, text in commands.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def wrong(ended: Ended) -> list[str]:
    """Each thing that is wrong or doubtful, with its hint, without its place."""
    found: list[str] = []
    for line in ended.out.splitlines():
        if "error: " in line or "doubtful: " in line:
            found.append(line[line.index("error: " if "error: " in line else "doubtful: ") :])
        elif line.startswith("  hint: "):
            found[-1] += f" ({line.removeprefix('  hint: ')})"
    return [each for each in found if "may not see the workspace" not in each]


# --- what is told, and where that stands


def test_settings_say_where_they_stand(workspace: Workspace) -> None:
    workspace.pipeline("""
        executor big: local(
            cpus = 2,
            licence = 3,
        )
        target t:
            on: big
            run: true
    """)
    workspace.write("mlbuild.toml", '[executors.big]\nmemory = "1G"\n[executors.big.pools]\nlicence = 4\n')
    workspace.write(".config/mlbuild/config.toml", '[executors]\nbig.memory = "2G"\nbig.jobs = 1\n')
    user = str(workspace.root / ".config/mlbuild/config.toml")
    assert [tuple(row.values()) for row in described(workspace)["big"]["settings"]] == [
        ("cpus", 2, "Pipelinefile", 2),
        ("memory", 1 << 30, "mlbuild.toml", 2),
        ("jobs", 1, user, 3),
        ("licence", 4, "mlbuild.toml", 4),
    ]
    lines = workspace.run("executors", "big", env={"HOME": str(workspace.root)}).out.splitlines()
    assert lines[0] == "big: this machine, for t"
    assert [line.split() for line in lines[1:5]] == [
        ["cpus", "2", "Pipelinefile:2"],
        ["memory", "1G", "mlbuild.toml:2"],
        ["jobs", "1", "~/.config/mlbuild/config.toml:3"],
        ["licence", "4", "mlbuild.toml:4"],
    ]


def test_this_machine_is_always_there(workspace: Workspace) -> None:
    workspace.pipeline("target t:\n    run: true\n")
    ended = workspace.run("executors", env={"CUDA_VISIBLE_DEVICES": ""})
    assert ended.status == 0 and ended.out.startswith("local: this machine, for t\n  has   ")
    found = described(workspace)["local"]["found"]
    assert found["cpus"] >= 1 and found["memory"] > 1 << 20 and found["disk"] >= found["disk_free"] > 0


def test_what_this_machine_can_not_hold_is_wrong(workspace: Workspace) -> None:
    workspace.pipeline("""
        executor big: local(cpus = 9999, licence = 2)
        target t:
            on: big
            resources: licence = 3
            run: true
    """)
    ended = workspace.run("executors", "big")
    assert ended.status == 1
    assert "Pipelinefile:1:21: doubtful: `big` has cpus = 9999, and this machine has " in ended.out
    assert wrong(ended)[0] == "error: t asks for 3 of `licence`, and `big` has 2"


def test_a_name_that_no_executor_has(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    ended = workspace.run("executors", "gup")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "error: there is no executor `gup`\n  hint: did you mean `gpu`?\n"


# --- what a cluster tells


def test_what_was_found_of_a_cluster(workspace: Workspace, cluster: Cluster) -> None:
    workspace.pipeline(PIPELINE)
    row = described(workspace, "gpu")["gpu"]
    found = row["found"]
    assert (row["kind"], row["targets"], row["wrong"]) == ("slurm", ["train"], [])
    assert {"sbatch", "squeue", "scancel", "sinfo", "scontrol"} <= set(found["commands"])
    assert (found["silence"], found["accounting"], found["max_array_size"]) == (None, False, 1001)
    assert (found["accounts"], found["queues"]) == (None, ["main", "spot"])
    queue = found["queue"]
    assert (queue["name"], queue["default"], queue["state"], queue["max_time"]) == ("main", True, "UP", None)
    assert sum(nodes["count"] for nodes in queue["nodes"]) == 2
    assert {(nodes["cpus"], nodes["memory"], nodes["gpus"][""]) for nodes in queue["nodes"]} == {(8, 4000 << 20, 2)}
    ended = workspace.run("executors", "gpu")
    assert ended.status == 0, ended.out
    assert f"Slurm      {found['version']} answers; MaxArraySize 1001; it keeps no accounts" in ended.out
    assert "queue      main, the default one, is up; for jobs of any length" in ended.out
    assert "nodes      2 with 8 CPUs, 3.906G of memory, 2 GPUs: " in ended.out


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('queue = "mian"', "error: Slurm has no queue `mian`: it has main, spot (did you mean `main`?)"),
        ('gpu = "a100"', "error: the queue `main` has no GPUs of the type `a100`: it has GPUs without a type"),
        ('queue = "spot,fast"', "error: Slurm has no queue `fast`: it has main, spot"),
        ('queue = "spot,main", qos = "high"', None),
    ],
)
def test_settings_that_the_cluster_does_not_know(
    workspace: Workspace, cluster: Cluster, settings: str, said: str | None
) -> None:
    workspace.pipeline(PIPELINE.replace('queue = "main"', settings))
    ended = workspace.run("executors", "gpu")
    assert (ended.status, wrong(ended)) == ((1, [said]) if said else (0, []))


def test_a_task_that_no_node_can_hold_is_wrong_as_before_a_build(workspace: Workspace, cluster: Cluster) -> None:
    workspace.pipeline(PIPELINE.replace("gpus = 2", "gpus = 3"))
    ended = workspace.run("executors", "gpu")
    said = "error: train asks for 3 GPUs, and no node of the queue `main` has that"
    assert (ended.status, wrong(ended)) == (1, [said])
    assert workspace.run("-n").err == f"{said}\n"


def test_nodes_that_are_down(workspace: Workspace, cluster: Cluster) -> None:
    workspace.pipeline(PIPELINE)
    for node in cluster.nodes:
        cluster.ask("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    try:
        ended = workspace.run("executors", "gpu")
    finally:
        for node in cluster.nodes:
            cluster.ask("scontrol", "update", f"nodename={node}", "state=resume")
    assert (ended.status, wrong(ended)) == (
        1,
        ["error: no node of the queue `main` is up (`sinfo -R -p main` says why)"],
    )
    assert "2 GPUs: 2 drained" in ended.out


SITE = {
    "sbatch": "exit 1",
    "scancel": "exit 1",
    "squeue": "echo 'JOBID|STATE|REASON|NODELIST|NAME'",
    "sinfo": "echo 'PARTITION|CPUS|MEMORY|NODES|STATE|GRES'; echo 'long|8|4000|3|idle|gpu:v100:2'",
    "scontrol": """
        if [ "$2" = config ]; then
            echo "SLURM_VERSION = 23.11.4"; echo "AccountingStorageType = accounting_storage/slurmdbd"
            echo "AccountingStorageEnforce = associations,limits,qos"
        else
            all="AllowAccounts=ALL AllowQos=ALL Default=NO"
            some="AllowAccounts=ml,bio AllowQos=normal Default=NO"
            echo "PartitionName=long $some DefaultTime=01:00:00 MaxTime=1-00:00:00 State=UP"
            echo "PartitionName=old $all DefaultTime=NONE MaxTime=UNLIMITED State=DOWN"
        fi""",
    "sacctmgr": "echo 'old|old|normal'; echo 'vision||high,normal'; echo 'ml||normal'",
}
"""A site with accounts, no default queue, and limits of time."""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('queue = "long", account = "ml", time = 24h', []),
        (
            'queue = "long", account = "mll", time = 4h',
            [
                "error: the account `mll` is not open to you: vision, ml are (did you mean `ml`?)",
                "error: the queue `long` is not open to the account `mll`: it is to ml, bio",
            ],
        ),
        (
            'queue = "long", account = "old", time = 4h',
            [
                "error: the account `old` is not open to you in the queue `long`: vision, ml are",
                "error: the queue `long` is not open to the account `old`: it is to ml, bio",
            ],
        ),
        (
            'queue = "long", account = "vision", qos = "high", time = 4h',
            [
                "error: the queue `long` is not open to the account `vision`: it is to ml, bio",
                "error: the queue `long` is not open to the qos `high`: it is to normal",
            ],
        ),
        (
            'queue = "long", account = "ml", qos = "high", time = 4h',
            [
                "error: the qos `high` is not open to you: normal is",
                "error: the queue `long` is not open to the qos `high`: it is to normal",
            ],
        ),
        (
            'queue = "long", time = 2d',
            ["error: `time` is 2d, and no job in the queue `long` runs for more than 1d (time = 1d)"],
        ),
        (
            'queue = "long"',
            [
                "doubtful: Slurm ends jobs of `gpu` after 1h, and train has no `timeout:` (with `time = 1h` a job ends"
                " itself before that, saves, and another goes on from there)"
            ],
        ),
        ('queue = "old"', ["error: the queue `old` is DOWN (jobs wait until those who run Slurm open it)"]),
        (
            "time = 4h",
            [
                "error: `gpu` names no queue, and Slurm has none for those that don't (choose one of long, old:"
                ' `queue = "long"`)'
            ],
        ),
    ],
)
def test_a_site_with_accounts_and_limits(workspace: Workspace, settings: str, said: list[str]) -> None:
    workspace.pipeline(PIPELINE.replace('queue = "main", time = 4h', settings))
    ended = workspace.run("executors", "gpu", env=stand_ins(workspace, **SITE))
    assert wrong(ended) == said
    assert ended.status == int(any(each.startswith("error") for each in said))


@pytest.mark.parametrize(
    ("enforced", "account", "said"),
    [
        ("none", "mll", []),
        ("associations,limits", "mll", ["error: the account `mll` is not open to you: vision, ml are"]),
        ("associations,limits", "ml", []),
    ],
)
def test_a_site_that_does_not_enforce_what_its_books_say(
    workspace: Workspace, enforced: str, account: str, said: list[str]
) -> None:
    """Such a Slurm takes the job all the same, on another account or without the qos having to be."""
    site = (
        SITE["scontrol"]
        .replace("associations,limits,qos", enforced)
        .replace("AllowAccounts=ml,bio AllowQos=normal", "AllowAccounts=ALL AllowQos=ALL")
    )
    workspace.pipeline(PIPELINE.replace('queue = "main"', f'queue = "long", account = "{account}", qos = "gold"'))
    ended = workspace.run("executors", "gpu", env=stand_ins(workspace, **{**SITE, "scontrol": site}))
    assert [each.partition(" (")[0] for each in wrong(ended)] == said


def test_nobody_is_known_where_only_the_known_may(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE.replace("main", "long"))
    ended = workspace.run("executors", "gpu", env=stand_ins(workspace, **{**SITE, "sacctmgr": "exit 0"}))
    said = "error: Slurm takes no jobs of yours: no account is open to you (those who run it give you one)"
    assert (ended.status, wrong(ended)) == (1, [said])


# --- sites that are broken


def test_a_machine_without_slurm(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    ended = workspace.run("executors", "gpu", env=stand_ins(workspace))
    assert (ended.status, wrong(ended)) == (
        1,
        [
            "error: there is no `sbatch`, `squeue`, `scancel` here: nothing can run on `gpu` (mlbuild runs where"
            " Slurm's commands are, on a login node for example; `--on local` runs all here)"
        ],
    )


@pytest.mark.parametrize(
    ("squeue", "said"),
    [
        (
            "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1",
            "error: Slurm's controller does not answer: Unable to contact slurm controller (connect failure) (`scontrol"
            " ping` tells when it does; a build waits for it, and nothing fails)",
        ),
        (
            "echo 'squeue: fatal: Could not establish a configuration source' >&2; exit 1",
            "error: Slurm's commands don't find the cluster: squeue: fatal: Could not establish a configuration source"
            " (the variable SLURM_CONF names its slurm.conf; those who run the cluster know which machines are set up"
            " for it)",
        ),
        (
            "echo 'slurm_load_jobs error: Protocol authentication error' >&2; exit 1",
            "error: Slurm does not believe who we are: Protocol authentication error (is `munged` running here, and is"
            " this machine's clock right?)",
        ),
    ],
)
def test_a_slurm_that_does_not_answer(workspace: Workspace, squeue: str, said: str) -> None:
    workspace.pipeline(PIPELINE)
    commands = {**dict.fromkeys(("sinfo", "scontrol", "sacctmgr"), "exit 1"), "sbatch": "", "scancel": ""}
    ended = workspace.run("executors", "gpu", env=stand_ins(workspace, **commands, squeue=squeue))
    assert (ended.status, wrong(ended)) == (1, [said])


def test_a_slurm_that_hangs(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    commands = dict.fromkeys(("sbatch", "squeue", "scancel", "sinfo", "scontrol", "sacctmgr"), "sleep 1000")
    row = described(workspace, "gpu", env=stand_ins(workspace, **commands))["gpu"]
    assert row["found"]["silence"] == "it gave no answer"
    assert [each["message"] for each in row["wrong"]] == ["Slurm's controller does not answer: it gave no answer"]


# --- a job to see

TRY = """
    executor gpu: slurm(queue = "main", delay = 1s, {settings})

    target train:
        outputs: "model"
        on: gpu
        resources: gpus = 2
        run: touch {{outputs}}
"""


TESTED = re.compile(r"(\w+: )the test of (\w+) (.*)")


@pytest.fixture
def site(workspace: Workspace, cluster: Cluster) -> Iterator[Workspace]:
    """A workspace on a cluster, where nothing is left of a test."""
    yield workspace
    assert not workspace.exists(".mlbuild"), "nothing is left of it"
    until(lambda: jobs(cluster) == [])


def other_node(workspace: Workspace, pattern: str) -> dict[str, str]:
    """The environment in which scripts are changed by `sed` before Slurm gets them: their nodes have other paths."""
    script = f'sed {shlex.quote(pattern)} "${{@: -1}}" > other.sh\nexec /usr/bin/sbatch "${{@:1:$#-1}}" other.sh'
    return stand_in(workspace, "sbatch", script)


def test_a_job_shows_that_all_is_well(site: Workspace) -> None:
    site.pipeline(TRY.format(settings='setup = "export WORD=word; test $WORD = word"'))
    ended = site.run("executors", "gpu", "--test", "--json")
    (row,) = json.loads(ended.out)["executors"]
    assert (ended.status, row["wrong"], row["doubtful"]) == (0, [], []), "nor is the workspace doubtful any more"
    test = row["test"]
    assert test["node"] in ("n1", "n2") and test["python"] == platform.python_version() and len(test["gpus"]) == 1
    assert 0 <= test["delay"] < 60 and 0 < test["waited"] < 60 and test["waits"] is None
    assert ended.err == "tries gpu by a job of a second, for which it waits 1m at most\n"


def test_each_executor_is_tried_and_what_was_built_stays(workspace: Workspace, cluster: Cluster) -> None:
    two = 'executor two: slurm(queue = "spot", delay = 1s)\n    target data:\n        run: true\n'
    workspace.pipeline(TRY.format(settings="") + f"\n    {two}")
    workspace.ok("data")
    before = sorted(os.listdir(workspace.root / ".mlbuild"))
    ended = workspace.run("executors", "--test")
    assert ended.status == 0, ended.out
    began = re.findall(
        r"^  test       began on n[12] after \S+, by Python (\S+?)(, was lent GPU [01])?; ", ended.out, re.M
    )
    assert began == [(platform.python_version(), began[0][1]), (platform.python_version(), "")] and began[0][1]
    assert sorted(os.listdir(workspace.root / ".mlbuild")) == before


BROKEN = {
    "module": (
        'setup = "module load cuda"',
        r"failed: setup failed by exit status 127: module load cuda, on n[12] \(.*: module: command not found\) \(where"
        r" a script does not have `module`, begin with what defines it: `source /etc/profile`, on most clusters\)",
    ),
    "setup": (
        'setup = "export A=1; false || true; ls /nowhere > out"',
        r"failed: setup failed by exit status 2: ls /nowhere > out, on n[12] \(.*No such file.*\)",
    ),
    "feature": (
        'constraint = "fast"',
        r"failed: Slurm does not take it: Batch job submission failed: Invalid feature specification \(no node has what"
        r" `constraint` says\); `mlbuild executors feature` says what it has",
    ),
    "option": (
        'options = ["--nonsense"]',
        r"failed: Slurm does not take it: sbatch: unrecognized option '--nonsense' \(one of `options` is none that it"
        r" knows\); `mlbuild executors option` says what it has",
    ),
    "held": (
        'options = ["--hold"]',
        r"would wait for ever: somebody holds it back \(`scontrol release` lets it go\)",
    ),
    "later": (
        'options = ["--begin=now+1hour"]',
        r"had not begun after 1s: its time has not come \(`--wait 1h` waits for longer\)",
    ),
}
"""Executors by name: what they say, and what a job shows."""


def test_jobs_show_what_is_wrong(site: Workspace) -> None:
    lines = (f"    executor {name}: slurm(delay = 1s, {settings})\n" for name, (settings, _) in BROKEN.items())
    site.pipeline("".join(lines) + "    target t:\n        run: true\n")
    ended = site.run("executors", *BROKEN, "--test", "--wait", "1s")
    problems = {match[2]: match[1] + match[3] for each in wrong(ended) if (match := TESTED.fullmatch(each))}
    for name, (_, said) in BROKEN.items():
        assert re.fullmatch(("doubtful: " if name == "later" else "error: ") + said, problems[name])
    assert ended.status == 1


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (
            "s#{workspace}#/nowhere#g",
            r"error: the test of gpu failed: its job in Slurm came to nothing: it ended as FAILED: it seems that"
            r" n[12] does not see {workspace}, or can't write there",
        ),
        ("s#{python}#/nowhere/python#g", r"error: the test of gpu failed: there is no /nowhere/python, on n[12]"),
        (
            "s#cd {root}#cd /nowhere#",
            r"error: the test of gpu failed: there is no {root}, where mlbuild lies, on n[12] \(.*\)",
        ),
        (
            "s#{python} -m.*#python3 -c \"raise SystemExit('too old')\"#",
            r"error: the test of gpu failed: its job in Slurm came to nothing: it ended as FAILED \(too old\)",
        ),
    ],
)
def test_a_node_that_is_not_as_this_machine(site: Workspace, pattern: str, said: str) -> None:
    site.pipeline(TRY.format(settings=""))
    paths = {"workspace": site.root, "python": sys.executable, "root": ROOT}
    ended = site.run("executors", "gpu", "--test", env=other_node(site, pattern.format(**paths)))
    (problem,) = (each for each in wrong(ended) if "the test of" in each)
    assert re.fullmatch(said.format(**{name: re.escape(str(path)) for name, path in paths.items()}), problem)
    assert ended.status == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_interrupted_leaves_nothing_behind(site: Workspace, cluster: Cluster, number: int) -> None:
    site.pipeline(TRY.format(settings='options = ["--hold"]'))
    process = site.start("executors", "gpu", "--test")
    until(lambda: len(jobs(cluster)) == 1)
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number


def test_waiting_belongs_to_a_test(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    ended = workspace.run("executors", "--wait", "1h")
    said = "error: --wait says how long --test waits\n  hint: mlbuild executors --test --wait 1h\n"
    assert (ended.status, ended.err) == (2, said)


def test_what_does_not_answer_is_not_tried(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    ended = workspace.run("executors", "--test", env=stand_ins(workspace))
    assert (ended.status, ended.err) == (1, "there is nothing to try: none of these is on a cluster that answers\n")


@pytest.mark.parametrize(
    ("tried", "wrong", "doubtful"),
    [
        ({"delay": 1.0, "asked": 1, "gpus": ("0",), "shown": 2}, [], []),
        (
            {"delay": 12.2},
            [
                "what n1 wrote was seen here after 13s, and `delay` is 10s (say `delay = 39s`: what is later than"
                " that is taken for lost)"
            ],
            [],
        ),
        (
            {"waited": None},
            [
                "`sbatch` has not answered to the test of gpu after 1m (`scontrol ping` tells when it does; a build"
                " waits for it, and nothing fails)"
            ],
            [],
        ),
        (
            {"waited": None, "waits": Waits("test-0", "Priority", "others come first")},
            [],
            ["the test of gpu had not begun after 1m: others come first"],
        ),
        ({"delay": 1.0, "asked": 1}, ["a GPU was asked for, and n1 lent none"], []),
        (
            {"delay": 1.0, "asked": 1, "gpus": ("0",), "shown": 0},
            ["n1 lent a GPU, and its driver shows none: `nvidia-smi -L` there lists nothing"],
            [],
        ),
        (
            {"delay": 1.0, "python": "3.9.1"},
            [],
            [f"n1 has Python 3.9.1 where this machine has {platform.python_version()}: {sys.executable}"],
        ),
    ],
)
def test_what_a_job_shows_is_judged(tried: dict[str, Any], wrong: list[str], doubtful: list[str]) -> None:
    one = Described(
        "gpu", "slurm", (), (), found.Cluster((), None, "", (), (), None, None, (), None), None, None, (), ()
    )
    seen = judged(one, Tried(**{"waited": 1.0, "node": "n1", **tried}), 60)
    assert [each.message + (f" ({each.hint})" if each.hint else "") for each in seen.wrong] == wrong
    assert [each.message for each in seen.doubtful] == doubtful


# --- what a build says of the same


def test_a_build_says_which_line_of_the_setup_failed(slurm: Workspace) -> None:
    slurm.pipeline(TRY.format(settings='setup = "true; module load cuda"'))
    ended = slurm.build()
    said = r"setup failed by exit status 127: module load cuda, on n[12]; see (\.mlbuild/jobs/\S+/slurm\.out)"
    match = re.search(rf"^FAILED  train: not started: {said}$", ended.out, re.MULTILINE)
    assert ended.status == 1 and match, ended.out
    assert "module: command not found" in slurm.read(match[1])
    log = slurm.run("log", "train").err
    assert re.fullmatch(rf"train did not start \(attempt 1, run 1\)\n{said}\n", log)


def test_a_build_refuses_a_queue_that_there_is_not_before_anything_runs(slurm: Workspace) -> None:
    slurm.pipeline(TRY.format(settings="").replace("main", "mian").replace("        resources: gpus = 2\n", ""))
    ended = slurm.build()
    assert (ended.status, ended.err) == (2, "error: train is for the queue `mian`, and Slurm has main, spot\n")


# --- file systems


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/ann/work", Mount("nfs4", "server:/home", True)),
        ("/homes", Mount("ext4", "/dev/sda1", None)),
        ("/tmp/work", Mount("ext4", "/dev/sda1", False)),
        ("/scratch dir/x", Mount("fuse.beegfs", "beegfs", True)),
        ("/dev/shm/x", Mount("tmpfs", "tmpfs", False)),
        ("/mnt/x", Mount("xfs", "/dev/sdb", None)),
    ],
)
def test_which_file_system_other_machines_see(tmp_path: Path, path: str, expected: Mount) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "22 21 0:40 / /home rw shared:5 master:1 - nfs4 server:/home rw\n"
        "23 21 0:41 / /scratch\\040dir rw - fuse.beegfs beegfs rw\n"
        "24 21 0:42 / /dev/shm rw - tmpfs tmpfs rw\n"
        "25 21 0:43 / /mnt rw - tmpfs tmpfs rw\n"
        "26 21 0:44 / /mnt rw - xfs /dev/sdb rw\n"
        "rubbish\n"
    )
    assert mount(path, str(mounts)) == expected
    assert mount(path, str(tmp_path / "nowhere")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1-12:00:00", 129600), ("04:00:00", 14400), ("30:00", 1800), ("UNLIMITED", None), ("NONE", None)],
)
def test_times_of_slurm(text: str, expected: float | None) -> None:
    assert seconds(text) == expected
