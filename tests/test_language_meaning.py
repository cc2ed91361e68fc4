"""What is said where a Pipelinefile reads well and means nothing."""

from __future__ import annotations

import pytest
from pipelinefile import mistakes

# ruff: noqa: E501 (the texts are what they are)

HEAD = """\
partition day: daily from 2013-01-01 to 2013-12-31
partition model: ["logistic", "boosted"]
partition region: ["us", "eu"]
param lr = 0.1
target extract[day]:
    outputs: "raw/{day}"
    run: x
target score[region, model]:
    outputs: csv = "s/{region}/{model}"
    metrics: "m/{region}/{model}.json"
    run: x
target merge:
    outputs: "all"
    run: x
"""

CASES = {
    "an unknown name in a recipe": (
        """\
target t[day]:
    run: echo {dya} {epochs}
""",
        """\
Pipelinefile:16:16: error: there is no `dya`
  16 |     run: echo {dya} {epochs}
     |                ^^^
  hint: did you mean `day`? To write {dya} itself, double the braces: {{dya}}

Pipelinefile:16:22: error: there is no `epochs`
  16 |     run: echo {dya} {epochs}
     |                      ^^^^^^
  hint: to write {epochs} itself, double the braces: {{epochs}}""",
    ),
    "a partition that the target lacks": (
        """\
target t:
    run: echo {region}
""",
        """\
Pipelinefile:16:16: error: `region` is a partition, and this target does not have it
  16 |     run: echo {region}
     |                ^^^^^^
  hint: declare it: target NAME[region]:""",
    ),
    "a target in a recipe": (
        """\
target t:
    run: echo {merge}
""",
        """\
Pipelinefile:16:16: error: `merge` is a target, which has no value here
  16 |     run: echo {merge}
     |                ^^^^^
  hint: a target's outputs are {inputs.NAME} once it stands in `inputs:`""",
    ),
    "an input that has no such name": (
        """\
target t:
    inputs: week = merge
    run: echo {inputs.weak}
""",
        """\
Pipelinefile:17:16: error: `inputs` has no `weak`
  17 |     run: echo {inputs.weak}
     |                ^^^^^^^^^^^
  hint: did you mean `week`?""",
    ),
    "two inputs of one name": (
        """\
target t:
    inputs: merge, merge
    run: echo {inputs.merge}
""",
        """\
Pipelinefile:17:16: error: two inputs are called `merge`
  17 |     run: echo {inputs.merge}
     |                ^^^^^^^^^^^^
  hint: give one of them a name of its own: inputs: NAME = merge""",
    ),
    "an unknown format": (
        """\
target t:
    run: echo {lr:foo}
""",
        """\
Pipelinefile:16:15: error: there is no format `:foo`
  16 |     run: echo {lr:foo}
     |               ^^^^^^^^
  hint: formats: raw, file, json, stem, name, dir, --flag, %Y-%m-%d, .3f. To write {lr:foo} itself, double the braces""",
    ),
    "a format that does not fit": (
        """\
target t:
    run: echo {lr:d}
""",
        """\
Pipelinefile:16:15: error: `{lr:d}` can't be written as `:d`: Unknown format code 'd' for object of type 'float'
  16 |     run: echo {lr:d}
     |               ^^^^^^""",
    ),
    "a runtime name in a path": (
        """\
target t:
    outputs: "{inputs}"
    run: x
""",
        """\
Pipelinefile:16:16: error: `inputs` has no value here
  16 |     outputs: "{inputs}"
     |                ^^^^^^
  hint: it is known when a task runs""",
    ),
    "a path without quotes": (
        """\
target t:
    inputs: data/a.csv
    run: x
""",
        '''\
Pipelinefile:16:13: error: there is no `data`
  16 |     inputs: data/a.csv
     |             ^^^^
  hint: a path stands in quotes: "data/a.csv"''',
    ),
    "a misspelt target": (
        """\
target t:
    inputs: merg
    run: x
""",
        '''\
Pipelinefile:16:13: error: there is no `merg`
  16 |     inputs: merg
     |             ^^^^
  hint: did you mean `merge`? A path stands in quotes: "merg"''',
    ),
    "keys that are not given": (
        """\
target t:
    inputs: extract
""",
        """\
Pipelinefile:16:13: error: `extract` has a task for each key of `day`, and it is not said which are meant
  16 |     inputs: extract
     |             ^^^^^^^
  hint: all of them: extract[*]""",
    ),
    "some keys that are not given": (
        """\
target t[region]:
    inputs: score
""",
        """\
Pipelinefile:16:13: error: `score` has a task for each key of `model`, and it is not said which are meant
  16 |     inputs: score
     |             ^^^^^
  hint: all of them: score[model = *]""",
    ),
    "a star that is not clear": (
        """\
target t[region]:
    inputs: score[*]
""",
        """\
Pipelinefile:16:13: error: `score[*]` is not clear in a target that has `region` too
  16 |     inputs: score[*]
     |             ^^^^^^^^
  hint: of the same region: score[model = *]; of every region: score[region = *, model = *]""",
    ),
    "a star of the same partition": (
        """\
target t[day]:
    inputs: extract[*]
""",
        """\
Pipelinefile:16:13: error: `extract[*]` is not clear in a target that has `day` too
  16 |     inputs: extract[*]
     |             ^^^^^^^^^^
  hint: of the same day: extract; of every day: extract[day = *]""",
    ),
    "a partition that is none": (
        """\
target t:
    inputs: score[modle = *]
""",
        """\
Pipelinefile:16:19: error: `score` has no partition `modle`
  16 |     inputs: score[modle = *]
     |                   ^^^^^^^^^
  hint: did you mean `model`?""",
    ),
    "a bare key": (
        """\
target t:
    inputs: score[us, *]
""",
        """\
Pipelinefile:16:19: error: `us` is a name, and there is none such
  16 |     inputs: score[us, *]
     |                   ^^
  hint: a key is written in quotes: score["us"]""",
    ),
    "a bare key misspelt": (
        """\
target t:
    inputs: score[uss, *]
""",
        """\
Pipelinefile:16:19: error: `uss` is a name, and there is none such
  16 |     inputs: score[uss, *]
     |                   ^^^
  hint: did you mean "us"?""",
    ),
    "one key too many": (
        """\
target t:
    inputs: score["us", *, 3]
""",
        """\
Pipelinefile:16:28: error: `score` has 2 partitions, and this is one key more
  16 |     inputs: score["us", *, 3]
     |                            ^
  hint: its partitions: region, model""",
    ),
    "a key of a target without partitions": (
        """\
target t:
    inputs: merge[1]
""",
        """\
Pipelinefile:16:13: error: `merge` has no partitions, so no key can be selected
  16 |     inputs: merge[1]
     |             ^^^^^^^^""",
    ),
    "a shift without the partition": (
        """\
target t:
    inputs: extract[day-1]
""",
        """\
Pipelinefile:16:21: error: this target has no `day` of its own
  16 |     inputs: extract[day-1]
     |                     ^^^^^
  hint: write one key, or all: [day = *]""",
    ),
    "an unknown output": (
        """\
target t:
    inputs: score[*].cvs
""",
        """\
Pipelinefile:16:13: error: `score` has no output `cvs`
  16 |     inputs: score[*].cvs
     |             ^^^^^^^^^^^^
  hint: did you mean `csv`?""",
    ),
    "an output that has no name": (
        """\
target t:
    inputs: merge.weights
""",
        '''\
Pipelinefile:16:13: error: `merge` has no output `weights`
  16 |     inputs: merge.weights
     |             ^^^^^^^^^^^^^
  hint: name it there: outputs: weights = "…"''',
    ),
    "keys behind an output": (
        """\
target t:
    inputs: score.csv["us"]
""",
        """\
Pipelinefile:16:13: error: nothing can follow the output `csv`
  16 |     inputs: score.csv["us"]
     |             ^^^^^^^^^^^^^^^
  hint: keys stand after the target's name: score[…].csv""",
    ),
    "outputs that lack a partition": (
        """\
target t[region, model]:
    outputs: "t/{model}"
    run: x
""",
        """\
Pipelinefile:16:14: error: the tasks of `t` would all make this path: it lacks {region}
  16 |     outputs: "t/{model}"
     |              ^^^^^^^^^^^
  hint: put {region} into it""",
    ),
    "outputs in single quotes": (
        """\
target t[day]:
    outputs: 't/{day}'
    run: x
""",
        """\
Pipelinefile:16:14: error: the tasks of `t` would all make this path: it lacks {day}
  16 |     outputs: 't/{day}'
     |              ^^^^^^^^^
  hint: values are put in between "…" alone""",
    ),
    "outputs without a recipe": (
        """\
target t:
    outputs: "t"
""",
        """\
Pipelinefile:16:5: error: `t` has no `run:` that would make this
  16 |     outputs: "t"
     |     ^^^^^^^
  hint: add `run:`""",
    ),
    "a target that does nothing": (
        '''\
target t:
    """What for?"""
''',
        """\
Pipelinefile:15:8: error: `t` has nothing to do
  15 | target t:
     |        ^
  hint: add `run:`, or `inputs:` for a group of other targets""",
    ),
    "a name declared twice": (
        """\
target lr:
    run: a
""",
        """\
Pipelinefile:15:8: error: `lr` is declared twice: first at Pipelinefile:4:7, as a param
  15 | target lr:
     |        ^^
  hint: targets, partitions, params and lets share their names, over all included files""",
    ),
    "a name that is taken": (
        """\
param inputs = 3
""",
        """\
Pipelinefile:15:7: error: `inputs` is what each task has of its own, so it can't be declared
  15 | param inputs = 3
     |       ^^^^^^
  hint: choose another name""",
    ),
    "a clause given twice": (
        """\
target t:
    timeout: 3s
    timeout: 3s
    run: x
""",
        """\
Pipelinefile:17:5: error: `timeout:` is given twice, first on line 16
  17 |     timeout: 3s
     |     ^^^^^^^
  hint: put all into one""",
    ),
    "an unknown partition": (
        """\
target t[dya]:
    run: x
""",
        """\
Pipelinefile:15:10: error: there is no partition `dya`
  15 | target t[dya]:
     |          ^^^
  hint: did you mean `day`?""",
    ),
    "an unknown default": (
        """\
default mrge
""",
        """\
Pipelinefile:15:9: error: there is no target `mrge`
  15 | default mrge
     |         ^^^^
  hint: did you mean `merge`?""",
    ),
    "an unknown resource": (
        """\
target t:
    resources: cpu = 3
    run: x
""",
        """\
Pipelinefile:16:16: error: there is no resource `cpu`
  16 |     resources: cpu = 3
     |                ^^^^^^^
  hint: did you mean `cpus`?""",
    ),
    "memory without a unit": (
        """\
target t:
    resources: memory = 8
    run: x
""",
        """\
Pipelinefile:16:25: error: memory of 8 bytes
  16 |     resources: memory = 8
     |                         ^
  hint: a size has a unit: 8G""",
    ),
    "a time without a unit": (
        """\
target t:
    timeout: 30
    run: x
""",
        """\
Pipelinefile:16:14: error: a time has a unit, and 30 has none
  16 |     timeout: 30
     |              ^^
  hint: write 30s""",
    ),
    "an unknown option": (
        """\
target t:
    retry: 3, bakoff = 3s
    run: x
""",
        """\
Pipelinefile:16:15: error: `retry:` has no `bakoff`
  16 |     retry: 3, bakoff = 3s
     |               ^^^^^^^^^^^
  hint: did you mean `backoff`?""",
    ),
    "an unknown function": (
        """\
target t:
    check: row(outputs) > 3
    run: x
""",
        """\
Pipelinefile:16:12: error: there is no function `row`
  16 |     check: row(outputs) > 3
     |            ^^^^^^^^^^^^
  hint: did you mean `rows`?""",
    ),
    "a condition that is none": (
        """\
target t:
    check: size(outputs) + 1
    run: x
""",
        """\
Pipelinefile:16:12: error: `size(outputs) + 1` is no condition
  16 |     check: size(outputs) + 1
     |            ^^^^^^^^^^^^^^^^^
  hint: as in `metrics.auc >= 0.65`""",
    ),
    "a metric as an input": (
        """\
target t:
    inputs: score[*].metrics.auc
    run: x
""",
        """\
Pipelinefile:16:13: error: `score[*].metrics.auc` is a value, and an input is a file
  16 |     inputs: score[*].metrics.auc
     |             ^^^^^^^^^^^^^^^^^^^^
  hint: score.metrics brings the files that hold it""",
    ),
    "a format that does not fit a key": (
        """\
target t[day]:
    outputs: "{day:.3f}", "{day}"
    run: x
""",
        """\
Pipelinefile:16:15: error: `{day:.3f}` is text, which `:.3f` can't write
  16 |     outputs: "{day:.3f}", "{day}"
     |               ^^^^^^^^^""",
    ),
    "a recipe that is not for retrying": (
        """\
target t:
    retry: 2, on = [timout]
    run: x
""",
        """\
Pipelinefile:16:21: error: nothing fails as `timout`
  16 |     retry: 2, on = [timout]
     |                     ^^^^^^
  hint: did you mean `timeout`?""",
    ),
    "a circle of lets": (
        """\
let a = b
let b = c + 1
let c = a
""",
        """\
Pipelinefile:17:9: error: `a` needs its own value: a → b → c → a
  17 | let c = a
     |         ^
  hint: work one of them out otherwise""",
    ),
    "no time zone": (
        """\
partition hour: hourly from 2013-01-01 to 2013-01-02 in "Europe/Berln"
""",
        """\
Pipelinefile:15:57: error: there is no time zone "Europe/Berln"
  15 | partition hour: hourly from 2013-01-01 to 2013-01-02 in "Europe/Berln"
     |                                                         ^^^^^^^^^^^^^^
  hint: zones are named as in "Europe/Berlin"; on a system without zone data: pip install tzdata""",
    ),
    "a let of a partition": (
        """\
let a = day
""",
        """\
Pipelinefile:15:9: error: `day` is a partition: it has a value only in a target
  15 | let a = day
     |         ^^^
  hint: use it in a `target NAME[day]:`""",
    ),
    "a param that is no literal": (
        """\
param a = lr + 1
""",
        """\
Pipelinefile:15:11: error: the value of param `a` is no literal
  15 | param a = lr + 1
     |           ^^^^^^
  hint: a param is one literal, so that `a=…` can replace it; write `let` for what is worked out""",
    ),
    "two keys of one text": (
        """\
partition d: ["a", "a"]
""",
        """\
Pipelinefile:15:20: error: two keys have the text a
  15 | partition d: ["a", "a"]
     |                    ^^^
  hint: leave out one of them""",
    ),
    "a key that leads elsewhere": (
        """\
partition d: ["../a"]
""",
        """\
Pipelinefile:15:15: error: '../a' can't be a key: as a path it leads elsewhere
  15 | partition d: ["../a"]
     |               ^^^^^^
  hint: keys stand in paths and in the names of tasks""",
    ),
    "a calendar without dates": (
        """\
partition d: daily
""",
        """\
Pipelinefile:15:14: error: `daily` needs the date at which it begins
  15 | partition d: daily
     |              ^^^^^
  hint: write: daily from 2013-01-31""",
    ),
    "a calendar of other dates": (
        """\
partition d: daily from 2013-02
""",
        """\
Pipelinefile:15:25: error: 2013-02 can't be an end of daily periods
  15 | partition d: daily from 2013-02
     |                         ^^^^^^^
  hint: write 2013-01-31""",
    ),
    "a calendar that ends too early": (
        """\
partition d: daily from 2013-02-01 to 2013-01-01
""",
        """\
Pipelinefile:15:39: error: this partition ends (2013-01-01) before it begins (2013-02-01)
  15 | partition d: daily from 2013-02-01 to 2013-01-01
     |                                       ^^^^^^^^^^
  hint: the first key stands behind `from`, the last behind `to`""",
    ),
    "what defaults can not hold": (
        """\
defaults:
    run: x
""",
        """\
Pipelinefile:16:5: error: `run:` can't stand in `defaults:`
  16 |     run: x
     |     ^^^
  hint: it belongs to one target""",
    ),
    "what is not there yet": (
        """\
target t:
    when: exists("x")
    inputs: first(merge, extract[*])
    run: x
""",
        """\
Pipelinefile:16:5: error: `when:` is not there yet
  16 |     when: exists("x")
     |     ^^^^
  hint: a later version of mlbuild brings it

Pipelinefile:17:13: error: `first()` is not there yet
  17 |     inputs: first(merge, extract[*])
     |             ^^^^^^^^^^^^^^^^^^^^^^^^
  hint: a later version of mlbuild brings it""",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_whole_text_of_the_error(case: str) -> None:
    text, said = CASES[case]
    assert mistakes(HEAD + text) == said
