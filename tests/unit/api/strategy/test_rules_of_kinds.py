"""One row a rule, of the kinds beside Pods."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from .strategies import STRATEGIES

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
JOB_TEMPLATE = {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
PATH = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def ingress(**path: Any) -> dict[str, Any]:
    return spec(rules=[{"http": {"paths": [{**PATH, **path}]}}])


def port(**fields: Any) -> dict[str, Any]:
    return spec(ports=[{"port": 80, **fields}])


ZONE = {"key": "zone", "values": ["a"]}


def storage_class(*expressions: dict[str, Any], terms: int = 1) -> dict[str, Any]:
    term = {"matchLabelExpressions": list(expressions)}
    return {"provisioner": "example.com/disk", "volumeBindingMode": "Immediate", "allowedTopologies": [term] * terms}


RULES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("services", port(name="A"), ["spec.ports[0].name"]),
    ("services", port(targetPort="no_name"), ["spec.ports[0].targetPort"]),
    ("services", spec(ports=[{"port": 80}, {"port": 81}]), ["spec.ports[0].name", "spec.ports[1].name"]),
    ("services", spec(ports=[{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]), ["spec.ports[1]"]),
    ("services", port(nodePort=30000), ["spec.ports[0].nodePort"]),
    ("services", spec(type="ExternalName"), ["spec.externalName"]),
    ("services", spec(type="NodePort", clusterIP="None", ports=[{"port": 1}]), ["spec.clusterIPs[0]"]),
    ("services", spec(type="Odd", ports=[{"port": 1}]), ["spec.type"]),
    ("services", spec(ports=[{"port": 1}], externalIPs=["127.0.0.1"]), ["spec.externalIPs[0]"]),
    ("services", spec(ports=[{"port": 1}], ipFamilyPolicy="RequireDualStack"), ["spec.ipFamilyPolicy"]),
    ("services", spec(ports=[{"port": 1}], loadBalancerClass="a/b"), ["spec.loadBalancerClass"]),
    ("services", spec(ports=[{"port": 1}], sessionAffinity="ClientIP",
                      sessionAffinityConfig={"clientIP": {"timeoutSeconds": 0}}),
     ["spec.sessionAffinityConfig.clientIP.timeoutSeconds"]),
    ("storageclasses", storage_class({"key": "zone", "values": []}), ["allowedTopologies[0].matchLabelExpressions[0].values"]),
    ("storageclasses", storage_class({"key": "zone", "values": ["a", "a"]}), ["allowedTopologies[0].matchLabelExpressions[0].values[1]"]),
    ("storageclasses", storage_class(ZONE, ZONE), ["allowedTopologies[0].matchLabelExpressions[1].key"]),
    ("storageclasses", storage_class(ZONE, terms=2), ["allowedTopologies[1].matchLabelExpressions"]),
    ("deployments", spec(template=TEMPLATE), ["spec.selector"]),
    ("deployments", spec(selector={}, template=TEMPLATE), ["spec.selector"]),
    ("deployments", spec(**SELECTED, strategy={"type": "Recreate", "rollingUpdate": {}}), ["spec.strategy.rollingUpdate"]),
    ("deployments", spec(**SELECTED, strategy={"type": "Odd"}), ["spec.strategy"]),
    ("deployments", spec(**SELECTED, strategy={"rollingUpdate": {"maxUnavailable": "101%"}}),
     ["spec.strategy.rollingUpdate.maxUnavailable"]),
    ("deployments", spec(**SELECTED, strategy={"rollingUpdate": {"maxSurge": "x"}}), ["spec.strategy.rollingUpdate.maxSurge"]),
    ("deployments", spec(**SELECTED, progressDeadlineSeconds=5, minReadySeconds=5), ["spec.progressDeadlineSeconds"]),
    ("replicasets", spec(**SELECTED, replicas=-1), ["spec.replicas"]),
    ("daemonsets", spec(**SELECTED, updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}),
     ["spec.updateStrategy.rollingUpdate.maxUnavailable"]),
    ("daemonsets", spec(**SELECTED, updateStrategy={"rollingUpdate": {"maxSurge": 1}}),
     ["spec.updateStrategy.rollingUpdate.maxSurge"]),
    ("statefulsets", spec(**SELECTED, podManagementPolicy="Odd"), ["spec.podManagementPolicy"]),
    ("statefulsets", spec(**SELECTED, updateStrategy={"type": "OnDelete", "rollingUpdate": {}}),
     ["spec.updateStrategy.rollingUpdate"]),
    ("replicationcontrollers", spec(selector={"a": "b"}), ["spec.template"]),
    ("jobs", spec(template=JOB_TEMPLATE, completionMode="Indexed", parallelism=1), ["spec.completions"]),
    ("jobs", spec(template=JOB_TEMPLATE, backoffLimitPerIndex=1), ["spec.backoffLimitPerIndex"]),
    ("jobs", spec(template=JOB_TEMPLATE, selector={"matchLabels": {"x": "y"}}), ["spec.selector", "spec.template.metadata.labels"]),
    ("jobs", spec(template=JOB_TEMPLATE, podFailurePolicy={"rules": [{"action": "Ignore"}]}), ["spec.podFailurePolicy.rules[0]"]),
    ("cronjobs", spec(schedule="TZ=UTC * * * * *", jobTemplate=spec(template=JOB_TEMPLATE)), ["spec.schedule"]),
    ("cronjobs", spec(schedule="* * * * *", timeZone="Moon/Base", jobTemplate=spec(template=JOB_TEMPLATE)), ["spec.timeZone"]),
    ("cronjobs", {"metadata": {"name": "x" * 53}, **spec(schedule="* * * * *", jobTemplate=spec(template=JOB_TEMPLATE))},
     ["metadata.name"]),
    ("configmaps", {"data": {"a b": ""}}, ["data[a b]"]),
    ("configmaps", {"data": {"a": ""}, "binaryData": {"a": ""}}, ["data[a]"]),
    ("secrets", {"type": "kubernetes.io/basic-auth"}, ["data[username]", "data[password]"]),
    ("secrets", {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{"}}, ["data[.dockerconfigjson]"]),
    ("secrets", {"type": "kubernetes.io/service-account-token"}, ["metadata.annotations[kubernetes.io/service-account.name]"]),
    ("nodes", spec(taints=[{"key": "a", "effect": "Odd"}]), ["metadata.taints[0].effect"]),
    ("nodes", spec(taints=[{"key": "a", "effect": "NoExecute"}] * 2), ["metadata.taints[1]"]),
    ("nodes", spec(podCIDRs=["10.0.0.0/24", "10.0.1.0/24"]), ["spec.podCIDRs"]),
    ("namespaces", spec(finalizers=["odd"]), ["spec.finalizers"]),
    ("events", {"involvedObject": {"namespace": "other"}}, ["involvedObject.namespace"]),
    ("events", {"involvedObject": {"namespace": "rec"}, "eventTime": "2026-11-23T20:23:49.000000Z", "reportingComponent": "a"},
     ["reportingInstance", "action", "reason"]),
    ("endpoints", {"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]}, ["subsets[0].addresses[0].ip"]),
    ("endpointslices", {"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]}, ["endpoints[0].addresses[0]"]),
    ("endpointslices", {"addressType": "IPv4", "endpoints": [{"addresses": []}]}, ["endpoints[0].addresses"]),
    ("ingresses", spec(), ["spec"]),
    ("ingresses", ingress(path="x"), ["spec.rules[0].http.paths[0].path"]),
    ("ingresses", ingress(pathType=None), ["spec.rules[0].http.paths[0].pathType"]),
    ("ingresses", ingress(backend={"service": {"name": "s"}}), ["spec.rules[0].http.paths[0].backend"]),
    ("ingresses", spec(rules=[{"host": "1.2.3.4"}]), ["spec.rules[0].host"]),
    ("ingressclasses", spec(controller="x"), ["spec.controller"]),
    ("networkpolicies", spec(ingress=[{"from": [{}]}]), ["spec.ingress[0].from[0]"]),
    ("networkpolicies", spec(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}]),
     ["spec.egress[0].to[0].ipBlock.except[0]"]),
    ("networkpolicies", spec(ingress=[{"ports": [{"port": 5, "endPort": 4}]}]), ["spec.ingress[0].ports[0].endPort"]),
    ("persistentvolumeclaims", spec(), ["spec.accessModes", "spec.resources[storage]"]),
    ("persistentvolumeclaims", spec(accessModes=["Odd"], resources={"requests": {"storage": "0"}}),
     ["spec.accessModes", "spec.resources[storage]"]),
    ("persistentvolumes", spec(accessModes=["ReadWriteOnce"], capacity={"storage": "1"}), ["spec"]),
    ("persistentvolumes", spec(accessModes=["ReadWriteOnce"], capacity={"storage": "1"}, local={"path": "/x"}), ["spec.nodeAffinity"]),
    ("resourcequotas", spec(hard={"odd": "1"}), ["spec.hard[odd]", "spec.hard[odd]"]),
    ("resourcequotas", spec(hard={"pods": "500m"}), ["spec.hard[pods]"]),
    ("resourcequotas", spec(hard={"pods": "1"}, scopes=["BestEffort", "NotBestEffort"]), ["spec.scopes"]),
    ("limitranges", spec(limits=[{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]),
     ["spec.limits[0].min[cpu]", "spec.limits[0].defaultRequest[cpu]", "spec.limits[0].default[cpu]"]),
    ("limitranges", spec(limits=[{"type": "Pod", "default": {"cpu": "1"}}]), ["spec.limits[0].default"]),
    ("roles", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}, ["rules[0].nonResourceURLs"]),
    ("roles", {"rules": [{}]}, ["rules[0].verbs", "rules[0].apiGroups", "rules[0].resources"]),
    ("rolebindings", {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "Robot", "name": "x"}]}, ["subjects[0].kind"]),
    ("priorityclasses", {"value": 2_000_000_000}, ["value"]),
    ("runtimeclasses", {"handler": "A"}, ["handler"]),
    ("storageclasses", {}, ["provisioner"]),
    ("leases", spec(leaseDurationSeconds=0), ["spec.leaseDurationSeconds"]),
    ("poddisruptionbudgets", spec(maxUnavailable="101%"), ["spec.maxUnavailable"]),
    ("horizontalpodautoscalers",
     spec(maxReplicas=1, scaleTargetRef={"kind": "D", "name": "d", "apiVersion": "a/v1"}, metrics=[{"type": "Resource"}]),
     ["spec.metrics[0].resource"]),
    ("horizontalpodautoscalers",
     spec(maxReplicas=1, scaleTargetRef={"kind": "D", "name": "d", "apiVersion": "a/v1"},
          behavior={"scaleDown": {"stabilizationWindowSeconds": 3601}}),
     ["spec.behavior.scaleDown.stabilizationWindowSeconds"]),
    ("customresourcedefinitions",
     {"metadata": {"name": "x"}, **spec(group="a.b", scope="Cluster", names={"plural": "foos", "kind": "Foo"})},
     ["metadata.name", "spec.versions"]),
    ("validatingwebhookconfigurations", {"webhooks": [{"name": "a.b.c", "clientConfig": {"url": "http://x"}}]},
     ["webhooks[0].admissionReviewVersions", "webhooks[0].sideEffects", "webhooks[0].clientConfig.url"]),
]


@pytest.mark.parametrize(("resource", "obj", "fields"), RULES, ids=[f"{r[0]}-{'-'.join(r[2])}" for r in RULES])
def test_a_bad_object_is_refused(resource: str, obj: dict[str, Any], fields: list[str]) -> None:
    strategy, obj = STRATEGIES[resource], copy.deepcopy(obj)
    obj["metadata"] = {"name": "x", "namespace": "rec", "uid": "u", **obj.get("metadata", {})}
    strategy.default(obj)
    strategy.prepare_for_create(obj)
    assert [cause.field for cause in (*strategy.validate(obj), *strategy.validate_create(obj))] == fields
