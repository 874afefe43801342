"""The base of every typed object: a frozen msgspec struct that the cyclic collector never visits.

A struct forgets fields that it does not know, so it is for reading and for building new
objects; what exists is changed by patch, never by PUT of a struct (docs/architecture.md).
"""

import msgspec


class Struct(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """An immutable API object or a part of one.  Copy with `msgspec.structs.replace`."""
