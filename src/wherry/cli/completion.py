"""Shell completion, generated from the parser: commands, actions, options, what options take, files and folders.

Each script finds out which command the words before the cursor name (`at`) and whether the last of them is an option
that waits for its value; what may follow is a table by command, and one by command and option.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

FILES, FOLDERS = "files", "folders"
_KINDS = {"FILE": FILES, "DIR": FOLDERS, "DIRECTORY": FOLDERS}


@dataclass(frozen=True, slots=True)
class Values:
    """What an option or an argument takes: some words, or a kind of path, or anything."""

    words: tuple[str, ...] = ()
    kind: str = ""


@dataclass(slots=True)
class Place:
    """What may follow a command.  `options`: by their long name, with the help; `takes`: those that wait for a value."""

    words: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    takes: dict[str, Values] = field(default_factory=dict)
    kind: str = ""  # of its arguments


def places(parser: argparse.ArgumentParser) -> dict[str, Place]:
    """By command ("" for none, "image import" for an action).  Pure."""
    return dict(_gathered(parser, ""))


def _gathered(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, Place]]:
    place, below = Place(), list[tuple[str, argparse.ArgumentParser]]()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            place.words |= {each.dest: each.help or "" for each in action._choices_actions}
            below += [(f"{path} {name}".strip(), sub) for name, sub in action.choices.items()]
        elif not action.option_strings:
            place.words |= {str(choice): "" for choice in action.choices or ()}
            place.kind = _kind(action)
        for name in action.option_strings:
            if name.startswith("--"):
                place.options[name] = action.help or ""
            if action.nargs != 0:
                place.takes[name] = Values(_choices(action), _kind(action))
    yield path, place
    for name, sub in below:
        yield from _gathered(sub, name)


def _choices(action: argparse.Action) -> tuple[str, ...]:
    return tuple(str(choice) for choice in action.choices or ())


def _kind(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    return _KINDS.get((metavar or action.dest).upper(), "")


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The text to source: `source <(wherry completion bash)`."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](places(parser))


def _walk(table: dict[str, Place], words: str) -> str:
    """Where the words before the cursor lead; the same in bash and zsh.  A `=` stands alone in bash."""
    waits = " | ".join(shlex.quote(f"{path} {option}") for path, place in table.items() for option in place.takes)
    known = " | ".join(shlex.quote(path) for path in table if path)
    return f"""  local at='' value='' next word
  for word in {words}; do
    if [[ "$word" == '=' ]]; then continue; fi
    if [[ -n "$value" ]]; then value=''; continue; fi
    case "$at $word" in {waits}) value="$word"; continue ;; esac
    next="${{at:+$at }}$word"
    case "$next" in {known}) at="$next" ;; esac
  done
"""


def _bash(table: dict[str, Place]) -> str:
    def offer(values: Values) -> str:
        if values.kind:
            flag = "-f" if values.kind == FILES else "-d"
            return f'COMPREPLY=($(compgen {flag} -- "$cur"))'
        return f"words={shlex.quote(' '.join(values.words))}"

    values = "\n".join(
        f"    {shlex.quote(f'{path} {option}')}) {offer(each)} ;;" for path, place in table.items() for option, each in place.takes.items()
    )
    options = "\n".join(f"    {shlex.quote(path)}) words={shlex.quote(' '.join(place.options))} ;;" for path, place in table.items())
    rest = "\n".join(f"    {shlex.quote(path)}) {offer(Values(tuple(place.words), place.kind))} ;;" for path, place in table.items())
    return f"""_wherry() {{
  local words='' cur="${{COMP_WORDS[COMP_CWORD]}}"
{_walk(table, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')}  COMPREPLY=()
  if [[ "$cur" == '=' ]]; then cur=''; fi
  if [[ -n "$value" ]]; then
    case "$at $value" in
{values}
    esac
  elif [[ "$cur" == -* ]]; then
    case "$at" in
{options}
    esac
  else
    case "$at" in
{rest}
    esac
  fi
  if [[ -n "$words" ]]; then COMPREPLY=($(compgen -W "$words" -- "$cur")); fi
}}
complete -o filenames -F _wherry wherry
"""


def _zsh(table: dict[str, Place]) -> str:
    def told(words: dict[str, str]) -> str:
        return " ".join(shlex.quote(f"{word}:{text}" if text else word) for word, text in words.items())

    def offer(values: Values, words: dict[str, str]) -> str:
        if values.kind:
            return "_files" if values.kind == FILES else "_files -/"
        return f"told=({told(words)}); _describe wherry told" if words else ":"

    values = "\n".join(
        f"    {shlex.quote(f'{path} {option}')}) {offer(each, dict.fromkeys(each.words, ''))} ;;"
        for path, place in table.items() for option, each in place.takes.items()
    )
    options = "\n".join(f"    {shlex.quote(path)}) told=({told(place.options)}) ;;" for path, place in table.items())
    rest = "\n".join(f"    {shlex.quote(path)}) {offer(Values(kind=place.kind), place.words)} ;;" for path, place in table.items())
    return f"""#compdef wherry
_wherry() {{
  local -a told
{_walk(table, '"${(@)words[2,CURRENT-1]}"')}  if [[ -n "$value" ]]; then
    case "$at $value" in
{values}
    esac
  elif [[ "$words[CURRENT]" == -* ]]; then
    case "$at" in
{options}
    esac
    _describe -o option told
  else
    case "$at" in
{rest}
    esac
  fi
}}
(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}
compdef _wherry wherry
"""


def _fish(table: dict[str, Place]) -> str:
    waits = " ".join(shlex.quote(f"{path} {option}") for path, place in table.items() for option in place.takes)
    known = " ".join(shlex.quote(path) for path in table if path)
    lines = [f"""function __wherry_at
  set -l at ''
  set -l waiting no
  for word in (commandline -opc)[2..-1]
    if test $waiting = yes
      set waiting no
      continue
    end
    switch "$at $word"
      case {waits}
        set waiting yes
        continue
    end
    set -l next (string trim -- "$at $word")
    switch $next
      case {known}
        set at $next
    end
  end
  test "$at" = "$argv[1]"
end
complete -c wherry -f"""]
    for path, place in table.items():
        start = f"complete -c wherry -n {_quoted(f'__wherry_at {_quoted(path)}')}"
        for word, text in place.words.items():
            lines.append(f"{start} -a {_quoted(word)}" + (f" -d {_quoted(text)}" if text else ""))
        if place.kind:
            lines.append(f"{start} {_fish_value(Values(kind=place.kind))}")
        for option, text in place.options.items():
            value = f" -r {_fish_value(place.takes[option])}" if option in place.takes else ""
            lines.append(f"{start} -l {option.removeprefix('--')}{value} -d {_quoted(text)}")
    return "\n".join(lines) + "\n"


def _fish_value(values: Values) -> str:
    if values.kind:
        return "-F" if values.kind == FILES else "-f -a '(__fish_complete_directories)'"
    return f"-f -a {_quoted(' '.join(values.words))}" if values.words else "-f"


def _quoted(text: str) -> str:
    """In fish's single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
