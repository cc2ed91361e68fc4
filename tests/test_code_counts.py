"""Code counts by its meaning: an edit reruns what it means and no more, and is told by definition."""

from __future__ import annotations

import json
import re
from textwrap import dedent

import pytest
from workspace import Workspace

MODEL = """
    '''What is learned.'''
    BINS = [1, 2, 3]


    def delay_bins():
        '''Where bins end.'''
        return BINS


    def unreached():
        return 1
"""
SCRIPT = """
    import sys
    from lib.model import delay_bins

    open(sys.argv[1], "w").write(str(delay_bins()))
"""
PIPELINE = """
    default one, two

    target one:
        outputs: "one.txt"
        run: python jobs/one.py {outputs}

    target two:
        outputs: "two.txt"
        run: PYTHONPATH=. python jobs/two.py {outputs}
"""


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE.replace("run: python", "run: PYTHONPATH=. python"))
    workspace.write("lib/model.py", MODEL)
    workspace.write("jobs/one.py", SCRIPT)
    workspace.write("jobs/two.py", 'import sys\nimport lib.model\nopen(sys.argv[1], "w").write("2")\n')
    assert workspace.ok().ran == ["one", "two"]
    assert workspace.ok().ran == []
    return workspace


def explained(workspace: Workspace) -> list[str]:
    """What `explain` says, but for since when."""
    return re.sub(r" since run \d+", "", workspace.run("explain", "one", "two").out).splitlines()


def edit(workspace: Workspace, old: str, new: str, path: str = "lib/model.py") -> None:
    text = workspace.read(path)
    assert old in text
    (workspace.root / path).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BINS = [1, 2, 3]", "BINS = [1,\n    2, 3]  # minutes"),
        ("'''Where bins end.'''", "'''Where they begin.'''"),
        ("'''What is learned.'''", ""),
        ("return 1", "return 2"),
        ("def unreached", "def another"),
    ],
)
def test_an_edit_without_meaning_reruns_nothing(built: Workspace, old: str, new: str) -> None:
    edit(built, old, new)
    assert built.ok().ran == []


def test_an_edit_reruns_what_reaches_it_and_is_told_by_definition(built: Workspace) -> None:
    edit(built, "[1, 2, 3]", "[1, 2, 4]")
    one, why, two = explained(built)
    assert (one, why) == ("one would run:", "  code lib/model.py: constant BINS changed")
    assert two.startswith("two is fresh")
    assert built.run("-n").out.splitlines()[0] == "run     one: code lib/model.py: constant BINS changed"
    assert built.ok().ran == ["one"]
    edit(built, "return BINS", "return BINS[::-1]")
    assert built.ok().ran == ["one"]
    edit(built, "return BINS[::-1]", "return BINS")
    assert built.ok().restored == ["one"]


def test_a_new_definition_and_a_new_file(built: Workspace) -> None:
    edit(built, "def delay_bins", "def more():\n    return 0\n\n\ndef delay_bins")
    edit(built, "return BINS", "return BINS[more():]")
    assert explained(built)[:2] == [
        "one would run:",
        "  code lib/model.py: function delay_bins changed and function more is new",
    ]
    built.write("jobs/lib/model.py", "BINS = [1]\ndef delay_bins():\n    return BINS\n")
    built.write("jobs/lib/__init__.py", "")
    assert built.ok().ran == ["one", "two"]
    assert built.read("one.txt") == "[1]"


def test_what_runs_at_import_counts_for_all_who_import(built: Workspace) -> None:
    edit(built, "BINS = [1, 2, 3]", "BINS = [1, 2, 3]\nprint('loaded')")
    assert explained(built)[:2] == ["one would run:", "  code lib/model.py: what runs at import changed"]
    assert built.ok().ran == ["one", "two"]


def test_a_module_run_by_name_and_a_recipe_in_python(workspace: Workspace) -> None:
    workspace.pipeline("""
        target one:
            outputs: "one.txt"
            run: python -m lib.main {outputs}

        target two:
            outputs: "two.txt"
            run python:
                from lib import helper
                open(outputs, "w").write(str(helper.f()))

        default one, two
    """)
    workspace.write("lib/helper.py", "def f(): return 1\ndef g(): return 2\n")
    workspace.write("lib/main.py", 'import sys\nfrom . import helper\nopen(sys.argv[1], "w").write(str(helper.g()))\n')
    assert workspace.ok().ran == ["one", "two"]
    edit(workspace, "return 1", "return 3", "lib/helper.py")
    assert workspace.ok().ran == ["two"]
    edit(workspace, "return 2", "return 4", "lib/helper.py")
    assert workspace.ok().ran == ["one"]


def test_configuration_named_as_code_counts_by_its_values(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: cat c.json c.yaml c.toml c.sh > {outputs}\n')
    workspace.write("c.json", '{"a": 1, "b": [1, 2]}')
    workspace.write("c.yaml", "a: 1\nb: no\n")
    workspace.write("c.toml", "a = 1\nb = 2\n")
    workspace.write("c.sh", "echo\n")
    assert workspace.ok().ran == ["t"]
    workspace.write("c.json", '{"b": [1,2],\n "a": 1}')
    workspace.write("c.yaml", "# said\nb: no\na:   1\n")
    workspace.write("c.toml", "b = 2 # said\na = 1\n")
    assert workspace.ok().ran == []
    for path, text in (
        ("c.json", '{"b": [2,1], "a": 1}'),
        ("c.json", '{"b": [2,1], "a": 1.0}'),
        ("c.json", '{"b": [2,1], "a": '),
        ("c.yaml", 'a: 1\nb: "no"\n'),
        ("c.toml", 'a = "1"\nb = 2\n'),
        ("c.sh", "echo  # said\n"),
    ):
        workspace.write(path, text)
        assert workspace.ok().ran == ["t"], path


def test_a_script_that_something_else_than_python_runs_counts_whole(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: cat tests.py > {outputs}\n')
    workspace.write("tests.py", "def test_it(): return 1\n")
    assert workspace.ok().ran == ["t"]
    workspace.write("tests.py", "def test_it(): return 2\n")
    assert workspace.ok().ran == ["t"]


def test_an_imported_module_that_changes_meanwhile_is_noticed(workspace: Workspace) -> None:
    """What ran with half of the old code and half of the new is no result."""
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: python one.py {outputs}\n')
    workspace.write("lib.py", "def f(): return 1\n")
    workspace.write(
        "one.py",
        """
        import sys
        from lib import f
        if f() == 1:
            open("lib.py", "w").write("def f(): return 22\\n")
        open(sys.argv[1], "w").write(str(f()))
        """,
    )
    workspace.ok()
    assert workspace.read("t.txt") == "22"
    assert workspace.ok().ran == []


def test_what_reaches_code_without_naming_it_is_said(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target a:
            outputs: "a.txt"
            run: python a.py > {outputs}

        target b:
            outputs: "b.txt"
            run python:
                import importlib
                open(outputs, "w").write(importlib.import_module(target + "_module").TEXT)
        """
    )
    workspace.write(
        "a.py", "import importlib, sys\nimport helper\n\nif sys.argv[1:]:\n    importlib.import_module(sys.argv[1])\n"
    )
    workspace.write("helper.py", "def f():\n    return 1\n")
    workspace.write("b_module.py", "TEXT = 'b'\n")
    checked = workspace.run("check")
    assert checked.status == 0
    assert checked.out == "2 targets, 0 partitions: no mistake found, 2 doubts\n"
    assert checked.err == dedent(
        """\
        Pipelinefile:9:9: doubtful: this import can't be followed: `importlib.import_module`
          9 |         open(outputs, "w").write(importlib.import_module(target + "_module").TEXT)
            |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          hint: name the files that it brings in `code:`

        a.py:5:5: doubtful: this import can't be followed: `importlib.import_module`
          5 |     importlib.import_module(sys.argv[1])
            |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          hint: name the files that it brings in `code:`

        """
    )
    explained = workspace.run("explain", "a")
    assert explained.out == dedent(
        """\
        a would run:
          it was never built here
        all of a.py counts, called or not: `importlib.import_module` (line 5) may reach any of it
        all of helper.py counts, called or not: `importlib.import_module` (a.py, line 5) may reach any of it
        """
    )
    rows = json.loads(workspace.run("explain", "a", "--json").out)["whole"]
    assert rows == [
        {"file": "a.py", "why": "`importlib.import_module`", "path": "a.py", "line": 5},
        {"file": "helper.py", "why": "`importlib.import_module`", "path": "a.py", "line": 5},
    ]
