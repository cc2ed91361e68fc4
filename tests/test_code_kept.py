"""What an entry comes to is kept, and believed only where a walk would come to the same."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from fakes import MemoryFiles
from packages import edited, package, texts
from workspace import Workspace

from mlbuild.code.kept import Kept, key, walked
from mlbuild.code.reach import Entry
from mlbuild.code.sources import Sources

CASES = int(os.environ.get("MLBUILD_TEST_CASES", "200"))
ENTRY = Entry("jobs/main.py", search=("lib",))
FILES = {
    "jobs/main.py": "import a.b\ntry:\n    import c\nexcept ImportError:\n    c = None\n",
    "lib/a/b.py": "def f(): return 1\n",
    "lib/other.py": "def f(): return 1\n",
    "data/one.csv": "1\n",
}


def sources(files: dict[str, str]) -> Sources:
    return Sources(MemoryFiles(dict(files)))


def kept(files: dict[str, str], entry: Entry = ENTRY) -> Kept:
    """What is kept of an entry, as it comes back from where it was."""
    return Kept.from_json(walked(entry, sources(files))[1].as_json())


@pytest.mark.parametrize(
    "fresh",
    [
        {"jobs/main.py": "import a.b\n"},
        {"lib/a/b.py": "def f(): return 2\n"},
        {"lib/a/__init__.py": ""},
        {"jobs/a.py": ""},
        {"jobs/a/b.py": ""},
        {"c.py": ""},
        {"src/c/__init__.py": ""},
        {"lib/c.cpython-311-x86_64-linux-gnu.so": ""},
        {"lib/a/b.pyc": ""},
        {"lib/sitecustomize.py": ""},
    ],
)
def test_what_was_looked_at_and_is_not_as_it_was(fresh: dict[str, str]) -> None:
    assert kept(FILES).stands(sources(FILES))
    assert not kept(FILES).stands(sources(FILES | fresh))


def test_a_file_that_is_gone() -> None:
    for path in ("jobs/main.py", "lib/a/b.py"):
        assert not kept(FILES).stands(sources({name: text for name, text in FILES.items() if name != path}))


@pytest.mark.parametrize("fresh", [{"lib/other.py": ""}, {"data/c.py": ""}, {"lib/a.txt": ""}, {"report.html": ""}])
def test_what_was_not_looked_at(fresh: dict[str, str]) -> None:
    assert kept(FILES).stands(sources(FILES | fresh))


def test_entries_do_not_share_what_is_kept() -> None:
    text = sources(FILES).module("jobs/main.py")
    entries = [
        ENTRY,
        Entry("jobs/main.py"),
        Entry("jobs/main.py", whole=True, search=("lib",)),
        Entry(module="jobs.main", search=("lib",)),
        Entry(text=text, search=("lib",)),
        Entry(text=sources(FILES).module("lib/a/b.py"), search=("lib",)),
    ]
    assert len({key(entry) for entry in entries}) == len(entries)


def test_it_is_never_believed_where_a_walk_would_come_to_something_else() -> None:
    counts = Counter[str]()
    entry = Entry("main.py")
    for seed in range(CASES):
        random = Random(seed)
        before = package(random)
        after = dict(texts(edited(random, before)) if random.random() < 0.5 else texts(before))
        fresh = random.choice(["notes.txt", "pkg/notes.csv", "jobs/x.py", "functools.py", "pkg/a/__init__.py"])
        after[fresh] = "x = 1\n"
        if random.random() < 0.2:
            del after[random.choice(sorted(after.keys() - {"main.py"}))]
        old = kept(dict(texts(before)), entry)
        is_believed = old.stands(sources(after))
        counts["believed" if is_believed else "walked"] += 1
        assert not is_believed or kept(after, entry) == old, seed
    assert min(counts["believed"], counts["walked"]) > CASES / 20, counts


def test_a_file_that_is_written_between_two_looks_is_known_to_be() -> None:
    """What it was found to hold is not that of which the digest was taken: it must not be kept under that."""
    whole = sources(FILES)
    walked(ENTRY, whole)
    assert not whole.is_torn
    torn = Sources(MemoryFiles(dict(FILES)), content=lambda path: "0" * 32)
    walked(ENTRY, torn)
    assert torn.is_torn
    assert torn.learned == {}


def database(workspace: Workspace) -> sqlite3.Connection:
    return sqlite3.connect(Path(workspace.root) / ".mlbuild/journal.db", isolation_level=None)


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: python main.py > {outputs}\n')
    workspace.write("main.py", "import part\nprint(part.f())\n")
    workspace.write("part.py", "def f(): return 1\n")
    workspace.ok()
    assert workspace.ok().ran == []
    with database(workspace) as journal:
        journal.execute("DELETE FROM modules")
    return workspace


def test_no_file_is_taken_apart_where_nothing_was_touched(built: Workspace) -> None:
    assert built.ok().ran == []
    with database(built) as journal:
        assert journal.execute("SELECT count(*) FROM modules").fetchone() == (0,)
    built.write("part.py", "def f(): return 1  # the same\n")
    assert built.ok().ran == []
    with database(built) as journal:
        assert journal.execute("SELECT count(*) FROM modules").fetchone() == (2,)


def test_what_is_kept_goes_with_its_definitions(built: Workspace) -> None:
    with database(built) as journal:
        journal.execute("DELETE FROM code")
    assert built.ok().ran == []
    built.write("part.py", "def f(): return 2\n")
    assert "part.py: function f changed" in built.run("explain", "t").out
