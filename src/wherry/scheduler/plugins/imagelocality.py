"""ImageLocality: nodes that have the images already are better, the more so the larger these are."""

from __future__ import annotations

from typing import Any

from wherry.api.pod import containers
from wherry.api.types import core_v1
from wherry.scheduler.framework import MAX_NODE_SCORE, CycleState, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Score

# Less than the first is not worth a thought, more than the second (an image) makes no difference.
LEAST, MOST = 23 << 20, 1000 << 20


def normalized(image: str) -> str:
    """With its tag, as nodes report it."""
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


def images_of(pod: core_v1.Pod) -> list[str]:
    """Those of its containers and of its image volumes."""
    mounted = [volume.image.reference for volume in pod.spec.volumes if volume.image is not None]
    return [normalized(image) for image in (*(container.image for container in containers(pod)), *mounted)]


class ImageLocality(Score):
    """An image that is on few nodes counts less, so that its Pods do not all crowd there."""

    name = "ImageLocality"
    local_score = True

    @staticmethod
    def _spread(pod: core_v1.Pod, snapshot: Snapshot) -> list[tuple[str, float]]:
        """Each image that a node has, and on which share of the nodes it is."""
        return [(image, snapshot.images[image] / len(snapshot.nodes)) for image in images_of(pod) if image in snapshot.images]

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        return (self._spread(pod, snapshot), len(images_of(pod))) if snapshot.images else None

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        return bool(self._spread(pod, snapshot))

    def prepare(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        state.data[self.name] = self._spread(pod, snapshot), MOST * len(images_of(pod))

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        images, most = state.data[self.name]
        present = sum(int(node.images.get(image, 0) * share) for image, share in images)
        return float(MAX_NODE_SCORE * (min(max(present, LEAST), most) - LEAST) // (most - LEAST))
