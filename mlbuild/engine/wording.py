"""What the texts of a target come to at a task: the params, variables and recipe of its fingerprint.

What no key and no path changes is looked up once for all tasks of the target.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from mlbuild.engine.scope import RecipeScope, variable_value
from mlbuild.expression import Bundle, Name, Node, Part, Slot, evaluate, written
from mlbuild.language import python
from mlbuild.language.quoting import render_recipe, settled
from mlbuild.language.words import RUNTIME, names_used, params_used, root
from mlbuild.target import Target, Variable

AS_WRITTEN = frozenset({"resources", "checkpoint", "attempt"})
"""What a recipe may name without becoming stale when it changes: it stands in the fingerprint as written."""


class Wording:
    """The texts of one target.

    Args:
        scope: of any of its tasks.

    Raises:
        PipelineError: at what can't be looked up.
    """

    def __init__(self, target: Target, scope: RecipeScope) -> None:
        self._target = target
        self._parts: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._params: list[tuple[str, Node]] = []
        self._noted: list[tuple[str, Node]] = []
        self._environ: list[Variable] = []
        self._uses: list[python.Use] = []
        self._recipe = None
        named = [pair for node in target.params for pair in self._values(node)]
        self._parts |= _params(self._alike(named, self._params), scope)
        open_variables = [one for one in target.environ if not one.is_secret]
        for variable in open_variables:
            if variable.value is not None and self._varies(variable.value):
                self._environ.append(variable)
            else:
                self._parts[f"environ {variable.name}"] = variable_value(variable, scope) or ""
        if target.recipe is not None and target.recipe.kind == "python":
            self._uses = python.uses(target.recipe.text, scope.known())
        elif target.recipe is not None:
            text = target.recipe.text
            self._recipe = settled(text, scope, self._as_counted, self._varies, AS_WRITTEN)
            self._notes = _notes(self._alike(self._values(text), self._noted), scope)

    def at(self, scope: RecipeScope, in_recipe: RecipeScope) -> tuple[dict[str, str], Mapping[str, str]]:
        """The parts of the fingerprint of a task, and the notes on them. Raises PipelineError.

        Args:
            in_recipe: what the names mean in the recipe itself, where keys may be lists.
        """
        parts, notes = self._parts.copy(), self._notes
        if self._params:
            parts |= _params(self._params, scope)
        for variable in self._environ:
            parts[f"environ {variable.name}"] = variable_value(variable, scope) or ""
        if self._recipe is not None:
            parts["recipe"] = render_recipe(self._recipe, in_recipe, self._as_counted)
            notes = notes | _notes(self._noted, scope) if self._noted else notes
        elif self._target.recipe is not None:
            parts["recipe"], notes = self._python(in_recipe)
        return parts, notes

    def _varies(self, node: Part) -> bool:
        return not names_used(node).isdisjoint((*RUNTIME, *self._target.partitions))

    def _alike(self, values: Iterable[tuple[str, Node]], others: list[tuple[str, Node]]) -> Iterator[tuple[str, Node]]:
        """Those of the values that are the same for all tasks; the others are kept."""
        for name, node in values:
            if self._varies(node):
                others.append((name, node))
            else:
                yield name, node

    def _values(self, node: Part) -> Iterator[tuple[str, Node]]:
        """(name as written, node) of each param, params file and `let` in a text or expression."""
        for name, used in params_used(node).items():
            if name not in self._target.partitions:
                yield name, used

    def _as_counted(self, slot: Slot, content: object) -> str:
        """What counts of `{x:file}`: all that it holds; of params nothing but what `params:` lists, if it lists any."""
        if not isinstance(content, Mapping):
            assert isinstance(content, list)
            return "".join(f"{item}\n" for item in content)
        is_listed = any(root(node) == root(slot.expression) for node in self._target.params)
        return written(slot) if is_listed else canonical(content)

    def _python(self, scope: RecipeScope) -> tuple[str, dict[str, str]]:
        """What counts of a recipe in Python (its text, and of the values what is looked up), and the notes on it."""
        recipe = self._target.recipe
        assert recipe is not None
        values: dict[str, object] = {}
        for name, steps in self._uses:
            if name not in AS_WRITTEN:
                shown, value = name, scope.name(Name(name, recipe.text.at))
                for step in steps:
                    if not isinstance(value, Mapping) or step not in value:
                        break
                    shown, value = f"{shown}.{step}", value[step]
                values[shown] = value
        given = json.dumps({name: python.plain(value) for name, value in values.items()}, sort_keys=True)
        own = [name for name, value in values.items() if name in self._target.partitions or isinstance(value, Bundle)]
        leaves = (pair for name, value in values.items() if name not in own for pair in _leaves(name, value))
        return f"{python.source_of(recipe.text)}\n{given}", {f"param {n}": canonical(value) for n, value in leaves}


def _params(values: Iterable[tuple[str, Node]], scope: RecipeScope) -> dict[str, str]:
    """The values named in `params:`, which count although the recipe may not name them."""
    return {f"param {name}": canonical(evaluate(node, scope)) for name, node in values}


def _notes(values: Iterable[tuple[str, Node]], scope: RecipeScope) -> dict[str, str]:
    """The values that a recipe names, of tables each by itself."""
    leaves = (leaf for name, node in values for leaf in _leaves(name, evaluate(node, scope)))
    return {f"param {name}": canonical(value) for name, value in leaves}


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    """The values in a table, each with its dotted name; a value that is no table is itself."""
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, item in value.items():
        yield from _leaves(f"{name}.{key}", item)


def canonical(value: object) -> str:
    """A value's text that does not depend on the order of tables or on how a number was written."""
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
