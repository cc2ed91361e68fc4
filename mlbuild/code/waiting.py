"""What can wait for its name: a statement that does nothing but bind the name, and cannot fail."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlbuild.code import tables
from mlbuild.code.literals import is_hashable, is_plain_value, worked_out
from mlbuild.code.meaning import has_no_effect
from mlbuild.code.names import chain, imports_of, is_constant, root
from mlbuild.code.tree import children, walk

PROPERTY_PARTS = [[part] for part in tables.PROPERTY_PARTS]


class Waiting:
    """Walks over the top level of a file, statement by statement, and knows what is certainly bound where it stands.

    Args:
        tree: the file.
        nodes: all of it, as `walk` gives them.
        imported: name → what imports anywhere in the file bind it to, as absolute dotted names.
        has_star: names may come from an import of all.

    Attributes:
        shared: names that functions may bind.
        bindings: every name that may be bound at the top level.
    """

    def __init__(
        self, tree: ast.Module, nodes: Sequence[ast.AST], imported: Mapping[str, Sequence[str]], has_star: bool
    ) -> None:
        self.shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        found = [pair for statement in tree.body for pair in bound_by(statement)]
        self.bindings = {name for name, _ in found} | self.shared
        self._assigned = {name for name, is_import in found if not is_import} | self.shared
        """Those of them that something other than an import binds."""
        self._single = {name for name, count in Counter(name for name, _ in found).items() if count == 1} - self.shared
        self._imported = imported
        self._has_star = has_star
        self._deleted = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del)}
        self._certain: set[str] = set()
        """The names that are certainly bound where the walk stands."""
        self._classes: set[str] = set()
        """Those of them that are classes."""

    def learn(self, statement: ast.stmt) -> None:
        """Take note of the names that are bound once a statement has run."""
        found: list[str] = []
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found = [name]
            case ast.Import() | ast.ImportFrom():
                found = [one.bound for one in imports_of(statement) if one.bound is not None]
            case ast.Assign(targets=targets):
                found = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                found = [name]
        self._certain |= set(found) - self._deleted
        if isinstance(statement, ast.ClassDef) and statement.name in self._single:
            self._classes |= {statement.name} - self._deleted

    def judged_class(self, node: ast.ClassDef) -> tuple[list[ast.AST], list[str], set[str], bool] | None:
        """(what is worked out at once, the bases on which it depends, whom it trusts, whether its shell counts)."""
        header: list[ast.AST] = []
        trusts: set[str] = set()
        bases: list[str] = []
        for decorator in node.decorator_list:
            plain = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = self._known(plain, frozenset())
            if name not in tables.SHELL_ONLY:
                return None
            trusts.add(name)
        for keyword in node.keywords:
            name = self._known(keyword.value, frozenset())
            if keyword.arg != "metaclass" or name not in tables.METACLASSES:
                return None
            trusts.add(name)
        for base in node.bases:
            plain = base.value if isinstance(base, ast.Subscript) else base
            name = self._known(plain, frozenset())
            if name is not None and name in tables.BASES:
                trusts.add(name)
            elif isinstance(base, ast.Name | ast.Attribute) and self._is_certain(base):
                bases.append(".".join((root(base), *chain(base)[1])))
            else:
                return None
            if len(node.bases) > 1 or isinstance(base, ast.Subscript):
                header.append(base)
        if getattr(node, "type_params", None):
            return None
        is_shell = bool(node.decorator_list)
        inside: set[str] = set()
        properties: set[str] = set()
        for statement in node.body:
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    judged = self.decorators(statement, inside, properties)
                    if judged is None:
                        return None
                    header += [*judged[0], *self.uncertain_header(statement, inside)]
                    trusts |= judged[1]
                    is_property = any(
                        self._known(one, inside) == "property" or chain(one)[1][-1:] in PROPERTY_PARTS
                        for one in statement.decorator_list[:1]
                    )
                    properties = properties | {statement.name} if is_property else properties - {statement.name}
                    inside.add(statement.name)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if not is_dunder(name):
                    if not is_plain_value(value) and not (is_shell and self._is_field(value, inside, trusts)):
                        return None
                    inside.add(name)
                    properties.discard(name)
                case ast.AnnAssign(target=ast.Name(id=name), value=value, annotation=annotation) if not is_dunder(name):
                    if value is not None:
                        if not is_plain_value(value) and not (is_shell and self._is_field(value, inside, trusts)):
                            return None
                        inside.add(name)
                        properties.discard(name)
                    if not self.is_type(annotation):
                        header.append(annotation)
                case _ if not has_no_effect(statement):
                    return None
        return header, bases, trusts, is_shell

    def _is_field(self, value: ast.expr, inside: set[str], trusts: set[str]) -> bool:
        """`field(default_factory=list)` of a dataclass."""
        if not isinstance(value, ast.Call) or self._known(value.func, inside) != "dataclasses.field" or value.args:
            return False
        trusts.add("dataclasses.field")
        return all(
            is_plain_value(keyword.value) or (keyword.arg == "default_factory" and isinstance(keyword.value, ast.Name))
            for keyword in value.keywords
        )

    def decorators(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        inside: set[str] | frozenset[str],
        properties: set[str] | frozenset[str],
    ) -> tuple[list[ast.AST], set[str]] | None:
        """(those that are worked out at once, the modules that are trusted); None if one may do anything."""
        called: list[ast.AST] = []
        trusts: set[str] = set()
        for number, decorator in enumerate(reversed(node.decorator_list)):
            match decorator:
                case ast.Attribute(value=ast.Name(id=name), attr=attr) if (
                    attr in tables.PROPERTY_PARTS and name in properties
                ):
                    continue
                case ast.Call(func=function):
                    known = self._known(function, inside)
                    fits = known in tables.CALLED and number == 0
                    called.append(decorator)
                case _:
                    known = self._known(decorator, inside)
                    fits = known in (tables.TAKES_FUNCTIONS if number == 0 else tables.TAKES_ANYTHING)
            if not fits or known is None:
                return None
            trusts.add(known)
        return called, trusts

    def _known(self, node: ast.AST, inside: set[str] | frozenset[str]) -> str | None:
        """The absolute name of what a name or attribute certainly is: a builtin, or what one import brings."""
        base, steps = chain(node)
        if not isinstance(base, ast.Name) or base.id in inside or self._has_star:
            return None
        if base.id not in self.bindings:
            return base.id if base.id in tables.BUILTINS and not steps else None
        targets = self._imported.get(base.id, [])
        if base.id in self._assigned or len(targets) != 1 or base.id not in self._certain:
            return None
        return ".".join((targets[0], *steps))

    def _is_certain(self, node: ast.AST, inside: Iterable[str] = ()) -> bool:
        """Whether a name can be looked up here without failing (an attribute: of what is imported)."""
        base, steps = chain(node)
        if not isinstance(base, ast.Name):
            return False
        if steps:
            return base.id not in self._assigned and base.id in self._certain
        is_builtin = base.id in tables.BUILTINS and base.id not in self.bindings and not self._has_star
        return base.id in self._certain or base.id in inside or is_builtin

    def uncertain_header(self, node: ast.FunctionDef | ast.AsyncFunctionDef, inside: Iterable[str]) -> list[ast.AST]:
        """The defaults and annotations of a function that may do something, or fail."""
        arguments = node.args
        defaults = [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        annotations = [*(one.annotation for one in every if one is not None and one.annotation), node.returns]
        return [
            *(one for one in defaults if not self.is_harmless(one, inside)),
            *(one for one in annotations if one is not None and not self.is_type(one, inside)),
        ]

    def is_harmless(self, node: ast.expr, inside: Iterable[str] = ()) -> bool:
        """Whether an expression does nothing but give a value, and cannot fail."""
        match node:
            case ast.Constant():
                return True
            case ast.Name():
                return self._is_certain(node, inside)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return all(self.is_harmless(item, inside) for item in items)
            case ast.Set(elts=items):
                return all(is_hashable(item) for item in items)
            case ast.Dict(keys=keys, values=values):
                return all(key is not None and is_hashable(key) for key in keys) and all(
                    self.is_harmless(value, inside) for value in values
                )
            case ast.Lambda(args=arguments):
                defaults = [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]
                return all(self.is_harmless(one, inside) for one in defaults)
            case ast.BinOp() | ast.UnaryOp():
                return worked_out(node) is not None
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                known = self._known(node.func, frozenset(inside))
                return known in ("dict", "list", "set", "frozenset", "tuple", "object") and (
                    not arguments
                    or (
                        name in ("frozenset", "set", "tuple", "list")
                        and len(arguments) == 1
                        and isinstance(arguments[0], ast.Tuple | ast.List | ast.Set)
                        and all(is_hashable(item) for item in arguments[0].elts)
                    )
                )
        return False

    def is_type(self, node: ast.expr, inside: Iterable[str] = ()) -> bool:
        """Whether an annotation can be worked out without effect, and without failing."""
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=argument) if name in tables.GENERIC:
                return self._is_certain(node.value) and name not in inside and self.is_type(argument, inside)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return all(self.is_type(item, inside) for item in items)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                sides = (left, right)
                return all(self._is_class(side, inside) for side in sides) or (
                    self._is_class(left, inside) and is_constant(right, None)
                )
        return self.is_harmless(node, inside)

    def _is_class(self, node: ast.expr, inside: Iterable[str]) -> bool:
        """Whether an expression is certainly a type that `|` takes."""
        match node:
            case ast.Name(id=name):
                return name not in inside and (
                    name in self._classes or self._known(node, frozenset(inside)) in tables.TYPES
                )
            case ast.Subscript() | ast.BinOp():
                return self.is_type(node, inside)
        return False


def is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def bound_by(statement: ast.AST) -> Iterator[tuple[str, bool]]:
    """Every name that a statement may bind at the top level, each as often as it does, and whether an import does."""
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, False
                # Of what is inside, only an assignment expression in the head may bind here.
                head = [*node.decorator_list, *(node.bases if isinstance(node, ast.ClassDef) else [node.args])]
                left += [each for one in head for each in walk(one) if isinstance(each, ast.NamedExpr)]
                continue
            case ast.Lambda():
                left += [each for each in walk(node.args) if isinstance(each, ast.NamedExpr)]
                continue
            case ast.Import() | ast.ImportFrom():
                yield from ((one.bound, True) for one in imports_of(node) if one.bound is not None)
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name, False
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, False
            case ast.MatchMapping(rest=str(name)):
                yield name, False
        left += children(node)
