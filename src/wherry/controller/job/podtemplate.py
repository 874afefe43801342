"""The Pods of a Job: its template, the finalizer that counting needs, and an index where it has them.  Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from wherry.api.types import batch_v1, core_v1
from wherry.controller.job import model as m
from wherry.controller.job.manage import NewPod
from wherry.controller.podcontrol import pod_from_template

ENV = "JOB_COMPLETION_INDEX"
MAX_GENERATED_PREFIX = 58  # a name has 63 characters at most, five are the server's
_FROM_LABEL = core_v1.EnvVar(
    name=ENV, value_from=core_v1.EnvVarSource(field_ref=core_v1.ObjectFieldSelector(field_path=f"metadata.labels['{m.INDEX}']")),
)


def build(job: batch_v1.Job, new: NewPod) -> core_v1.Pod:
    pod = pod_from_template(job.spec.template, job)
    finalizers = [*(each for each in pod.metadata.finalizers if each != m.FINALIZER), m.FINALIZER]
    meta: dict[str, Any] = {"finalizers": finalizers}
    spec = pod.spec
    if new.index is not None:
        meta |= _indexed_meta(job, pod, new, new.index)
        spec = msgspec.structs.replace(
            spec, hostname=f"{job.metadata.name}-{new.index}", containers=[_with_env(each) for each in spec.containers],
            init_containers=[_with_env(each) for each in spec.init_containers],
        )
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, **meta), spec=spec)


def _indexed_meta(job: batch_v1.Job, pod: core_v1.Pod, new: NewPod, index: int) -> dict[str, Any]:
    own = {m.INDEX: str(index)}
    annotations = pod.metadata.annotations | own
    if new.failures is not None:
        annotations[m.FAILURES] = str(new.failures)
    if new.ignored:
        annotations[m.IGNORED] = str(new.ignored)
    suffix = f"-{index}-"
    return {
        "annotations": annotations, "labels": pod.metadata.labels | own,
        "generate_name": job.metadata.name[:MAX_GENERATED_PREFIX - len(suffix)] + suffix,
    }


def _with_env(container: core_v1.Container) -> core_v1.Container:
    """A container that sets the variable itself keeps its own."""
    if any(each.name == ENV for each in container.env):
        return container
    return msgspec.structs.replace(container, env=[*container.env, _FROM_LABEL])
