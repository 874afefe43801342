"""Shell completion, generated from the parser: subcommands and options."""

from __future__ import annotations

import argparse


def _tree(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Subcommand -> its options and actions."""
    found: dict[str, list[str]] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                words = [o for a in sub._actions for o in a.option_strings if o.startswith("--")]
                for inner in sub._actions:
                    if isinstance(inner, argparse._SubParsersAction):
                        words += list(inner.choices)
                    elif inner.choices:
                        words += [str(choice) for choice in inner.choices if choice]
                found[name] = words
    return found


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The text to source: `source <(wherry completion bash)`."""
    tree = _tree(parser)
    commands = " ".join(tree)
    if shell == "fish":
        lines = [f"complete -c wherry -f -n __fish_use_subcommand -a '{commands}'"]
        lines += [f"complete -c wherry -f -n '__fish_seen_subcommand_from {name}' -a '{' '.join(words)}'" for name, words in tree.items()]
        return "\n".join(lines) + "\n"
    cases = "\n".join(f"    {name}) words='{' '.join(words)}' ;;" for name, words in tree.items())
    body = f"""_wherry() {{
  local words='{commands}'
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  [ "$COMP_CWORD" -le 1 ] && words='{commands}'
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _wherry wherry
"""
    return ("autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else "") + body
