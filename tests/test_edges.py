"""Edges that paths make: directories and globs that hold what tasks make, and what no task makes any more."""

from __future__ import annotations

import pytest
from workspace import Workspace

# ruff: noqa: E501 (the texts are what they are)

PARTS = """
    partition k: KEYS

    target part[k]:
        outputs: "build/parts/{k}.txt"
        run: echo {k} > {outputs}

    target whole:
        inputs: WHAT
        outputs: "build/whole.txt"
        run: (cat $(find {inputs} -name '*.txt' | sort)) > {outputs}

    default whole
"""


def parts(what: str, *keys: str) -> str:
    return PARTS.replace("WHAT", what).replace("KEYS", str(list(keys)).replace("'", '"'))


def test_a_directory_that_holds_what_tasks_make(workspace: Workspace) -> None:
    workspace.pipeline(parts('"build/parts"', "a", "b"))
    assert workspace.ok("-j2").ran == ["part[a]", "part[b]", "whole"]
    assert workspace.read("build/whole.txt") == "a\nb\n"
    assert workspace.ok().ran == []
    workspace.pipeline(parts('"build/parts"', "a", "b").replace("echo {k}", "echo new {k}"))
    assert workspace.ok().ran == ["part[a]", "part[b]", "whole"]


def test_a_user_s_own_file_in_it_counts(workspace: Workspace) -> None:
    workspace.pipeline(parts('"build/parts/"', "a"))
    workspace.write("build/parts/own.txt", "mine\n")
    workspace.ok()
    assert workspace.read("build/whole.txt") == "a\nmine\n"
    workspace.write("build/parts/own.txt", "other\n")
    assert workspace.ok().ran == ["whole"]
    workspace.write("build/parts/second.txt", "two\n")
    assert workspace.ok().ran == ["whole"]


def test_a_glob_that_matches_what_tasks_make(workspace: Workspace) -> None:
    workspace.pipeline(parts('glob("build/parts/*.txt")', "a", "b"))
    assert workspace.ok("-j2").ran == ["part[a]", "part[b]", "whole"]
    workspace.write("build/parts/own.txt", "mine\n")
    assert workspace.ok().ran == ["whole"]
    assert workspace.read("build/whole.txt") == "a\nb\nmine\n"


def test_what_a_key_made_that_is_no_more_does_not_count_and_is_said(workspace: Workspace) -> None:
    workspace.pipeline(parts('glob("build/parts/*.txt")', "a", "b"))
    workspace.ok()
    workspace.pipeline(parts('glob("build/parts/*.txt")', "a"))
    ended = workspace.ok()
    assert ended.ran == ["whole"]
    assert workspace.read("build/whole.txt") == "a\n"
    assert "build/parts/b.txt was made by a task that is no more, so it does not count" in ended.out


def test_of_a_directory_too(workspace: Workspace) -> None:
    text = parts('"build/parts"', "a", "b").replace("(cat $(find {inputs} -name '*.txt' | sort))", "ls {inputs}")
    workspace.pipeline(text)
    workspace.ok()
    workspace.pipeline(text.replace('["a", "b"]', '["a"]'))
    assert workspace.ok().ran == ["whole"]
    (workspace.root / "build/parts/b.txt").write_text("changed")
    assert workspace.ok().ran == []


def test_a_directory_among_outputs_is_matched_by_a_glob(workspace: Workspace) -> None:
    workspace.pipeline(
        parts('glob("build/parts/*")', "a").replace('{k}.txt"', '{k}/"').replace("> {outputs}", "> {outputs}/x.txt", 1)
    )
    assert workspace.ok().ran == ["part[a]", "whole"]
    assert workspace.read("build/whole.txt") == "a\n"


def test_a_glob_into_a_directory_that_a_task_makes(workspace: Workspace) -> None:
    workspace.pipeline(
        'target split:\n    outputs: "parts/"\n    run: touch parts/a\ntarget all:\n    inputs: glob("parts/*")\n    outputs: "all"\n    run: touch all\n'
    )
    ended = workspace.build("all")
    assert ended.status == 2
    assert ended.err == (
        "Pipelinefile:5:13: error: what lies in parts/ is known only once `split` has made it\n"
        '  5 |     inputs: glob("parts/*")\n'
        "    |             ^^^^^^^^^^^^^^^\n"
        '  hint: name the directory: "parts/"\n'
    )


def test_a_file_in_a_directory_that_a_task_makes(workspace: Workspace) -> None:
    workspace.pipeline(
        'target split:\n    outputs: "./parts/"\n    run: echo 1 > parts/a\ntarget all:\n    inputs: "parts/a"\n    outputs: "all"\n    run: cp {inputs} all\ndefault all\n'
    )
    assert workspace.ok().ran == ["all", "split"]
    assert workspace.ok().ran == []


# --- groups, and targets without outputs


def test_a_group_builds_what_it_names(workspace: Workspace) -> None:
    workspace.pipeline(
        'partition k: ["a", "b"]\ntarget all:\n    inputs: t[*], "x.txt"\ntarget t[k]:\n    outputs: "{k}"\n    run: touch {outputs}\ntarget x:\n    outputs: "x.txt"\n    run: touch x.txt\n'
    )
    assert workspace.ok().ran == ["t[a]", "t[b]", "x"]
    assert workspace.ok().ran == []


def test_what_comes_behind_a_target_without_outputs(workspace: Workspace) -> None:
    workspace.pipeline(
        'target migrate:\n    inputs: "schema.sql"\n    run: cat {inputs} >> log\ntarget load:\n    inputs: migrate\n    outputs: "load.txt"\n    run: echo load >> log; touch {outputs}\ndefault load\n'
    )
    workspace.write("schema.sql", "schema\n")
    assert workspace.ok().ran == ["load", "migrate"]
    assert workspace.lines("log") == ["schema", "load"]
    assert workspace.ok().ran == []


# --- max_active, cache, defaults


def test_max_active(workspace: Workspace) -> None:
    workspace.pipeline(
        """
        partition k: range(6)
        target slow[k]:
            outputs: "{k}"
            max_active: 2
            run: echo + >> log; sleep 0.1; echo - >> log; touch {outputs}
        target other[k]:
            outputs: "other/{k}"
            run: touch {outputs}
        target all:
            inputs: slow[*], other[*]
        """
    )
    ended = workspace.ok("-j6", "all")
    assert len(ended.ran) == 12
    running = most = 0
    for line in workspace.lines("log"):
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert most == 2


@pytest.mark.parametrize(
    ("clause", "option", "most"), [("", "1", 1), ("max_active: 1", "2", 1), ("max_active: 3", "2", 2)]
)
def test_max_active_for_one_build(workspace: Workspace, clause: str, option: str, most: int) -> None:
    workspace.pipeline(
        f"""
        partition k: range(4)
        target slow[k]:
            outputs: "{{k}}"
            {clause or "timeout: 10m"}
            run: echo + >> log; sleep 0.1; echo - >> log; touch {{outputs}}
        target single:
            outputs: "single"
            run: touch {{outputs}}
        target all:
            inputs: slow[*], single
        """
    )
    assert len(workspace.ok("-j6", "--max-active", option, "all").ran) == 5
    running = [workspace.lines("log")[:end] for end in range(9)]
    assert max(lines.count("+") - lines.count("-") for lines in running) == most


def test_max_active_is_a_number(workspace: Workspace) -> None:
    workspace.pipeline("target t:\n    run: true\n")
    ended = workspace.build("--max-active", "0")
    assert (ended.status, ended.err.splitlines()[0]) == (
        2,
        "error: argument --max-active: 0 is no number of tasks",
    )


def test_what_is_not_cached_is_not_restored(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    cache: false\n    run: touch {outputs}\n')
    assert workspace.ok().ran == ["t"]
    assert workspace.ok().ran == []
    (workspace.root / "t.txt").unlink()
    assert workspace.ok().ran == ["t"]


def test_what_is_never_fresh_runs_in_every_build_and_stops_there_if_nothing_changed(workspace: Workspace) -> None:
    workspace.pipeline(
        'target now:\n    outputs: "now.txt"\n    cache: never\n    run: cat state > {outputs}\ntarget t:\n    inputs: now\n    outputs: "t.txt"\n    run: cp {inputs} {outputs}\ndefault t\n'
    )
    workspace.write("state", "1")
    assert workspace.ok().ran == ["now", "t"]
    assert workspace.ok().ran == ["now"]
    workspace.write("state", "2")
    assert workspace.ok().ran == ["now", "t"]
    assert workspace.run("explain", "now").out.startswith("now would run:\n  it is never taken for fresh\n")


def test_defaults_are_for_the_targets_of_their_file_that_lack_them(workspace: Workspace) -> None:
    workspace.pipeline(
        'include "more.mk"\ndefaults:\n    retry: 1, backoff = 10ms\n    environ: MODE = "slow"\ntarget a:\n    run: echo a $MODE >> log; false\ntarget b:\n    retry: 0\n    environ: OTHER = "1"\n    run: echo b "$$MODE" >> log; false\n'.replace(
            "$$MODE", "${MODE:-}"
        )
    )
    workspace.write("more.mk", "target c:\n    run: echo c >> log; false\n")
    assert workspace.build("-k", "-j1", "a", "b", "c").status == 1
    assert sorted(workspace.lines("log")) == ["a slow", "a slow", "b ", "c"]
