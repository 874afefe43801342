"""Reading a few fields: the same values as reading all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wherry.api.registry import BUILTIN
from wherry.api.resource import Resource
from wherry.apimachinery.narrow import narrow

OBJECTS: list[dict[str, Any]] = [
    {},
    {"spec": None, "status": {}},
    {"spec": {"nodeName": "n", "other": [1]}, "status": {"phase": "Running", "podIPs": [{"ip": "1.2.3.4"}]}, "more": 1},
    {"source": {"component": "c"}, "reportingComponent": "r", "involvedObject": {"kind": "Pod", "name": "p"}, "type": "Normal"},
    {"spec": {"unschedulable": True, "signerName": "s", "clusterIP": None}, "status": {"replicas": 3, "succeeded": 2}},
]


def test_only_what_was_asked_for_is_made() -> None:
    read = narrow(["metadata.labels", "spec.a.b", "kind"])
    body = {"kind": "K", "metadata": {"labels": {"x": "y"}, "name": "n"}, "spec": {"a": {"b": [1, {"c": None}], "d": 2}, "e": 3}}
    assert read(json.dumps(body).encode()) == {"kind": "K", "metadata": {"labels": {"x": "y"}}, "spec": {"a": {"b": [1, {"c": None}]}}}
    assert read(b"{}") == {}


@pytest.mark.parametrize("body", [{"spec": "text"}, {"spec": {"a": [1]}}, {"spec": None}, {"spec": {"a": None}}])
def test_another_form_than_expected_is_read_as_it_is(body: dict[str, Any]) -> None:
    assert narrow(["spec.a.b"])(json.dumps(body).encode()) == body


@pytest.mark.parametrize("resource", [r for r in BUILTIN.resources if r.selectable_fields], ids=lambda r: r.plural)
def test_selectable_fields_tell_what_they_read(resource: Resource) -> None:
    read = narrow(path for each in resource.selectable_fields.values() for path in each.reads)
    for obj in OBJECTS:
        seen = read(json.dumps(obj).encode())
        assert {name: get(seen) for name, get in resource.selectable_fields.items()} == {
            name: get(obj) for name, get in resource.selectable_fields.items()
        }
