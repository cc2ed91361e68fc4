"""Random pipelines of deterministic recipes and random edits of them: values to be drawn, and the files of each.

Each recipe is `python code/….py`, and notes in the file `$LAW_LOG` what it was and all that it depended on, so that
what ran is known without asking mlbuild.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent, indent

from hypothesis import strategies as st

DAYS = ("2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04")
MADE = ("main", "side", "tree")
VALUES = ("1", "{knob}", "{params.train.lr}", "{params.seed}")

STEP = '''
    """What every recipe does: digests of all that it reads go into its outputs, and what they are into a log."""

    import hashlib
    import json
    import os
    import sys


    def digest(*parts):
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


    def read(path):
        """A file's text, or a directory's, as one."""
        if not os.path.isdir(path):
            with open(path) as file:
                return file.read()
        found = sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        return "".join(f"{os.path.relpath(inner, path)}\\n{read(inner)}" for inner in found)


    def write(path, text):
        with open(path, "w") as file:
            file.write(text)


    def run(code):
        """NAME (`whole`|`first`) VALUE OUTPUT… -- INPUT…, or `--list FILE` with a path a line instead of inputs.

        With `first`, nothing but the first line of each input counts.
        """
        cut = sys.argv.index("--")
        (name, how, value, *outputs), inputs = sys.argv[1:cut], sys.argv[cut + 1 :]
        if inputs[:1] == ["--list"]:
            inputs = read(inputs[1]).splitlines()
        texts = [read(path) for path in inputs]
        head = digest(name, how, value, code, outputs, inputs, [text.split("\\n")[0] for text in texts])
        whole = head if how == "first" else digest(head, texts)
        for path in outputs:
            if path.endswith("/"):
                for number in range(int(whole, 16) % 3):
                    os.makedirs(f"{path}{number}")
                    write(f"{path}{number}/part.txt", f"{whole} {number}\\n")
                write(f"{path}head.txt", f"{head}\\n")
            else:
                write(path, f"{head}\\n" if "side" in path else f"{head}\\n{whole}\\n")
        line = json.dumps([name, digest(sys.argv[0], how, value, code, outputs, inputs, texts)]) + "\\n"
        log = os.open(os.environ["LAW_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, line.encode())
        os.close(log)
'''

CODE = {
    "code/s0.py": """
        import step
        from mods import a

        LEVEL = {0}

        step.run(f"{{LEVEL}} {{a.amount()}}")
    """,
    "code/s1.py": """
        import step
        from mods.b import depth

        LEVEL = {1}

        if __name__ == "__main__":
            step.run(f"{{LEVEL}} {{depth()}} {{step.read('notes.txt')}}")
    """,
    "code/mods/a.py": """
        from . import b

        RATE = {2}
        UNUSED = {4}


        def amount():
            return f"{{RATE}} {{b.depth()}}"


        def unused():
            return UNUSED
    """,
    "code/mods/b.py": """
        DEPTH = {3}


        def depth():
            '''Remark {5}.'''
            return DEPTH  # remark {5}
    """,
}
"""path → text, with a number for each of `World.code`. No result depends on the last two."""


@dataclass(frozen=True)
class Target:
    """A target; it may read those before it.

    Attributes:
        daily: a task for each day.
        made: what it makes, out of `MADE`; nothing is a target without outputs, which nothing can read.
        links: (which of the targets before it, how it is written), both modulo what there is.
        first: it reads but the first line of each input.
        listed: it is given its inputs as a file that lists them.
        remarks: what stands in clauses that don't count.
    """

    daily: bool
    made: tuple[str, ...]
    links: tuple[tuple[int, int], ...]
    sources: int
    script: int
    value: int
    first: bool
    listed: bool
    is_temp: bool = False
    is_stored: bool = True
    remarks: int = 0


@dataclass(frozen=True)
class World:
    """All that a user writes: targets, params, sources, code."""

    targets: tuple[Target, ...]
    days: tuple[int, int] = (0, 2)
    params: tuple[int, int, int] = (1, 1, 1)
    """`train.lr`, `seed`, and one that nothing uses."""
    knob: int = 1
    sources: tuple[tuple[str, int, int], ...] = (("a", 0, 0), ("b", 0, 0), ("2013-01-02", 0, 0))
    """(name, first line, second line) of each file in data/."""
    code: tuple[int, ...] = (0,) * 6
    """The numbers in `CODE`."""
    note: int = 0
    """What stands in a file that a script reads, and no target declares."""

    def files(self) -> dict[str, str]:
        """path → text of all of it."""
        lr, seed, unused = self.params
        found = {f"data/{name}.txt": f"{first}\n{second}\n" for name, first, second in self.sources}
        found |= {path: text.format(*self.code) for path, text in CODE.items()}
        found |= {"code/step.py": STEP, "notes.txt": f"{self.note}\n"}
        found["params.yaml"] = f"train: {{lr: {lr}}}\nseed: {seed}\nunused: {unused}\n"
        found["Pipelinefile"] = self._pipelinefile()
        return {path: dedent(text).lstrip("\n") for path, text in found.items()}

    @property
    def names(self) -> list[str]:
        return [f"t{number}" for number in range(len(self.targets))]

    def stores(self, name: str) -> bool:
        """Whether what logs itself by this name has outputs, and they are stored."""
        target = self.targets[self.names.index(name.partition(":")[0])]
        return bool(target.made) and target.is_stored

    def may_lack(self, path: str) -> bool:
        """Whether a build may leave this output out: it is temporary, or can't be restored and nothing needs it."""
        target = self.targets[self.names.index(path.split("/")[1])]
        return target.is_temp or not target.is_stored

    def goals(self, number: int) -> list[str]:
        """Every third number a target, every third all by name, and else the group of all, which keeps nothing."""
        return ([*self.names], [self.names[number // 3 % len(self.names)]], ["all"])[number % 3]

    def _pipelinefile(self) -> str:
        first, last = self.days
        head = (
            f'params "params.yaml"\nparam knob = {self.knob}\npartition day: daily from {DAYS[first]} to {DAYS[last]}\n'
        )
        gathered = ", ".join(
            f"t{number}[*]" if each.daily else f"t{number}" for number, each in enumerate(self.targets)
        )
        body = "".join(self._target(number, target) for number, target in enumerate(self.targets))
        return f"{head}{body}\ntarget all:\n    inputs: {gathered}\n"

    def _target(self, number: int, target: Target) -> str:
        own, name = ("/{day}", f"t{number}:{{day}}") if target.daily else ("", f"t{number}")
        written = 'temp("{}")' if target.is_temp else '"{}"'
        outputs = [f"{made} = {written.format(_path(number, made, own))}" for made in target.made]
        readable = [other for other in range(number) if self.targets[other].made]
        inputs = dict.fromkeys(_SOURCES[target.daily][target.sources % len(_SOURCES[target.daily])])
        if readable:
            links = ((readable[of % len(readable)], how) for of, how in target.links)
            inputs |= dict.fromkeys(self._link(target, of, how) for of, how in links)
        words = [
            f"python code/s{target.script}.py {name} {'first' if target.first else 'whole'} {VALUES[target.value]}",
            *(["{outputs}"] if outputs else []),
            "-- --list {inputs:file}" if target.listed else "-- {inputs}",
        ]
        clauses = [
            f'"""Remark {target.remarks}"""' if target.remarks % 2 else "",
            "inputs: " + ", ".join(inputs),
            "outputs: " + ", ".join(outputs) if outputs else "",
            f"retry: {target.remarks}" if target.remarks > 1 else "",
            "resources: memory = 10M" if target.remarks > 2 else "",
            "" if target.is_stored else "cache: false",
            "run: " + " ".join(words),
        ]
        body = "\n".join(clause for clause in clauses if clause)
        return f"\ntarget t{number}{'[day]' if target.daily else ''}:\n{indent(body, '    ')}\n"

    def made_paths(self) -> set[str]:
        """All that the targets make; a directory ends in `/`."""
        days = DAYS[self.days[0] : self.days[1] + 1]
        return {
            _path(number, made, own)
            for number, target in enumerate(self.targets)
            for made in target.made
            for own in ([f"/{day}" for day in days] if target.daily else [""])
        }

    def _link(self, target: Target, of: int, how: int) -> str:
        """What stands in `inputs:` for another target's outputs."""
        other = self.targets[of]
        forms = _LINKS[target.daily, other.daily]
        return forms[how % len(forms)].format(f"t{of}")


def _path(number: int, made: str, own: str) -> str:
    return f"out/t{number}{own}/{made}" + ("/" if made == "tree" else ".txt")


_SOURCES = {
    False: (['"data/a.txt"'], ['glob("data/*.txt")'], ['"data/b.txt"', '"data/extra.txt"?'], ['"data/"']),
    True: (['"data/a.txt"'], ['"data/b.txt"', '"data/{day}.txt"?'], ['glob("data/2013*.txt")']),
}
"""Whether daily → inputs that no target makes."""
_LINKS = {
    (True, True): ("{}", "{}[day-1..day]", "{}[day-1]?", "{}.main", '"out/{}/{{day}}/main.txt"', "{}[..day].main"),
    (False, True): ("{}[*]", "{}[*].main", "{}[2013-01-02..]", 'glob("out/{}/*/main.txt")', '"out/{}/"'),
    (True, False): ("{}", "{}.main", '"out/{}/main.txt"'),
    (False, False): ("{}", "{}.main", '"out/{}/main.txt"', 'glob("out/{}/*.txt")', '"out/{}/"'),
}
"""(whether daily, whether what it reads is) → ways to write it."""
_WALKS = re.compile(r'"out/t\d+/"')


# --- edits


@dataclass(frozen=True)
class Edit:
    """A change by a user. `which` and `value` are taken modulo what there is to choose from."""

    kind: str
    which: int
    value: int


def _next(number: int, value: int) -> int:
    """Another of three numbers, so that they come back."""
    return (number + 1 + value // 2 % 2) % 3


def _source(world: World, which: int, value: int) -> World:
    """Either line of a source."""
    at = which % len(world.sources)
    name, first, second = world.sources[at]
    changed = (name, _next(first, value), second) if value % 2 else (name, first, _next(second, value))
    return replace(world, sources=(*world.sources[:at], changed, *world.sources[at + 1 :]))


def _new_source(world: World, which: int, value: int) -> World:
    """A source more, which some globs and optional inputs hold; or one less."""
    name = ("extra", "c", DAYS[0], DAYS[2])[which % 4]
    left = tuple(source for source in world.sources if source[0] != name)
    return replace(world, sources=left if left != world.sources else (*left, (name, value % 2, 0)))


def _days(world: World, which: int, value: int) -> World:
    """The second day is always there: some links name it."""
    return replace(world, days=(which % 2, 1 + value % 3))


def _param(world: World, which: int, value: int) -> World:
    at = which % 4
    if at == 3:
        return replace(world, knob=_next(world.knob, value))
    return replace(world, params=(*world.params[:at], _next(world.params[at], value), *world.params[at + 1 :]))


def _code(world: World, which: int, value: int) -> World:
    at = which % len(world.code)
    return replace(world, code=(*world.code[:at], _next(world.code[at], value), *world.code[at + 1 :]))


def _note(world: World, which: int, value: int) -> World:
    return replace(world, note=_next(world.note, value))


def _clause(world: World, which: int, value: int) -> World:
    """One field of a target."""
    at = which % len(world.targets)
    target = world.targets[at]
    match value % 11:
        case 0:
            target = replace(target, daily=not target.daily)
        case 1:
            target = replace(target, made=("main", "side") if target.made == ("main",) else ("main",))
        case 2:
            target = replace(target, made=() if target.made else ("main",))
        case 3:
            target = replace(target, made=("main", "tree") if "tree" not in target.made else ("main",))
        case 4:
            target = replace(target, first=not target.first)
        case 5:
            target = replace(target, value=(target.value + 1) % len(VALUES))
        case 6:
            target = replace(target, links=tuple((of, how + 1) for of, how in target.links))
        case 7:
            target = replace(target, script=1 - target.script)
        case 8:
            target = replace(target, is_temp=not target.is_temp)
        case 9:
            target = replace(target, is_stored=not target.is_stored)
        case _:
            target = replace(target, sources=target.sources + 1)
    return replace(world, targets=(*world.targets[:at], target, *world.targets[at + 1 :]))


def _remark(world: World, which: int, value: int) -> World:
    """What does not count."""
    at = which % len(world.targets)
    target = replace(world.targets[at], remarks=value % 4)
    return replace(world, targets=(*world.targets[:at], target, *world.targets[at + 1 :]))


OF_TEXT = {
    "source": _source,
    "new_source": _new_source,
    "days": _days,
    "param": _param,
    "code": _code,
    "note": _note,
    "clause": _clause,
    "remark": _remark,
}
"""Edits of what the user wrote."""
OF_DISK = ("delete", "scribble", "touch", "lose")
"""Edits of what lies there: outputs deleted, or changed by hand; every file touched; the store deleted."""
BACK = "undo"


@dataclass
class Place:
    """A world in a folder, and all that it was before."""

    root: Path
    world: World
    past: list[World] = field(default_factory=list)
    has_lost: bool = False
    """Whether the store may lack results: it was deleted once, or a target has not always been stored. What is gone
    since then stays so until something needs it."""

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._write({})

    def apply(self, edit: Edit) -> None:
        if edit.kind in OF_DISK:
            getattr(self, f"_{edit.kind}")(edit)
            return
        before = self.world
        if edit.kind == BACK:
            self.world = self.past[-1 - edit.which % len(self.past)] if self.past else before
        else:
            self.world = OF_TEXT[edit.kind](before, edit.which, edit.value)
        if self.world != before:
            stored = [target.is_stored for target in before.targets]
            self.has_lost |= stored != [target.is_stored for target in self.world.targets]
            self.past.append(before)
            self._write(before.files())

    def _write(self, before: dict[str, str]) -> None:
        after = self.world.files()
        for path in before.keys() - after.keys():
            (self.root / path).unlink()
        for path, text in after.items():
            if before.get(path) != text:
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                (self.root / path).write_text(text)
        if _WALKS.search(after["Pipelinefile"]):
            self._tidy()

    def _tidy(self) -> None:
        """Remove what no target makes any more: it does not count, but a recipe that walks a folder sees it."""
        kept = self.world.made_paths()
        for path in self.made():
            if not any(path == one or (path.startswith(one) and one.endswith("/")) for one in kept):
                (self.root / path).unlink()

    def _delete(self, edit: Edit) -> None:
        """A file or a folder of what was made."""
        if there := sorted((self.root / "out").rglob("*")):
            path = there[edit.which % len(there)]
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _scribble(self, edit: Edit) -> None:
        """Into a file that was made, or a new one into a directory that was."""
        there = sorted(path for path in (self.root / "out").rglob("*") if path.is_file() or path.name == "tree")
        if there:
            path = there[edit.which % len(there)]
            path = path / "stray.txt" if path.is_dir() else path
            path.write_text(f"by hand {edit.value % 2}\n")

    def _touch(self, edit: Edit) -> None:
        for path in self.root.rglob("*"):
            if path.is_file() and ".mlbuild" not in path.parts:
                os.utime(path)

    def _lose(self, edit: Edit) -> None:
        shutil.rmtree(self.root / ".mlbuild/store", ignore_errors=True)
        self.has_lost = True

    def made(self) -> dict[str, str]:
        """path → text of every file below out/."""
        found = (path for path in (self.root / "out").rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_text() for path in found}


Round = tuple[list[Edit], int]
"""Edits, and then goals, as `World.goals` reads the number."""


# --- what is drawn

small = st.integers(0, 11)
targets = st.builds(
    Target,
    daily=st.booleans(),
    made=st.sampled_from([("main",), ("main", "side"), ("main", "tree"), ()]),
    links=st.lists(st.tuples(small, small), min_size=1, max_size=3).map(tuple),
    sources=st.integers(0, 3),
    script=st.integers(0, 1),
    value=st.integers(0, 3),
    first=st.booleans(),
    listed=st.booleans(),
    is_temp=st.booleans(),
    is_stored=st.booleans(),
)
kinds = (*OF_TEXT, *OF_DISK, BACK, *("source", "code", "clause", BACK) * 2, "delete", "param")
"""Some more often than others."""
edits = st.builds(Edit, st.sampled_from(kinds), small, small)


def worlds(most: int) -> st.SearchStrategy[World]:
    """Worlds of at most so many targets."""
    return st.builds(World, st.lists(targets, min_size=1, max_size=most).map(tuple))


def rounds(least: int, most: int) -> st.SearchStrategy[list[Round]]:
    return st.lists(st.tuples(st.lists(edits, min_size=1, max_size=3), small), min_size=least, max_size=most)
