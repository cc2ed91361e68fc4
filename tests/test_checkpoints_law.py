"""The law of checkpoints, for random histories: what is offered is the newest that is whole and fits; none is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from mlbuild.executors import checkpoints, directory
from mlbuild.executors.job import Checkpoints, Job, JobResult, Reason
from mlbuild.executors.saves import Saves

NAMES = "a", "b", "c"
MARKER = "DONE"


class Killed(BaseException):
    """What runs is killed, here."""


@dataclass(frozen=True)
class Deed:
    """Something that happens to the directory; `kill` is the step of what mlbuild does about it that is the last."""

    kind: str
    name: str
    other: str = "a"
    flag: bool = False
    kill: int = 0


@dataclass(frozen=True)
class Life:
    """An attempt."""

    key: str
    value: int
    keep: int | None
    kill_start: int
    deeds: list[Deed]
    ending: str
    kill_end: int
    after: list[Deed]


def deeds(*kinds: str, most: int) -> st.SearchStrategy[list[Deed]]:
    names = st.sampled_from(NAMES)
    kill = st.sampled_from([0] * 8 + [1, 2, 3])
    return st.lists(st.builds(Deed, st.sampled_from(kinds), names, names, st.booleans(), kill), max_size=most)


lives = st.builds(
    Life,
    st.sampled_from("AAB"),
    st.sampled_from([20, 40]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([0] * 10 + [1, 2, 3, 4, 5]),
    deeds("put", "put", "put", "unseen", "half", "spoil", "copy", most=5),
    st.sampled_from(["ok", "exit", "kill", "lost"]),
    st.sampled_from([0] * 6 + [1, 2, 3]),
    deeds("spoil", "copy", "carry", "tear", most=2),
)


@dataclass
class Saved:
    """A checkpoint that an attempt put there, as the model knows of it."""

    text: str
    name: str
    key: str
    value: int
    number: int
    is_certain: bool = True
    """False: what should have noted it was killed, and perhaps before it did."""
    is_gone: bool = False
    """Overwritten or, by `keep`, removed: or at least it may have been."""
    is_spoilt: bool = False
    is_dead_end: bool = False

    def fits(self, life: Life) -> bool:
        here = not (self.is_spoilt or self.is_dead_end)
        return here and self.key == life.key and self.value <= life.value


@dataclass
class World:
    """A directory of checkpoints, and a simple model of it: a list of all that was put there, the newest at the end."""

    root: Path
    complete: str | None
    saved: list[Saved] = field(default_factory=list)
    whole: list[Saved] = field(default_factory=list)
    """What the attempt that runs may keep."""
    count: int = 0
    clock: int = 0
    steps: int = 0

    @property
    def directory(self) -> Path:
        return self.root / "ckpt"

    def reach(self, point: str) -> None:
        assert point in directory.KILL_POINTS
        self.steps -= 1
        if self.steps == 0:
            raise Killed

    # What lies there

    def content(self, path: Path) -> str:
        file = path / "weights" if path.is_dir() else path
        return file.read_text().strip("\n") if file.exists() else ""

    def at(self, name: str) -> Saved | None:
        """The checkpoint that lies in the place of this name."""
        text = self.content(self.directory / name)
        return next((each for each in self.saved if each.text == text and each.name == name), None)

    def everywhere(self) -> Iterator[tuple[str, str]]:
        """(name, content) of all that lies there or aside."""
        own = self.directory / ".mlbuild"
        for path in [*self.directory.iterdir(), *(own / "aside").glob("*/*")]:
            if path != own:
                yield path.name, self.content(path)

    # What happens

    def text(self) -> str:
        """A content like no other, in length as well: what is written within a tick of the clock looks alike."""
        self.clock += 1
        return f"{self.clock}:{'x' * self.clock}"

    def write(self, path: Path, text: str, *, whole: bool) -> None:
        if self.complete:
            path.mkdir(exist_ok=True)
            (path / MARKER).unlink(missing_ok=True)
            (path / "weights").write_text(text)
            if whole:
                time.sleep(0.012)  # so that the clock tells which is the newer
                (path / MARKER).touch()
        elif whole:
            new = path.with_name(f"{path.name}.tmp")
            new.write_text(text)
            new.rename(path)
        else:
            path.write_text(text)

    def put(self, life: Life, name: str, *, certain: bool) -> Saved:
        before = self.at(name)
        if before:
            before.is_gone = True
        entry = Saved(self.text(), name, life.key, life.value, self.count, certain)
        self.write(self.directory / name, entry.text, whole=True)
        self.saved.append(entry)
        return entry

    def interfere(self, deed: Deed, *, counts: bool) -> None:
        """What neither mlbuild does nor a recipe should.

        Args:
            counts: whether a folder with a marker is taken for a checkpoint of the last attempt, so no copies are made.
        """
        path, other = self.directory / deed.name, self.directory / deed.other
        if deed.kind == "half":
            self.lose(deed.name)
            self.write(path, self.text(), whole=False)
        elif deed.kind == "spoil" and path.exists():
            self.lose(deed.name)
            time.sleep(0.012)
            os.truncate(path / "weights" if path.is_dir() else path, 0)
        elif deed.kind == "copy" and other.exists() and path != other and not counts:
            self.lose(deed.name)
            subprocess.run(["rm", "-rf", path], check=True)
            subprocess.run(["cp", "-a" if deed.flag or self.complete else "-r", other, path], check=True)
        elif deed.kind == "carry":
            subprocess.run(["cp", "-a", self.directory, self.root / "copy"], check=True)
            shutil.rmtree(self.directory)
            (self.root / "copy").rename(self.directory)
        elif deed.kind == "tear":
            with open(self.directory / ".mlbuild/journal", "a") as journal:
                journal.write('\n{"put": "a", "attempt": "a1", "sig')

    def lose(self, name: str) -> None:
        entry = self.at(name)
        if entry:
            entry.is_spoilt = True

    # An attempt

    def live(self, life: Life) -> None:
        self.count += 1
        asked = Checkpoints("ckpt/", life.key, f"{life.key}{life.value}", {"n": life.value}, life.keep, self.complete)
        job = Job(f"a{self.count}", "task", str(self.root), "", checkpoints=asked)
        is_open = True
        try:
            saves = self.start(job, life)
            made = self.work(job, life, saves)
            if life.ending != "lost":
                self.finish(job, life, saves, made)
                is_open = False
        except Killed:
            pass
        if self.directory.exists():
            for deed in life.after:
                self.interfere(deed, counts=is_open and self.complete is not None)

    def start(self, job: Job, life: Life) -> Saves:
        able = [each for each in self.saved if each.fits(life)]
        self.steps = life.kill_start
        answer = checkpoints.prepare(job)
        self.steps = 0
        assert not answer["problem"]
        saves = Saves(answer["start"])
        offered = self.at(saves.start.name) if saves.start.name else None
        certain = [each for each in able if each.is_certain and not each.is_gone]
        if saves.start.name:
            assert offered in able, "it is not whole, or not for this attempt"
            self.origin = offered
        else:
            self.origin = None
        newer = self.saved[self.saved.index(offered) + 1 :] if offered else self.saved
        assert not [each for each in newer if each in certain], "there is a newer one"
        for path in self.directory.iterdir():
            entry = self.at(path.name)
            mine = entry is None or entry in able or (entry.key == life.key and not entry.is_certain)
            assert mine, "what is not for this attempt lies there"
        self.all_there()
        by_name = {each.name: each for each in certain}
        self.whole = [each for each in certain if by_name[each.name] is each]
        return saves

    def work(self, job: Job, life: Life, saves: Saves) -> list[Saved]:
        made = []
        for deed in life.deeds:
            if deed.kind == "unseen":  # who watches over it is killed before he can note it
                self.put(life, deed.name, certain=self.complete is not None)
                raise Killed
            if deed.kind != "put":
                self.interfere(deed, counts=self.complete is not None)
                continue
            entry = self.put(life, deed.name, certain=self.complete is not None or not deed.kill)
            made.append(entry)
            self.whole = [each for each in self.whole if each.name != deed.name] + [entry]
            standing = [each for each in self.whole if not each.is_spoilt and not each.is_gone]
            for each in standing[: -life.keep] if life.keep else ():
                each.is_gone = True
            self.steps = deed.kill
            saves.take([deed.name], checkpoints.put(job, saves, [deed.name]))
            self.steps = 0
            entry.is_certain = True
            self.all_there()
        return made

    def finish(self, job: Job, life: Life, saves: Saves, made: list[Saved]) -> None:
        reasons = {"ok": (Reason.OK, 0), "exit": (Reason.EXIT, 1), "kill": (Reason.SIGNAL, -9)}
        reason, status = reasons[life.ending]
        if life.ending == "ok" and not made and life.keep:
            standing = [each for each in self.whole if not each.is_spoilt and not each.is_gone]
            for each in standing[: -life.keep]:
                each.is_gone = True
        self.steps = life.kill_end
        result = checkpoints.end(job, JobResult(job.attempt, reason, status), saves)
        self.steps = 0
        assert (result.reason, result.saved) == (reason, len(made))
        if self.origin and life.ending == "exit" and not made:
            self.origin.is_dead_end = True
        able = [each for each in self.saved if each.fits(life) and each.is_certain and not each.is_gone]
        if able:
            assert result.checkpoint, "the next attempt will find one"

    def all_there(self) -> None:
        there = set(self.everywhere())
        for each in self.saved:
            if each.is_certain and not each.is_gone and not each.is_spoilt:
                assert (each.name, each.text) in there, "a whole checkpoint was lost"


CASES = int(os.environ.get("MLBUILD_TEST_CASES", "60"))


@settings(max_examples=CASES, deadline=None)
@given(st.lists(lives, min_size=1, max_size=6), st.booleans())
def test_what_is_offered(history: list[Life], marked: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), MARKER if marked else None)
        with mock.patch.object(directory, "reach", world.reach):
            for life in history:
                world.live(life)
