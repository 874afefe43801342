"""What a real API server answered, replayed: every case is passed, or listed with its reason.

The recordings are requests in the order sent; each file is replayed against one server.  Names, uids,
times, revisions and addresses vary and are masked.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from api_harness import API

FILES = ("defaults", "reads", "tables", "errors", "patches", "lists")
# case -> why wherry's answer differs
KNOWN: dict[str, str] = {}
MASKED = {"uid", "resourceVersion", "creationTimestamp", "time", "deletionTimestamp", "token", "expirationTimestamp"}


def mask(value: Any, key: str = "") -> Any:
    """The value with what varies replaced."""
    if key in MASKED and isinstance(value, str):
        return "*"
    if isinstance(value, dict):
        return {k: mask(v, k) for k, v in value.items() if k != "managedFields"}
    if isinstance(value, list):
        return [mask(v) for v in value]
    if isinstance(value, str):
        value = re.sub(r"kube-api-access-\w{5}", "kube-api-access-*", value)
        return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "*", value)
    return value


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
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
    return [] if expected == actual else [f"{path}: expected {json.dumps(expected)[:200]}, is {json.dumps(actual)[:200]}"]


async def replay(api: API, case: dict[str, Any]) -> list[str]:
    asked, expected = case["request"], case["response"]
    body = asked.get("body")
    headers = {"accept": asked.get("accept") or "application/json", "content_type": asked.get("contentType") or "application/json"}
    response = await api.send(asked["method"], asked["path"], body, **headers)
    found = [] if response.status == expected["status"] else [f"status: expected {expected['status']}, is {response.status}"]
    try:
        actual = json.loads(response.body)
    except ValueError:
        actual = response.body.decode()
    return found + differences(mask(expected["body"]), mask(actual))


async def report(api: API, shared: Path) -> dict[str, list[str]]:
    await api.namespace("rec")
    results: dict[str, list[str]] = {}
    for name in FILES:
        for case in json.loads((shared / "upstream/api" / f"{name}.json").read_text()):
            if "watch=1" in case["request"]["path"]:
                continue
            results[f"{name}/{case['name']}"] = await replay(api, case)
    return results


async def test_recorded_answers(api: API, shared: Path) -> None:
    results = await report(api, shared)
    wrong = {name: found for name, found in results.items() if found and name not in KNOWN}
    text = "\n".join(f"{name}\n    " + "\n    ".join(found[:12]) for name, found in wrong.items())
    assert not wrong, f"{len(wrong)} of {len(results)} differ\n{text}"
