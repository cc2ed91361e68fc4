"""The verbs of mlbuild as a library. Unaware of argv and of the terminal. Each is loaded when it is first used."""

from __future__ import annotations

from typing import Any

_VERBS = {
    "access": ("opened_store",),
    "backfilling": ("Choice", "backfill", "between", "plan_backfill"),
    "building": ("Options", "build", "verify_executor"),
    "by_hand": ("Accepted", "Removed", "accept", "remove"),
    "history": ("last_attempt", "metrics", "run", "runs"),
    "looking": ("explain", "impact", "show", "status"),
    "texts": ("declare", "has_target", "lay_out", "observed"),
    "workspace": ("Workspace", "find", "open_workspace", "verify"),
}
"""Module → what of it is given out here."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for module, names in _VERBS.items():
        if name in names:
            return getattr(import_module(f"mlbuild.app.{module}"), name)
    raise AttributeError(f"module 'mlbuild.app' has no attribute {name!r}")
