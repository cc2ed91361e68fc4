"""`mlbuild completion SHELL`: a script that lets a shell complete what can stand behind `mlbuild`."""

from __future__ import annotations

import sys

from mlbuild.cli.candidates import candidates

BASH = r"""
_mlbuild() {
    local name text current="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS=$'\t' read -r name text; do
        # Bash takes a word apart at these signs, and would put in half of it twice.
        case "$name" in *[=:]?*) continue ;; esac
        case "$name" in *=) compopt -o nospace ;; esac
        case "$current" in [\"\']*) ;; *) printf -v name %q "$name" ;; esac
        COMPREPLY+=("${name%\\=}")
    done < <("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _mlbuild mlbuild
"""
ZSH = r"""#compdef mlbuild
_mlbuild() {
    local name text
    local -a names shown values
    while IFS=$'\t' read -r name text; do
        if [[ $name == *= ]]; then
            values+=("$name")
        else
            names+=("$name")
            shown+=("$name${text:+  -- $text}")
        fi
    done < <("${words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#names )) && compadd -l -d shown -a names
    (( $#values )) && compadd -S '' -a values
    (( $#names + $#values )) || _files
}
if [[ $funcstack[1] == _mlbuild ]]; then _mlbuild "$@"; else compdef _mlbuild mlbuild; fi
"""
FISH = r"""
function __mlbuild_complete
    set -l words (commandline -opc)
    set -l found (command $words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null)
    if test -n "$found"
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c mlbuild -f -a '(__mlbuild_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
USAGE = """\
usage: mlbuild completion bash|zsh|fish

Prints a script that completes subcommands, options, targets, tasks and params. Put it where the shell looks:
  mlbuild completion bash > ~/.local/share/bash-completion/completions/mlbuild
  mlbuild completion zsh > ~/.zfunc/_mlbuild       # and in ~/.zshrc: fpath+=~/.zfunc; autoload -U compinit; compinit
  mlbuild completion fish > ~/.config/fish/completions/mlbuild.fish"""


def run(arguments: list[str], command: str) -> int:
    if arguments and arguments[0] in SCRIPTS:
        print(SCRIPTS[arguments[0]].lstrip("\n"), end="")
        return 0
    asked = arguments[:1] in (["-h"], ["--help"])
    print(USAGE, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def complete(words: list[str]) -> int:
    """What the scripts call: a line for each candidate, with a description behind a tab. Never an error."""
    for name, description in candidates(words):
        print(f"{name}\t{description}" if description else name)
    return 0
