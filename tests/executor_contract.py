"""What every executor must do: subclass `ExecutorContract`, give it a `place`, and all of this is tested there.

Real processes throughout; nothing here says how fast.
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from mlbuild import digest
from mlbuild.executors.job import Batch, Executor, Job, JobResult, Read, Reason

WAIT = 60.0
"""Seconds after which something that should have happened is taken for never happening."""
SOON = 2.0
"""Seconds a recipe is given that shall still be told by a signal: by then it has set its trap, whatever else runs."""


class Place(Protocol):
    """Where the jobs of a test run."""

    workspace: Path

    def executor(self, jobs: int = 4, cpus: float = 4, memory: int | None = None) -> Executor:
        """A new build's, in the same workspace as those before it."""
        ...

    def lose(self, attempt: str) -> None:
        """Kill what watches over this attempt, so that nobody will ever tell how it ended."""
        ...


def make_job(place: Place, recipe: str, **fields: Any) -> Job:
    attempt = fields.pop("attempt", "a1")
    fields.setdefault("log", f"logs/{attempt}")
    return Job(attempt, "task", str(place.workspace), recipe, **fields)


def batch(place: Place, recipe: str, *outputs: str) -> list[Job]:
    """The jobs of one run of a recipe, each with one output."""
    together = Batch("a1", "task", len(outputs))
    first = make_job(place, recipe, outputs=outputs[:1], batch=together)
    others = (make_job(place, "", attempt=f"a{n}", outputs=(path,)) for n, path in enumerate(outputs[1:], 2))
    return [first, *(replace(other, batch=together) for other in others)]


def results_of(executor: Executor, count: int = 1) -> list[JobResult]:
    """The next `count` results."""
    results: list[JobResult] = []
    deadline = time.monotonic() + WAIT
    while len(results) < count and time.monotonic() < deadline:
        results += executor.finished(1)
    assert len(results) == count
    return results


def run(executor: Executor, job: Job) -> JobResult:
    executor.submit([job])
    (result,) = results_of(executor)
    assert result.attempt == job.attempt
    return result


def wait_for(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "waited for it in vain"
        time.sleep(0.01)


def wait_for_file(executor: Executor, path: Path) -> None:
    """Wait as a driver does: in `finished`."""
    wait_for(lambda: path.exists() or executor.finished(0.02))
    assert path.exists()


def living(place: Place, attempt: str) -> list[int]:
    """The processes that were started by this attempt and still live."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _belongs(pid, place, attempt)]


def _belongs(pid: int, place: Place, attempt: str) -> bool:
    try:
        marked = f"MLBUILD_JOB={attempt} {place.workspace}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(
            b"\0"
        )
        return marked and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def as_read(place: Place, path: str) -> Read:
    full = str(place.workspace / path)
    found, seen = digest.digest_path(full), digest.signature(full)
    assert found and seen
    return Read(path, found[0], seen[0])


class ExecutorContract:
    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError

    @pytest.fixture
    def executor(self, place: Place) -> Iterator[Executor]:
        executor = place.executor()
        yield executor
        executor.close()

    # --- how it ends

    def test_a_success_tells_times_and_outputs(self, place: Place, executor: Executor) -> None:
        recipe = "printf hello > out.txt; mkdir d; echo 1 > d/x; mkdir d/empty"
        before = time.time()
        result = run(executor, make_job(place, recipe, outputs=("out.txt", "d/")))
        assert result.reason is Reason.OK and result.ok and result.exit_status == 0
        assert before - 1 <= result.started <= result.ended <= time.time() + 1
        assert result.max_rss > 0 and result.cpu_seconds >= 0 and result.node
        made = {each.path: (each.digest, each.size) for each in result.made}
        assert made == {path: digest.digest_path(str(place.workspace / path)) for path in ("out.txt", "d/")}

    def test_outputs_that_are_large_are_digested_too(self, place: Place, executor: Executor) -> None:
        result = run(executor, make_job(place, "truncate -s 5M big", outputs=("big",)))
        assert [(each.digest, each.size) for each in result.made] == [digest.digest_path(str(place.workspace / "big"))]

    def test_an_exit_status(self, place: Place, executor: Executor) -> None:
        result = run(executor, make_job(place, "exit 7", outputs=("never",)))
        assert (result.reason, result.exit_status, result.made) == (Reason.EXIT, 7, ())

    @pytest.mark.parametrize("recipe", ["false; echo on", "echo $unset_variable", "false | cat"])
    def test_bash_is_strict(self, place: Place, executor: Executor, recipe: str) -> None:
        assert run(executor, make_job(place, recipe)).reason is Reason.EXIT

    def test_death_by_a_signal(self, place: Place, executor: Executor) -> None:
        result = run(executor, make_job(place, "kill -SEGV $$"))
        assert (result.reason, result.exit_status) == (Reason.SIGNAL, -signal.SIGSEGV)

    def test_a_signal_that_killed_a_command_is_named(self, place: Place, executor: Executor) -> None:
        result = run(executor, make_job(place, "bash -c 'kill -KILL $$'; true"))
        assert (result.reason, result.exit_status) == (Reason.SIGNAL, 137)
        assert result.detail == "a command in it was killed by SIGKILL"

    def test_a_missing_output_is_named(self, place: Place, executor: Executor) -> None:
        result = run(executor, make_job(place, "touch a", outputs=("a", "b")))
        assert (result.reason, result.exit_status, result.made) == (Reason.MISSING_OUTPUT, 0, ())
        assert "b" in result.detail

    @pytest.mark.parametrize(("recipe", "output"), [("mkdir x", "x"), ("touch x", "x/"), ("mkfifo x", "x")])
    def test_an_output_of_another_kind_is_missing(
        self, place: Place, executor: Executor, recipe: str, output: str
    ) -> None:
        result = run(executor, make_job(place, recipe, outputs=(output,)))
        assert result.reason is Reason.MISSING_OUTPUT and output in result.detail

    @pytest.mark.parametrize("fields", [{"environment": {"PATH": "/nowhere"}}, {"log": "file/log"}])
    def test_what_can_not_be_started_says_why(self, place: Place, executor: Executor, fields: dict[str, Any]) -> None:
        (place.workspace / "file").touch()
        result = run(executor, make_job(place, "touch ran", **fields))
        assert result.reason is Reason.NOT_STARTED and result.started == 0 and result.detail
        assert not (place.workspace / "ran").exists()

    # --- what it reads

    def test_inputs_as_they_were(self, place: Place, executor: Executor) -> None:
        (place.workspace / "in").write_text("1")
        (place.workspace / "folder").mkdir()
        (place.workspace / "folder" / "x").write_text("1")
        reads = (as_read(place, "in"), as_read(place, "folder"))
        (place.workspace / "in").write_text("1")  # another stat, the same content
        assert run(executor, make_job(place, "cat in folder/x", reads=reads)).ok

    @pytest.mark.parametrize("large", [False, True])
    def test_an_input_that_changed_before(self, place: Place, executor: Executor, large: bool) -> None:
        path = place.workspace / "in"
        path.write_bytes(b"1" * (5 << 20 if large else 1))
        read = as_read(place, "in")
        path.write_bytes(b"2" * (5 << 20 if large else 1))
        result = run(executor, make_job(place, "touch ran", reads=(read,)))
        assert (result.reason, result.started) == (Reason.INPUT_CHANGED, 0)
        assert "in" in result.detail and not (place.workspace / "ran").exists()

    def test_an_input_that_is_gone(self, place: Place, executor: Executor) -> None:
        result = run(executor, make_job(place, "touch ran", reads=(Read("in", "0" * 32, ""),)))
        assert result.reason is Reason.INPUT_CHANGED and "in is gone" in result.detail

    def test_an_input_that_changes_meanwhile(self, place: Place, executor: Executor) -> None:
        (place.workspace / "in").write_text("1")
        result = run(executor, make_job(place, "cat in > out; echo 2 > in", reads=(as_read(place, "in"),)))
        assert result.reason is Reason.INPUT_CHANGED and result.started > 0 and result.made == ()

    # --- what the recipe sees

    def test_the_log_has_both_streams_in_order(self, place: Place, executor: Executor) -> None:
        run(executor, make_job(place, "echo one; echo two >&2; echo three"))
        assert (place.workspace / "logs/a1").read_text() == "one\ntwo\nthree\n"

    def test_a_log_begins_anew(self, place: Place, executor: Executor) -> None:
        (place.workspace / "logs").mkdir()
        (place.workspace / "logs/a1").write_text("old")
        run(executor, make_job(place, "echo new"))
        assert (place.workspace / "logs/a1").read_text() == "new\n"

    def test_a_flood_of_output(self, place: Place, executor: Executor) -> None:
        assert run(executor, make_job(place, "head -c 20000000 /dev/zero")).ok
        assert (place.workspace / "logs/a1").stat().st_size == 20_000_000

    def test_a_recipe_may_close_its_output(self, place: Place, executor: Executor) -> None:
        assert run(executor, make_job(place, "exec >&- 2>&-; touch out", outputs=("out",))).ok

    def test_standard_input_is_empty(self, place: Place, executor: Executor) -> None:
        assert run(executor, make_job(place, 'test -z "$(cat)"')).ok

    def test_it_runs_in_the_workspace(self, place: Place, executor: Executor) -> None:
        run(executor, make_job(place, "pwd -P"))
        assert (place.workspace / "logs/a1").read_text() == f"{os.path.realpath(place.workspace)}\n"

    def test_the_environment(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OF_THE_BUILD", "1")
        monkeypatch.setenv("OVERRIDDEN", "1")
        executor = place.executor()
        recipe = 'echo "$OF_THE_BUILD $OVERRIDDEN $OWN"'
        run(executor, make_job(place, recipe, environment={"OVERRIDDEN": "2", "OWN": "a b\n'ü"}))
        executor.close()
        assert (place.workspace / "logs/a1").read_text() == "1 2 a b\n'ü\n"

    def test_no_file_is_left_open_and_no_signal_ignored(self, place: Place, executor: Executor) -> None:
        run(executor, make_job(place, "ls /proc/$$/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status"))
        words = (place.workspace / "logs/a1").read_text().split()
        assert [word for word in words if len(word) < 4 and word != "255"] == ["0", "1", "2"]
        of_the_c_library = 1 << 31 | 1 << 32  # which posix_spawn leaves ignored
        assert [int(word, 16) & ~of_the_c_library for word in words if len(word) == 16] == [0, 0]

    def test_quotes_unicode_and_line_breaks(self, place: Place, executor: Executor) -> None:
        recipe = "cat <<'END'\n\"it's\" $HOME \\ ünï\n\n  日本\nEND\n# a comment\nprintf '%s|' \"$#\" a"
        run(executor, make_job(place, recipe))
        assert (place.workspace / "logs/a1").read_text() == '"it\'s" $HOME \\ ünï\n\n  日本\n0|a|'

    def test_lines_are_numbered_as_written(self, place: Place, executor: Executor) -> None:
        run(executor, make_job(place, "echo $LINENO\necho $LINENO"))
        assert (place.workspace / "logs/a1").read_text() == "1\n2\n"

    def test_a_recipe_longer_than_an_argument_may_be(self, place: Place, executor: Executor) -> None:
        recipe = "\n".join([*(f": {'x' * 1000}" for _ in range(300)), "echo $LINENO", "ls /proc/$$/fd"])
        assert run(executor, make_job(place, recipe)).ok
        assert (place.workspace / "logs/a1").read_text().split() == ["301", "0", "1", "2", "255"]

    @pytest.mark.parametrize("padding", [0, 300_000])
    def test_python(self, place: Place, executor: Executor, padding: int) -> None:
        (place.workspace / "near.py").write_text("word = 'hi'")
        recipe = f"import near, os\nprint(near.word, sorted(os.listdir('/proc/self/fd'))[:3])\n# {'x' * padding}"
        assert run(executor, make_job(place, recipe, kind="python")).ok
        assert (place.workspace / "logs/a1").read_text() == "hi ['0', '1', '2']\n"

    def test_python_that_fails(self, place: Place, executor: Executor) -> None:
        result = run(executor, make_job(place, "raise SystemExit(3)", kind="python"))
        assert (result.reason, result.exit_status) == (Reason.EXIT, 3)

    # --- the clock and the end

    def test_a_timeout_leaves_time_to_save(self, place: Place, executor: Executor) -> None:
        recipe = "trap 'echo saved > out; exit 0' TERM; while :; do sleep 0.05; done"
        result = run(executor, make_job(place, recipe, timeout=SOON, grace=WAIT))
        assert (result.reason, result.exit_status) == (Reason.TIMEOUT, 0)
        assert (place.workspace / "out").read_text() == "saved\n"

    def test_what_saves_may_outlive_the_shell_that_started_it(self, place: Place, executor: Executor) -> None:
        script = "trap 'sleep 0.5; echo saved > out; exit 0' TERM; while :; do sleep 0.05; done"
        run(executor, make_job(place, f"bash -c {shlex.quote(script)} & wait", timeout=SOON, grace=WAIT))
        assert (place.workspace / "out").read_text() == "saved\n"

    def test_the_signal_is_the_jobs(self, place: Place, executor: Executor) -> None:
        recipe = "trap 'echo usr1; exit 0' USR1; while :; do sleep 0.05; done"
        run(executor, make_job(place, recipe, timeout=SOON, signal=signal.SIGUSR1, grace=WAIT))
        assert "usr1\n" in (place.workspace / "logs/a1").read_text()

    def test_kill_after_the_grace(self, place: Place, executor: Executor) -> None:
        recipe = "trap '' TERM; (set -m; sleep 1000 & wait) & while :; do sleep 0.05; done"
        result = run(executor, make_job(place, recipe, timeout=SOON, grace=0.3))
        assert (result.reason, result.exit_status) == (Reason.TIMEOUT, -signal.SIGKILL)
        assert not living(place, "a1")

    def test_cancelling_softly(self, place: Place, executor: Executor) -> None:
        recipe = "trap 'echo saved > out; exit 0' TERM; touch ready; while :; do sleep 0.05; done"
        handles = executor.submit([make_job(place, recipe, grace=WAIT)])
        wait_for_file(executor, place.workspace / "ready")
        executor.cancel(handles)
        (result,) = results_of(executor)
        assert result.reason is Reason.CANCELLED
        assert (place.workspace / "out").exists() and not living(place, "a1")

    def test_cancelling_now(self, place: Place, executor: Executor) -> None:
        recipe = "trap '' TERM; touch ready; while :; do sleep 0.05; done"
        handles = executor.submit([make_job(place, recipe, grace=1000)])
        wait_for_file(executor, place.workspace / "ready")
        executor.cancel(handles)
        executor.cancel(handles, now=True)
        (result,) = results_of(executor)
        assert result.reason is Reason.CANCELLED and not living(place, "a1")

    def test_cancelling_at_once(self, place: Place, executor: Executor) -> None:
        jobs = [make_job(place, "sleep 1000", attempt=f"a{number}", grace=1000) for number in range(4)]
        executor.cancel(executor.submit(jobs))
        assert {result.reason for result in results_of(executor, 4)} == {Reason.CANCELLED}

    def test_cancelling_what_is_over(self, place: Place, executor: Executor) -> None:
        handles = executor.submit([make_job(place, "true")])
        results_of(executor)
        executor.cancel(handles, now=True)
        assert executor.finished(0.1) == []

    def test_nothing_of_the_session_is_left(self, place: Place, executor: Executor) -> None:
        recipe = "sleep 1000 & (set -m; sleep 1000 &) ; timeout 1000 sleep 1000 & disown -a; touch out"
        assert run(executor, make_job(place, recipe, outputs=("out",))).ok
        assert not living(place, "a1")

    def test_what_ignores_the_end_of_its_leader_is_killed(self, place: Place, executor: Executor) -> None:
        recipe = "(trap '' TERM; while :; do sleep 0.05; done) & touch out"
        assert run(executor, make_job(place, recipe, outputs=("out",), grace=0.3)).ok
        assert not living(place, "a1")

    def test_a_daemon_in_a_session_of_its_own_is_left_alone(self, place: Place, executor: Executor) -> None:
        assert run(executor, make_job(place, "setsid sleep 1000 & touch out", outputs=("out",))).ok
        for pid in living(place, "a1"):
            os.kill(pid, signal.SIGKILL)

    def test_what_leaves_the_session_when_it_is_told_to_end_is_left_alone(
        self, place: Place, executor: Executor
    ) -> None:
        leave = "signal.signal(signal.SIGTERM, lambda *_: os.setsid())"
        script = f"import os, signal, time; {leave}; open('set', 'w'); [time.sleep(1) for _ in range(1000)]"
        recipe = f'python3 -c "{script}" & while ! test -e set; do sleep 0.01; done; touch out'
        assert run(executor, make_job(place, recipe, outputs=("out",), grace=0.3)).ok
        for pid in living(place, "a1"):
            os.kill(pid, signal.SIGKILL)

    # --- many, and room for them

    def test_many_at_once(self, place: Place, executor: Executor) -> None:
        names = [f"a{number}" for number in range(50)]
        jobs = [make_job(place, f"echo > {name}", attempt=name, outputs=(name,)) for name in names]
        handles = executor.submit(jobs)
        assert len(set(handles)) == 50
        results = results_of(executor, 50)
        assert {result.attempt for result in results if result.ok} == {job.attempt for job in jobs}

    def test_without_results_it_waits_and_gives_none(self, place: Place, executor: Executor) -> None:
        before = time.monotonic()
        assert executor.finished(0.2) == []
        assert time.monotonic() - before >= 0.2

    def test_room_is_taken_and_given_back(self, place: Place) -> None:
        executor = place.executor(jobs=1)
        job = make_job(place, "while ! test -e go; do sleep 0.01; done")
        assert executor.has_room(job)
        executor.submit([job])
        assert not executor.has_room(job)
        (place.workspace / "go").touch()
        results_of(executor)
        assert executor.has_room(job)
        executor.close()

    # --- a run for several

    def test_a_batch_is_one_run_with_a_result_for_each(self, place: Place, executor: Executor) -> None:
        recipe = "echo + >> runs; sleep 0.3; touch one two"
        assert len(executor.submit(batch(place, recipe, "one", "two", "three"))) == 3
        results = {result.attempt: result for result in results_of(executor, 3)}
        assert [[each.path for each in results[name].made] for name in ("a1", "a2", "a3")] == [["one"], ["two"], []]
        assert (results["a3"].reason, results["a3"].detail) == (Reason.MISSING_OUTPUT, "three is not there")
        assert (place.workspace / "runs").read_text() == "+\n"
        took = results["a1"].ended - results["a1"].started
        assert all(result.seconds == pytest.approx(took / 3) for result in results.values())

    def test_a_batch_takes_the_room_of_one(self, place: Place) -> None:
        executor = place.executor(jobs=2)
        executor.submit(
            batch(place, "until test -e go; do sleep 0.01; done; touch one two three", "one", "two", "three")
        )
        job = make_job(place, "true", attempt="b")
        assert executor.has_room(job)
        executor.submit([job])
        assert not executor.has_room(job)
        results_of(executor)
        (place.workspace / "go").touch()
        assert all(result.ok for result in results_of(executor, 3))
        executor.close()

    def test_an_input_that_changed_is_that_of_one_of_a_batch(self, place: Place, executor: Executor) -> None:
        (place.workspace / "in").write_text("1")
        (place.workspace / "other").write_text("1")
        first, second = batch(place, "touch ran", "one", "two")
        reads = as_read(place, "in"), as_read(place, "other")
        (place.workspace / "other").write_text("2")
        executor.submit([replace(first, reads=reads[:1]), replace(second, reads=reads)])
        results = {result.attempt: result for result in results_of(executor, 2)}
        assert [results[name].reason for name in ("a1", "a2")] == [Reason.CANCELLED, Reason.INPUT_CHANGED]
        assert results["a2"].detail == "other has changed" and not (place.workspace / "ran").exists()

    def test_cancelling_one_of_a_batch_stops_it(self, place: Place, executor: Executor) -> None:
        handles = executor.submit(batch(place, "touch ready; sleep 1000", "one", "two"))
        wait_for_file(executor, place.workspace / "ready")
        executor.cancel(handles[1:])
        assert {result.reason for result in results_of(executor, 2)} == {Reason.CANCELLED}

    def test_a_batch_is_taken_over_by_several(self, place: Place) -> None:
        jobs = batch(
            place, "touch ready; until test -e go; do sleep 0.01; done; touch one two three", "one", "two", "three"
        )
        handles = killed_driver(place, jobs, (place.workspace / "ready").exists)
        executors = [place.executor() for _ in range(2)]
        assert [executors[0].find(job) for job in jobs] == handles
        assert executors[0].reattach(handles[1], jobs[1])
        (place.workspace / "go").touch()
        (result,) = results_of(executors[0])
        assert (result.attempt, [each.path for each in result.made]) == ("a2", ["two"])
        assert executors[1].reattach(handles[0], jobs[0]) and executors[1].reattach(handles[2], jobs[2])
        assert sorted(each.attempt for each in results_of(executors[1], 2)) == ["a1", "a3"]
        for executor in executors:
            executor.close()

    def test_a_lost_batch_is_over(self, place: Place) -> None:
        jobs = batch(place, "trap '' TERM; touch ready; sleep 1000", "one", "two")
        handles = killed_driver(place, jobs, (place.workspace / "ready").exists)
        place.lose("a1")
        executor = place.executor()
        assert not executor.reattach(handles[1], jobs[1])
        assert not living(place, "a1") and executor.finished(0) == []
        executor.close()

    # --- surviving the driver

    def test_a_job_is_taken_over_from_a_killed_driver(self, place: Place) -> None:
        recipe = "mkdir lock; touch ready; while ! test -e go; do sleep 0.01; done; echo done > out"
        job = make_job(place, recipe, outputs=("out",))
        (handle,) = killed_driver(place, [job], (place.workspace / "ready").exists)
        executor = place.executor()
        assert executor.find(job) == handle
        assert executor.reattach(handle, job)
        assert executor.finished(0) == []
        (place.workspace / "go").touch()
        (result,) = results_of(executor)
        assert result.ok and [each.path for each in result.made] == ["out"]
        executor.close()

    def test_a_job_that_was_taken_over_can_be_cancelled(self, place: Place) -> None:
        job = make_job(place, "touch ready; sleep 1000")
        handles = killed_driver(place, [job], (place.workspace / "ready").exists)
        executor = place.executor()
        assert executor.reattach(handles[0], job)
        executor.cancel(handles)
        assert results_of(executor)[0].reason is Reason.CANCELLED
        executor.close()

    def test_a_job_that_ended_after_its_driver(self, place: Place) -> None:
        job = make_job(place, "touch ready; while ! test -e go; do sleep 0.01; done; exit 5")
        (handle,) = killed_driver(place, [job], (place.workspace / "ready").exists)
        (place.workspace / "go").touch()
        wait_for(lambda: not living(place, "a1"))
        executor = place.executor()
        assert executor.reattach(handle, job)
        (result,) = results_of(executor)
        assert (result.reason, result.exit_status) == (Reason.EXIT, 5)
        executor.close()

    def test_letting_go_is_no_cancelling(self, place: Place) -> None:
        first = place.executor()
        job = make_job(place, "sleep 0.2; touch out", outputs=("out",))
        (handle,) = first.submit([job])
        first.close()
        second = place.executor()
        assert second.reattach(handle, job)
        assert results_of(second)[0].ok
        second.close()

    def test_a_lost_job_is_over(self, place: Place) -> None:
        job = make_job(place, "trap '' TERM; touch ready; sleep 1000; touch out")
        (handle,) = killed_driver(place, [job], (place.workspace / "ready").exists)
        place.lose("a1")
        executor = place.executor()
        assert not executor.reattach(handle, job)
        assert not living(place, "a1") and executor.finished(0) == []
        executor.close()

    def test_a_job_that_gets_lost_on_the_way(self, place: Place, executor: Executor) -> None:
        executor.submit([make_job(place, "touch ready; sleep 1000")])
        wait_for_file(executor, place.workspace / "ready")
        place.lose("a1")
        assert results_of(executor)[0].reason is Reason.LOST
        assert not living(place, "a1")
        assert run(executor, make_job(place, "true", attempt="a2")).ok

    def test_a_job_that_was_never_submitted(self, place: Place, executor: Executor) -> None:
        assert executor.find(make_job(place, "true", attempt="never")) is None


def killed_driver(place: Place, jobs: list[Job], ready: Callable[[], object]) -> list[str]:
    """Have another process submit these; kill it, as `kill -9` does, once they are ready. The handles."""
    noted = place.workspace / "handles"
    driver = os.fork()
    if driver == 0:
        try:
            executor = place.executor()
            noted.with_suffix(".part").write_text("\n".join(executor.submit(jobs)))
            noted.with_suffix(".part").rename(noted)
            executor.finished(WAIT)
            time.sleep(WAIT)
        finally:
            os._exit(1)
    wait_for(lambda: noted.exists() and ready())
    os.kill(driver, signal.SIGKILL)
    os.waitpid(driver, 0)
    return noted.read_text().split("\n")
