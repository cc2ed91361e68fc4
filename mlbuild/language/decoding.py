"""From the bytes of a file to its text. Judges no text."""

from __future__ import annotations

from mlbuild.errors import Location, ManyErrors, PipelineError, Source

LONGEST = 4 << 20
"""Bytes. What is larger is no Pipelinefile, and would take minutes."""


def decoded(path: str, data: bytes) -> str:
    """The text of a file's bytes. Raises ManyErrors if they are none, `path` being how it is called."""
    if len(data) > LONGEST:
        size = f"{len(data) / (1 << 20):.1f} MiB"
        raise ManyErrors(
            [PipelineError(f"{path} is {size} long, which no Pipelinefile is", None, "was another file meant?")]
        )
    try:
        decoded = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace").replace("\r\n", "\n")
        source = Source(path, data.decode("utf-8-sig", "replace").replace("\r\n", "\n"))
        line = before.count("\n") + 1
        at = Location(source, line, len(before) - (before.rfind("\n") + 1) + 1)
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02x}"
        raise ManyErrors([PipelineError(message, at, "save it as UTF-8")]) from None
    if "\0" in decoded:
        source = Source(path, decoded)
        before = decoded[: decoded.index("\0")]
        at = Location(source, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        message = "the file holds a NUL character, so it is no text"
        raise ManyErrors([PipelineError(message, at, "was another file meant?")])
    return decoded
