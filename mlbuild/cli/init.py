"""`mlbuild init`: a first Pipelinefile."""

from __future__ import annotations

import os
import shlex

from mlbuild.cli.arguments import Parser, parse
from mlbuild.errors import UsageError

FIRST = '''\
# `mlbuild` builds all of this; say it again, and nothing is left to do. Change something, and what it reaches is built
# again. `mlbuild -n` says what would run and why, `mlbuild status` where everything stands.

param greeting = "Hello"                    # `mlbuild greeting=Bonjour`: another value, this once
partition name: ["Ada", "Alan", "Grace"]    # a task for each of them: `mlbuild 'greet[Ada]'` builds one

default page

target greet[name]:
    """A greeting for each name."""
    outputs: "build/greetings/{name}.txt"
    run: echo "{greeting}, {name}!" > {outputs}

target page:
    """All greetings on one page."""
    inputs: greet[*]                        # what that target makes, for every name; or a path: "data/names.txt"
    outputs: "build/page.txt"
    check: size(outputs) > 0, "the page is empty"
    run:
        cat {inputs} > {outputs}
        echo "$(wc -l < {outputs}) greetings" >> {outputs}
'''


def run(arguments: list[str], command: str) -> int:
    parser = Parser(command, "Write a first Pipelinefile, which builds at once.", ("", "none"))
    options = parse(parser, arguments)
    if options.words:
        raise UsageError("init takes no words", hint="`-C FOLDER` names another folder, `-f PATH` another file")
    path = os.path.join(options.directory, options.file or "Pipelinefile")
    shown = os.path.normpath(path)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(FIRST)
    except FileExistsError:
        raise UsageError(f"{shown} is there already", hint="`mlbuild check` says whether it can be read") from None
    except OSError as error:
        raise UsageError(f"can't write {shown}: {error.strerror}") from None
    print(f"wrote {shown}; build it: {shlex.join(['mlbuild', *arguments])}")
    return 0
