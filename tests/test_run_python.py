"""Recipes in Python: names as objects, what of them counts, and where an error lies."""

from __future__ import annotations

from pipelinefile import mistakes
from workspace import Workspace

PIPELINE = """
    params "params.yaml"
    param epochs = 3
    partition k: ["a", "b,c"]
    partition n: [1e-3, 2]

    target part[k]:
        outputs: "part/{k}.txt"
        run: touch {outputs}

    target t[k, n]:
        inputs: own = part, "one.txt", all = part[k = *], gone = "gone.txt"?
        outputs: main = "t/{k}/{n}.json", "t/{k}/{n}/"
        metrics: "m/{k}/{n}.json"
        resources: memory = 1M * attempt
        run python:
            import json
            seen = [inputs.own, inputs.all, inputs.gone, list(inputs), outputs.main, metrics, k, n, epochs,
                    params.train.lr, params["train"]["names"], target, attempt, resources.memory]
            # {nothing} is interpolated: {k}
            with open(outputs.main, "w") as file:
                json.dump(seen, file)
            with open(metrics, "w") as file:
                file.write("{}")
    default t
"""


def test_names_are_objects(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    workspace.write("params.yaml", "train: {lr: 0.5, names: [x, y]}\nother: 1\n")
    workspace.write("one.txt", "")
    workspace.ok("t[a,1e-3]")
    import json

    assert json.loads(workspace.read("t/a/1e-3.json")) == [
        *("part/a.txt", ["part/a.txt", "part/b,c.txt"], None),
        ["part/a.txt", "one.txt", "part/a.txt", "part/b,c.txt"],
        *("t/a/1e-3.json", "m/a/1e-3.json", "a", 0.001, 3, 0.5, ["x", "y"], "t", 1, 1048576),
    ]


def test_what_occurs_in_it_counts(workspace: Workspace) -> None:
    workspace.pipeline(PIPELINE)
    workspace.write("params.yaml", "train: {lr: 0.5, names: [x, y]}\nother: 1\n")
    workspace.write("one.txt", "")
    goal = "t[a,2]"
    workspace.ok(goal)
    assert workspace.ok(goal).ran == []
    workspace.write("params.yaml", "train: {lr: 0.5, names: [x, y]}\nother: 2\n")
    assert workspace.ok(goal).ran == []
    assert workspace.ok(goal, "params.train.lr=0.25").ran == [goal]
    assert "params.train.lr changed from 0.25 to 0.5" in workspace.run("explain", goal).out
    workspace.pipeline(PIPELINE.replace("import json", "import json  # changed"))
    assert workspace.ok(goal).ran == [goal]


def test_a_module_that_it_imports_counts(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run python: from lib import make; make.it(outputs)\n')
    workspace.write("lib/make.py", "def it(path): open(path, 'w').write('1')\n")
    workspace.ok()
    workspace.write("lib/make.py", "def it(path): open(path, 'w').write('2')\n")
    assert workspace.ok().ran == ["t"]
    assert workspace.read("t.txt") == "2"


def test_a_traceback_names_the_line_of_the_pipelinefile(workspace: Workspace) -> None:
    workspace.pipeline(
        'target t:\n    outputs: "t.txt"\n    run python:\n        x = 1\n\n        raise ValueError("went wrong")\n'
    )
    ended = workspace.build()
    assert ended.status == 1
    assert 'File "Pipelinefile", line 6, in <module>\n    |     raise ValueError("went wrong")' in ended.out
    assert "    $ x = 1\n" in ended.out


def test_what_is_no_python_is_an_error_with_its_place() -> None:
    assert mistakes('target t:\n    outputs: "t"\n    run python:\n        x = 1\n        if x\n            y\n') == (
        "Pipelinefile:5:13: error: this is no Python: expected ':'\n  5 |         if x\n    |             ^"
    )
