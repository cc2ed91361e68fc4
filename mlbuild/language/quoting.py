"""Quoting by place: values quoted as bash reads the place where they stand.

Blind to what commands do with their arguments: `eval {x}` is evaluated. Where the text can't be followed for certain, a
value that could need quoting is refused, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from mlbuild.errors import PipelineError
from mlbuild.expression import Scope, Slot, Template, evaluate, expand, written
from mlbuild.language.places import (
    AFTER_VARIABLE,
    BACKSLASH,
    BACKTICKS,
    BARE,
    BRACES,
    COMMENT,
    DOUBLE,
    EXPANDED,
    GLUED,
    LITERAL,
    REOPENED,
    SINGLE,
)
from mlbuild.language.words import names_used

SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z")
PLAIN = re.compile(r"(?!-[a-z]+\Z)[A-Za-z0-9_@%+:,./-]+\Z", re.IGNORECASE)
"""What bash leaves as it is; not `-f`, which `[[ ]]` might take for a test, nor `a=b`, an assignment."""
IN_BRACES = re.compile(r"-?[A-Za-z0-9_]+\Z")
RESERVED = frozenset(
    {"if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac"}
    | {"in", "select", "function", "time", "coproc"}
)


def _bare(text: str) -> str:
    return text if PLAIN.match(text) and text not in RESERVED else f"'{_single(text)}'"


def _glued(text: str) -> str:
    return f"'{_single(text)}'"


def _braces(text: str) -> str:
    return text if IN_BRACES.match(text) else _glued(text)


def _single(text: str) -> str:
    return text.replace("'", "'\\''")


def _double(text: str) -> str:
    return re.sub(r'([\\$`"])', r"\\\1", text)


def _expanded(text: str) -> str:
    return re.sub(r"([\\$`])", r"\\\1", text)


def _comment(text: str) -> str:
    return re.sub(r"[\r\n]", " ", text)


_WORDS: dict[str, Callable[[str], str]] = {BARE: _bare, GLUED: _glued, BRACES: _braces}
_TEXTS: dict[str, Callable[[str], str]] = {
    DOUBLE: _double,
    REOPENED: lambda text: f'""{_double(text)}',
    SINGLE: _single,
    COMMENT: _comment,
}


def render_recipe(
    template: Template, scope: Scope, as_file: Callable[[Slot, object], str], keep: frozenset[str] = frozenset()
) -> str:
    """A shell text with the values of its slots, each quoted as its place needs.

    Args:
        template: a recipe, as parsed.
        scope: what the names mean.
        as_file: for `{x:file}`: takes the slot and the list of texts (or the table of params) that x is, and gives what
            stands there.
        keep: root names whose slots are left standing as written.

    Raises:
        PipelineError: at a slot whose value can't be had, or can't be quoted where it stands.
    """
    rendered: list[str] = []
    documents: list[tuple[int, int, Slot]] = []
    length = 0
    for part in template.parts:
        text = part if isinstance(part, str) else _slot(part, scope, as_file, keep)
        if isinstance(part, Slot) and part.place.startswith((EXPANDED, LITERAL)):
            documents.append((length, length + len(text), part))
        rendered.append(text)
        length += len(text)
    whole = "".join(rendered)
    for start, end, slot in documents:
        _check_document(whole, start, end, slot)
    return whole


def settled(
    template: Template,
    scope: Scope,
    as_file: Callable[[Slot, object], str],
    varies: Callable[[Slot], bool],
    keep: frozenset[str],
) -> Template:
    """The text with the values of those slots that do not vary; `render_recipe` gives the same of it as of `template`.

    What stands in a here-document waits: whether it may stand there depends on what is around it.

    Args:
        varies: whether elsewhere, in the same text, a slot may have another value.
        keep: root names whose slots are left standing as written, for good.

    Raises:
        PipelineError: as `render_recipe` does.
    """
    parts: list[str | Slot] = []
    for part in template.parts:
        if isinstance(part, Slot):
            is_kept = not keep.isdisjoint(names_used(part))
            if is_kept or not (varies(part) or part.place.startswith((EXPANDED, LITERAL))):
                part = _slot(part, scope, as_file, keep)
        before = parts[-1] if parts else None
        if isinstance(part, str) and isinstance(before, str):
            parts[-1] = before + part
        else:
            parts.append(part)
    return replace(template, parts=tuple(parts))


def _slot(slot: Slot, scope: Scope, as_file: Callable[[Slot, object], str], keep: frozenset[str]) -> str:
    if keep and not keep.isdisjoint(names_used(slot)):
        return written(slot)
    return quoted(slot, as_file(slot, _file_content(slot, scope)) if slot.format == "file" else expand(slot, scope))


def quoted(slot: Slot, value: str | list[str]) -> str:
    """The value of a slot (of a list, its texts) as it stands in a shell text.

    Raises:
        PipelineError: it can't be quoted in the slot's place.
    """
    joined = value if isinstance(value, str) else " ".join(value)
    if "\0" in joined:
        raise PipelineError(
            f"the value of `{written(slot)}` holds a NUL character, which no command can be given", slot.at
        )
    if slot.format == "raw":
        return joined
    if slot.place in _WORDS:
        quote = _WORDS[slot.place]
        return quote(value) if isinstance(value, str) else " ".join(quote(item) for item in value)
    return _in_place(slot, joined)


def _file_content(slot: Slot, scope: Scope) -> object:
    """What the file of `{x:file}` holds: a table of params, or texts, a line each."""
    value = evaluate(slot.expression, scope)
    if isinstance(value, Mapping):
        return value
    texts = expand(slot, scope)
    items = [texts] if isinstance(texts, str) else texts
    for item in items:
        if "\n" in item:
            raise PipelineError(f"`{written(slot)}` is a line a path, and {item!r} holds a line break", slot.at)
    return items


def _in_place(slot: Slot, text: str) -> str:
    """A text in a place that is not bare."""
    if slot.place in _TEXTS:
        return _TEXTS[slot.place](text)
    if slot.place.startswith(LITERAL):
        return text
    if slot.place.startswith(EXPANDED):
        return _expanded(text)
    if SAFE.match(text) and slot.place != AFTER_VARIABLE:
        return text
    raise PipelineError(
        f"the value of `{written(slot)}` can't be quoted inside {slot.place}: {text[:80]!r}", slot.at, _advice(slot)
    )


def _advice(slot: Slot) -> str:
    if slot.place == BACKTICKS:
        return "write $(…) in place of the backticks"
    if slot.place == AFTER_VARIABLE:
        return "put the variable's name in braces: ${NAME}"
    if slot.place == BACKSLASH:
        return "leave out the backslash: values are quoted as their place needs"
    return f"give it to a variable on a line before: value={written(slot)}"


def _check_document(whole: str, start: int, end: int, slot: Slot) -> None:
    """Raise if a value made one of the lines that it stands in the mark that ends its here-document, or if bash would
    take tabs off it, as `<<-` does at the beginning of lines."""
    first = whole.rfind("\n", 0, start) + 1
    last = whole.find("\n", end)
    mark = slot.place.removeprefix(LITERAL).removeprefix(EXPANDED)[1:]
    for line in whole[first : last if last >= 0 else len(whole)].split("\n"):
        if line.lstrip("\t") == mark:
            message = f"the value of `{written(slot)}` would end the here-document: it makes a line that is {mark}"
            raise PipelineError(message, slot.at, "choose another mark")
    text = ("" if whole[first:start].strip("\t") else "\n") + whole[start:end]
    if "\n\t" in text and re.search(rf"<<-[ \t]*[\"'\\]*{re.escape(mark)}", whole[:start]):
        message = f"a line of the value of `{written(slot)}` begins with a tab, which `<<-` takes away"
        raise PipelineError(message, slot.at, "begin the here-document with <<")
