"""What a piece of code names, imports, and reaches without naming it. Blind to what runs, and when."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlbuild.code import tables
from mlbuild.code.meaning import digest
from mlbuild.code.module import Code, Dynamic, Import

IDENTIFIER = re.compile(r"[^\W\d]\w*")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)


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
        names: dict[str, None] = {}
        assigned: dict[str, None] = {}
        imports: list[Import] = []
        handed: dict[str, None] = {}
        dynamic: dict[tuple[str, str], Dynamic] = {}
        reads_docs = False

        def note(what: str, line: int, reach: str) -> None:
            dynamic.setdefault((what, reach), Dynamic(what, line, reach))

        left: list[ast.AST] = list(nodes)[::-1]
        while left:
            node = left.pop()
            match node:
                case ast.Import() | ast.ImportFrom():
                    imports += imports_of(node)
                    continue
                case ast.Name() | ast.Attribute():
                    base, steps = chain(node)
                    for step in steps:
                        if step in tables.ATTRIBUTES:
                            note(f"`.{step}`", node.lineno, "everything")
                        reads_docs = reads_docs or step == "__doc__"
                    if not isinstance(base, ast.Name):
                        left.append(base)
                        continue
                    first = base.id
                    if self._has_star or first in self._imported:
                        names[".".join((first, *steps))] = None
                    else:
                        names[first] = None
                    if steps and not isinstance(node.ctx, ast.Load):
                        assigned[".".join((first, *steps))] = None
                    if first in tables.OWN_MODULE:
                        note(f"`{first}`", node.lineno, "module")
                    if first in tables.EVERYTHING:
                        note(f"`{first}`", node.lineno, "everything")
                    reads_docs = reads_docs or first in ("__doc__", "help")
                    for target in self._imported.get(first, ()):
                        dotted = ".".join((target, *steps))
                        if tables.OWN_MODULE_OF.match(dotted):
                            note(f"`{dotted}`", node.lineno, "module")
                        if tables.TEXT_OF.match(dotted):
                            note(f"`{dotted}`", node.lineno, "text")
                        elif tables.EVERYTHING_OF.match(dotted) or dotted in tables.MODULES_OF_EVERYTHING:
                            note(f"`{dotted}`", node.lineno, "everything")
                        if tables.PATH_OF.match(dotted):
                            note(f"`{dotted}`", node.lineno, "path")
                        reads_docs = reads_docs or bool(tables.DOCUMENTATION_OF.match(dotted))
                    continue
                case ast.Call(func=ast.Name(id=str(function)), args=[_, ast.Constant(value=str(name)), *_]) if (
                    function in tables.BY_NAME and function not in self._imported
                ):
                    if name in tables.ATTRIBUTES:
                        note(f"`{name}`", node.lineno, "everything")
                    reads_docs = reads_docs or name == "__doc__"
                    names[function] = None
                    left += node.args[::-1]
                    continue
                case ast.Call(func=ast.Attribute() | ast.Name()) if found := self._literal_import(node):
                    imports.append(Import(found, 0, None, None, node.lineno))
                    first = root(node.func)
                    handed[found if first != "__import__" else found.split(".")[0]] = None
                    names[first] = None
                    left += [*node.args, *(keyword.value for keyword in node.keywords)]
                    continue
                case ast.Call(func=ast.Attribute(attr=method)) if method in tables.EVALUATES:
                    for text in [*node.args[:1], *(one.value for one in node.keywords if one.arg == "expr")]:
                        names.update(_in_texts(text))
                        if not isinstance(text, ast.Constant):
                            note(f"`.{method}`", node.lineno, "module")
                case ast.ClassDef():
                    names.update(imported_in(node))
                case ast.keyword(arg="allow_pickle", value=value) if not is_constant(value, False):
                    note("`allow_pickle`", value.lineno, "everything")
                case ast.Global(names=declared):
                    names.update(dict.fromkeys(declared))
                case ast.arg(annotation=ast.AST() as annotation) | ast.AnnAssign(annotation=annotation):
                    names.update(_in_texts(annotation))
                case (
                    ast.FunctionDef(returns=ast.AST() as annotation)
                    | ast.AsyncFunctionDef(returns=ast.AST() as annotation)
                ):
                    names.update(_in_texts(annotation))
            left += list(ast.iter_child_nodes(node))[::-1]
        meant = digest(items) if items else ""
        written = digest([*items, *([f"doc {doc}"] if doc is not None else [])], documented=True)
        return Code(
            meant,
            written if items or doc is not None else "",
            tuple(names),
            tuple(imports),
            tuple(assigned),
            tuple(handed),
            tuple(dynamic.values()),
            reads_docs,
        )

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
    texts = [node.value for node in ast.walk(part) if isinstance(node, ast.Constant)]
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
            left += ast.iter_child_nodes(part)
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
