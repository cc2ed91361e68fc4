"""What a recipe uses: the words that could be files, the params that count."""

from __future__ import annotations

import pytest
from test_quoting import Values, recipe

from mlbuild.expression import Key
from mlbuild.language import names_used, params_used, words

VALUES = Values(day=Key("2013-01-01", "2013-01-01"), lr=0.1, params={"a b": {"c": 3}, "script": "src/a b.py"})


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("python a.py", ["python", "a.py"]),
        ("python ./src//a.py", ["python", "src/a.py"]),
        ("cat 'my file.txt' \"b.txt\"", ["cat", "my file.txt", "my", "file.txt", "b.txt"]),
        ("bash -c 'python x.py; y'", ["bash", "python x.py; y", "python", "x.py", "y"]),
        ('v="$(python a.py)"', ["v=$(python a.py)", "$(python a.py)", "$", "python", "a.py"]),
        ("x --config=conf/a.yaml A=b.txt", ["x", "conf/a.yaml", "A=b.txt", "b.txt"]),
        ("cat <a.txt|sort>b.txt;c.sh&&d.sh", ["cat", "a.txt", "sort", "c.sh", "d.sh"]),
        ("# don't a.py\nb.py", ["#", "dont", "a.py", "b.py"]),
        ("a {inputs} --o={outputs.x} c{inputs}.py", ["a"]),
        ("cat {params.script}", ["cat", "src/a b.py"]),
        ("cat conf/{day}.yaml", ["cat", "conf/2013-01-01.yaml"]),
        ("python \\\n  a.py", ["python", "a.py"]),
        ('python $PWD/a.py "$(pwd)"/b.py ${PWD}/c.py $PWDS/d.py', ["python", "a.py", "b.py", "c.py", "$PWDS/d.py"]),
    ],
)
def test_paths(body: str, paths: list[str]) -> None:
    assert list(words(recipe(body), VALUES).paths) == paths


def test_modules() -> None:
    found = words(recipe("torchrun -n 2 -m src.train\nuv run python -m tools -m {inputs} -m 3"), VALUES)
    assert found.modules == ("src.train", "tools")


@pytest.mark.parametrize(
    ("given", "search"),
    [
        ("lib:$PYTHONPATH", ("lib",)),
        ("$PWD", (".",)),
        ('"$PWD/lib:${PWD}/a"', ("./lib", "./a")),
        ("$(pwd)/lib", ("./lib",)),
        ('"`pwd`:$HOME/lib"', (".",)),
    ],
)
def test_where_a_recipe_says_that_modules_are(given: str, search: tuple[str, ...]) -> None:
    assert words(recipe(f"export PYTHONPATH={given}\npython a.py"), VALUES).search == search


def test_words_vary_where_a_key_stands_in_them() -> None:
    assert words(recipe("a {day}.py"), VALUES).varies
    assert not words(recipe("a {lr}.py {inputs}"), VALUES).varies


def test_params_that_count() -> None:
    text = recipe("{lr:.3f} {params['a b'].c} {params.train[model].lr} {inputs.x} {day} {target} {lr}")
    assert list(params_used(text)) == ["lr", "params['a b'].c", "params.train[model].lr", "day"]
    assert names_used(text) == {"lr", "params", "model", "inputs", "day", "target"}
