"""From a place at which reading stopped to the error: which rule speaks, and what to say where none does."""

from __future__ import annotations

from collections.abc import Callable

from mlbuild.errors import PipelineError
from mlbuild.language.mistakes import blocks, tokens, words
from mlbuild.language.mistakes.place import Place

_RULES: tuple[Callable[[Place], PipelineError | None], ...] = (
    blocks.unclosed,
    tokens.strange_character,
    blocks.empty_recipe,
    blocks.indented,
    blocks.not_indented,
    words.clause_outside,
    words.unknown_statement,
    words.unknown_clause,
    tokens.unterminated,
    words.colon_behind_word,
    words.target_header,
    words.partition_source,
    tokens.number_and_word,
    tokens.prefixed_text,
    blocks.beside_header,
    words.hyphen,
    tokens.no_text,
    words.reserved,
    tokens.range_outside,
    tokens.version,
    words.no_name,
    tokens.bad_number,
    tokens.double_equals,
    blocks.block_line,
    tokens.foreign_operator,
    tokens.star_outside,
    tokens.bare_path,
    words.missing_colon,
    tokens.equals_missing,
    tokens.nothing_there,
)
"""The first that knows the case speaks; most of them rest on what those before them have ruled out."""


def explain(place: Place) -> PipelineError:
    """The error for a place at which reading stopped."""
    for rule in _RULES:
        if found := rule(place):
            return found
    if not place.rest:
        return PipelineError("something is missing at the end of the line", place.at, _expectation(place))
    return PipelineError(f"`{place.shown}` can't stand here", place.over(len(place.shown)), _expectation(place))


def _expectation(place: Place) -> str | None:
    known = [text for kind, text in _EXPECTED.items() if kind in place.expected]
    if not known:
        return None
    return "expected " + (", ".join(known[:-1]) + " or " + known[-1] if known[1:] else known[0])


_EXPECTED = {
    "NUMBER": "a value",
    "NAME": "a name",
    "COLON": "`:`",
    "EQUAL": "`=`",
    "STRING": 'a "text"',
    "_FROM": "`from`",
    "COMMA": "`,`",
    "RSQB": "`]`",
    "RPAR": "`)`",
    "RBRACE": "`}`",
    "_NL": "the end of the line",
}
