"""What is said to Slurm, and how what it says is read: texts, without a cluster."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from mlbuild.executors.job import Job, Waits
from mlbuild.executors.slurm import limits, nodes
from mlbuild.executors.slurm.commands import Answer, Row, environment, rows
from mlbuild.executors.slurm.dependency import dependency
from mlbuild.executors.slurm.script import MOST_OTHERS, Site, limit, render
from mlbuild.executors.slurm.standing import is_same, waits_for


def job(**fields: object) -> Job:
    return Job("5-1", "train[a]", "/work/my flights", "true", **fields)  # type: ignore[arg-type]


def test_the_script_of_a_job() -> None:
    site = Site("gpu", "ml", time=3600.0, gpu="a100", exclude="n7", options=("--exclusive",), setup="module load cuda")
    asked = job(cpus=3.5, memory=(1 << 30) + 1, gpus=2, grace=30.0, timeout=7200.0)
    folder = "/work/my flights/.mlbuild/jobs/5-1"
    assert (
        render("train_a_.5-1.f00", [folder], asked, site, ["n3"], "/opt/python", "/opt/lib")
        == """\
#!/bin/bash
#SBATCH --job-name=train_a_.5-1.f00
#SBATCH '--output=/work/my flights/.mlbuild/jobs/5-1/slurm.out'
#SBATCH '--chdir=/work/my flights'
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --partition=gpu
#SBATCH --account=ml
#SBATCH --nodes=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=1025M
#SBATCH --gres=gpu:a100:2
#SBATCH --time=60
#SBATCH --signal=B:USR1@90
#SBATCH --exclude=n7,n3
#SBATCH --exclusive

trap '' USR1
folder='/work/my flights/.mlbuild/jobs/5-1'
refuse() { echo "$1, on ${SLURMD_NODENAME:-$HOSTNAME}" | tee "$folder/refused"; exit 1; }
trap 'refuse "setup failed by exit status $?: $BASH_COMMAND"' ERR
module load cuda
trap - ERR
[ -x /opt/python ] || refuse 'there is no /opt/python'
cd /opt/lib || refuse 'there is no /opt/lib, where mlbuild lies'
exec /opt/python -m mlbuild.executors.node "$folder" "$SECONDS"
"""
    )


def test_the_script_of_an_array() -> None:
    folders = [f"/work/.mlbuild/jobs/5-{number}" for number in (1, 2, 3)]
    after = dependency(["7_0", "7_1", "8_4", "9"], {"7": 2, "8": 5}).option(as_array=True)
    of_array = {"after": after, "indices": [0, 1, 4]}
    text = render("train.5-1.f00", folders, job(), Site(), [], "/opt/python", "/opt/lib", **of_array)
    limited = render("train.5-1.f00", folders, job(), Site(), [], "/opt/python", "/opt/lib", **of_array, width=2)
    assert limited == text.replace("--array=0-1,4", "--array=0-1,4%2")
    assert "#SBATCH --array=0-1,4\n" in text and "#SBATCH --output=/dev/null\n" in text
    assert "#SBATCH --dependency=afterok:9:7,aftercorr:8\n#SBATCH --kill-on-invalid-dep=yes\n" in text
    assert text.endswith("""\
attempts=([0]=5-1 [1]=5-2 [4]=5-3)
folder=/work/.mlbuild/jobs/"${attempts[$SLURM_ARRAY_TASK_ID]}"
if test -e "$folder/claim" || ! test -e "$folder/job.json"; then exit; fi
exec >> "$folder/slurm.out" 2>&1
refuse() { echo "$1, on ${SLURMD_NODENAME:-$HOSTNAME}" | tee "$folder/refused"; exit 1; }
[ -x /opt/python ] || refuse 'there is no /opt/python'
cd /opt/lib || refuse 'there is no /opt/lib, where mlbuild lies'
exec /opt/python -m mlbuild.executors.node "$folder" "$SECONDS" "${attempts[@]:0}"
""")


def test_a_job_is_told_of_no_more_others_of_its_array_than_a_command_line_holds() -> None:
    many = range(3, 3 + MOST_OTHERS + 2)
    folders = [f"/work/.mlbuild/jobs/5-{number}" for number in many]
    text = render("train.5-1.f00", folders, job(), Site(), [], "/opt/python", "/opt/lib", indices=many)
    assert text.endswith(' "$SECONDS" "${attempts[@]:5}"\n')


@pytest.mark.parametrize(
    ("timeout", "time", "seconds"), [(None, None, None), (None, 60.0, 60.0), (100.0, None, 180.0), (100.0, 60.0, 60.0)]
)
def test_how_long_slurm_lets_a_job_run(timeout: float | None, time: float | None, seconds: float | None) -> None:
    assert limit(job(timeout=timeout), Site(time=time)) == seconds


START, AT = "2026-01-31T14:00:05", time.mktime((2026, 1, 31, 14, 0, 5, 0, 0, -1))
HEADING = "JOBID|STATE|REASON|START_TIME|NODELIST|NAME\n"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Answer(0, HEADING, ""), []),
        (Answer(0, f"{HEADING}7_1|RUNNING|None|{START}|n1|a\n", ""), [Row("7_1", "RUNNING", "None", AT, "n1", "a")]),
        (
            Answer(0, HEADING + "7|PENDING|Resources|N/A||a\nrub|bish\n", ""),
            [Row("7", "PENDING", "Resources", None, "", "a")],
        ),
        (Answer(0, "", ""), None),
        (Answer(0, f"7|RUNNING|None|{START}|n1|a\n", ""), None),
        (Answer(1, HEADING, "slurm_load_jobs error: Unable to contact slurm controller"), None),
        (Answer(None, HEADING, ""), None),
    ],
)
def test_an_answer_of_squeue_that_is_none(answer: Answer, found: list[Row] | None) -> None:
    assert rows(answer) == found


@pytest.mark.parametrize(
    ("said", "is_unsure"),
    [
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", False),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", True),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", True),
        ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", True),
    ],
)
def test_whether_sbatch_says_that_a_job_was_not_taken(said: str, is_unsure: bool) -> None:
    assert Answer(1, "", said).is_unsure is is_unsure


def test_of_the_job_that_a_build_is_in_slurm_hears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SQUEUE_STATES", "SLURM_CONF", "SBATCH_ACCOUNT"):
        monkeypatch.setenv(name, "x")
    assert "SLURM_CONF" in environment()
    assert not {"SLURM_JOB_ID", "SQUEUE_STATES", "SBATCH_ACCOUNT"} & environment().keys()
    assert "SBATCH_ACCOUNT" in environment(keep=["SBATCH_ACCOUNT"])


SINFO = """\
PARTITION|CPUS|MEMORY|NODES|STATE|GRES
cpu*|64|256000|10|idle|(null)
gpu|32|128000|2|mixed|gpu:a100:4(S:0-1),nvme:1
gpu|32|128000|1|down*|gpu:v100:8
down|N/A|x|1||
"""


@pytest.mark.parametrize(
    ("site", "asked", "said"),
    [
        (Site(), {"cpus": 64}, None),
        (Site(), {"cpus": 65}, "train[a] asks for 65 CPUs, and no node of the queue `cpu` has that"),
        (Site(), {"gpus": 1}, "train[a] asks for 1 GPU, and no node of the queue `cpu` has that"),
        (Site("gpu"), {"gpus": 8}, None),
        (Site("gpu", gpu="a100"), {"gpus": 4, "nodes": 2}, None),
        (
            Site("gpu", gpu="a100"),
            {"gpus": 8},
            "train[a] asks for 8 GPUs of the type `a100`, and no node of the queue `gpu` has that",
        ),
        (
            Site("gpu"),
            {"gpus": 8, "nodes": 2},
            "train[a] asks for 2 nodes, and one node of the queue `gpu` can hold it",
        ),
        (Site("fast"), {}, "train[a] is for the queue `fast`, and Slurm has cpu, gpu"),
    ],
)
def test_what_the_nodes_of_a_queue_can_hold(site: Site, asked: dict[str, int], said: str | None) -> None:
    assert nodes.too_large(job(**asked), site, nodes.read(Answer(0, SINFO, ""))) == said


def test_what_slurm_does_not_tell_is_not_refused() -> None:
    for answer in (Answer(1, SINFO, ""), Answer(0, "rubbish", ""), Answer(None, "", "")):
        assert nodes.too_large(job(cpus=10_000), Site("fast"), nodes.read(answer)) is None


NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("row", "waits"),
    [
        (Row("7", "PENDING", "None", None, "", "a"), Waits("a1")),
        (Row("7", "PENDING", "Priority", NOW + 60, "", "a"), Waits("a1", "Priority", "others come first", NOW + 60)),
        (
            Row("7", "PENDING", "ReqNodeNotAvail, UnavailableNodes:n1", None, "", "a"),
            Waits("a1", "ReqNodeNotAvail", "nodes that it needs are down, or kept for others"),
        ),
        (
            Row("7", "PENDING", "Nodes required for job are DOWN, DRAINED or reserved for others", None, "", "a"),
            Waits("a1", "Nodes required for job are DOWN", "nodes that it needs are down, or kept for others"),
        ),
        (Row("7", "PENDING", "SomethingNew", None, "", "a"), Waits("a1", "SomethingNew", "SomethingNew")),
        (Row("7", "CONFIGURING", "None", NOW - 20, "n1", "a"), Waits("a1", "CONFIGURING", "starts on n1")),
        (Row("7", "RUNNING", "None", NOW - 5, "n1", "a"), None),
        (Row("7", "RUNNING", "None", NOW - 20, "n1", "a"), Waits("a1", "RUNNING", "starts on n1")),
        (Row("7", "FAILED", "None", NOW - 20, "n1", "a"), None),
        (None, None),
    ],
)
def test_why_a_job_waits(row: Row | None, waits: Waits | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    assert waits_for("a1", row) == waits


def test_an_expected_start_that_moves_a_little_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    soon, later = (Waits("a1", "Priority", "", NOW + seconds) for seconds in (300, 36_000))
    assert is_same(soon, replace(soon, starts=NOW + 350)) and not is_same(soon, replace(soon, starts=NOW + 400))
    assert is_same(later, replace(later, starts=NOW + 38_000)) and not is_same(later, replace(later, starts=NOW))
    assert not is_same(soon, replace(soon, starts=None)) and not is_same(soon, replace(soon, reason="Resources"))


@pytest.mark.parametrize(
    ("before", "in_array", "alone"),
    [
        ([], "", ""),
        (["9"], "afterok:9", "afterok:9"),
        (["7_0", "7_1"], "afterok:7", "afterok:7"),
        (["8_3"], "aftercorr:8", "afterok:8_3"),
        (["8_3", "9_3", "6"], "afterok:6,aftercorr:8:9", "afterok:6:8_3:9_3"),
        (["8_3", "9_2"], "afterok:8_3:9_2", "afterok:8_3:9_2"),
        (["8_3", "8_4", "7_0"], "afterok:8_3:8_4:7_0", "afterok:8_3:8_4:7_0"),
    ],
)
def test_what_comes_before_a_job(before: list[str], in_array: str, alone: str) -> None:
    found = dependency(before, {"7": 2, "8": 5, "9": 5})
    assert (found.option(as_array=True), found.option(as_array=False)) == (in_array, alone)


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("AssocMaxJobsLimit", "your account runs as many jobs as it may"),
        ("AssocGrpGRES", "your account uses as many GPUs as it may"),
        ("AssocGrpMemLimit", "your account uses as much memory as it may"),
        ("AssocGrpCPUMinutesLimit", "your account has used up its time"),
        ("AssocGrpGRESRunMinutes", "your account uses as much time as it may"),
        ("QOSMaxJobsPerUserLimit", "you run as many jobs as your qos allows"),
        ("QOSMaxGRESPerUser", "you use as many GPUs as your qos allows"),
        ("QOSGrpBilling", "your qos uses as much as it may"),
        ("QOSGrpBB", "QOSGrpBB"),
    ],
)
def test_limits_that_pass(reason: str, why: str) -> None:
    """As Slurm 22.05 spells them."""
    assert waits_for("a1", Row("7", "PENDING", reason, None, "", "a")) == Waits("a1", reason, why)
    assert not limits.is_of_job(reason)


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("AssocMaxWallDurationPerJobLimit", "it asks for more time than your account allows a job"),
        ("AssocMaxGRESPerJob", "it asks for more GPUs than your account allows a job"),
        ("QOSMaxMemoryPerNode", "it asks for more memory than your qos allows a job"),
        ("QOSMaxBillingPerJob", "it asks for more than your qos allows a job"),
    ],
)
def test_limits_for_ever(reason: str, why: str) -> None:
    assert waits_for("a1", Row("7", "PENDING", reason, None, "", "a")) == Waits("a1", reason, why)
    assert limits.is_of_job(reason)
