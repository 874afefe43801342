"""Rows of apps: the workloads that run for ever."""

from __future__ import annotations

from collections.abc import Callable

from wherry.api import selectable
from wherry.api.conversion import deployment
from wherry.api.printers import workloads
from wherry.api.resource import Object, Resource, Version
from wherry.api.strategy import daemonset as daemonset_strategy
from wherry.api.strategy import deployment as deployment_strategy
from wherry.api.strategy import replicaset as replicaset_strategy
from wherry.api.strategy import statefulset as statefulset_strategy
from wherry.api.table.rows import SCALE, schema_name, served, status

GROUP = "apps"


def _old_deployment(version: str, group: str | None = None, to_hub: Callable[[Object], Object] | None = None) -> Version:
    """Old versions of Deployment share apps/v1's schema; they differ in what they leave out."""
    return Version(
        version, schema_name(GROUP, "v1", "Deployment"), group=group, to_hub=to_hub, preferred=False,
        deprecation=f"{group or GROUP}/{version} Deployment is deprecated in v1.9+, unavailable in v1.16+;"
        " use apps/v1 Deployment",
    )


CONTROLLER_REVISION = Resource(
    "controllerrevisions", "ControllerRevision", GROUP, served(GROUP, "ControllerRevision"),
    strategy=replicaset_strategy.CONTROLLER_REVISION, printer=workloads.CONTROLLER_REVISION,
)
DAEMON_SET = Resource(
    "daemonsets", "DaemonSet", GROUP, served(GROUP, "DaemonSet"), short_names=("ds",), categories=("all",),
    subresources=(status("DaemonSet"),), printer=workloads.DAEMON_SET, strategy=daemonset_strategy.DAEMON_SET,
)
DEPLOYMENT = Resource(
    "deployments", "Deployment", GROUP,
    (
        *served(GROUP, "Deployment"),
        _old_deployment("v1beta2"),
        _old_deployment("v1beta1", to_hub=deployment.apps_v1beta1_to_hub),
        _old_deployment("v1beta1", "extensions", deployment.extensions_to_hub),
    ),
    short_names=("deploy",), categories=("all",), subresources=(SCALE, status("Deployment")), printer=workloads.DEPLOYMENT,
    strategy=deployment_strategy.DEPLOYMENT,
)
REPLICA_SET = Resource(
    "replicasets", "ReplicaSet", GROUP, served(GROUP, "ReplicaSet"), short_names=("rs",), categories=("all",),
    subresources=(SCALE, status("ReplicaSet")), selectable_fields=selectable.REPLICAS, printer=workloads.REPLICA_SET,
    strategy=replicaset_strategy.REPLICA_SET,
)
STATEFUL_SET = Resource(
    "statefulsets", "StatefulSet", GROUP, served(GROUP, "StatefulSet"), short_names=("sts",), categories=("all",),
    subresources=(SCALE, status("StatefulSet")), printer=workloads.STATEFUL_SET, strategy=statefulset_strategy.STATEFUL_SET,
)

ROWS = (CONTROLLER_REVISION, DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET)
