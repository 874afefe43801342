"""Aggregated ClusterRoles: the plan, and the roles that a user adds at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wherry.api.types import meta_v1, rbac_v1
from wherry.controller.clusterroleaggregation.controller import ClusterRoleAggregationController
from wherry.controller.clusterroleaggregation.plan import aggregated

SELECTOR = meta_v1.LabelSelector(match_labels={"to": "view"})


def rule(resource: str) -> rbac_v1.PolicyRule:
    return rbac_v1.PolicyRule(verbs=["get"], api_groups=["x"], resources=[resource])


def role(name: str, *resources: str, labels: dict[str, str] | None = None, aggregates: bool = False) -> rbac_v1.ClusterRole:
    return rbac_v1.ClusterRole(
        metadata=meta_v1.ObjectMeta(name=name, labels=labels or {}), rules=[rule(each) for each in resources],
        aggregation_rule=rbac_v1.AggregationRule(cluster_role_selectors=[SELECTOR]) if aggregates else None,
    )


VIEW = {"to": "view"}


@pytest.mark.parametrize(
    ("roles", "wanted"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([role("b", "two", labels=VIEW), role("a", "one", labels=VIEW)], ["one", "two"], id="by-name"),
        pytest.param([role("a", "one", labels=VIEW), role("b", "one", "two", labels=VIEW)], ["one", "two"], id="each-once"),
        pytest.param([role("a", "one", labels={"to": "edit"})], [], id="not-selected"),
        pytest.param([role("view", "own", labels=VIEW)], [], id="never-itself"),
    ],
)
def test_aggregated(roles: list[rbac_v1.ClusterRole], wanted: list[str]) -> None:
    assert aggregated(role("view", "old", aggregates=True), roles) == [rule(each) for each in wanted]


def test_plain_roles_are_left_alone() -> None:
    assert aggregated(role("view", "own"), [role("a", "one", labels=VIEW)]) is None


async def test_roles_at_run_time(world: Callable[[], Any]) -> None:
    """A custom resource's roles join `view` when they are made, and leave it with their label."""
    async with world() as w:
        w.start(ClusterRoleAggregationController)
        await w.client.create(role("view", aggregates=True))
        await w.client.create(role("crontabs", "crontabs", labels=VIEW))
        await w.settle()
        made = await w.client.get(rbac_v1.ClusterRole, "view")
        assert made.rules == [rule("crontabs")]
        owners = w.server.read("rbac.authorization.k8s.io", "clusterroles", "", "view")["metadata"]["managedFields"]
        assert ("clusterrole-aggregation-controller", "Apply") in [(each["manager"], each["operation"]) for each in owners]
        await w.client.patch(rbac_v1.ClusterRole, "crontabs", {"metadata": {"labels": {"to": None}}})
        await w.settle()
        assert (await w.client.get(rbac_v1.ClusterRole, "view")).rules == []
