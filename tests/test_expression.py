"""Expressions: what is missing makes a condition false, and mistakes show their place."""

from __future__ import annotations

import pytest
from test_quoting import Values

from mlbuild.errors import PipelineError
from mlbuild.expression import Bundle, Key, evaluate
from mlbuild.language import ast
from mlbuild.language.parser import parse

SCOPE = Values(
    metrics={"auc": 0.8, "nan": float("nan"), "null": None, "by": {"macro avg": {"f1-score": 0.5}}},
    outputs=Bundle(("a", "b"), (("x", Bundle(("a",), single=True)),)),
    model=Key("boosted", "boosted"),
    rate=Key("1e-3", 0.001),
    params={"boosted": {"lr": 0.1}, "list": [1, 2], "1e-3": "by text"},
    n=3,
)


def value(text: str) -> object:
    let = parse("Pipelinefile", f"let x = {text}\n".encode()).statements[0]
    assert isinstance(let, ast.Let)
    return evaluate(let.value, SCOPE)


@pytest.mark.parametrize(
    "condition",
    [
        "metrics.auc >= 0.65",
        'metrics.by["macro avg"]["f1-score"] == 0.5',
        "0 < metrics.auc < 1",
        'model == "boosted" and rate < 0.01',
        'params[model].lr == 0.1 and params[rate] == "by text"',
        "count(outputs) == 2 and count(outputs.x) == 1",
        "any(metrics.auc > 1, n == 3)",
        "false or not (n > 3)",
        "true or metrics.none > 1",
        'metrics.auc != "x"',
    ],
)
def test_what_holds(condition: str) -> None:
    assert value(condition) is True


@pytest.mark.parametrize(
    "condition",
    [
        "metrics.none > 0",
        "metrics.none <= 0",
        "metrics.none != 0",
        "not (metrics.none > 0)",
        "metrics.nan != 1",
        "not (metrics.nan < 1)",
        "metrics['null'] > 1",
        "metrics.none.deeper > 1 and true",
        "metrics.none + 1 > 0 or false",
        "mean(metrics.auc, metrics.none) > 0",
        "max([metrics.nan, 1]) >= 1",
        "min([]) < 1",
        "false and 1 / 0 > 1",
    ],
)
def test_what_does_not_hold(condition: str) -> None:
    assert not value(condition)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("1 + 'a'", 13, "a number is needed, and `'a'` is text"),
        ("n and true", 9, "true or false is needed, and `n` is a whole number"),
        ("'a' < 1", 9, "text and a whole number have no order"),
        ("n / (n - 3)", 14, "`n - 3` is 0: nothing can be divided by it"),
        ("params.boosted.lrr", 9, "`params.boosted` has no `lrr`"),
        ("params.list[2]", 9, "`params.list` has 2 items, the first of them [0]"),
        ("params.list.x", 9, "`params.list` is a list: nothing can be looked up in it"),
        ("outputs.y", 9, "`outputs` has no `y`"),
        ("n.x", 9, "`n` is a whole number: nothing can be looked up in it"),
        ("n[*]", 9, "`n[*]` takes one value; keys are selected only of a target"),
        ("mean(true)", 9, "a number is needed, and `mean(true)` is true or false"),
        ("1e308 * 10 * 1e308 - 3.5 / 1e999", 36, "this number is too large"),
    ],
)
def test_mistakes(text: str, column: int, message: str) -> None:
    with pytest.raises(Exception) as caught:
        value(text)
    error = caught.value
    assert isinstance(error, PipelineError) or hasattr(error, "errors")
    assert error.message == message  # type: ignore[attr-defined]
    assert error.at.column == column  # type: ignore[attr-defined]
