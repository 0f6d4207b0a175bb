"""`python bot.py completion bash | zsh | fish`: what makes a shell complete the commands and their options."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.commands import COMMANDS, every_command
from bot.settings import Settings

SHELLS = ("bash", "zsh", "fish")
_TEXTS: Mapping[str, str] = {name: line.text for lines in COMMANDS.values() for line in lines for name in line.modules}
# What stands before a command: options of the program itself.
_PROGRAM = ("--for", "--help")


@dataclass(frozen=True)
class Completed:
    """What may be typed after a command: its options, and the words that it knows."""

    name: str
    text: str
    options: Sequence[str]
    words: Sequence[str]


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "completion",
        "a script that makes your shell complete commands and options with the Tab key",
        _run,
        codes="0 printed, 2 no such shell",
        examples=["completion bash > ~/.nija-completion && echo '. ~/.nija-completion' >> ~/.bashrc"],
    )
    made.add_argument("shell", choices=SHELLS, help="which shell reads it")


def _run(_settings: Settings, words: argparse.Namespace) -> int:
    script = script_of(words.shell)
    print(json.dumps({"shell": words.shell, "script": script}, indent=2) if words.json else script)
    return exit_codes.OK


def script_of(shell: str) -> str:
    """For one of `SHELLS`, made of the commands as they are now."""
    known = [_completed(name, parser) for name, parser in every_command().items()]
    if shell == "fish":
        return _fish(known)
    script = _bash(known)
    return f"autoload -U +X bashcompinit && bashcompinit\n{script}" if shell == "zsh" else script


def _completed(name: str, parser: argparse.ArgumentParser) -> Completed:
    options = [word for action in parser._actions for word in action.option_strings if word.startswith("--")]
    choices = [str(word) for action in parser._actions if not action.option_strings for word in action.choices or ()]
    return Completed(name, _TEXTS[name], options, choices)


# -- bash, and zsh in its manner ----------------------------------------------------------------------------------
_BASH = """\
# Completes `python bot.py …`; for everything else that Python is started with, files as before.
_nija() {
    local current=${COMP_WORDS[COMP_CWORD]} at=0 command= i
    COMPREPLY=()
    for ((i = 0; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in bot.py|*/bot.py) at=$((i + 1)) ;; esac
    done
    [ "$at" -gt 0 ] || return 0
    for ((i = at; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --for) i=$((i + 1)) ;;
            -*) ;;
            *) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    local known
    case $command in
        '') known="@FIRST@" ;;
@CASES@
    esac
    COMPREPLY=($(compgen -W "$known" -- "$current"))
}
complete -o default -o bashdefault -F _nija python python3 bot.py"""


def _bash(known: Sequence[Completed]) -> str:
    first = " ".join([*_PROGRAM, *(one.name for one in known)])
    cases = "\n".join(f'        {one.name}) known="{" ".join([*one.words, *one.options])}" ;;' for one in known)
    return _BASH.replace("@FIRST@", first).replace("@CASES@", cases)


# -- fish ---------------------------------------------------------------------------------------------------------
_FISH = """\
# Completes `python bot.py …`; for everything else that Python is started with, files as before.
function __nija_command
    # Fails unless bot.py is being started; prints the command that was chosen, if one was.
    set -l words (commandline -opc)
    set -l at 0
    for i in (seq (count $words))
        string match -qr '(^|/)bot\\.py$' -- $words[$i]; and set at $i
    end
    test $at -gt 0; or return 1
    set -e words[1..$at]
    while set -q words[1]
        switch $words[1]
            case --for
                set -e words[1]
            case '-*'
            case '*'
                echo $words[1]
                return 0
        end
        set -e words[1]
    end
    return 0
end
function __nija_is
    set -l command (__nija_command); or return 1
    test "$command" = "$argv[1]"
end"""


def _fish(known: Sequence[Completed]) -> str:
    lines = [_FISH]
    for program in ("python", "python3"):
        for one in known:
            lines.append(f"complete -c {program} -f -n '__nija_is \"\"' -a {one.name} -d {_quoted(one.text)}")
            its = f"complete -c {program} -n '__nija_is {one.name}'"
            lines += [f"{its} -a {word}" for word in one.words]
            lines += [f"{its} -l {option.removeprefix('--')}" for option in one.options]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
