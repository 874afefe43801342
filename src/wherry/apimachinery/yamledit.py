"""Changes in a YAML document that touch only what must change: comments, order and quotes of the rest stay.

The differences between what a document says and what it shall say become replacements of pieces of its text,
found by the positions of its nodes.  Comments inside a piece that goes stay, on lines of their own above what
takes its place.  The outcome is read again: what does not come out as wanted (anchors that are shared, keys
merged in) is not given back, and the caller writes the document anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from wherry.apimachinery.values import same
from wherry.apimachinery.yamlbody import YAMLError, load, plain

Edit = tuple[int, int, str, int]  # replace text[start:end]; the column where comments may stand on lines of their own, or -1
_COMMENT = re.compile(r"(?:(?<=\s)|^)#", re.MULTILINE)


class CannotEdit(ValueError):
    """The document's form is not one in which pieces can be changed."""


class _Dumper(yaml.SafeDumper):
    """Quotes what the server would read as something else than text: to PyYAML `y` is no boolean."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain(value) == value else "'")


_Dumper.add_representer(str, _text)


def edited(text: str, old: Any, new: Any) -> str:
    """`text`, which says `old`, so that it says `new`.  Raises CannotEdit."""
    if same(old, new):
        return text
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        edits = sorted({*_edits(text, root, old, new)}, reverse=True)
    except (yaml.YAMLError, RecursionError, LookupError) as error:
        raise CannotEdit(str(error)) from None
    scalars = [*_scalars(root)]
    for start, end, piece, column in edits:
        kept = _comments(text, scalars, start, end)
        if kept and column < 0:
            raise CannotEdit("a comment stands inside what must change")
        text = text[:start] + _with_comments(kept, piece, column) + text[end:]
    try:
        if not same(load(text.encode())[0], new):
            raise CannotEdit("its anchors or merge keys stand in the way")
    except YAMLError as error:
        raise CannotEdit(str(error)) from None
    return text


def _scalars(node: Any) -> Iterator[tuple[int, int]]:
    """Where the document's own words stand: a # in them is none of a comment."""
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, yaml.ScalarNode):
            yield each.start_mark.index, each.end_mark.index
        elif isinstance(each, yaml.MappingNode):
            stack += [part for pair in each.value for part in pair]
        elif each is not None:
            stack += each.value


def _comments(text: str, scalars: list[tuple[int, int]], start: int, end: int) -> list[str]:
    """The comments in text[start:end].  Edits are made from the end on, so what stands before them is where it was."""
    words, found, at = [span for span in scalars if span[0] < end and span[1] > start], list[str](), start
    while (match := _COMMENT.search(text, at, end)) is not None:
        inside = next((last for first, last in words if first <= match.start() < last), None)
        at = _line_end(text, match.start()) if inside is None else inside
        if inside is None:
            found.append(text[match.start():at].rstrip())
    return found


def _with_comments(comments: list[str], piece: str, column: int) -> str:
    if not comments:
        return piece
    indent = "\n" + " " * column
    if piece:
        return indent.join([*comments, piece])
    return " " * column + indent.join(comments) + "\n"


def written(value: Any) -> str:
    """A whole document, in the order of its keys."""
    return _dump(value, False)


def _dump(value: Any, flow: bool) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=flow, allow_unicode=True, width=1 << 20)
    return text


def _edits(text: str, node: Any, old: Any, new: Any) -> list[Edit]:
    if same(old, new):
        return []
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    if block and isinstance(old, dict) and isinstance(new, dict) and old and new:
        return _mapping(text, node, old, new)
    if block and isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [edit for child, was, is_ in zip(node.value, old, new, strict=True) for edit in _edits(text, child, was, is_)]
    if block:
        raise LookupError("a block cannot become another kind of value")
    return [(node.start_mark.index, _end(text, node), _inline(new), -1)]


def _mapping(text: str, node: Any, old: dict[str, Any], new: dict[str, Any]) -> list[Edit]:
    """A block mapping: keys that stay are looked into, new ones take the place of what goes."""
    entries = {key.value: (key, value) for key, value in node.value}
    gone = [name for name in old if name not in new]
    added = {name: value for name, value in new.items() if name not in old}
    edits: list[Edit] = []
    for name in [each for each in gone if old[each] not in (None, {}, [])]:
        renamed = next((other for other, value in added.items() if same(value, old[name])), None)
        if renamed is not None:
            del added[renamed]
            gone.remove(name)
            key = entries[name][0]
            edits.append((key.start_mark.index, key.end_mark.index, renamed, -1))
    for name in old:
        if name in new and not same(old[name], new[name]):
            edits += _entry(text, *entries[name], old[name], new[name])
    column = node.start_mark.column
    if gone:
        key, value = entries[gone[0]]
        if added:
            edits.append((key.start_mark.index, _end(text, value), _block(added, column), column))
        for name in gone[1:] if added else gone:
            edits.append(_removal(text, node, entries[name]))
    elif added:
        edits.append(_insertion(text, node, added, column))
    return edits


def _entry(text: str, key: Any, value: Any, old: Any, new: Any) -> list[Edit]:
    try:
        return _edits(text, value, old, new)
    except LookupError:
        column = key.start_mark.column
        return [(key.start_mark.index, _end(text, value), _block({key.value: new}, column), column)]


def _removal(text: str, node: Any, entry: tuple[Any, Any]) -> Edit:
    """An entry's lines go; when another thing stands before it on its line (the dash of a list), only up to the next entry."""
    key, value = entry
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    if text[start : key.start_mark.index].strip():
        at = next(i for i, (each, _) in enumerate(node.value) if each is key)
        following = node.value[at + 1][0]
        between = _COMMENT.search(text, _end(text, value), following.start_mark.index)
        if between is None:
            return key.start_mark.index, following.start_mark.index, "", -1
        return key.start_mark.index, between.start(), "", -1
    return start, _line_end(text, _end(text, value)) + 1, "", key.start_mark.column


def _insertion(text: str, node: Any, added: dict[str, Any], column: int) -> Edit:
    """New entries stand behind the scalars with which a mapping begins, as people write them."""
    last = None
    for _, value in node.value:
        if not isinstance(value, yaml.ScalarNode):
            break
        last = value
    if last is None:
        first = node.value[0][0].start_mark.index
        return first, first, _block(added, column) + "\n" + " " * column, -1
    end = _line_end(text, _end(text, last))
    return end, end, "\n" + " " * column + _block(added, column), -1


def _block(entries: dict[str, Any], column: int) -> str:
    """Entries of a block mapping, the first where the text stands, the others at the column."""
    return written(entries).rstrip("\n").replace("\n", "\n" + " " * column)


def _inline(value: Any) -> str:
    return _dump(value, True).removesuffix("\n").removesuffix("\n...")


def _end(text: str, node: Any) -> int:
    """Where a value's own text ends: PyYAML counts what follows a block, comments too."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    start, end = node.start_mark.index, node.end_mark.index
    return start + len(text[start:end].rstrip()) if end > start else int(end)


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end
