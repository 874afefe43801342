"""Random suffixes, as upstream's `names.SimpleNameGenerator` makes them."""

import secrets

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels and no look-alikes, so that no words come out
MAX_BASE = 63 - 5


def random_suffix(length: int = 5) -> str:
    """`length` characters that are safe in names."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def generate_name(base: str) -> str:
    """`base` (cut to fit a label) and five random characters."""
    return base[:MAX_BASE] + random_suffix()
