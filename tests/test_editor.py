"""The TextMate grammar against the Lark grammar, by an engine on Oniguruma, which is what VS Code matches with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest
from babi.highlight import Compiler, Grammars, State, highlight_line
from msgspec import Struct
from test_docs import DOCUMENTS, FENCE

from mlbuild.expression import Slot
from mlbuild.language.ast import Script
from mlbuild.language.parser import grammar, lexemes, parse

ROOT = Path(__file__).parent.parent
EXTENSION = ROOT / "docs/editors/vscode"
INTERPOLATION = "meta.interpolation.pipelinefile"
EMBEDDED = {"shell": "meta.embedded.block.shell.pipelinefile", "python": "meta.embedded.block.python.pipelinefile"}

EVERYTHING = r'''
include "other.pipeline"    # a comment
params "params.yaml" as values
param lr = -1e-3
let more = {a = 1, "odd key" = [2, 3.5], 'raw' = null}
let truth = true and not (false or 1 + 2 * 3 / 4 - 5 >= 6) and values.x["k"][0] != 2013-01
let sums = [512MiB, 32G, 1h30m, 500ms, 2013-01-31, 2013-11-03T01-0400]
partition hour: hourly from 2013-01-01 to 2013-02-01T05 in "Europe/Berlin"
partition day: daily from 2013-01-01
partition week: weekly from 2013-01-01
partition month: monthly from 2013-01
partition name: glob("raw/{name}.csv")
partition split: [
    "train",  # one
    'test',
]
executor gpu: slurm(queue = "gpu", account = 'ml')
defaults:
    on: gpu
    timeout: 10m
default every, last

target every[day, split]:
    """What it is.

    And more "words" of it.
    """
    inputs:
        extract[day-6..day]
        first(a, b, c)
        week = ingest[hour = day, split = *]?
        features[2013-01-01..].weights
        features[..day.last-1],
        "data/{day:%Y/%m}/{values.x[\"odd key\"]}-{{day}}-{ x }.csv"
    code: "src/", none
    outputs: temp("build/{day}-{split}.csv"), "a \"b\" \\ c {day}{split}/"
    metrics: "m/{day}-{split}.json"
    params: values.train
    environ: HOME, TOKEN = secret(TOKEN), X = 1
    requires: "uv.lock"
    checkpoint: "c/{day}-{split}/", keep = 2, ignore = [epochs]
    resources: gpus = 1, memory = 8G * attempt
    timeout: 2h
    stall: 10m
    retry: 3, backoff = 10s, on = [1, out_of_memory]
    on: gpu
    after: a, b ok, c[*] failed
    when: evaluate[*].metrics["macro avg"]["f1-score"] > 0.5
    check:
        metrics.auc >= 0.65, "too low"
        not failed and ok
    on_failure: continue
    max_active: 4
    batch: 10
    cache: never
    run:  # says why
        # a comment with {day}, and an apostrophe: isn't it
        for path in {inputs}; do echo "$path: {day:%Y-%m-%d}" '{split}' ${day} @{day} {{day}} \textbf{day}; done
        cat <<END
        {values.models[split].lr:.3f} {"a": 1} {1..3}

        END
        echo unclosed '{day}

target one_line:
    after:
        every started
        last finished
    run: echo {lr} "{inputs[0]}" \
        {values.x["odd key"]:raw}

target single:
    run: echo {lr} 'and' "{lr:--lr}"

target py:
    run python:
        for path in inputs:
            print(f"{path} {day}", {"day": 1})
target last:
    run python: print(f"{day}")
'''

SCOPES = {
    **dict.fromkeys(
        ("_INCLUDE", "_PARAM", "_PARAMS", "_LET", "_PARTITION", "_EXECUTOR", "_DEFAULTS", "_DEFAULT", "_TARGET", "_AS"),
        "keyword.declaration",
    ),
    **dict.fromkeys(("_FROM", "_TO", "_IN", "PERIOD"), "keyword.other.calendar"),
    **dict.fromkeys(("_AND", "_OR", "_NOT"), "keyword.operator.logical"),
    **dict.fromkeys(("INPUTS", "CODE", "OUTPUTS", "METRICS", "PARAMS", "ENVIRON", "REQUIRES"), "keyword.other.clause"),
    **dict.fromkeys(("CHECKPOINT", "RESOURCES", "TIMEOUT", "STALL", "RETRY", "ON", "AFTER"), "keyword.other.clause"),
    **dict.fromkeys(("WHEN", "CHECK", "ON_FAILURE", "MAX_ACTIVE", "BATCH", "CACHE"), "keyword.other.clause"),
    "STATE": "keyword.other.state",
    "CONSTANT": "constant.language",
    "NAME": r"variable|entity\.name",
    "DATE": "constant.numeric.date",
    "SIZE": "constant.numeric.size",
    "DURATION": "constant.numeric.duration",
    "NUMBER": "constant.numeric.pipelinefile",
    "STRING": "string.quoted.double",
    "RAW": "string.quoted.single",
    "DESCRIPTION": "string.quoted.docstring",
    "COMPARES": "keyword.operator.comparison",
    **dict.fromkeys(("PLUS", "MINUS", "STAR", "SLASH"), "keyword.operator.arithmetic"),
    "DOTS": "keyword.operator.range",
    "EQUAL": "keyword.operator.assignment",
    "QMARK": "keyword.operator.optional",
    "DOT": "punctuation.accessor",
    "COMMA": "punctuation.separator",
    "COLON": "punctuation.separator",
    **dict.fromkeys(("LPAR", "RPAR", "LSQB", "RSQB", "LBRACE", "RBRACE"), "punctuation.section"),
}
"""The kinds of lexemes of the Lark grammar, and the scope that each has. Recipes are looked at by themselves."""
NO_LEXEMES = {"RECIPE", "_NL", "_INDENT", "_DEDENT"}


@cache
def compiler(folder: Path) -> Compiler:
    """The grammar with those of the shell and of Python, as another package brings them.

    What the engine does not know is `injections`: rules that hold inside another grammar before its own. So they
    are written into the other grammar, at the head of each of its lists of rules.
    """
    own = json.loads((EXTENSION / "pipelinefile.tmLanguage.json").read_text())
    ((selector, injected),) = own["injections"].items()
    assert selector == f"L:{EMBEDDED['shell']}"
    assert injected == {"patterns": [{"include": "#interpolation"}]}
    for language in ("shell", "python"):
        (path,) = (file for file in files("babi_grammars") or () if file.name == f"source.{language}.json")
        embedded = json.loads(Path(str(path.locate())).read_text())
        if language == "shell":
            inject(embedded, own["repository"]["interpolation"]["patterns"])
        (folder / path.name).write_text(json.dumps(embedded))
    (folder / "source.pipelinefile.json").write_text(json.dumps(own))
    return Grammars(str(folder)).compiler_for_scope("source.pipelinefile")


def inject(rules: Any, injected: list[Any]) -> None:
    if isinstance(rules, dict):
        for value in rules.values():
            inject(value, injected)
        if "begin" in rules or "patterns" in rules:
            rules["patterns"] = [*injected, *rules.get("patterns", [])]
    elif isinstance(rules, list):
        for rule in rules:
            inject(rule, injected)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return compiler(tmp_path_factory.mktemp("grammars"))


def scopes(engine: Compiler, text: str) -> list[tuple[str, ...]]:
    """The scopes of each character."""
    state = State.root(engine.root_state.cur)
    found: list[tuple[str, ...]] = []
    for number, line in enumerate(text.splitlines(keepends=True)):
        state, regions = highlight_line(engine, state, line, first_line=number == 0)
        of_line: list[tuple[str, ...]] = [()] * len(line)
        for region in regions:
            of_line[region.start : region.end] = [region.scope] * (region.end - region.start)
        found += of_line
    return found


def corpus() -> Iterator[Any]:
    """Every Pipelinefile of the repository that can be parsed."""
    yield pytest.param(EVERYTHING, id="everything")
    for path in [ROOT / "Pipelinefile", *sorted((ROOT / "examples").glob("*/Pipelinefile"))]:
        yield pytest.param(path.read_text(), id=str(path.relative_to(ROOT)))
    for document in DOCUMENTS:
        for number, block in enumerate(FENCE.finditer(document.read_text()), 1):
            if block["info"] in ("pipelinefile", "pipelinefile part"):
                yield pytest.param(block["body"], id=f"{document.name}-{number}")


CORPUS = list(corpus())


def parts(value: object, kind: type[Any]) -> Iterator[Any]:
    """All values of a kind in a tree; a recipe in Python has no slots."""
    if kind is Slot and isinstance(value, Script) and value.kind == "python":
        return
    if isinstance(value, kind):
        yield value
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from parts(getattr(value, name), kind)
    elif isinstance(value, tuple):
        for item in value:
            yield from parts(item, kind)


@pytest.mark.parametrize("text", CORPUS)
def test_every_lexeme_has_its_scope(text: str, engine: Compiler) -> None:
    found = scopes(engine, text)
    source, all_lexemes = lexemes("Pipelinefile", text.encode())
    assert source == text
    assert not [scope for stack in found for scope in stack if scope.startswith("invalid") and "pipelinefile" in scope]
    for lexeme in all_lexemes:
        if lexeme.kind in NO_LEXEMES:
            continue
        for stack in found[lexeme.start : lexeme.start + len(lexeme.text)]:
            assert any(re.match(SCOPES[lexeme.kind], scope) for scope in stack), (lexeme, stack)


@pytest.mark.parametrize("text", CORPUS)
def test_slots_are_interpolations_and_nothing_else_is(text: str, engine: Compiler) -> None:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    expected = set()
    for slot in parts(parse("Pipelinefile", text.encode()), Slot):
        start = starts[slot.at.line - 1] + slot.at.column - 1
        expected.add(text[start : start + slot.at.length] + f" at {start}")
    begin = "punctuation.definition.interpolation.begin.pipelinefile"
    found = scopes(engine, text)
    shown = set()
    for start, stack in enumerate(found):
        if begin in stack:
            end = next(
                position
                for position in range(start + 1, len(found) + 1)
                if position == len(found) or INTERPOLATION not in found[position] or begin in found[position]
            )
            shown.add(text[start:end] + f" at {start}")
    assert shown == expected


@pytest.mark.parametrize("text", CORPUS)
def test_recipes_are_shell_or_python_to_their_end(text: str, engine: Compiler) -> None:
    found = scopes(engine, text)
    kinds = [script.kind for script in parts(parse("Pipelinefile", text.encode()), Script)]
    embedded = [False] * len(text)
    recipes = [lexeme for lexeme in lexemes("Pipelinefile", text.encode())[1] if lexeme.kind == "RECIPE"]
    assert len(recipes) == len(kinds)
    for lexeme, kind in zip(recipes, kinds, strict=True):
        assert found[lexeme.start][-1] == "keyword.other.recipe.pipelinefile"
        first = lexeme.start + lexeme.text.index(":") + 1
        first += len(re.match(r"[ \t]*(?:#[^\n]*)?\s*", text[first:])[0])  # type: ignore[index]
        for position in range(first, lexeme.start + len(lexeme.text)):
            embedded[position] = True
            if not text[position].isspace():
                assert EMBEDDED[kind] in found[position], text[first : position + 1]
    for position, stack in enumerate(found):
        if not embedded[position] and not text[position].isspace():
            assert not set(EMBEDDED.values()) & set(stack), text[position : position + 40]


def test_the_shell_and_python_are_highlighted(engine: Compiler) -> None:
    text = "target a:\n    run: if true; then echo 'x'; fi\ntarget b:\n    run python:\n        import os\n"
    found = scopes(engine, text)
    assert any(scope.endswith(".shell") for scope in found[text.index("if true")])
    assert any(scope.startswith("string") for scope in found[text.index("'x'") + 1])
    assert any(scope.endswith(".python") for scope in found[text.index("import")])


@pytest.mark.parametrize("wrong", ["512MB", "2013-1", "3days", "@", "$x", "a)"])
def test_what_is_no_lexeme_is_shown_as_wrong(wrong: str, engine: Compiler) -> None:
    found = scopes(engine, f"param a = {wrong}\n")
    assert any(scope.startswith("invalid.illegal") for stack in found for scope in stack)


def test_every_kind_of_lexeme_has_a_scope_and_occurs() -> None:
    named = set(re.findall(r"^([A-Z_]+)(?:\.\d)?:", grammar(), re.MULTILINE))
    unnamed = {"EQUAL", "QMARK", "DOT", "COMMA", "COLON", "LPAR", "RPAR", "LSQB", "RSQB", "LBRACE", "RBRACE"}
    assert named | unnamed | NO_LEXEMES == SCOPES.keys() | NO_LEXEMES
    occur = {lexeme.kind for lexeme in lexemes("Pipelinefile", EVERYTHING.encode())[1]}
    assert SCOPES.keys() <= occur


def test_the_extension_names_files_that_are_there() -> None:
    package = json.loads((EXTENSION / "package.json").read_text())
    (language,), (shown,) = package["contributes"]["languages"], package["contributes"]["grammars"]
    assert "Pipelinefile" in language["filenames"]
    assert shown["language"] == language["id"]
    assert sorted(shown["embeddedLanguages"]) == sorted(EMBEDDED.values())
    own = json.loads((EXTENSION / shown["path"]).read_text())
    assert own["scopeName"] == shown["scopeName"]
    configuration = json.loads((EXTENSION / language["configuration"]).read_text())
    assert configuration["comments"] == {"lineComment": "#"}
