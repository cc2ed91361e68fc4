"""What people write who come from make, Snakemake, DVC and YAML, and what is said of it."""

from __future__ import annotations

import pytest
from pipelinefile import mistakes

FROM_ELSEWHERE = {
    "a rule of make": (
        """\
all: report.html
	python report.py
""",
        """\
Pipelinefile:1:1: error: `all` is no statement
  1 | all: report.html
    | ^^^
  hint: write `target all:`, and below it, indented, `inputs:` and `run:`""",
    ),
    "a file as a rule": (
        """\
report.html: data.csv
    python report.py $< > $@
""",
        """\
Pipelinefile:1:1: error: `report` is no statement
  1 | report.html: data.csv
    | ^^^^^^
  hint: write `target report_html:`, and below it, indented, `outputs: "report.html"`, `inputs:` and `run:`""",
    ),
    "a variable of make": (
        """\
CC = gcc
target a:
    run: true
""",
        """\
Pipelinefile:1:1: error: `CC` is no statement
  1 | CC = gcc
    | ^^
  hint: write `param CC = …` or `let CC = …`""",
    ),
    "phony": (
        """\
.PHONY: clean
clean:
	rm -rf build
""",
        """\
Pipelinefile:1:1: error: `.PHONY` is no statement
  1 | .PHONY: clean
    | ^^^^^^
  hint: a target without `outputs:` needs no such line

Pipelinefile:2:1: error: `clean` is no statement
  2 | clean:
    | ^^^^^
  hint: write `target clean:`""",
    ),
    "a pattern rule": (
        """\
%.o: %.c
	cc -c $<
""",
        """\
Pipelinefile:1:1: error: `%.o` is no statement
  1 | %.o: %.c
    | ^^^
  hint: what `%` stands for is a partition: partition stem: glob("raw/{stem}.csv"), and target NAME[stem]:""",
    ),
    "a path as a target": (
        """\
target build/%.csv: raw/%.csv
    run: x
""",
        """\
Pipelinefile:1:8: error: a target is called by a name, not by a path
  1 | target build/%.csv: raw/%.csv
    |        ^^^^^^^^^^^
  hint: give it a name, and below it, indented: outputs: "…\"""",
    ),
    "needs behind the colon": (
        """\
target all: report
    run: true
""",
        """\
Pipelinefile:1:13: error: clauses stand on lines of their own
  1 | target all: report
    |             ^^^^^^
  hint: begin them on the next line, indented: inputs: report""",
    ),
    "a rule of Snakemake": (
        """\
rule train:
    input: "data.csv"
    output: "model.pkl"
    shell: "python train.py {input} {output}"
""",
        """\
Pipelinefile:1:1: error: `rule` is no statement
  1 | rule train:
    | ^^^^
  hint: write `target NAME:`""",
    ),
    "threads": (
        """\
target train:
    inputs:
        data="a.csv",
        other="b.csv",
    outputs:
        "model.pkl",
    params:
        lr=0.1
    threads: 4
    run:
        python train.py {inputs.data} {wildcards.sample}
""",
        """\
Pipelinefile:8:9: error: `lr = 0.1` is no param
  8 |         lr=0.1
    |         ^^^^^^
  hint: name values as in `params: epochs, params.train`

Pipelinefile:9:5: error: `threads` is no clause
  9 |     threads: 4
    |     ^^^^^^^
  hint: here that is `resources: cpus = …`

Pipelinefile:11:40: error: there is no `wildcards`
  11 |         python train.py {inputs.data} {wildcards.sample}
     |                                        ^^^^^^^^^
  hint: to write {wildcards} itself, double the braces: {{wildcards}}""",
    ),
    "a list of Python": (
        """\
SAMPLES = ["a", "b"]
target x:
    inputs: expand("out/{sample}.txt", sample=SAMPLES)
    run: true
""",
        """\
Pipelinefile:1:1: error: `SAMPLES` is no statement
  1 | SAMPLES = ["a", "b"]
    | ^^^^^^^
  hint: write `param SAMPLES = …` or `let SAMPLES = …`

Pipelinefile:3:13: error: `expand()` is nothing that inputs can be
  3 |     inputs: expand("out/{sample}.txt", sample=SAMPLES)
    |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^""",
    ),
    "a configfile": (
        """\
configfile: "config.yaml"
target a:
    run: true
""",
        """\
Pipelinefile:1:1: error: `configfile` is no statement
  1 | configfile: "config.yaml"
    | ^^^^^^^^^^
  hint: a file of values is read by `params "FILE"`""",
    ),
    "stages of DVC": (
        """\
stages:
  train:
    cmd: python train.py
    deps:
      - data.csv
    outs:
      - model.pkl
""",
        """\
Pipelinefile:1:1: error: `stages` is no statement
  1 | stages:
    | ^^^^^^
  hint: each is a statement of its own: `target NAME:`""",
    ),
    "cmd of DVC": (
        """\
target train:
    cmd: python train.py
    deps:
      - a.csv
    outs:
      - model.pkl
""",
        """\
Pipelinefile:2:5: error: `cmd` is no clause
  2 |     cmd: python train.py
    |     ^^^
  hint: here that is `run:`

Pipelinefile:3:5: error: `deps` is no clause
  3 |     deps:
    |     ^^^^
  hint: here that is `inputs:`

Pipelinefile:5:5: error: `outs` is no clause
  5 |     outs:
    |     ^^^^
  hint: here that is `outputs:`""",
    ),
    "items with dashes": (
        """\
target train:
    inputs:
      - "a.csv"
    outputs:
      - "model.pkl"
    run: python train.py
""",
        """\
Pipelinefile:3:7: error: an item begins without a dash
  3 |       - "a.csv"
    |       ^
  hint: write the item alone, a path in quotes

Pipelinefile:5:7: error: an item begins without a dash
  5 |       - "model.pkl"
    |       ^
  hint: write the item alone, a path in quotes""",
    ),
    "a colon too early": (
        """\
target: train
    run: true
""",
        """\
Pipelinefile:1:7: error: `target` needs a name
  1 | target: train
    |       ^
  hint: write `target train:`""",
    ),
    "paths without quotes in a list": (
        """\
target train:
    outputs: [model.pkl, "b"]
    run: true
""",
        """\
Pipelinefile:2:15: error: there is no `model`
  2 |     outputs: [model.pkl, "b"]
    |               ^^^^^
  hint: a path stands in quotes: "model.pkl\"""",
    ),
    "a param with a colon": (
        """\
param lr: 0.1
target train:
    run: true
""",
        """\
Pipelinefile:1:9: error: `=` is missing after `param lr`
  1 | param lr: 0.1
    |         ^
  hint: write `param lr = …`""",
    ),
    "a variable of the shell": (
        """\
let x = $HOME
target train:
    run: true
""",
        """\
Pipelinefile:1:9: error: `$` means nothing here
  1 | let x = $HOME
    |         ^
  hint: a value is named without `$`; a variable of the environment is env("NAME")""",
    ),
    "a number without a digit": (
        """\
param lr = .1
target train:
    run: true
""",
        """\
Pipelinefile:1:12: error: .1 is no number
  1 | param lr = .1
    |            ^^
  hint: write 0.1""",
    ),
    "a version": (
        """\
param lr = 0.1.2
target a:
    run: true
""",
        """\
Pipelinefile:1:12: error: 0.1.2 is no number
  1 | param lr = 0.1.2
    |            ^^^^^
  hint: a version, or any other text, stands in quotes: "0.1.2\"""",
    ),
    "two equals signs": (
        """\
target a:
    run: true
let x == 3
""",
        """\
Pipelinefile:3:7: error: `==` compares two values
  3 | let x == 3
    |       ^^
  hint: a value is given with one `=`""",
    ),
    "keys without a list": (
        """\
partition model: "a", "b"
target train[model]:
    outputs: "{model}"
    run: true
""",
        """\
Pipelinefile:1:21: error: the keys of a partition stand in a list
  1 | partition model: "a", "b"
    |                     ^
  hint: as in ["a", "b"]""",
    ),
    "no keys": (
        """\
partition model:
    - a
    - b
target train:
    run: true
""",
        """\
Pipelinefile:1:17: error: the keys of a partition stand in a list
  1 | partition model:
    |                 ^
  hint: as in ["a", "b"]""",
    ),
    "daily without from": (
        """\
partition day: daily 2013-01-01 to 2013-12-31
target train:
    run: true
""",
        """\
Pipelinefile:1:22: error: `from` is missing after `daily`
  1 | partition day: daily 2013-01-01 to 2013-12-31
    |                      ^^^^^^^^^^
  hint: as in `daily from 2013-01-01`""",
    ),
    "a range behind from": (
        """\
partition day: daily from 2013-01-01..2013-12-31
target train:
    run: true
""",
        """\
Pipelinefile:1:37: error: the last period stands after `to`
  1 | partition day: daily from 2013-01-01..2013-12-31
    |                                     ^^
  hint: write `daily from 2013-01-01 to …`""",
    ),
    "a source in words": (
        """\
partition day: every day from 2013-01-01
target train:
    run: true
""",
        """\
Pipelinefile:1:22: error: this is no source of keys
  1 | partition day: every day from 2013-01-01
    |                      ^^^
  hint: as in ["a", "b"], daily from 2013-01-01, range(5), or keys(params.models)""",
    ),
    "partitions in parentheses": (
        """\
partition model: ["a", "b"]
target train(model):
    outputs: "{model}"
    run: true
""",
        """\
Pipelinefile:2:13: error: the partitions of a target stand in `[ ]`
  2 | target train(model):
    |             ^^^^^^^
  hint: write `target train[model]:`""",
    ),
    "partitions in braces": (
        """\
partition model: ["a", "b"]
target train{model}:
    outputs: "{model}"
    run: true
""",
        """\
Pipelinefile:2:13: error: the partitions of a target stand in `[ ]`
  2 | target train{model}:
    |             ^^^^^^^
  hint: write `target train[model]:`""",
    ),
    "a key as a partition": (
        """\
partition model: ["a", "b"]
target train["a"]:
    outputs: "a"
    run: true
""",
        """\
Pipelinefile:2:14: error: `"a"` is no name
  2 | target train["a"]:
    |              ^^^
  hint: a partition stands here, by its name, and not one of its keys""",
    ),
    "a number before its name": (
        """\
target a:
    resources: 4 cpus
    run: true
""",
        """\
Pipelinefile:2:16: error: `cpus` can't stand behind a number
  2 |     resources: 4 cpus
    |                ^^^^^^
  hint: write cpus = 4""",
    ),
    "hours in words": (
        """\
target a:
    timeout: 2 hours
    run: true
""",
        """\
Pipelinefile:2:14: error: 2 hours is no size or duration
  2 |     timeout: 2 hours
    |              ^^^^^^^
  hint: write 2h""",
    ),
    "retries": (
        """\
target a:
    timeout: 120
    retries: 3
    run: true
""",
        """\
Pipelinefile:2:14: error: a time has a unit, and 120 has none
  2 |     timeout: 120
    |              ^^^
  hint: write 120s

Pipelinefile:3:5: error: `retries` is no clause
  3 |     retries: 3
    |     ^^^^^^^
  hint: here that is `retry:`""",
    ),
    "times": (
        """\
target a:
    retry: 3 times
    run: true
""",
        """\
Pipelinefile:2:12: error: `times` can't stand behind a number
  2 |     retry: 3 times
    |            ^^^^^^^
  hint: the number alone says it""",
    ),
    "include with a colon": (
        """\
include: "other.pipe"
target a:
    run: true
""",
        """\
Pipelinefile:1:8: error: no colon stands after `include`
  1 | include: "other.pipe"
    |        ^
  hint: write `include "other.pipe"`""",
    ),
    "params with a colon": (
        """\
params: params.yaml
target a:
    run: true
""",
        """\
Pipelinefile:1:7: error: no colon stands after `params`
  1 | params: params.yaml
    |       ^
  hint: write `params "params.yaml"`""",
    ),
    "default with a colon": (
        """\
default: a
target a:
    run: true
""",
        """\
Pipelinefile:1:8: error: no colon stands after `default`
  1 | default: a
    |        ^
  hint: write `default a`""",
    ),
    "a variable with a colon": (
        """\
target a:
    environ: FOO: "bar"
    run: true
""",
        """\
Pipelinefile:2:17: error: a value is given with `=`
  2 |     environ: FOO: "bar"
    |                 ^
  hint: write `FOO = …`""",
    ),
    "a text without quotes": (
        """\
target a:
    environ:
        FOO = bar
    run: true
""",
        """\
Pipelinefile:3:15: error: there is no `bar`
  3 |         FOO = bar
    |               ^^^
  hint: a text stands in quotes: "bar\"""",
    ),
    "depends_on": (
        """\
target a:
    depends_on: b
    run: true
""",
        """\
Pipelinefile:2:5: error: `depends_on` is no clause
  2 |     depends_on: b
    |     ^^^^^^^^^^
  hint: here that is `inputs:`""",
    ),
    "items on two lines": (
        """\
target a:
    inputs: "a.csv",
        "b.csv"
    run: true
""",
        """\
Pipelinefile:3:1: error: this line is indented too deep
  3 |         "b.csv"
    | ^^^^^^^^
  hint: begin all items on the line below the clause, one a line; or put them in brackets""",
    ),
    "no comma": (
        """\
target a:
    inputs: "a.csv" "b.csv"
    run: true
""",
        """\
Pipelinefile:2:21: error: `"b.csv"` can't stand here
  2 |     inputs: "a.csv" "b.csv"
    |                     ^^^^^^^
  hint: expected `,` or the end of the line""",
    ),
    "a text with a letter": (
        """\
target a:
    outputs: f"model.pkl"
    run: true
""",
        """\
Pipelinefile:2:14: error: a text has no letter before it
  2 |     outputs: f"model.pkl"
    |              ^
  hint: values are put into every "{name}"; '…' is literal""",
    ),
    "a loop": (
        """\
for x in [1,2]:
    target a:
        run: true
""",
        """\
Pipelinefile:1:1: error: `for` is no statement
  1 | for x in [1,2]:
    | ^^^
  hint: a Pipelinefile holds no Python: keys are a `partition`, values a `let`, code stands in a recipe""",
    ),
    "an import": (
        """\
import os
target a:
    run: true
""",
        """\
Pipelinefile:1:1: error: `import` is no statement
  1 | import os
    | ^^^^^^
  hint: a Pipelinefile holds no Python: keys are a `partition`, values a `let`, code stands in a recipe""",
    ),
    "a decorator": (
        """\
@task
def train():
    pass
""",
        """\
Pipelinefile:1:1: error: `@task` is no statement
  1 | @task
    | ^^^^^
  hint: a Pipelinefile holds no Python: keys are a `partition`, values a `let`, code stands in a recipe

Pipelinefile:2:1: error: `def` is no statement
  2 | def train():
    | ^^^
  hint: a Pipelinefile holds no Python: keys are a `partition`, values a `let`, code stands in a recipe""",
    ),
    "another comment": (
        """\
// comment
target a:
    run: true
""",
        """\
Pipelinefile:1:1: error: `//` is no statement
  1 | // comment
    | ^^
  hint: a comment begins with `#`""",
    ),
    "a description": (
        """\
target a:
    description: "hi"
    run: true
""",
        """\
Pipelinefile:2:5: error: `description` is no clause
  2 |     description: "hi"
    |     ^^^^^^^^^^^
  hint: here that is a \"\"\"text\"\"\" as the first line of the target""",
    ),
    "run with an equals sign": (
        """\
target a:
    run = x
""",
        """\
Pipelinefile:2:8: error: a colon is missing after `run`
  2 |     run = x
    |        ^
  hint: write `run:`""",
    ),
    "a home folder": (
        """\
target a:
    inputs: ~/data/x.csv
    run: x
""",
        """\
Pipelinefile:2:13: error: `~` means nothing here
  2 |     inputs: ~/data/x.csv
    |             ^
  hint: `~` is not expanded: write the whole path, in quotes""",
    ),
}


@pytest.mark.parametrize("name", FROM_ELSEWHERE)
def test_the_whole_text_of_the_error(name: str) -> None:
    text, said = FROM_ELSEWHERE[name]
    assert mistakes(text) == said
