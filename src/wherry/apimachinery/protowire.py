"""How protobuf writes the fields of a message; what the fields mean is their callers' business.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct


def varint(value: int) -> bytes:
    """A number that is not negative, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def length_delimited(number: int, data: bytes) -> bytes:
    """A field of bytes: text or a message, too."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    """A field of an int64 or a bool."""
    return varint(number << 3) + varint(int(value) & 0xFFFF_FFFF_FFFF_FFFF)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)
