"""Shell completion, generated from the parser: commands, actions and options."""

from __future__ import annotations

import argparse


def words(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """By command ("" for none, "image import" for an action): what may follow it.  Pure."""
    found: dict[str, list[str]] = {}
    _gather(parser, "", found)
    return found


def _gather(parser: argparse.ArgumentParser, path: str, found: dict[str, list[str]]) -> None:
    mine = found.setdefault(path, [])
    for action in parser._actions:
        mine += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            mine += list(action.choices)
            for name, sub in action.choices.items():
                _gather(sub, f"{path} {name}".strip(), found)
        elif action.choices:
            mine += [str(choice) for choice in action.choices]


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The text to source: `source <(wherry completion bash)`."""
    table = words(parser)
    if shell == "fish":
        lines = [_fish(path, follow) for path, follow in table.items()]
        return "complete -c wherry -f\n" + "\n".join(lines) + "\n"
    cases = "\n".join(f"    '{path}') words='{' '.join(follow)}' ;;" for path, follow in table.items())
    known = " | ".join(f"'{path}'" for path in table if path)
    body = f"""_wherry() {{
  local words at='' next word
  for word in "${{COMP_WORDS[@]:1:$((COMP_CWORD-1))}}"; do
    next="${{at:+$at }}$word"
    case "$next" in {known}) at="$next" ;; esac
  done
  case "$at" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _wherry wherry
"""
    return ("autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else "") + body


def _fish(path: str, follow: list[str]) -> str:
    seen = " ".join(f"; and __fish_seen_subcommand_from {word}" for word in path.split()).removeprefix("; and ")
    return f"complete -c wherry -n '{seen or '__fish_use_subcommand'}' -a '{' '.join(follow)}'"
