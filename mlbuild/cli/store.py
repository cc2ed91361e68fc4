"""`mlbuild store stats|gc|verify`: the store, its size, what can go out of it, and whether it is whole."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import suppress
from typing import Any

from msgspec.structs import asdict

from mlbuild.app.access import opened_store
from mlbuild.cli.arguments import Parser, find_unread, parse
from mlbuild.errors import MlbuildError, UsageError
from mlbuild.expression import Literal
from mlbuild.language.parser import literal
from mlbuild.state.garbage import Collected, Garbage, Verified
from mlbuild.state.store import Result
from mlbuild.ui.words import counted, size

ACTIONS = ("stats", "gc", "verify")
LATER = ("push", "pull")


def run(arguments: list[str], command: str) -> int:
    """Returns 1 if `verify` found damage."""
    words = ("ACTION", "stats (how large it is), gc (drop what nothing recent uses), verify (find and drop damage)")
    parser = Parser(command, "The store: what fingerprints came to, by content.", words)
    add = parser.add_argument
    add("--older-than", type=_duration, metavar="AGE", help="gc: drop what was not used for so long, such as 30d")
    add("--max-size", type=_size, metavar="SIZE", help="gc: drop what was not used longest, down to a size such as 50G")
    add("-n", "--dry-run", action="store_true", help="gc: say what would go; drop nothing")
    add("--json", action="store_true", help="one JSON document")
    options = parse(parser, arguments)
    path = find_unread(options, command)
    action = _action(options)
    with opened_store(path) as garbage:
        if action == "stats":
            return _stats(garbage, as_json=options.json)
        if action == "gc":
            return _gc(garbage, options)
        return _verify(garbage, as_json=options.json)


def _action(options: argparse.Namespace) -> str:
    action = options.words[0] if len(options.words) == 1 else ""
    if action in LATER:
        raise UsageError(f"`store {action}` is not there yet", hint="a later version of mlbuild brings it")
    if action not in ACTIONS:
        raise UsageError("store takes one word", hint=f"one of {', '.join(ACTIONS)}")
    limited = options.older_than is not None or options.max_size is not None
    if action == "gc" and not limited:
        raise UsageError("what is to go is not said", hint="--older-than 30d, --max-size 50G, or both")
    if action != "gc" and (limited or options.dry_run):
        raise UsageError("--older-than, --max-size and --dry-run are for `store gc`")
    return action


def _duration(text: str) -> float:
    return _amount(text, "smhd", "duration, such as 30d or 12h")


def _size(text: str) -> int:
    return int(_amount(text, "KMGTB", "size, such as 50G or 500M"))


def _amount(text: str, endings: str, kind: str) -> float:
    """A literal with a unit, as in a Pipelinefile."""
    with suppress(MlbuildError):
        node = literal(text)
        if isinstance(node, Literal) and isinstance(node.value, int | float) and text[-1] in endings:
            return node.value
    raise argparse.ArgumentTypeError(f"{text} is no {kind}")


def _stats(garbage: Garbage, *, as_json: bool) -> int:
    usage = garbage.usage()
    if as_json:
        _print({"path": garbage.folder, **asdict(usage)})
        return 0
    print(f"{garbage.folder}: {counted(usage.objects, 'object')}, {size(usage.bytes)}, of {_results(usage.results)}")
    print(
        f"the present outputs use {counted(usage.used_objects, 'object')}, {size(usage.used_bytes)}, "
        f"of {_results(usage.used_results)}"
    )
    return 0


def _gc(garbage: Garbage, options: argparse.Namespace) -> int:
    now = time.time()
    collected = garbage.collect(now, options.older_than, options.max_size, dry_run=options.dry_run)
    if options.json:
        _print(
            {
                "dry_run": options.dry_run,
                "results": [_row(result) for result in collected.results],
                "objects": collected.objects,
                "bytes": collected.bytes,
                "leftovers": list(collected.leftovers),
                "kept": collected.kept,
            }
        )
        return 0
    if options.dry_run:
        for result in collected.results:
            print(f"{_age(now - result.used):>5}  {', '.join(result.paths)}")
        for path in collected.leftovers:
            print(f"{'':5}  {path}")
    print(_summary(collected, options.max_size, "would drop" if options.dry_run else "dropped"))
    return 0


def _summary(collected: Collected, max_size: int | None, verb: str) -> str:
    parts = f"{_results(len(collected.results))}, {counted(collected.objects, 'object')}, {size(collected.bytes)}"
    left = f", {counted(len(collected.leftovers), 'leftover')}" if collected.leftovers else ""
    text = f"{verb} {parts}{left}; {size(collected.kept)} stay"
    if max_size is not None and collected.kept > max_size:
        text += f", of which outputs in place and running builds need {size(collected.needed)}"
    return text


def _verify(garbage: Garbage, *, as_json: bool) -> int:
    verified = garbage.verify()
    lost = bool(verified.damaged or verified.missing or verified.dropped)
    if as_json:
        _print(
            {
                "objects": verified.objects,
                "bytes": verified.bytes,
                "damaged": list(verified.damaged),
                "missing": list(verified.missing),
                "results": [_row(result) for result in verified.dropped],
            }
        )
        return int(lost)
    _say_lost(verified)
    whole = "dropped what was lost; the rest is whole" if lost else "all whole"
    print(f"{counted(verified.objects, 'object')}, {size(verified.bytes)}: {whole}")
    return int(lost)


def _say_lost(verified: Verified) -> None:
    for word, digests in (("damaged", verified.damaged), ("missing", verified.missing)):
        for digest in digests:
            print(f"{word} {digest}")
    for result in verified.dropped:
        print(f"can't be restored any more: {', '.join(result.paths) or result.fingerprint}")


def _row(result: Result) -> dict[str, Any]:
    return {
        "fingerprint": result.fingerprint,
        "outputs": list(result.paths),
        "used": result.used,
        "seconds": result.seconds,
    }


def _results(number: int) -> str:
    return counted(number, "result")


def _age(seconds: float) -> str:
    """3d, 5h, 2m"""
    for unit, length in (("d", 86400), ("h", 3600)):
        if seconds >= length:
            return f"{seconds // length:.0f}{unit}"
    return f"{max(0.0, seconds) // 60:.0f}m"


def _print(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))
