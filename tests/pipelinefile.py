"""Pipelinefiles given as text: loaded, or what is said of their mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import dedent

from fakes import MemoryFiles

from mlbuild.errors import MlbuildError
from mlbuild.language import load
from mlbuild.target import Pipeline

Overrides = Sequence[tuple[str, str]]


def loaded(text: str | bytes, overrides: Overrides = (), files: Mapping[str, str | bytes] | None = None) -> Pipeline:
    """The pipeline of a text (without its margin, if it begins with a line break), beside other `files` by path."""
    body = dedent(text) if isinstance(text, str) and text.startswith("\n") else text
    reading = load("Pipelinefile", MemoryFiles({"Pipelinefile": body, **(files or {})}), overrides)
    reading.mistakes.settle()
    return reading.pipeline


def mistakes(text: str | bytes, overrides: Overrides = (), files: Mapping[str, str | bytes] | None = None) -> str:
    """All that is said of a Pipelinefile that is wrong."""
    try:
        loaded(text, overrides, files)
    except MlbuildError as error:
        return str(error)
    raise AssertionError("nothing is said")
