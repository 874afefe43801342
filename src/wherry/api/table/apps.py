"""Rows of apps: the workloads that run for ever.  All but ControllerRevision were in extensions or apps/v1beta1 at first."""

from __future__ import annotations

from wherry.api import selectable
from wherry.api.conversion import old_apps as conversion
from wherry.api.conversion.old_apps import Convert
from wherry.api.printers import workloads
from wherry.api.resource import Resource, Version
from wherry.api.strategy import daemonset as daemonset_strategy
from wherry.api.strategy import deployment as deployment_strategy
from wherry.api.strategy import replicaset as replicaset_strategy
from wherry.api.strategy import statefulset as statefulset_strategy
from wherry.api.table import old_apps
from wherry.api.table.rows import SCALE, old, served, status

GROUP = "apps"
EXTENSIONS = "extensions/v1beta1"


def _beta2(kind: str) -> Version:
    """apps/v1beta2 became v1 as it was."""
    return old("apps/v1beta2", kind, "apps/v1", "v1.9", "v1.16", orphans=kind != "ControllerRevision")


def _before(api_version: str, kind: str, to_hub: Convert, from_hub: Convert | None = None, **more: str | dict[str, str]) -> Version:
    """Versions before that: another schema, and other defaults."""
    schema = old_apps.add(api_version, kind, **more)
    return old(api_version, kind, "apps/v1", "v1.8", "v1.16", schema, to_hub, from_hub, orphans=True)


CONTROLLER_REVISION = Resource(
    "controllerrevisions", "ControllerRevision", GROUP,
    (
        *served(GROUP, "ControllerRevision"), _beta2("ControllerRevision"),
        old("apps/v1beta1", "ControllerRevision", "apps/v1", "v1.8", "v1.16"),
    ),
    strategy=replicaset_strategy.CONTROLLER_REVISION, printer=workloads.CONTROLLER_REVISION,
)
DAEMON_SET = Resource(
    "daemonsets", "DaemonSet", GROUP,
    (
        *served(GROUP, "DaemonSet"),
        _beta2("DaemonSet"),
        _before(
            EXTENSIONS, "DaemonSet", conversion.daemonset_to_hub, conversion.daemonset_from_hub,
            templateGeneration={"type": "integer", "format": "int64"},
        ),
    ),
    short_names=("ds",), categories=("all",),
    subresources=(status("DaemonSet"),), printer=workloads.DAEMON_SET, strategy=daemonset_strategy.DAEMON_SET,
)
DEPLOYMENT = Resource(
    "deployments", "Deployment", GROUP,
    (
        *served(GROUP, "Deployment"),
        _beta2("Deployment"),
        _before("apps/v1beta1", "Deployment", conversion.apps_v1beta1_deployment_to_hub),
        _before(EXTENSIONS, "Deployment", conversion.extensions_deployment_to_hub),
    ),
    short_names=("deploy",), categories=("all",), subresources=(SCALE, status("Deployment")), printer=workloads.DEPLOYMENT,
    strategy=deployment_strategy.DEPLOYMENT,
)
REPLICA_SET = Resource(
    "replicasets", "ReplicaSet", GROUP,
    (*served(GROUP, "ReplicaSet"), _beta2("ReplicaSet"), _before(EXTENSIONS, "ReplicaSet", conversion.labelled)),
    short_names=("rs",), categories=("all",),
    subresources=(SCALE, status("ReplicaSet")), selectable_fields=selectable.REPLICAS, printer=workloads.REPLICA_SET,
    strategy=replicaset_strategy.REPLICA_SET,
)
STATEFUL_SET = Resource(
    "statefulsets", "StatefulSet", GROUP,
    (*served(GROUP, "StatefulSet"), _beta2("StatefulSet"), _before("apps/v1beta1", "StatefulSet", conversion.on_delete)),
    short_names=("sts",), categories=("all",),
    subresources=(SCALE, status("StatefulSet")), printer=workloads.STATEFUL_SET, strategy=statefulset_strategy.STATEFUL_SET,
)

ROWS = (CONTROLLER_REVISION, DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET)
