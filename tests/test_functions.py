"""The functions of expressions, in conditions and in `let`."""

from __future__ import annotations

import pytest
from pipelinefile import loaded
from workspace import Workspace

METRICS = '{"auc": 0.7, "folds": [0.5, 0.75, 1.0], "nan": NaN}'


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("rows(outputs.csv) == 2 and size(outputs.csv) == 7 and count(outputs) == 2", True),
        ("exists(outputs.csv) and not exists('nowhere.txt')", True),
        ("min(metrics.folds) == 0.5 and max(metrics.folds) == 1 and mean(metrics.folds) == 0.75", True),
        ("all([metrics.auc > 0.5, true]) and any([false, metrics.auc > 0.5])", True),
        ("count(glob('*.in')) == 2 and count(lines('list.in')) == 3", True),
        ("env('NOT_SET_AT_ALL', 3) == 3", True),
        ("max(other[*].metrics.auc) == 3", True),
        ("max(other[*].metrics.nope) > 0", False),
        ("other['c'].metrics.auc? > 100", True),
        ("metrics.nope > 0", False),
        ("metrics.nan < 1", False),
        ("not (metrics.nan < 1)", False),
        ("count(range(3)) == 3 and count(keys({a = 1})) == 1", True),
    ],
)
def test_in_conditions(workspace: Workspace, condition: str, holds: bool) -> None:
    workspace.pipeline(f"""
        partition k: ["a", "b"]
        target other[k]:
            metrics: "{{k}}.json"
            run: echo '{{"auc": 3}}' > {{metrics}}
        target t:
            after: other[*]
            outputs: csv = "t.csv", dir = "d/"
            metrics: "m.json"
            check: {condition}
            run:
                printf 'h\\n1\\n22\\n' > t.csv
                echo '{METRICS}' > m.json
    """)
    workspace.write("list.in", "a\nb\nc\n")
    workspace.write("more.in", "")
    ended = workspace.build("t")
    assert (ended.status == 0) is holds, ended.out


def test_in_lets() -> None:
    text = (
        'let n = max([1, 2]) + count(lines("l")) * 10\n'
        "let m = mean(range(5))\n"
        'let e = env("NOT_SET_AT_ALL", "x")\n'
        "target t:\n    run: x\n"
    )
    constants = loaded(text, files={"l": "a\nb\n"}).constants
    assert [constants[name].value for name in "nme"] == [22, 2, "x"]
