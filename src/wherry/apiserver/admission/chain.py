"""The admission plugins in upstream's order.  A new plugin is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Collection

from wherry.apiserver.admission.interface import Plugin, Writer
from wherry.apiserver.admission.limitranger import LimitRanger
from wherry.apiserver.admission.namespacelifecycle import NamespaceLifecycle
from wherry.apiserver.admission.nodeplugins import NodeRestriction, PodTopologyLabels, TaintNodesByCondition
from wherry.apiserver.admission.podplugins import DefaultTolerationSeconds, Priority
from wherry.apiserver.admission.resourcequota import ResourceQuota
from wherry.apiserver.admission.runtimeclass import RuntimeClass
from wherry.apiserver.admission.serviceaccount import ServiceAccount
from wherry.apiserver.admission.storageplugins import (
    DefaultStorageClass,
    PersistentVolumeClaimResize,
    StorageObjectInUseProtection,
)

# What upstream enables too, but nothing in a cluster of wherry's answers yet.
DISABLED: frozenset[str] = frozenset()


def default_plugins(server: Writer, disabled: Collection[str] = DISABLED) -> list[Plugin]:
    """What upstream enables by default, as far as wherry has it, without those `disabled` by name."""
    plugins: list[Plugin] = [
        NamespaceLifecycle(server),
        LimitRanger(server),
        ServiceAccount(server),
        NodeRestriction(server),
        TaintNodesByCondition(),
        PodTopologyLabels(server),
        Priority(server),
        DefaultTolerationSeconds(),
        DefaultStorageClass(server),
        StorageObjectInUseProtection(),
        PersistentVolumeClaimResize(server),
        RuntimeClass(server),
        ResourceQuota(server),
    ]
    return [plugin for plugin in plugins if plugin.name not in disabled]
