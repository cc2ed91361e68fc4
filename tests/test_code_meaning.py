"""What a piece of Python means: one digest on every Python, blind to what has no effect."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mlbuild.code.meaning import digests, parsed

ROOT = Path(__file__).parent.parent


def meaning(text: str, *, documented: bool = False) -> str:
    tree = parsed(text.encode())
    assert tree is not None
    return digests([tree])[documented]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1 # a", "x = 1"),
        ("x=(1,\n 2)", "x = (1, 2,)"),
        ("def f():\n    'doc'\n    return 1", "def f():\n    return 1"),
        ("def f():\n    'doc'", "def f(): ..."),
        ("class A:\n    'doc'\n    x = 1\n    'about x'", "class A:\n    x = 1"),
        ("if x:\n    pass\n    y()", "if x:\n    y()"),
        ("x = 'a' 'b'", 'x = "ab"'),
        ("x = u'a'", "x = 'a'"),
        ("x = 0x10", "x = 16"),
        ("x = 1_000.0", "x = 1e3"),
        ("x = f'a' 'b'", "x = f'ab'"),
        ("x = f'{y:}'", "x = f'{y}'"),
        ("x = 1 # type: int", "x = 1"),
        ("lambda: (1)", "lambda: 1"),
    ],
)
def test_the_same_meaning(one: str, other: str) -> None:
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "y = 1"),
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = 0.0", "x = 0j"),
        ("x = 'a'", "x = b'a'"),
        ("x = 'None'", "x = None"),
        ("x = f'{y}'", "x = '{y}'"),
        ("x = f'{y!r}'", "x = f'{y!s}'"),
        ("x = f'{y:>3}'", "x = f'{y:<3}'"),
        ("{**a, b: c}", "{a: b, **c}"),
        ("f(*a)", "f(a)"),
        ("f(a, b)", "f((a, b))"),
        ("def f(a, /, b): return a", "def f(a, b, /): return a"),
        ("def f(*, a=1, b): return a", "def f(*, a, b=1): return a"),
        ("if x:\n    y\nelse:\n    z", "if x:\n    y\n    z"),
        ("a; b", "b; a"),
        ("from a import b", "from .a import b"),
        ("async def f(): return 1", "def f(): return 1"),
        ("x: int = 1", "(x): int = 1"),
        ("a = b = c", "a = b, c"),
        ("x = 'ab', 'c'", "x = 'a', 'bc'"),
    ],
)
def test_another_meaning(one: str, other: str) -> None:
    assert meaning(one) != meaning(other)


def test_docstrings_count_where_they_are_asked_for() -> None:
    texts = ("def f():\n    'a'", "def f():\n    'b'", "def f():\n    ...\n    'a'", "def f(): pass")
    assert len({meaning(text) for text in texts}) == 1
    assert len({meaning(text, documented=True) for text in texts}) == 3


def test_a_tree_deeper_than_the_stack_has_a_digest() -> None:
    tree: ast.expr = ast.Name("x", ast.Load())
    for _ in range(20 * sys.getrecursionlimit()):
        tree = ast.Attribute(tree, "y", ast.Load())
    assert [len(one) for one in digests([tree])] == [32, 32]


@pytest.mark.parametrize("text", [b"def f(:", b"x = '\0'", b"\xff\xfe", b"x = " + b"(" * 5000, b"x = " + b"9" * 5000])
def test_what_cannot_be_parsed(text: bytes) -> None:
    assert parsed(text) is None


CORPUS = '''
# -*- coding: utf-8 -*-
"""A text."""
from __future__ import annotations
import a.b as c, d
from .. import e
x = {1, 2.5, 3j, -0.0, 1e400, 0xFFFF_FFFF_FFFF_FFFF, b"\\xff\\x00", "\\ud800", "ü", ..., None, True}
y = f"{x!r:>{width}.{y:d}}{{}}" f"" "tail" f"{z = }" rf"\\d{x:\\d}"
z = lambda a, /, b=1, *c, d, e=2, **f: (yield)
def f(a: int, /, *args: str, b: list[int] = [], **kw) -> dict[str, int]:
    global g
    nonlocal_ = [i async for i in j if i if k] if (n := 10) else {**a, "b": c}
    try:
        assert a, "b"
    except* (A, B) as e:
        raise C from e
    finally:
        del a[1:2, ::3], b.c
    return not a < b <= c is not d not in e
async def h():
    async with a as b, c: await d
@d.e(1)
class K(L, metaclass=M, *n, **o):
    x: int
    y: str = "a"
match p:
    case {"a": [1, *rest], **more} | Q(b=None, c=-1) if r: pass
    case "s" | (1 + 2j) as t: ...
    case _: u @= v; w //= 2
while 1:
    break
else:
    print(*a, sep="")
'''


def test_a_pinned_digest() -> None:
    """It is the same on every Python and in every release: change `FORMAT` with it."""
    assert (meaning(CORPUS), meaning(CORPUS, documented=True)) == (PINNED, PINNED_DOCUMENTED)


PINNED = "5a0a2628dc95d1049212a61b34bda7b3"
PINNED_DOCUMENTED = "f91c548cb7efbc03bf56b68085f1c30a"

DIGESTS = """
import hashlib, pathlib, sys, types
stub = types.ModuleType("xxhash")
stub.xxh3_128_hexdigest = lambda data: hashlib.blake2b(data, digest_size=16).hexdigest()
sys.modules["xxhash"] = stub
sys.path.insert(0, sys.argv[1])
from mlbuild.code.meaning import digests, parsed
for line in sys.stdin:
    tree = parsed(pathlib.Path(line.strip()).read_bytes())
    print(line.strip(), *(digests([tree]) if tree else (None, None)))
"""
"""Run by other Pythons, which have no xxhash."""


def pythons() -> list[str]:
    """Every Python from 3.11 on that can be found here, by its path."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = [f"python3.{minor}" for minor in range(11, 16)]
    found = [shutil.which(name) for name in names] + [
        os.fspath(path) for name in names for path in sorted(pyenv.glob(f"*/bin/{name}"))
    ]
    works = [path for path in found if path and not subprocess.run([path, "-c", ""], capture_output=True).returncode]
    return list(dict.fromkeys([sys.executable, *works]))


def said_by(python: str, paths: list[str]) -> list[str]:
    ended = subprocess.run(
        [python, "-c", DIGESTS, os.fspath(ROOT)], input="\n".join(paths), capture_output=True, text=True, check=True
    )
    return ended.stdout.splitlines()


def test_every_python_comes_to_the_same_digests(tmp_path: Path) -> None:
    """Of the running Python's own library, for each Python at hand; `MLBUILD_TEST_CASES` takes more of its files."""
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(os.fspath(path) for path in library.rglob("*.py") if "site-packages" not in path.parts)
    step = max(1, len(files) // int(os.environ.get("MLBUILD_TEST_CASES", "100")))
    corpus = tmp_path / "corpus.py"
    corpus.write_text(CORPUS)
    paths = [os.fspath(corpus), *files[::step]]
    expected = said_by(sys.executable, paths)
    assert len(expected) == len(paths)
    assert sum("None" not in line for line in expected) > 50
    for python in pythons()[1:]:
        found = said_by(python, paths)
        # What only one of the two can parse counts by its bytes on the other.
        both = [pair for pair in zip(expected, found, strict=True) if not any("None" in line for line in pair)]
        assert len(both) > 50
        assert all(one == other for one, other in both), python
