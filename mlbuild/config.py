"""What a user sets once for all builds: `mlbuild.toml` in the workspace over the user's own. Knows no Pipelinefile."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from mlbuild.errors import ConfigError, Location, ManyErrors, Source
from mlbuild.files import Files
from mlbuild.values import nearest

WORKSPACE_FILE = "mlbuild.toml"
LINKS = ("auto", "copy", "hard")
KINDS = ("local", "slurm")
OBSERVE = ("on", "off")
Keys = tuple[str, ...]


class Config(Struct, frozen=True):
    """Both files, the workspace's over the user's.

    Attributes:
        jobs: as `--jobs`; None: as many as there are CPUs to use.
        gpus: how many GPUs this machine has, if its driver does not tell.
        observe: `on`: what Python recipes are seen to read counts; `off`.
        executors: of each `[executors.NAME]` table what is given, in the fields of `target.Executor`, and `at` where it
            stands.
        link: how large outputs come out of the store: `auto` (by reflink, else hard link, else copy), `copy`, `hard`.
    """

    jobs: int | None = None
    gpus: int | None = None
    keep_going: bool = False
    color: bool = True
    observe: str = "on"
    link: str = "auto"
    executors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def user_file() -> str:
    """Where the user's own configuration lies."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(home, "mlbuild", "config.toml")


def read(files: Files) -> Config:
    """The configuration of a workspace.

    Raises:
        ManyErrors: every mistake in either file.
    """
    merged: dict[str, Any] = {}
    places: dict[Keys, Location] = {}
    errors: list[ConfigError] = []
    for path in (user_file(), WORKSPACE_FILE):
        try:
            text = _content(files, path)
            merged = _over(merged, _Reading(Source(path, text), errors, places).whole() if text else {})
        except ConfigError as error:
            errors.append(error)
    if errors:
        raise ManyErrors(errors)
    executors = {
        name: {**_settings_apart(table), "at": {keys[-1]: at for keys, at in places.items() if keys[1] == name}}
        for name, table in merged.pop("executors", {}).items()
    }
    return Config(executors=executors, **merged.pop("store", {}), **merged)


def _settings_apart(table: dict[str, Any]) -> dict[str, Any]:
    """What an executor is told as its fields: what its kind alone has is in `settings`."""
    settings = {name: value for name, value in table.items() if name in _SLURM}
    rest = {name: value for name, value in table.items() if name not in _SLURM}
    return {**rest, "settings": settings} if settings else rest


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Deeply: a table is merged with the table below it, all else takes its place."""
    merged = dict(below)
    for name, value in above.items():
        under = below.get(name)
        merged[name] = _over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def _content(files: Files, path: str) -> str:
    """All of a file; nothing if it is not there."""
    try:
        return files.read(path).decode("utf-8-sig").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        # Under another user's HOME, as `sudo` leaves it, their configuration is none of ours.
        if isinstance(error, PermissionError) and path != WORKSPACE_FILE:
            return ""
        raise ConfigError(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8", None, "save it as UTF-8") from None


# ---------------------------------------------------------------------------------------------------------------------
# One file


class _Reading:
    """Checks one file and gives its values; every mistake is added to `errors`, and where executors are told what to
    `places`."""

    def __init__(self, source: Source, errors: list[ConfigError], places: dict[Keys, Location]) -> None:
        self._source = source
        self._errors = errors
        self._places = places

    def whole(self) -> dict[str, Any]:
        # Most workspaces have no such file, and then nothing of this is loaded.
        import tomllib

        try:
            return self._table((), tomllib.loads(self._source.text), _SETTINGS)
        except tomllib.TOMLDecodeError as error:
            raise self._unreadable(str(error)) from None
        except RecursionError:
            raise ConfigError(f"{self._source.path} nests too deep") from None

    def _unreadable(self, message: str) -> ConfigError:
        match = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)", message)
        last = len(self._source.text.rstrip("\n").split("\n"))
        line, column = (int(match[1]), int(match[2])) if match and match[1] else (last, 1)
        what = message[: match.start()] if match else message
        return ConfigError(f"this is no TOML: {what}", Location(self._source, line, column))

    def _table(self, keys: Keys, value: object, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a table. `settings` says what may stand in it; the name `*` is any."""
        if not isinstance(value, dict):
            self._note(
                keys, f"`{_dotted(keys)}` must be a table", f"write it as [{_dotted(keys)}] and its values below"
            )
            return {}
        found = {}
        for name, item in value.items():
            own = (*keys, name)
            setting = settings.get(name, settings.get("*"))
            if setting is None:
                self._note(own, f"there is no setting `{_dotted(own)}`", _known(name, settings))
            elif isinstance(setting, Mapping):
                found[name] = self._table(own, item, setting)
            else:
                found |= self._value(own, item, setting)
        return found

    def _value(self, keys: Keys, value: object, setting: Callable[[object], object]) -> dict[str, Any]:
        if keys[0] == "executors":
            self._places[keys] = self._place(keys)
        try:
            return {keys[-1]: setting(value)}
        except ValueError as error:
            self._note(keys, f"`{_dotted(keys)}` {error}", None)
            return {}

    def _note(self, keys: Keys, message: str, hint: str | None) -> None:
        self._errors.append(ConfigError(message, self._place(keys), hint))

    def _place(self, keys: Keys) -> Location:
        """Where a key stands: tomllib does not say. Of a key in an inline table, where the table begins."""
        best, place = 0, Location(self._source, 1, 1)
        for written, at in self._written():
            if written == keys[: len(written)] and len(written) > best:
                best, place = len(written), at
        return place

    def _written(self) -> Iterator[tuple[Keys, Location]]:
        """The keys that begin a line, with the tables that they stand in."""
        table: Keys = ()
        for number, line in enumerate(self._source.text.split("\n"), 1):
            if header := HEADER.match(line):
                table = _parts(header[1])
                yield table, Location(self._source, number, header.start(1) + 1, len(header[1]))
            elif key := KEY.match(line):
                yield (*table, *_parts(key[1])), Location(self._source, number, key.start(1) + 1, len(key[1]))


PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
DOTTED = rf"{PART}(?:[ \t]*\.[ \t]*{PART})*"
HEADER = re.compile(rf"[ \t]*\[[ \t]*({DOTTED})[ \t]*\]")
KEY = re.compile(rf"[ \t]*({DOTTED})[ \t]*=")


def _parts(dotted: str) -> Keys:
    return tuple(part.strip("\"'") for part in re.findall(PART, dotted))


def _dotted(keys: Keys) -> str:
    return ".".join(keys)


def _known(name: str, settings: Mapping[str, Any]) -> str:
    near = nearest(name, list(settings))
    return f"did you mean `{near}`?" if near else "there are: " + ", ".join(settings)


# ---------------------------------------------------------------------------------------------------------------------
# What can be set. Each raises ValueError for a value that it can't be; the message goes on after "`name` ".


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a whole number from 1 on")
    return value


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError("must be a number above 0")
    return value


UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def _size(value: object) -> int:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([KMGT])(?:iB)?", value) if isinstance(value, str) else None
    if not match:
        raise ValueError('must be a size with its unit, as in "8G"')
    return round(float(match[1]) * UNITS[match[2]])


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError("must be " + " or ".join(f'"{word}"' for word in words))
        return value

    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text")
    return value


def _options(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each.startswith("-") for each in value):
        raise ValueError('must be a list of options, as in ["--exclusive"]')
    return tuple(value)


TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _time(value: object) -> float:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", value) if isinstance(value, str) else None
    if not match or not float(match[1]):
        raise ValueError('must be a time with its unit, as in "4h"')
    return float(match[1]) * TIMES[match[2]]


_SLURM: Mapping[str, Callable[[object], object]] = {
    "queue": _text,
    "account": _text,
    "qos": _text,
    "constraint": _text,
    "exclude": _text,
    "gpu": _text,
    "ntasks": _count,
    "time": _time,
    "options": _options,
    "setup": _text,
    "delay": _time,
}
_SETTINGS: Mapping[str, Any] = {
    "jobs": _count,
    "gpus": _count,
    "keep_going": _flag,
    "color": _flag,
    "observe": _one_of(OBSERVE),
    "store": {"link": _one_of(LINKS)},
    "executors": {
        "*": {
            "kind": _one_of(KINDS),
            "cpus": _amount,
            "memory": _size,
            "gpus": _count,
            "disk": _size,
            "jobs": _count,
            "pools": {"*": _amount},
            **_SLURM,
        },
    },
}
