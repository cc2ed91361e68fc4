"""Lines, blocks and brackets: where they begin and end. The parser itself asks for what is said of indents."""

from __future__ import annotations

import re

from mlbuild.errors import Location, PipelineError
from mlbuild.language.mistakes.place import CLAUSES, STATEMENTS, Place

CLOSES = {"[": "]", "(": ")", "{": "}"}


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


def never_closed(at: Location, bracket: str) -> PipelineError:
    return PipelineError(f"this `{bracket}` is never closed", at, f"add `{CLOSES[bracket]}`")


def unclosed(place: Place) -> PipelineError | None:
    if place.opened and place.at.line > place.opened.line:
        bracket = place.opened.source.line(place.opened.line)[place.opened.column - 1]
        if not place.before.strip() or place.before.split()[0].rstrip(":") in (*CLAUSES, *STATEMENTS):
            return never_closed(place.opened, bracket)
    return None


def empty_run(at: Location) -> PipelineError:
    hint = "write the command on this line, or indent the lines below it deeper than `run`"
    return PipelineError("`run:` has no recipe", at, hint)


def empty_recipe(place: Place) -> PipelineError | None:
    match = re.match(r"run(?:[ \t]+python)?[ \t]*:?[ \t]*(?:#.*)?\Z", place.rest)
    if not match or "RECIPE" not in place.expected:
        return None
    if ":" not in match[0].partition("#")[0]:
        return PipelineError("`run` needs a colon", place.over(len("run")), "write `run:`")
    return empty_run(place.over(len("run")))


def indented(place: Place) -> PipelineError | None:
    if place.token != "_INDENT":
        return None
    indent = len(place.line) - len(place.line.lstrip())
    at = Location(place.at.source, place.at.line, 1, max(1, indent))
    above = place.above
    if re.match(r"[ \t]+run\b", above):
        hint = "a recipe of several lines begins on the line below `run:`; or end the line before in `\\`"
    elif above.rstrip().endswith(","):
        hint = "begin all items on the line below the clause, one a line; or put them in brackets"
    elif above.strip() and _in_recipe(place):
        hint = "a recipe ends at the first line that is indented less than its own first"
    else:
        hint = "lines of one block begin in the same column"
    return PipelineError("this line is indented too deep", at, hint)


def _in_recipe(place: Place) -> bool:
    """Whether the nearest line above that is indented less begins with `run`."""
    indent = len(place.line) - len(place.line.lstrip())
    for number in range(place.at.line - 1, 0, -1):
        line = place.at.source.line(number)
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            return line.lstrip().startswith("run")
    return False


def not_indented(place: Place) -> PipelineError | None:
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


def block_line(place: Place) -> PipelineError | None:
    """Two items on a line of a block."""
    if place.expected == {"_NL"} and place.before.rstrip().endswith(","):
        hint = "in a block, each item stands on a line of its own"
        return PipelineError("a second item stands on this line", place.over(len(place.shown)), hint)
    return None


def beside_header(place: Place) -> PipelineError | None:
    """`target x: run: a`"""
    if place.expected == {"_NL"} and re.match(r"(?:target\b[^:]*|defaults[ \t]*):[ \t]*\Z", place.before):
        at = place.over(len(place.shown))
        needed = place.rest.partition("#")[0].strip()
        hint = "begin them on the next line, indented"
        if "target" in place.before and re.fullmatch(r"[\w ]+", needed):
            hint += f": inputs: {', '.join(needed.split())}"
        return PipelineError("clauses stand on lines of their own", at, hint)
    return None
