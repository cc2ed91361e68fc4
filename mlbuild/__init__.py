"""mlbuild: make for machine learning. What is public is named in `__all__`, and loaded when it is first used."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = [
    "Choice",
    "MlbuildError",
    "Options",
    "Workspace",
    "backfill",
    "build",
    "find",
    "open_workspace",
    "plan_backfill",
    "status",
    "verify",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlbuild.app.backfilling import backfill, plan_backfill
    from mlbuild.app.building import Options, build
    from mlbuild.app.looking import status
    from mlbuild.app.workspace import Workspace, find, open_workspace, verify
    from mlbuild.engine.backfill import Choice
    from mlbuild.errors import MlbuildError


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'mlbuild' has no attribute {name!r}")
    if name == "MlbuildError":
        from mlbuild.errors import MlbuildError

        return MlbuildError
    from mlbuild import app

    return getattr(app, name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
