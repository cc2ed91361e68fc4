"""What a pipeline may say without meaning it. Nothing here is a mistake; `mlbuild check` shows it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from mlbuild.errors import Doubt, Location
from mlbuild.expression import Attribute, Between, Name, Node, One, Point, Reference, Slot, Template, written
from mlbuild.language import python
from mlbuild.language.batches import inputs_in
from mlbuild.language.names import TASK_NAMES
from mlbuild.language.places import BARE, DOUBLE, GLUED, REOPENED, SINGLE
from mlbuild.language.text import BODY, NAME, STEP
from mlbuild.language.words import params_used, root, slots
from mlbuild.target import Glob, Input, Partition, Pipeline, Target

OPERAND = rf"(?:{NAME}(?:{STEP})*|\d+(?:\.\d+)?)"
BRACES = re.compile(r"(?<![$@%\\{])\{([^{}\n]+)\}")
SPACED = re.compile(rf"\s+{BODY}\s*|\s*{BODY}\s+", re.ASCII)
SUM = re.compile(rf"\s*{OPERAND}(?:\s*[-+*/]\s*{OPERAND})+\s*", re.ASCII)
COUNTED = re.compile(rf"({NAME}(?:{STEP})*)\.(\d+)", re.ASCII)
WORD = re.compile(rf"(?<![\w.\"']){NAME}", re.ASCII)
OPTION = re.compile(r"(?:^|\s)(--?[A-Za-z][\w-]*)[ \t]+\Z")
ENDS, BEGINS = re.compile(r"(?:^|[\s;|&()<>`])\Z"), re.compile(r"$|[\s;|&()<>`]")
"""How the text before a word of its own ends, and how that behind it begins."""
NO_LIST = ("file", "json")
"""Formats of which one word comes, however long the list is."""


def doubts(pipeline: Pipeline, options: Collection[str]) -> list[Doubt]:
    """What is doubtful, by place.

    Args:
        options: those of the command line, with their dashes.
    """
    found = [*_named_like_options(pipeline.partitions.values(), options)]
    for target in pipeline.targets.values():
        for text, names in _texts(target):
            found += _missed(text, {*pipeline.constants, *target.partitions, *names}, pipeline)
        found += _ignored_in_vain(target)
        if target.recipe and target.recipe.kind == "shell":
            text = target.recipe.text
            found += [*_quoted(text), *_eaten(text, target, pipeline), *_joined(text, target, pipeline)]
            found += _beside(text, target)
    return sorted(found, key=lambda doubt: _place(doubt.at))


def _place(at: Location | None) -> tuple[str, int, int]:
    return (at.source.path, at.line, at.column) if at else ("", 0, 0)


def _named_like_options(partitions: Iterable[Partition], options: Collection[str]) -> Iterator[Doubt]:
    for partition in partitions:
        option = "--" + partition.name.replace("_", "-")
        if {option, f"--{partition.name}"} & set(options):
            hint = f"its keys are chosen by --key {partition.name}=…"
            yield Doubt(f"`{option}` is an option, so it does not choose keys of this partition", partition.at, hint)


def _ignored_in_vain(target: Target) -> Iterator[Doubt]:
    """A param that checkpoints may differ in, and that is nothing to the target."""
    used = set(_used(target))
    for node in target.checkpoint.ignore if target.checkpoint else ():
        name = written(node)
        if not any(f"{name}.".startswith(f"{one}.") or name.startswith(f"{one}[") for one in used):
            hint = "leave it out; of a let that is worked out of it, name the let"
            yield Doubt(f"`{name}` is ignored, and `{target.name}` does not use it", node.at, hint)


def _used(target: Target) -> Iterator[str]:
    """The values that a target is given, as they are written."""
    for node in (*target.params, *(variable.value for variable in target.environ if variable.value)):
        yield from params_used(node)
    if target.recipe and target.recipe.kind == "shell":
        yield from params_used(target.recipe.text)
    elif target.recipe:
        roots = [root(node) or "" for node in (target.checkpoint.ignore if target.checkpoint else ())]
        yield from (name for name, _ in python.uses(target.recipe.text, roots))


# --- Braces that are not read


def _texts(target: Target) -> Iterator[tuple[Template, tuple[str, ...]]]:
    """The texts in which values are put, and which names of the task mean something there."""
    for item in target.inputs:
        if isinstance(item.source, Template | Glob):
            yield item.source if isinstance(item.source, Template) else item.source.pattern, ()
    for output in (*target.outputs, *target.metrics):
        yield output.path, ()
    if target.recipe and target.recipe.kind == "shell":
        yield target.recipe.text, TASK_NAMES


def _missed(text: Template, known: set[str], pipeline: Pipeline) -> Iterator[Doubt]:
    """`{ inputs }`, `{epochs*2}`: braces around what is known that pass through as they are."""
    for line, start, end in _lines(text):
        row = text.at.source.line(line)
        for match in BRACES.finditer(row, start, end):
            names = set(WORD.findall(match[1]))
            if not names or not names <= known:
                continue
            at = Location(text.at.source, line, match.start() + 1, len(match[0]))
            if counted := COUNTED.fullmatch(match[1]):
                hint = f"for the value: {{{counted[1]}[{counted[2]}]}}"
                yield Doubt(f"{match[0]} stays as it is, since a name has no number behind its dot", at, hint)
            elif SPACED.fullmatch(match[1]):
                meant = "{" + match[1].strip() + "}"
                yield Doubt(f"{match[0]} stays as it is, since blanks stand in it", at, f"for the value: {meant}")
            elif SUM.fullmatch(match[1]):
                hint = "work it out in the recipe"
                if names <= set(pipeline.constants):
                    hint = f"for the value: let NAME = {match[1].strip()}, and here {{NAME}}"
                yield Doubt(f"{match[0]} stays as it is, since only names are looked up", at, hint)


def _lines(text: Template) -> Iterator[tuple[int, int, int]]:
    """The lines of the file that a text stands on: number, and from where to where (from 0) it is the text's."""
    rows = sum(part.count("\n") for part in text.parts if isinstance(part, str))
    first, start = text.at.line, text.at.column - 1
    yield first, start, start + text.at.length
    for line in range(first + 1, first + rows + 1):
        yield line, 0, len(text.at.source.line(line))


def _quoted(text: Template) -> Iterator[Doubt]:
    """`run: "python train.py"`: a shell takes that for the name of one program."""
    written = "".join(part if isinstance(part, str) else "x" for part in text.parts)
    if written[:1] in ("'", '"') and written.find(written[0], 1) == len(written) - 1 and " " in written:
        message = "the whole recipe stands in quotes, so the shell takes it for the name of one program"
        yield Doubt(message, text.at, "leave out the quotes")


# --- Lists


def _eaten(text: Template, target: Target, pipeline: Pipeline) -> Iterator[Doubt]:
    """`--features {inputs} --out x`, where there may be no inputs: then the option takes the next word."""
    before: object = ""
    for part in text.parts:
        option = OPTION.search(before) if isinstance(before, str) else None
        before = part
        if not option or not isinstance(part, Slot) or part.place != BARE or _is_word(part):
            continue
        inputs = inputs_in(part, target)
        is_empty = inputs is not None and all(_may_be_empty(item) for item in inputs)
        if is_empty or _constant(part.expression, pipeline) == []:
            shown = _shown(part)
            hint = f"{{{shown}:{option[1]}}} writes the option before each, and nothing where there is none"
            yield Doubt(f"{{{shown}}} may be empty, and {option[1]} would take what comes next", part.at, hint)


def _joined(text: Template, target: Target, pipeline: Pipeline) -> Iterator[Doubt]:
    """`"{inputs}"`: several paths in one word."""
    for slot in slots(text):
        quoted = slot.place in (DOUBLE, REOPENED, SINGLE)
        if quoted and not _is_word(slot) and _is_list(slot, target, pipeline):
            message = f"{{{_shown(slot)}}} may be several, which inside quotes become one word"
            yield Doubt(message, slot.at, "without the quotes each is a word of its own")


def _beside(text: Template, target: Target) -> Iterator[Doubt]:
    """`in/{day}.csv` in a batch: the folder stands before the first key alone, the ending behind the last."""
    for before, slot, after in zip(("", *text.parts), text.parts, (*text.parts[1:], ""), strict=False):
        if not isinstance(slot, Slot) or slot.place not in (BARE, GLUED) or not _is_of_batch(slot, target):
            continue
        alone = all(not isinstance(side, Slot) for side in (before, after))
        if not alone or not ENDS.search(str(before)) or not BEGINS.match(str(after)):
            message = f"{written(slot)} may be several, and the text beside it goes to the first or the last of them"
            hint = f"for each of them by itself: for {target.partitions[-1]} in {written(slot)}; do …; done"
            yield Doubt(message, slot.at, hint)


def _is_of_batch(slot: Slot, target: Target) -> bool:
    """Whether a slot is a list because its recipe is given several keys."""
    node = slot.expression.base if isinstance(slot.expression, Attribute) else slot.expression
    lists = (target.partitions[-1], "inputs", "outputs", "metrics") if target.batch else ()
    return isinstance(node, Name) and node.name in lists and not _is_word(slot)


def _is_word(slot: Slot) -> bool:
    return slot.format in NO_LIST or slot.format.startswith("--")


def _shown(slot: Slot) -> str:
    return written(slot.expression)


def _constant(node: Node, pipeline: Pipeline) -> object:
    """The value that `{name}` or `{name.field}` has at every task; None if that is another for each, or none."""
    match node:
        case Name(name=name) if name in pipeline.constants:
            return pipeline.constants[name].value
        case Attribute(base=base, name=name):
            table = _constant(base, pipeline)
            return table.get(name) if isinstance(table, dict) else None
    return None


def _may_be_empty(item: Input) -> bool:
    if item.optional or isinstance(item.source, Glob):
        return True
    selectors = item.source.selectors if isinstance(item.source, Reference) else ()
    return any(isinstance(one, Between) and _may_be_cut_away(one) for one in selectors)


def _may_be_cut_away(window: Between) -> bool:
    """Whether a window without the task's own key lies wholly outside the partition for the first or the last keys."""
    ends = (window.first, window.last)
    if not all(isinstance(end, Point) and end.partition and not end.end for end in ends):
        return False
    first, last = (end.offset for end in ends if end)
    return last < 0 or first > 0


def _is_list(slot: Slot, target: Target, pipeline: Pipeline) -> bool:
    if _is_of_batch(slot, target):
        return True
    inputs = inputs_in(slot, target)
    if inputs is not None:
        return len(inputs) > 1 or any(_is_several(item, pipeline) for item in inputs)
    match slot.expression:
        case Name(name="outputs"):
            return len(target.outputs) > 1
        case Name(name="metrics"):
            return len(target.metrics) > 1
        case Name(name=name) if name in pipeline.constants:
            return isinstance(pipeline.constants[name].value, list)
    return False


def _is_several(item: Input, pipeline: Pipeline) -> bool:
    source = item.source
    if not isinstance(source, Reference):
        return isinstance(source, Glob)
    made = pipeline.targets[source.target]
    several = source.output is None and len(made.outputs or made.metrics) > 1
    return several or any(not isinstance(one, One) for one in source.selectors)
