"""`mlbuild status` on a terminal: each partitioned target as a grid of cells, in which one finds the holes."""

from __future__ import annotations

import pytest
from workspace import ROOT, Workspace

from mlbuild.app.workspace import open_workspace
from mlbuild.graph.select import select
from mlbuild.ui.grid import SIGNS
from mlbuild.ui.picture import COLORS
from mlbuild.ui.survey import ORDER


def target(name: str, *partitions: str) -> str:
    """A target of which what was there when it was accepted is fresh; what is gone is missing, what is fixed stale; and
    to build it is to fail. Keys in paths have `+` between them."""
    keys = "+".join(f"{{{partition}}}" for partition in partitions)
    return (
        f"target {name}[{', '.join(partitions)}]:\n"
        f'    inputs: "fix/{keys}"?\n'
        f'    outputs: "{name}/{keys}"\n'
        "    cache: false\n"
        "    run: exit 1\n"
    )


def fresh(workspace: Workspace, goal: str) -> None:
    """Have all tasks of a goal in place."""
    graph = open_workspace(str(workspace.root / "Pipelinefile")).graph
    for path in (path for task in select(graph, [goal]) for path in task.outputs):
        workspace.write(path, "x\n")
    ended = workspace.run("accept", "--because", "it is right", goal)
    assert ended.status == 0, ended.err


def lose(workspace: Workspace, *outputs: str) -> None:
    for output in outputs:
        (workspace.root / output).unlink()


def days(month: str, first: int, last: int) -> list[str]:
    return [f"{month}-{day:02}" for day in range(first, last + 1)]


def drawn(workspace: Workspace, *words: str, columns: int = 80, env: dict[str, str] | None = None) -> str:
    status, shown = workspace.on_a_terminal("status", *words, columns=columns, env=env)
    assert status == 0, shown
    return shown


@pytest.fixture
def year(workspace: Workspace) -> Workspace:
    """A year of days with holes."""
    workspace.pipeline("partition day: daily from 2013-01-01 to 2013-12-31\n" + target("features", "day"))
    fresh(workspace, "features")
    for day in days("2013-06", 10, 18):
        workspace.write(f"fix/{day}", "x\n")
    lose(workspace, "features/2013-02-03", *(f"features/{day}" for day in days("2013-12", 25, 31)))
    failing = ["2013-03-04", *days("2013-08", 5, 7)]
    lose(workspace, *(f"features/{day}" for day in failing))
    assert workspace.build("-k", *(f"features[{day}]" for day in failing)).status == 1
    return workspace


YEAR = """\
features  ■ 344 fresh, ▒ 9 stale, □ 8 missing, ✗ 4 failed
      Jan Feb Mar  Apr May Jun  Jul Aug Sep  Oct Nov Dec
  Mon  ■■■■■■■■✗■■■■■■■■■■■■■▒▒■■■■■■✗■■■■■■■■■■■■■■■■■■■■□
  Tue ■■■■■■■■■■■■■■■■■■■■■■■▒▒■■■■■■✗■■■■■■■■■■■■■■■■■■■■□
  Wed ■■■■■■■■■■■■■■■■■■■■■■■▒■■■■■■■✗■■■■■■■■■■■■■■■■■■■□
  Thu ■■■■■■■■■■■■■■■■■■■■■■■▒■■■■■■■■■■■■■■■■■■■■■■■■■■■□
  Fri ■■■■■■■■■■■■■■■■■■■■■■■▒■■■■■■■■■■■■■■■■■■■■■■■■■■■□
  Sat ■■■■■■■■■■■■■■■■■■■■■■■▒■■■■■■■■■■■■■■■■■■■■■■■■■■■□
  Sun ■■■■□■■■■■■■■■■■■■■■■■■▒■■■■■■■■■■■■■■■■■■■■■■■■■■■□
  ✗ 2013-03-04  2013-08-05..2013-08-07
  □ 2013-02-03  2013-12-25..2013-12-31
  ▒ 2013-06-10..2013-06-18
"""


def test_a_year_of_days(year: Workspace) -> None:
    assert drawn(year) == YEAR
    assert YEAR in (ROOT / "docs/cli.md").read_text()
    assert YEAR.replace("\n  ", "\n      ") in (ROOT / "README.md").read_text()
    # A narrow terminal has it in two halves, in a wide one there is more room.
    assert (
        drawn(year, columns=40)
        == """\
features  ■ 344 fresh, ▒ 9 stale,
          □ 8 missing, ✗ 4 failed
      Jan Feb Mar  Apr May Jun  Jul
  Mon  ■■■■■■■■✗■■■■■■■■■■■■■▒▒■■
  Tue ■■■■■■■■■■■■■■■■■■■■■■■▒▒■■
  Wed ■■■■■■■■■■■■■■■■■■■■■■■▒■■■
  Thu ■■■■■■■■■■■■■■■■■■■■■■■▒■■■
  Fri ■■■■■■■■■■■■■■■■■■■■■■■▒■■■
  Sat ■■■■■■■■■■■■■■■■■■■■■■■▒■■■
  Sun ■■■■□■■■■■■■■■■■■■■■■■■▒■■■
         Aug Sep  Oct Nov Dec
  Mon ■■■■✗■■■■■■■■■■■■■■■■■■■■□
  Tue ■■■■✗■■■■■■■■■■■■■■■■■■■■□
  Wed ■■■■✗■■■■■■■■■■■■■■■■■■■□
  Thu ■■■■■■■■■■■■■■■■■■■■■■■■□
  Fri ■■■■■■■■■■■■■■■■■■■■■■■■□
  Sat ■■■■■■■■■■■■■■■■■■■■■■■■□
  Sun ■■■■■■■■■■■■■■■■■■■■■■■■□
  ✗ 2013-03-04  2013-08-05..2013-08-07
  □ 2013-02-03  2013-12-25..2013-12-31
  ▒ 2013-06-10..2013-06-18
"""
    )
    wide = drawn(year, columns=120).splitlines()
    assert wide[1] == "      " + "       ".join(
        ("Jan     Feb     Mar", "Apr     May     Jun", "Jul     Aug     Sep", "Oct     Nov     Dec")
    )
    assert wide[3] == "  Tue " + " ".join("■" * 23 + "▒▒" + "■" * 6 + "✗" + "■" * 20 + "□")


def test_only_the_keys_that_are_asked_for(year: Workspace) -> None:
    """The first Monday is in the second week of the range, and what January lacks is not there."""
    assert (
        drawn(year, "--day", "2013-01-31..2013-02-16,2013-03-04")
        == """\
features  ■ 16 fresh, □ 1 missing, ✗ 1 failed
      Feb     Mar
  Mon   ■ ■     ✗
  Tue   ■ ■
  Wed   ■ ■
  Thu ■ ■ ■
  Fri ■ ■ ■
  Sat ■ ■ ■
  Sun □ ■
  ✗ 2013-03-04
  □ 2013-02-03
"""
    )
    assert drawn(year, "--day", "2013-01-01..2013-01-31") == "features  ■ 31 fresh\n"
    assert drawn(year, "--day", "2013-02-01..2013-02-14") == ("features  ■ 13 fresh, □ 1 missing\n  □ 2013-02-03\n")


def test_several_years_of_days_have_the_year_above(workspace: Workspace) -> None:
    workspace.pipeline("partition day: daily from 2013-01-01 to 2014-03-31\n" + target("f", "day"))
    fresh(workspace, "f[2013-01-01..2014-03-30]")
    row = "■" * 65
    assert (
        drawn(workspace)
        == f"""\
f  ■ 454 fresh, □ 1 missing
      2013    Mar  Apr May Jun  Jul Aug Sep  Oct Nov Dec  2014    Mar
  Mon  {row[1:]}□
  Tue {row}
  Wed {row}
  Thu {row}
  Fri {row}
  Sat {row}
  Sun {row}
  □ 2014-03-31
"""
    )


def test_days_of_many_years_are_drawn_as_weeks(workspace: Workspace) -> None:
    workspace.pipeline("partition day: daily from 2014-01-01 to 2018-12-31\n" + target("f", "day"))
    fresh(workspace, "f")
    lose(workspace, *(f"f/{day}" for day in days("2015-03", 2, 15)), "f/2018-12-31")
    row = "■" * 52
    assert (
        drawn(workspace, columns=70)
        == f"""\
f  ■ 1811 fresh, □ 15 missing
       Jan Feb Mar  Apr May  Jun Jul Aug  Sep Oct Nov  Dec
  2013 {" " * 51}■
  2014 {row}
  2015 {"■" * 8}□□{"■" * 42}
  2016 {row}
  2017 {row}
  2018 {row}□
  a cell: the worst of a week's 7 tasks
  □ 2015-03-02..2015-03-15  2018-12-31
"""
    )


def test_hours_where_the_clocks_change(workspace: Workspace) -> None:
    """In spring a day lacks its third hour; in autumn it has the second twice."""
    workspace.pipeline(
        'partition spring: hourly from 2013-03-09 to 2013-03-11 in "America/New_York"\n'
        'partition autumn: hourly from 2013-11-02 to 2013-11-04 in "America/New_York"\n'
        + target("a", "spring")
        + target("b", "autumn")
    )
    fresh(workspace, "a")
    lose(workspace, "a/2013-03-10T03", "a/2013-03-10T04")
    fresh(workspace, "b")
    lose(workspace, "b/2013-11-03T01-0500", "b/2013-11-03T02")
    assert (
        drawn(workspace)
        == """\
a  ■ 69 fresh, □ 2 missing
             00    03    06    09    12    15    18    21
  2013-03-09 ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
  2013-03-10 ■ ■   □ □ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
  2013-03-11 ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
  □ 2013-03-10T03..2013-03-10T04
b  ■ 71 fresh, □ 2 missing
             00      03    06    09    12    15    18    21
  2013-11-02 ■ ■   ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
  2013-11-03 ■ ■ □ □ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
  2013-11-04 ■ ■   ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
  □ 2013-11-03T01-0500..2013-11-03T02
"""
    )


def test_hours_of_a_quarter_are_drawn_as_days(workspace: Workspace) -> None:
    workspace.pipeline("partition hour: hourly from 2013-01-01 to 2013-03-31\n" + target("load", "hour"))
    fresh(workspace, "load")
    lose(workspace, "load/2013-02-14T23")
    shown = drawn(workspace).splitlines()
    assert shown[1] == "      Jan     Feb     Mar"
    assert shown[5] == "  Thu ■ ■ ■ ■ ■ ■ □ ■ ■ ■ ■ ■ ■"
    assert shown[-2:] == ["  a cell: the worst of a day's 24 tasks", "  □ 2013-02-14T23"]


def test_weeks_and_months(workspace: Workspace) -> None:
    """2012 has 53 Mondays, of which the last is that of the first ISO week of 2013."""
    workspace.pipeline(
        "partition week: weekly from 2012-01-02 to 2013-06-30\n"
        "partition month: monthly from 2011-06 to 2013-03\n" + target("w", "week") + target("m", "month")
    )
    fresh(workspace, "w")
    lose(workspace, "w/2012-12-24", "w/2012-12-31", "w/2013-01-07")
    fresh(workspace, "m[2011-06..2013-01]")
    assert (
        drawn(workspace)
        == f"""\
w  ■ 75 fresh, □ 3 missing
       Jan Feb Mar  Apr May  Jun Jul Aug  Sep Oct Nov  Dec
  2012 {"■" * 51}□□
  2013 □{"■" * 24}
  □ 2012-12-24..2013-01-07
m  ■ 20 fresh, □ 2 missing
       Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec
  2011                     ■   ■   ■   ■   ■   ■   ■
  2012 ■   ■   ■   ■   ■   ■   ■   ■   ■   ■   ■   ■
  2013 ■   □   □
  □ 2013-02..2013-03
"""
    )
    assert (
        drawn(workspace, "m", columns=34)
        == """\
m  ■ 20 fresh, □ 2 missing
       Jan Mar May Jul Sep Nov
  2011           ■ ■ ■ ■ ■ ■ ■
  2012 ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■
  2013 ■ □ □
  □ 2013-02..2013-03
"""
    )


def test_months_of_two_centuries_have_several_years_in_a_row(workspace: Workspace) -> None:
    workspace.pipeline("partition month: monthly from 1801-01 to 2000-12\n" + target("m", "month"))
    fresh(workspace, "m[1801-02..2000-12]")
    shown = drawn(workspace).splitlines()
    assert shown[2:4] == ["  1801 □" + "   ■" * 11, "  1808 ■" + "   ■" * 11]
    assert len(shown) == 2 + 29 + 2
    assert shown[-2:] == ["  a cell: the worst of up to 7 tasks", "  □ 1801-01"]


def test_a_list_is_one_cell_after_another(workspace: Workspace) -> None:
    samples = ", ".join(f'"s{number:02}"' for number in range(1, 31))
    workspace.pipeline(f"partition sample: [{samples}]\n" + target("align", "sample"))
    fresh(workspace, "align")
    lose(workspace, *(f"align/s{number}" for number in ("03", "17", "18", "19", "25")))
    assert workspace.build("align[s25]").status == 1
    assert (
        drawn(workspace)
        == """\
align  ■ 25 fresh, □ 4 missing, ✗ 1 failed
  ■■□■■■■■■■■■■■■■□□□■■■■■✗■■■■■
  ✗ s25
  □ s03  s17..s19
"""
    )


def test_a_long_list_has_several_keys_in_a_cell_and_the_first_of_many_holes_are_named(workspace: Workspace) -> None:
    workspace.pipeline("partition shard: range(1000)\n" + target("f", "shard"))
    fresh(workspace, "f")
    lose(workspace, *(f"f/{shard}" for shard in range(0, 1000, 50)))
    holes = "".join("□" if number * 4 % 50 in (0, 48) else "■" for number in range(250))
    rows = "".join(f"  {holes[start : start + 36]}\n" for start in range(0, 250, 36))
    assert (
        drawn(workspace, columns=40)
        == f"""\
f  ■ 980 fresh, □ 20 missing
{rows}  a cell: the worst of up to 4 tasks
  □ 0  50  100  150  200  250  300  350
    400  450  500  550  600  650  700
    750  800  850  900  950
"""
    )
    lose(workspace, *(f"f/{shard}" for shard in range(25, 1000, 50)))
    assert drawn(workspace, columns=40).splitlines()[-1] == "    375  400  425  450  475  500  525 …"


@pytest.fixture
def models(workspace: Workspace) -> Workspace:
    """Regions and models, in which one region is stale, and two tasks are not there."""
    workspace.pipeline(
        'partition region: ["us-east", "us-west", "eu", "asia"]\n'
        'partition model: ["logistic", "boosted", "a forest", "x", "y"]\n' + target("train", "region", "model")
    )
    fresh(workspace, "train")
    lose(workspace, "train/eu+boosted", "train/us-west+a forest")
    workspace.build('train[us-west,"a forest"]')
    workspace.write("fix/asia+x", "x\n")
    workspace.write("fix/asia+y", "x\n")
    return workspace


def test_two_lists_are_a_matrix_with_names(models: Workspace) -> None:
    assert (
        drawn(models)
        == """\
train  ■ 16 fresh, ▒ 2 stale, □ 1 missing, ✗ 1 failed
             us-east  us-west  eu       asia
  logistic   ■        ■        ■        ■
  boosted    ■        ■        □        ■
  "a forest" ■        ✗        ■        ■
  x          ■        ■        ■        ▒
  y          ■        ■        ■        ▒
  ✗ us-west,"a forest"
  □ eu,boosted
  ▒ asia,x  asia,y
"""
    )
    assert (
        drawn(models, columns=32)
        == """\
train  ■ 16 fresh, ▒ 2 stale,
       □ 1 missing, ✗ 1 failed
             us-east eu  asia
  logistic   ■   ■   ■   ■
  boosted    ■   ■   □   ■
  "a forest" ■   ✗   ■   ■
  x          ■   ■   ■   ▒
  y          ■   ■   ■   ▒
  ✗ us-west,"a forest"
  □ eu,boosted
  ▒ asia,x  asia,y
"""
    )


def test_a_matrix_that_is_too_large_has_several_tasks_in_a_cell(workspace: Workspace) -> None:
    workspace.pipeline("partition gene: range(40)\npartition sample: range(36)\n" + target("f", "gene", "sample"))
    fresh(workspace, "f")
    lose(workspace, "f/4+0", "f/5+0", "f/39+35")
    shown = drawn(workspace, columns=40).splitlines()
    assert shown[1:5] == [
        "     0 4 8 12 18 24 30",
        f"  0  {'■' * 18}",
        f"  2  {'■' * 18}",
        f"  4  □{'■' * 17}",
    ]
    assert shown[-3:] == [f"  38 {'■' * 17}□", "  a cell: the worst of up to 4 tasks", "  □ 4..5,0  39,35"]


def test_a_cell_of_a_calendar_shows_the_worst_of_all_other_keys(workspace: Workspace) -> None:
    workspace.pipeline(
        "partition day: daily from 2024-01-01 to 2024-01-28\n"
        'partition model: ["logistic", "boosted"]\n' + target("score", "model", "day")
    )
    fresh(workspace, "score")
    lose(workspace, *(f"score/{model}+2024-01-09" for model in ("logistic", "boosted")), "score/boosted+2024-01-10")
    workspace.build("score[logistic,2024-01-09]")
    assert (
        drawn(workspace)
        == """\
score  ■ 53 fresh, □ 2 missing, ✗ 1 failed
      Jan
  Mon ■ ■ ■ ■
  Tue ■ ✗ ■ ■
  Wed ■ □ ■ ■
  Thu ■ ■ ■ ■
  Fri ■ ■ ■ ■
  Sat ■ ■ ■ ■
  Sun ■ ■ ■ ■
  a cell: the worst of a day's 2 tasks
  ✗ logistic,2024-01-09
  □ boosted,2024-01-09..2024-01-10
"""
    )
    assert (
        drawn(workspace, "--day", "2024-01-07..2024-01-14")
        == """\
score  ■ 13 fresh, □ 2 missing, ✗ 1 failed
             logistic  boosted
  2024-01-07 ■         ■
  2024-01-08 ■         ■
  2024-01-09 ✗         □
  2024-01-10 ■         □
  2024-01-11 ■         ■
  2024-01-12 ■         ■
  2024-01-13 ■         ■
  2024-01-14 ■         ■
  ✗ logistic,2024-01-09
  □ boosted,2024-01-09..2024-01-10
"""
    )
    assert "  Tue ■ ✗ ■ ■\n" in drawn(workspace, "--model", "logistic")


def test_where_nothing_is_to_be_looked_for_there_is_a_line_a_target(workspace: Workspace) -> None:
    """All tasks are in one state, or so few that their keys say it all. The order of the survey is not that of keys."""
    workspace.pipeline(
        "partition day: daily from 2024-01-01 to 2024-01-31\n"
        'partition part: ["a", "b"]\n'
        + target("load", "day")
        + target("split", "part")
        + 'target all:\n    inputs: load[2024-01-31], load[*], split[*]\n    outputs: "all"\n    run: cat {inputs}\n'
    )
    fresh(workspace, "load")
    fresh(workspace, "split[a]")
    assert drawn(workspace) == ("load   ■ 31 fresh\nsplit  ■ 1 fresh, □ 1 missing\n  □ b\nall    □ missing\n")
    # `load` is what a build makes by default, and has no parts.
    assert drawn(workspace, "--part", "b") == drawn(workspace)
    lose(workspace, "load/2024-01-31")
    assert "  Wed ■ ■ ■ ■ □\n  Thu ■ ■ ■ ■\n" in drawn(workspace, "all")


# --- On which terminals


def test_colours_are_left_out_where_they_are_not_wanted_and_signs_where_they_can_not_be_drawn(year: Workspace) -> None:
    def raw(env: dict[str, str] | None = None) -> str:
        return year.on_a_terminal("status", columns=80, env=env, raw=True)[1]

    assert "\x1b[1;38;5;160m✗" in raw()
    assert raw({"NO_COLOR": "1"}).replace("\x1b[1m", "").replace("\x1b[0m", "") == YEAR
    year.write("mlbuild.toml", "color = false\n")
    assert "\x1b[1;38" not in raw()
    plain = "features  344 fresh, 9 stale, 8 missing, 4 failed\n"
    assert year.run("status").out == plain
    assert drawn(year, env={"TERM": "dumb"}) == plain
    assert drawn(year, env={"PYTHONIOENCODING": "latin-1"}) == plain


def test_every_state_has_a_sign_and_a_colour_of_its_own() -> None:
    assert sorted(SIGNS) == sorted(COLORS) == sorted(ORDER)
    assert len(set(SIGNS.values())) == len(set(COLORS.values())) == len(ORDER)


@pytest.mark.parametrize("state", COLORS)
def test_colours_stand_out_from_light_and_dark(state: str) -> None:
    """By the contrast that WCAG asks of signs: 3 to 1."""

    def luminance(color: str) -> float:
        values = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    own = luminance(COLORS[state].split()[-1])
    assert 1.05 / (own + 0.05) >= 3
    assert (own + 0.05) / 0.05 >= 3
