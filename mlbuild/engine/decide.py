"""Facts about a task → what to do with it, and why. One pure function that build, dry run, status and explain share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum

from msgspec import Struct

from mlbuild.state.fingerprint import Change, Fingerprint, by_definition, difference
from mlbuild.state.journal import Trace
from mlbuild.state.store import Action, Stored


class Verdict(Enum):
    FRESH = "fresh"
    RESTORE = "restore"
    ABSENT = "absent"
    """Gone and not restorable, or temporary: brought back only if something that needs it must run."""
    RUN = "run"


class Reason(Struct, frozen=True):
    """Why a task is not simply fresh. `kind` is one word or two, `what` names the part, `old` and `new` its values.

    Kinds: `forced`, `always`, `uncacheable`, `never built`, `output missing`, `output edited`, `upstream`, `blocked`,
    `check failed`, `new` (where two pipelines are compared), and those of a fingerprint's parts: `input`, `output`,
    `code`, `param`, `recipe`, `read`.
    """

    kind: str
    what: str = ""
    old: str | None = None
    new: str | None = None


class Facts(Struct, frozen=True):
    """All that a decision rests on.

    Attributes:
        reads: path → digest now of what the last run was seen to read undeclared; empty if it is gone.
        stored: what the store has for the fingerprint; it is looked up only where that matters.
        present: what stands at each path that the task makes: its digest, or None.
        left: what other tasks left at those of the paths that this one did not make yet, by their last successes.
        definitions: what stands behind the digests of code that are not what they were, by digest.
        checks: the digest of the conditions as they are now; empty without any.
        temporary: the paths that may be gone, as long as nothing reads them.
        needed: all of it must be in place: it is a goal, or something that must run reads it.
        always: it runs in every build, and has not run in this one.
    """

    fingerprint: Fingerprint
    trace: Trace | None
    reads: Mapping[str, str]
    stored: Callable[[], Action | None]
    present: Mapping[str, str | None]
    left: Mapping[str, str]
    definitions: Mapping[str, Mapping[str, str]]
    checks: str
    temporary: Collection[str]
    needed: bool
    forced: bool
    always: bool


class Decision(Struct, frozen=True):
    """A verdict with its reasons.

    Attributes:
        edited: outputs in place that mlbuild did not leave there: they are moved out of the way, and that is said.
        take: the stored result which the outputs in place already are (or would be, but for temporary ones); a trace of
            it is to be recorded.
        restore: the stored result that is to be brought back.
        recheck: the conditions were not yet seen to hold for this result, or have changed since.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    edited: tuple[str, ...] = ()
    take: Action | None = None
    restore: Action | None = None
    recheck: bool = False


FRESH = Decision(Verdict.FRESH)
UNTESTED = Decision(Verdict.FRESH, recheck=True)
NEVER_BUILT = (Reason("never built"),)
NEW = Decision(Verdict.RUN, NEVER_BUILT)


def decide(facts: Facts) -> Decision:
    """What to do with a task all of whose needs are in place."""
    trace = facts.trace
    edited = _edited(facts)
    if facts.forced:
        return Decision(Verdict.RUN, (Reason("forced"),), edited)
    if facts.fingerprint.problem:
        return Decision(Verdict.RUN, (Reason("uncacheable", facts.fingerprint.problem),), edited)
    if facts.always:
        return Decision(Verdict.RUN, (Reason("always"),), edited)
    changes = _changes(trace, facts.fingerprint.reading(facts.reads)) if trace else []
    same = trace is not None and not changes
    untested = bool(facts.checks) and (trace is None or not same or trace.checks != facts.checks)
    out_of_place = _out_of_place(facts) if same else ()
    if same and not out_of_place:
        return UNTESTED if untested else FRESH
    told = (each for change in changes for each in by_definition(change, facts.definitions))
    reasons = out_of_place or tuple(dict.fromkeys(as_reason(change) for change in told)) or NEVER_BUILT
    stored = facts.stored()
    if stored is not None and _in_place(facts, stored.outputs):
        return Decision(Verdict.FRESH, reasons, take=stored, recheck=untested)
    if not facts.needed:
        if same and trace is not None and _in_place(facts, trace.outputs, but=facts.temporary):
            return Decision(Verdict.ABSENT, reasons)
        if stored is not None and _in_place(facts, stored.outputs, but=facts.temporary):
            return Decision(Verdict.ABSENT, reasons, take=stored)
    if stored is not None:
        return Decision(Verdict.RESTORE, reasons, edited, restore=stored, recheck=untested)
    if same and not facts.needed and not edited:
        return Decision(Verdict.ABSENT, reasons)
    return NEW if reasons is NEVER_BUILT and not edited else Decision(Verdict.RUN, reasons, edited)


def _changes(trace: Trace, now: Fingerprint) -> list[Change]:
    return [] if trace.key == now.key else difference(trace.fingerprint, now)


def _in_place(facts: Facts, outputs: Iterable[Stored], but: Collection[str] = ()) -> bool:
    """Whether outputs stand as they came out, `but` for some, which may be gone."""
    found = ((facts.present.get(output.path), output) for output in outputs)
    return all(digest == output.digest or (digest is None and output.path in but) for digest, output in found)


def _out_of_place(facts: Facts) -> tuple[Reason, ...]:
    """The outputs of the last success that are gone or changed."""
    assert facts.trace is not None
    missing = [Reason("output missing", path) for path, digest in facts.present.items() if digest is None]
    return (*missing, *(Reason("output edited", path) for path in _edited(facts)))


def _edited(facts: Facts) -> tuple[str, ...]:
    """Outputs in place that no last success left there."""
    if not any(facts.present.values()):
        return ()
    left = {**facts.left, **({output.path: output.digest for output in facts.trace.outputs} if facts.trace else {})}
    return tuple(path for path, digest in facts.present.items() if digest is not None and digest != left.get(path))


def as_reason(change: Change) -> Reason:
    """A change as a reason to run."""
    return Reason(change.kind, change.what, change.old, change.new)
