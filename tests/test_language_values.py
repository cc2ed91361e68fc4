"""Values: params and their files, lets, overrides, the keys of partitions."""

from __future__ import annotations

import pytest
from pipelinefile import loaded, mistakes

from mlbuild.expression import Key
from mlbuild.target import Calendar, Listed

GROUP = "target all:\n    run: x\n"


def value(text: str, name: str = "x", **files: str) -> object:
    return (
        loaded(text + "\n" + GROUP, files={name.replace("_", "."): body for name, body in files.items()})
        .constants[name]
        .value
    )


def keys(source: str, before: str = "") -> list[tuple[str, object]]:
    partition = loaded(f"{before}\npartition p: {source}\n{GROUP}").partitions["p"]
    assert isinstance(partition.source, Listed)
    return [(key.text, key.value) for key in partition.source.keys]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("[1, 2.5] + ['a']", [1, 2.5, "a"]),
        ('"a{b}c" + "d"', "a2cd"),
        ("-b / 4", -0.5),
        ("table.deep[0].k", "v"),
        ('table["deep"][0]["k"]', "v"),
        ("mean([1, 2, 6]) > 2 and not false", True),
        ("min(3, b) == 2 or 1 / 0 > 1", True),
        ("count(range(2, 5))", 3),
        ("keys(table)", ["deep"]),
        ("512M", 512 << 20),
        ("2 * 30s", 60.0),
        ('"{{b}} {b:04d}"', "{b} 0002"),
    ],
)
def test_let(expression: str, expected: object) -> None:
    assert value(f"let x = {expression}\nparam b = 2\nparam table = {{deep = [{{k = 'v'}}]}}") == expected


YAML = """
no: no
on: yes
date: 2013-01-31
tiny: 1e-3
octal: 0o17
plain: 017
sexagesimal: 1:30
hex: 0xff
big: 1_000
nothing:
tilde: ~
truth: True
inf: -.inf
base: &base {a: 1, b: 2}
derived: {<<: *base, b: 3}
1: one
"""


def test_yaml_is_version_1_2() -> None:
    assert value('params "x.yaml"', x_yaml=YAML) == {
        "no": "no",
        "on": "yes",
        "date": "2013-01-31",
        "tiny": 0.001,
        "octal": 15,
        "plain": 17,
        "sexagesimal": "1:30",
        "hex": 255,
        "big": "1_000",
        "nothing": None,
        "tilde": None,
        "truth": True,
        "inf": float("-inf"),
        "base": {"a": 1, "b": 2},
        "derived": {"a": 1, "b": 3},
        1: "one",
    }


def test_toml_and_json() -> None:
    assert value('params "x.toml"', x_toml="lr = 0.1\nday = 2013-01-31\n[a.b]\nc = [1]\n") == {
        "lr": 0.1,
        "day": "2013-01-31",
        "a": {"b": {"c": [1]}},
    }
    assert value('params "x.json"', x_json='{"lr": 0.1, "a": [null, true]}') == {"lr": 0.1, "a": [None, True]}


def test_an_empty_file_has_no_values() -> None:
    assert value('params "x.yaml"', x_yaml="# nothing\n") == {}


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("x.yaml", "a: [1\nb: }", "x.yaml:2:2: error: this is not YAML: expected ',' or ']', but got ':'"),
        ("x.yaml", "a: 1\na: 2", "x.yaml:2:1: error: this is not YAML: the key a is given twice"),
        ("x.yaml", "- 1", "Pipelinefile:1:8: error: x.yaml holds a list, not a table of values"),
        ("x.yaml", "a: &a [*a]", "Pipelinefile:1:8: error: x.yaml holds a value that contains itself"),
        ("x.yaml", "a: " + "[" * 5000, "Pipelinefile:1:8: error: x.yaml nests too deep"),
        ("x.yaml", "a: !!python/name:os.system x", "x.yaml:1:4: error: this is not YAML: could not determine"),
        ("x.yaml", "? [a]\n: 1", "x.yaml:1:3: error: this is not YAML: found unhashable key"),
        ("x.toml", "a = \n", "x.toml:1:5: error: this is not TOML: Invalid value"),
        ("x.json", '{"a": }', "x.json:1:7: error: this is not JSON: Expecting value"),
        ("x.json", '{"a": 1, "a": 2}', 'Pipelinefile:1:8: error: x.json: the key "a" is given twice'),
        ("x.ini", "", "Pipelinefile:1:8: error: x.ini is no file of values"),
    ],
)
def test_a_file_that_can_not_be_read_is_said_with_its_place(name: str, text: str, error: str) -> None:
    said = mistakes(f'params "{name}" as x\n{GROUP}', files={name: text})
    assert said.startswith(error), said


PARAMS = """
params "params.yaml"
param n = 20
param rate = 0.1
param name = "a"
param flag = true
param limit = null
param sizes = [1, 2]
param memory = 1G
let twice = n * 2
partition day: daily from 2013-01-01
target all:
    params: params.read
    run: echo {twice}
"""
FILE = "train:\n  boosted: {lr: 0.1, layers: [1, 2]}\nread: {a: 1}\n3: x\n"


@pytest.mark.parametrize(
    ("typed", "effective"),
    [
        (("n", "40"), 40),
        (("n", "-1"), -1),
        (("rate", "1"), 1.0),
        (("rate", "1e-3"), 0.001),
        (("name", "3 {x} = "), "3 {x} = "),
        (("name", ""), ""),
        (("flag", "false"), False),
        (("limit", "3"), 3),
        (("limit", '"a"'), "a"),
        (("limit", "null"), None),
        (("sizes", "[3]"), [3]),
        (("memory", "512M"), 512 << 20),
        (("params.train.boosted.lr", "0.5"), 0.5),
        (("params.train.boosted.layers.1", "7"), 7),
        (("params.3", "y"), "y"),
    ],
)
def test_an_override_takes_the_type_of_the_default(typed: tuple[str, str], effective: object) -> None:
    pipeline = loaded(PARAMS, [typed], {"params.yaml": FILE})
    assert pipeline.overrides[typed[0]][0] == effective
    assert type(pipeline.overrides[typed[0]][0]) is type(effective)


def test_an_override_reaches_what_is_worked_out_from_it() -> None:
    pipeline = loaded(PARAMS, [("n", "30"), ("params.train.boosted.lr", "0.5")], {"params.yaml": FILE})
    assert pipeline.constants["twice"].value == 60
    assert pipeline.constants["params"].value["train"]["boosted"] == {"lr": 0.5, "layers": [1, 2]}  # type: ignore[index]
    assert pipeline.overrides == {"n": (30, 20), "params.train.boosted.lr": (0.5, 0.1)}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m", "3", "error: there is no param `m`"),
        ("rat", "3", "error: there is no param `rat`\n  hint: did you mean `rate`?"),
        (
            "params.train.bosted.lr",
            "3",
            "error: there is no param `params.train.bosted.lr`\n  hint: did you mean `boosted`?",
        ),
        (
            "n",
            "1.5",
            "error: `n` is a whole number, and 1.5 is not\n"
            "  hint: its default is a whole number; a default with a point (2.0) takes both",
        ),
        ("n", "x", "error: `n` can't be x: that is no literal"),
        ("n", "", "error: `n` can't be empty: that is no literal"),
        ("n", "1\nparam q = 3", "error: `n` can't be 1\nparam q = 3: that is no literal"),
        ("flag", "yes", "error: `flag` can't be yes: that is no literal"),
        ("day", "2013-01-02", "error: `day` is a partition, not a param\n  hint: write --day 2013-01-02"),
        ("twice", "3", "error: `twice` is a let, which can't be overridden\n  hint: only a `param` can"),
        ("params", "3", "error: `params` is a file of values; override one of them: params.NAME=…"),
        (
            "params.read.a",
            "3",
            "Pipelinefile:13:13: error: `params.read.a` can't be overridden: `all` reads it from the file itself\n"
            "  13 |     params: params.read\n"
            "     |             ^^^^^^^^^^^\n"
            "  hint: change it in the file",
        ),
    ],
)
def test_an_override_that_can_not_be(name: str, text: str, said: str) -> None:
    assert mistakes(PARAMS, [(name, text)], {"params.yaml": FILE}).startswith(said)


def test_keys_are_written_as_in_the_pipelinefile() -> None:
    assert keys("[1e-3, 1e-4, 0.10]") == [("1e-3", 0.001), ("1e-4", 0.0001), ("0.10", 0.1)]
    assert keys("[\"us\", 'e u', -1, true, 2013-01]") == [
        ("us", "us"),
        ("e u", "e u"),
        ("-1", -1),
        ("true", True),
        ("2013-01", "2013-01"),
    ]
    assert keys("range(3)") == [("0", 0), ("1", 1), ("2", 2)]
    assert keys("keys(models)", "param models = {b = 1, a = 2}") == [("b", "b"), ("a", "a")]
    assert keys("[a, '{a}', \"{a}-{b}\"]", "param a = 1\nlet b = 'x'") == [("1", 1), ("{a}", "{a}"), ("1-x", "1-x")]
    assert keys("rates", "param rates = [0.1, 2]") == [("0.1", 0.1), ("2", 2)]


@pytest.mark.parametrize(
    ("source", "calendar"),
    [
        ("daily from 2013-01-01 to 2013-12-31", Calendar("daily", "2013-01-01", "2013-12-31", None)),
        ("weekly from 2013-01-01", Calendar("weekly", "2013-01-01", None, None)),
        ('hourly from start to 2013-01-02 in "UTC"', Calendar("hourly", "2013-01-01T06", "2013-01-02", "UTC")),
        ("monthly from 2013-01 to 2013-03", Calendar("monthly", "2013-01", "2013-03", None)),
    ],
)
def test_calendars(source: str, calendar: Calendar) -> None:
    pipeline = loaded(f"param start = 2013-01-01T06\npartition p: {source}\n{GROUP}")
    assert pipeline.partitions["p"].source == calendar


@pytest.mark.parametrize("date", ["2013-W01-1", "2013-02-30", "20130101XX"])
def test_a_date_that_was_worked_out_is_checked(date: str) -> None:
    assert f"{date} is no date" in mistakes(f"param start = '{date}'\npartition p: daily from start\n{GROUP}")


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "..", "a/../b", ".", "./a"])
def test_a_key_stays_in_its_folder(key: str) -> None:
    assert "can't be a key" in mistakes(f"partition p: ['{key}']\n{GROUP}")


def test_a_key_may_be_any_other_text() -> None:
    hostile = ["a b", 'say "x"', "$(id)", "é", "a/b", "a,b", "[x]", "..a", "-rf", "*", "{y}"]
    assert [text for text, _ in keys("[" + ", ".join(f"'{key}'" for key in hostile) + "]")] == hostile


def test_names_are_shared_over_included_files() -> None:
    pipeline = loaded(
        'include "more"\ntarget a:\n    inputs: b\n',
        files={"more": "param n = 3\ndefault b\ndefaults:\n    timeout: 3s\ntarget b:\n    run: echo {n}\n"},
    )
    assert list(pipeline.targets) == ["a", "b"]
    assert pipeline.default == ("b",)
    assert pipeline.files == ("Pipelinefile", "more")
    assert (pipeline.targets["a"].timeout, pipeline.targets["b"].timeout) == (None, 3.0)


def test_the_main_files_default_counts() -> None:
    more = {"more": "default b\ntarget b:\n    run: x\n"}
    assert loaded('include "more"\ndefault a\ntarget a:\n    run: x\n', files=more).default == ("a",)


@pytest.mark.parametrize(
    ("text", "files", "said"),
    [
        ('include "a"\n', {}, "Pipelinefile:1:9: error: can't read a: it is not there"),
        ('include "a"\n', {"a": 'include "a"'}, "a:1:9: error: a includes itself: a → a"),
        (
            'include "a"\n',
            {"a": 'include "Pipelinefile"'},
            "a:1:9: error: Pipelinefile includes itself: Pipelinefile → a → Pipelinefile",
        ),
        ('include "a"\ninclude "a"\n', {"a": ""}, "Pipelinefile:2:9: error: a is included twice"),
        (
            'include "a"\nparam x = 1\n',
            {"a": "let x = 1"},
            "a:1:5: error: `x` is declared twice: first at Pipelinefile:2:7, as a param",
        ),
        ('include "{x}"\n', {}, "Pipelinefile:1:10: error: the path after `include` is read before any value is known"),
    ],
)
def test_includes_that_are_wrong(text: str, files: dict[str, str], said: str) -> None:
    assert mistakes(text + GROUP, files=files).startswith(said)


def test_a_value_that_failed_is_said_once() -> None:
    text = 'let a = 1 / 0\nlet b = a\ntarget t:\n    outputs: "{a}"\n    run: echo {b} {a}\n'
    assert mistakes(text) == (
        "Pipelinefile:1:13: error: `0` is 0: nothing can be divided by it\n  1 | let a = 1 / 0\n    |             ^"
    )


def test_key_texts_are_what_paths_show() -> None:
    assert str(Key("1e-3", 0.001)) == "1e-3"
