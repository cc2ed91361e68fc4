"""A terminal that can do more than lines: whether there is one, and what draws on it. Loads rich only then."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mlbuild.config import Config
from mlbuild.ui.failures import Told, apart

if TYPE_CHECKING:
    from mlbuild.ui.live import Live


def is_screen() -> bool:
    """Whether there is one that also has the signs which are drawn."""
    terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return terminal and sys.stdout.encoding.lower().startswith("utf")


def colored(config: Config) -> bool:
    """Whether the surroundings and the configuration want colours."""
    return config.color and "NO_COLOR" not in os.environ


def screen(config: Config, *, color: bool | None = None, verbose: bool = False, told: Told = apart) -> Live:
    """What draws; colours as asked for, else as they are wanted."""
    from mlbuild.ui.live import Live

    return Live(verbose=verbose, color=colored(config) if color is None else color, told=told)
