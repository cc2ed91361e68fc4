"""No text, however broken, gives anything but a pipeline or an error with its place."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

from fakes import MemoryFiles
from hypothesis import given, settings
from hypothesis import strategies as st
from test_grammar import EVERYTHING

from mlbuild.errors import MlbuildError
from mlbuild.language import load

CASES = int(os.environ.get("MLBUILD_TEST_FUZZ", "150"))
"""Of each kind. Set it to tens of thousands for a long run."""
ROOT = Path(__file__).parents[1]
PIPELINEFILES = [
    EVERYTHING,
    *(path.read_text("utf-8") for path in (ROOT / "Pipelinefile", *sorted(ROOT.glob("examples/*/Pipelinefile")))),
]
PIECES = (
    *("target ", "param ", "let ", "partition ", "daily from ", "include ", "default ", "defaults:", "run:", "inputs:"),
    *("check:", "x", "[", "]", "(", ")", "{", "}", ":", "=", ",", "..", ".", "*", "?", "-", "/", "$(", "#", "\\", '"'),
    *("'",),
    *('"""', "{x}", "{{x}}", "2013-01-31", "3G", "1e-3", "not ", "and "),
    *("\n", "\n    ", "\n\t", "\r\n", "é", "\0", "\u00a0"),
)


tried: Counter[str] = Counter()
"""How many texts were read, by what came of it."""


def read(text: str) -> None:
    files = MemoryFiles(
        {"Pipelinefile": text.encode(errors="surrogatepass"), "params.yaml": text.encode("utf-8", "replace")}
    )
    try:
        load("Pipelinefile", files).mistakes.settle()
        tried["pipelines"] += 1
    except MlbuildError as error:
        assert str(error)
        tried["errors"] += 1


@settings(max_examples=CASES, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_texts_of_the_languages_pieces(text: str) -> None:
    read(text)


@settings(max_examples=CASES, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    read(text)


@settings(max_examples=CASES, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(PIPELINEFILES), st.integers(1, 4))
def test_mutations(random: random.Random, text: str, times: int) -> None:
    for _ in range(times):
        at, length = random.randrange(len(text)), random.randrange(8)
        text = text[:at] + random.choice([random.choice(PIECES), "", text[at : at + 30]]) + text[at + length :]
    read(text)


def test_how_many_were_tried() -> None:
    """Stands last, so that a long run (`-rP`) ends with the count."""
    print(f"{tried.total()} texts read: {tried['pipelines']} pipelines, {tried['errors']} errors, no traceback")
    assert tried.total() >= 3 * CASES or not tried
