"""The examples that train in epochs: told to stop in the midst of it, they go on as if they never had been."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_examples import EXAMPLES, LEFT_BEHIND
from workspace import Workspace


@dataclass(frozen=True)
class Training:
    """An example that trains.

    Attributes:
        variable: names the file to which the script writes what it computes, a line each.
        lines: of a whole run.
        result: the file that is to be the same, bit for bit.
        script: what is edited.
        logs: its line after which it is sent TERM.
        send: the line that sends that, twice in a run.
        restores: what in it restores the state of the random numbers.
    """

    name: str
    variable: str
    lines: list[str]
    result: str
    script: str
    logs: str
    send: str
    restores: str = ""


BATCHES = [f"{epoch} {batch}" for epoch in range(8) for batch in range(1, 13)]
TRAININGS = [
    Training(
        *("checkpoints", "EPOCHS_LOG", [str(epoch) for epoch in range(1, 401)], "build/line.txt", "fit.sh"),
        '    [ -z "${EPOCHS_LOG:-}" ] || echo "${state%% *}" >> "$EPOCHS_LOG"\n',
        "    case ${state%% *} in 2 | 7) kill -TERM $$ ;; esac\n",
    ),
    Training(
        *("flights-epochs", "EPOCHS_LOG", [str(epoch) for epoch in range(1, 21)], "build/metrics.json", "train.py"),
        "        log(done)\n",
        "        if done in [2, 7]: os.kill(os.getpid(), 15)\n",
        'random.set_state(state["random"])',
    ),
    Training(
        *("torch", "BATCHES_LOG", BATCHES, "build/metrics.json", "train.py"),
        "            log(epoch, batch)\n",
        "            if epoch * batches + batch in [2, 7]: os.kill(os.getpid(), 15)\n",
        'torch.set_rng_state(state["random"])',
    ),
]


def copy(training: Training, folder: Path, *edits: tuple[str, str]) -> Workspace:
    """The example in a folder of its own, with some replacements in its script."""
    shutil.copytree(EXAMPLES / training.name, folder, ignore=LEFT_BEHIND)
    workspace = Workspace(folder)
    for old, new in edits:
        text = workspace.read(training.script)
        assert text.count(old) == 1
        (folder / training.script).write_text(text.replace(old, new))
    return workspace


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.name)
def test_told_to_stop_it_goes_on_as_if_it_had_not_been(training: Training, tmp_path: Path) -> None:
    """It computes nothing twice and comes to the same; and not to the same if it forgets its random numbers."""
    env = {training.variable: "computed"}
    whole = copy(training, tmp_path / "whole")
    whole.ok(env=env)
    assert whole.lines("computed") == training.lines

    told = training.logs, training.logs + training.send
    stopped = copy(training, tmp_path / "stopped", told)
    assert len(stopped.ok(env=env).tasks("task_preempted")) == 2
    assert stopped.lines("computed") == training.lines
    assert stopped.read(training.result) == whole.read(training.result)

    if training.restores:
        once = training.logs, training.logs + training.send.replace("[2, 7]", "[2]")
        careless = copy(training, tmp_path / "careless", once, (training.restores, "pass"))
        assert len(careless.ok(env=env).tasks("task_preempted")) == 1
        assert careless.lines("computed") == training.lines
        assert careless.read(training.result) != whole.read(training.result)


def test_more_epochs_and_less_again(tmp_path: Path) -> None:
    """20 → 40 → 20, another rate and back: by the script's own log; and what came of it at once."""
    training = TRAININGS[1]
    whole, grown = (copy(training, tmp_path / name) for name in ("whole", "grown"))
    env = {training.variable: "computed"}
    whole.ok("epochs=40", env=env)
    grown.ok(env=env)
    twenty = grown.read(training.result)
    grown.ok("epochs=40", env=env)
    assert grown.lines("computed") == whole.lines("computed") == [str(epoch) for epoch in range(1, 41)]
    assert grown.read(training.result) == whole.read(training.result)
    ended = grown.ok(env=env)
    assert (ended.ran, ended.restored) == ([], ["train"])
    assert grown.read(training.result) == twenty
    (grown.root / "computed").unlink()
    grown.ok("rate=0.02", env=env)
    assert grown.lines("computed") == training.lines
    grown.ok("epochs=41", env=env)
    assert grown.lines("computed") == [*training.lines, "41"]
