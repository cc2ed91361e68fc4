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
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def screen(config: Config, *, color: bool | None = None, verbose: bool = False, told: Told = apart) -> Live:
    """What draws; colours as asked for, else as the surroundings and the configuration want them."""
    from mlbuild.ui.live import Live

    colored = color if color is not None else config.color and "NO_COLOR" not in os.environ
    return Live(verbose=verbose, color=colored, told=told)
