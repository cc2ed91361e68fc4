"""Text → pipeline. Sees the workspace only through the files that it is handed; runs nothing."""

from mlbuild.language.evaluate import load
from mlbuild.language.quoting import render_recipe
from mlbuild.language.words import Words, names_used, params_used, slots, words

__all__ = ["Words", "load", "names_used", "params_used", "render_recipe", "slots", "words"]
