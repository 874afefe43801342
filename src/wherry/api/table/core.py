"""Rows of the core group ("" and v1), and of Event, which events.k8s.io serves too."""

from __future__ import annotations

from dataclasses import replace

from wherry.api import selectable
from wherry.api.conversion import event
from wherry.api.printers import core as printers
from wherry.api.printers import networking, pod, storage, workloads
from wherry.api.printers.default import NAME_AGE
from wherry.api.resource import VERBS, Resource, Subresource, Version
from wherry.api.strategy import configmap as configmap_strategy
from wherry.api.strategy import endpoints as endpoints_strategy
from wherry.api.strategy import event as event_strategy
from wherry.api.strategy import namespace as namespace_strategy
from wherry.api.strategy import node as node_strategy
from wherry.api.strategy import persistentvolume as persistentvolume_strategy
from wherry.api.strategy import pod as pod_strategy
from wherry.api.strategy import quota as quota_strategy
from wherry.api.strategy import replicaset as replicaset_strategy
from wherry.api.strategy import secret as secret_strategy
from wherry.api.strategy import service as service_strategy
from wherry.api.strategy import serviceaccount as serviceaccount_strategy
from wherry.api.table.rows import (
    PLAIN,
    PROXY,
    READ_WRITE,
    SCALE,
    STREAM,
    schema_name,
    served,
    status,
)

EVENT_TTL = 3600.0  # upstream's --event-ttl

BINDING = Resource("bindings", "Binding", "", served("", "Binding"), verbs=("create",), strategy=PLAIN, virtual=True)
COMPONENT_STATUS = Resource(
    "componentstatuses", "ComponentStatus", "",
    (Version("v1", schema_name("", "v1", "ComponentStatus"), deprecation="v1 ComponentStatus is deprecated in v1.19+"),),
    namespaced=False, singular="componentstatus", short_names=("cs",), verbs=("get", "list"), strategy=PLAIN, virtual=True,
    printer=printers.COMPONENT_STATUS,
)
CONFIG_MAP = Resource(
    "configmaps", "ConfigMap", "", served("", "ConfigMap"), short_names=("cm",), strategy=configmap_strategy.CONFIG_MAP,
    printer=printers.CONFIG_MAP,
)
ENDPOINTS = Resource(
    "endpoints", "Endpoints", "",
    (Version("v1", schema_name("", "v1", "Endpoints"),
             deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),),
    singular="endpoints", short_names=("ep",), strategy=endpoints_strategy.ENDPOINTS, printer=networking.ENDPOINTS,
)
EVENT = Resource(
    "events", "Event", "",
    (
        Version("v1", schema_name("", "v1", "Event")),
        Version("v1", schema_name("events.k8s.io", "v1", "Event"), group="events.k8s.io",
                validate_create=event_strategy.validate_new, validate_update=event_strategy.validate_new_update,
                from_hub=event.from_hub, to_hub=event.to_hub, field_labels=selectable.EVENTS_K8S_IO),
    ),
    short_names=("ev",), selectable_fields=selectable.EVENT, ttl=EVENT_TTL, strategy=event_strategy.EVENT,
    printer=printers.EVENT,
)
LIMIT_RANGE = Resource(
    "limitranges", "LimitRange", "", served("", "LimitRange"), short_names=("limits",), strategy=quota_strategy.LIMIT_RANGE,
)
NAMESPACE = Resource(
    "namespaces", "Namespace", "", served("", "Namespace"), namespaced=False, short_names=("ns",),
    verbs=tuple(verb for verb in VERBS if verb != "deletecollection"),
    subresources=(Subresource("finalize", "Namespace", ("update",)), status("Namespace")),
    selectable_fields=selectable.NAMESPACE, name_rule="label", strategy=namespace_strategy.NAMESPACE,
    printer=printers.NAMESPACE,
)
NODE = Resource(
    "nodes", "Node", "", served("", "Node"), namespaced=False, short_names=("no",),
    subresources=(Subresource("proxy", "NodeProxyOptions", PROXY), status("Node")),
    selectable_fields=selectable.NODE, strategy=node_strategy.NODE, printer=printers.NODE,
)
PERSISTENT_VOLUME_CLAIM = Resource(
    "persistentvolumeclaims", "PersistentVolumeClaim", "", served("", "PersistentVolumeClaim"), short_names=("pvc",),
    subresources=(status("PersistentVolumeClaim"),), strategy=persistentvolume_strategy.PERSISTENT_VOLUME_CLAIM,
    printer=storage.PERSISTENT_VOLUME_CLAIM,
)
PERSISTENT_VOLUME = Resource(
    "persistentvolumes", "PersistentVolume", "", served("", "PersistentVolume"), namespaced=False, short_names=("pv",),
    subresources=(status("PersistentVolume"),), strategy=persistentvolume_strategy.PERSISTENT_VOLUME,
    printer=storage.PERSISTENT_VOLUME,
)
POD = Resource(
    "pods", "Pod", "", served("", "Pod"), short_names=("po",), categories=("all",),
    subresources=(
        Subresource("attach", "PodAttachOptions", STREAM),
        Subresource("binding", "Binding", ("create",)),
        Subresource("ephemeralcontainers", "Pod", READ_WRITE),
        Subresource("eviction", "Eviction", ("create",), group="policy", version="v1"),
        Subresource("exec", "PodExecOptions", STREAM),
        Subresource("log", "Pod", ("get",)),
        Subresource("portforward", "PodPortForwardOptions", STREAM),
        Subresource("proxy", "PodProxyOptions", PROXY),
        Subresource("resize", "Pod", READ_WRITE),
        status("Pod"),
    ),
    selectable_fields=selectable.POD, printer=pod.POD, strategy=pod_strategy.POD,
)
POD_TEMPLATE = Resource(
    "podtemplates", "PodTemplate", "", served("", "PodTemplate"), printer=workloads.POD_TEMPLATE,
    strategy=replicaset_strategy.POD_TEMPLATE,
)
REPLICATION_CONTROLLER = Resource(
    "replicationcontrollers", "ReplicationController", "", (replace(served("", "ReplicationController")[0], orphans=True),),
    short_names=("rc",), categories=("all",), subresources=(SCALE, status("ReplicationController")),
    selectable_fields=selectable.REPLICAS, printer=workloads.REPLICATION_CONTROLLER,
    strategy=replicaset_strategy.REPLICATION_CONTROLLER,
)
RESOURCE_QUOTA = Resource(
    "resourcequotas", "ResourceQuota", "", served("", "ResourceQuota"), short_names=("quota",),
    subresources=(status("ResourceQuota"),), strategy=quota_strategy.RESOURCE_QUOTA, printer=printers.RESOURCE_QUOTA,
)
SECRET = Resource(
    "secrets", "Secret", "", served("", "Secret"), selectable_fields=selectable.SECRET,
    strategy=secret_strategy.SECRET, printer=printers.SECRET,
)
SERVICE_ACCOUNT = Resource(
    "serviceaccounts", "ServiceAccount", "", served("", "ServiceAccount"), short_names=("sa",),
    subresources=(Subresource("token", "TokenRequest", ("create",), group="authentication.k8s.io", version="v1"),),
    strategy=serviceaccount_strategy.SERVICE_ACCOUNT, printer=NAME_AGE,
)
SERVICE = Resource(
    "services", "Service", "", served("", "Service"), short_names=("svc",), categories=("all",),
    subresources=(Subresource("proxy", "ServiceProxyOptions", PROXY), status("Service")),
    selectable_fields=selectable.SERVICE, name_rule="label1035", strategy=service_strategy.SERVICE,
    printer=networking.SERVICE,
)

ROWS = (
    BINDING, COMPONENT_STATUS, CONFIG_MAP, ENDPOINTS, EVENT, LIMIT_RANGE, NAMESPACE, NODE, PERSISTENT_VOLUME_CLAIM,
    PERSISTENT_VOLUME, POD, POD_TEMPLATE, REPLICATION_CONTROLLER, RESOURCE_QUOTA, SECRET, SERVICE_ACCOUNT, SERVICE,
)
