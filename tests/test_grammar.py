"""The grammar: without conflicts, linear, and as wide as the language."""

from __future__ import annotations

import logging

import lark
import pytest
from pipelinefile import mistakes

from mlbuild.expression import written
from mlbuild.language import ast
from mlbuild.language.parser import grammar, literal, parse


class NoLayout:
    """What the parser adds between lexer and grammar, doing nothing."""

    always_accept = ("_NL",)

    def process(self, stream: object) -> object:
        return stream


def test_lalr_builds_it_without_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    lark.logger.setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
        lark.logger.propagate = True
        lark.Lark(grammar(), parser="lalr", postlex=NoLayout(), debug=True)
    assert "conflict" not in caplog.text.lower()


EVERYTHING = '''
# All that the language has, once.
include "more.pipe"
params "params.yaml" as values
params "params.toml"
param epochs = 20
param sizes = [1, 2.5, 3e-4, 512MiB, 32G, 1h30m, 500ms, 2013-01, 2013-01-31T06, 2013-11-03T01-0400,]
param table = {k = 1, "odd key" = 'v', 'other' = null}
let lr = (values.lr + 0.1) * 2 / epochs - -1
partition day: daily from 2013-01-01 to 2013-12-31 in "Europe/Berlin"
partition hour: hourly from 2013-01-01
partition model: ["logistic", "boosted"]
partition fold: range(5)
partition shard: glob("raw/{shard}.csv")
executor gpu: slurm(queue = "gpu", account = "ml")
defaults:
    retry: 2, backoff = 10s, on = [timeout, 137]
    resources:
        cpus = 4
        memory = 8G * attempt,
default report, all
target all:
    inputs: report
target extract[day, model,]:
    """One day
    of flights."""
    inputs:
        week = extract[day-6..day, model = *]?
        glob("data/*.csv"),
    code: none
    outputs: "a/{day}", b = temp("b/{day}/")
    metrics: "m/{day}.json"
    params: values.train, epochs
    environ: A = "b", HOME, secret(TOKEN)
    requires: "uv.lock"
    checkpoint: "c/{day}/", keep = 2, ignore = [epochs], signal = TERM, grace = 60s
    timeout: 2h
    stall: 10m
    on: gpu
    after: all ok, report failed, train
    when: first.metrics.auc > 0.5 and not exists("skip") or true
    check: rows(outputs) > 0.5 * rows(extract[day-1]), "half"
    on_failure: continue
    max_active: 3
    batch: 30
    cache: never
    run: python extract.py {inputs} \\
        --day {day}
target report:
    inputs: any(a, b), evaluate[*].metrics["macro avg"]["f1-score"], features[2013-01-01..], x[..day.last-3]
    check:
        0 < metrics.auc <= 1, 'message'
        count(inputs) == 3
    run python:  # a comment

        import json
            # deeper

        print("{")
target named: # statements' words may be names
    inputs: target = "a", batch = b, run = c
    run : echo
'''


def test_everything_parses() -> None:
    file = parse("Pipelinefile", EVERYTHING.encode())
    kinds = [type(statement).__name__ for statement in file.statements]
    assert kinds[:4] == ["Include", "ParamsFile", "ParamsFile", "Param"]
    assert kinds[-4:] == ["TargetOf"] * 4
    target = file.statements[-3]
    assert isinstance(target, ast.TargetOf)
    assert target.description == "One day\nof flights."
    assert [clause.word for clause in target.clauses][:3] == ["inputs", "code", "outputs"]
    report = file.statements[-2]
    assert isinstance(report, ast.TargetOf)
    script = report.clauses[-1].items[0]
    assert isinstance(script, ast.Script)
    assert script.kind == "python"
    assert "".join(map(str, script.text.parts)) == 'import json\n    # deeper\n\nprint("{")'


@pytest.mark.parametrize(
    "expression",
    [
        "1 + 2 * 3",
        "(1 + 2) * 3",
        "a - (b - c) - d",
        "not (a or b) and c",
        "(a < b) == c",
        "not a and b",
        "a[day - 6..day]",
        "a[..day.last - 29]",
        "a[2013-01-01.., x = *].b",
        'f(1, "a\\"b\\\\", x = [1, {k = 2}])',
        "-x.y[0]?",
    ],
)
def test_an_expression_is_written_as_it_was_read(expression: str) -> None:
    file = parse("Pipelinefile", f"let x = {expression}\n".encode())
    let = file.statements[0]
    assert isinstance(let, ast.Let)
    assert written(let.value).replace(" - ", "-") == expression.replace(" - ", "-")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("3e-4", 0.0003),
        ("512MiB", 512 << 20),
        ("1.5G", 3 << 29),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("2013-01-31", "2013-01-31"),
        ("true", True),
        ("null", None),
        ("'a{b}'", "a{b}"),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert literal(text).value == value  # type: ignore[union-attr]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n   ", b"\n# end", b"\n    # end"])
@pytest.mark.parametrize("indent", [b"    ", b"\t", b" "])
def test_line_ends_and_indents_do_not_matter(newline: bytes, start: bytes, end: bytes, indent: bytes) -> None:
    lines = [b"target a:", indent + b"run:", indent * 2 + b"echo", b"", b"# c", indent * 3 + b"x", b"param b = 1"]
    del lines[4]
    file = parse("Pipelinefile", start + newline.join(lines) + end.replace(b"\n", newline))
    target = file.statements[0]
    assert isinstance(target, ast.TargetOf)
    script = target.clauses[0].items[0]
    assert isinstance(script, ast.Script)
    assert script.text.parts == ("echo\n\n" + indent.decode() + "x",)
    assert len(file.statements) == 2


def test_ten_thousand_targets() -> None:
    body = "".join(f'target t{i}:\n    inputs: "a"\n    outputs: "b{i}"\n    run: x\n' for i in range(10_000))
    assert len(parse("Pipelinefile", body.encode()).statements) == 10_000


@pytest.mark.parametrize(
    "body",
    [
        "target t:\n    run:\n" + "        echo {x}\n" * 100_000,
        "target t:\n    run:\n        a\n" + "\n        \n" * 100_000 + "param x = 1\n",
        "target t:\n    run: a" + " \\\n b" * 100_000 + "\n",
        "param x = [" + "1,\n" * 50_000 + "]\n",
        'param x = "' + "\\\\" * 500_000 + '"\n',
        "#" + "{" * 1_000_000 + "\n",
        "\n" * 1_000_000,
    ],
)
def test_long_texts(body: str) -> None:
    parse("Pipelinefile", body.encode())


@pytest.mark.parametrize("deep", ["(", "[", "-", "not ", "{a = ", "a(", "a["])
def test_what_nests_too_deep_is_an_error(deep: str) -> None:
    close = {"(": ")", "[": "]", "{": "}"}
    tail = "".join(close.get(char, "") for char in reversed(deep * 2_000))
    text = mistakes("param x = " + deep * 2_000 + "1" + tail + "\n")
    assert deep == "(" or "nests more than 60 deep" in text


@pytest.mark.parametrize("chain", [" + 1", ".a", "[0]", " and x", " < 1"])
def test_a_chain_that_is_too_long_is_an_error(chain: str) -> None:
    assert "nests more than 60 deep" in mistakes("let y = x" + chain * 2_000 + "\n")


def test_a_file_of_ten_megabytes_is_refused() -> None:
    assert mistakes(b"#" * (10 << 20)) == (
        "error: Pipelinefile is 10.0 MiB long, which no Pipelinefile is\n  hint: was another file meant?"
    )


def test_what_is_not_utf8_is_refused_with_its_place() -> None:
    assert mistakes(b"param x = 1\nparam y = '\xff'\n") == (
        "Pipelinefile:2:12: error: the file is not UTF-8: byte 0xff\n"
        "  2 | param y = '\N{REPLACEMENT CHARACTER}'\n"
        "    |            ^\n"
        "  hint: save it as UTF-8"
    )


def test_every_broken_statement_is_reported() -> None:
    text = mistakes("""
        param a =
        target b:
            input: "x"
            run: x
        let c = 1 +
        target d:
            run: x
        inputs: "y"
        """)
    assert [line.split(": ")[0] for line in text.splitlines() if "error" in line] == [
        "Pipelinefile:2:10",
        "Pipelinefile:4:5",
        "Pipelinefile:6:12",
        "Pipelinefile:9:1",
    ]
