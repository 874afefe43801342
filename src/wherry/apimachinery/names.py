"""The rules for names, in upstream's words: DNS labels and subdomains, qualified names, path segments, label values.

Each rule takes a string and returns what is wrong with it, one message a fault; an empty list means fine.
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

EMPTY = "must be non-empty"

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_LABEL_1035_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_QUALIFIED_WORDS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_LABEL_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)


def max_length(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def regex_words(message: str, pattern: str, *examples: str) -> str:
    """`message` with the rule's pattern and examples behind it, as upstream's RegexError."""
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def _rule(pattern: str, limit: int, message: str, *examples: str) -> Callable[[str], list[str]]:
    compiled = re.compile(pattern)
    words = regex_words(message, pattern, *examples)

    @lru_cache(maxsize=4096)
    def faults(text: str) -> tuple[str, ...]:
        found = []
        if len(text.encode("utf-8", "surrogatepass")) > limit:
            found.append(max_length(limit))
        if compiled.fullmatch(text) is None:
            found.append(words)
        return tuple(found)

    return lambda text: list(faults(text))


is_dns1123_label = _rule(_LABEL, 63, _LABEL_WORDS, "my-name", "123-abc")
is_dns1123_subdomain = _rule(_SUBDOMAIN, 253, _SUBDOMAIN_WORDS, "example.com")
is_dns1035_label = _rule(_LABEL_1035, 63, _LABEL_1035_WORDS, "my-name", "abc-123")
is_label_value = _rule(_LABEL_VALUE, 63, _LABEL_VALUE_WORDS, "MyValue", "my_value", "12345")
_is_name_part = _rule(_QUALIFIED, 63, _QUALIFIED_WORDS, "MyName", "my.name", "123-abc")


@lru_cache(maxsize=4096)
def _qualified_name_faults(text: str) -> tuple[str, ...]:
    prefix, slash, name = text.partition("/")
    if not slash:
        prefix, name = "", text
    if "/" in name:
        words = regex_words(_QUALIFIED_WORDS, _QUALIFIED, "MyName", "my.name", "123-abc")
        return (f"a qualified name {words} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    found = []
    if slash and not prefix:
        found.append(f"prefix part {EMPTY}")
    elif slash:
        found += [f"prefix part {fault}" for fault in is_dns1123_subdomain(prefix)]
    if not name:
        found.append(f"name part {EMPTY}")
    return tuple(found + [f"name part {fault}" for fault in _is_name_part(name)])


def is_qualified_name(text: str) -> list[str]:
    """A key of labels, annotations, resources and finalizers: `[prefix/]name`."""
    return list(_qualified_name_faults(text))


def is_path_segment_name(text: str) -> list[str]:
    """A name that only has to fit into a URL path (RBAC objects)."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{bad}'" for bad in "/%" if bad in text]


def is_dns1123_subdomain_with_underscore(text: str) -> list[str]:
    """A host name that may hold underscores (fully qualified domain names in search paths)."""
    return _underscore(text)


_underscore = _rule(
    r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*",
    253,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
    "and must start and end with an alphanumeric character",
    "example.com",
)
