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
        match = re.match(r"[^\W\d][\w-]{0,99}", self.rest)
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
    match = re.match(r"""\.\.|[<>=!]=|\d[\w.+-]{0,99}|"[^"]{0,99}"|'[^']{0,99}'|\S""", place.rest)
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
    hint = "remove it" if char != "\r" else "save the file with plain line breaks"
    return PipelineError(f"a character that does not show (U+{ord(char):04X}) stands here", place.at, hint)


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


def _version(place: Place) -> PipelineError | None:
    """`0.1.2`"""
    split = re.search(r"(?<![\w.])\d+\.\d+\.\Z", place.before)
    rest = re.match(r"\d[\w.-]*", place.rest)
    if not split or not rest:
        return None
    text = split[0] + rest[0]
    at = Location(place.at.source, place.at.line, split.start() + 1, len(text))
    return PipelineError(f"{text} is no number", at, f'a version, or any other text, stands in quotes: "{text}"')


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
    elif above.rstrip().endswith(","):
        hint = "begin all items on the line below the clause, one a line; or put them in brackets"
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
    if "_TARGET" not in place.expected or place.before.strip() or not place.rest:
        return None
    word = place.word or re.match(r"\s*\S[^\s:]{0,99}", place.rest)[0]  # type: ignore[index]
    return PipelineError(f"`{word}` is no statement", place.over(len(word)), _statement_meant(place, word))


def _statement_meant(place: Place, word: str) -> str:
    """What to write instead of a line at the left edge that is no statement."""
    if word in _OTHER_STATEMENTS or word[0] == "@":
        return _OTHER_STATEMENTS.get(word, _PYTHON)
    if near := nearest(word, STATEMENTS):
        return f"did you mean `{near}`?"
    if re.match(r"[\w.-]+[ \t]*=(?!=)", place.rest):
        return f"write `param {word} = …` or `let {word} = …`"
    if re.match(r"\w+[ \t]*:[ \t]*(?:#.*)?\Z", place.rest):
        return f"write `target {word}:`"
    if made := re.match(r"([^\s:#]+)[ \t]*:(?!=)", place.rest):
        if "%" in made[1]:
            return 'what `%` stands for is a partition: partition stem: glob("raw/{stem}.csv"), and target NAME[stem]:'
        name = re.sub(r"\W+", "_", made[1]).strip("_") or "NAME"
        made_by = "" if name == made[1] else f' `outputs: "{made[1]}"`,'
        return f"write `target {name}:`, and below it, indented,{made_by} `inputs:` and `run:`"
    if _line_above(place)[:1] in (" ", "\t"):
        return "if it is part of a recipe, indent it as the recipe's first line is (here-documents too)"
    return "a statement begins with " + ", ".join(STATEMENTS[:-1]) + " or " + STATEMENTS[-1]


_PYTHON = "a Pipelinefile holds no Python: keys are a `partition`, values a `let`, code stands in a recipe"
_OTHER_STATEMENTS = {
    **dict.fromkeys(("rule", "stage", "task", "job", "step"), "write `target NAME:`"),
    **dict.fromkeys(("stages", "targets", "tasks", "jobs", "steps"), "each is a statement of its own: `target NAME:`"),
    **dict.fromkeys(("configfile", "config", "vars"), 'a file of values is read by `params "FILE"`'),
    **dict.fromkeys(("if", "for", "while", "def", "import", "from", "class", "print", "try", "with"), _PYTHON),
    **dict.fromkeys(("var", "set", "const", "define", "export"), "write `param NAME = …` or `let NAME = …`"),
    **dict.fromkeys(("wildcard_constraints", "wildcards"), 'keys are declared: `partition NAME: ["a", "b"]`'),
    "//": "a comment begins with `#`",
    "/*": "a comment begins with `#`",
    ".PHONY": "a target without `outputs:` needs no such line",
}


def _unknown_clause(place: Place) -> PipelineError | None:
    if "INPUTS" not in place.expected or place.before.strip() or not place.word:
        return None
    at = place.over(len(place.word))
    if place.word in STATEMENTS:
        hint = "begin it at the left edge"
        return PipelineError(f"`{place.word}` is a statement and can't stand in a target", at, hint)
    if place.word in CLAUSES:
        at = Location(place.at.source, place.at.line, place.at.column + len(place.word))
        return PipelineError(f"a colon is missing after `{place.word}`", at, f"write `{place.word}:`")
    if place.word in _OTHER_TOOLS:
        return PipelineError(f"`{place.word}` is no clause", at, f"here that is {_quoted(_OTHER_TOOLS[place.word])}")
    if near := nearest(place.word, CLAUSES):
        return PipelineError(f"`{place.word}` is no clause", at, f"did you mean `{near}`?")
    if not re.match(r"[\w-]+[ \t]*:", place.rest):
        return PipelineError(f"`{place.word}` is no clause", at, "commands stand below `run:`")
    return PipelineError(f"`{place.word}` is no clause", at, "the clauses are " + ", ".join(CLAUSES))


_OTHER_TOOLS = {
    **dict.fromkeys(("shell", "cmd", "script", "command", "action"), "run:"),
    **dict.fromkeys(("deps", "depends", "depends_on", "dependencies", "needs", "requirements"), "inputs:"),
    **dict.fromkeys(("outs", "targets", "produces"), "outputs:"),
    **dict.fromkeys(("threads", "cpus", "cores"), "resources: cpus = …"),
    **dict.fromkeys(("mem", "memory"), "resources: memory = …"),
    **dict.fromkeys(("gpu", "gpus"), "resources: gpus = …"),
    **dict.fromkeys(("env", "environment"), "environ:"),
    **dict.fromkeys(("container", "conda", "image"), "requires:"),
    **dict.fromkeys(("description", "desc", "doc", "help", "message"), 'a """text""" as the first line of the target'),
    **dict.fromkeys(("retries", "max_retries", "attempts"), "retry:"),
    **dict.fromkeys(("executor", "queue", "runs_on"), "on:"),
    **dict.fromkeys(("if", "condition"), "when:"),
    **dict.fromkeys(("parallelism", "concurrency", "max_parallel"), "max_active:"),
    **dict.fromkeys(("matrix", "foreach", "wildcards"), "a partition: target NAME[partition]:"),
}


def _quoted(advice: str) -> str:
    """Code in backticks, words as they are."""
    return advice if advice.startswith("a ") else f"`{advice}`"


def _colon_behind_word(place: Place) -> PipelineError | None:
    """`default: a`, `include: "x"`, `target: train`"""
    word = place.before.strip()
    if not place.rest.startswith(":") or word not in STATEMENTS:
        return None
    behind = place.rest[1:].partition("#")[0].strip()
    if word in ("target", "partition", "executor"):
        name = re.match(r"\w+", behind)
        return PipelineError(f"`{word}` needs a name", place.at, f"write `{word} {name[0] if name else 'NAME'}:`")
    if word in ("include", "params") and behind[:1] not in ("'", '"'):
        behind = f'"{behind or "…"}"'
    return PipelineError(f"no colon stands after `{word}`", place.at, f"write `{word} {behind or '…'}`")


def _target_header(place: Place) -> PipelineError | None:
    """`target train(model):`, `target build/%.csv:`"""
    name = re.match(r"[ \t]*target[ \t]+(\w+)[ \t]*\Z", place.before)
    if not name or "COLON" not in place.expected:
        return None
    if listed := re.match(r"[({<]([\w, ]*)[)}>]", place.rest):
        hint = f"write `target {name[1]}[{listed[1]}]:`"
        return PipelineError("the partitions of a target stand in `[ ]`", place.over(len(listed[0])), hint)
    if re.match(r"[./%*]", place.rest):
        path = re.match(r"[\w./%*-]+", place.line[name.start(1) :])
        at = Location(place.at.source, place.at.line, name.start(1) + 1, len(path[0]) if path else 1)
        hint = 'give it a name, and below it, indented: outputs: "…"'
        return PipelineError("a target is called by a name, not by a path", at, hint)
    return None


def _partition_source(place: Place) -> PipelineError | None:
    """What goes wrong behind `partition NAME:`"""
    source = re.match(r"[ \t]*partition[ \t]+\w+[ \t]*:[ \t]*(.*)\Z", place.before)
    if not source:
        return None
    period = re.match(r"(hourly|daily|weekly|monthly)\b[ \t]*(from\b)?", source[1])
    if period and not period[2]:
        at = place.over(len(_shown(place)))
        return PipelineError(f"`from` is missing after `{period[1]}`", at, f"as in `{period[1]} from 2013-01-01`")
    if period and (place.token == "DOTS" or place.rest.startswith(".")):
        return PipelineError("the last period stands after `to`", place.over(2), f"write `{source[1].strip()} to …`")
    if place.rest.startswith(",") or (not source[1] and place.token in ("_NL", "$END")):
        return PipelineError("the keys of a partition stand in a list", place.at, 'as in ["a", "b"]')
    if place.word or place.rest.startswith("-"):
        hint = 'as in ["a", "b"], daily from 2013-01-01, range(5), or keys(params.models)'
        return PipelineError("this is no source of keys", place.over(len(_shown(place))), hint)
    return None


def _number_and_word(place: Place) -> PipelineError | None:
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


def _prefixed_text(place: Place) -> PipelineError | None:
    """`f"model.pkl"`"""
    if place.rest[:1] not in ("'", '"') or not re.search(r"(?<!\w)[fFrRbB]\Z", place.before):
        return None
    at = Location(place.at.source, place.at.line, place.at.column - 1)
    return PipelineError("a text has no letter before it", at, "values are put into every \"{name}\"; '…' is literal")


def _missing_colon(place: Place) -> PipelineError | None:
    if "COLON" not in place.expected:
        return None
    shown = place.before.strip()
    return PipelineError(f"a colon is missing after `{shown}`", place.over(len(_shown(place))), f"write `{shown}:`")


def _equals_missing(place: Place) -> PipelineError | None:
    if place.rest.startswith(":") and {"EQUAL"} < place.expected and not place.opened:
        name = re.search(r"\w*\Z", place.before.rstrip())
        return PipelineError("a value is given with `=`", place.at, f"write `{name[0] if name else ''} = …`")
    if place.expected != {"EQUAL"}:
        return None
    if place.opened and place.rest.startswith(":"):
        return PipelineError("a table is written with `=`", place.at, "as in {k = 1}")
    shown = place.before.strip()
    return PipelineError(f"`=` is missing after `{shown}`", place.over(len(_shown(place))), f"write `{shown} = …`")


def _double_equals(place: Place) -> PipelineError | None:
    if place.rest.startswith("=") and re.search(r"[\w\]]=\Z|[\w\]][ \t]+=\Z", place.before):
        at = Location(place.at.source, place.at.line, place.at.column - 1, 2)
        return PipelineError("`==` compares two values", at, "a value is given with one `=`")
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
    "$": 'a value is named without `$`; a variable of the environment is env("NAME")',
    "`": 'a text stands in "…"',
    "%": "there is no remainder",
    "@": 'a text stands in "…"',
    "~": "`~` is not expanded: write the whole path, in quotes",
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
        needed = place.rest.partition("#")[0].strip()
        hint = "begin them on the next line, indented"
        if "target" in place.before and re.fullmatch(r"[\w ]+", needed):
            hint += f": inputs: {', '.join(needed.split())}"
        return PipelineError("clauses stand on lines of their own", at, hint)
    return None


def _no_name(place: Place) -> PipelineError | None:
    """A declaration whose name is none: `target 1x:`, `target x[]:`"""
    if place.expected != {"NAME"} or not place.rest:
        return None
    if place.rest.startswith("]"):
        return PipelineError("no partition is named here", place.at, "leave out `[ ]`, or name one in it")
    at = place.over(len(_shown(place)))
    hint = "a name is a letter or _, then letters, digits and _"
    if re.match(r"[ \t]*target\b.*\[", place.before):
        hint = "a partition stands here, by its name, and not one of its keys"
    return PipelineError(f"`{_shown(place)}` is no name", at, hint)


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
    _colon_behind_word,
    _target_header,
    _partition_source,
    _number_and_word,
    _prefixed_text,
    _beside_header,
    _hyphen,
    _no_text,
    _reserved,
    _range_outside,
    _version,
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
