"""What autoscaling, disruption and quota controllers may do: upstream's rules, with patch beside update."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wherry.apiserver.authorization.policy import CONTROLLERS, rules


def flat(given: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """(verb, group, resource) of every rule."""
    return {
        (verb, group, resource)
        for rule in given for verb in rule["verbs"] for group in rule["apiGroups"] for resource in rule["resources"]
    }


@pytest.mark.parametrize("name", ["horizontal-pod-autoscaler", "disruption-controller", "resourcequota-controller"])
def test_roles(shared: Path, name: str) -> None:
    recorded = json.loads((shared / "upstream/api/reads.json").read_text())
    [expected] = [
        item["rules"] for case in recorded for item in (case["response"].get("body") or {}).get("items") or ()
        if item.get("kind", "ClusterRole") == "ClusterRole" and item["metadata"]["name"] == f"system:controller:{name}" and item.get("rules")
    ]
    wanted = flat(expected)
    wanted |= {("patch", group, resource) for verb, group, resource in wanted if verb == "update"}
    assert flat(rules(CONTROLLERS[name])) == wanted
