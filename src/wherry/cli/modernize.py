"""`wherry modernize`: manifests of old API versions, written in the present ones.

New manifests go to standard output (or into their files), what was changed and why to standard error.  Exit
code 0: everything is of a present version now.  1: something is left for its writer to mend, and named.
3: with --check, something is of an old version.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.api.modernize import modernize
from wherry.apimachinery.yamlbody import YAMLError, load
from wherry.apimachinery.yamledit import CannotEdit, edited, written

SUFFIXES = (".yaml", ".yml", ".json")  # what kubectl reads in a directory
STDIN = "-"
_SEPARATOR = re.compile(r"^(?:---|\.\.\.)(?:[ \t\r][^\n]*)?(?:\n|\Z)", re.MULTILINE)
_CONTENT = re.compile(r"^\ufeff?[ \t]*[^#%\s\ufeff]", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{.*\}\}")
ANEW = "written anew, without its comments"


@dataclass(slots=True)
class Rewritten:
    """A file's new text, what was changed in it, and what is left to its writer."""

    text: str
    changes: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def rewrite(text: str) -> Rewritten:
    """All documents of a file.  Pure."""
    plain = text.replace("\r\n", "\n")
    if plain != text and "\r" not in plain and plain.count("\n") == text.count("\r\n"):  # Windows' line ends throughout
        done = _rewrite(plain)
        done.text = done.text.replace("\n", "\r\n")
        return done
    return _rewrite(text)


def _rewrite(text: str) -> Rewritten:
    done, parts = Rewritten(""), list[str]()
    at = 0
    for separator in [*_SEPARATOR.finditer(text), None]:
        part = text[at : separator.start() if separator else len(text)]
        parts.append(_document(part, done))
        if separator:
            head = separator.group()
            parts.append(head)
            at = separator.end()
    done.text = "".join(parts)
    return done


def _document(text: str, done: Rewritten) -> str:
    if not _CONTENT.search(text):
        return text  # comments, and directives of the document behind
    values = _json_values(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else None
    if values is not None and len(values) > 1:
        return _json_stream(text, values, done)
    try:
        old, duplicates = load(text.encode())
    except YAMLError as error:
        done.troubles.append("a template, not a manifest: `helm template` makes one of it" if _TEMPLATE.search(text) else str(error))
        return text
    if old is None:
        return text
    new = modernize(old)
    done.troubles += [*duplicates, *new.troubles]
    if new.obj == old:
        return text
    done.changes += new.changes
    if values is not None:
        return _json(new.obj, text) + text[len(text.rstrip()) :]
    try:
        return edited(text, old, new.obj)
    except CannotEdit as error:
        done.changes.append(f"{ANEW}: {error}")
        return written(new.obj)


def _json_values(text: str) -> list[Any] | None:
    """All values of a stream of JSON; None when it is none (YAML too has braces)."""
    decoder, values, at = json.JSONDecoder(), list[Any](), 0
    text = text.lstrip("\ufeff")
    try:
        while text[at:].strip():
            at += len(text[at:]) - len(text[at:].lstrip())
            value, at = decoder.raw_decode(text, at)
            values.append(value)
    except (ValueError, RecursionError):
        return None
    return values


def _json_stream(text: str, values: list[Any], done: Rewritten) -> str:
    """Several objects behind one another, as kubectl reads them; text that needs no change stays."""
    news = [modernize(value) for value in values]
    done.troubles += [trouble for new in news for trouble in new.troubles]
    if all(new.obj == value for new, value in zip(news, values, strict=True)):
        return text
    done.changes += [change for new in news for change in new.changes]
    return "\n".join(_json(new.obj, text) for new in news) + text[len(text.rstrip()) :]


def _json(value: Any, text: str) -> str:
    """With the indentation of a JSON file's own."""
    found = re.match(r"\ufeff?\s*\{\n([ \t]+)", text)
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    return bom + json.dumps(value, indent=found[1] if found else None, ensure_ascii=False)


def files(given: Sequence[str], recursive: bool) -> Iterator[str]:
    """The files that are meant: a directory's manifests, those below it too if so asked."""
    for name in given:
        if name == STDIN or not Path(name).is_dir():
            yield name
            continue
        inside = Path(name).rglob("*") if recursive else Path(name).iterdir()
        yield from sorted(str(each) for each in inside if each.suffix in SUFFIXES and each.is_file())


def show(given: Sequence[str], *, recursive: bool = False, in_place: bool = False, check: bool = False) -> int:
    """Rewrite them; the exit code."""
    troubled, old, texts = False, False, list[str]()
    for name in files(given, recursive):
        try:
            text = sys.stdin.read() if name == STDIN else _read(name)
        except (OSError, UnicodeDecodeError) as error:
            _tell(name, str(getattr(error, "strerror", None) or "not UTF-8"))
            troubled = True
            continue
        done = rewrite(text)
        for line in done.changes + done.troubles:
            _tell(name, line)
        troubled, old = troubled or bool(done.troubles), old or done.text != text
        if in_place and name != STDIN and not check:
            troubled = troubled or (done.text != text and not _write(name, done.text))
        else:
            texts.append(done.text)
    if not check:
        sys.stdout.write(_joined(texts))
    return 1 if troubled else 3 if check and old else 0


def _read(name: str) -> str:
    """With the line ends that it has."""
    with open(name, encoding="utf-8", newline="") as file:
        return file.read()


def _write(name: str, text: str) -> bool:
    """Take the file's place at once, so that it is the old one or the new one whatever happens; links stay links."""
    path = Path(name).resolve()
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(fresh, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        shutil.copystat(path, fresh)
        stat = path.stat()
        if (stat.st_uid, stat.st_gid) != (fresh.stat().st_uid, fresh.stat().st_gid):
            os.chown(fresh, stat.st_uid, stat.st_gid)
        os.utime(fresh)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        _tell(name, f"not written: {error.strerror or error}")
        return False
    return True


def _joined(texts: list[str]) -> str:
    """Several files as one stream of documents."""
    stream = ""
    for text in texts:
        if stream:
            stream += "" if stream.endswith("\n") else "\n"
            stream += "" if _SEPARATOR.match(text) else "---\n"
        stream += text
    return stream if not stream or stream.endswith("\n") else stream + "\n"


def _tell(name: str, line: str) -> None:
    print(f"{name}: {line}", file=sys.stderr)


def run(args: argparse.Namespace) -> int:
    return show(args.file, recursive=args.recursive, in_place=args.in_place, check=args.check)
