"""Characters, texts, numbers and operators that are none here."""

from __future__ import annotations

import re

from mlbuild.errors import Location, PipelineError
from mlbuild.language.mistakes.place import RESERVED, Place


def strange_character(place: Place) -> PipelineError | None:
    char = place.rest[:1]
    if place.token or not char or (char.isascii() and char.isprintable()):
        return None
    if char in "“”„‘’«»":
        return PipelineError(f"{char} is a typographic quote", place.at, 'write "…" with straight quotes')
    if char in "–—−":
        return PipelineError(f"{char} is a typographic dash", place.at, "write - with a plain hyphen")
    if char.isalpha():
        hint = "a name is made of the letters a to z, digits and _"
        return PipelineError(f"`{char}` can't stand in a name", place.at, hint)
    hint = "remove it" if char != "\r" else "save the file with plain line breaks"
    return PipelineError(f"a character that does not show (U+{ord(char):04X}) stands here", place.at, hint)


def unterminated(place: Place) -> PipelineError | None:
    if place.rest.startswith('"""'):
        if "DESCRIPTION" in place.expected:
            return PipelineError("this description is never closed", place.over(3), 'it ends with """')
        hint = 'only a target has a """description""", as its first line'
        return PipelineError("no description can stand here", place.over(3), hint)
    quote = place.rest[:1]
    if not place.token and quote in ("'", '"') and place.rest.count(quote) < 2:
        return PipelineError("this text is never closed", place.at, f"it ends with {quote} on the same line")
    return None


def prefixed_text(place: Place) -> PipelineError | None:
    """`f"model.pkl"`"""
    if place.rest[:1] not in ("'", '"') or not re.search(r"(?<!\w)[fFrRbB]\Z", place.before):
        return None
    at = Location(place.at.source, place.at.line, place.at.column - 1)
    return PipelineError("a text has no letter before it", at, "values are put into every \"{name}\"; '…' is literal")


def no_text(place: Place) -> PipelineError | None:
    """`include other.pipe`, without quotes."""
    if not {"STRING", "RAW"} >= place.expected or not place.word:
        return None
    match = re.match(r"[^\s#]+", place.rest)
    word = match[0] if match else place.word
    return PipelineError(f"{word} needs quotes", place.over(len(word)), f'write "{word}"')


def bare_path(place: Place) -> PipelineError | None:
    """`inputs: data/*.csv`, `outputs: model.pkl/x`: a path without quotes."""
    match = re.search(r"[\w./*-]*\Z", place.before)
    start = match.start() if match else 0
    whole = re.match(r"[\w./*-]+", place.line[start:])
    if whole and re.search(r"[/*.]", whole[0]) and re.search(r"[A-Za-z]", whole[0]) and len(whole[0]) > 2:
        if place.opened and "*" not in whole[0]:
            return None
        if ".." in whole[0] or "/" not in whole[0]:
            return None
        at = Location(place.at.source, place.at.line, start + 1, len(whole[0]))
        return PipelineError(f"the path {whole[0]} needs quotes", at, f'write "{whole[0]}"')
    return None


def bad_number(place: Place) -> PipelineError | None:
    if decimal := re.match(r"\.\d[\d.eE-]*", place.rest):
        return PipelineError(f"{decimal[0]} is no number", place.over(len(decimal[0])), f"write 0{decimal[0]}")
    match = re.match(r"\d[\w.-]*", place.rest)
    if place.token or not match:
        return None
    text = match[0]
    at = place.over(len(text))
    if re.match(r"\d{4}-\d", text):
        hint = "dates are 2013-01-31, months 2013-01, hours 2013-01-31T06; for a subtraction put blanks around the `-`"
        return PipelineError(f"{text} is no date", at, hint)
    if size := re.match(r"(\d+(?:\.\d+)?)([kKmMgGtT])i?[bB]\b", text):
        unit = size[2].upper()
        return PipelineError(f"{text} is no size", at, f"write {size[1]}{unit}: K, M, G and T are powers of 1024")
    if re.match(r"\d+(?:\.\d+)?[A-Za-z]+\b", text):
        hint = "durations end in ms, s, m, h or d (1h30m), sizes in K, M, G or T (512M)"
        return PipelineError(f"{text} is no number, size or duration", at, hint)
    if text.endswith("."):
        return PipelineError(f"{text} is no number", at, f"write {text}0 or {text[:-1]}")
    return PipelineError(f"{text} is no number", at)


def version(place: Place) -> PipelineError | None:
    """`0.1.2`"""
    split = re.search(r"(?<![\w.])\d+\.\d+\.\Z", place.before)
    rest = re.match(r"\d[\w.-]*", place.rest)
    if not split or not rest:
        return None
    text = split[0] + rest[0]
    at = Location(place.at.source, place.at.line, split.start() + 1, len(text))
    return PipelineError(f"{text} is no number", at, f'a version, or any other text, stands in quotes: "{text}"')


def number_and_word(place: Place) -> PipelineError | None:
    """`timeout: 2 hours`, `resources: 4 cpus`"""
    number = re.search(r"(?<![\w.])(\d+(?:\.\d+)?)[ \t]*\Z", place.before)
    if not number or not place.word or place.word in RESERVED:
        return None
    at = Location(
        place.at.source, place.at.line, number.start() + 1, place.at.column - number.start() - 1 + len(place.word)
    )
    unit = _UNITS.get(place.word.lower().rstrip("s")) or _UNITS.get(place.word.lower())
    shown = place.line[at.column - 1 :][: at.length]
    if unit:
        return PipelineError(f"{shown} is no size or duration", at, f"write {number[1]}{unit}")
    hint = f"write {place.word} = {number[1]}" if "resources" in place.before else "the number alone says it"
    return PipelineError(f"`{place.word}` can't stand behind a number", at, hint)


_UNITS = {
    **dict.fromkeys(("hour", "hr", "h"), "h"),
    **dict.fromkeys(("minute", "min", "m"), "m"),
    **dict.fromkeys(("second", "sec", "s"), "s"),
    **dict.fromkeys(("day", "d"), "d"),
    **{f"{unit}{end}": unit.upper() for unit in "kmgt" for end in ("", "b", "ib")},
    "m": "m",
}
"""By how people write them."""


def double_equals(place: Place) -> PipelineError | None:
    if place.rest.startswith("=") and re.search(r"[\w\]]=\Z|[\w\]][ \t]+=\Z", place.before):
        at = Location(place.at.source, place.at.line, place.at.column - 1, 2)
        return PipelineError("`==` compares two values", at, "a value is given with one `=`")
    if place.rest.startswith("=") and "COMPARES" in place.expected:
        return PipelineError("`=` gives a name to what follows it", place.at, "a comparison is `==`")
    return None


def equals_missing(place: Place) -> PipelineError | None:
    if place.rest.startswith(":") and {"EQUAL"} < place.expected and not place.opened:
        name = re.search(r"\w*\Z", place.before.rstrip())
        return PipelineError("a value is given with `=`", place.at, f"write `{name[0] if name else ''} = …`")
    if place.expected != {"EQUAL"}:
        return None
    if place.opened and place.rest.startswith(":"):
        return PipelineError("a table is written with `=`", place.at, "as in {k = 1}")
    shown = place.before.strip()
    return PipelineError(f"`=` is missing after `{shown}`", place.over(len(place.shown)), f"write `{shown} = …`")


def foreign_operator(place: Place) -> PipelineError | None:
    for text, advice in _FOREIGN.items():
        if place.rest.startswith(text) and not place.token:
            return PipelineError(f"`{text}` means nothing here", place.over(len(text)), advice)
    return None


_FOREIGN = {
    "&&": "write `and`",
    "||": "write `or`",
    "\\": "a line goes on only inside brackets, and in a recipe",
    "!": "write `not`",
    "**": "there is no power",
    ";": "an item or a statement ends with its line",
    "//": "a comment begins with `#`",
    "$": 'a value is named without `$`; a variable of the environment is env("NAME")',
    "`": 'a text stands in "…"',
    "%": "there is no remainder",
    "@": 'a text stands in "…"',
    "~": "`~` is not expanded: write the whole path, in quotes",
    "&": "write `and`",
    "|": "write `or`",
    "^": "there is no such operator",
}


def range_outside(place: Place) -> PipelineError | None:
    if place.token == "DOTS" or (place.rest.startswith(".") and place.before.endswith(".")):
        start = place.at.column - place.before.endswith(".")
        hint = "a range of keys stands after a target's name: `features[2013-01-01..2013-01-31]`"
        return PipelineError("`..` only stands in `[ ]`", Location(place.at.source, place.at.line, start, 2), hint)
    return None


def star_outside(place: Place) -> PipelineError | None:
    if place.token == "STAR" and "NUMBER" in place.expected and not place.before.rstrip().endswith("/"):
        return PipelineError(
            "`*` only stands in `[ ]`, or between two numbers", place.at, 'a pattern is glob("data/*.csv")'
        )
    return None


def nothing_there(place: Place) -> PipelineError | None:
    if place.token in ("_NL", "$END") and "NUMBER" in place.expected:
        before = place.before.rstrip() or place.above.rstrip()
        return PipelineError("a value is missing at the end of the line", place.at, f"after `{before.strip()[-30:]}`")
    return None
