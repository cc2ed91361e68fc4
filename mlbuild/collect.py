"""Gathers mistakes, so that one reading reports them all."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from mlbuild.errors import ManyErrors, MlbuildError, PipelineError


class AlreadySaid(PipelineError):
    """What is needed here failed where it is declared, and that was noted there."""


class Mistakes:
    """The mistakes of one reading.

    Args:
        files: the paths of what is read, in the order in which their mistakes are shown.
    """

    def __init__(self, files: Sequence[str] = ()) -> None:
        self._files = files
        self.found: list[MlbuildError] = []
        self.failures = 0
        """How many blocks ended in a mistake, or in what was already said."""

    def noted(self) -> Mistakes:
        """`with mistakes.noted():` notes the mistake that ends the block, and goes on behind it."""
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        match error:
            case AlreadySaid():
                pass
            case ManyErrors():
                self.found += error.errors
            case PipelineError():
                self.found.append(error)
            case _:
                return False
        self.failures += 1
        return True

    def one_a_place(self) -> None:
        """Keep the first of those at the same place: what is wrong with a target is found at each of its keys."""
        self.found = [*{str(error.at): error for error in reversed(self.found)}.values()]

    def settle(self) -> None:
        """Raise ManyErrors if there are any, each once (those of `defaults:` come with every target), by place.

        Raises AlreadySaid if all that failed was already said.
        """
        if self.found:
            each = {(error.message, error.at and str(error.at)): error for error in self.found}
            others = [error.at.source.path for error in self.found if error.at]
            files = list(dict.fromkeys((*self._files, *others)))
            raise ManyErrors(sorted(each.values(), key=lambda error: _place(error, files)))
        if self.failures:
            raise AlreadySaid("this follows from other mistakes")


def _place(error: MlbuildError, files: list[str]) -> tuple[int, int, int]:
    if not error.at:
        return -1, 0, 0
    return files.index(error.at.source.path), error.at.line, error.at.column
