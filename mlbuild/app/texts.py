"""Pipelinefiles as texts: laid out, amended by what runs were seen to read, asked for a target of some name."""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec.structs import replace

from mlbuild.app.access import looking
from mlbuild.app.workspace import Workspace
from mlbuild.collect import Mistakes
from mlbuild.engine.undeclared import Missing, missing
from mlbuild.errors import UsageError
from mlbuild.files import Files
from mlbuild.language.amend import amended
from mlbuild.language.ast import TargetOf
from mlbuild.language.layout import laid_out
from mlbuild.language.parser import parse
from mlbuild.target import Target


def has_target(path: str, name: str) -> bool:
    """Whether a Pipelinefile (absolute) declares a target itself. Raises MlbuildError if it can't be read."""
    tree = parse(os.path.basename(path), _bytes(Files("/"), path))
    return any(isinstance(one, TargetOf) and one.name.text == name for one in tree.statements)


def lay_out(folder: str, paths: Sequence[str], *, write: bool) -> list[str]:
    """Lay out Pipelinefiles; none is touched if one of them can't be read.

    Args:
        folder: what paths are relative to.

    Returns:
        Those that are laid out otherwise (or were, with `write`).

    Raises:
        ManyErrors: what is wrong with them.
        UsageError: one can't be read or written.
    """
    files, mistakes, changed = Files(folder), Mistakes(), {}
    for path in paths:
        with mistakes.noted():
            before = _bytes(files, path)
            after = laid_out(path, before).encode()
            if before != after:
                changed[path] = after
    mistakes.settle()
    for path, after in changed.items() if write else ():
        try:
            files.replace(path, after)
        except OSError as error:
            raise UsageError(f"can't write {path}: {error.strerror}") from None
    return list(changed)


def _bytes(files: Files, path: str) -> bytes:
    try:
        return files.read(path)
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}") from None


def observed(workspace: Workspace) -> list[Missing]:
    """What the last runs of all tasks read and the Pipelinefile does not declare."""
    with looking(workspace, []) as (inspector, journal, _):
        return list(missing(workspace.graph, inspector, journal)) if journal else []


def declare(workspace: Workspace, found: Sequence[Missing]) -> list[Missing]:
    """Write into the Pipelinefile what is missing there, as far as that changes nothing else.

    Returns:
        What was left, each with its problem.

    Raises:
        UsageError: a file can't be written.
    """
    additions: dict[str, dict[str, dict[str, list[str]]]] = {}
    left = []
    for one in found:
        target = one.target
        problem = one.problem
        if not problem and getattr(target, one.clause) and not _has_own(workspace, target, one.clause):
            problem = f"its `{one.clause}:` stands in `defaults:`"
        if problem:
            left.append(replace(one, problem=problem))
        else:
            clauses = additions.setdefault(target.at.source.path, {}).setdefault(target.name, {})
            clauses.setdefault(one.clause, []).append(one.item)
    texts = {
        path: amended(path, _bytes(workspace.files, path), targets).encode() for path, targets in additions.items()
    }
    for path, text in texts.items():
        try:
            workspace.files.replace(path, text)
        except OSError as error:
            raise UsageError(f"can't write {path}: {error.strerror}") from None
    return left


def _has_own(workspace: Workspace, target: Target, clause: str) -> bool:
    """Whether a target has a clause of its own, not one of `defaults:`."""
    path = target.at.source.path
    return any(
        isinstance(one, TargetOf) and one.name.text == target.name and any(own.word == clause for own in one.clauses)
        for one in parse(path, _bytes(workspace.files, path)).statements
    )
