"""Volumes of the old kinds that a CSI driver serves: which driver it is, and what tells its volumes apart.  Pure.

https://kubernetes.io/docs/concepts/storage/volumes/#csi-migration
Whether a node's kubelet has handed a kind over is told by an annotation of its CSINode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from wherry.api.types import core_v1, storage_v1
from wherry.api.volumes import Volume

MIGRATED = "storage.alpha.kubernetes.io/migrated-plugins"
ZONES = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
DRIVERS = {  # plugin -> driver
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io", "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com", "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
}


class Attached(NamedTuple):
    """A volume that takes one of a driver's places on a node.  `plugin`: the old kind, which counts only where it is handed over."""

    driver: str
    handle: str
    plugin: str = ""


def handed_over(node: storage_v1.CSINode | None) -> frozenset[str]:
    """The old kinds that a node's drivers serve."""
    return frozenset(node.metadata.annotations.get(MIGRATED, "").split(",")) if node is not None else frozenset()


def provisioned(provisioner: str, handle: str) -> Attached:
    """A volume that a class's provisioner is to make."""
    driver = DRIVERS.get(provisioner)
    return Attached(provisioner, handle) if driver is None else Attached(driver, handle, provisioner)


def of_volume(volume: Volume) -> Attached | None:
    if volume.spec.csi is not None:
        return Attached(volume.spec.csi.driver, volume.spec.csi.volume_handle)
    return _old(volume.spec, volume.metadata.labels)


def inline(volume: core_v1.Volume) -> Attached | None:
    """A volume that the Pod itself describes."""
    return _old(volume, {})


def _old(source: core_v1.Volume | core_v1.PersistentVolumeSpec, labels: Mapping[str, str]) -> Attached | None:
    plugin = handle = ""
    if source.gce_persistent_disk is not None:
        zone = next((labels[key] for key in ZONES if key in labels), "")
        plugin, handle = "kubernetes.io/gce-pd", f"{zone}/{source.gce_persistent_disk.pd_name}"
    elif source.aws_elastic_block_store is not None:
        plugin, handle = "kubernetes.io/aws-ebs", source.aws_elastic_block_store.volume_id.rpartition("/")[2]
    elif source.azure_disk is not None:
        plugin, handle = "kubernetes.io/azure-disk", source.azure_disk.disk_uri
    elif source.cinder is not None:
        plugin, handle = "kubernetes.io/cinder", source.cinder.volume_id
    elif source.portworx_volume is not None:
        plugin, handle = "kubernetes.io/portworx-volume", source.portworx_volume.volume_id
    return Attached(DRIVERS[plugin], handle, plugin) if plugin else None
