"""What names stand for beside plain Python values, and how any value is written as text. Knows no expression."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from msgspec import Struct


class Key(Struct, frozen=True):
    """One key of a partition: the text that paths and task names show, and the value that expressions see."""

    text: str
    value: object

    def __str__(self) -> str:
        return self.text


class Bundle(Struct, frozen=True):
    """Paths in order, some of which have a name: what `{inputs}`, `{outputs}` and `{metrics}` stand for.

    `single` tells one declared path (a `str` to `run python`) from a list that happens to hold one; `rows` gives what
    `:json` says of inputs. In a batch `each` is what each of its keys has, and `uneven` says that `paths` don't tell.
    """

    paths: tuple[str, ...]
    named: tuple[tuple[str, Bundle], ...] = ()
    single: bool = False
    rows: Callable[[], list[Mapping[str, object]]] | None = None
    each: tuple[Bundle, ...] = ()
    uneven: bool = False


LONGEST_NAME = 200
"""Bytes of a key between two `/`. A file's name may have 255, and more than the key stands in it."""
PLAIN = re.compile(rf"[A-Za-z0-9_@%+:-][A-Za-z0-9_@%+:.-]{{,{LONGEST_NAME - 1}}}").fullmatch
"""Of almost all keys this is all that has to be asked."""


def unfit_key(text: str) -> str | None:
    """Why a text can't be a key, and stand in a path without leaving its folder; None if it can."""
    if PLAIN(text):
        return None
    if not text:
        return "it is empty"
    if "\0" in text:
        return "it holds a NUL character"
    if any("\ud800" <= char <= "\udfff" for char in text):
        return "it is not UTF-8"
    if any(len(part.encode()) > LONGEST_NAME for part in text.split("/")):
        return f"a name of more than {LONGEST_NAME} bytes is too long for a file"
    if text.startswith("/") or text.endswith("/") or "//" in text:
        return "it begins or ends with `/`, or holds `//`"
    if any(part in (".", "..") for part in text.split("/")):
        return "as a path it leads elsewhere"
    return None


def filled_lines(data: bytes) -> list[tuple[int, str]]:
    """The lines of a file that hold anything, each with its number, from 1 on. Raises ValueError if it is not UTF-8."""
    lines = enumerate(data.decode("utf-8-sig").splitlines(), 1)
    return [(number, line) for number, line in lines if line.strip()]


class Missing:
    """A metric that is not there. It is false, and so is every comparison with it."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that `word` was probably meant to be."""
    from difflib import get_close_matches

    by_folded = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_folded, 1, 0.6)
    return by_folded[found[0]] if found else None


def kind_of(value: object) -> str:
    """A value's type in the words of an error message: "a whole number", "text", "a table"."""
    match value:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str() | Key():
            return "text"
        case Mapping():
            return "a table"
        case None:
            return "null"
        case Missing():
            return "a value that is missing"
    return "a list"


# ---------------------------------------------------------------------------------------------------------------------
# Text. One value is a text; a list, or a bundle of paths, is a list of texts, which its place joins or quotes.

MOMENT = re.compile(r"\d{4}-\d\d(?:-\d\d(?:T\d\d(?:[+-]\d{4})?)?)?\Z", re.ASCII)
FLAG = re.compile(r"--[A-Za-z][\w-]*\Z", re.ASCII)
DATE = re.compile(r"[^%]*%[A-Za-z]")
NUMBER = re.compile(r"(?:.?[<>=^])?[-+ ]?#?0?\d{0,3}[,_]?(?:\.\d{1,3})?[bcdeEfFgGnoxX%]?\Z")
PATHS: dict[str, Callable[[str], str]] = {
    "stem": lambda path: _name(path).rpartition(".")[0].rstrip(".") or _name(path),
    "name": lambda path: _name(path),
    "dir": lambda path: path.rstrip("/").rpartition("/")[0] or ("/" if path.startswith("/") else "."),
}
WORDS = ("raw", "file", "json", *PATHS)


def is_format(format: str) -> bool:
    """Whether `{x:format}` is one of the language's formats."""
    return format in WORDS or any(kind.match(format) for kind in (FLAG, DATE, NUMBER))


def formatted(value: object, format: str) -> str | list[str]:
    """A value as text, one text for each item of a list.

    Raises:
        ValueError: the value can't be written so; the message goes on after "`{x}` ".
    """
    if isinstance(value, Bundle) and value.uneven and format != "json":
        raise ValueError("is not as many paths for each key of the batch")
    if isinstance(value, Bundle) and not format:
        return list(value.paths)
    if format == "json":
        return json.dumps(_plain(value), ensure_ascii=False)
    if FLAG.match(format):
        return _flags(value, format)
    if isinstance(value, Bundle):
        value = list(value.paths)
    if isinstance(value, list | tuple):
        return [_one(item, format) for item in value]
    return _one(value, format)


def _flags(value: object, flag: str) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    items = formatted(value, "")
    return [word for item in ([items] if isinstance(items, str) else items) for word in (flag, item)]


def _one(value: object, format: str) -> str:
    if format in ("", "raw", "file"):
        return _text(value)
    if format in PATHS:
        return PATHS[format](_text(value))
    if DATE.match(format):
        return _date(_text(value), format)
    return _number(value, format)


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case Key():
            return value.text
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case None:
            raise ValueError("is null; `{x:--flag}` leaves an option out when x is null")
        case Missing():
            raise ValueError("is missing")
    raise ValueError(f"is {kind_of(value)}, which has no text of its own; `:json` writes it as JSON")


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def moment(text: str) -> datetime:
    """When a date, month or hour begins, as it is written in a Pipelinefile. Raises ValueError if it is none."""
    if not MOMENT.match(text):
        raise ValueError("it is not of the form 2013-01-31, 2013-01 or 2013-01-31T06")
    return datetime.fromisoformat(f"{text}-01" if len(text) == len("2013-01") else text)


def is_moment(text: str) -> bool:
    """Whether this is a date, month or hour."""
    try:
        moment(text)
    except ValueError:
        return False
    return True


def _date(text: str, format: str) -> str:
    try:
        return moment(text).strftime(format)
    except ValueError:
        raise ValueError(f"is no date, month or hour: {text}") from None


def _number(value: object, format: str) -> str:
    number = value.value if isinstance(value, Key) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"is {kind_of(value)}, which `:{format}` can't write")
    try:
        return f"{number:{format}}"
    except (ValueError, OverflowError) as error:
        raise ValueError(f"can't be written as `:{format}`: {error}") from None


def _plain(value: object) -> object:
    """A value as JSON knows it."""
    match value:
        case Key():
            return value.text
        case Bundle():
            return (value.rows and value.rows()) or list(value.paths)
        case Mapping():
            return {str(name): _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Missing():
            return None
    return value
