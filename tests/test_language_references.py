"""References: one selector for each partition of the target meant, and edges in conditions."""

from __future__ import annotations

import pytest
from pipelinefile import loaded

from mlbuild.errors import Location, Source
from mlbuild.expression import Between, Binary, Every, One, Point, Reference, walk
from mlbuild.target import Glob

HEAD = """\
partition day: daily from 2013-01-01 to 2013-12-31
partition model: ["logistic", "boosted"]
partition fold: [1e-3, 2]
let chosen = "boosted"
target extract[day]:
    outputs: "raw/{day}"
    run: x
target score[model, fold]:
    outputs: csv = "s/{model}/{fold}"
    metrics: "m/{model}/{fold}.json"
    run: x
target merge:
    outputs: "all"
    run: x
"""
NOWHERE = Location(Source("", ""), 1, 1)


def reference(written: str, own: str = "") -> Reference:
    head = f"target t{own}:\n    inputs: {written}\n"
    source = loaded(HEAD + head).targets["t"].inputs[0].source
    assert isinstance(source, Reference)
    return source


def shown(selector: One | Between | Every) -> str:
    """A selector in short: `*`, `boosted`, `day-6..day`."""
    match selector:
        case One(point):
            return place(point)
        case Between(first, last):
            return f"{place(first)}..{place(last)}"
    return "*"


def place(point: Point | None) -> str:
    if point is None:
        return ""
    if point.key is not None:
        return repr(point.key)
    return f"{point.partition}{'.' + point.end if point.end else ''}{f'{point.offset:+}' if point.offset else ''}"


@pytest.mark.parametrize(
    ("written", "own", "selectors"),
    [
        ("merge", "", []),
        ("merge", "[day]", []),
        ("extract", "[day]", ["day"]),
        ("extract", "[model, day]", ["day"]),
        ("extract[*]", "", ["*"]),
        ("extract[*]", "[model]", ["*"]),
        ("extract[day = *]", "[day]", ["*"]),
        ("score[*]", "", ["*", "*"]),
        ("score[model, *]", "[model]", ["model", "*"]),
        ("score[fold = *]", "[model]", ["model", "*"]),
        ("score[*, fold]", "[fold]", ["*", "fold"]),
        ('score["boosted"]', "[fold]", ["'boosted'", "fold"]),
        ("score[chosen, 1e-3]", "", ["'boosted'", "'1e-3'"]),
        ("score[chosen, 0.001]", "", ["'boosted'", "'1e-3'"]),
        ('score[fold = 2, model = "x"]', "", ["'x'", "'2'"]),
        ("extract[2013-01-01]", "", ["'2013-01-01'"]),
        ("extract[2013-01-01..2013-10-31]", "[model]", ["'2013-01-01'..'2013-10-31'"]),
        ("extract[2013-11-01..]", "", ["'2013-11-01'.."]),
        ("extract[..day]", "[day]", ["..day"]),
        ("extract[day-1]", "[day]", ["day-1"]),
        ("extract[day + 1 - 3]", "[day]", ["day-2"]),
        ("extract[day-6..day]", "[day]", ["day-6..day"]),
        ("extract[day.last-29..day.last]", "", ["day.last-29..day.last"]),
        ("extract[day.first]", "", ["day.first"]),
    ],
)
def test_selectors(written: str, own: str, selectors: list[str]) -> None:
    assert [shown(selector) for selector in reference(written, own).selectors] == selectors


@pytest.mark.parametrize(
    ("written", "output", "metrics"),
    [
        ("score[*]", None, None),
        ("score[*].csv", "csv", None),
        ("score[*].metrics", None, ()),
    ],
)
def test_what_of_the_target(written: str, output: str | None, metrics: tuple[str, ...] | None) -> None:
    found = reference(written)
    assert (found.output, found.metrics) == (output, metrics)


def test_items_of_inputs() -> None:
    target = loaded(
        HEAD + 'let many = ["a", "b"]\ntarget t:\n    inputs: x = "p", glob("q/*"), many, w = merge\n'
    ).targets["t"]
    assert [item.name for item in target.inputs] == ["x", None, None, None, "w"]
    assert isinstance(target.inputs[1].source, Glob)


def test_references_in_conditions() -> None:
    target = loaded(HEAD + """\
target t[day]:
    outputs: "t/{day}"
    check: rows(outputs) > 0.5 * rows(extract[day-1]) and score[*].metrics["a b"].f1[0] < 1, "half"
    run: x
""").targets["t"]  # fmt: skip
    (check,) = target.checks
    assert isinstance(check.condition, Binary)
    found = [part for part in walk(check.condition) if isinstance(part, Reference)]
    assert [(one.target, one.metrics) for one in found] == [("extract", None), ("score", ("a b", "f1", 0))]
    assert check.message is not None and check.message.parts == ("half",)
    assert check.text == 'rows(outputs) > 0.5 * rows(extract[day - 1]) and score[*].metrics["a b"].f1[0] < 1'
