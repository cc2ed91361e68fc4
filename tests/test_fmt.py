"""`mlbuild fmt`: what is laid out means the same, comments and all, and is left alone the next time."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from test_grammar import EVERYTHING
from test_language_fuzz import PIECES
from workspace import Workspace

from mlbuild.errors import Location, MlbuildError, Source
from mlbuild.language.layout import laid_out
from mlbuild.language.parser import lexemes, parse

CASES = int(os.environ.get("MLBUILD_TEST_FUZZ", "150"))
ROOT = Path(__file__).parents[1]
FILES = sorted(path for path in ROOT.rglob("Pipelinefile") if ".mlbuild" not in path.parts)
TEXTS = [EVERYTHING, *(path.read_text("utf-8") for path in FILES)]

UNTIDY = '''
# top


params   "params.yaml"  as   p # c
param  epochs=20      # passes
target b[ day ] : # hdr

  # first
  """One
     day
       x
   end"""
  inputs:  week=extract[day  - 6 .. day - 1]  , "a"


  outputs :
      a = "x"  ,
      # between
      b=[1,
      2, # two

          foo( "x",
    y = -  3 - 2013-01
    ),
      ]
      # after b
  # deeper
  run :   # hi
      echo   "a"

      # in
        deeper
    # behind
# glued
target c:
	run: echo \\
 more \\
   x
# tail'''

TIDY = '''\
# top

params "params.yaml" as p      # c
param epochs = 20     # passes

target b[day]:    # hdr
    # first
    """One
      day
        x
    end
    """
    inputs: week = extract[day-6..day-1], "a"

    outputs:
        a = "x",
        # between
        b = [1,
            2,  # two

            foo("x",
                y = -3 - 2013-01
            ),
        ]
        # after b
    # deeper
    run:  # hi
        echo   "a"

        # in
          deeper
    # behind

# glued
target c:
    run: echo \\
 more \\
   x
# tail
'''


def shape(value: Any) -> Any:
    """A tree without its places."""
    if isinstance(value, Location | Source):
        return None
    if isinstance(value, tuple):
        return tuple(shape(item) for item in value)
    if isinstance(value, Struct):
        return type(value).__name__, *(shape(getattr(value, name)) for name in value.__struct_fields__)
    return value


def check(text: str) -> None:
    """Lay out a text that can be read."""
    data = text.encode()
    once = laid_out("P", data)
    assert shape(parse("P", once.encode()).statements) == shape(parse("P", data).statements)
    assert laid_out("P", once.encode()) == once
    assert comments(once) == comments(text)


def comments(text: str) -> list[str]:
    """What stands between the words of a text beside blanks."""
    clean, found = lexemes("P", text.encode())
    ends = [0, *(lexeme.start + len(lexeme.text) for lexeme in found)]
    starts = [*(lexeme.start for lexeme in found), len(clean)]
    between = "\n".join(clean[end:start] for end, start in zip(ends, starts, strict=True))
    return [line.strip() for line in between.split("\n") if line.strip()]


def test_an_untidy_file() -> None:
    assert laid_out("P", UNTIDY.encode()) == TIDY
    check(UNTIDY)


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_there(text: str) -> None:
    check(text)


def test_the_files_of_this_project_are_laid_out() -> None:
    for path in FILES:
        assert laid_out(str(path), path.read_bytes()) == path.read_text("utf-8"), path


# --- Generated files

NAMES = st.sampled_from(["a", "day", "model", "x1", "_y", "ok", "from_", "inputs"])
TEXT = st.sampled_from(['"a"', '"{x}/b c"', "'raw'", '"# no comment"', '"\\"q\\""', '""', '"é"'])
ATOMS = st.one_of(
    NAMES, TEXT, st.sampled_from(["1", "2013", "2013-01", "2013-01-31T06", "1h30m", "8G", "1e-3", "true", "null"])
)
BLANK = st.sampled_from(["", " ", "  "])
INNER = st.sampled_from(["", " ", "\n", "\n      ", "  # c )\n  ", "\n\n\n\t# d\n "])


def _expressions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    blank = st.one_of(BLANK, INNER)
    operator = st.sampled_from(["+", "-", "*", "/", "<=", "==", "and", "or"])
    return st.one_of(
        st.tuples(inner, operator, inner).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
        st.tuples(inner, blank).map(lambda it: f"(-{it[1]}{it[0]})"),
        inner.map(lambda it: f"(not {it})"),
        st.tuples(NAMES, blank, st.lists(inner, min_size=1, max_size=3), blank).map(
            lambda it: f"{it[0]}[{it[1]}{','.join(it[2])}{it[3]}]"
        ),
        st.tuples(NAMES, blank, inner, blank, inner).map(lambda it: f"{it[0]}[{it[1]}{it[2]}{it[3]}..{it[4]}]"),
        st.tuples(NAMES, NAMES, blank).map(lambda it: f"{it[0]}[{it[1]} -{it[2]} 6 .. , {it[1]}=*]"),
        st.tuples(blank, st.lists(inner, max_size=3), blank).map(lambda it: f"[{it[0]}{(',' + it[2]).join(it[1])}]"),
        st.tuples(blank, NAMES, inner).map(lambda it: "{" + f"{it[0]}{it[1]}={it[2]}" + "}"),
        st.tuples(NAMES, blank, inner, NAMES).map(lambda it: f"{it[0]}({it[1]}{it[3]}= {it[2]},)"),
        st.tuples(inner, NAMES).map(lambda it: f"({it[0]}).{it[1]}?"),
    )


EXPRESSIONS = st.recursive(ATOMS, _expressions, max_leaves=8)
INDENT = st.sampled_from(["  ", "    ", "\t", "       "])
GAP = st.sampled_from(["", "\n", "\n\n\n", "# c\n", "   # d\n\n", "\t# e\n", "      \n         # deep\n"])
END = st.sampled_from(["", "  ", " # behind", "\t# behind", "                           # far"])
ROWS = st.lists(
    st.sampled_from(["echo {x}", "  deeper", "\ttab", "", "   ", "# comment", "cat <<EOF", "EOF", "a \\", "b  "]),
    min_size=1,
    max_size=5,
)
DESCRIPTION = st.sampled_from(
    ['"""one"""', '"""two\n   lines\n\n     in\n  it"""', '"""\n  a\n    b\n  """', '""" "q" """']
)


@st.composite
def targets(draw: st.DrawFn) -> str:
    indent = draw(INDENT)
    deeper = indent + draw(INDENT.filter(lambda it: ("\t" in it) == ("\t" in indent)))
    parts = [f"target t{draw(BLANK)}[{draw(BLANK)}day{draw(BLANK)}]{draw(BLANK)}:{draw(END)}\n"]
    if draw(st.booleans()):
        parts += [draw(GAP), indent, draw(DESCRIPTION), draw(END), "\n"]
    for _ in range(draw(st.integers(0, 2))):
        items = draw(st.lists(EXPRESSIONS, min_size=1, max_size=3))
        parts += [draw(GAP), indent, "inputs", draw(BLANK), ":"]
        if draw(st.booleans()):
            parts += [draw(BLANK), f"{draw(BLANK)},{draw(BLANK)}".join(items), draw(END), "\n"]
        else:
            parts += [draw(END), "\n", *(f"{draw(GAP)}{deeper}a{draw(BLANK)}={item}{draw(END)}\n" for item in items)]
    parts += [draw(GAP), indent, "run", draw(BLANK), ":"]
    rows = draw(ROWS)
    if draw(st.booleans()):
        parts += [draw(BLANK), draw(st.sampled_from(["true", "a \\\n  b"])), draw(BLANK), "\n"]
    else:
        parts += [
            draw(END),
            "\n",
            f"{deeper}first\n",
            *(f"{deeper}{row}\n" if row.strip() else f"{row}\n" for row in rows),
        ]
    return "".join(parts)


STATEMENTS = st.one_of(
    targets(),
    st.tuples(NAMES, BLANK, EXPRESSIONS, END).map(lambda it: f"param {it[0]}{it[1]}= {it[2]}{it[3]}\n"),
    st.tuples(BLANK, BLANK, END).map(lambda it: f"default {it[0]}a{it[1]},b{it[2]}\n"),
    st.tuples(END, END).map(lambda it: f"defaults:{it[0]}\n  timeout:1h{it[1]}\n"),
)
PIPELINEFILES = st.lists(st.tuples(GAP, STATEMENTS), max_size=5).map(
    lambda it: "".join(part for pair in it for part in pair)
)


@settings(max_examples=CASES, deadline=None)
@given(PIPELINEFILES)
def test_generated_files(text: str) -> None:
    check(text)


@settings(max_examples=CASES, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([*TEXTS, UNTIDY]))
def test_mutations_that_can_still_be_read(random: random.Random, text: str) -> None:
    at, length = random.randrange(len(text)), random.randrange(8)
    text = text[:at] + random.choice([random.choice(PIECES), "", text[at : at + 30]]) + text[at + length :]
    try:
        parse("P", text.encode())
    except MlbuildError:
        return
    check(text)


# --- The command


def test_the_command_lays_out_the_nearest_pipelinefile(workspace: Workspace) -> None:
    path = workspace.write("Pipelinefile", "target t :\n  run: true\n")
    path.chmod(0o640)
    (workspace.root / "inside").mkdir()
    ended = workspace.run("fmt", "--check")
    assert (ended.status, ended.out) == (1, "would lay out Pipelinefile\n")
    assert workspace.read("Pipelinefile") == "target t :\n  run: true\n"
    ended = workspace.run("fmt", "-C", "inside")
    assert (ended.status, ended.out) == (0, "laid out ../Pipelinefile\n")
    assert workspace.read("Pipelinefile") == "target t:\n    run: true\n"
    assert path.stat().st_mode & 0o777 == 0o640
    ended = workspace.run("fmt", "--check")
    assert (ended.status, ended.out) == (0, "1 file laid out already\n")
    assert sorted(path.name for path in workspace.root.iterdir()) == ["Pipelinefile", "inside"]


def test_a_file_with_mistakes_is_left_alone_and_so_are_those_beside_it(workspace: Workspace) -> None:
    workspace.write("good", "target t :\n  run: true\n")
    workspace.write("bad", "target t :\n  outputs: [1\n  run: true\n")
    ended = workspace.run("fmt", "good", "bad")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        "bad:2:12: error: this `[` is never closed\n  2 |   outputs: [1\n    |            ^\n  hint: add `]`\n"
    )
    assert workspace.read("good") == "target t :\n  run: true\n"


def test_a_link_stays_one(workspace: Workspace) -> None:
    workspace.write("real", "target t :\n  run: true\n")
    (workspace.root / "Pipelinefile").symlink_to("real")
    assert workspace.run("fmt").status == 0
    assert (workspace.root / "Pipelinefile").is_symlink()
    assert workspace.read("real") == "target t:\n    run: true\n"


def test_a_file_from_elsewhere_gets_plain_line_breaks(workspace: Workspace) -> None:
    path = workspace.root / "Pipelinefile"
    path.write_bytes(b"\xef\xbb\xbftarget t:\r\n    run: true\r\n")
    assert workspace.run("fmt").status == 0
    assert path.read_bytes() == b"target t:\n    run: true\n"


def test_a_target_called_fmt(workspace: Workspace) -> None:
    workspace.pipeline("target fmt :\n  run: true\n")
    assert workspace.run("fmt").err == (
        "error: `fmt` is a subcommand and a target\n  hint: for the target: `mlbuild build fmt`, or `mlbuild -- fmt`\n"
    )
    assert workspace.run("fmt", "Pipelinefile").status == 0


def test_what_cannot_be_read(workspace: Workspace) -> None:
    assert workspace.run("fmt", "nowhere").err == "error: can't read nowhere: No such file or directory\n"
    assert workspace.run("fmt", ".").err == "error: can't read .: Is a directory\n"
