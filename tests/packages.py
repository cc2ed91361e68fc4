"""Small random packages and edits of them, for the law that an edit of what a program does is never missed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

FILES = ("main.py", "a.py", "b.py", "pkg/__init__.py", "pkg/c.py", "pkg/d.py")
"""A file mostly imports those behind it."""
NAMES = ("f", "g", "h")
CONSTANTS = ("K", "L", "REG")
CLASSES = ("C", "D", "E")
MODULES = ("a", "b", "pkg", "pkg.c", "pkg.d")

Package = dict[str, tuple[str, ...]]
"""File → its statements."""


def texts(package: Package) -> dict[str, str]:
    return {path: "".join(f"{statement}\n" for statement in statements) for path, statements in package.items()}


class Writer:
    """Writes random statements of Python for one file."""

    def __init__(self, random: Random, path: str) -> None:
        self.random = random
        self._in_package = path.startswith("pkg/")
        self.modules = MODULES[FILES.index(path) :] if path in FILES else MODULES

    def module(self) -> str:
        """One that can be imported without a circle, but for once in a while."""
        return self.pick(*(self.modules if self.modules and self.random.randrange(20) else MODULES))

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def risk(self, *choices: str) -> list[str]:
        """What may well fail at import, and so hide the rest: seldom any of it."""
        return list(choices) if self.random.randrange(25) == 0 else []

    def number(self) -> int:
        return self.random.randrange(4)

    def name(self) -> str:
        return self.pick(*NAMES, *CONSTANTS, *CLASSES)

    def call(self) -> str:
        function, module = self.pick(*NAMES), self.module()
        plain = (
            f"{function}({self.number()})",
            f"{function}({self.number()})",
            f"{module}.{function}({self.number()})",
            f"{module}.{function}({self.number()})",
            f"{self.pick(*CLASSES)}().m()",
            f"{module}.{self.pick(*CLASSES)}().m()",
            f"{self.pick(*CLASSES)}().p",
            f"x1.{function}()",
            f"{self.pick(*CONSTANTS)}",
            f"{module}.{self.pick(*CONSTANTS)}",
            f"hasattr({module}, '{function}')",
            f"[k.__name__ for k in {self.pick(*CLASSES)}.__mro__]",
            f"{self.pick(*CLASSES)}.z",
            f"{function}.__name__",
            f"REG.get('{function}', f)()",
            "sorted(REG)",
            f"isinstance({self.pick(*CLASSES)}(), {self.pick(*CLASSES)})",
            "len(REG)",
        )
        dynamic = (
            f"getattr({module}, '{function}')()",
            f"getattr({module}, 'f' + '')()",
            f"globals()['{function}']()",
            f"sys.modules['{module}'].{function}()",
            f"vars({module})['{function}']()",
            f"{module}.__dict__['{function}']()",
            f"[k.__name__ for k in {self.pick(*CLASSES)}.__subclasses__()]",
            f"{function}.__doc__",
            f"typing.get_type_hints({function})",
            f"__import__('{module}').{function}()",
            f"importlib.import_module('{module}').{function}()",
            f"eval('{function}()')",
        )
        return self.pick(*(plain if self.random.randrange(40) else dynamic))

    def expression(self) -> str:
        return self.pick(str(self.number()), f"[{self.number()}, {self.call()}]", self.call(), self.call())

    def harmless(self) -> str:
        return self.pick(
            str(self.number()),
            f"'{self.number()}'",
            f"[{self.number()}]",
            "{}",
            "K",
            "L",
            "2 * 3",
            *self.risk(self.name()),
        )

    def imports(self) -> str:
        module, name = self.module(), self.name()
        return self.pick(
            f"import {module}",
            f"import {module} as x1",
            f"from {module} import {name}",
            f"from {module} import {name} as {self.name()}",
            f"from {module} import *",
            f"from pkg import {self.pick('c', 'd')}",
            *(
                (
                    f"from . import {self.pick('c', 'd')}",
                    f"from .{self.pick('c', 'd')} import {name}",
                    f"from .{self.pick('c', 'd')} import *",
                )
                if self._in_package
                else ()
            ),
        )

    def decorator(self) -> str:
        return self.pick(
            *[""] * 16,
            "@functools.cache\n",
            "@functools.lru_cache(maxsize=None)\n",
            *self.risk(f"@{self.pick(*NAMES)}\n"),
            "@REG.append\n",
            f"@REG.setdefault('{self.pick(*NAMES)}', print)\n",
            "@staticmethod\n",
            "@note\n",
        )

    def definition(self, name: str) -> str:
        """What binds a name, mostly without effect."""
        if name in CLASSES:
            return self.klass(name)
        return self.function(name) if name in NAMES else f"{name} = {self.number()}"

    def function(self, name: str) -> str:
        annotation = self.pick(
            "", "", f": {self.pick(*CLASSES)}", f": '{self.pick(*CLASSES)}'", f": {self.pick(*CLASSES)} | None"
        )
        default = self.pick(*[str(self.number())] * 5, self.harmless(), *self.risk(self.expression()))
        body = [
            *([f"'''doc {self.number()}'''"] if self.number() == 0 else []),
            *([self.imports_inside()] if self.number() == 0 else []),
            *([f"global {self.pick(*CONSTANTS)}, K", f"K = {self.number()}"] if self.number() == 0 else []),
            f"return {self.expression()}",
        ]
        return f"{self.decorator()}def {name}(x{annotation} = {default}):\n" + "\n".join(f"    {line}" for line in body)

    def imports_inside(self) -> str:
        found = self.imports()
        return "import a" if "*" in found else found

    def elsewhere(self) -> list[str]:
        return (
            [f"({self.random.choice(self.modules)}.{self.pick(*CLASSES)})"]
            if self.modules[:1] not in ((), ("pkg.c",))
            else []
        )

    def klass(self, name: str) -> str:
        before = [f"({one})" for one in CLASSES if one < name]
        base = self.pick("", "", *before, *before, *self.elsewhere(), "(Exception)")
        decorator = self.pick("", "", "", "@dataclasses.dataclass\n", "@note\n", "@REG.append\n")
        lines = []
        for _ in range(1 + self.number()):
            lines.append(
                self.pick(
                    f"z = {self.number()}",
                    f"z: int = {self.harmless()}",
                    *self.risk(f"z = {self.expression()}"),
                    f"'''doc {self.number()}'''",
                    f"def m(self, x={self.harmless()}): return {self.expression()}",
                    "def m(self): return self.z",
                    f"def n(self): return {self.number()}",
                    "def m(self): return self.n()",
                    f"@property\n    def p(self): return {self.expression()}",
                    f"@classmethod\n    def n(cls): return {self.number()}",
                    f"@note\n    def m(self): return {self.number()}",
                    "def __init_subclass__(cls): REG[cls.__name__] = cls",
                    f"def __init_subclass__(cls): print('made', cls.__name__, {self.harmless()})",
                    "def __set_name__(self, owner, name): print('named', name, owner().m())",
                    f"def __eq__(self, other): return {self.number()} == 0",
                    *self.risk(f"y = {self.pick(*CLASSES)}()"),
                )
            )
        return f"{decorator}class {name}{base}:\n" + "\n".join(f"    {line}" for line in lines)

    def statement(self) -> str:
        kind = self.pick("f", "f", "f", "f", "c", "c", "c", "k", "k", "k", "i", "i", "i", "i", "s", "s", "s", "s")
        match kind:
            case "f":
                return self.function(self.pick(*NAMES))
            case "c":
                return self.klass(self.pick(*CLASSES))
            case "k":
                return f"{self.pick('K', 'K', 'L', 'L', 'REG')} = {self.harmless()}"
            case "i":
                return self.imports()
        written = self.effect()
        if self.random.randrange(20) == 0:
            return written
        inner = written.replace("\n", "\n    ")
        return f"try:\n    {inner}\nexcept Exception as e:\n    print(type(e))"

    def effect(self) -> str:
        """A statement that does more than bind a name."""
        module, name = self.module(), self.name()
        return self.pick(
            f"print({self.expression()})",
            f"print({self.expression()})",
            f"REG['{self.pick(*NAMES)}'] = {self.pick(*NAMES)}",
            f"{self.pick(*CONSTANTS)} = {self.expression()}",
            f"L = {self.pick(*CONSTANTS)}",
            f"try:\n    {self.imports_inside()}\nexcept ImportError as e:\n    print(type(e))",
            f"try:\n    print({self.call()})\nexcept Exception as e:\n    print(type(e))",
            f"if {self.pick(*CONSTANTS)} == {self.number()}:\n    def {self.pick(*NAMES)}(x=1): return {self.call()}",
            f"for {self.pick(*CONSTANTS)} in range({self.number()}): pass",
            f"{module}.{name} = {self.harmless()}",
            f"{module}.{self.pick(*NAMES)} = {self.pick(*NAMES)}",
            f"setattr({module}, 'f', {self.pick(*NAMES)})",
            f"del {name}",
            f"__all__ = ['{self.name()}']",
            f"def __getattr__(name): return {self.number()}",
            f"if __name__ == '__main__':\n    print({self.expression()})",
            f"raise ValueError({self.number()})",
            f"(lambda: {self.expression()})()",
            f"{self.pick(*CONSTANTS)}, L = 1, {self.expression()}",
            "'''a text'''",
        )


START = (
    "import functools, typing, sys, importlib, dataclasses",
    "def note(made):\n    print('note', made.__name__)\n    return made",
    "class Registry(dict):\n    def append(self, made):\n        self[made.__name__] = made\n        return made",
    "REG = Registry()",
)


def package(random: Random) -> Package:
    """A package whose entry is main.py."""
    files: Package = {}
    gaps = random.randrange(8) == 0
    for path in FILES:
        writer = Writer(random, path)
        imports = [f"import {module}" for module in writer.modules if not gaps or random.randrange(6)]
        # Most names are there, so that most programs get somewhere.
        wanted = ["K", "L", *CLASSES, *NAMES]
        defined = [writer.definition(name) for name in wanted if not gaps or random.randrange(9)]
        more = [writer.statement() for _ in range(random.randrange(5))]
        files[path] = (*START, *imports, *defined, *more)
    writer = Writer(random, "main.py")
    shown = [f"try: print({writer.call()})\nexcept Exception as e: print(type(e), e)" for _ in range(6)]
    files["main.py"] += tuple(shown)
    return files


def edited(random: Random, package: Package) -> Package:
    """The package with one edit."""
    path = random.choice(FILES)
    writer = Writer(random, path)
    rows = list(package[path])
    place = random.randrange(2, len(rows))
    match writer.pick("replace", "replace", "again", "again", "insert", "remove", "move", "number", "number", "file"):
        case "replace":
            rows[place] = writer.statement()
        case "again":
            name = writer.pick(*NAMES, "K", "L", *CLASSES)
            marks = (f"def {name}(", f"class {name}(", f"class {name}:", f"{name} = ")
            place = next((at for at, row in enumerate(rows) if any(mark in row for mark in marks)), place)
            rows[place] = writer.definition(name)
        case "insert":
            rows.insert(place, writer.statement())
        case "remove":
            del rows[place]
        case "move":
            rows.insert(random.randrange(len(rows)), rows.pop(place))
        case "number":
            rows[place] = rows[place].replace(str(writer.number()), str(writer.number()))
        case "file":
            fresh = writer.pick("typing.py", "functools.py", "pkg.py", "a/__init__.py", "pkg/a.py", "dataclasses.py")
            return package | {fresh: (*START[1:], writer.statement())}
    return package | {path: tuple(rows)}


SERVER = """
import io, json, os, runpy, sys
import functools, typing, importlib, dataclasses, traceback
for line in sys.stdin:
    folder, out = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.path[0] = folder
        sys.dont_write_bytecode = True
        for name in ("typing.py", "functools.py", "dataclasses.py"):
            if os.path.exists(name):
                del sys.modules[name[:-3]]
        file = open(out, "w")
        sys.stdout = sys.stderr = file
        sys.setrecursionlimit(150)
        try:
            runpy.run_path("main.py", run_name="__main__")
        except BaseException as error:
            print("ended by", type(error), error)
        file.flush()
        os._exit(0)
    os.waitpid(child, 0)
    print("done", flush=True)
"""


class Runner:
    """Runs packages, each in a process of its own that is forked off a warm one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def output(self, package: Package) -> str:
        """What running main.py prints; how it fails is part of that."""
        self._count += 1
        folder = self._folder / f"p{self._count}" / "w"
        for path, text in texts(package).items():
            full = folder / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text)
        out = folder.parent / "out"
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps([os.fspath(folder), os.fspath(out)]) + "\n")
        self._server.stdin.flush()
        assert self._server.stdout.readline() == "done\n"
        return out.read_text(errors="replace").replace(os.fspath(folder.parent), "").replace("0x", "")

    def close(self) -> None:
        assert self._server.stdin
        self._server.stdin.close()
        self._server.wait()
