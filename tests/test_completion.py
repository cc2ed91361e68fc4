"""What shells complete behind `mlbuild`: asked of the real shells, where they are installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_startup import loaded
from workspace import Workspace

from mlbuild.cli.candidates import COMMON, OPTIONS
from mlbuild.cli.commands import COMMANDS
from mlbuild.cli.completion import SCRIPTS

ROOT = Path(__file__).parents[1]
PIPELINE = """
    param epochs = 20   # how long
    include "more.pipe"
    partition model: ["logistic", "boosted", "odd key"]
    partition clock: ["1:00"]
    executor small: local(jobs = 1)

    target train[model]:
        \"\"\"A model.\"\"\"
        outputs: "models/{model}"
        run: echo > {outputs}

    target tidy:
        run: true

    target hourly[clock]:
        outputs: "{clock}"
        run: echo > {outputs}
"""


@pytest.fixture
def typed(workspace: Workspace) -> Workspace:
    workspace.pipeline(PIPELINE)
    workspace.write("more.pipe", "param lr = 0.1\ntarget report:\n    run: true\n")
    shim = workspace.write("bin/mlbuild", f'#!/bin/sh\nexec {sys.executable} -m mlbuild "$@"\n')
    shim.chmod(0o755)
    return workspace


def candidates(workspace: Workspace, *words: str) -> list[str]:
    ended = workspace.run("__complete", *words)
    assert (ended.status, ended.err) == (0, "")
    return [line.partition("\t")[0] for line in ended.out.splitlines()]


def test_the_first_word(typed: Workspace) -> None:
    assert candidates(typed, "") == [*COMMANDS, "epochs=", "lr=", "report", "train", "tidy", "hourly"]
    assert candidates(typed, "t") == ["train", "tidy"]
    assert candidates(typed, "st") == ["status", "store"]
    assert candidates(typed, "store", "") == ["stats", "gc", "verify"]
    assert "train\tA model." in typed.run("__complete", "tr").out


def test_later_words(typed: Workspace) -> None:
    assert candidates(typed, "status", "") == ["epochs=", "lr=", "report", "train", "tidy", "hourly"]
    assert candidates(typed, "-k", "r") == ["report"]
    assert candidates(typed, "executors", "") == ["local", "small"]
    assert candidates(typed, "executors", "--t") == ["--test"]
    assert candidates(typed, "completion", "") == ["bash", "zsh", "fish"]
    assert candidates(typed, "fmt", "") == []
    assert candidates(typed, "-C", ".", "st") == ["status", "store"]
    assert candidates(typed, "-C", ".", "store", "") == ["stats", "gc", "verify"]
    assert candidates(typed, "help", "st") == ["status", "store"]


def test_tasks(typed: Workspace) -> None:
    assert candidates(typed, "train[") == ["train[logistic]", "train[boosted]", 'train["odd key"]']
    assert candidates(typed, "explain", "'train[b") == ["train[boosted]"]
    assert candidates(typed, "nothing[") == []


def test_options(typed: Workspace) -> None:
    assert candidates(typed, "build", "--n") == ["--no-keep-going", "--no-color"]
    assert candidates(typed, "graph", "--fo") == ["--format"]
    assert candidates(typed, "graph", "--format", "m") == ["mermaid"]
    assert candidates(typed, "--on", "") == ["local", "small"]
    assert candidates(typed, "--max-active", "") == []
    assert candidates(typed, "--file", "") == []
    assert candidates(typed, "epochs", "=", "2") == []


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "completion"])
def test_the_options_of_each_command_are_those_that_it_has(command: str, typed: Workspace) -> None:
    known = set(re.findall(r"(?<![\w-])--[a-z-]+", typed.run(command, "--help").out.partition("\n\n")[2]))
    assert known == {*OPTIONS.get(command, ()), *COMMON}


def test_it_is_silent_and_quick_whatever_the_pipelinefile(typed: Workspace) -> None:
    typed.pipeline("target good:\n  run: true\n include [ \ntarget x[\n")
    assert candidates(typed, "g") == ["graph", "good"]
    assert candidates(typed, "good[") == []
    (typed.root / "Pipelinefile").write_bytes(b"target z:\n\xff\0\n")
    assert candidates(typed, "z") == ["z"]
    (typed.root / "Pipelinefile").unlink()
    assert candidates(typed, "x") == []
    assert candidates(typed, "-f", "nowhere", "x") == []
    assert not loaded(typed.root, "__complete", "t") & {"lark", "argparse", "mlbuild.app"}


# --- The shells


def shell(workspace: Workspace, *words: str) -> str:
    path = f"{workspace.root / 'bin'}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(workspace.root), "TERM": "dumb"}
    ended = subprocess.run(words, cwd=workspace.root, env=env, capture_output=True, text=True, timeout=60)
    return ended.stdout


def bash(workspace: Workspace, *words: str) -> list[str]:
    """What bash would offer for the last of these words."""
    workspace.write("completion", SCRIPTS["bash"])
    script = (
        'source completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
        '_mlbuild mlbuild "${@: -1}" 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return shell(workspace, "bash", "--norc", "-c", script, "bash", *words).splitlines()


def test_bash(typed: Workspace) -> None:
    assert bash(typed, "mlbuild", "t") == ["train", "tidy"]
    assert bash(typed, "mlbuild", "ep") == ["epochs="]
    assert bash(typed, "mlbuild", "train[l") == [r"train\[logistic\]"]
    assert bash(typed, "mlbuild", "'train[l") == ["train[logistic]"]
    assert bash(typed, "mlbuild", r"train\[") == [r"train\[logistic\]", r"train\[boosted\]", r"train\[\"odd\ key\"\]"]
    assert bash(typed, "mlbuild", "epochs", "=", "3") == [""]
    assert bash(typed, "mlbuild", "hourly[") == [""]


def test_fish(typed: Workspace) -> None:
    typed.write("completion", SCRIPTS["fish"])

    def fish(line: str) -> list[str]:
        return shell(typed, "fish", "--no-config", "-c", f'source completion; complete -C "{line}"').splitlines()

    assert fish("mlbuild t") == ["tidy", "train\tA model."]
    assert fish("mlbuild graph --format d") == ["dot"]
    assert fish("mlbuild status 'train[b") == ["train[boosted]"]
    assert fish("mlbuild fmt mo") == ["more.pipe"]


ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -U compinit; compinit -u -D; source ./completion; bindkey "^I" complete-word'
zpty -w shell 'save() { print -r -- "$BUFFER" > new; mv new typed }; zle -N save; bindkey "^X" save; print READY'
while zpty -r shell line; do [[ $line == READY* ]] && break; done
zpty -n -w shell "$1"$'\t\C-x'
for n in {1..300}; do [[ -e typed ]] && break; sleep 0.1; done
cat typed; rm typed
"""
"""Types a line and a tab into a zsh, and prints what then stands on its command line."""


def test_zsh(typed: Workspace) -> None:
    typed.write("completion", SCRIPTS["zsh"])
    typed.write("drive", ZSH)

    def zsh(line: str) -> str:
        return shell(typed, "zsh", "-f", "drive", line).strip()

    assert zsh("mlbuild tid") == "mlbuild tidy"
    assert zsh("mlbuild status ep") == "mlbuild status epochs="
    assert zsh("mlbuild 'train[l") == "mlbuild 'train[logistic]'"


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_can_be_read(name: str, typed: Workspace) -> None:
    ended = typed.run("completion", name)
    assert ended.out == SCRIPTS[name].lstrip("\n")
    if shutil.which(name):
        typed.write("script", ended.out)
        subprocess.run([name, "-n", typed.root / "script"], check=True)


def test_no_shell_is_named(typed: Workspace) -> None:
    ended = typed.run("completion")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("usage: mlbuild completion bash|zsh|fish\n")
