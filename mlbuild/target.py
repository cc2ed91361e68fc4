"""What the language yields and all else reads: a pipeline of targets over partitions. Values only, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from mlbuild.errors import Location
from mlbuild.expression import Key, Node, Reference, Template

WIDTHS = ("hourly", "daily", "weekly", "monthly")
"""The periods of calendars, the narrowest first."""


class Calendar(Struct, frozen=True):
    """Keys that are periods: `hourly`, `daily`, `weekly` or `monthly`, from `first` to `last` (dates as written).

    Without `last`, up to the last period that has ended. `zone` is an IANA name; None is UTC.
    """

    period: str
    first: str
    last: str | None
    zone: str | None


class Listed(Struct, frozen=True):
    """Keys that are written down (or were worked out when the Pipelinefile was read).

    `paths` are the files behind the keys that a glob found, one each: those that tasks make are no keys.
    """

    keys: tuple[Key, ...]
    paths: tuple[str, ...] = ()


class Lines(Struct, frozen=True):
    """Keys that are the lines of an output of a target without partitions: known once that is in place.

    `output` is its name; None: it is the only one.
    """

    target: str
    output: str | None
    at: Location

    def of(self, target: Target) -> Output | None:
        """Which of the target's outputs it is; None if it is none."""
        return next((output for output in target.outputs if self.output in (None, output.name)), None)


class Partition(Struct, frozen=True):
    """A dimension of keys."""

    name: str
    source: Calendar | Listed | Lines
    at: Location


class Glob(Struct, frozen=True):
    """`glob("data/*.csv")` among inputs."""

    pattern: Template


class Input(Struct, frozen=True):
    """An item of `inputs:`: a path or URL (Template), a glob, or a reference to other targets.

    `kind` is `input`, `stat` (size and time stand for the content) or `local` (of a URL: a copy of it on disk).
    """

    name: str | None
    source: Template | Glob | Reference
    at: Location
    optional: bool = False
    kind: str = "input"

    @property
    def called(self) -> str | None:
        """The name by which a recipe has it."""
        own = (self.source.output or self.source.target) if isinstance(self.source, Reference) else None
        return self.name or own


class Output(Struct, frozen=True):
    """An item of `outputs:` or `metrics:`; one whose path ends in `/` is a directory.

    `temporary`: it is removed once nothing in the build needs it any more.
    """

    name: str | None
    path: Template
    at: Location
    temporary: bool = False


class Variable(Struct, frozen=True):
    """An item of `environ:`: a variable that the recipe has. Without a value it must be set where mlbuild is started.

    What it holds counts, unless it is a secret.
    """

    name: str
    value: Node | None
    at: Location
    is_secret: bool = False


class Recipe(Struct, frozen=True):
    """What `run:` holds. `kind` is `shell` or `python`."""

    kind: str
    text: Template


class Executor(Struct, frozen=True):
    """Where targets run. `kind` is `local` or `slurm`; what is None is as much as there is; memory and disk in bytes.

    `pools` are what else it has, by name: amounts that `resources:` takes from. `settings` are what its kind alone has,
    by name; those of `slurm` are the fields of its `Site`. `at` is where each of all these stands, by name.
    """

    name: str
    kind: str = "local"
    cpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    disk: int | None = None
    jobs: int | None = None
    pools: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, Location] = field(default_factory=dict)


AMOUNTS = ("cpus", "memory", "gpus", "gpu_memory", "disk", "nodes")
"""What an attempt can ask for of any executor, as the fields of `Resources`."""


class Resources(Struct, frozen=True):
    """What one attempt needs; sizes in bytes. An amount may be an expression that uses `attempt`."""

    cpus: Node | float = 1
    memory: Node | int | None = None
    gpus: Node | int = 0
    gpu_memory: Node | int | None = None
    disk: Node | int | None = None
    nodes: Node | int = 1
    pools: Mapping[str, Node | float] = field(default_factory=dict)
    at: Location | None = None


class Retry(Struct, frozen=True):
    """How many more attempts, and the wait before each: `backoff` seconds, doubled each time, at most `longest`."""

    count: int = 0
    backoff: float = 10.0
    longest: float = 3600.0
    on: tuple[str, ...] = ()


class Checkpoint(Struct, frozen=True):
    """A directory that outlives the attempts at a task, and from which the next one goes on.

    Attributes:
        path: ends in `/`.
        keep: how many whole checkpoints stay, the newest; None: all.
        ignore: params that may differ between those that write a checkpoint and those that go on from it.
        complete: the name of the file that makes a folder a whole checkpoint; None: it is put there by rename.
        signal: by which the recipe is told to save and leave.
        grace: seconds that it has for this.
    """

    path: Template
    at: Location
    keep: int | None = None
    ignore: tuple[Node, ...] = ()
    complete: str | None = None
    signal: int = 15
    grace: float = 60.0


class Check(Struct, frozen=True):
    """A condition on what a task made, with what is said if it does not hold. `text` is the condition as written."""

    condition: Node
    text: str
    message: Template | str | None
    at: Location


class Target(Struct, frozen=True, kw_only=True):
    """A rule of the Pipelinefile: one task for each combination of keys of its partitions."""

    name: str
    at: Location
    partitions: tuple[str, ...] = ()
    description: str = ""
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    metrics: tuple[Output, ...] = ()
    params: tuple[Node, ...] = ()
    requires: tuple[Input, ...] = ()
    """Files (paths and globs) that pin the software."""
    code: tuple[Input, ...] | None = ()
    """Files that count beside those that the recipe names; None: those don't count either."""
    environ: tuple[Variable, ...] = ()
    resources: Resources = field(default_factory=Resources)
    on: str = "local"
    """The name of an executor."""
    after: tuple[Input, ...] = ()
    """References to what must come before, without bringing anything."""
    timeout: float | None = None
    """Seconds."""
    stall: float | None = None
    """Seconds that an attempt may go without a sign of life."""
    checkpoint: Checkpoint | None = None
    retry: Retry = field(default_factory=Retry)
    checks: tuple[Check, ...] = ()
    on_failure: str = "stop"
    """`continue`: what needs it is made without it; `stop`: it is not made."""
    max_active: int | None = None
    """How many of its tasks may run at once."""
    batch: int | None = None
    """How many keys of its last partition one run of the recipe may take; to that, these are lists even if it has but
    one."""
    cache: str = "true"
    """`false`: its outputs are not stored; `never`: nor is it ever fresh."""
    recipe: Recipe | None = None


class Constant(Struct, frozen=True):
    """A value of the file: a `param`, a `params` file (a mapping), or a `let`. `kind` is one of those words.

    `path` is that of a file of values.
    """

    name: str
    kind: str
    value: object
    at: Location
    path: str = ""


class Pipeline(Struct, frozen=True):
    """All of a Pipelinefile, with what it includes."""

    targets: Mapping[str, Target]
    partitions: Mapping[str, Partition]
    constants: Mapping[str, Constant]
    default: tuple[str, ...]
    """What a bare `mlbuild` builds."""
    overrides: Mapping[str, tuple[object, object]]
    """Dotted name → (value in effect, value without the override), for what the command line changed."""
    executors: Mapping[str, Executor]
    files: tuple[str, ...]
    """Every file that was read for it, relative to the workspace."""
