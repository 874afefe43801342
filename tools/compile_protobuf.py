#!/usr/bin/env python3
"""Compile the numbers of protobuf fields into `src/wherry/api/data/protobuf.json.gz`.

    python tools/compile_protobuf.py KUBECTL

kubectl's typed commands (`create deployment`, `expose` ...) send protobuf, and a Go program carries
the descriptors of its messages: this reads them out of a kubectl binary (1.20 to 1.34 have them; use
1.34).  Facts only: message, field number, JSON name, type.  Numbers never change between releases.
What came later is in LATER, by the tags of Go's structs, which newer binaries still carry as text.
"""

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent.parent / "src/wherry/api/data/protobuf.json.gz"
WANTED = ("k8s.io.api.", "k8s.io.apimachinery.")
# FieldDescriptorProto.Type -> how the decoder reads it
TYPES = {1: "double", 2: "float", 3: "int", 4: "uint", 5: "int", 8: "bool", 9: "string", 11: "message", 12: "bytes", 13: "uint"}
REPEATED = 3
CORE = "k8s.io.api.core.v1."
QUANTITY = "k8s.io.apimachinery.pkg.api.resource.Quantity"
LATER: dict[str, dict[str, list[Any]]] = {
    CORE + "PodStatus": {
        "19": ["allocatedResources", "message", 1, CORE + "PodStatus.AllocatedResourcesEntry"],
        "20": ["resources", "message", 0, CORE + "ResourceRequirements"],
    },
    CORE + "PodStatus.AllocatedResourcesEntry": {"1": ["key", "string", 0, ""], "2": ["value", "message", 0, QUANTITY]},
    CORE + "NodeStatus": {"14": ["declaredFeatures", "string", 1, ""]},
    CORE + "NodeSystemInfo": {"12": ["runningInUserNamespace", "bool", 0, ""]},
    CORE + "VolumeMount": {"8": ["bindMountOptions", "string", 1, ""]},
}


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of every field of a message; values are ints or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = varint(data, at)
            yield number, value
        elif wire == 2:
            size, at = varint(data, at)
            yield number, data[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {wire} in a descriptor")


def descriptors(binary: bytes) -> Iterator[bytes]:
    """Every FileDescriptorProto that a Go program registered, unpacked."""
    for match in re.finditer(rb"\x1f\x8b\x08\x00\x00", binary):
        unpacker = zlib.decompressobj(31)
        try:
            raw = unpacker.decompress(binary[match.start() : match.start() + 400_000])
        except zlib.error:
            continue
        if unpacker.eof and b"generated.proto" in raw[:200]:
            yield raw


def messages(file: bytes) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """(full name, {number: [json name, type, repeated, message or map]}) of a file's messages, nested ones included."""
    parts = list(fields(file))
    package = next(value.decode() for number, value in parts if number == 2)
    if not package.startswith(WANTED):
        return
    for number, value in parts:
        if number == 4:
            yield from message(package, value)


def message(scope: str, data: bytes) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    parts = list(fields(data))
    name = f"{scope}.{next(v.decode() for n, v in parts if n == 1)}"
    found = {}
    for number, value in parts:
        if number == 2:
            row = dict(fields(value))
            kind = TYPES[row[5]]
            target = row[6].decode().lstrip(".") if 6 in row else ""
            found[str(row[3])] = [row[1].decode(), kind, int(row[4] == REPEATED), target]
        elif number == 3:
            yield from message(name, value)
    yield name, found


def main() -> None:
    table: dict[str, Any] = {}
    for file in descriptors(Path(sys.argv[1]).read_bytes()):
        table.update(messages(file))
    for name, rows in LATER.items():
        table.setdefault(name, {}).update(rows)
    text = json.dumps(dict(sorted(table.items())), separators=(",", ":"))
    OUT.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(table)} messages, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
