"""Checkpoints where a recipe runs: which count, from which the next attempt goes on, what is set aside and removed."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from executor_contract import SOON, as_read, make_job, results_of, wait_for
from executor_contract import run as run_job
from test_executor_local import LocalPlace

from mlbuild import killpoint
from mlbuild.executors import checkpoints, lines
from mlbuild.executors.directory import KILL_POINTS
from mlbuild.executors.job import Checkpoints, Job, JobResult, Reason
from mlbuild.executors.lineage import signature
from mlbuild.executors.saves import Saves

SAVE = "save() { echo $1 > ckpt/$1.tmp; mv ckpt/$1.tmp ckpt/$1; }; "
TELL = 'echo "from ${MLBUILD_RESUME_FROM#$PWD/}" >> told; '


class Trainer:
    """Runs attempts at one task whose checkpoints lie in `ckpt/`, one after the other."""

    def __init__(self, place: LocalPlace) -> None:
        self.place = place
        self.root = place.workspace
        self.executor = place.executor()
        self.count = 0

    def job(self, recipe: str, key: str = "A", **fields: Any) -> Job:
        self.count += 1
        names = ("keep", "complete", "ignored")
        asked = {name: fields.pop(name) for name in names if name in fields}
        fingerprint = fields.pop("fingerprint", f"{key}{asked.get('ignored', '')}")
        checkpoints = Checkpoints("ckpt/", key, fingerprint, **asked)
        fields = {"attempt": f"a{self.count}", "checkpoints": checkpoints, **fields}
        return make_job(self.place, SAVE + TELL + recipe, **fields)

    def run(self, recipe: str, key: str = "A", **fields: Any) -> JobResult:
        return run_job(self.executor, self.job(recipe, key, **fields))

    def again(self) -> None:
        """A new build, with a supervisor of its own."""
        self.executor.close()
        self.executor = self.place.executor()

    def told(self) -> str:
        """What the last attempt was told to go on from."""
        return (self.root / "told").read_text().splitlines()[-1].removeprefix("from ")

    def there(self) -> list[str]:
        return sorted(name for name in os.listdir(self.root / "ckpt") if name != ".mlbuild")

    def journal(self) -> list[dict[str, Any]]:
        return list(lines.read(str(self.root / "ckpt/.mlbuild/journal")))


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[Trainer]:
    trainer = Trainer(LocalPlace(tmp_path))
    yield trainer
    trainer.executor.close()


# --- what a recipe is told


def test_it_goes_on_from_the_newest(trainer: Trainer) -> None:
    result = trainer.run("save one; save two; exit 3")
    assert (result.reason, result.resumed_from, result.saved, result.checkpoint) == (Reason.EXIT, "", 2, "ckpt/two")
    result = trainer.run("save three")
    assert (result.reason, result.resumed_from, result.saved) == (Reason.OK, "ckpt/two", 1)
    assert result.checkpoint == "ckpt/three"
    assert trainer.told() == "ckpt/two"
    assert trainer.there() == ["one", "three", "two"]


def test_the_environment(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLBUILD_CHECKPOINT_DIR", "/of/an/outer/build")
    monkeypatch.setenv("MLBUILD_DEADLINE", "1")
    trainer.again()
    tell = 'for name in CHECKPOINT_DIR RESUME_FROM DEADLINE STOP_SIGNAL; do eval "echo \\${MLBUILD_$name-unset}"; done'
    before = int(time.time())
    trainer.run(f"save one; {tell} > env", timeout=1000, signal=signal.SIGUSR1)
    directory, resume_from, deadline, stop = (trainer.root / "env").read_text().splitlines()
    assert (directory, resume_from, stop) == (str(trainer.root / "ckpt"), "", "USR1")
    assert before + 1000 <= int(deadline) <= time.time() + 1000
    trainer.run(f"{tell} > env")
    assert (trainer.root / "env").read_text() == f"{trainer.root}/ckpt\n{trainer.root}/ckpt/one\nunset\nTERM\n"
    assert run_job(trainer.executor, make_job(trainer.place, f"{tell} > env", attempt="plain")).ok
    assert (trainer.root / "env").read_text() == "unset\n" * 4


# --- which ones count


def test_what_is_not_put_there_by_rename_does_not_count(trainer: Trainer) -> None:
    recipe = "save good; echo half > ckpt/half; cp ckpt/good ckpt/copy; ln ckpt/good ckpt/hard; mkdir ckpt/folder"
    result = trainer.run(f"{recipe}; ln -s good ckpt/link.tmp; mv ckpt/link.tmp ckpt/link; exit 1")
    assert (result.saved, result.checkpoint) == (1, "ckpt/good")
    trainer.run("true")
    assert trainer.told() == "ckpt/good"
    assert trainer.there() == ["copy", "folder", "good", "half", "hard", "link"]


def test_hidden_and_temporary_names_never_count(trainer: Trainer) -> None:
    names = ".hidden", "x.tmp", "x.part"
    result = trainer.run("touch new; " + "; ".join(f"cp new new2; mv new2 ckpt/{name}" for name in names))
    assert (result.saved, result.checkpoint) == (0, "")


def test_a_folder_put_there_by_rename(trainer: Trainer) -> None:
    result = trainer.run("mkdir ckpt/x.tmp; echo 1 > ckpt/x.tmp/a; mv ckpt/x.tmp ckpt/x; exit 1")
    assert result.checkpoint == "ckpt/x"


FOLDER = "folder() { mkdir ckpt/$1; echo $1 > ckpt/$1/weights; }; "


def test_with_a_marker_a_folder_counts_once_it_holds_that(trainer: Trainer) -> None:
    recipe = f"{FOLDER} folder one; touch ckpt/one/DONE; folder two; save file; mkdir x; mv x ckpt/x; exit 1"
    result = trainer.run(recipe, complete="DONE")
    assert (result.saved, result.checkpoint) == (2, "ckpt/file")
    recipe = f"{FOLDER} rm ckpt/one/DONE; echo 2 > ckpt/one/weights; touch ckpt/one/m; mv ckpt/one/m ckpt/one/DONE"
    result = trainer.run(f"{recipe}; folder two; touch ckpt/two/DONE; exit 1", complete="DONE")
    assert (result.resumed_from, result.saved, result.checkpoint) == ("ckpt/file", 2, "ckpt/two")
    result = trainer.run("mkdir y; touch y/DONE; mv y ckpt/y; exit 1", complete="DONE")
    assert (result.resumed_from, result.checkpoint) == ("ckpt/two", "ckpt/y")


def test_with_a_marker_a_folder_that_is_no_checkpoint_is_set_aside(trainer: Trainer) -> None:
    """As the trainers that look into the directory themselves take the last folder for the one to go on from."""
    recipe = (
        f"{FOLDER} folder one; touch ckpt/one/DONE; folder two; folder x.tmp; echo log > ckpt/log; ln -s two ckpt/l"
    )
    assert trainer.run(f"{recipe}; kill -KILL $$", complete="DONE").checkpoint == "ckpt/one"
    assert trainer.run("ls ckpt > seen", complete="DONE").resumed_from == "ckpt/one"
    assert (trainer.root / "seen").read_text().split() == ["l", "log", "one", "x.tmp"]
    assert (trainer.root / "ckpt/.mlbuild/aside/a1/two/weights").read_text() == "two\n"


def test_one_that_has_changed_since_is_passed_over(trainer: Trainer) -> None:
    trainer.run("save one; save two; mkdir ckpt/x.tmp; echo 1 > ckpt/x.tmp/a; mv ckpt/x.tmp ckpt/x; exit 1")
    (trainer.root / "ckpt/x/a").write_text("")
    trainer.run("kill -KILL $$")
    assert trainer.told() == "ckpt/two"
    os.truncate(trainer.root / "ckpt/two", 1)
    trainer.run("kill -KILL $$")
    assert trainer.told() == "ckpt/one"
    assert trainer.there() == ["one"]
    assert (trainer.root / "ckpt/.mlbuild/aside/a2/two").read_text() == "t"


def test_a_copy_of_the_directory_is_as_good(trainer: Trainer) -> None:
    trainer.run("save one; save two; exit 1")
    trainer.run("save other; exit 1", "B")
    subprocess.run(["cp", "-a", "ckpt", "copy"], cwd=trainer.root, check=True)
    shutil.rmtree(trainer.root / "ckpt")
    (trainer.root / "copy").rename(trainer.root / "ckpt")
    trainer.run("true")
    assert trainer.told() == "ckpt/two"
    trainer.run("true", "B")
    assert trainer.told() == "ckpt/other"


def test_a_recipe_may_write_down_itself_what_it_puts_there(trainer: Trainer) -> None:
    """As `mlbuild.stage` does: what is told before the rename counts even if nobody saw that."""
    (trainer.root / "stamp").write_text("x")
    mark = signature(str(trainer.root / "stamp"))
    line = f'{{"put": "one", "attempt": "${{MLBUILD_JOB%% *}}", "signature": "{mark}", "at": 1.0}}'
    write = line.replace('"', '\\"').replace("\\\\", "\\")
    job = trainer.job(f'echo "{write}" >> ckpt/.mlbuild/journal; kill -STOP $$')
    trainer.executor.submit([job])
    wait_for(lambda: any("put" in row for row in trainer.journal()))
    trainer.place.lose("a1")
    (result,) = results_of(trainer.executor)
    assert result.reason is Reason.LOST
    (trainer.root / "stamp").rename(trainer.root / "ckpt/one")
    trainer.run("true")
    assert trainer.told() == "ckpt/one"


def test_what_is_seen_late_is_no_newer_than_it_was(trainer: Trainer) -> None:
    """The recipe has written down two by then; whoever watches dies before it has come to the second."""
    job = trainer.job("")
    saves = Saves(checkpoints.prepare(job)["start"])
    for name in ("one", "two"):
        (trainer.root / "ckpt" / name).write_text(name)
        mark = signature(str(trainer.root / "ckpt" / name))
        with open(trainer.root / "ckpt/.mlbuild/journal", "a") as journal:
            journal.write(f'\n{{"put": "{name}", "attempt": "a1", "signature": "{mark}", "at": 1.0}}\n')
    row = checkpoints.put(job, saves, ["one"])
    assert row and [name for name, _ in row["made"]] == ["one"]
    assert checkpoints.newest(job) == "ckpt/two"
    trainer.run("true")
    assert trainer.told() == "ckpt/two"


def test_a_recipe_that_cleans_up_its_directory(trainer: Trainer) -> None:
    for complete in (None, "DONE"):
        result = trainer.run(f"{FOLDER} folder one; touch ckpt/one/DONE; rm -r ckpt", complete=complete)
        assert (result.reason, result.checkpoint) == (Reason.OK, "")
        result = trainer.run("save one; rm -r ckpt/.mlbuild; exit 1", complete=complete)
        assert (result.reason, result.checkpoint) == (Reason.EXIT, "")


def test_stopped_at_once_while_that_is_written_down(trainer: Trainer) -> None:
    """Whoever does not want to wait learns all the same from where it can go on."""
    job = trainer.job("save one; echo $$ > pid.tmp; mv pid.tmp pid; sleep 1000")
    handles = trainer.executor.submit([job])
    wait_for(lambda: any("put" in row for row in trainer.journal()) and (trainer.root / "pid").exists())
    with open(trainer.root / "ckpt/.mlbuild/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        trainer.executor.cancel(handles)
        process = Path("/proc", (trainer.root / "pid").read_text().strip())
        wait_for(lambda: not process.exists())
        trainer.executor.cancel(handles, now=True)
    (result,) = results_of(trainer.executor)
    assert (result.reason, result.saved, result.checkpoint) == (Reason.CANCELLED, 1, "ckpt/one")


# --- which ones an attempt may go on from


def test_another_key_finds_nothing_and_the_first_its_own(trainer: Trainer) -> None:
    trainer.run("save one; echo log > ckpt/log; touch ckpt/.x; exit 1")
    assert trainer.run("test -z $(ls -A ckpt | grep -v .mlbuild); save one; save b", "B").ok
    assert trainer.there() == ["b", "one"]
    result = trainer.run("true")
    assert (result.resumed_from, trainer.there()) == ("ckpt/one", ["one"])
    assert (trainer.root / "ckpt/one").read_text() == "one\n"
    trainer.run("true", "B")
    assert (trainer.told(), trainer.there()) == ("ckpt/b", ["b", "one"])
    aside = trainer.root / "ckpt/.mlbuild/aside"
    assert {path.name for path in aside.rglob("*")} == {"a1", "one", "log", ".x"}


def test_what_lay_there_before_is_set_aside(trainer: Trainer) -> None:
    (trainer.root / "ckpt").mkdir()
    (trainer.root / "ckpt/old").write_text("old")
    assert trainer.run("test ! -e ckpt/old").ok
    assert (trainer.root / "ckpt/.mlbuild/aside/unknown/old").read_text() == "old"


def test_twenty_is_never_served_from_forty(trainer: Trainer) -> None:
    twenty, forty = {"epochs": 20}, {"epochs": 40}
    trainer.run("save e20", ignored=twenty)
    result = trainer.run("save e40", ignored=forty)
    assert (result.resumed_from, result.grown_from) == ("ckpt/e20", ("A{'epochs': 20}",))
    result = trainer.run("true", ignored=twenty)
    assert (result.resumed_from, result.grown_from, trainer.there()) == ("ckpt/e20", (), ["e20"])
    result = trainer.run("true", ignored=forty)
    assert (result.resumed_from, trainer.there()) == ("ckpt/e40", ["e20", "e40"])
    assert result.grown_from == ("A{'epochs': 20}",)


def test_nor_what_a_script_that_looks_for_itself_would_take_for_twenty(trainer: Trainer) -> None:
    """What was written in place is no checkpoint, and yet found by who looks there."""
    trainer.run("echo 20 > ckpt/last", ignored={"epochs": 20})
    assert trainer.run("grep 20 ckpt/last; echo 40 > ckpt/last", ignored={"epochs": 40}).ok
    assert trainer.run("test ! -e ckpt/last", ignored={"epochs": 20}).ok
    assert (trainer.root / "ckpt/.mlbuild/aside/a2/last").read_text() == "40\n"


@pytest.mark.parametrize(
    ("then", "now", "fits"),
    [
        ({"n": 1}, {"n": 1.5}, True),
        ({"n": 2}, {"n": 1.5}, False),
        ({"s": "a"}, {"s": "a"}, True),
        ({"s": "a"}, {"s": "b"}, False),
        ({"b": False}, {"b": True}, False),
        ({"l": [1]}, {"l": [2]}, False),
        ({"n": 1, "m": 1}, {"n": 2, "m": 0}, False),
        ({"n": 1}, {}, False),
    ],
)
def test_values_that_are_ignored(trainer: Trainer, then: dict[str, Any], now: dict[str, Any], fits: bool) -> None:
    trainer.run("save one", ignored=then)
    assert bool(trainer.run("true", ignored=now).resumed_from) is fits


def test_the_same_name_for_each_key(trainer: Trainer) -> None:
    for key in ("A", "B", "C"):
        trainer.run(f"echo {key} > new; mv new ckpt/last; exit 1", key)
    for key in ("B", "A", "C", "A"):
        assert trainer.run(f"grep {key} ckpt/last", key).ok
        assert trainer.told() == "ckpt/last"


@pytest.mark.parametrize(
    ("ending", "fields", "reason", "passed_over"),
    [
        ("exit 1", {}, Reason.EXIT, True),
        ("kill -SEGV $$", {}, Reason.SIGNAL, True),
        ("bash -c 'kill -ABRT $$'; true", {}, Reason.SIGNAL, True),
        ("true", {"outputs": ("out",)}, Reason.MISSING_OUTPUT, True),
        ("kill -KILL $$", {}, Reason.SIGNAL, False),
        ("kill -TERM $$", {}, Reason.SIGNAL, False),
        ("sleep 1000", {"timeout": 0.2}, Reason.TIMEOUT, False),
        ("true", {}, Reason.OK, False),
    ],
)
def test_one_from_which_an_attempt_failed(
    trainer: Trainer, ending: str, fields: dict[str, Any], reason: Reason, passed_over: bool
) -> None:
    trainer.run("save one; save two; exit 1")
    before = "ckpt/one" if passed_over else "ckpt/two"
    result = trainer.run(ending, **fields)
    assert (result.reason, result.checkpoint) == (reason, before)
    assert trainer.run("save three; exit 1").resumed_from == before
    # The one before may be tried again: an attempt left a new one from there.
    assert trainer.run("exit 1").resumed_from == "ckpt/three"
    assert trainer.run("exit 1").resumed_from == before


def test_what_was_read_undeclared_must_be_as_it_was(trainer: Trainer) -> None:
    (trainer.root / "config").write_text("1")
    os.utime(trainer.root / "config", (1, 1))
    (trainer.root / "notes").mkdir()
    time.sleep(0.1)  # the file is older than the attempt, by more than its clock's ticks
    read = "print(open('config').read())"
    result = trainer.run(f'python -c "{read}"; save one; exit 1', notes="notes/1")
    assert [(each.path, each.is_new) for each in result.opened] == [("config", False)]
    result = trainer.run("save two; kill -KILL $$", notes="notes/2")
    assert result.resumed_from == "ckpt/one"
    assert [each.path for each in result.opened] == ["config"], "of the chain's reads none is left out"
    (trainer.root / "config").write_text("2")
    assert trainer.run("exit 1", notes="notes/3").resumed_from == ""
    assert trainer.there() == []
    (trainer.root / "config").write_text("1")
    assert trainer.run("true", notes="notes/4").resumed_from == "ckpt/two"


def test_what_was_made_of_changed_inputs_does_not_count(trainer: Trainer) -> None:
    (trainer.root / "in").write_text("1")
    reads = (as_read(trainer.place, "in"),)
    wait = "wait_for() { while ! test -e $1; do sleep 0.01; done; }; "
    job = trainer.job(f"{wait} save one; touch ready; wait_for go; save two; exit 1", reads=reads)
    trainer.executor.submit([job])
    wait_for(lambda: any(row.get("put") == "one" for row in trainer.journal()))
    (trainer.root / "in").write_text("2")
    (trainer.root / "go").touch()
    (result,) = results_of(trainer.executor)
    assert (result.reason, result.saved, result.checkpoint) == (Reason.EXIT, 1, "ckpt/one")
    (trainer.root / "in").write_text("1")
    assert trainer.run("true", reads=reads).resumed_from == "ckpt/one"
    assert trainer.there() == ["one"]


# --- keep


def test_the_newest_are_kept(trainer: Trainer) -> None:
    result = trainer.run("for n in 1 2 3 4; do save $n; done", keep=2)
    assert (result.saved, result.checkpoint, trainer.there()) == (4, "ckpt/4", ["3", "4"])
    trainer.run("save other", "B", keep=2)
    trainer.run("save 5", keep=2)
    assert trainer.there() == ["4", "5"]
    assert trainer.run("save 6", "B", keep=1).resumed_from == "ckpt/other"
    assert trainer.there() == ["6"]
    assert trainer.run("true", keep=2).resumed_from == "ckpt/5"
    assert not (trainer.root / "ckpt/.mlbuild/gone").exists()


def test_what_is_removed_goes_while_the_attempt_runs(trainer: Trainer) -> None:
    trainer.executor.submit([trainer.job("save 1; save 2; save 3; echo half > ckpt/own; sleep 1000", keep=1)])
    wait_for(lambda: (trainer.root / "ckpt").exists() and trainer.there() == ["3", "own"])
    trainer.executor.cancel(["runs/1/a1"])
    (result,) = results_of(trainer.executor)
    assert (result.reason, result.checkpoint) == (Reason.CANCELLED, "ckpt/3")


def test_what_an_attempt_that_was_killed_did_not_remove_goes_with_the_next(trainer: Trainer) -> None:
    trainer.run("save one; save two; save three; exit 1")
    trainer.run("true", keep=2)
    assert trainer.there() == ["three", "two"]


def test_what_an_attempt_that_was_killed_was_writing_goes_with_the_next(trainer: Trainer) -> None:
    script = "import os; from mlbuild.stage import checkpoint\nwith checkpoint.save(str(2)): os._exit(1)"
    trainer.run(f"save 1; python3 -c '{script}'")
    assert [*(trainer.root / "ckpt/.mlbuild/saving").glob("a1/*")]
    assert trainer.run("true").resumed_from == "ckpt/1"
    assert not (trainer.root / "ckpt/.mlbuild/saving").exists()


def test_one_that_is_spoilt_takes_no_place_of_those_kept(trainer: Trainer) -> None:
    trainer.run("save 1; save 2; exit 1", keep=2)
    trainer.run(": > ckpt/2; sleep 0.1; save 3; exit 1", keep=2)
    assert trainer.there() == ["1", "2", "3"]
    assert trainer.run("true", keep=2).resumed_from == "ckpt/3"
    assert trainer.there() == ["1", "3"]


def test_one_file_that_is_written_over_and_over(trainer: Trainer) -> None:
    save = "echo $n > ckpt/last.tmp; mv ckpt/last.tmp ckpt/last"
    result = trainer.run(f"for n in 1 2 3; do {save}; sleep 0.2; done; exit 1", keep=1)
    assert 1 <= result.saved <= 3 and result.checkpoint == "ckpt/last"
    assert trainer.run(f"n=4; {save}; exit 1", keep=1).resumed_from == "ckpt/last"
    assert trainer.run("grep 4 ckpt/last", keep=1).ok


# --- how it ended


@pytest.mark.parametrize("ending", ["kill -TERM $$", "bash -c 'kill -USR2 $$'; true", "exit 130", "kill -RTMIN $$"])
def test_preempted(trainer: Trainer, ending: str) -> None:
    result = trainer.run(f"save one; {ending}", signal=signal.SIGRTMIN)
    assert (result.reason, result.saved) == (Reason.PREEMPTED, 1)
    assert trainer.run(ending, signal=signal.SIGRTMIN).reason is Reason.SIGNAL, "without a new one"


@pytest.mark.parametrize("ending", ["kill -KILL $$", "kill -SEGV $$"])
def test_not_preempted(trainer: Trainer, ending: str) -> None:
    assert trainer.run(f"save one; {ending}").reason is Reason.SIGNAL


def test_a_stop_of_ours_keeps_its_reason(trainer: Trainer) -> None:
    recipe = "trap 'save last; trap - TERM; kill -TERM $$' TERM; touch ready; while :; do sleep 0.05; done"
    result = trainer.run(recipe, timeout=SOON, grace=60)
    assert (result.reason, result.saved, result.checkpoint) == (Reason.TIMEOUT, 1, "ckpt/last")
    (trainer.root / "ready").unlink()
    handles = trainer.executor.submit([trainer.job(recipe, grace=60)])
    wait_for((trainer.root / "ready").exists)
    trainer.executor.cancel(handles)
    (result,) = results_of(trainer.executor)
    assert (result.reason, result.resumed_from, result.saved) == (Reason.CANCELLED, "ckpt/last", 1)


# --- what goes wrong


def test_a_directory_that_can_not_be_made(trainer: Trainer) -> None:
    (trainer.root / "ckpt").write_text("a file")
    result = trainer.run("touch ran")
    assert (result.reason, result.started) == (Reason.NOT_STARTED, 0)
    assert result.detail == f"ckpt/ can't be used for checkpoints: Not a directory: {trainer.root}/ckpt/.mlbuild"
    assert not (trainer.root / "ran").exists()


def test_the_kernel_watches_no_more(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library())
    trainer.again()
    result = trainer.run("touch ran")
    reason = "the kernel watches no more folders (fs.inotify.max_user_instances)"
    assert result.reason is Reason.NOT_STARTED
    assert result.detail == f"ckpt/ can't be used for checkpoints: {reason}"
    monkeypatch.undo()
    trainer.again()
    assert trainer.run("true").ok


class Library:
    """A C library whose every call fails for want of files."""

    def inotify_init1(self, flags: int) -> int:
        ctypes.set_errno(errno.EMFILE)
        return -1


def test_a_full_disk(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(file: int, really: Callable[[int], None] = os.fdatasync) -> None:
        if os.path.exists("full"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(file)

    monkeypatch.setattr(os, "fdatasync", sync)
    trainer.again()
    assert trainer.run("save one; exit 1").saved == 1
    result = trainer.run("touch full; save two; sleep 0.2; rm full; save three; exit 1")
    assert (result.reason, result.saved, result.checkpoint) == (Reason.EXIT, 2, "ckpt/three")
    result = trainer.run("touch full; save four; kill -TERM $$")
    assert (result.reason, result.resumed_from, result.saved) == (Reason.SIGNAL, "ckpt/three", 0)
    result = trainer.run("touch ran")
    assert result.reason is Reason.NOT_STARTED
    assert result.detail == "ckpt/ can't be used for checkpoints: No space left on device"
    (trainer.root / "full").unlink()
    assert trainer.run("true").ok
    assert {"one", "two", "three", "four"} == set(trainer.there())


def test_lines_that_make_no_sense_are_passed_over(trainer: Trainer) -> None:
    trainer.run("save one; exit 1")
    with open(trainer.root / "ckpt/.mlbuild/journal", "a") as journal:
        journal.write('\n5\n[]\n{}\n{"put": "x"}\n{"begin": "b", "key": 1}\n{"end": []}\n\x00\n{"put": "one", "atte')
    assert trainer.run("save two").resumed_from == "ckpt/one"
    assert trainer.run("true").resumed_from == "ckpt/two"


def test_without_its_journal_nothing_is_offered_and_nothing_lost(trainer: Trainer) -> None:
    trainer.run("save one; exit 1")
    (trainer.root / "ckpt/.mlbuild/journal").unlink()
    assert trainer.run("true").resumed_from == ""
    assert (trainer.root / "ckpt/.mlbuild/aside/unknown/one").read_text() == "one\n"


def test_a_marker_that_nobody_saw_counts_but_only_of_that_attempt(trainer: Trainer) -> None:
    (trainer.root / "foreign").mkdir()
    (trainer.root / "foreign/DONE").touch()
    time.sleep(0.1)
    recipe = f"{FOLDER} kill -STOP $PPID; folder half; folder one; touch ckpt/one/DONE; kill -KILL $PPID; sleep 1000"
    recipe = recipe.replace(
        "folder half", "folder half; folder cut; touch ckpt/cut/DONE; sleep 0.1; : > ckpt/cut/weights"
    )
    result = trainer.run(recipe, complete="DONE")
    assert result.reason is Reason.LOST
    subprocess.run(["cp", "-a", "foreign", "ckpt/foreign"], cwd=trainer.root, check=True)
    result = trainer.run("true", complete="DONE")
    assert (result.resumed_from, trainer.there()) == ("ckpt/one", ["one"])


def test_one_that_was_cancelled_before_it_began_changes_nothing(trainer: Trainer) -> None:
    trainer.run("save one; exit 1")
    result = trainer.run("true", environment={"A": "\0"})
    assert result.reason is Reason.NOT_STARTED
    assert trainer.run("save two").resumed_from == "ckpt/one"
    assert [row["reason"] for row in trainer.journal() if "end" in row][1] == "not_started"


def test_a_journal_does_not_grow_for_ever(trainer: Trainer) -> None:
    trainer.run("save one; exit 1")
    for _ in range(30):
        job = trainer.job("", "B")
        assert not checkpoints.prepare(job)["problem"]
        checkpoints.call_off(job)
    assert len(trainer.journal()) < 30
    assert trainer.run("true").resumed_from == "ckpt/one"


BEFORE = KILL_POINTS[: KILL_POINTS.index("checkpoints-put")]


@pytest.mark.parametrize("point", KILL_POINTS)
def test_killed_while_it_sees_to_checkpoints(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    trainer.run("save one; exit 1")
    trainer.run("save one; save b; exit 1", "B")
    with open(trainer.root / "ckpt/.mlbuild/journal", "a") as journal:  # so much of no use that it is written anew
        journal.write('\n{"end": "x", "reason": "ok", "failed": false, "made": 0, "reads": []}' * 40)
    monkeypatch.setattr(killpoint, "_point", point)
    monkeypatch.setattr(killpoint, "_left", 1)
    trainer.again()
    result = trainer.run("save two", keep=1)
    if point == "checkpoints-gone":  # the look at the end of the attempt does what was left
        assert result.ok and [row.get("put") for row in trainer.journal()].count("two") == 1
    else:
        assert result.reason is Reason.LOST, f"{point} was never passed"
    monkeypatch.undo()
    trainer.again()
    result = trainer.run("true", keep=1)
    assert result.resumed_from == ("ckpt/one" if point in BEFORE else "ckpt/two")
    assert not (trainer.root / "ckpt/.mlbuild/gone").exists()
    assert trainer.run("true", "B").resumed_from == "ckpt/b"
    assert trainer.there() == ["b", "one"]
    assert point in BEFORE or (trainer.root / "ckpt/.mlbuild/aside/a3/two").read_text() == "two\n"
