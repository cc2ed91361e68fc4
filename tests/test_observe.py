"""What the Python processes of a recipe are seen to read counts from the next decision on, declared or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest
from workspace import Workspace

SAID = "which it does not declare; from now on"

MAKE = """
    import sys

    with open("config/x.yaml") as file, open(sys.argv[1], "w") as out:
        out.write(file.read())
    """
ONE = """
    target t:
        outputs: "t.txt"
        run: python make.py {outputs}
    """


def said(workspace: Workspace, *arguments: str) -> list[str]:
    """Build; what was said of files that were read."""
    ended = workspace.ok(*arguments)
    rows = [row for row in ended.events if row["event"] == "said"]
    return [f"{row['task']}: {row['text']}" for row in rows if row["text"].startswith("read ")]


def one(workspace: Workspace, script: str = MAKE, pipeline: str = ONE) -> None:
    """A target whose script reads config/x.yaml."""
    workspace.write("config/x.yaml", "1\n")
    workspace.write("make.py", script)
    workspace.pipeline(pipeline)


def test_it_is_said_once_and_counts_from_then_on(workspace: Workspace) -> None:
    one(workspace)
    assert said(workspace) == ["t: read config/x.yaml, which it does not declare; from now on it counts"]
    assert workspace.ok().ran == []

    workspace.write("config/x.yaml", "2\n")
    assert workspace.run("explain", "t").out == "t would run:\n  read config/x.yaml changed since run 1\n"
    (reason,) = json.loads(workspace.run("explain", "t", "--json").out)["tasks"][0]["reasons"]
    assert (reason["kind"], reason["what"], reason["text"]) == ("read", "config/x.yaml", "read config/x.yaml changed")
    ended = workspace.ok()
    assert ended.ran == ["t"]
    assert SAID not in ended.out  # it is known by now
    assert workspace.read("t.txt") == "2\n"


def test_an_edit_that_is_undone_is_restored(workspace: Workspace) -> None:
    one(workspace)
    workspace.ok()
    workspace.write("config/x.yaml", "2\n")
    workspace.ok()
    workspace.write("config/x.yaml", "1\n")
    ended = workspace.ok()
    assert (ended.ran, ended.restored) == ([], ["t"])
    assert workspace.read("t.txt") == "1\n"
    workspace.write("config/x.yaml", "2\n")
    assert workspace.ok().restored == ["t"]
    assert workspace.ok().restored == []


def test_the_store_answers_only_for_what_was_read(workspace: Workspace) -> None:
    """Its memory of what counts outlives the trace, as where another workspace shares the store."""
    one(workspace)
    workspace.ok()
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (workspace.root / ".mlbuild" / name).unlink(missing_ok=True)
    (workspace.root / "t.txt").unlink()
    assert workspace.ok().restored == ["t"]
    workspace.write("config/x.yaml", "2\n")
    assert workspace.ok().ran == ["t"]  # what was restored remembers too what it rests on


def test_a_file_that_is_gone_counts_as_changed(workspace: Workspace) -> None:
    one(
        workspace,
        """
        import os, sys

        text = open("config/x.yaml").read() if os.path.exists("config/x.yaml") else "none"
        open(sys.argv[1], "w").write(text)
        """,
    )
    workspace.ok()
    (workspace.root / "config/x.yaml").unlink()
    assert workspace.run("explain", "t").out == "t would run:\n  config/x.yaml, which it read, is gone since run 1\n"
    assert workspace.ok().ran == ["t"]
    assert workspace.read("t.txt") == "none"
    assert workspace.ok().ran == []


def test_other_files_count_after_an_edit_and_the_first_still_after_it_is_undone(workspace: Workspace) -> None:
    """Each set of files that a run read is looked up, not only the newest."""
    workspace.write("1.txt", "one\n")
    workspace.write("2.txt", "two\n")
    script = """
        import sys

        open(sys.argv[1], "w").write(open(open("config/x.yaml").read().strip() + ".txt").read())
        """
    one(workspace, script)
    workspace.ok()
    workspace.write("config/x.yaml", "2\n")
    assert said(workspace) == ["t: read 2.txt, which it does not declare; from now on it counts"]
    workspace.write("1.txt", "of no account now\n")
    assert workspace.ok().ran == []
    workspace.write("1.txt", "one\n")
    workspace.write("config/x.yaml", "1\n")
    assert workspace.ok().restored == ["t"]
    assert workspace.read("t.txt") == "one\n"


def test_a_result_that_rests_on_less_is_not_restored(workspace: Workspace) -> None:
    """A file that appears is seen by no reading; once it was read, what came without it can't stand for it."""
    script = """
        import os, sys

        names = ["config/x.yaml", "extra.txt"]
        open(sys.argv[1], "w").write("".join(open(name).read() for name in names if os.path.exists(name)))
        """
    one(workspace, script)
    workspace.ok()
    workspace.write("extra.txt", "more\n")
    assert workspace.ok("-B").ran == ["t"]
    workspace.write("extra.txt", "other\n")
    ended = workspace.ok()
    assert (ended.ran, ended.restored) == (["t"], [])
    assert workspace.read("t.txt") == "1\nother\n"


@pytest.mark.parametrize(
    "reading",
    [
        "open('data/x.csv').read()",
        "open(b'data/x.csv', 'rb').read()",
        "pathlib.Path('data/x.csv').read_text()",
        "open(pathlib.Path.cwd() / 'data' / '..' / 'data/x.csv').read()",
        "os.read(os.open('data/x.csv', os.O_RDONLY), 9)",
        "(os.chdir('data'), open('x.csv').read())",
        "pandas.read_csv('data/x.csv')",
        "subprocess.run([sys.executable, '-c', 'open(\"data/x.csv\").read()'], check=True)",
        "os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'cd data; exec python -c \"open(\\\\\"x.csv\\\\\")\"'],"
        " os.environ), 0)",
        "multiprocessing.get_context('spawn').Pool(1).map(len, [1][:0]) or"
        " multiprocessing.get_context('fork').Pool(1).map(pathlib.Path.read_text, [pathlib.Path('data/x.csv')])",
        "multiprocessing.get_context('spawn').Pool(1).map(pathlib.Path.read_text, [pathlib.Path('data/x.csv')])",
        "threading.Thread(target=lambda: open('data/x.csv').read()).start()",
    ],
)
def test_however_it_is_read(workspace: Workspace, reading: str) -> None:
    modules = {"pathlib", "os", "sys", "pandas", "subprocess", "multiprocessing", "threading"}
    used = ", ".join(sorted(module for module in modules if f"{module}." in reading))
    script = f"{f'import {used}' if used else ''}\nif __name__ == '__main__':\n    {reading}\n"
    workspace.write("data/x.csv", "a\n1\n")
    workspace.write("make.py", script)
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: python make.py && touch {outputs}\n')
    assert said(workspace) == ["t: read data/x.csv, which it does not declare; from now on it counts"]


def test_modules_however_they_are_imported(workspace: Workspace) -> None:
    """Also where a compiled form is read instead of the source, and wherever that is kept."""
    workspace.write("lib/a.py", "import importlib\n\nTEXT = importlib.import_module('lib.' + 'b').TEXT\n")
    workspace.write("lib/b.py", "import importlib\n\nTEXT = importlib.import_module('lib.' + 'c').TEXT\n")
    workspace.write("lib/c.py", "TEXT = 'c'\n")
    workspace.write("make.py", "import importlib, sys\nmodule = importlib.import_module('lib.' + 'a')\n")
    workspace.pipeline(
        'target t:\n    outputs: "t.txt"\n    run: python make.py && touch {outputs}\n'
        'target u:\n    outputs: "u.txt"\n    environ: PYTHONPYCACHEPREFIX = "elsewhere"\n'
        "    run: python make.py && touch {outputs}\n"
    )
    read = "read lib/a.py, lib/b.py, lib/c.py, which it does not declare; from now on they count"
    env = {"PYTHONDONTWRITEBYTECODE": ""}
    for goal in ("t", "u"):
        assert f"{goal}: {read}" in workspace.ok(goal, env=env).out
        workspace.write("lib/c.py", f"TEXT = 'changed for {goal}'\n")
        ended = workspace.ok(goal, env=env)
        assert ended.ran == [goal]
        assert "read" not in ended.out
    assert workspace.exists("lib/__pycache__")
    assert workspace.exists("elsewhere")


PART = """
    N = 1


    def work():
        print("one")


    if __name__ == "__main__":
        work()
    """


@pytest.mark.parametrize(
    "other",
    [
        "python -c 'import part; part.work()'",
        "python -mpart",
        "python - <<EOF\nimport part\npart.work()\nEOF",
        "bash go.sh",
        "python -c 'import make; make.unreached()'",
        "python -c 'import subprocess, sys; subprocess.run([sys.executable, \"-mpart\"], check=True)'",
    ],
)
def test_a_program_that_the_recipe_does_not_name_reads_all_of_a_module(workspace: Workspace, other: str) -> None:
    workspace.write("part.py", PART)
    workspace.write("go.sh", "python part.py\n")
    script = 'import part\n\n\ndef unreached():\n    part.work()\n\n\nif __name__ == "__main__":\n    print(part.N)\n'
    recipe = f"python make.py > {{outputs}}\n({other}\n) >> {{outputs}}"
    one(workspace, script, 'target t:\n    outputs: "t.txt"\n    run:\n' + indent(recipe, " " * 8) + "\n")
    (text,) = said(workspace)
    assert "part.py, which it does not declare" in text or "make.py, part.py, which it does not declare" in text
    assert workspace.ok().ran == []

    workspace.write("part.py", PART.replace("one", "two"))
    assert workspace.run("explain", "t").out == "t would run:\n  read part.py changed since run 1\n"
    assert workspace.ok().ran == ["t"]
    assert workspace.read("t.txt") == "1\ntwo\n"
    workspace.write("part.py", PART)
    assert workspace.ok().restored == ["t"]


def test_workers_of_a_program_are_its_own(workspace: Workspace) -> None:
    workspace.write("part.py", PART + "\n\n    def double(x):\n        return 2 * x\n")
    script = """
        import multiprocessing
        from part import double

        if __name__ == "__main__":
            for way in ("spawn", "forkserver", "fork"):
                with multiprocessing.get_context(way).Pool(1) as pool:
                    print(pool.map(double, [1]))
        """
    recipes = ("python make.py", "python -u -X dev -W ignore ./make.py", "python -m make")
    targets = [
        f'target t{number}:\n    outputs: "t{number}.txt"\n    run: ({recipe}) > {{outputs}}\n'
        for number, recipe in enumerate(recipes)
    ]
    one(workspace, script, "default t0, t1, t2\n" + "".join(targets))
    assert said(workspace) == []
    workspace.write("part.py", workspace.read("part.py").replace("one", "two"))
    assert workspace.ok().ran == []


def test_recipes_in_python(workspace: Workspace) -> None:
    workspace.write("x.txt", "1")
    workspace.pipeline(
        'target t:\n    outputs: "t.txt"\n    run python:\n'
        '        open(outputs, "w").write(open("x" + ".txt").read())\n'
    )
    assert said(workspace) == ["t: read x.txt, which it does not declare; from now on it counts"]


def test_what_does_not_count(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is declared, what it makes, what it writes itself, hidden folders, installed packages, other places."""
    outside = tmp_path_factory.mktemp("outside") / "x.txt"
    outside.write_text("x")
    for path in ("in.txt", "data/a/b.txt", "lib/mod.py", "uv.lock", ".hidden/x.txt", "env/lib/site-packages/p.py"):
        workspace.write(path, "x = 1\n")
    workspace.write("params.yaml", "lr: 1\n")
    workspace.write(
        "make.py",
        f"""
        import os, sys

        for path in ("in.txt", "data/a/b.txt", "lib/mod.py", "uv.lock", ".hidden/x.txt", "env/lib/site-packages/p.py"):
            open(path).read()
        open({str(outside)!r}).read()
        open("params.yaml").read()
        open("scratch.txt", "w").write("x")
        open("scratch.txt").read()
        open("made-by-shell.txt").read()
        open("state.txt", "a+").read()
        open("replaced.txt").read()
        open("fresh.txt", "w").write("x")
        os.replace("fresh.txt", "replaced.txt")
        open("removed.txt").read()
        os.remove("removed.txt")
        open("out/t.txt", "w").write("x")
        open("out/t.txt").read()
        os.listdir(".")
        """,
    )
    for path in ("state.txt", "replaced.txt", "removed.txt"):
        workspace.write(path, "old\n")
    workspace.pipeline(
        """
        params "params.yaml"

        target t:
            inputs: "in.txt", "data/"
            code: "lib/mod.py"
            requires: "uv.lock"
            params: params.lr
            outputs: "out/"
            run: echo x > made-by-shell.txt; python make.py
        """
    )
    assert said(workspace) == []


def test_code_that_does_not_count_does_not_when_it_is_read(workspace: Workspace) -> None:
    workspace.write("lib.py", "x = 1\n")
    one(workspace, 'import sys\n\nimport lib\n\nopen(sys.argv[1], "w").write(open("config/x.yaml").read())\n')
    workspace.pipeline(ONE.replace("run:", "code: none\n        run:"))
    assert said(workspace) == ["t: read config/x.yaml, which it does not declare; from now on it counts"]
    for path in ("lib.py", "make.py"):
        workspace.write(path, "raise SystemExit(1)\n")
    assert workspace.ok().ran == []


def test_what_another_task_makes_is_a_missing_input(workspace: Workspace) -> None:
    workspace.write("make.py", 'open("made.txt").read()\n')
    workspace.pipeline(
        """
        target all:
            inputs: made, t

        target made:
            outputs: "made.txt"
            run: echo 1 > {outputs}

        target t:
            after: made
            outputs: "t.txt"
            run: python make.py && touch {outputs}
        """
    )
    text = "t: read made.txt, which `made` makes: add it to `inputs:`; from now on it counts"
    assert said(workspace, "all") == [text]


def test_many_files_are_counted_and_a_target_speaks_once(workspace: Workspace) -> None:
    for number in range(5):
        workspace.write(f"data/{number}.txt", "x")
    workspace.write("make.py", 'for number in range(5):\n    open(f"data/{number}.txt").read()\n')
    workspace.pipeline(
        """
        partition k: ["a", "b"]

        target t[k]:
            outputs: "{k}.txt"
            run: python make.py && touch {outputs}
        """
    )
    (text,) = said(workspace, "-j1")
    assert text == "t[a]: read data/0.txt, data/1.txt, data/2.txt and 2 more, " + SAID + " they count"
    workspace.write("data/4.txt", "y")
    assert workspace.ok().ran == ["t[a]", "t[b]"]


def test_each_key_counts_what_it_read(workspace: Workspace) -> None:
    workspace.write("data/a.txt", "1")
    workspace.write("data/b.txt", "1")
    workspace.write("make.py", "import sys\nopen(f'data/{sys.argv[1]}.txt').read()\n")
    workspace.pipeline(
        """
        partition k: ["a", "b"]

        target t[k]:
            outputs: "{k}.txt"
            run: python make.py {k} && touch {outputs}
        """
    )
    workspace.ok()
    workspace.write("data/b.txt", "2")
    assert workspace.ok().ran == ["t[b]"]


def test_a_file_that_changes_while_it_is_used(workspace: Workspace) -> None:
    """The result is kept, but never taken for that of what stands there now; the store does not have it."""
    one(
        workspace,
        """
        import os, subprocess, sys

        text = open("config/x.yaml").read()
        if text == "1\\n":
            subprocess.run("echo 2 > config/x.yaml", shell=True, check=True)
        open(sys.argv[1], "w").write(text)
        """,
    )
    os.utime(workspace.root / "config/x.yaml", (1, 1))
    workspace.ok()
    assert workspace.read("t.txt") == "1\n"
    assert "read config/x.yaml changed" in workspace.run("explain", "t").out
    ended = workspace.ok()
    assert (ended.ran, ended.restored) == (["t"], [])
    assert workspace.read("t.txt") == "2\n"
    workspace.write("config/x.yaml", "3\n")
    workspace.write("config/x.yaml", "1\n")
    assert workspace.ok().restored == []


def test_what_a_killed_process_read(workspace: Workspace) -> None:
    one(
        workspace,
        'import os, signal\nopen("config/x.yaml").read()\nos.kill(os.getpid(), signal.SIGKILL)\n',
        'target t:\n    outputs: "t.txt"\n    run: python make.py || touch {outputs}\n',
    )
    assert said(workspace) == ["t: read config/x.yaml, which it does not declare; from now on it counts"]


def test_a_build_that_is_killed_leaves_its_readings_to_the_next(workspace: Workspace) -> None:
    one(
        workspace,
        """
        import os, sys, time

        text = open("config/x.yaml").read()
        open("reading", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)
        open(sys.argv[1], "w").write(text)
        """,
    )
    process = workspace.start()
    workspace.wait_for("reading")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    workspace.write("go", "")
    ended = workspace.ok()
    assert "t: read config/x.yaml, which it does not declare; from now on it counts" in ended.out
    workspace.write("config/x.yaml", "2\n")
    assert workspace.ok().ran == ["t"]
    assert not list(workspace.root.glob(".mlbuild/runs/*/logs/*.opened"))


def test_switched_off(workspace: Workspace) -> None:
    one(workspace)
    workspace.write("mlbuild.toml", 'observe = "off"\n')
    assert said(workspace) == []
    workspace.write("config/x.yaml", "2\n")
    assert workspace.ok().ran == []
    workspace.write("mlbuild.toml", "")
    assert workspace.ok("-B").ran == ["t"]
    workspace.write("mlbuild.toml", 'observe = "off"\n')
    workspace.write("config/x.yaml", "3\n")
    assert workspace.ok().ran == []  # what was seen before does not count either
    workspace.write("mlbuild.toml", "")
    assert workspace.ok().ran == ["t"]


def test_what_is_declared_later_does_not_run_for_that(workspace: Workspace) -> None:
    one(workspace)
    workspace.ok()
    workspace.pipeline(ONE.replace("run:", 'code: "config/x.yaml"\n        run:'))
    assert workspace.ok().ran == []
    workspace.write("config/x.yaml", "2\n")
    assert workspace.run("explain", "t").out == "t would run:\n  code config/x.yaml changed since run 1\n"
    assert said(workspace) == []


def test_an_edit_that_is_accepted(workspace: Workspace) -> None:
    """What was read still counts after it."""
    one(workspace)
    workspace.ok()
    workspace.write("config/x.yaml", "2\n")
    assert workspace.run("accept", "t", "--because", "no matter").status == 0
    assert workspace.ok().ran == []
    workspace.write("config/x.yaml", "3\n")
    assert workspace.ok().ran == ["t"]


def test_the_path_of_python_is_kept(workspace: Workspace) -> None:
    """Recipes see the PYTHONPATH that they were given, and a `sitecustomize` on it runs."""
    workspace.write("theirs/sitecustomize.py", "import sys\n\nsys.flag = 'set by theirs'\n")
    workspace.write("theirs/helper.py", "")
    workspace.write(
        "make.py",
        """
        import sys

        import helper
        import sitecustomize

        assert sys.flag == "set by theirs"
        assert sitecustomize.__file__.endswith("theirs/sitecustomize.py"), sitecustomize.__file__
        assert not [folder for folder in sys.path if folder.endswith("mlbuild/observe")]
        open("x.txt").read()
        """,
    )
    workspace.write("x.txt", "")
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: python make.py && touch {outputs}\n')
    ended = workspace.ok(env={"PYTHONPATH": f"{Path(__file__).parent.parent}:{workspace.root / 'theirs'}"})
    # What of it is a module of the workspace counts as code already.
    assert f"t: read x.txt, {SAID} it counts" in ended.out


def test_a_broken_sitecustomize_of_theirs_is_theirs(workspace: Workspace) -> None:
    workspace.write("theirs/sitecustomize.py", "import no_such_module_at_all\n")
    workspace.pipeline(
        'target t:\n    outputs: "t.txt"\n    run: python -c "import sys; print(sys.path)" && touch {outputs}\n'
    )
    path = f"{Path(__file__).parent.parent}:{workspace.root / 'theirs'}"
    workspace.ok(env={"PYTHONPATH": path})
    assert "No module named 'no_such_module_at_all'" in workspace.run("log", "t", env={"PYTHONPATH": path}).out


def test_pythons_that_take_no_notes(workspace: Workspace) -> None:
    """Isolated ones, and those whose PYTHONPATH the recipe sets anew, run as ever, and nothing is known of them."""
    one(workspace)
    for python in ("python -I", "python -E", "python -S", "PYTHONPATH= python"):
        workspace.pipeline(ONE.replace("python", python))
        assert said(workspace) == []


def test_the_hook_breaks_nothing(tmp_path: Path) -> None:
    """Not by a note that can't be written, nor by odd ways to open a file, nor by a program that closes all files."""
    hook = Path(__file__).parent.parent / "mlbuild" / "observe"
    program = """
import os, sys, threading
os.closerange(3, 100)
kept = [open(f"{number}.txt", "w+") for number in range(20)]
os.open(b"0.txt", os.O_RDONLY), open(kept[0].fileno()), os.fdopen(os.dup(1), "w")
for path in ("no-such-file", "a\\0b", 99, None, "\\udcff"):
    try:
        open(path)
    except (OSError, ValueError, TypeError):
        pass
sys.audit("open"), sys.audit("open", 1, 2, 3), sys.audit("exec", None)
threads = [threading.Thread(target=lambda: [open(f"{n}.txt").read() for n in range(20)]) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
if os.fork() == 0:
    open("0.txt").read()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
assert all(os.path.getsize(f"{number}.txt") == 0 for number in range(20))
"""
    for notes in (tmp_path / "notes", tmp_path / "no" / "folder", Path("/dev/full")):
        env = {"PYTHONPATH": str(hook), "MLBUILD_NOTES": str(notes), "MLBUILD_JOB": f"1-1 {tmp_path}"}
        ended = subprocess.run([sys.executable, "-c", program], env=env, cwd=tmp_path, capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, "")


def test_an_unknown_setting(workspace: Workspace) -> None:
    one(workspace)
    workspace.write("mlbuild.toml", "observe = false\n")
    assert workspace.build().err == (
        'mlbuild.toml:1:1: error: `observe` must be "on" or "off"\n  1 | observe = false\n    | ^^^^^^^\n'
    )


def test_a_workspace_behind_a_link(workspace: Workspace) -> None:
    one(workspace)
    link = workspace.root.parent / f"{workspace.root.name}-link"
    link.symlink_to(workspace.root)
    assert said(Workspace(link)) == ["t: read config/x.yaml, which it does not declare; from now on it counts"]
