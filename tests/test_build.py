"""Which tasks run after which change, by name."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest
from workspace import Workspace, names

CHAIN = """
    param greeting = "hello"
    partition letter: ["a", "b", "c"]

    target upper[letter]:
        inputs: "src/{letter}.txt"
        outputs: "build/{letter}.txt"
        run: tr a-z A-Z < {inputs} > {outputs}

    target greet[letter]:
        inputs: upper
        outputs: "greet/{letter}.txt"
        run: (echo {greeting}; cat {inputs}) > {outputs}

    target all:
        inputs: greet[*]
        outputs: "all.txt"
        run: cat {inputs} > {outputs}

    default all
"""


@pytest.fixture
def chain(workspace: Workspace) -> Workspace:
    """Three letters, each through two tasks, and one task that gathers all: built."""
    workspace.pipeline(CHAIN)
    for letter in "abc":
        workspace.write(f"src/{letter}.txt", f"{letter}\n")
    ended = workspace.ok()
    assert len(ended.ran) == 7
    assert workspace.read("all.txt") == "hello\nA\nhello\nB\nhello\nC\n"
    return workspace


def test_a_second_build_runs_nothing(chain: Workspace) -> None:
    ended = chain.ok()
    assert ended.ran == []
    assert ended.out == "nothing to do: 7 tasks fresh\n"


def test_a_touched_file_reruns_nothing(chain: Workspace) -> None:
    os.utime(chain.root / "src/a.txt", (time.time() + 5, time.time() + 5))
    assert chain.ok().ran == []


def test_an_edit_reruns_what_it_reaches(chain: Workspace) -> None:
    chain.write("src/b.txt", "x\n")
    assert chain.ok().ran == ["all", "greet[b]", "upper[b]"]
    assert chain.read("all.txt") == "hello\nA\nhello\nX\nhello\nC\n"


def test_an_unchanged_intermediate_stops_what_is_behind_it(chain: Workspace) -> None:
    chain.write("src/b.txt", "B\n")
    assert chain.ok().ran == ["upper[b]"]


def test_an_undone_edit_is_restored(chain: Workspace) -> None:
    chain.write("src/b.txt", "x\n")
    chain.ok()
    chain.write("src/b.txt", "b\n")
    ended = chain.ok()
    assert ended.ran == []
    assert ended.restored == ["all", "greet[b]", "upper[b]"]
    assert chain.read("all.txt") == "hello\nA\nhello\nB\nhello\nC\n"


def test_a_deleted_output_is_restored(chain: Workspace) -> None:
    (chain.root / "build/a.txt").unlink()
    (chain.root / "all.txt").unlink()
    ended = chain.ok()
    assert (ended.ran, ended.restored) == ([], ["all", "upper[a]"])
    assert chain.read("all.txt").startswith("hello\nA\n")


def test_an_output_edited_by_hand_is_put_right_and_kept_aside(chain: Workspace) -> None:
    chain.write("build/a.txt", "mine\n")
    ended = chain.ok()
    assert (ended.ran, ended.restored) == ([], ["upper[a]"])
    assert (
        "build/a.txt was not as mlbuild had left it; that version is now .mlbuild/failed/edited-2/build/a.txt"
        in ended.out
    )
    assert chain.read("build/a.txt") == "A\n"
    assert chain.read(".mlbuild/failed/edited-2/build/a.txt") == "mine\n"


def test_an_edited_output_whose_task_must_run_is_kept_too(chain: Workspace) -> None:
    chain.write("build/a.txt", "mine\n")
    chain.write("src/a.txt", "new\n")
    ended = chain.ok()
    assert ended.ran == ["all", "greet[a]", "upper[a]"]
    (kept,) = (chain.root / ".mlbuild/failed").rglob("a.txt")
    assert kept.read_text() == "mine\n"


def test_a_param_reruns_what_uses_it(chain: Workspace) -> None:
    ended = chain.ok("greeting=bye")
    assert ended.ran == ["all", *names("greet", "abc")]
    assert ended.out.endswith("built with greeting=bye; the next build without it puts back greeting=hello\n")
    assert chain.ok().restored == ["all", *names("greet", "abc")]


def test_overrides_are_said_only_where_they_made_a_difference(chain: Workspace) -> None:
    same = chain.ok("greeting=hello", "-B")
    assert same.ran == ["all"]
    assert "built with" not in same.out
    assert json.loads(chain.run("runs", "--json").out)["runs"][0]["overrides"] == []
    chain.ok("greeting=bye")
    assert chain.ok("greeting=bye").out == "nothing to do: 7 tasks fresh\n"
    chain.pipeline(CHAIN.replace("run: ", "run: exit 3; "))
    failed = chain.build("greeting=ciao", "-k")
    assert failed.status == 1
    assert "built with" not in failed.out


def test_overrides_of_any_type_are_said(workspace: Workspace) -> None:
    workspace.pipeline("""
        param sizes = [1, 2]
        param table = {a = 1}
        param start = null
        param rate = 1e-3
        target t:
            outputs: "t.txt"
            run: echo {sizes} {table.a} {start:--from} {rate} > {outputs}
    """)
    ended = workspace.ok("sizes=[3]", "table={a = 2}", "start=3", "rate=0.5")
    assert workspace.read("t.txt") == "3 2 --from 3 0.5\n"
    with_them = 'built with sizes=[3], table={"a": 2}, start=3, rate=0.5; the next build without it'
    assert ended.out.endswith(f'{with_them} puts back sizes=[1, 2], table={{"a": 1}}, start=null, rate=0.001\n')


def test_a_new_recipe_reruns_its_target(chain: Workspace) -> None:
    chain.pipeline(CHAIN.replace("cat {inputs} > {outputs}", "cat {inputs} >> {outputs}"))
    assert chain.ok().ran == ["all"]


def test_one_task_and_what_it_needs_is_built(workspace: Workspace) -> None:
    workspace.pipeline(CHAIN)
    for letter in "abc":
        workspace.write(f"src/{letter}.txt", letter)
    assert workspace.ok("greet[b]").ran == ["greet[b]", "upper[b]"]
    assert workspace.ok("greet/a.txt").ran == ["greet[a]", "upper[a]"]


def test_a_script_that_a_recipe_names_counts(workspace: Workspace) -> None:
    workspace.pipeline('target out:\n    outputs: "out.txt"\n    run: sh tools/make.sh {outputs}\n')
    workspace.write("tools/make.sh", "echo 1 > $1\n")
    assert workspace.ok().ran == ["out"]
    workspace.write("tools/make.sh", "echo 2 > $1\n")
    assert workspace.ok().ran == ["out"]
    assert workspace.read("out.txt") == "2\n"


def test_a_module_started_with_m_counts(workspace: Workspace) -> None:
    workspace.pipeline('target out:\n    outputs: "out.txt"\n    run: python3 -m tools.make {outputs}\n')
    workspace.write("tools/make.py", "import sys; open(sys.argv[1], 'w').write('1')\n")
    workspace.ok()
    workspace.write("tools/make.py", "import sys; open(sys.argv[1], 'w').write('2')\n")
    assert workspace.ok().ran == ["out"]


def test_directories_are_outputs_and_inputs(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        target split:
            inputs: "words.txt"
            outputs: "parts/"
            run: for word in $(cat {inputs}); do echo $word > parts/$word; done

        target count:
            inputs: "parts"
            outputs: "count.txt"
            run: ls {inputs} | wc -l > {outputs}

        default count
        """
    )
    workspace.write("words.txt", "one two three\n")
    assert workspace.ok().ran == ["count", "split"]
    workspace.write("words.txt", "one two\n")
    assert workspace.ok().ran == ["count", "split"]
    assert workspace.read("count.txt").strip() == "2"
    workspace.write("parts/two", "mine\n")
    workspace.write("parts/new", "mine\n")
    assert workspace.ok().restored == ["split"]
    assert sorted(path.name for path in (workspace.root / "parts").iterdir()) == ["one", "two"]


def test_large_outputs_come_back_whole(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        param n = 1
        target big:
            outputs: "big.bin"
            run: head -c 3000000 /dev/zero | tr '\\0' {n} > {outputs}
        """
    )
    workspace.ok()
    workspace.ok("n=2")
    assert workspace.ok().restored == ["big"]
    assert workspace.read("big.bin") == "1" * 3_000_000


def test_a_file_that_is_gone_from_the_store_is_made_again(chain: Workspace) -> None:
    for path in (chain.root / ".mlbuild/store").rglob("*"):
        if path.is_file():
            path.unlink()
    (chain.root / "all.txt").unlink()
    assert chain.ok().ran == ["all"]


def test_an_intermediate_that_nobody_needs_is_left_absent(chain: Workspace) -> None:
    for path in (chain.root / ".mlbuild/store").rglob("*"):
        if path.is_file():
            path.unlink()
    (chain.root / "build/a.txt").unlink()
    assert chain.ok().ran == []
    assert chain.states("all")["upper[a]"] == "absent"
    chain.write("src/b.txt", "x\n")
    assert chain.ok().ran == ["all", "greet[b]", "upper[b]"]
    chain.pipeline(CHAIN.replace("echo {greeting}", "echo {greeting}!"))
    assert chain.ok().ran == ["all", *names("greet", "abc"), "upper[a]"]


def test_what_was_never_asked_for_is_not_built(chain: Workspace) -> None:
    chain.pipeline(CHAIN + '\n    target other:\n        outputs: "other.txt"\n        run: echo > {outputs}\n')
    assert chain.ok().ran == []
    assert not chain.exists("other.txt")


def test_always_make_runs_the_goals_alone(chain: Workspace) -> None:
    assert chain.ok("-B").ran == ["all"]
    assert chain.ok("--force", "greet[a]").ran == ["greet[a]"]


def test_question_tells_by_exit_status(chain: Workspace) -> None:
    assert chain.run("-q").status == 0
    chain.write("src/a.txt", "new\n")
    ended = chain.run("-q")
    assert (ended.status, ended.out) == (1, "")


def test_a_dry_run_says_what_and_why_and_runs_nothing(chain: Workspace) -> None:
    chain.write("src/a.txt", "new\n")
    ended = chain.run("-n")
    assert ended.status == 0
    assert ended.out.splitlines()[:3] == [
        "run     upper[a]: input src/a.txt changed",
        "maybe   greet[a]: upper[a] runs first",
        "maybe   all: greet[a] runs first",
    ]
    assert chain.read("build/a.txt") == "A\n"


def test_a_target_without_outputs_is_fresh_once_it_succeeded(workspace: Workspace) -> None:
    workspace.pipeline('target deploy:\n    inputs: "a.txt"\n    run: echo deployed >> log.txt\n')
    workspace.write("a.txt", "1")
    workspace.ok()
    assert workspace.ok().ran == []
    workspace.write("a.txt", "2")
    assert workspace.ok().ran == ["deploy"]
    assert workspace.lines("log.txt") == ["deployed", "deployed"]


def test_a_target_with_neither_inputs_nor_outputs_runs_whenever_it_is_asked_for(workspace: Workspace) -> None:
    workspace.pipeline("target clean:\n    run: echo cleaned >> log.txt\n")
    workspace.ok("clean")
    assert workspace.ok("clean").ran == ["clean"]


def test_what_an_output_links_to_stays_the_users(workspace: Workspace) -> None:
    for name in ("one.bin", "two.bin"):
        workspace.write(name, name * 100_000).chmod(0o644)
    recipe = "ln -s one.bin link.bin; ln -s ../two.bin folder/link.bin"
    workspace.pipeline(f'target t:\n    outputs: "link.bin", "folder/"\n    run: {recipe}\n')
    workspace.ok()
    for name in ("one.bin", "two.bin"):
        status = (workspace.root / name).stat()
        assert (status.st_nlink, status.st_mode & 0o777) == (1, 0o644)
    (workspace.root / "link.bin").unlink()
    assert workspace.ok().restored == ["t"]
    assert workspace.read("link.bin") == "one.bin" * 100_000


def test_a_question_is_answered_as_a_build_would(chain: Workspace) -> None:
    assert chain.run("-q").status == 0
    assert chain.run("-q", "-B").status == 1
    assert chain.run("-q", "-B", "--force", "all", "greet[a]").status == 1
    shutil.rmtree(chain.root / ".mlbuild" / "store")
    (chain.root / "build/a.txt").unlink()
    # It is not in place, and nothing needs it.
    assert chain.run("-q").status == 0
    assert chain.ok().events[-1]["counts"] == {"fresh": 6, "absent": 1}


def test_a_long_chain_is_explained_to_its_end(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition day: daily from 2015-01-01 to 2018-12-31
        target t[day]:
            inputs: before = t[day-1]?
            outputs: "{day}.txt"
            run: echo > {outputs}
        """
    )
    ended = workspace.run("explain", "t[2018-12-31]")
    assert ended.status == 0, ended.err
    assert ended.out == (
        "t[2018-12-31] would run:\n"
        "  it was never built here\n"
        "  t[2018-12-30] would run, because it was never built here, and 1459 more like it\n"
    )
    long = workspace.run("explain", "t[2018-12-31]", "--json")
    short = workspace.run("explain", "t[2018-06-30]", "--json")
    # A task is there once, so that the document grows with the chain and no faster.
    assert len(json.loads(long.out)["tasks"]) == 1461
    assert len(long.out) / 1461 < 1.1 * len(short.out) / 1277


def test_a_goal_may_be_a_path_from_a_subfolder(chain: Workspace) -> None:
    for path in ("a.txt", "./a.txt", "../greet/a.txt", "../build/../greet/a.txt"):
        assert chain.ok("-C", "greet", "-B", path).ran == ["greet[a]"]
