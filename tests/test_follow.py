"""`mlbuild log -F`: a log as it grows."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator

import pytest
from test_detach import detach
from workspace import Workspace

PIPELINE = """
    target first:
        outputs: "first.txt"
        run:
            echo > first_started
            while ! [ -e o[n] ]; do sleep 0.02; done
            echo of the first; echo > first.txt

    target train:
        inputs: first
        outputs: "model.txt"
        retry: 2, backoff = 10ms
        run:
            echo attempt {attempt} begins
            echo > started{attempt}
            while ! [ -e g[o]{attempt} ]; do sleep 0.02; done
            echo attempt {attempt} ends
            [ {attempt} = 2 ]
            echo > model.txt
"""


@pytest.fixture
def gated(workspace: Workspace) -> Iterator[Workspace]:
    """A first task that goes on until a file `on` is there, and two attempts at a second until `go1` and `go2` are."""
    workspace.pipeline(PIPELINE)
    yield workspace
    for name in ("on", "go1", "go2", "go3"):
        workspace.write(name, "")


class Following:
    """`mlbuild log -F`, and what it has printed so far."""

    def __init__(self, workspace: Workspace, *arguments: str) -> None:
        self.process = workspace.start("log", "-F", *arguments)
        self.out: list[str] = []
        self.err: list[str] = []
        streams = ((self.process.stdout, self.out), (self.process.stderr, self.err))
        self._readers = [threading.Thread(target=self._read, args=each) for each in streams]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Iterator[str], lines: list[str]) -> None:
        lines.extend(iter(stream.readline, ""))  # type: ignore[attr-defined]

    def ended(self) -> tuple[int, list[str], list[str]]:
        """Exit status, lines of output and of errors, without durations."""
        self.process.wait(timeout=60)
        for reader in self._readers:
            reader.join()
        err = [re.sub(r"\d+(?:\.\d)?s\b", "0.0s", line) for line in self.err]
        return self.process.returncode, [line.rstrip() for line in self.out], [line.rstrip() for line in err]


def test_from_before_it_starts_through_its_attempts_to_its_end(gated: Workspace) -> None:
    pid = detach(gated, "train")
    gated.wait_for("first_started")
    following = Following(gated, "train")
    gated.wait_until(lambda: bool(following.err))
    assert following.err == [f"train is still to start in run 1 (process {pid}): waits for it\n"]
    gated.write("on", "")
    gated.wait_until(lambda: "attempt 1 begins\n" in following.out)
    gated.write("go1", "")
    gated.wait_until(lambda: "attempt 2 begins\n" in following.out)
    assert "attempt 2 ends\n" not in following.out
    gated.write("go2", "")
    status, out, err = following.ended()
    assert status == 0
    assert out == ["attempt 1 begins", "attempt 1 ends", "attempt 2 begins", "attempt 2 ends"]
    assert [line for line in err if "waits for it" not in line] == [
        "train: attempt 1 in run 1",
        "train: exit status 1, after 0.0s",
        "train: attempt 2 in run 1",
        "train: done, after 0.0s",
    ]


def test_what_ended_long_ago_is_shown_only_if_nothing_comes(gated: Workspace) -> None:
    for name in ("on", "go1", "go2"):
        gated.write(name, "")
    gated.ok("train")
    status, out, err = Following(gated, "train").ended()
    assert (status, out) == (0, ["attempt 2 begins", "attempt 2 ends"])
    assert err[0] == "train does not run: this is what its last attempt printed, in run 1"
    (gated.root / "go2").unlink()
    (gated.root / "started2").unlink()
    detach(gated, "train", "--always-make")
    gated.wait_for("started2")
    following = Following(gated, "train")
    gated.wait_until(lambda: bool(following.out))
    gated.write("go2", "")
    assert following.ended()[:2] == (0, ["attempt 2 begins", "attempt 2 ends"])


def test_ctrl_c_ends_it_and_nothing_else(gated: Workspace) -> None:
    gated.write("on", "")
    detach(gated, "train")
    gated.wait_for("started1")
    following = Following(gated, "train")
    gated.wait_until(lambda: bool(following.out))
    following.process.send_signal(signal.SIGINT)
    assert following.ended() == (130, ["attempt 1 begins"], [])
    gated.write("go1", "")
    gated.write("go2", "")
    gated.wait_until_quiet()
    assert gated.exists("model.txt")


def test_it_ends_with_a_task_that_is_cancelled_or_blocked(gated: Workspace) -> None:
    detach(gated, "train")
    gated.wait_for("first_started")
    following = Following(gated, "train")
    gated.wait_until(lambda: bool(following.err))
    assert gated.run("cancel", "first").status == 0
    status, out, err = following.ended()
    assert (status, out, err[1:]) == (0, [], ["train will not start in run 1"])


def test_it_goes_on_though_the_build_dies(gated: Workspace) -> None:
    gated.write("on", "")
    pid = detach(gated, "train")
    gated.wait_for("started1")
    following = Following(gated, "train")
    gated.wait_until(lambda: bool(following.out))
    os.kill(pid, signal.SIGKILL)
    gated.write("go1", "")
    status, out, err = following.ended()
    assert (status, out) == (0, ["attempt 1 begins", "attempt 1 ends"])
    assert err == ["train: its run 1 is over; the next one sees how the attempt ended"]


def test_a_log_that_is_large_and_no_text(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target t:
            outputs: "t.txt"
            run: head -c 3000000 /dev/urandom | tee t.txt; echo > started; while ! [ -e g[o] ]; do sleep 0.02; done
        """
    )
    detach(workspace)
    workspace.wait_for("started")
    with open(workspace.root / "out", "wb") as out:
        command = workspace.start("log", "-F", "t")
        assert command.stdout
        workspace.write("go", "")
        out.write(command.stdout.buffer.read())  # type: ignore[attr-defined]
    command.communicate(timeout=60)
    assert (workspace.root / "out").read_bytes() == (workspace.root / "t.txt").read_bytes()
    workspace.wait_until_quiet()


def test_a_log_that_is_cut_short(gated: Workspace) -> None:
    gated.write("on", "")
    detach(gated, "train")
    gated.wait_for("started1")
    following = Following(gated, "train")
    gated.wait_until(lambda: bool(following.out))
    (log,) = [path for path in gated.root.glob(".mlbuild/runs/1/logs/*.log") if "attempt 1" in path.read_text()]
    os.truncate(log, 0)
    gated.wait_until(lambda: bool(following.err))
    assert following.err == ["the log was cut short; what is in it now follows\n"]
    gated.write("go1", "")
    gated.write("go2", "")
    assert following.ended()[1] == ["attempt 1 begins", "attempt 1 ends", "attempt 2 begins", "attempt 2 ends"]


def test_a_reader_that_has_seen_enough(gated: Workspace) -> None:
    gated.write("on", "")
    detach(gated, "train")
    gated.wait_for("started1")
    process = gated.start("log", "-F", "train")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    gated.write("go1", "")
    gated.write("go2", "")
    assert process.wait(timeout=60) == 141
    assert process.stderr
    process.stderr.close()


def test_mistakes(gated: Workspace) -> None:
    assert "error: train never ran here\n" in gated.run("log", "-F", "train").err
    ended = gated.run("log", "-F", "train", "--attempt", "1")
    assert (ended.status, ended.err) == (
        2,
        "error: --attempt shows one attempt, and -F follows them all\n  hint: give one of the two\n",
    )


def test_one_that_was_lost_took_until_that_was_seen(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: sleep 1; echo > started; sleep 60\n')
    process = workspace.start()
    workspace.wait_for("started")
    follower = workspace.start("log", "-F", "t")
    workspace.wait_until(lambda: workspace.kill_supervisors() == 1)
    process.communicate(timeout=60)
    _, err = follower.communicate(timeout=60)
    (took,) = re.findall(r"t: lost: its supervisor died .*, after ([\d.]+)s", err)
    assert float(took) >= 1
