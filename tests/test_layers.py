"""The arrows between the modules point one way, and each third-party package is used in its one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "mlbuild"

LAYERS = [
    "stage",
    "errors",
    "collect",
    "killpoint",
    "observe",
    "digest",
    "files",
    "values",
    "code",
    "config",
    "expression",
    "template",
    "target",
    "language",
    "graph",
    "executors",
    "state",
    "engine",
    "ui",
    "app",
    "cli",
]
"""From what knows nothing of the others to what knows all; `__init__` gives out the library, `__main__` the command."""

FORBIDDEN = {
    "graph": {"language", "executors", "state"},
    "executors": {"language", "graph", "state", "expression", "template", "target"},
    "state": {"language", "executors", "graph", "expression", "template", "target"},
}
"""What a layer may not use although it stands above it."""

PACKAGES = {
    "lark": {"language/parser.py"},
    "rich": {"ui/live.py", "ui/picture.py"},
    "xxhash": {"digest.py"},
    "yaml": {"code/data.py", "language/parameters.py", "engine/scope.py"},
    "fsspec": {"files.py"},
    "aiohttp": {"files.py"},
    "pynvml": {"executors/nvidia.py"},
    "pyarrow": {"engine/scope.py"},
    "sitecustomize": {"observe/sitecustomize.py"},
}
"""Where each package may be used; no other but msgspec, of whose Struct values are made, may be used."""

DATACLASSES = {"errors.py", "executors"}
"""Where values are dataclasses: what runs on whatever node, and what every command loads."""

STANDARD_ONLY = {
    "executors/attempt.py",
    "executors/checkpoints.py",
    "executors/directory.py",
    "executors/folder.py",
    "executors/lineage.py",
    "executors/node.py",
    "executors/observed.py",
    "executors/oom.py",
    "executors/saves.py",
    "executors/silence.py",
    "executors/stacks.py",
    "executors/watch.py",
    "observe/sitecustomize.py",
    "stage.py",
}
"""Runs on whatever node: beside the standard library it uses `digest`, `killpoint` and its own folder only."""

FILES = sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it: deferred and TYPE_CHECKING imports count."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where an arrow goes"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def own_layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_from_above(path: Path) -> None:
    own = own_layer(path)
    if own in ("__init__", "__main__"):
        return
    for module in imported(path):
        if module.split(".")[0] != "mlbuild" or module == "mlbuild.__version__":
            continue
        other = layer(module)
        assert LAYERS.index(other) <= LAYERS.index(own), f"{own} may not import {module}"
        assert other not in FORBIDDEN.get(own, set()), f"{own} may not import {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_packages_are_used_in_their_place(path: Path) -> None:
    import sys

    relative = str(path.relative_to(ROOT))
    for module in imported(path):
        package = module.split(".")[0]
        if package == "msgspec" or module == "dataclasses.dataclass":
            by_standard = not DATACLASSES.isdisjoint({own_layer(path), relative})
            assert by_standard == (package == "dataclasses"), f"{relative} may not import {module}"
        elif package != "mlbuild" and package not in sys.stdlib_module_names:
            assert relative in PACKAGES.get(package, set()), f"{relative} may not import {package}"


def test_no_module_is_in_an_import_cycle() -> None:
    modules = {".".join(["mlbuild", *path.relative_to(ROOT).with_suffix("").parts]): path for path in FILES}
    arrows: dict[str, set[str]] = {}
    for name, path in modules.items():
        found = {
            known for module in imported(path) for known in (module, module.rpartition(".")[0]) if known in modules
        }
        arrows[name] = found - {name}
    done: set[str] = set()
    for start in arrows:
        path_to: list[str] = []

        def visit(module: str, trail: list[str]) -> None:
            assert module not in trail, f"import cycle: {' → '.join([*trail, module])}"
            if module not in done:
                for other in sorted(arrows[module]):
                    visit(other, [*trail, module])
                done.add(module)

        visit(start, path_to)


def test_what_runs_on_nodes_needs_only_the_standard_library() -> None:
    for relative in STANDARD_ONLY:
        ours = {module for module in imported(ROOT / relative) if module.startswith("mlbuild.")}
        assert all(layer(module) in {"digest", "errors", "executors", "killpoint"} for module in ours), ours
