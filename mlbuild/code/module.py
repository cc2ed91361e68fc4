"""A Python file as what runs when it is imported and what only its names can reach. Blind to the files around it.

A definition can wait for its name if the statement that makes it does nothing but bind the name, and cannot fail.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace

from mlbuild.code import tables
from mlbuild.code.meaning import digest, docstring, has_no_effect, parsed

IDENTIFIER = re.compile(r"[^\W\d]\w*")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)
LARGEST = 10**30
"""Arithmetic of literals is worked out up to here, to know that it cannot fail."""


@dataclass(frozen=True, slots=True)
class Import:
    """An import, or what one binds.

    Attributes:
        module: as written, without the dots before it, of which there are `level`.
        name: what is taken out of the module, `*` for all; None for the module itself.
        bound: the name that it gets; None where the import only runs the module.
    """

    module: str
    level: int
    name: str | None
    bound: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Dynamic:
    """Something that reaches code without naming it.

    `reach` is `module`, `everything`, `text` (comments and all) or `path` (where imports find modules)."""

    what: str
    line: int
    reach: str


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of code.

    Attributes:
        digest: what it means, without docstrings; empty for what has no effect.
        documented: the same with docstrings.
        names: what it names, each with the attributes looked up in it: `helper`, `np.random.rand`.
        imports: what it imports when it runs.
        assigned: those of the names whose last attribute is assigned or deleted.
        handed: modules (as absolute names) that are used as objects without being bound to a name.
        dynamic: what in it reaches code without naming it.
        reads_docs: it names `__doc__`, or what reads docstrings.
    """

    digest: str
    documented: str
    names: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()
    assigned: tuple[str, ...] = ()
    handed: tuple[str, ...] = ()
    dynamic: tuple[Dynamic, ...] = ()
    reads_docs: bool = False


@dataclass(frozen=True, slots=True)
class Runs:
    """A statement that runs at import.

    Attributes:
        bound: the names that it binds otherwise than by an import.
        main: only in the module that is started, under `if __name__ == "__main__"`.
    """

    code: Code
    bound: tuple[str, ...] = ()
    main: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A function, class or constant at the top level.

    Attributes:
        name: what it binds.
        parts: its pieces by what they are called: `function f`, `class Net`, `method Net.forward`.
        header: what of it is worked out where it stands, although nothing may reach its name.
        at_import: all of it counts when the module is imported.
        shell: its first part counts when the module is imported.
        bases: of a class that can wait if these can: names of classes, as written.
        trusts: modules of others that are taken for what they are called: one of the workspace's is not.
        is_tricky: a class that can take part in the making of others that inherit from it.
    """

    name: str
    parts: tuple[tuple[str, Code], ...]
    header: Code | None = None
    at_import: bool = False
    shell: bool = False
    bases: tuple[str, ...] = ()
    trusts: tuple[str, ...] = ()
    is_tricky: bool = False

    @property
    def is_class(self) -> bool:
        return self.parts[0][0].startswith("class ")


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file.

    Attributes:
        items: its statements in order, but those without effect.
        assigned: names that functions may bind, as they declare them `global`.
        shared: what functions import into such names.
    """

    items: tuple[Runs | Definition, ...]
    assigned: tuple[str, ...] = ()
    shared: tuple[Import, ...] = ()

    def as_json(self) -> str:
        rows = [["r" if isinstance(item, Runs) else "d", *astuple(item)] for item in self.items]
        return json.dumps([rows, self.assigned, [astuple(one) for one in self.shared]], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Module:
        rows, assigned, shared = json.loads(text)
        items = tuple(_runs(*row) if kind == "r" else _definition(*row) for kind, *row in rows)
        return cls(items, tuple(assigned), tuple(Import(*one) for one in shared))


def _code(
    digest: str,
    documented: str,
    names: Sequence[str],
    imports: Sequence[Sequence[object]],
    assigned: Sequence[str],
    handed: Sequence[str],
    dynamic: Sequence[Sequence[object]],
    reads_docs: bool,
) -> Code:
    return Code(
        digest,
        documented,
        tuple(names),
        tuple(Import(*one) for one in imports),  # type: ignore[arg-type]
        tuple(assigned),
        tuple(handed),
        tuple(Dynamic(*one) for one in dynamic),  # type: ignore[arg-type]
        reads_docs,
    )


def _runs(code: list[object], bound: list[str], main: bool) -> Runs:
    return Runs(_code(*code), tuple(bound), main)  # type: ignore[arg-type]


def _definition(
    name: str,
    parts: list[tuple[str, list[object]]],
    header: list[object] | None,
    at_import: bool,
    shell: bool,
    bases: list[str],
    trusts: list[str],
    is_tricky: bool,
) -> Definition:
    return Definition(
        name,
        tuple((label, _code(*code)) for label, code in parts),  # type: ignore[arg-type]
        _code(*header) if header else None,  # type: ignore[arg-type]
        at_import,
        shell,
        tuple(bases),
        tuple(trusts),
        is_tricky,
    )


def read(source: bytes) -> Module | None:
    """What a file holds; None if this Python can't parse it."""
    tree = parsed(source)
    try:
        return None if tree is None else _Reader(tree).module()
    except RecursionError:
        return None


# --- what a piece of code names


class _Names:
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
                    imports += _imports(node)
                    continue
                case ast.Name() | ast.Attribute():
                    base, steps = _chain(node)
                    for step in steps:
                        if step in tables.ATTRIBUTES:
                            note(f"`.{step}`", node.lineno, "everything")
                        reads_docs = reads_docs or step == "__doc__"
                    if not isinstance(base, ast.Name):
                        left.append(base)
                        continue
                    root = base.id
                    if self._has_star or root in self._imported:
                        names[".".join((root, *steps))] = None
                    else:
                        names[root] = None
                    if steps and not isinstance(node.ctx, ast.Load):
                        assigned[".".join((root, *steps))] = None
                    if root in tables.OWN_MODULE:
                        note(f"`{root}`", node.lineno, "module")
                    if root in tables.EVERYTHING:
                        note(f"`{root}`", node.lineno, "everything")
                    reads_docs = reads_docs or root in ("__doc__", "help")
                    for target in self._imported.get(root, ()):
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
                    root = _root(node.func)
                    handed[found if root != "__import__" else found.split(".")[0]] = None
                    names[root] = None
                    left += [*node.args, *(keyword.value for keyword in node.keywords)]
                    continue
                case ast.Call(func=ast.Attribute(attr=method)) if method in tables.EVALUATES:
                    for text in [*node.args[:1], *(one.value for one in node.keywords if one.arg == "expr")]:
                        names.update(_in_texts(text))
                        if not isinstance(text, ast.Constant):
                            note(f"`.{method}`", node.lineno, "module")
                case ast.ClassDef():
                    names.update(_imported_in(node))
                case ast.keyword(arg="allow_pickle", value=value) if not _is(value, False):
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
        base, steps = _chain(call.func)
        if not isinstance(base, ast.Name) or not call.args or len(call.args) > 1 or call.keywords:
            return None
        targets = [".".join((target, *steps)) for target in self._imported.get(base.id, ())]
        if targets != ["importlib.import_module"] and not (base.id == "__import__" and not targets and not steps):
            return None
        match call.args[0]:
            case ast.Constant(value=str(name)) if all(step.isidentifier() for step in name.split(".")):
                return name
        return None


def _chain(node: ast.AST) -> tuple[ast.AST, list[str]]:
    """What a row of attributes begins with, and the attributes: `np.random.rand` is (`np`, [`random`, `rand`])."""
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    return node, steps[::-1]


def _root(node: ast.AST) -> str:
    """The name that a row of attributes begins with; empty if it begins with something else."""
    base = _chain(node)[0]
    return base.id if isinstance(base, ast.Name) else ""


def _is(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _in_texts(part: ast.AST) -> dict[str, None]:
    """The names in the texts of an annotation, which whoever asks for types will evaluate, or of a query."""
    texts = [node.value for node in ast.walk(part) if isinstance(node, ast.Constant)]
    return dict.fromkeys(name for text in texts if isinstance(text, str) for name in IDENTIFIER.findall(text))


def _imported_in(node: ast.ClassDef) -> dict[str, None]:
    """What the body of a class imports: anyone may look it up in the class or its instances."""
    found: dict[str, None] = {}
    left: list[ast.AST] = list(node.body)
    while left:
        part = left.pop()
        if isinstance(part, ast.Import | ast.ImportFrom):
            found.update((one.bound, None) for one in _imports(part) if one.bound is not None)
        elif not isinstance(part, SCOPES):
            left += ast.iter_child_nodes(part)
    return found


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[Import]:
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


# --- what can wait for its name


class _Reader:
    """Takes one file apart."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        everything = [
            one for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for one in _imports(node)
        ]
        self._has_star = any(one.name == "*" for one in everything)
        imported: dict[str, list[str]] = {}
        for one in everything:
            if one.bound is not None and dotted(one) not in imported.setdefault(one.bound, []):
                imported[one.bound].append(dotted(one))
        self._names = _Names(imported, self._has_star)
        self._shared = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
        found = [pair for statement in tree.body for pair in _bound(statement)]
        self._bindings = {name for name, _ in found} | self._shared
        """Every name that may be bound at the top level."""
        self._assigned = {name for name, is_import in found if not is_import} | self._shared
        """Those of them that something other than an import binds."""
        self._single = {name for name, count in Counter(name for name, _ in found).items() if count == 1} - self._shared
        self._imported = imported
        self._deleted = {
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del)
        }
        self._certain: set[str] = set()
        """The names that are certainly bound where the walk stands."""
        self._classes: set[str] = set()
        """Those of them that are classes."""

    def module(self) -> Module:
        items: list[Runs | Definition] = []
        text = docstring(self._tree)
        if text is not None:
            items.append(Runs(self._names.code([], [], text)))
        for statement in self._tree.body:
            if not has_no_effect(statement):
                items += self._items(statement)
            self._learn(statement)
        shared = [
            one
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for one in _imports(node)
            if one.bound in self._shared
        ]
        return Module(tuple(items), tuple(sorted(self._shared)), tuple(shared))

    def _items(self, statement: ast.stmt) -> Iterator[Runs | Definition]:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield self._function(statement)
            case ast.ClassDef():
                yield self._class(statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not _is_dunder(name) and self._is_harmless(
                value
            ):
                yield Definition(name, ((f"constant {name}", self._whole(statement)),))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value, annotation=annotation) if (
                not _is_dunder(name) and self._is_harmless(value)
            ):
                header = self._header([] if self._is_type(annotation) else [annotation])
                yield Definition(name, ((f"constant {name}", self._whole(statement)),), header)
            case ast.If(test=test, body=body, orelse=orelse) if "__name__" not in self._bindings and _asks_for_main(
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

    def _learn(self, statement: ast.stmt) -> None:
        """Take note of the names that are bound once a statement has run."""
        found: list[str] = []
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found = [name]
            case ast.Import() | ast.ImportFrom():
                found = [one.bound for one in _imports(statement) if one.bound is not None]
            case ast.Assign(targets=targets):
                found = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                found = [name]
        self._certain |= set(found) - self._deleted
        if isinstance(statement, ast.ClassDef) and statement.name in self._single:
            self._classes |= {statement.name} - self._deleted

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Definition:
        judged = self._decorators(node, frozenset(), frozenset())
        part = (f"function {node.name}", self._whole(node))
        if judged is None or _is_dunder(node.name):
            return Definition(node.name, (part,), at_import=True)
        called, trusts = judged
        header = self._header([*called, *self._uncertain_header(node, frozenset())])
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
        shell = replace(shell, names=tuple(dict.fromkeys([*shell.names, *_imported_in(node)])))
        labels: dict[str, list[ast.AST]] = {}
        for one in methods:
            labels.setdefault(f"method {node.name}.{one.name}", []).append(one)
        parts = (
            (f"class {node.name}", shell),
            *((label, self._names.code(nodes, nodes)) for label, nodes in labels.items()),
        )
        tricky = any(one.name in TRICKY for one in methods)
        judged = None if _is_dunder(node.name) or tricky else self._judge_class(node)
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

    def _judge_class(self, node: ast.ClassDef) -> tuple[list[ast.AST], list[str], set[str], bool] | None:
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
                bases.append(".".join((_root(base), *_chain(base)[1])))
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
                    judged = self._decorators(statement, inside, properties)
                    if judged is None:
                        return None
                    header += [*judged[0], *self._uncertain_header(statement, inside)]
                    trusts |= judged[1]
                    is_property = any(
                        self._known(one, inside) == "property" or _chain(one)[1][-1:] in PROPERTY_PARTS
                        for one in statement.decorator_list[:1]
                    )
                    properties = properties | {statement.name} if is_property else properties - {statement.name}
                    inside.add(statement.name)
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if not _is_dunder(name):
                    if not _is_plain_value(value) and not (is_shell and self._is_field(value, inside, trusts)):
                        return None
                    inside.add(name)
                    properties.discard(name)
                case ast.AnnAssign(target=ast.Name(id=name), value=value, annotation=annotation) if not _is_dunder(
                    name
                ):
                    if value is not None:
                        if not _is_plain_value(value) and not (is_shell and self._is_field(value, inside, trusts)):
                            return None
                        inside.add(name)
                        properties.discard(name)
                    if not self._is_type(annotation):
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
            _is_plain_value(keyword.value) or (keyword.arg == "default_factory" and isinstance(keyword.value, ast.Name))
            for keyword in value.keywords
        )

    # --- harmless or not

    def _decorators(
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
        base, steps = _chain(node)
        if not isinstance(base, ast.Name) or base.id in inside or self._has_star:
            return None
        if base.id not in self._bindings:
            return base.id if base.id in tables.BUILTINS and not steps else None
        targets = self._imported.get(base.id, [])
        if base.id in self._assigned or len(targets) != 1 or base.id not in self._certain:
            return None
        return ".".join((targets[0], *steps))

    def _is_certain(self, node: ast.AST, inside: Iterable[str] = ()) -> bool:
        """Whether a name can be looked up here without failing (an attribute: of what is imported)."""
        base, steps = _chain(node)
        if not isinstance(base, ast.Name):
            return False
        if steps:
            return base.id not in self._assigned and base.id in self._certain
        is_builtin = base.id in tables.BUILTINS and base.id not in self._bindings and not self._has_star
        return base.id in self._certain or base.id in inside or is_builtin

    def _uncertain_header(self, node: ast.FunctionDef | ast.AsyncFunctionDef, inside: Iterable[str]) -> list[ast.AST]:
        """The defaults and annotations of a function that may do something, or fail."""
        arguments = node.args
        defaults = [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        annotations = [*(one.annotation for one in every if one is not None and one.annotation), node.returns]
        return [
            *(one for one in defaults if not self._is_harmless(one, inside)),
            *(one for one in annotations if one is not None and not self._is_type(one, inside)),
        ]

    def _is_harmless(self, node: ast.expr, inside: Iterable[str] = ()) -> bool:
        """Whether an expression does nothing but give a value, and cannot fail."""
        match node:
            case ast.Constant():
                return True
            case ast.Name():
                return self._is_certain(node, inside)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return all(self._is_harmless(item, inside) for item in items)
            case ast.Set(elts=items):
                return all(_is_hashable(item) for item in items)
            case ast.Dict(keys=keys, values=values):
                return all(key is not None and _is_hashable(key) for key in keys) and all(
                    self._is_harmless(value, inside) for value in values
                )
            case ast.Lambda(args=arguments):
                defaults = [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]
                return all(self._is_harmless(one, inside) for one in defaults)
            case ast.BinOp() | ast.UnaryOp():
                return _worked_out(node) is not None
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                known = self._known(node.func, frozenset(inside))
                return known in ("dict", "list", "set", "frozenset", "tuple", "object") and (
                    not arguments
                    or (
                        name in ("frozenset", "set", "tuple", "list")
                        and len(arguments) == 1
                        and isinstance(arguments[0], ast.Tuple | ast.List | ast.Set)
                        and all(_is_hashable(item) for item in arguments[0].elts)
                    )
                )
        return False

    def _is_type(self, node: ast.expr, inside: Iterable[str] = ()) -> bool:
        """Whether an annotation can be worked out without effect, and without failing."""
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=argument) if name in tables.GENERIC:
                return self._is_certain(node.value) and name not in inside and self._is_type(argument, inside)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return all(self._is_type(item, inside) for item in items)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                sides = (left, right)
                return all(self._is_class(side, inside) for side in sides) or (
                    self._is_class(left, inside) and _is(right, None)
                )
        return self._is_harmless(node, inside)

    def _is_class(self, node: ast.expr, inside: Iterable[str]) -> bool:
        """Whether an expression is certainly a type that `|` takes."""
        match node:
            case ast.Name(id=name):
                return name not in inside and (
                    name in self._classes or self._known(node, frozenset(inside)) in tables.TYPES
                )
            case ast.Subscript() | ast.BinOp():
                return self._is_type(node, inside)
        return False


PROPERTY_PARTS = [[part] for part in tables.PROPERTY_PARTS]

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


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _asks_for_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
        case ast.Compare(left=ast.Constant(value="__main__"), ops=[ast.Eq()], comparators=[ast.Name(id="__name__")]):
            return True
    return False


def _is_hashable(node: ast.expr) -> bool:
    """Whether an expression is a literal that a set can hold."""
    if isinstance(node, ast.Tuple):
        return all(_is_hashable(item) for item in node.elts)
    return isinstance(node, ast.Constant) or _worked_out(node) is not None


def _is_plain_value(node: ast.expr) -> bool:
    """Whether a value is a literal, or a container of such: nothing that learns of the class that holds it."""
    match node:
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return all(_is_plain_value(item) for item in items)
        case ast.Dict(keys=keys, values=values):
            return all(key is not None and _is_hashable(key) for key in keys) and all(map(_is_plain_value, values))
        case ast.Set(elts=items):
            return all(map(_is_hashable, items))
    return _is_hashable(node)


def _worked_out(node: ast.expr) -> int | float | str | None:
    """The value of arithmetic on literals; None if it is none, fails, or is large."""
    match node:
        case ast.Constant(value=int() | float() | str() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _worked_out(operand)
            return None if inner is None or isinstance(inner, str) else -inner
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _worked_out(left), _worked_out(right)
            if isinstance(a, str) or isinstance(b, str):
                return a + b if isinstance(a, str) and isinstance(b, str) and isinstance(op, ast.Add) else None
            if a is None or b is None or abs(a) > LARGEST or abs(b) > LARGEST:
                return None
            return _arithmetic(a, op, b)
    return None


def _arithmetic(a: float, op: ast.operator, b: float) -> float | None:
    match op:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult():
            return a * b
        case ast.Div() if b:
            return a / b
        case ast.FloorDiv() if b:
            return a // b
        case ast.Mod() if b:
            return a % b
        case ast.Pow() if isinstance(a, int) and isinstance(b, int) and 0 <= b <= 64:
            return int(a**b)
        case ast.LShift() if isinstance(a, int) and isinstance(b, int) and 0 <= b <= 64:
            return a << b
    return None


def _assigned(statements: Sequence[ast.stmt]) -> tuple[str, ...]:
    return tuple(sorted({name for one in statements for name, is_import in _bound(one) if not is_import}))


def _bound(statement: ast.AST) -> Iterator[tuple[str, bool]]:
    """Every name that a statement may bind at the top level, each as often as it does, and whether an import does."""
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, False
                # Of what is inside, only an assignment expression in the head may bind here.
                head = [*node.decorator_list, *(node.bases if isinstance(node, ast.ClassDef) else [node.args])]
                left += [each for one in head for each in ast.walk(one) if isinstance(each, ast.NamedExpr)]
                continue
            case ast.Lambda():
                left += [each for each in ast.walk(node.args) if isinstance(each, ast.NamedExpr)]
                continue
            case ast.Import() | ast.ImportFrom():
                yield from ((one.bound, True) for one in _imports(node) if one.bound is not None)
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name, False
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, False
            case ast.MatchMapping(rest=str(name)):
                yield name, False
        left += list(ast.iter_child_nodes(node))
