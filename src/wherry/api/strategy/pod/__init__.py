"""Pods: the strategy, put together from this package's parts."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy, View

from .defaults import default_pod
from .qos import compute_qos_class
from .scheduling import merge_label_keys
from .update import (
    keep_all_but_ephemeral_containers,
    keep_all_but_resources,
    validate_ephemeral_containers_update,
    validate_pod_status,
    validate_pod_update,
    validate_resize,
)
from .validation import validate_pod, validate_pod_create
from .warnings import pod_warnings

Dict = dict[str, Any]


def prepare_pod_for_create(pod: Dict) -> None:
    """A new Pod is Pending, whatever its manifest says; a gated one says so at once.

    `schedulingGroup` is dropped, as by every server of 1.37 without the feature GenericWorkload (off by default).
    """
    if (spec := pod.get("spec")) is not None:
        spec.pop("schedulingGroup", None)
        pod["spec"] = merge_label_keys(spec, (pod.get("metadata") or {}).get("labels") or {})
    status: Dict = {"phase": "Pending", "qosClass": compute_qos_class(pod)}
    if (pod.get("spec") or {}).get("schedulingGates"):
        status["conditions"] = [{
            "type": "PodScheduled", "status": "False", "lastProbeTime": None, "lastTransitionTime": None,
            "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates",
        }]
    pod["status"] = status


POD = Strategy(
    default=default_pod,
    prepare_for_create=prepare_pod_for_create,
    validate=validate_pod,
    validate_create=validate_pod_create,
    validate_update=validate_pod_update,
    validate_status=validate_pod_status,
    warnings=pod_warnings,
    graceful=True,
    views={
        "ephemeralcontainers": View(keep_all_but_ephemeral_containers, validate_ephemeral_containers_update),
        "resize": View(keep_all_but_resources, validate_resize),
    },
)
