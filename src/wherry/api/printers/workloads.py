"""Workloads of apps and core: how many replicas are wanted, there and ready."""

from __future__ import annotations

from wherry.api.printers.text import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    NONE,
    SELECTOR,
    age,
    column,
    containers,
    labels_text,
    name,
    part,
    selector_text,
)
from wherry.api.resource import Cell, Object, Printer

_REPLICAS = (
    NAME, column("Desired", "Replicas wanted.", "integer"), column("Current", "Replicas there.", "integer"),
    column("Ready", "Replicas ready.", "integer"), AGE, CONTAINERS, IMAGES, SELECTOR,
)


def _replicas(obj: Object) -> list[Cell]:
    spec, status = part(obj, "spec"), part(obj, "status")
    return [
        name(obj), spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0), age(obj),
        *containers(part(spec, "template")),
    ]


def _ready(obj: Object) -> str:
    return f"{part(obj, 'status').get('readyReplicas', 0)}/{part(obj, 'spec').get('replicas', 0)}"


def _deployment(obj: Object) -> list[Cell]:
    spec, status = part(obj, "spec"), part(obj, "status")
    return [
        name(obj), _ready(obj), status.get("updatedReplicas", 0), status.get("availableReplicas", 0), age(obj),
        *containers(part(spec, "template")), selector_text(spec.get("selector"), empty="", wrong="<invalid>"),
    ]


def _daemon_set(obj: Object) -> list[Cell]:
    spec, status = part(obj, "spec"), part(obj, "status")
    template = part(spec, "template")
    counts = (
        "desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable",
    )
    return [
        name(obj), *(status.get(count, 0) for count in counts), labels_text(part(template, "spec").get("nodeSelector")),
        age(obj), *containers(template), selector_text(spec.get("selector")),
    ]


def _controller(obj: Object) -> str:
    """`daemonset.apps/name` of the owner that controls it."""
    for owner in part(obj, "metadata").get("ownerReferences") or ():
        if owner.get("controller"):
            group, _, _ = str(owner.get("apiVersion", "")).rpartition("/")
            kind = str(owner.get("kind", "")).lower()
            return f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"
    return NONE


def _pod_template(obj: Object) -> list[Cell]:
    template = part(obj, "template")
    return [name(obj), *containers(template), labels_text(part(template, "metadata").get("labels"))]


REPLICATION_CONTROLLER = Printer(
    _REPLICAS, lambda obj: [*_replicas(obj), labels_text(part(obj, "spec").get("selector"))],
)
REPLICA_SET = Printer(_REPLICAS, lambda obj: [*_replicas(obj), selector_text(part(obj, "spec").get("selector"))])
DEPLOYMENT = Printer(
    (
        NAME, column("Ready", "Replicas ready, of those wanted."),
        column("Up-to-date", "Replicas of the newest template."), column("Available", "Replicas ready for long enough."),
        AGE, CONTAINERS, IMAGES, SELECTOR,
    ),
    _deployment,
)
STATEFUL_SET = Printer(
    (NAME, column("Ready", "Replicas ready, of those wanted."), AGE, CONTAINERS, IMAGES),
    lambda obj: [name(obj), _ready(obj), age(obj), *containers(part(obj, "spec", "template"))],
)
DAEMON_SET = Printer(
    (
        NAME, column("Desired", "Nodes that should run it.", "integer"), column("Current", "Nodes that run it.", "integer"),
        column("Ready", "Nodes where it is ready.", "integer"),
        column("Up-to-date", "Nodes that run the newest template.", "integer"),
        column("Available", "Nodes where it is ready for long enough.", "integer"),
        column("Node Selector", "Labels of the nodes that should run it."), AGE, CONTAINERS, IMAGES, SELECTOR,
    ),
    _daemon_set,
)
CONTROLLER_REVISION = Printer(
    (NAME, column("Controller", "Whose revision it is."), column("Revision", "Its number."), AGE),
    lambda obj: [name(obj), _controller(obj), obj.get("revision", 0), age(obj)],
)
POD_TEMPLATE = Printer(
    (
        NAME, column("Containers", "Names of the template's containers."), column("Images", "Images of its containers."),
        column("Pod Labels", "Labels of its Pods."),
    ),
    _pod_template,
)
