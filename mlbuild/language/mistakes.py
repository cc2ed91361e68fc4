"""What to say where a text is no Pipelinefile: a rule for each way in which people go wrong. Sees text alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mlbuild.errors import Location, PipelineError
from mlbuild.values import nearest

STATEMENTS = ("include", "param", "params", "let", "partition", "executor", "defaults", "default", "target")
CLAUSES = (
    *("inputs", "code", "outputs", "metrics", "params", "environ", "requires", "checkpoint", "resources", "timeout"),
    *("stall", "retry", "on", "after", "when", "check", "on_failure", "max_active", "batch", "cache", "run"),
)
RESERVED = ("and", "or", "not", "true", "false", "null")
CLOSES = {"[": "]", "(": ")", "{": "}"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading stopped.

    `token` is the kind of what was found ("" if it is no token), `expected` what could have stood there, `opened` the
    innermost bracket that is still open.
    """

    at: Location
    token: str
    expected: frozenset[str]
    opened: Location | None

    @property
    def line(self) -> str:
        return self.at.source.line(self.at.line)

    @property
    def rest(self) -> str:
        """The line from the place on."""
        return self.line[self.at.column - 1 :]

    @property
    def before(self) -> str:
        return self.line[: self.at.column - 1]

    @property
    def word(self) -> str:
        """The word that begins at the place, or ""."""
        match = re.match(r"[^\W\d][\w-]*", self.rest)
        return match[0] if match else ""

    def over(self, length: int) -> Location:
        return Location(self.at.source, self.at.line, self.at.column, max(1, length))


# --- Indentation, for which the parser asks itself


def mixed(at: Location, since: int | None) -> PipelineError:
    """Tabs against blanks; `since` is the line on which the block began otherwise, None if one line holds both."""
    message = "this line is indented by tabs and blanks"
    if since:
        own, other = ("tabs", "blanks") if "\t" in at.source.line(at.line)[: at.length] else ("blanks", "tabs")
        message = f"this line is indented by {own}, and its block, which began on line {since}, by {other}"
    return PipelineError(message, at, "indent a block by blanks alone, or by tabs alone")


def no_such_indent(at: Location, since: int) -> PipelineError:
    message = f"this line is indented less than its block, from line {since}, and more than what is around it"
    return PipelineError(message, at, "lines of one block begin in the same column")


def empty_run(at: Location) -> PipelineError:
    hint = "write the command on this line, or indent the lines below it deeper than `run`"
    return PipelineError("`run:` has no recipe", at, hint)


def never_closed(at: Location, bracket: str) -> PipelineError:
    return PipelineError(f"this `{bracket}` is never closed", at, f"add `{CLOSES[bracket]}`")


# --- Everything else


def explain(place: Place) -> PipelineError:
    """The error for a place at which reading stopped."""
    for rule in _RULES:
        if found := rule(place):
            return found
    if not place.rest:
        return PipelineError("something is missing at the end of the line", place.at, _expectation(place))
    return PipelineError(f"`{_shown(place)}` can't stand here", place.over(len(_shown(place))), _expectation(place))


def _shown(place: Place) -> str:
    if place.word:
        return place.word
    match = re.match(r"\.\.|[<>=!]=|\d[\w.+-]*|\S", place.rest)
    return match[0] if match else ""


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


def _unclosed(place: Place) -> PipelineError | None:
    if place.opened and place.at.line > place.opened.line:
        bracket = place.opened.source.line(place.opened.line)[place.opened.column - 1]
        if not place.before.strip() or place.before.split()[0].rstrip(":") in (*CLAUSES, *STATEMENTS):
            return never_closed(place.opened, bracket)
    return None


def _strange_character(place: Place) -> PipelineError | None:
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
    return PipelineError(f"a character that does not show (U+{ord(char):04X}) stands here", place.at, "remove it")


def _unterminated(place: Place) -> PipelineError | None:
    if place.rest.startswith('"""'):
        if "DESCRIPTION" in place.expected:
            return PipelineError("this description is never closed", place.over(3), 'it ends with """')
        hint = 'only a target has a """description""", as its first line'
        return PipelineError("no description can stand here", place.over(3), hint)
    quote = place.rest[:1]
    if not place.token and quote in ("'", '"') and place.rest.count(quote) < 2:
        return PipelineError("this text is never closed", place.at, f"it ends with {quote} on the same line")
    return None


def _bad_number(place: Place) -> PipelineError | None:
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


def _hyphen(place: Place) -> PipelineError | None:
    """`target build-report:`"""
    left = re.search(r"[A-Za-z_]\w*\Z", place.before)
    right = re.match(r"-[\w-]*", place.rest)
    if not left or not right or not re.match(r"[ \t]*(?:target|param|let|partition|executor|default)\b", place.line):
        return None
    name = left[0] + right[0]
    at = Location(place.at.source, place.at.line, left.start() + 1, len(name))
    return PipelineError(f"a name has no hyphen: `{name}`", at, f"write `{name.replace('-', '_')}`")


def _reserved(place: Place) -> PipelineError | None:
    if place.word in RESERVED and ("NAME" in place.expected or not place.token):
        at = place.over(len(place.word))
        return PipelineError(f"`{place.word}` is a word of the language, not a name", at, "choose another name")
    return None


def _empty_recipe(place: Place) -> PipelineError | None:
    match = re.match(r"run(?:[ \t]+python)?[ \t]*:?[ \t]*(?:#.*)?\Z", place.rest)
    if not match or "RECIPE" not in place.expected:
        return None
    if ":" not in match[0].partition("#")[0]:
        return PipelineError("`run` needs a colon", place.over(len("run")), "write `run:`")
    return empty_run(place.over(len("run")))


def _indented(place: Place) -> PipelineError | None:
    if place.token != "_INDENT":
        return None
    indent = len(place.line) - len(place.line.lstrip())
    at = Location(place.at.source, place.at.line, 1, max(1, indent))
    above = _line_above(place)
    if re.match(r"[ \t]+run\b", above):
        hint = "a recipe of several lines begins on the line below `run:`; or end the line before in `\\`"
    elif above.strip() and _in_recipe(place):
        hint = "a recipe ends at the first line that is indented less than its own first"
    else:
        hint = "lines of one block begin in the same column"
    return PipelineError("this line is indented too deep", at, hint)


def _line_above(place: Place) -> str:
    number = place.at.line - 1
    while number > 0 and not place.at.source.line(number).strip():
        number -= 1
    return place.at.source.line(number)


def _in_recipe(place: Place) -> bool:
    """Whether the nearest line above that is indented less begins with `run`."""
    indent = len(place.line) - len(place.line.lstrip())
    for number in range(place.at.line - 1, 0, -1):
        line = place.at.source.line(number)
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            return line.lstrip().startswith("run")
    return False


def _not_indented(place: Place) -> PipelineError | None:
    if place.expected != {"_INDENT"} and "_INDENT" not in place.expected:
        return None
    header = _header(place)
    match = re.match(r"[ \t]*(\w+)([ \t]+\w+)?", header.source.line(header.line))
    shown = match[0].strip() if match else ""
    hint = "write its lines below it, indented"
    return PipelineError(f"`{shown}` is empty", Location(header.source, header.line, header.column, len(shown)), hint)


def _header(place: Place) -> Location:
    """The line that ends in a colon above the place."""
    start = place.at.line if place.token == "$END" else place.at.line - 1
    for number in range(start, 0, -1):
        line = place.at.source.line(number)
        if line.partition("#")[0].strip():
            return Location(place.at.source, number, len(line) - len(line.lstrip()) + 1)
    return place.at


def _clause_outside(place: Place) -> PipelineError | None:
    """A clause at the left edge."""
    if "_TARGET" in place.expected and place.word in CLAUSES and not place.before.strip():
        at = place.over(len(place.word))
        return PipelineError(f"`{place.word}` is a clause of a target", at, "indent it below a `target NAME:`")
    return None


def _unknown_statement(place: Place) -> PipelineError | None:
    if "_TARGET" not in place.expected or place.before.strip() or not place.word:
        return None
    at = place.over(len(place.word))
    if near := nearest(place.word, STATEMENTS):
        return PipelineError(f"`{place.word}` is no statement", at, f"did you mean `{near}`?")
    if re.match(r"[\w.-]+[ \t]*=(?!=)", place.rest):
        return PipelineError(
            f"`{place.word}` is no statement", at, f"write `param {place.word} = …` or `let {place.word} = …`"
        )
    if re.match(r"[\w./-]+[ \t]*:", place.rest):
        return PipelineError(f"`{place.word}` is no statement", at, f"write `target {place.word}:`")
    hint = "a statement begins with " + ", ".join(STATEMENTS[:-1]) + " or " + STATEMENTS[-1]
    if _line_above(place)[:1] in (" ", "\t"):
        hint = "if it is part of a recipe, indent it as the recipe's first line is (here-documents too)"
    return PipelineError(f"`{place.word}` is no statement", at, hint)


def _unknown_clause(place: Place) -> PipelineError | None:
    if "INPUTS" not in place.expected or place.before.strip() or not place.word:
        return None
    at = place.over(len(place.word))
    if place.word in STATEMENTS:
        hint = "begin it at the left edge"
        return PipelineError(f"`{place.word}` is a statement and can't stand in a target", at, hint)
    if place.word in _OTHER_TOOLS:
        return PipelineError(f"`{place.word}` is no clause", at, f"here that is `{_OTHER_TOOLS[place.word]}`")
    if near := nearest(place.word, CLAUSES):
        return PipelineError(f"`{place.word}` is no clause", at, f"did you mean `{near}`?")
    if not re.match(r"[\w-]+[ \t]*:", place.rest):
        return PipelineError(f"`{place.word}` is no clause", at, "commands stand below `run:`")
    return PipelineError(f"`{place.word}` is no clause", at, "the clauses are " + ", ".join(CLAUSES))


_OTHER_TOOLS = {
    **dict.fromkeys(("shell", "cmd", "script", "command", "action"), "run:"),
    **dict.fromkeys(("deps", "depends", "needs", "requirements"), "inputs:"),
    **dict.fromkeys(("outs", "targets", "produces"), "outputs:"),
    **dict.fromkeys(("threads", "cpus", "cores"), "resources: cpus = …"),
    **dict.fromkeys(("mem", "memory"), "resources: memory = …"),
    **dict.fromkeys(("gpu", "gpus"), "resources: gpus = …"),
    **dict.fromkeys(("env", "environment"), "environ:"),
    **dict.fromkeys(("container", "conda", "image"), "requires:"),
}


def _missing_colon(place: Place) -> PipelineError | None:
    if "COLON" not in place.expected:
        return None
    shown = place.before.strip()
    return PipelineError(f"a colon is missing after `{shown}`", place.over(len(_shown(place))), f"write `{shown}:`")


def _equals_missing(place: Place) -> PipelineError | None:
    if place.expected != {"EQUAL"}:
        return None
    if place.opened and place.rest.startswith(":"):
        return PipelineError("a table is written with `=`", place.at, "as in {k = 1}")
    shown = place.before.strip()
    return PipelineError(f"`=` is missing after `{shown}`", place.over(len(_shown(place))), f"write `{shown} = …`")


def _double_equals(place: Place) -> PipelineError | None:
    if place.rest.startswith("=") and "COMPARES" in place.expected:
        return PipelineError("`=` gives a name to what follows it", place.at, "a comparison is `==`")
    return None


def _foreign_operator(place: Place) -> PipelineError | None:
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
    "$": "a value is named without `$`",
    "`": 'a text stands in "…"',
    "%": "there is no remainder",
    "@": 'a text stands in "…"',
    "~": 'a text stands in "…"',
    "&": "write `and`",
    "|": "write `or`",
    "^": "there is no such operator",
}


def _bare_path(place: Place) -> PipelineError | None:
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


def _block_line(place: Place) -> PipelineError | None:
    """Two items on a line of a block."""
    if place.expected == {"_NL"} and place.before.rstrip().endswith(","):
        hint = "in a block, each item stands on a line of its own"
        return PipelineError("a second item stands on this line", place.over(len(_shown(place))), hint)
    return None


def _range_outside(place: Place) -> PipelineError | None:
    if place.token == "DOTS" or (place.rest.startswith(".") and place.before.endswith(".")):
        start = place.at.column - place.before.endswith(".")
        hint = "a range of keys stands after a target's name: `features[2013-01-01..2013-01-31]`"
        return PipelineError("`..` only stands in `[ ]`", Location(place.at.source, place.at.line, start, 2), hint)
    return None


def _beside_header(place: Place) -> PipelineError | None:
    """`target x: run: a`"""
    if place.expected == {"_NL"} and re.match(r"(?:target\b[^:]*|defaults[ \t]*):[ \t]*\Z", place.before):
        at = place.over(len(_shown(place)))
        return PipelineError("clauses stand on lines of their own", at, "begin them on the next line, indented")
    return None


def _no_name(place: Place) -> PipelineError | None:
    """A declaration whose name is none: `target 1x:`, `target x[]:`"""
    if place.expected != {"NAME"} or not place.rest:
        return None
    if place.rest.startswith("]"):
        return PipelineError("no partition is named here", place.at, "leave out `[ ]`, or name one in it")
    at = place.over(len(_shown(place)))
    return PipelineError(f"`{_shown(place)}` is no name", at, "a name is a letter or _, then letters, digits and _")


def _no_text(place: Place) -> PipelineError | None:
    """`include other.pipe`, without quotes."""
    if not {"STRING", "RAW"} >= place.expected or not place.word:
        return None
    match = re.match(r"[^\s#]+", place.rest)
    word = match[0] if match else place.word
    return PipelineError(f"{word} needs quotes", place.over(len(word)), f'write "{word}"')


def _star_outside(place: Place) -> PipelineError | None:
    if place.token == "STAR" and "NUMBER" in place.expected and not place.before.rstrip().endswith("/"):
        return PipelineError(
            "`*` only stands in `[ ]`, or between two numbers", place.at, 'a pattern is glob("data/*.csv")'
        )
    return None


def _nothing_there(place: Place) -> PipelineError | None:
    if place.token in ("_NL", "$END") and "NUMBER" in place.expected:
        before = place.before.rstrip() or _line_above(place).rstrip()
        return PipelineError("a value is missing at the end of the line", place.at, f"after `{before.strip()[-30:]}`")
    return None


_RULES: tuple[Callable[[Place], PipelineError | None], ...] = (
    _unclosed,
    _strange_character,
    _empty_recipe,
    _indented,
    _not_indented,
    _clause_outside,
    _unknown_statement,
    _unknown_clause,
    _unterminated,
    _beside_header,
    _hyphen,
    _no_text,
    _reserved,
    _range_outside,
    _no_name,
    _bad_number,
    _double_equals,
    _block_line,
    _foreign_operator,
    _star_outside,
    _bare_path,
    _missing_colon,
    _equals_missing,
    _nothing_there,
)
