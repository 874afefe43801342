"""Builders of the objects that controller tests start from."""

from __future__ import annotations

from typing import Any

from wherry.api.types import apps_v1, core_v1, meta_v1


def pod_template(labels: dict[str, str], image: str = "busybox:1.36", **spec: Any) -> core_v1.PodTemplateSpec:
    container = core_v1.Container(name="c", image=image)
    return core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels=labels), spec=core_v1.PodSpec(containers=[container], **spec),
    )


def replica_set(name: str = "web", replicas: int = 3, **spec: Any) -> apps_v1.ReplicaSet:
    labels = {"a": name}
    return apps_v1.ReplicaSet(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=apps_v1.ReplicaSetSpec(
            replicas=replicas, selector=meta_v1.LabelSelector(match_labels=labels), template=pod_template(labels), **spec,
        ),
    )


def deployment(name: str = "web", replicas: int = 3, **spec: Any) -> apps_v1.Deployment:
    labels = {"a": name}
    return apps_v1.Deployment(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=apps_v1.DeploymentSpec(
            replicas=replicas, selector=meta_v1.LabelSelector(match_labels=labels), template=pod_template(labels), **spec,
        ),
    )


RECREATE = apps_v1.DeploymentStrategy(type="Recreate")


def image_patch(image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
