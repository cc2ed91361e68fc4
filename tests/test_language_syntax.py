"""What is said where a text is no Pipelinefile."""

from __future__ import annotations

import pytest
from pipelinefile import mistakes

# ruff: noqa: E101 (one of the texts mixes tabs and blanks)

CASES = {
    "a misspelt statement": (
        """\
targett x:
    run: a
""",
        """\
Pipelinefile:1:1: error: `targett` is no statement
  1 | targett x:
    | ^^^^^^^
  hint: did you mean `target`?""",
    ),
    "a rule as in make": (
        """\
all: a b
	echo
""",
        """\
Pipelinefile:1:1: error: `all` is no statement
  1 | all: a b
    | ^^^
  hint: write `target all:`, and below it, indented, `inputs:` and `run:`""",
    ),
    "an assignment as in make": (
        """\
epochs = 3
""",
        """\
Pipelinefile:1:1: error: `epochs` is no statement
  1 | epochs = 3
    | ^^^^^^
  hint: write `param epochs = …` or `let epochs = …`""",
    ),
    "a clause at the left edge": (
        """\
inputs: 'a'
""",
        """\
Pipelinefile:1:1: error: `inputs` is a clause of a target
  1 | inputs: 'a'
    | ^^^^^^
  hint: indent it below a `target NAME:`""",
    ),
    "a misspelt clause": (
        """\
target x:
    input: 'a'
    run: b
""",
        """\
Pipelinefile:2:5: error: `input` is no clause
  2 |     input: 'a'
    |     ^^^^^
  hint: did you mean `inputs`?""",
    ),
    "a clause of another tool": (
        """\
target x:
    shell: foo
""",
        """\
Pipelinefile:2:5: error: `shell` is no clause
  2 |     shell: foo
    |     ^^^^^
  hint: here that is `run:`""",
    ),
    "a command without run": (
        """\
target x:
    python train.py
""",
        """\
Pipelinefile:2:5: error: `python` is no clause
  2 |     python train.py
    |     ^^^^^^
  hint: commands stand below `run:`""",
    ),
    "a statement in a target": (
        """\
target x:
    run: a
    param y = 3
""",
        """\
Pipelinefile:3:5: error: `param` is a statement and can't stand in a target
  3 |     param y = 3
    |     ^^^^^
  hint: begin it at the left edge""",
    ),
    "a hyphen in a name": (
        """\
target build-report:
    run: x
""",
        """\
Pipelinefile:1:8: error: a name has no hyphen: `build-report`
  1 | target build-report:
    |        ^^^^^^^^^^^^
  hint: write `build_report`""",
    ),
    "a letter beyond ascii": (
        """\
target café:
    run: a
""",
        """\
Pipelinefile:1:8: error: `café` can't stand here
  1 | target café:
    |        ^^^^
  hint: expected a name or the end of the line""",
    ),
    "a name that begins with a digit": (
        """\
partition 2nd: [1]
""",
        """\
Pipelinefile:1:11: error: 2nd is no number, size or duration
  1 | partition 2nd: [1]
    |           ^^^
  hint: durations end in ms, s, m, h or d (1h30m), sizes in K, M, G or T (512M)""",
    ),
    "a reserved word": (
        """\
param and = 3
""",
        """\
Pipelinefile:1:7: error: `and` is a word of the language, not a name
  1 | param and = 3
    |       ^^^
  hint: choose another name""",
    ),
    "a target without a colon": (
        """\
target x
    run: a
""",
        """\
Pipelinefile:1:9: error: a colon is missing after `target x`
  1 | target x
    |         ^
  hint: write `target x:`""",
    ),
    "a clause without a colon": (
        """\
target x:
    timeout 3s
""",
        """\
Pipelinefile:2:13: error: a colon is missing after `timeout`
  2 |     timeout 3s
    |             ^^
  hint: write `timeout:`""",
    ),
    "a clause beside its target": (
        """\
target x: run: a
""",
        """\
Pipelinefile:1:11: error: clauses stand on lines of their own
  1 | target x: run: a
    |           ^^^
  hint: begin them on the next line, indented""",
    ),
    "an empty target": (
        """\
target x:  # nothing yet

param y = 3
""",
        """\
Pipelinefile:1:1: error: `target x` is empty
  1 | target x:  # nothing yet
    | ^^^^^^^^
  hint: write its lines below it, indented""",
    ),
    "an empty clause": (
        """\
target x:
    inputs:
    run: x
""",
        """\
Pipelinefile:2:5: error: `inputs` is empty
  2 |     inputs:
    |     ^^^^^^
  hint: write its lines below it, indented""",
    ),
    "brackets without a partition": (
        """\
target x[]:
    run: a
""",
        """\
Pipelinefile:1:10: error: no partition is named here
  1 | target x[]:
    |          ^
  hint: leave out `[ ]`, or name one in it""",
    ),
    "an empty recipe": (
        """\
target x:
    run:
    check: 1 > 2
""",
        """\
Pipelinefile:2:5: error: `run:` has no recipe
  2 |     run:
    |     ^^^
  hint: write the command on this line, or indent the lines below it deeper than `run`""",
    ),
    "an empty recipe at the end": (
        """\
target x:
    run:
""",
        """\
Pipelinefile:2:5: error: `run:` has no recipe
  2 |     run:
    |     ^^^
  hint: write the command on this line, or indent the lines below it deeper than `run`""",
    ),
    "run without a colon": (
        """\
target x:
    run
""",
        """\
Pipelinefile:2:5: error: `run` needs a colon
  2 |     run
    |     ^^^
  hint: write `run:`""",
    ),
    "tabs in a block of blanks": (
        """\
target x:
    run: a
	timeout: 3s
""",
        """\
Pipelinefile:3:1: error: this line is indented by tabs, and its block, which began on line 2, by blanks
  3 | 	timeout: 3s
    | ^
  hint: indent a block by blanks alone, or by tabs alone""",
    ),
    "blanks in a block of tabs": (
        """\
target x:
	run: a
    timeout: 3s
""",
        """\
Pipelinefile:3:1: error: this line is indented by blanks, and its block, which began on line 2, by tabs
  3 |     timeout: 3s
    | ^^^^
  hint: indent a block by blanks alone, or by tabs alone""",
    ),
    "tabs and blanks in one line": (
        """\
target x:
 	run: a
""",
        """\
Pipelinefile:2:1: error: this line is indented by tabs and blanks
  2 |  	run: a
    | ^^
  hint: indent a block by blanks alone, or by tabs alone""",
    ),
    "an indented first line": (
        """\
  target x:
      run: a
""",
        """\
Pipelinefile:1:3: error: the first line is indented
  1 |   target x:
    |   ^^^^^^
  hint: statements begin at the left edge""",
    ),
    "a line between two blocks": (
        """\
target x:
      run: a
    timeout: 3s
""",
        """\
Pipelinefile:3:1: error: this line is indented less than its block, from line 2, and more than what is around it
  3 |     timeout: 3s
    | ^^^^
  hint: lines of one block begin in the same column""",
    ),
    "a recipe below a line": (
        """\
target x:
    run: a
        b
""",
        """\
Pipelinefile:3:1: error: this line is indented too deep
  3 |         b
    | ^^^^^^^^
  hint: a recipe of several lines begins on the line below `run:`; or end the line before in `\\`""",
    ),
    "a recipe that falls back": (
        """\
target x:
    run:
        a
      b
""",
        """\
Pipelinefile:4:1: error: this line is indented too deep
  4 |       b
    | ^^^^^^
  hint: a recipe ends at the first line that is indented less than its own first""",
    ),
    "a here document at the left edge": (
        """\
target x:
    run: cat <<EOF
hello
EOF
""",
        """\
Pipelinefile:3:1: error: `hello` is no statement
  3 | hello
    | ^^^^^
  hint: if it is part of a recipe, indent it as the recipe's first line is (here-documents too)""",
    ),
    "a text that is not closed": (
        """\
target x:
    inputs: "a
""",
        """\
Pipelinefile:2:13: error: this text is never closed
  2 |     inputs: "a
    |             ^
  hint: it ends with " on the same line""",
    ),
    "a description that is not closed": (
        '''\
target x:
    """never
    run: a
''',
        '''\
Pipelinefile:2:5: error: this description is never closed
  2 |     """never
    |     ^^^
  hint: it ends with """''',
    ),
    "a description that comes late": (
        '''\
target x:
    run: a
    """doc"""
''',
        '''\
Pipelinefile:3:5: error: no description can stand here
  3 |     """doc"""
    |     ^^^
  hint: only a target has a """description""", as its first line''',
    ),
    "a bracket that is not closed": (
        """\
target x:
    inputs: ["a",
    run: x
""",
        """\
Pipelinefile:2:13: error: this `[` is never closed
  2 |     inputs: ["a",
    |             ^
  hint: add `]`""",
    ),
    "a typographic quote": (
        """\
target x:
    inputs: “a”
""",
        """\
Pipelinefile:2:13: error: “ is a typographic quote
  2 |     inputs: “a”
    |             ^
  hint: write "…" with straight quotes""",
    ),
    "a character that does not show": (
        """\
target x:
\u00a0   run: a
""",
        """\
Pipelinefile:2:1: error: a character that does not show (U+00A0) stands here
  2 | \ufffd   run: a
    | ^
  hint: remove it""",
    ),
    "a size in mb": (
        """\
target x:
    resources: memory = 512MB
""",
        """\
Pipelinefile:2:25: error: 512MB is no size
  2 |     resources: memory = 512MB
    |                         ^^^^^
  hint: write 512M: K, M, G and T are powers of 1024""",
    ),
    "an unknown unit": (
        """\
target x:
    timeout: 3min
""",
        """\
Pipelinefile:2:14: error: 3min is no number, size or duration
  2 |     timeout: 3min
    |              ^^^^
  hint: durations end in ms, s, m, h or d (1h30m), sizes in K, M, G or T (512M)""",
    ),
    "a date of the wrong shape": (
        """\
param x = 2013-1-1
""",
        """\
Pipelinefile:1:11: error: 2013-1-1 is no date
  1 | param x = 2013-1-1
    |           ^^^^^^^^
  hint: dates are 2013-01-31, months 2013-01, hours 2013-01-31T06; for a subtraction put blanks around the `-`""",
    ),
    "a date that is none": (
        """\
param x = 2013-02-30
""",
        """\
Pipelinefile:1:11: error: 2013-02-30 is no date: day is out of range for month
  1 | param x = 2013-02-30
    |           ^^^^^^^^^^""",
    ),
    "a path without quotes": (
        """\
target x:
    inputs: data/*.csv
""",
        '''\
Pipelinefile:2:13: error: the path data/*.csv needs quotes
  2 |     inputs: data/*.csv
    |             ^^^^^^^^^^
  hint: write "data/*.csv"''',
    ),
    "an include without quotes": (
        """\
include other.pipe
""",
        '''\
Pipelinefile:1:9: error: other.pipe needs quotes
  1 | include other.pipe
    |         ^^^^^^^^^^
  hint: write "other.pipe"''',
    ),
    "one equals sign": (
        """\
target x:
    check: metrics.auc = 3
""",
        """\
Pipelinefile:2:24: error: `=` gives a name to what follows it
  2 |     check: metrics.auc = 3
    |                        ^
  hint: a comparison is `==`""",
    ),
    "an operator of another language": (
        """\
target x:
    check: a && b
""",
        """\
Pipelinefile:2:14: error: `&&` means nothing here
  2 |     check: a && b
    |              ^^
  hint: write `and`""",
    ),
    "a range outside brackets": (
        """\
target x:
    inputs: a..b
""",
        """\
Pipelinefile:2:14: error: `..` only stands in `[ ]`
  2 |     inputs: a..b
    |              ^^
  hint: a range of keys stands after a target's name: `features[2013-01-01..2013-01-31]`""",
    ),
    "a star outside brackets": (
        """\
target x:
    inputs: *
""",
        """\
Pipelinefile:2:13: error: `*` only stands in `[ ]`, or between two numbers
  2 |     inputs: *
    |             ^
  hint: a pattern is glob("data/*.csv")""",
    ),
    "a table with colons": (
        """\
param x = {a: 1}
""",
        """\
Pipelinefile:1:13: error: a table is written with `=`
  1 | param x = {a: 1}
    |             ^
  hint: as in {k = 1}""",
    ),
    "a value that is missing": (
        """\
param x =
""",
        """\
Pipelinefile:1:10: error: a value is missing at the end of the line
  1 | param x =
    |          ^
  hint: after `param x =`""",
    ),
    "a param with a colon": (
        """\
param x: 3
""",
        """\
Pipelinefile:1:8: error: `=` is missing after `param x`
  1 | param x: 3
    |        ^
  hint: write `param x = …`""",
    ),
    "two items on a line of a block": (
        """\
target x:
    inputs:
        "a", "b"
""",
        """\
Pipelinefile:3:14: error: a second item stands on this line
  3 |         "a", "b"
    |              ^^^
  hint: in a block, each item stands on a line of its own""",
    ),
    "two values without a comma": (
        """\
target x:
    inputs: 'a' 'b'
""",
        """\
Pipelinefile:2:17: error: `'b'` can't stand here
  2 |     inputs: 'a' 'b'
    |                 ^^^
  hint: expected `,` or the end of the line""",
    ),
    "a continued line": (
        """\
param x = 1 + \\
    2
""",
        """\
Pipelinefile:1:15: error: `\\` means nothing here
  1 | param x = 1 + \\
    |               ^
  hint: a line goes on only inside brackets, and in a recipe""",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_whole_text_of_the_error(case: str) -> None:
    text, said = CASES[case]
    assert mistakes(text) == said
