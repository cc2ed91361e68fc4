"""A Python file as what runs when it is imported and what only its names can reach. Blind to the files around it.

A definition can wait for its name if the statement that makes it does nothing but bind the name, and cannot fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from mlbuild.code.meaning import docstring, has_no_effect, parsed
from mlbuild.code.module import Code, Definition, Dynamic, Module, Runs
from mlbuild.code.names import FUNCTIONS, Names, dotted, imported_in, imports_of
from mlbuild.code.tree import walk
from mlbuild.code.waiting import Waiting, bound_by, is_dunder


def read(source: bytes) -> Module | None:
    """What a file holds; None if this Python can't parse it."""
    tree = parsed(source)
    try:
        return None if tree is None else _Reader(tree).module()
    except RecursionError:
        return None


class _Reader:
    """Takes one file apart."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        nodes = walk(tree)
        self._imports = [
            one for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)) for one in imports_of(node)
        ]
        """Those anywhere in the file."""
        has_star = any(one.name == "*" for one in self._imports)
        imported: dict[str, list[str]] = {}
        for one in self._imports:
            if one.bound is not None and dotted(one) not in imported.setdefault(one.bound, []):
                imported[one.bound].append(dotted(one))
        self._names = Names(imported, has_star)
        self._waiting = Waiting(tree, nodes, imported, has_star)

    def module(self) -> Module:
        items: list[Runs | Definition] = []
        text = docstring(self._tree)
        if text is not None:
            items.append(Runs(self._names.code([], [], text)))
        for statement in self._tree.body:
            if not has_no_effect(statement):
                items += self._items(statement)
            self._waiting.learn(statement)
        shared = [one for one in self._imports if one.bound in self._waiting.shared]
        return Module(tuple(items), tuple(sorted(self._waiting.shared)), tuple(shared))

    def _items(self, statement: ast.stmt) -> Iterator[Runs | Definition]:
        waiting = self._waiting
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield self._function(statement)
            case ast.ClassDef():
                yield self._class(statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not is_dunder(name) and waiting.is_harmless(
                value
            ):
                yield Definition(name, ((f"constant {name}", self._whole(statement)),))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value, annotation=annotation) if (
                not is_dunder(name) and waiting.is_harmless(value)
            ):
                header = self._header([] if waiting.is_type(annotation) else [annotation])
                yield Definition(name, ((f"constant {name}", self._whole(statement)),), header)
            case ast.If(test=test, body=body, orelse=orelse) if "__name__" not in waiting.bindings and _asks_for_main(
                test
            ):
                yield Runs(self._names.code(body, body), _assigned(body), main=True)
                if orelse:
                    yield Runs(self._names.code(orelse, ["else", *orelse]), _assigned(orelse))
            case _:
                code, bound = self._whole(statement), _assigned([statement])
                if "__getattr__" in bound and not isinstance(statement, FUNCTIONS):
                    # What it was given will find, for instance what lazy_loader is told in texts.
                    found = Dynamic("`__getattr__`", statement.lineno, "everything")
                    code = replace(code, dynamic=(*code.dynamic, found))
                yield Runs(code, bound)

    def _whole(self, statement: ast.AST) -> Code:
        return self._names.code([statement], [statement])

    def _header(self, expressions: Sequence[ast.AST]) -> Code | None:
        return self._names.code(expressions, ["header", *expressions]) if expressions else None

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Definition:
        judged = self._waiting.decorators(node, frozenset(), frozenset())
        part = (f"function {node.name}", self._whole(node))
        if judged is None or is_dunder(node.name):
            return Definition(node.name, (part,), at_import=True)
        called, trusts = judged
        header = self._header([*called, *self._waiting.uncertain_header(node, frozenset())])
        return Definition(node.name, (part,), header, trusts=_modules(trusts))

    def _class(self, node: ast.ClassDef) -> Definition:
        methods = [one for one in node.body if isinstance(one, FUNCTIONS)]
        rest = [one for one in node.body if not isinstance(one, FUNCTIONS)]
        around = [*node.decorator_list, *node.bases, *node.keywords, *getattr(node, "type_params", ())]
        body: list[ast.AST | str] = [
            f"method {one.name}" if isinstance(one, FUNCTIONS) else one for one in node.body if not has_no_effect(one)
        ]
        # The head is told from the body by the texts between them.
        items = [
            f"class {node.name}",
            *around[: len(node.decorator_list)],
            "bases",
            *around[len(node.decorator_list) :],
        ]
        shell = self._names.code([*around, *rest], [*items, "body", *body], docstring(node))
        shell = replace(shell, names=tuple(dict.fromkeys([*shell.names, *imported_in(node)])))
        labels: dict[str, list[ast.AST]] = {}
        for one in methods:
            labels.setdefault(f"method {node.name}.{one.name}", []).append(one)
        parts = (
            (f"class {node.name}", shell),
            *((label, self._names.code(nodes, nodes)) for label, nodes in labels.items()),
        )
        tricky = any(one.name in TRICKY for one in methods)
        judged = None if is_dunder(node.name) or tricky else self._waiting.judged_class(node)
        if judged is None:
            return Definition(node.name, parts, at_import=True, is_tricky=tricky)
        header, bases, trusts, is_shell = judged
        return Definition(
            node.name,
            parts,
            self._header(header),
            shell=is_shell,
            bases=tuple(bases),
            trusts=_modules(trusts),
        )


TRICKY = frozenset(
    {
        "__init_subclass__",
        "__subclasshook__",
        "__set_name__",
        "__instancecheck__",
        "__subclasscheck__",
        "__mro_entries__",
        "__prepare__",
    }
)
"""Methods that run when a class is made, or asked what it is."""


def _modules(names: Iterable[str]) -> tuple[str, ...]:
    """The modules in which names stand, but for builtins."""
    return tuple(sorted({name.split(".")[0] for name in names if "." in name}))


def _asks_for_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
        case ast.Compare(left=ast.Constant(value="__main__"), ops=[ast.Eq()], comparators=[ast.Name(id="__name__")]):
            return True
    return False


def _assigned(statements: Sequence[ast.stmt]) -> tuple[str, ...]:
    return tuple(sorted({name for one in statements for name, is_import in bound_by(one) if not is_import}))
