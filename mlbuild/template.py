"""A text with slots, rendered where it is only text (a path, a message). Quoting for a shell is in the language."""

from __future__ import annotations

from mlbuild.expression import Scope, Template, evaluate


def render(template: Template, scope: Scope) -> str:
    """The text with the values of its slots; the items of a list are joined by blanks.

    Raises:
        PipelineError: at a slot whose value can't be had, or can't be written in its format.
    """
    text = evaluate(template, scope)
    assert isinstance(text, str)
    return text
