"""Statements, clauses and names: what was meant by a word that is none, or that stands in the wrong place."""

from __future__ import annotations

import re

from mlbuild.errors import Location, PipelineError
from mlbuild.language.mistakes.place import CLAUSES, RESERVED, STATEMENTS, Place
from mlbuild.values import nearest


def clause_outside(place: Place) -> PipelineError | None:
    """A clause at the left edge."""
    if "_TARGET" in place.expected and place.word in CLAUSES and not place.before.strip():
        at = place.over(len(place.word))
        return PipelineError(f"`{place.word}` is a clause of a target", at, "indent it below a `target NAME:`")
    return None


def unknown_statement(place: Place) -> PipelineError | None:
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
    if place.above[:1] in (" ", "\t"):
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


def unknown_clause(place: Place) -> PipelineError | None:
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


def colon_behind_word(place: Place) -> PipelineError | None:
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


def target_header(place: Place) -> PipelineError | None:
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


def partition_source(place: Place) -> PipelineError | None:
    """What goes wrong behind `partition NAME:`"""
    source = re.match(r"[ \t]*partition[ \t]+\w+[ \t]*:[ \t]*(.*)\Z", place.before)
    if not source:
        return None
    period = re.match(r"(hourly|daily|weekly|monthly)\b[ \t]*(from\b)?", source[1])
    if period and not period[2]:
        at = place.over(len(place.shown))
        return PipelineError(f"`from` is missing after `{period[1]}`", at, f"as in `{period[1]} from 2013-01-01`")
    if period and (place.token == "DOTS" or place.rest.startswith(".")):
        return PipelineError("the last period stands after `to`", place.over(2), f"write `{source[1].strip()} to …`")
    if place.rest.startswith(",") or (not source[1] and place.token in ("_NL", "$END")):
        return PipelineError("the keys of a partition stand in a list", place.at, 'as in ["a", "b"]')
    if place.word or place.rest.startswith("-"):
        hint = 'as in ["a", "b"], daily from 2013-01-01, range(5), or keys(params.models)'
        return PipelineError("this is no source of keys", place.over(len(place.shown)), hint)
    return None


def hyphen(place: Place) -> PipelineError | None:
    """`target build-report:`"""
    left = re.search(r"[A-Za-z_]\w*\Z", place.before)
    right = re.match(r"-[\w-]*", place.rest)
    if not left or not right or not re.match(r"[ \t]*(?:target|param|let|partition|executor|default)\b", place.line):
        return None
    name = left[0] + right[0]
    at = Location(place.at.source, place.at.line, left.start() + 1, len(name))
    return PipelineError(f"a name has no hyphen: `{name}`", at, f"write `{name.replace('-', '_')}`")


def reserved(place: Place) -> PipelineError | None:
    if place.word in RESERVED and ("NAME" in place.expected or not place.token):
        at = place.over(len(place.word))
        return PipelineError(f"`{place.word}` is a word of the language, not a name", at, "choose another name")
    return None


def no_name(place: Place) -> PipelineError | None:
    """A declaration whose name is none: `target 1x:`, `target x[]:`"""
    if place.expected != {"NAME"} or not place.rest:
        return None
    if place.rest.startswith("]"):
        return PipelineError("no partition is named here", place.at, "leave out `[ ]`, or name one in it")
    at = place.over(len(place.shown))
    hint = "a name is a letter or _, then letters, digits and _"
    if re.match(r"[ \t]*target\b.*\[", place.before):
        hint = "a partition stands here, by its name, and not one of its keys"
    return PipelineError(f"`{place.shown}` is no name", at, hint)


def missing_colon(place: Place) -> PipelineError | None:
    if "COLON" not in place.expected:
        return None
    shown = place.before.strip()
    return PipelineError(f"a colon is missing after `{shown}`", place.over(len(place.shown)), f"write `{shown}:`")
