"""What a piece of code names, imports, and reaches without naming it. Blind to what runs, and when."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from mlbuild.code import tables
from mlbuild.code.meaning import digests
from mlbuild.code.module import Code, Dynamic, Import
from mlbuild.code.tree import children, walk

IDENTIFIER = re.compile(r"[^\W\d]\w*")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)


class _Found(Struct):
    """What is found in a piece of code, as the fields of `Code` tell; each thing once, in the order of the code."""

    names: dict[str, None] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    assigned: dict[str, None] = field(default_factory=dict)
    handed: dict[str, None] = field(default_factory=dict)
    dynamic: dict[tuple[str, str], Dynamic] = field(default_factory=dict)
    reads_docs: bool = False

    def note(self, what: str, line: int, reach: str) -> None:
        self.dynamic.setdefault((what, reach), Dynamic(what, line, reach))


class Names:
    """Collects what pieces of one file name.

    Args:
        imported: name → what imports anywhere in the file bind it to, as absolute dotted names.
        has_star: names may come from an import of all, so that attributes of any name may matter.
    """

    def __init__(self, imported: Mapping[str, Sequence[str]], has_star: bool) -> None:
        self._imported = imported
        self._has_star = has_star

    def code(self, nodes: Sequence[ast.AST], items: Iterable[ast.AST | str], doc: str | None = None) -> Code:
        """A piece of code.

        Args:
            nodes: what it names is looked for in these.
            items: what it means.
            doc: a docstring that is none of the items'.
        """
        items = list(items)
        found = _Found()
        left: list[ast.AST] = list(nodes)[::-1]
        while left:
            left += self._look(left.pop(), found)[::-1]
        meant, written = digests(items, doc)
        return Code(
            meant if items else "",
            written if items or doc is not None else "",
            tuple(found.names),
            tuple(found.imports),
            tuple(found.assigned),
            tuple(found.handed),
            tuple(found.dynamic.values()),
            found.reads_docs,
        )

    def _look(self, node: ast.AST, found: _Found) -> Sequence[ast.AST]:
        """Note what a node tells by itself: the nodes in it that are to be looked at next."""
        match node:
            case ast.Import() | ast.ImportFrom():
                found.imports += imports_of(node)
                if any(one.module == "__main__" for one in imports_of(node)):
                    found.note("`__main__`", node.lineno, "everything")
                return []
            case ast.Name() | ast.Attribute():
                base, steps = chain(node)
                self._note_steps(node, steps, found)
                if not isinstance(base, ast.Name):
                    return [base]
                self._note_name(node, base.id, steps, found)
                return []
            case ast.Call(func=ast.Name(id=str(function)), args=[_, ast.Constant(value=str(name)), *_]) if (
                function in tables.BY_NAME and function not in self._imported
            ):
                if name in tables.ATTRIBUTES:
                    found.note(f"`{name}`", node.lineno, "everything")
                found.reads_docs |= name == "__doc__"
                found.names[function] = None
                return list(node.args)
            case ast.Call(func=ast.Attribute() | ast.Name()) if module := self._literal_import(node):
                found.imports.append(Import(module, 0, None, None, node.lineno))
                first = root(node.func)
                found.handed[module if first != "__import__" else module.split(".")[0]] = None
                found.names[first] = None
                return [*node.args, *(keyword.value for keyword in node.keywords)][::-1]
            case ast.Call(func=ast.Attribute(attr=method)) if method in tables.EVALUATES:
                for text in [*node.args[:1], *(one.value for one in node.keywords if one.arg == "expr")]:
                    found.names.update(_in_texts(text))
                    if not isinstance(text, ast.Constant):
                        found.note(f"`.{method}`", node.lineno, "module")
            case ast.ClassDef():
                found.names.update(imported_in(node))
            case ast.keyword(arg="allow_pickle", value=value) if not is_constant(value, False):
                found.note("`allow_pickle`", value.lineno, "everything")
            case ast.Global(names=declared):
                found.names.update(dict.fromkeys(declared))
            case ast.arg(annotation=ast.AST() as annotation) | ast.AnnAssign(annotation=annotation):
                found.names.update(_in_texts(annotation))
            case (
                ast.FunctionDef(returns=ast.AST() as annotation) | ast.AsyncFunctionDef(returns=ast.AST() as annotation)
            ):
                found.names.update(_in_texts(annotation))
        return children(node)

    def _note_steps(self, node: ast.Name | ast.Attribute, steps: Sequence[str], found: _Found) -> None:
        for step in steps:
            if step in tables.ATTRIBUTES:
                found.note(f"`.{step}`", node.lineno, "everything")
            found.reads_docs |= step == "__doc__"

    def _note_name(self, node: ast.Name | ast.Attribute, first: str, steps: Sequence[str], found: _Found) -> None:
        """A row of attributes that begins with a name."""
        whole = ".".join((first, *steps))
        found.names[whole if self._has_star or first in self._imported else first] = None
        if steps and not isinstance(node.ctx, ast.Load):
            found.assigned[whole] = None
        if first in tables.OWN_MODULE:
            found.note(f"`{first}`", node.lineno, "module")
        if first in tables.EVERYTHING:
            found.note(f"`{first}`", node.lineno, "everything")
        found.reads_docs |= first in ("__doc__", "help")
        for target in self._imported.get(first, ()):
            dotted = ".".join((target, *steps))
            if tables.OWN_MODULE_OF.match(dotted):
                found.note(f"`{dotted}`", node.lineno, "module")
            if tables.TEXT_OF.match(dotted):
                found.note(f"`{dotted}`", node.lineno, "text")
            elif tables.EVERYTHING_OF.match(dotted) or dotted in tables.MODULES_OF_EVERYTHING:
                found.note(f"`{dotted}`", node.lineno, "everything")
            if tables.PATH_OF.match(dotted):
                found.note(f"`{dotted}`", node.lineno, "path")
            found.reads_docs |= bool(tables.DOCUMENTATION_OF.match(dotted))

    def _literal_import(self, call: ast.Call) -> str | None:
        """The module that `importlib.import_module("a.b")` or `__import__("a")` brings."""
        base, steps = chain(call.func)
        if not isinstance(base, ast.Name) or not call.args or len(call.args) > 1 or call.keywords:
            return None
        targets = [".".join((target, *steps)) for target in self._imported.get(base.id, ())]
        if targets != ["importlib.import_module"] and not (base.id == "__import__" and not targets and not steps):
            return None
        match call.args[0]:
            case ast.Constant(value=str(name)) if all(step.isidentifier() for step in name.split(".")):
                return name
        return None


def chain(node: ast.AST) -> tuple[ast.AST, list[str]]:
    """What a row of attributes begins with, and the attributes: `np.random.rand` is (`np`, [`random`, `rand`])."""
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    return node, steps[::-1]


def root(node: ast.AST) -> str:
    """The name that a row of attributes begins with; empty if it begins with something else."""
    base = chain(node)[0]
    return base.id if isinstance(base, ast.Name) else ""


def is_constant(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _in_texts(part: ast.AST) -> dict[str, None]:
    """The names in the texts of an annotation, which whoever asks for types will evaluate, or of a query."""
    texts = [node.value for node in walk(part) if isinstance(node, ast.Constant)]
    return dict.fromkeys(name for text in texts if isinstance(text, str) for name in IDENTIFIER.findall(text))


def imported_in(node: ast.ClassDef) -> dict[str, None]:
    """What the body of a class imports: anyone may look it up in the class or its instances."""
    found: dict[str, None] = {}
    left: list[ast.AST] = list(node.body)
    while left:
        part = left.pop()
        if isinstance(part, ast.Import | ast.ImportFrom):
            found.update((one.bound, None) for one in imports_of(part) if one.bound is not None)
        elif not isinstance(part, SCOPES):
            left += children(part)
    return found


def imports_of(node: ast.Import | ast.ImportFrom) -> Iterator[Import]:
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            bound = None if alias.name == "*" else alias.asname or alias.name
            yield Import(node.module or "", node.level, alias.name, bound, node.lineno)
        return
    for alias in node.names:
        yield Import(alias.name, 0, None, alias.asname, node.lineno)
        if alias.asname is None:
            top = alias.name.split(".")[0]
            yield Import(top, 0, None, top, node.lineno)


def dotted(one: Import) -> str:
    """What an import binds, as an absolute name; one that is relative starts with dots."""
    module = "." * one.level + one.module
    return module if one.name is None else f"{module}.{one.name}" if one.module else f"{module}{one.name}"
