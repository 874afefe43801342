"""Replays recorded requests and says where an answer differs from what a real server gave.

What varies is masked: names that are generated, uids, times, revisions, addresses.  What other components
left in the recorded objects is taken out of the expected side, by the managedFields that say so.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from itertools import zip_longest
from typing import Any

from api_harness import API

from wherry.apimachinery.http import Response
from wherry.util.clock import FakeClock

CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "validatingadmissionpolicy-status", "kubelet")
OPENSHIFT = "openshift-service-ca.crt"
MASKED = {
    "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "token", "expirationTimestamp", "continue",
    "lastTransitionTime", "lastUpdateTime", "lastPhaseTransitionTime", "clusterIP",
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_AGE = re.compile(r"(\d+[smhd])+|<invalid>")
AGES = ("Age", "Last Seen", "First Seen", "Last Schedule", "Duration")
Json = Any


# --- masking ---------------------------------------------------------------------------------------


def mask(value: Json, key: str = "") -> Json:
    """The value with what varies replaced, and lists that have no order sorted."""
    if key in MASKED and isinstance(value, str) and value not in ("", "None"):
        return "*"
    if key == "clusterIPs" and value != ["None"]:
        return ["*" for _ in value]
    if key == "managedFields":
        return _entries(value)
    if isinstance(value, dict):
        return {k: masked for k, v in value.items() if (masked := mask(v, k)) != [] or k != "managedFields"}
    if isinstance(value, list):
        items = [v for v in value if not (isinstance(v, dict) and (v.get("configMap") or {}).get("name") == OPENSHIFT)]
        return [mask(v) for v in items]
    if isinstance(value, str):
        value = re.sub(r"kube-api-access-\w{5}", "kube-api-access-*", value)
        value = re.sub(r'("resourceVersion":)"\d+"', r'\1"*"', value)
        value = re.sub(r'("creationTimestamp":)"[^"]+"', r'\1"*"', value)
        value = re.sub(r"current: \d+", "current: *", value)
        value = re.sub(r"@@ -\d+,(\d+) \+\d+,", r"@@ -*,\1 +*,", value)  # OpenShift's volume makes Pods longer
        return _UUID.sub("*", value)
    return value


def _by_controller(entry: Json) -> bool:
    """The API server's own writes of a status are those of the controllers in it (of CRDs)."""
    return entry["manager"] in CONTROLLERS or (entry["manager"] == "kube-apiserver" and entry.get("subresource") == "status")


def _entries(entries: list[Json]) -> list[Json]:
    """managedFields without times, order and what controllers own."""
    kept = [{**entry, "time": "*"} for entry in entries if not _by_controller(entry)]
    return sorted(kept, key=lambda entry: json.dumps(entry, sort_keys=True))


def without_controllers(obj: Json) -> Json:
    """A recorded object without the fields that managedFields say a controller wrote."""
    if isinstance(obj, list):
        return [without_controllers(each) for each in obj]
    if not isinstance(obj, dict):
        return obj
    meta = obj.get("metadata")
    entries = meta.get("managedFields") or [] if isinstance(meta, dict) else []
    obj = {k: without_controllers(v) if k in ("items", "rows", "object") else v for k, v in obj.items()}
    for name in ("items", "rows"):
        if isinstance(obj.get(name), list):
            obj[name] = [each for each in obj[name] if not _made_by_controller(each)]
    for entry in entries:
        if _by_controller(entry):
            obj = _remove(obj, entry["fieldsV1"])
    return obj


def _made_by_controller(item: Json) -> bool:
    """Whether nobody but controllers wrote an item of a list, or a Table's row."""
    meta = (item.get("object") or item).get("metadata") or {} if isinstance(item, dict) else {}
    entries = meta.get("managedFields")
    return meta.get("name") == OPENSHIFT or (bool(entries) and all(map(_by_controller, entries)))


def _remove(value: Json, fields: Json) -> Json:
    if isinstance(value, dict):
        left = dict(value)
        for name, below in fields.items():
            key = name.removeprefix("f:")
            if name.startswith("f:") and key in left and (below or not isinstance(left[key], dict)):
                left[key] = _remove(left[key], below) if below else None
                if not left[key] and (not below or "." in below):
                    del left[key]
        return left
    if isinstance(value, list):
        gone = [json.loads(name[2:]) for name in fields if name.startswith("k:")]
        return [each for each in value if not any(key.items() <= each.items() for key in gone)]
    return value


def table(body: Json) -> Json:
    """A Table without what depends on the moment or on prose: ages and the columns' descriptions."""
    if not isinstance(body, dict) or body.get("kind") != "Table":
        return body
    columns = [{**column, "description": ""} for column in body["columnDefinitions"] or []]
    names = [column["name"] for column in columns]
    return {
        **body,
        "columnDefinitions": columns,
        "rows": [{**row, "cells": [_cell(cell, name) for cell, name in zip_longest(row["cells"], names)]} for row in body["rows"]],
    }


def _cell(cell: Json, column: str | None) -> Json:
    """Without ages and addresses.  Later Tables of a watch do not repeat their columns (None)."""
    if column == "Created At":
        return "*"
    if not isinstance(cell, str):
        return cell
    if column == "Cluster-IP":
        return re.sub(r"\d+\.\d+\.\d+\.\d+", "*", cell)
    return _AGE.sub("*", cell) if column in AGES or column is None else cell


# --- comparing -------------------------------------------------------------------------------------


def differences(expected: Json, actual: Json, path: str = "") -> list[str]:
    """Where two JSON values differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for key in sorted(expected.keys() | actual.keys()):
            if key not in actual:
                found.append(f"{path}.{key}: missing, expected {json.dumps(expected[key])[:160]}")
            elif key not in expected:
                found.append(f"{path}.{key}: unexpected {json.dumps(actual[key])[:160]}")
            else:
                found += differences(expected[key], actual[key], f"{path}.{key}")
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [d for i, (e, a) in enumerate(zip(expected, actual, strict=True)) for d in differences(e, a, f"{path}[{i}]")]
    return [] if expected == actual else [f"{path}: expected {json.dumps(expected)[-300:]}, is {json.dumps(actual)[-300:]}"]


def decoded(body: bytes | str | Json) -> Json:
    """JSON, or the events of a watch as a list, or text."""
    if not isinstance(body, bytes | str):
        return body
    text = body.decode() if isinstance(body, bytes) else body
    try:
        return json.loads(text) if text else ""
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return text


def comparable(body: Json) -> Json:
    if isinstance(body, list):
        return [{"type": event["type"], "object": comparable(event["object"])} for event in body]
    return mask(table(without_controllers(body)))


# --- replaying -------------------------------------------------------------------------------------


class Replay:
    """Sends recorded cases, in order, to one server whose clock it drives."""

    def __init__(self, api: API, clock: FakeClock) -> None:
        self.api, self._clock = api, clock
        self._token = ""  # of the last list
        self.revision = ""

    async def send(self, case: Json) -> tuple[Response, Json]:
        asked = case["request"]
        path = re.sub(r"continue=[\w-]{6,}", f"continue={self._token}", asked["path"])
        path = re.sub(r"resourceVersion=545", f"resourceVersion={self.revision}", path)
        accept, content_type = asked.get("accept") or "application/json", asked.get("contentType") or "application/json"
        body = asked.get("body")
        if isinstance(body, str) and (size := re.fullmatch(r"(\d+) bytes of data", body)):  # not recorded in full
            body = {"metadata": {"name": "x"}, "data": {"a": "x" * int(size[1])}}
        task = asyncio.ensure_future(self._answer(asked["method"], path, body, accept, content_type))
        while not task.done():
            await self._clock.advance(0.05)
        response, body = task.result()
        if isinstance(body, dict) and isinstance(body.get("metadata"), dict) and "items" in body:
            self._token = body["metadata"].get("continue", "")
        return response, body

    async def _answer(self, method: str, path: str, body: Json, accept: str, content_type: str) -> tuple[Response, Json]:
        response = await self.api.send(method, path, body, accept=accept, content_type=content_type)
        if response.stream is None:
            return response, decoded(response.body)
        return response, decoded(b"".join([chunk async for chunk in response.stream]))

    async def differences(self, case: Json) -> list[str]:
        """Send one case; where the answer differs."""
        expected = case["response"]
        response, body = await self.send(case)
        found = [] if response.status == expected["status"] else [f"status: expected {expected['status']}, is {response.status}"]
        sent = [value for name, value in response.headers if name == "Warning"]
        if idle(sent) != _list(expected["headers"].get("Warning")):
            found.append(f"Warning: expected {expected['headers'].get('Warning')}, is {sent}")
        return found + differences(comparable(decoded(expected["body"])), comparable(body))


def idle(warnings: list[str]) -> list[str]:
    """Warnings but wherry's own, that nothing acts on a kind yet."""
    return [text for text in warnings if "nothing in this cluster acts on it" not in text]


def _list(header: str | list[str] | None) -> list[str]:
    if header is None:
        return []
    return [header] if isinstance(header, str) else header


def position(token: str) -> str:
    """Where a continue token goes on."""
    start: str = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["start"]
    return start.strip("/\0")
