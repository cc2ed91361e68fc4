"""Words on the command line: overrides against paths, and options that name a partition."""

from __future__ import annotations

import pytest
from workspace import Workspace, names

from mlbuild.cli.commands import COMMANDS

# ruff: noqa: E501 (the texts are what they are)

PIPELINE = """
    param lr = 1
    partition day: daily from 2013-01-01 to 2013-01-04
    partition region: ["us", "eu"]
    partition key: ["a"]

    target raw[day]:
        outputs: "dt={day}/raw"
        run: touch {outputs}

    target t[day, region]:
        inputs: raw
        outputs: "r/{region}={day}"
        run: echo {lr} > {outputs}

    target all:
        inputs: t[*]
        outputs: "all"
        run: touch all

    target odd[key]:
        outputs: "odd/{key}"
        run: touch {outputs}

    target logs:
        run: true

    default t
"""


@pytest.fixture
def built(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE)
    (workspace.root / "odd").mkdir()
    return workspace


def test_a_path_that_a_target_makes_is_no_override(built: Workspace) -> None:
    assert built.ok("dt=2013-01-01/raw", "lr=2").ran == ["raw[2013-01-01]"]
    assert built.ok("r/us=2013-01-01", "lr=2").ran == ["t[2013-01-01,us]"]
    assert built.read("r/us=2013-01-01") == "2\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dt=2013-01-09/raw"], "error: there is no param `dt`\n"),
        (["lrr=3"], "error: there is no param `lrr`\n  hint: did you mean `lr`?\n"),
        (["region=us"], "error: `region` is a partition, not a param\n  hint: write --region us\n"),
        (["--dya", "2013-01-01"], "error: there is no option or partition `dya`\n  hint: did you mean --day?\n"),
        (["--day", "2013-02-01"], "error: --day 2013-02-01: `day` has no key 2013-02-01 (its keys: 2013-01-01, 2013-01-02, 2013-01-03, 2013-01-04)\n  hint: did you mean 2013-01-01?\n"),
        (["all", "--region", "us"], "error: none of the goals has the partition `region`\n"),
        (["--day"], "error: --day: no keys are given\n  hint: `mlbuild --help` lists the options\n"),
        (["--region", 'eu,"us'], 'error: --region eu,"us: "us is not one JSON string\n  hint: as in "a,b"\n'),
        (['t["\\q"]'], 'error: t["\\q"]: "\\q" is not one JSON string\n  hint: as in "a,b"\n'),
        (["t[regoin=us]"], "error: t[regoin=us]: `t` has no partition `regoin`\n  hint: its partitions: day, region\n"),
        (["raw[2013-01-03..2013-01-01]"], "error: raw[2013-01-03..2013-01-01]: no key of `day` lies in 2013-01-03..2013-01-01 (its keys: 2013-01-01, 2013-01-02, 2013-01-03, 2013-01-04)\n"),
        (["raw", "--day", "2014-01-01..2014-02-01"], "error: --day 2014-01-01..2014-02-01: no key of `day` lies in 2014-01-01..2014-02-01 (its keys: 2013-01-01, 2013-01-02, 2013-01-03, 2013-01-04)\n"),
        (["--dryrun"], "error: there is no option --dryrun\n  hint: did you mean --dry-run?\n"),
        (["--dryrun", "all"], "error: there is no option or partition `dryrun`\n  hint: did you mean --dry-run?\n"),
        (["--dry-ru"], "error: there is no option --dry-ru\n  hint: did you mean --dry-run?\n"),
        (["--dry-rum=yes"], "error: there is no option --dry-rum\n  hint: did you mean --dry-run?\n"),
        (["-x"], "error: there is no option -x\n  hint: `mlbuild --help` lists the options\n"),
        (["stauts"], "error: no target is called stauts, and none makes a path of that name\n  hint: did you mean `mlbuild status`?\n"),
        (["al"], "error: no target is called al, and none makes a path of that name\n  hint: did you mean all?\n"),
        (["logg"], "error: no target is called logg, and none makes a path of that name\n  hint: did you mean `mlbuild log` or logs?\n"),
        (["-n", "status"], "error: no target is called status, and none makes a path of that name\n  hint: did you mean `mlbuild status`?\n"),
        (["build", "status"], "error: no target is called status, and none makes a path of that name\n  hint: the targets are: raw, t, all, odd, logs\n"),
        (["odd/b"], "error: no target is called odd/b, and none makes a path of that name\n  hint: did you mean odd/a?\n"),
        (["-C", "odd", "../alll"], "error: no target is called ../alll, and none makes a path of that name\n  hint: did you mean all?\n"),
        (["help", "stauts"], "error: there is no subcommand `stauts`\n  hint: did you mean status?\n"),
        (["help", "nothing"], "error: there is no subcommand `nothing`\n  hint: `mlbuild help` lists them\n"),
        (["help", "shell"], "error: the subcommand `shell` is not there yet\n"),
        (["help", "log", "show"], "error: help takes one subcommand\n  hint: `mlbuild help` lists them\n"),
        (["-f", "."], "error: there is no file .\n  hint: it is there, but is no file that can be read twice\n"),
        (["--key", "day"], "error: --key day: no keys are given\n  hint: as in --key day=2013-01-01..2013-01-31\n"),
    ],
)  # fmt: skip
def test_what_is_wrong(built: Workspace, words: list[str], said: str) -> None:
    ended = built.run(*words)
    assert (ended.status, ended.err) == (2, said)


def test_only_those_keys_of_the_goals(built: Workspace) -> None:
    ended = built.ok("--day", "2013-01-02..2013-01-03", "--region=us")
    assert ended.ran == [*names("raw", ["2013-01-02", "2013-01-03"]), *names("t", ["2013-01-02,us", "2013-01-03,us"])]
    assert built.ok("t", "--day", "2013-01-01", "--region", "*").ran == [
        "raw[2013-01-01]",
        *names("t", ["2013-01-01,eu", "2013-01-01,us"]),
    ]
    assert built.ok("odd", "--key", "key=a").ran == ["odd[a]"]


def test_blanks_around_what_a_key_is_of(built: Workspace) -> None:
    assert built.ok("t[ region = us , day = 2013-01-02 ]").ran == ["raw[2013-01-02]", "t[2013-01-02,us]"]


def test_of_status_explain_and_a_dry_run_too(built: Workspace) -> None:
    assert built.states("t", "--day", "2013-01-02", "--region", "eu") == {
        "raw[2013-01-02]": "missing",
        "t[2013-01-02,eu]": "missing",
    }
    assert built.run("explain", "t", "--day=2013-01-02", "--region", "eu").out.startswith("t[2013-01-02,eu] would run")
    assert len(built.run("-n", "--day", "2013-01-02").out.splitlines()) >= 3


def test_a_path_that_looks_like_an_output_of_a_target(workspace: Workspace) -> None:
    workspace.pipeline('target cp:\n    outputs: "cp.txt"\n    run: touch {outputs}\n')
    assert workspace.ok("cp.txt").ran == ["cp"]
    ended = workspace.build("cp.nothing")
    assert ended.err == (
        "error: cp.nothing: `cp` has no output called `nothing`\n  hint: none of its outputs has a name\n"
    )


def test_the_help_lists_the_subcommands(built: Workspace) -> None:
    said = built.run("--help").out
    assert "\n  status      each target's state\n  explain     why a task would run, or why not\n" in said
    assert [name for name in COMMANDS if f"\n  {name:12}" not in said] == []
    assert built.run("help").out == built.run("help", "build").out == said
    assert built.run("help", "status").out == built.run("status", "--help").out
    assert built.run("help", "init").out.startswith("usage: mlbuild init [-h] [-f PATH] [-C PATH]\n\nWrite a first ")
    (built.root / "Pipelinefile").unlink()
    assert built.run("help").out == said


def test_a_target_that_is_called_help(workspace: Workspace) -> None:
    workspace.pipeline("target help:\n    run: true\n")
    hint = "  hint: for the target: `mlbuild build help`, or `mlbuild -- help`\n"
    assert workspace.run("help").err == f"error: `help` is a subcommand and a target\n{hint}"
    assert workspace.ok("build", "help").ran == ["help"]


@pytest.mark.parametrize(
    "before", [["-C", "below"], ["-Cbelow"], ["--directory=below"], ["-C", "status", "-f", "../below/Pipelinefile"]]
)
def test_options_of_every_command_before_the_subcommand(workspace: Workspace, before: list[str]) -> None:
    workspace.write("below/Pipelinefile", "target t:\n    run: true\n")
    (workspace.root / "status").mkdir()
    ended = workspace.run(*before, "status")
    assert (ended.status, ended.out, ended.err) == (0, "t  stale\n", "")
    assert workspace.run(*before, "--help", "status").out == workspace.run("status", "--help").out
    assert workspace.ok(*before, "build", "t").ran == ["t"]
    workspace.write("below/Pipelinefile", "target status:\n    run: true\n")
    assert workspace.run(*before, "status").err.startswith("error: `status` is a subcommand and a target\n")
    assert workspace.run(*before, "--", "status").out.startswith("start   status\n")
