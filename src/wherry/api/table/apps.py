"""Rows of apps: the workloads that run for ever."""

from __future__ import annotations

from wherry.api import selectable
from wherry.api.resource import Resource
from wherry.api.table.rows import PLAIN, SCALE, served, status

GROUP = "apps"

CONTROLLER_REVISION = Resource(
    "controllerrevisions", "ControllerRevision", GROUP, served(GROUP, "ControllerRevision"), strategy=PLAIN,
)
DAEMON_SET = Resource(
    "daemonsets", "DaemonSet", GROUP, served(GROUP, "DaemonSet"), short_names=("ds",), categories=("all",),
    subresources=(status("DaemonSet"),),
)
DEPLOYMENT = Resource(
    "deployments", "Deployment", GROUP, served(GROUP, "Deployment"), short_names=("deploy",), categories=("all",),
    subresources=(SCALE, status("Deployment")),
)
REPLICA_SET = Resource(
    "replicasets", "ReplicaSet", GROUP, served(GROUP, "ReplicaSet"), short_names=("rs",), categories=("all",),
    subresources=(SCALE, status("ReplicaSet")), selectable_fields=selectable.REPLICAS,
)
STATEFUL_SET = Resource(
    "statefulsets", "StatefulSet", GROUP, served(GROUP, "StatefulSet"), short_names=("sts",), categories=("all",),
    subresources=(SCALE, status("StatefulSet")),
)

ROWS = (CONTROLLER_REVISION, DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET)
