"""Notes which files of the workspace a Python process opens, modules included. Runs in every Python of a recipe.

Also has it write its stacks on a signal, if whoever started it may want to see them.

Blind to what compiled code opens by itself, to folders that are listed, and to files that were looked for in vain.
"""

# Whatever Python a recipe brings must be able to read this, from 3.6 on, and it is paid for at every start: so it
# imports nothing that is not loaded already, unless it is asked for more than notes.

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

WRITES = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
READ, OTHER, WRITE = "r", "o", "w"


def hook(notes: str, workspace: str, read: str = READ) -> "Callable[[str, tuple[object, ...]], None]":
    """An audit hook that appends to `notes`, at once, what is first read or written below `workspace`.

    A record ends in a zero byte: `w PATH`, or `r SIGNATURE MOMENT PATH`, with the signature (as `digest.signature`
    gives it) and the time (ns) just before the file was opened; the path is relative to the workspace. `read` stands
    for the `r`: it is `o` in a process that began with none of the programs that the driver knows of the task.
    """
    # Through a symbolic link the workspace has two names: the one that was given, and that which getcwd() tells.
    roots = tuple({f"{root.rstrip('/')}/" for root in (workspace, os.path.realpath(workspace))})
    caches = os.path.abspath(getattr(sys, "pycache_prefix", None) or sys.prefix)
    prefixes = {f"{prefix}/" for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, caches)}
    installed = tuple(prefix for prefix in prefixes if prefix.startswith(roots) and prefix not in roots)
    seen: dict[str, set[str]] = {READ: set(), WRITE: set()}

    def name_in_workspace(path: str) -> str:
        """The path relative to the workspace; nothing if it lies outside, or where nobody keeps what counts."""
        if "//" in path or "/." in path:
            path = os.path.normpath(path)
        root = next((root for root in roots if path.startswith(root)), "")
        name = path[len(root) :]
        if not root or name.startswith(".") or "/." in name or path.startswith(installed):
            return ""
        return "" if "__pycache__/" in name or "site-packages/" in name else name

    def note(kind: str, path: object) -> None:
        if type(path) is not str:
            path = os.fsdecode(path)  # type: ignore[arg-type]
        if not path.startswith("/"):
            path = f"{os.getcwd()}/{path}"
        elif not path.startswith(roots) and "/../" not in path:
            return
        if path in seen[kind]:
            return
        seen[kind].add(path)
        name = name_in_workspace(path)
        if name:
            append(kind, path, name)

    def append(kind: str, path: str, name: str) -> None:
        if kind == READ:
            status = os.stat(path)
            if status.st_mode & 0o170000 != 0o100000:
                return
            signature = f"{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_size}:{status.st_ino}"
            kind = f"{read} {signature} {time.time_ns()}"
        # Opened anew each time: a program may close files that it does not know, and get their numbers for its own.
        file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.write(file, os.fsencode(f"{kind} {name}\0"))
        finally:
            os.close(file)

    def heard(event: str, args: "tuple[object, ...]") -> None:
        try:
            if event == "open":
                path, _, flags = args
                if type(path) is not int:
                    note(WRITE if flags & WRITES else READ, path)  # type: ignore[operator]
            elif event == "exec":
                # A module whose compiled form was read, from wherever: the source is what it was made from.
                path = args[0].co_filename  # type: ignore[attr-defined]
                if path.startswith("/"):
                    note(READ, path)
            elif event == "os.rename":
                note(WRITE, args[0])
                note(WRITE, args[1])
            elif event == "os.remove":
                note(WRITE, args[0])
        except Exception:  # nothing of this may break the program that is watched
            return

    return heard


WORKERS = ("from multiprocessing.", "from joblib.externals.loky.", "joblib.externals.loky.", "from loky.", "loky.")
"""What a program starts for its own ends begins so, behind `-c` or `-m`."""


def is_known(programs: "list[str]", workspace: str) -> bool:
    """Whether this process began with one of the programs (`program` says how they are called), or works for one."""
    called = program()
    if called is None:
        return True
    if called == "-c":  # the recipe itself, if that is Python
        return "-c" in programs and os.getpid() == os.getsid(0)
    return called in programs or any(
        called == os.path.join(root, each) for each in programs for root in (workspace, os.path.realpath(workspace))
    )


def program() -> "str | None":
    """A script's absolute path, `-m MODULE`, `-c`, nothing for what came by a pipe; None for a worker."""
    words = getattr(sys, "orig_argv", None)
    if words is None:
        with open("/proc/self/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).split("\0")[:-1]
    left = iter(words[1:])
    for word in left:
        if not word.startswith("-") or word == "-":
            return os.path.abspath(word) if word != "-" else ""
        for number, letter in enumerate(word[1:], 2):
            if letter in "cm":
                value = word[number:] or next(left, "")
                return None if value.startswith(WORKERS) else "-c" if letter == "c" else f"-m {value}"
            if letter in "WX-":
                if word[number:] in ("", "check-hash-based-pycs"):
                    next(left, "")
                break
    return ""


STACKS_SIGNAL = 49
"""As in `executors/stacks.py`, which sends it."""
FAR = 200


def keep_stacks(path: str) -> None:
    """Have this process append the stacks of its threads to a file when it gets the signal.

    faulthandler writes from the signal handler, in C: also while a library holds the interpreter's lock. It needs the
    file open for good, so that gets a number which no program comes to by counting, and hands no other file it.
    """
    try:
        import faulthandler
        import fcntl

        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            faulthandler.register(STACKS_SIGNAL, fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, FAR))
        finally:
            os.close(file)
    except Exception:  # no such file, or a Python without this: it goes without
        return


def start() -> None:
    stacks = os.environ.get("MLBUILD_STACKS")
    if stacks:
        keep_stacks(stacks)
    notes, (_, _, workspace) = os.environ.get("MLBUILD_NOTES"), os.environ.get("MLBUILD_JOB", "").partition(" ")
    if notes and workspace and hasattr(sys, "addaudithook"):
        programs = os.environ.get("MLBUILD_PROGRAMS")
        is_own = programs is None or is_known(programs.split("\n"), workspace)
        sys.addaudithook(hook(notes, workspace, READ if is_own else OTHER))


def hand_over() -> None:
    """Leave the path as it would be without us, and run the `sitecustomize` that would be found then."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if folder != here]
    ours = sys.modules.pop(__name__)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        if error.name != __name__:
            raise
        sys.modules[__name__] = ours


if __name__ == "sitecustomize":
    start()
    hand_over()
