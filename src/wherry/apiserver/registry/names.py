"""What the server makes up: suffixes of names, as upstream's `names.SimpleNameGenerator` makes them, and uids."""

import os
import random

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels and no look-alikes, so that no words come out
MAX_BASE = 63 - 5
_random = random.Random()  # names are no secrets


def random_suffix(length: int = 5) -> str:
    """`length` characters that are safe in names."""
    return "".join(_random.choices(_ALPHABET, k=length))


def new_uid() -> str:
    """A random UUID (version 4), as `uuid.uuid4` makes it in three times the time."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def generate_name(base: str) -> str:
    """`base` (cut to fit a label) and five random characters."""
    return base[:MAX_BASE] + random_suffix()
