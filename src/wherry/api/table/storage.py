"""Rows of storage.k8s.io and storagemigration.k8s.io."""

from __future__ import annotations

from wherry.api.printers import storage
from wherry.api.resource import Resource
from wherry.api.strategy import storage as storage_strategy
from wherry.api.table.rows import PLAIN, PLAIN_STATUS, old, served, status

GROUP = "storage.k8s.io"
MIGRATION = "storagemigration.k8s.io"

CSI_DRIVER = Resource(
    "csidrivers", "CSIDriver", GROUP, served(GROUP, "CSIDriver"), namespaced=False,
    strategy=storage_strategy.CSI_DRIVER, printer=storage.CSI_DRIVER,
)
CSI_NODE = Resource(
    "csinodes", "CSINode", GROUP, served(GROUP, "CSINode"), namespaced=False,
    strategy=storage_strategy.CSI_NODE, printer=storage.CSI_NODE,
)
CSI_STORAGE_CAPACITY = Resource(
    "csistoragecapacities", "CSIStorageCapacity", GROUP, served(GROUP, "CSIStorageCapacity"), strategy=PLAIN,
    printer=storage.CSI_STORAGE_CAPACITY,
)
STORAGE_CLASS = Resource(
    "storageclasses", "StorageClass", GROUP,
    (*served(GROUP, "StorageClass"), old(f"{GROUP}/v1beta1", "StorageClass", f"{GROUP}/v1", "v1.19", "v1.22")),
    namespaced=False, short_names=("sc",),
    strategy=storage_strategy.STORAGE_CLASS, printer=storage.STORAGE_CLASS,
)
VOLUME_ATTACHMENT = Resource(
    "volumeattachments", "VolumeAttachment", GROUP, served(GROUP, "VolumeAttachment"), namespaced=False,
    subresources=(status("VolumeAttachment"),), strategy=storage_strategy.VOLUME_ATTACHMENT,
    printer=storage.VOLUME_ATTACHMENT,
)
VOLUME_ATTRIBUTES_CLASS = Resource(
    "volumeattributesclasses", "VolumeAttributesClass", GROUP, served(GROUP, "VolumeAttributesClass"), namespaced=False,
    short_names=("vac",), strategy=PLAIN, printer=storage.VOLUME_ATTRIBUTES_CLASS,
)
STORAGE_VERSION_MIGRATION = Resource(
    "storageversionmigrations", "StorageVersionMigration", MIGRATION, served(MIGRATION, "StorageVersionMigration"),
    namespaced=False, subresources=(status("StorageVersionMigration"),), strategy=PLAIN_STATUS,
    printer=storage.STORAGE_VERSION_MIGRATION,
)

ROWS = (
    CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY, STORAGE_CLASS, VOLUME_ATTACHMENT, VOLUME_ATTRIBUTES_CLASS,
    STORAGE_VERSION_MIGRATION,
)
