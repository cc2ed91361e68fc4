"""What a Python file holds, as values that can be kept as JSON. Blind to how they are found out."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import Struct


class Import(Struct, frozen=True):
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


class Dynamic(Struct, frozen=True):
    """Something that reaches code without naming it.

    `reach` is `module`, `everything`, `text` (comments and all) or `path` (where imports find modules)."""

    what: str
    line: int
    reach: str


class Code(Struct, frozen=True):
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


class Runs(Struct, frozen=True):
    """A statement that runs at import.

    Attributes:
        bound: the names that it binds otherwise than by an import.
        main: only in the module that is started, under `if __name__ == "__main__"`.
    """

    code: Code
    bound: tuple[str, ...] = ()
    main: bool = False


class Definition(Struct, frozen=True):
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


class Module(Struct, frozen=True):
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
        rows = [["r" if isinstance(item, Runs) else "d", *_values(item)] for item in self.items]
        return json.dumps([rows, self.assigned, self.shared], default=_values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Module:
        rows, assigned, shared = json.loads(text)
        items = tuple(_runs(*row) if kind == "r" else _definition(*row) for kind, *row in rows)
        return cls(items, tuple(assigned), tuple(Import(*one) for one in shared))


def _values(item: Code | Definition | Dynamic | Import | Runs) -> list[object]:
    return [getattr(item, name) for name in item.__struct_fields__]


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
