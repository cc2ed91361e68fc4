"""Recipes in Python: which of a task's names occur in one, the files that it names, and the program that is run."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Collection, Iterator, Mapping

from mlbuild.errors import Location, PipelineError
from mlbuild.expression import Template
from mlbuild.language.words import Words, candidates
from mlbuild.values import Bundle, Key

Use = tuple[str, tuple[str | int, ...]]
"""A name that occurs, and what is looked up in it: `params.train["lr"]` is (`params`, (`train`, `lr`))."""

PROGRAM = """\
def run(values, source, path, line):
    import json

    class Text(str):
        pass

    class Paths(list):
        pass

    class Table(dict):
        def __getattr__(self, name):
            try:
                return self[name]
            except KeyError:
                raise AttributeError(name) from None

    def made(kind, value, single=False, named=()):
        if kind == "list":
            return [made(*item) for item in value]
        if kind == "table":
            return Table((name, made(*item)) for name, item in value)
        if kind == "value":
            return value
        if kind == "each":
            paths = Paths(made(*item) for item in value)
        else:
            paths = (Text(value[0]) if value else None) if single else Paths(value)
        for name, item in named:
            setattr(paths, name, made(*item))
        return paths

    names = globals()
    del names["run"]
    names.update((name, made(*value)) for name, value in json.loads(values))
    exec(compile("\\n" * (line - 1) + source, path, "exec"), names)
"""
"""Gives the names their values and runs the recipe, its lines numbered as in the Pipelinefile."""


def source_of(recipe: Template) -> str:
    return "".join(part for part in recipe.parts if isinstance(part, str))


def check(recipe: Template) -> None:
    """Raise PipelineError if a recipe is no Python."""
    at = recipe.at
    try:
        _parse(source_of(recipe))
    except SyntaxError as error:
        place = Location(at.source, at.line + (error.lineno or 1) - 1, at.column + max(1, error.offset or 1) - 1)
        raise PipelineError(f"this is no Python: {error.msg}", place) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise PipelineError(f"this is no Python: {str(error) or 'it nests too deep'}", at) from None


def uses(recipe: Template, known: Collection[str]) -> list[Use]:
    """The known names that occur in a recipe, each way into them once, in order."""
    found = dict.fromkeys(_chains(_parse(source_of(recipe))))
    return [(name, steps) for name, steps in found if name in known]


def words(recipe: Template) -> Words:
    """What could name files of the workspace: the texts in it. What it imports is found from its code."""
    paths: dict[str, None] = {}
    for node in ast.walk(_parse(source_of(recipe))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            paths.update(dict.fromkeys(candidates(node.value)))
    return Words(tuple(paths), ())


def program(recipe: Template, values: Mapping[str, object]) -> str:
    """The text that an interpreter runs: the recipe, with these values under their names."""
    given = json.dumps([[name, plain(value)] for name, value in values.items()])
    return f"{PROGRAM}\n\nrun({given!r}, {source_of(recipe)!r}, {recipe.at.source.path!r}, {recipe.at.line})\n"


def plain(value: object) -> list[object]:
    """A value as JSON that tells lists, tables and paths apart."""
    match value:
        case Bundle():
            named = [[name, plain(part)] for name, part in value.named]
            if value.each:
                return ["each", [plain(one) for one in value.each], False, named]
            return ["paths", list(value.paths), value.single, named]
        case Key():
            return ["value", value.value]
        case Mapping():
            return ["table", [[name, plain(item)] for name, item in value.items()]]
        case list() | tuple():
            return ["list", [plain(item) for item in value]]
    return ["value", value]


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(source)


def _chains(node: ast.AST) -> Iterator[Use]:
    chain = _chain(node)
    if chain:
        yield chain
        return
    for child in ast.iter_child_nodes(node):
        yield from _chains(child)


def _chain(node: ast.AST) -> Use | None:
    """A name with all that is looked up in it by names or numbers."""
    match node:
        case ast.Name(id=name):
            return name, ()
        case (
            ast.Attribute(value=base, attr=step)
            | ast.Subscript(value=base, slice=ast.Constant(value=str() | int() as step))
        ):
            before = _chain(base)
            return (before[0], (*before[1], step)) if before else None
    return None
