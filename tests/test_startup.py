"""What a command loads, and how it may be started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from workspace import Workspace

ROOT = Path(__file__).parent.parent

LISTING = "import sys, atexit; atexit.register(lambda: print('LOADED', *sorted(sys.modules), file=sys.stderr))"


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The modules in `sys.modules` at the end of a command."""
    code = f"{LISTING}; from mlbuild.cli.main import main; sys.exit(main({list(arguments)!r}))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    # -S: what a virtual environment's .pth files load is not ours.
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    return set(ended.stderr.rpartition("LOADED")[2].split())


def before(folder: Path) -> set[str]:
    """What the interpreter itself loads here, `.pth` files and all."""
    ended = subprocess.run([sys.executable, "-c", LISTING], cwd=folder, capture_output=True, text=True, check=True)
    return set(ended.stderr.rpartition("LOADED")[2].split())


def test_version_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    heavy = {"lark", "rich", "fsspec", "sqlite3", "argparse", "re", "dataclasses"}
    assert not (loaded(tmp_path, "--version") - before(tmp_path)) & heavy


def test_a_build_with_nothing_to_do_and_status_load_neither_rich_nor_fsspec(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo > {outputs}\n')
    workspace.ok()
    assert not loaded(workspace.root) & {"rich", "fsspec"}
    assert not loaded(workspace.root, "status") & {"rich", "fsspec"}


def test_what_runs_jobs_on_a_cluster_is_loaded_only_for_a_job_that_is_for_it(workspace: Workspace) -> None:
    here = 'target t:\n    outputs: "t.txt"\n    run: echo > {outputs}\n'
    workspace.pipeline("executor gpu: slurm()\n" + here)
    for arguments in (["t"], ["status"], ["log", "t"], ["cancel"]):
        assert "mlbuild.executors.slurm.executor" not in loaded(workspace.root, *arguments)
    code = "from mlbuild.executors.slurm import executor"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0, "it goes by another name now"


def test_version() -> None:
    ended = subprocess.run([sys.executable, "-m", "mlbuild", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout == "mlbuild 0.1.0\n"


def test_the_library_is_loaded_when_it_is_used(tmp_path: Path) -> None:
    code = "import sys, mlbuild; assert 'mlbuild.app' not in sys.modules; mlbuild.build; sys.modules['mlbuild.app']"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


def test_the_public_surface() -> None:
    import mlbuild

    for name in mlbuild.__all__:
        assert getattr(mlbuild, name)
    with pytest.raises(AttributeError):
        mlbuild.nothing  # noqa: B018


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_installed(kind: str, tmp_path: Path) -> None:
    """The grammar and the command are there in every way of installing."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", venv], check=True)
    python = str(venv / "bin/python")
    what = [str(ROOT)]
    if kind == "editable":
        what = ["-e", str(ROOT)]
    elif kind == "sdist":
        build = "import hatchling.build as b, sys; print(b.build_sdist(sys.argv[1]))"
        name = subprocess.run(
            [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split()[-1]
        what = [str(tmp_path / name)]
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--ignore-installed"]
    subprocess.run([*pip, "--no-build-isolation", *what], check=True, env=_with_own_packages())
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pipelinefile").write_text('target t:\n    outputs: "t.txt"\n    run: echo > {outputs}\n')
    ended = subprocess.run(
        [str(venv / "bin/mlbuild")], cwd=folder, capture_output=True, text=True, env=_with_own_packages()
    )
    assert ended.returncode == 0, ended.stderr
    assert (folder / "t.txt").exists()


def _with_own_packages() -> dict[str, str]:
    """The test environment's packages for a fresh virtual environment, so that nothing is downloaded."""
    import lark

    return {**os.environ, "PYTHONPATH": str(Path(lark.__file__).parent.parent)}


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(workspace: Workspace, closed: str) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: cat > t.txt; echo done; echo >> t.txt\n')
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = f'"{sys.executable}" -m mlbuild {closed}'
    subprocess.run(["bash", "-c", command], cwd=workspace.root, env=env, check=True)
    assert workspace.read("t.txt") == "\n"


@pytest.mark.parametrize("command", ["status", "build", "check"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_takes(workspace: Workspace, command: str, unbuffered: str) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo > t.txt\n')
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    for place, status, words in (("> /dev/full", 1, "error: No space left on device\n"), ("| true", 141, "")):
        text = f'set -o pipefail; (sleep 0.2; "{sys.executable}" -m mlbuild {command}) {place}'
        ended = subprocess.run(["bash", "-c", text], cwd=workspace.root, env=env, capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (status, words)
    assert workspace.ok().status == 0


def test_output_in_an_encoding_that_lacks_a_character(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    """é"""\n    outputs: "é.txt"\n    run: echo é; false\n')
    ended = workspace.run(env={"PYTHONIOENCODING": "ascii"})
    assert ended.status == 1, ended.err
    assert "\\xe9" in ended.out


def test_the_kept_grammar_may_be_gone_broken_or_barred(workspace: Workspace) -> None:
    workspace.pipeline('target t:\n    outputs: "t.txt"\n    run: echo > {outputs}\n')
    env = {"XDG_CACHE_HOME": str(workspace.root / "cache")}
    kept = workspace.root / "cache/mlbuild/grammar.pickle"
    for spoil in (lambda: None, kept.unlink, lambda: kept.write_bytes(b"not a pickle"), lambda: kept.write_bytes(b"")):
        spoil()
        assert workspace.run("check", env=env).status == 0
        assert kept.stat().st_size > 10_000
    assert workspace.run("check", env={"XDG_CACHE_HOME": "/proc/none"}).status == 0
