"""Protobuf bodies become the JSON that a client would have sent otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api import protobuf, schemas

REFUSED = {"rollbackTo"}  # of old Deployments, which no schema here has
DROPPED = {"k8s.io.api.resource.v1alpha3.DeviceTaintSelector": {"deviceClassName", "selectors"}}  # from later releases
SCHEMAS = {name.split(".", 2)[2].replace("-", "_"): name for name in schemas.names()}
KNOWN = [(name, SCHEMAS[name.split(".", 2)[2]]) for name in protobuf._table() if name.split(".", 2)[2] in SCHEMAS]


def json_names(message: str) -> set[str]:
    names = set[str]()
    for field, kind, _, target in protobuf.message_fields(message).values():
        names |= json_names(target) if kind == "message" and field in protobuf.INLINE else {field}
    return names


@pytest.mark.parametrize(("message", "definition"), KNOWN, ids=[name for name, _ in KNOWN])
def test_every_field_is_one_of_the_schema(message: str, definition: str) -> None:
    fields = schemas.facts(definition).get("fields", {})
    assert not fields or json_names(message) - REFUSED - DROPPED.get(message, set()) <= fields.keys()


def test_most_kinds_are_known() -> None:
    assert len(KNOWN) > 300


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, *varint(number >> 7)])


def field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def enveloped(api_version: str, kind: str, raw: bytes) -> bytes:
    return protobuf.MAGIC + field(1, field(1, api_version.encode()) + field(2, kind.encode())) + field(2, raw)


POD_WITH_VOLUME = field(2, field(1, field(1, b"v") + field(2, field(19, field(1, field(1, b"config"))))))
INGRESS = field(2, field(3, field(1, b"h") + field(2, field(1, field(1, field(1, b"/"))))))


@pytest.mark.parametrize(
    ("api_version", "kind", "raw", "spec"),
    [
        pytest.param("v1", "Pod", POD_WITH_VOLUME, {"volumes": [{"name": "v", "configMap": {"name": "config"}}]}, id="volume"),
        pytest.param("networking.k8s.io/v1", "Ingress", INGRESS, {"rules": [{"host": "h", "http": {"paths": [{"path": "/"}]}}]}, id="ingress"),
    ],
)
def test_embedded_structs_stand_in_the_outer_one(api_version: str, kind: str, raw: bytes, spec: dict[str, Any]) -> None:
    assert protobuf.to_object(enveloped(api_version, kind, raw)) == {"apiVersion": api_version, "kind": kind, "spec": spec}
