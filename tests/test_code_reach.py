"""Which code an entry reaches: the table of imports, what waits for its name and what does not, and what falls back."""

from __future__ import annotations

from textwrap import dedent

import pytest
from fakes import MemoryFiles

from mlbuild.code import reader
from mlbuild.code.module import Module
from mlbuild.code.reach import Entry, Reached, changes, reach
from mlbuild.code.sources import Sources

# ruff: noqa: E501 (the texts are what they are)


def reached(files: dict[str, str], entry: Entry | None = None) -> Reached:
    return reach(entry or Entry("main.py"), Sources(MemoryFiles({path: dedent(text) for path, text in files.items()})))


def names(found: Reached) -> list[str]:
    """The parts but those that say only how they hang together."""
    return [name for name in sorted(found.parts) if not name.endswith(("the order of its definitions", "imports find"))]


def definitions(found: Reached) -> list[str]:
    return [name for name in names(found) if not name.endswith("what runs at import")]


def said(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [name for name, _, _ in changes(reached(before).parts, reached(after).parts)]


# --- imports

F = "def f(): return 1\ndef unreached(): return 2\n"


@pytest.mark.parametrize(
    ("main", "files", "found"),
    [
        ("import a; a.f()", {"a.py": F}, ["a.py: function f"]),
        ("import a as b; b.f()", {"a.py": F}, ["a.py: function f"]),
        ("from a import f; f()", {"a.py": F}, ["a.py: function f"]),
        ("from a import f as g; g()", {"a.py": F}, ["a.py: function f"]),
        ("from a import f", {"a.py": F}, []),
        ("import p.a; p.a.f()", {"p/__init__.py": "", "p/a.py": F}, ["p/a.py: function f"]),
        ("import p.a as b; b.f()", {"p/__init__.py": "", "p/a.py": F}, ["p/a.py: function f"]),
        ("from p import a; a.f()", {"p/a.py": F}, ["p/a.py: function f"]),
        ("from p.a import f; f()", {"p/a.py": F}, ["p/a.py: function f"]),
        ("import p; p.f()", {"p/__init__.py": "from .a import f", "p/a.py": F}, ["p/a.py: function f"]),
        ("import p; p.f()", {"p/__init__.py": "from . import a\nf = a.f", "p/a.py": F}, ["p/a.py: function f"]),
        ("from p import f; f()", {"p/__init__.py": "from p.a import f", "p/a.py": F}, ["p/a.py: function f"]),
        (
            "from p.q.b import g; g()",
            {"p/q/b.py": "from ..a import f\ndef g(): return f()", "p/a.py": F},
            ["p/a.py: function f", "p/q/b.py: function g"],
        ),
        (
            "from p import b; b.g()",
            {"p/b.py": "from .. import a\ndef g(): return a.f()", "a.py": F},
            ["p/b.py: function g"],
        ),
        ("def g():\n    from a import f\n    return f()\ng()", {"a.py": F}, ["a.py: function f", "main.py: function g"]),
        ("def g():\n    from a import f\n    return f()", {"a.py": F}, []),
        ("try:\n    from a import f\nexcept ImportError:\n    f = None\nf()", {"a.py": F}, ["a.py: function f"]),
        ("if 1:\n    import a\na.f()", {"a.py": F}, ["a.py: function f"]),
        ("import a; a.b.f()", {"a.py": "import b", "b.py": F}, ["b.py: function f"]),
        ("import a; a.x.f()", {"a.py": "import b as x", "b.py": F}, ["b.py: function f"]),
        ("import importlib\nimportlib.import_module('a').f()", {"a.py": F}, ["a.py: function f", "a.py: function unreached"]),
        ("import a; a.g()", {"a.py": "def __getattr__(name): return f\n" + F}, ["a.py: function __getattr__", "a.py: function f"]),
        ("from p import *\nb.f()", {"p/__init__.py": "__all__ = ['b']", "p/b.py": F}, ["p/b.py: function f"]),
        ("class C:\n    from a import f\nC.f()", {"a.py": F}, ["a.py: function f", "main.py: class C"]),
        ("class C:\n    if 1:\n        import a\nC.a.f()", {"a.py": F}, ["a.py: function f", "a.py: function unreached", "main.py: class C"]),
        ("def g():\n    class C:\n        from a import f\n    return C\ng().f()", {"a.py": F}, ["a.py: function f", "main.py: function g"]),
        ("from a import f\nx.query('y > @f')", {"a.py": F}, ["a.py: function f"]),
        ("import json; json.f()", {"json.py": F}, ["json.py: function f"]),
        ("import numpy as np; np.f()", {}, []),
        ("from a import C; C.x.f()", {"a.py": "import b\nclass C:\n    x = b", "b.py": "y = 1"}, ["a.py: class C", "b.py: constant y"]),
    ],
)  # fmt: skip
def test_the_table_of_imports(main: str, files: dict[str, str], found: list[str]) -> None:
    assert definitions(reached({"main.py": main, **files})) == found


def test_packages_around_a_module_run() -> None:
    found = reached({"main.py": "import p.q.a", "p/__init__.py": "x()", "p/q/__init__.py": "y()", "p/q/a.py": "z()"})
    assert [name for name in names(found) if name.startswith("p/")] == [
        "p/__init__.py: what runs at import",
        "p/q/__init__.py: what runs at import",
        "p/q/a.py: what runs at import",
    ]


def test_where_modules_are_looked_for() -> None:
    files = {"jobs/main.py": "import a; a.f()", "jobs/a.py": F, "a.py": F, "src/a.py": F, "lib/a.py": F}
    order = ["jobs/a.py", "lib/a.py", "a.py", "src/a.py"]
    while order:
        found = reached(files, Entry("jobs/main.py", search=("lib",)))
        assert definitions(found) == [f"{order[0]}: function f"]
        del files[order.pop(0)]
    assert definitions(reached(files, Entry("jobs/main.py", search=("lib",)))) == []


def test_a_module_run_by_its_name_stands_in_the_workspace() -> None:
    files = {"p/__init__.py": "", "p/a.py": "from .b import f\nf()", "p/b.py": F, "json.py": F}
    assert definitions(reached(files, Entry(module="p.a"))) == ["p/b.py: function f"]
    files["p/a.py"] = "import json\njson.f()"
    assert definitions(reached(files, Entry(module="p.a"))) == ["json.py: function f"]
    # Beside a script in a folder, the library's own module comes before one that only may be on the path.
    assert definitions(reached(files, Entry("p/a.py"))) == []


def test_a_package_run_by_its_name() -> None:
    files = {"p/__init__.py": "x()", "p/__main__.py": "from . import a\na.f()", "p/a.py": F}
    assert names(reached(files, Entry(module="p"))) == [
        "p/__init__.py: what runs at import",
        "p/__main__.py: what runs at import",
        "p/a.py: function f",
        "p/a.py: what runs at import",
    ]


def test_the_main_block_counts_in_the_entry_alone() -> None:
    block = 'if __name__ == "__main__":\n    from b import f\n    f()\n'
    files = {"main.py": "import a\n" + block, "a.py": block + "else:\n    y()\n", "b.py": F}
    assert definitions(reached(files)) == ["b.py: function f"]
    assert definitions(reached({**files, "main.py": "import a"})) == []
    assert said(files, {**files, "a.py": block + "else:\n    z()\n"}) == ["a.py: what runs at import"]
    assert said(files, {**files, "a.py": block.replace("f()", "g()") + "else:\n    y()\n"}) == []


def test_a_listed_file_counts_with_everything_in_it() -> None:
    files = {"p/__init__.py": "", "p/a.py": F + "from .b import f\n", "p/b.py": F}
    assert definitions(reached(files, Entry("p/a.py", whole=True))) == [
        "p/a.py: function f",
        "p/a.py: function unreached",
        "p/b.py: function f",
    ]


def test_code_without_a_file_brings_what_it_imports() -> None:
    text = reader.read(b"from a import f\nf()")
    found = reached({"a.py": F}, Entry(text=text))
    assert names(found) == ["a.py: function f", "a.py: what runs at import"]


def test_a_new_file_that_shadows_a_module_counts() -> None:
    files = {"jobs/main.py": "import a; a.f()", "a.py": F}
    before = reached(files, Entry("jobs/main.py"))
    assert reached({**files, "jobs/a.py": F}, Entry("jobs/main.py")).digest != before.digest
    assert reached({**files, "jobs/a/__init__.py": ""}, Entry("jobs/main.py")).digest != before.digest


def test_compiled_modules_and_what_cannot_be_parsed_count_by_their_bytes() -> None:
    files = {"main.py": "import a, b", "a.cpython-311-x86_64-linux-gnu.so": "1", "a.py": F, "b.py": "def f(:\n"}
    found = reached(files)
    assert [name for name in names(found) if ":" not in name] == ["a.cpython-311-x86_64-linux-gnu.so", "b.py"]
    assert said(files, {**files, "b.py": "def f(:  # more\n"}) == ["b.py"]
    assert [(each.path, each.what) for each in found.unfollowed] == [("b.py", "this Python can't parse it")]


def test_imports_in_a_circle_and_a_long_row_of_them() -> None:
    files = {"main.py": "import a; a.f()", "a.py": "import b\n" + F, "b.py": "import a\n" + F}
    assert definitions(reached(files)) == ["a.py: function f"]
    row = {f"m{n}.py": f"from m{n + 1} import *\nfrom m{n + 1} import f" for n in range(400)}
    found = reached({"main.py": "from m0 import f\nf()", **row, "m400.py": F})
    assert definitions(found) == ["m400.py: function f", "m400.py: function unreached"]


# --- what waits for its name


@pytest.mark.parametrize(
    "text",
    [
        "def f(): return 1",
        "async def f(x: int, *, y: list[int] | None = None) -> 'int': return 1",
        "def f(x=1, y=(1, 2), z={'a': -1}, *a, **k): return 1",
        "import functools\n@functools.cache\ndef f(): return 1",
        "from functools import lru_cache as c\n@c(maxsize=None)\ndef f(): return 1",
        "import contextlib\n@contextlib.contextmanager\ndef f(): yield 1",
        "import torch\n@torch.no_grad()\ndef f(): return 1",
        "f = 1",
        "f: int = 60 * 60 * 24",
        "f = {'a': [1, 2.5, None], 'b': (True, -1)}",
        "g = 1\nf = g",
        "f = lambda x: g(x)",
        "f = frozenset({'a', 'b'})",
        "class f: pass",
        "class f:\n    'doc'\n    x = 1\n    y: int\n    def m(self, a=1): return self.x",
        "class f(Exception): pass",
        "import abc\nclass f(abc.ABC):\n    @abc.abstractmethod\n    def m(self): ...",
        "from torch import nn\nclass f(nn.Module):\n    def forward(self, x): return x",
        "class f:\n    @property\n    def p(self): return 1\n    @p.setter\n    def p(self, v): pass",
        "class f:\n    @staticmethod\n    def m(): return 1\n    @classmethod\n    def n(cls): return 1",
        "class g: pass\nclass f(g): pass",
    ],
)
def test_waits_for_its_name(text: str) -> None:
    files = {"main.py": "import a", "a.py": text}
    assert [name for name in definitions(reached(files)) if name.endswith(" f")] == []
    assert [name for name in definitions(reached({**files, "main.py": "import a\na.f"})) if name.endswith(" f")]


@pytest.mark.parametrize(
    "text",
    [
        "@register\ndef f(): return 1",
        "import functools\nfunctools = g\n@functools.cache\ndef f(): return 1",
        "def property(x): return x\n@property\ndef f(): return 1",
        "from z import *\n@property\ndef f(): return 1",
        "import abc\n@abc.abstractmethod\n@property\ndef f(self): return 1",
        "@register\nclass f: pass",
        "class f(metaclass=M): pass",
        "class f(dict): pass",
        "import enum\nclass f(enum.Enum):\n    A = 1",
        "class f:\n    x = g()",
        "class f:\n    x = y",
        "class f:\n    __slots__ = 5",
        "class f:\n    for x in y: pass",
        "class f:\n    def __init_subclass__(cls): g(cls)",
        "class f:\n    def p(self): return 1\n    @p.setter\n    def p(self, v): pass",
        "class g:\n    def __init_subclass__(cls): h(cls)\nclass f(g): pass",
        "def g(): return 1\nclass f(g): pass",
        "class f(Later): pass\nclass Later: pass",
        "def __getattr__(name): return 1",
    ],
)
def test_counts_at_import(text: str) -> None:
    found = definitions(reached({"main.py": "import a", "a.py": text}))
    assert [name for name in found if name.split()[-1] in ("f", "__getattr__")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(x=g()): return 1", "def f(x=h()): return 1"),
        ("def f(x=g): return 1\ng = 1", "g = 1\ndef f(x=g): return 1"),
        ("def f(x: np.a): return 1", "def f(x: np.b): return 1"),
        ("f = 1 / 0", "f = 1 / 1"),
        ("f = {[]: 1}", "f = {(): 1}"),
        ("import functools\n@functools.lru_cache(g())\ndef f(): return 1", "import functools\n@functools.lru_cache(1)\ndef f(): return 1"),
        ("import dataclasses\n@dataclasses.dataclass\nclass f:\n    x: int", "import dataclasses\n@dataclasses.dataclass\nclass f:\n    y: int"),
    ],
)  # fmt: skip
def test_a_head_that_may_fail_counts_at_import(before: str, after: str) -> None:
    one, other = (reached({"main.py": "import a", "a.py": text}).digest for text in (before, after))
    assert one != other


def test_where_a_definition_stands_among_what_runs_counts() -> None:
    before, after = ("f = 1\nprint(g)\n", "print(g)\nf = 1\n")
    files = {"main.py": "import a\na.f"}
    assert said({**files, "a.py": before}, {**files, "a.py": after}) == ["a.py: the order of its definitions"]
    assert said({"main.py": "import a", "a.py": before}, {"main.py": "import a", "a.py": after}) == []


def test_a_body_waits_although_its_head_does_not() -> None:
    main = {"main.py": "import a"}
    before = {**main, "a.py": "def f(x=g()): return 1"}
    assert said(before, {**main, "a.py": "def f(x=g()): return 2"}) == []
    data = "import dataclasses\n@dataclasses.dataclass\nclass f:\n    x: int\n    def m(self): return "
    assert said({**main, "a.py": data + "1"}, {**main, "a.py": data + "2"}) == []


def test_a_reached_class_brings_its_methods() -> None:
    text = "from z import g\nclass C:\n    x = 1\n    def m(self): return 1\n    def n(self): return helper()\ndef helper(): return g()\n"
    files = {"main.py": "from a import C\nC().m()", "a.py": text}
    assert definitions(reached(files)) == [
        "a.py: class C",
        "a.py: function helper",
        "a.py: method C.m",
        "a.py: method C.n",
    ]
    assert said(files, {**files, "a.py": text.replace("return 1", "return 2")}) == ["a.py: method C.m"]
    assert said(files, {**files, "a.py": text.replace("x = 1", "x = 2")}) == ["a.py: class C"]


def test_an_import_asks_whether_a_name_is_there() -> None:
    files = {"main.py": "try:\n    from a import f\nexcept ImportError:\n    print('none')", "a.py": F}
    assert said(files, {**files, "a.py": F.replace("def f", "def g")}) == ["main.py: what its imports find"]
    assert said(files, {**files, "a.py": F.replace("return 1", "return 3")}) == []


def test_all_bindings_of_a_name_count_together() -> None:
    files = {"main.py": "import a\na.f()", "a.py": "def f(): return 1\ndef f(): return 2\n"}
    assert said(files, {**files, "a.py": "def f(): return 2\ndef f(): return 1\n"}) == ["a.py: function f"]


def test_what_is_assigned_from_outside_counts_as_a_whole() -> None:
    files = {"main.py": "import a\na.x = 1", "a.py": F}
    assert definitions(reached(files)) == ["a.py: function f", "a.py: function unreached"]


# --- what falls back


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("globals()", "`globals`"),
        ("getattr(x, name)", "`getattr`"),
        ("x = vars()", "`vars`"),
        ("eval('1')", "`eval`"),
        ("import sys; sys.modules['a']", "`sys.modules`"),
        ("import importlib; importlib.import_module(name)", "`importlib.import_module`"),
        ("__import__(name)", "`__import__`"),
        ("g.__globals__", "`.__globals__`"),
        ("import pickle; pickle.load(x)", "`pickle.load`"),
        ("from pickle import loads as l; l(x)", "`pickle.loads`"),
        ("import torch; torch.load(x)", "`torch.load`"),
        ("import joblib; joblib.load(x)", "`joblib.load`"),
        ("import pandas as pd; pd.read_pickle(x)", "`pandas.read_pickle`"),
        ("import numpy as np; np.load(x, allow_pickle=True)", "`allow_pickle`"),
        ("import inspect; inspect.stack()", "`inspect.stack`"),
        ("import os; os.sys.modules['a']", "`os.sys.modules`"),
        ("import __main__", "`__main__`"),
        ("from __main__ import f", "`__main__`"),
        ("import gc", None),
        ("import inspect; inspect.signature(x)", None),
        ("import pickle; pickle.dump(x)", None),
        ("getattr(x, 'name')", None),
        ("from b import *", "`from b import *`"),
        ("import yaml; yaml.unsafe_load(x)", "`yaml.unsafe_load`"),
        ("from yaml import Loader as L; L", "`yaml.Loader`"),
        ("import yaml; yaml.load(x, yaml.SafeLoader)", None),
        ("import timeit; timeit.timeit('f()')", "`timeit.timeit`"),
        ("import timeit; timeit.default_timer()", None),
        ("import cProfile; cProfile.run('f()')", "`cProfile.run`"),
        ("x.query(y)", "`.query`"),
        ("x.query(expr=y)", "`.query`"),
        ("x.query('a > 1')", None),
        ("x.eval()", None),
        ("__getattr__ = x(__name__)", "`__getattr__`"),
        ("class C:\n    __getattr__ = x", None),
    ],
)
def test_what_falls_back_to_the_whole_module(line: str, why: str | None) -> None:
    found = reached({"main.py": "import a", "a.py": F + "\n\n" + line, "b.py": ""})
    reasons = [(each.why, each.path, each.line) for each in found.whole if each.file == "a.py"]
    assert reasons == ([] if why is None else [(why, "a.py", 5)])
    assert ("a.py: function unreached" in found.parts) == (why is not None)


def test_a_module_that_is_run_by_name_counts_with_its_main_block() -> None:
    main = "import a, runpy\nrunpy.run_module('a', run_name='__main__')\n"
    block = 'if __name__ == "__main__":\n    print({})\n'
    files = [{"main.py": main, "a.py": block.format(number)} for number in (1, 2)]
    assert reached(files[0]).digest != reached(files[1]).digest


def test_unpickling_reaches_every_module() -> None:
    files = {"main.py": "import a, pickle\npickle.load(open('x'))", "a.py": F}
    found = reached(files)
    assert definitions(found) == ["a.py: function f", "a.py: function unreached"]
    assert [(each.file, each.why, each.path, each.line) for each in found.whole] == [
        ("main.py", "`pickle.load`", "main.py", 2),
        ("a.py", "`pickle.load`", "main.py", 2),
    ]


def test_what_nothing_reaches_falls_back_to_nothing() -> None:
    assert reached({"main.py": "import a", "a.py": "def f(): return eval('1')\n" + F}).whole == ()


def test_a_module_that_is_handed_on_counts_as_a_whole_with_what_it_imports() -> None:
    files = {"main.py": "import a\nprint(a)", "a.py": "from b import f\nimport c", "b.py": F, "c.py": F}
    assert definitions(reached(files)) == ["b.py: function f", "c.py: function f", "c.py: function unreached"]


def test_comments_count_for_who_reads_the_text() -> None:
    files = {"main.py": "import a, inspect\nprint(inspect.getsource(a.f))", "a.py": F}
    assert said(files, {**files, "a.py": F + "# more\n"}) == ["a.py"]


# --- an edit and what it comes to


@pytest.mark.parametrize(
    "after",
    [
        "# comment\nimport a\nprint( a.f( ) )\n",
        '"""A text."""\nimport a\nprint(a.f())',
        "import a\ndef unreached(): return 1\nprint(a.f())",
    ],
)
def test_what_does_not_count(after: str) -> None:
    before = reached({"main.py": "import a\nprint(a.f())", "a.py": F})
    assert (
        reached({"main.py": after, "a.py": '"""Doc."""\n' + F.replace("return 2", "return 3")}).digest == before.digest
    )


def test_docstrings_count_for_who_names_them() -> None:
    main = "import a, argparse\nargparse.ArgumentParser(description=__doc__)\na.f()"
    files = {"main.py": main, "a.py": "def f():\n    'one'"}
    assert said(files, {**files, "a.py": "def f():\n    'two'"}) == ["a.py: function f"]
    assert said(files, {**files, "main.py": "'a text'\n" + main}) == ["main.py: what runs at import"]


def test_a_constant_two_modules_down() -> None:
    files = {
        "main.py": "from a import f\nprint(f())",
        "a.py": "import b\ndef f(): return b.bins()",
        "b.py": "BINS = [1, 2]\nOTHER = 1\ndef bins(): return BINS",
    }
    assert said(files, {**files, "b.py": files["b.py"].replace("2]", "3]")}) == ["b.py: constant BINS"]
    assert said(files, {**files, "b.py": files["b.py"].replace("OTHER = 1", "OTHER = 2")}) == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import importlib\nimportlib.import_module(name)", "`importlib.import_module`"),
        ("\nfrom .. import x", "`..` goes beyond the top"),
        ("\nimport p.absent", "there is no `p.absent`"),
        ("import sys\nsys.path.insert(0, x)", "`sys.path.insert`"),
    ],
)
def test_imports_that_cannot_be_followed(line: str, what: str) -> None:
    found = reached({"main.py": line, "p/__init__.py": ""})
    assert [(each.path, each.line, each.what) for each in found.unfollowed] == [("main.py", 2, what)]


def test_imports_of_others_are_followed_no_further_and_said_nowhere() -> None:
    assert reached({"main.py": "import numpy.linalg\ntry:\n    import x.y\nexcept ImportError: pass"}).unfollowed == ()


def test_what_is_remembered_of_a_module_is_the_same() -> None:
    text = (
        "import a.b as c\nfrom .x import *\n" + F + "class C(c.D):\n    @property\n    def m(self): return eval('1')\n"
    )
    found = reader.read(text.encode())
    assert found is not None
    assert Module.from_json(found.as_json()) == found
