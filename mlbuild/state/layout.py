"""Every path under `.mlbuild/`, named once."""

from __future__ import annotations

import os
from contextlib import suppress
from glob import escape, glob
from shutil import rmtree

from mlbuild.digest import digest_bytes
from mlbuild.errors import StateError

FOLDER = ".mlbuild"


class Layout:
    """Where the state of a workspace lies.

    Args:
        workspace: the absolute folder of the Pipelinefile.
    """

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace
        self.root = os.path.join(workspace, FOLDER)
        self.journal = os.path.join(self.root, "journal.db")
        self.store = os.path.join(self.root, "store")
        self.runs = os.path.join(self.root, "runs")
        self.failed = os.path.join(self.root, "failed")
        self.tmp = os.path.join(self.root, "tmp")
        self.jobs = os.path.join(self.root, "jobs")
        """Where attempts on other nodes meet their builds, each in a folder of its own."""
        self.job_results = os.path.join(self.jobs, "results")

    def create(self) -> None:
        """Make the folders, ignoring themselves for git. Raises StateError if the disk does not let us."""
        try:
            for folder in (self.store, self.runs, self.failed, self.tmp):
                os.makedirs(folder, exist_ok=True)
            ignore = os.path.join(self.root, ".gitignore")
            if not os.path.exists(ignore):
                with open(ignore, "w") as file:
                    file.write("*\n")
        except OSError as error:
            raise StateError(f"can't write to {self.root}: {error.strerror}") from None

    def exists(self) -> bool:
        return os.path.exists(self.journal)

    def run(self, run: int) -> str:
        """The folder of one build."""
        return os.path.join(self.runs, str(run))

    def run_lock(self, run: int) -> str:
        """Held by the driver of a build for as long as it lives."""
        return os.path.join(self.run(run), "driver.lock")

    def events(self, run: int) -> str:
        """What happened in a build that left its terminal: there is such a file for no other."""
        return os.path.join(self.run(run), "events.jsonl")

    def driver_log(self, run: int) -> str:
        """What the driver of such a build would have written to the terminal beside its events: of what it died."""
        return os.path.join(self.run(run), "driver.log")

    def log(self, run: int, attempt: str) -> str:
        return os.path.join(self.run(run), "logs", f"{attempt}.log")

    def notes(self, attempt: str) -> str:
        """Where an attempt notes what it opens, relative to the workspace; its run is the first part of its name."""
        return f"{FOLDER}/runs/{attempt.partition('-')[0]}/logs/{attempt}.opened"

    def progress(self, attempt: str) -> str:
        """Where an attempt reports how far it is."""
        return os.path.join(self.run(int(attempt.partition("-")[0])), "logs", f"{attempt}.progress")

    def given(self, attempt: str) -> str:
        """Where an attempt learns what its task is."""
        return os.path.join(self.tmp, f"{attempt}.task")

    def list_file(self, attempt: str, number: int, ending: str) -> str:
        """What `{x:file}` names, relative to the workspace."""
        return f"{FOLDER}/tmp/{attempt}-{number}.{ending}"

    def copy_of(self, url: str) -> str:
        """Where `local(url)` is put, relative to the workspace."""
        name = url.rstrip("/").rpartition("/")[2].partition("?")[0] or "file"
        return f"{FOLDER}/copies/{digest_bytes(url.encode(errors='surrogateescape'))[:16]}/{name}"

    def fresh_failed(self, path: str, attempt: str) -> str:
        """Where an output of a failed attempt goes; a name that is not taken."""
        base = os.path.join(self.failed, attempt, path.strip("/").replace("..", "__"))
        place, number = base, 1
        while os.path.lexists(place):
            place, number = f"{base}.{number}", number + 1
        return place

    def drop_lists(self, attempt: str) -> None:
        """What was only there for the attempt: the files of `{x:file}`, its notes, its task and its progress."""
        for path in (os.path.join(self.workspace, self.notes(attempt)), self.given(attempt), self.progress(attempt)):
            with suppress(FileNotFoundError):
                os.unlink(path)
        number = 0
        while found := glob(os.path.join(escape(self.tmp), f"{attempt}-{number}.*")):
            for path in found:
                os.unlink(path)
            number += 1

    def drop_job(self, attempt: str) -> None:
        """What an attempt on another node and its build had to say to each other; it goes at once, for a job that still
        looks for work must not find its note and no claim on it."""
        if os.path.isdir(self.jobs):
            gone = os.path.join(self.jobs, f".{attempt}")
            with suppress(OSError):
                os.rename(os.path.join(self.jobs, attempt), gone)
            rmtree(gone, ignore_errors=True)
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self.job_results, attempt))

    def drop_empty_run(self, run: int) -> None:
        """A build in which nothing ran leaves no folder."""
        with suppress(OSError):
            os.rmdir(os.path.join(self.run(run), "logs"))
            if os.listdir(self.run(run)) == [os.path.basename(self.run_lock(run))]:
                os.unlink(self.run_lock(run))
                os.rmdir(self.run(run))

    def drop_empty_log(self, log: str) -> None:
        """Inodes are a quota on clusters: an empty log has no file."""
        with suppress(OSError):
            if os.path.getsize(log) == 0:
                os.unlink(log)
