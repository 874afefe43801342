"""The hash of a Pod template, for names and labels of ReplicaSets and revisions.

Upstream hashes Go's own printing of the struct, which nothing else can reproduce; ours is FNV-1a
of the canonical JSON, written in the same alphabet (no vowels, nothing that reads as a word).
"""

from __future__ import annotations

from typing import Any

import msgspec

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def fnv32a(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def safe_encode(text: str) -> str:
    """Each character as one of the safe alphabet."""
    return "".join(ALPHABET[ord(char) % len(ALPHABET)] for char in text)


def template_hash(template: Any, collision_count: int | None = None) -> str:
    """Stable over versions and processes: keys are sorted, defaults left out."""
    data = msgspec.json.encode(template, order="sorted")
    if collision_count is not None:
        data += str(collision_count).encode()
    return safe_encode(str(fnv32a(data)))
