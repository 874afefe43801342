"""What is wrong with a Pod, told by field and in upstream's words: one row a rule."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.strategy.pod import POD


def causes(spec: dict[str, Any], **metadata: Any) -> list[str]:
    pod = {"metadata": {"name": "p", **metadata}, "spec": {"containers": [{"name": "c", "image": "x"}], **copy.deepcopy(spec)}}
    POD.default(pod)
    POD.prepare_for_create(pod)
    found = [*POD.validate(pod), *POD.validate_create(pod)]
    return [f"{cause.field}: {cause.message}" for cause in found]


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "x", **fields}]}


C = "spec.containers[0]"
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)

RULES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "container-name": (
        {"containers": [{"name": "C", "image": "x"}]}, [f'{C}.name: Invalid value: "C": {LABEL}'],
    ),
    "pull-policy": (
        container(imagePullPolicy="Often"),
        [f'{C}.imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"'],
    ),
    "image-with-space": (container(image="x "), [f'{C}.image: Invalid value: "x ": must not have leading or trailing whitespace']),
    "port-name": (
        container(ports=[{"name": "a_very_long_port_name", "containerPort": 1}]),
        [f'{C}.ports[0].name: Invalid value: "a_very_long_port_name": must be no more than 15 bytes',
         f'{C}.ports[0].name: Invalid value: "a_very_long_port_name": must contain only alpha-numeric characters (a-z, 0-9), '
         "and hyphens (-)"],
    ),
    "port-name-twice": (
        container(ports=[{"name": "a", "containerPort": 1}, {"name": "a", "containerPort": 2}]),
        [f'{C}.ports[1].name: Duplicate value: "a"'],
    ),
    "port-missing": (container(ports=[{}]), [f"{C}.ports[0].containerPort: Required value"]),
    "protocol": (
        container(ports=[{"containerPort": 1, "protocol": "ICMP"}]),
        [f'{C}.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
    ),
    "host-port-twice": (
        container(ports=[{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]),
        [f'{C}.ports[1].hostPort: Duplicate value: "TCP//9"'],
    ),
    "host-network-port": (
        {**container(ports=[{"containerPort": 1, "hostPort": 2}]), "hostNetwork": True},
        [f"{C}.ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"],
    ),
    "env-no-source": (
        container(env=[{"name": "A", "valueFrom": {}}]),
        [f'{C}.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, '
         "`secretKeyRef` or `fileKeyRef`"],
    ),
    "env-value-and-source": (
        container(env=[{"name": "A", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        [f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    "env-field": (
        container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nope"}}}]),
        [f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.nope": error converting fieldPath: '
         "field label not supported: metadata.nope"],
    ),
    "env-field-of-volumes": (
        container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]),
        [f'{C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", '
         '"metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", '
         '"status.podIP", "status.podIPs"'],
    ),
    "env-key": (
        container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]),
        [f"{C}.env[0].valueFrom.secretKeyRef.key: Required value"],
    ),
    "env-from-none": (
        container(envFrom=[{}]), [f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'],
    ),
    "probe-two-handlers": (
        container(readinessProbe={"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}),
        [f"{C}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    ),
    "probe-success-threshold": (
        container(livenessProbe={"exec": {"command": ["a"]}, "successThreshold": 2}),
        [f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    "probe-grpc-port": (
        container(livenessProbe={"grpc": {"port": 0}}),
        [f"{C}.livenessProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive"],
    ),
    "lifecycle-sleep": (
        container(lifecycle={"preStop": {"sleep": {"seconds": 31}}}),
        [f"{C}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)"],
    ),
    "resource-name": (
        container(resources={"limits": {"gpu": "1"}}),
        [f'{C}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
         f'{C}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
         f'{C}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
         f'{C}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers'],
    ),
    "resource-negative": (
        container(resources={"requests": {"cpu": "-1"}}),
        [f'{C}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    "extended-overcommit": (
        container(resources={"requests": {"a.b/c": "1"}}),
        [f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources"],
    ),
    "extended-fraction": (
        container(resources={"limits": {"a.b/c": "500m"}}),
        [f'{C}.resources.limits[a.b/c]: Invalid value: "500m": must be an integer',
         f'{C}.resources.requests[a.b/c]: Invalid value: "500m": must be an integer'],
    ),
    "huge-pages-alone": (
        container(resources={"limits": {"hugepages-2Mi": "2Mi"}}), [f"{C}.resources: Forbidden: HugePages require cpu or memory"],
    ),
    "mount-twice": (
        {**container(volumeMounts=[{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]), "volumes": [{"name": "v"}]},
        [f'{C}.volumeMounts[1].mountPath: Invalid value: "/a": must be unique'],
    ),
    "mount-backstep": (
        {**container(volumeMounts=[{"name": "v", "mountPath": "/a", "subPath": "../b"}]), "volumes": [{"name": "v"}]},
        [f'{C}.volumeMounts.subPath: Invalid value: "../b": must not contain \'..\''],
    ),
    "volume-twice": ({"volumes": [{"name": "v"}, {"name": "v"}]}, ['spec.volumes[1].name: Duplicate value: "v"']),
    "volume-two-kinds": (
        {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]},
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    "host-path-type": (
        {"volumes": [{"name": "v", "hostPath": {"path": "/x", "type": "Dir"}}]},
        ['spec.volumes[0].hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", "Directory", '
         '"DirectoryOrCreate", "File", "FileOrCreate", "Socket"'],
    ),
    "file-mode": (
        {"volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 1000}}]},
        ["spec.volumes[0].secret.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive"],
    ),
    "projected-conflict": (
        {"volumes": [{"name": "v", "projected": {"sources": [
            {"secret": {"name": "s", "items": [{"key": "a", "path": "p"}]}},
            {"configMap": {"name": "m", "items": [{"key": "a", "path": "p"}]}},
        ]}}]},
        ['spec.volumes[0].projected: Invalid value: "m": conflicting duplicate paths'],
    ),
    "token-lifetime": (
        {"serviceAccountName": "a",
         "volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}}]},
        ["spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: "
         "may not specify a duration less than 10 minutes"],
    ),
    "claim-of-ephemeral": (
        {"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}}]},
        ["spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value"],
    ),
    "init-probe": (
        {"initContainers": [{"name": "i", "image": "x", "readinessProbe": {"exec": {"command": ["a"]}}}]},
        ["spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"],
    ),
    "init-name-taken": (
        {"initContainers": [{"name": "c", "image": "x"}]}, ['spec.initContainers[0].name: Duplicate value: "c"'],
    ),
    "ephemeral-on-create": (
        {"ephemeralContainers": [{"name": "e", "image": "x"}]}, ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ),
    "run-as-user": (
        container(securityContext={"runAsUser": -1}),
        [f"{C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    "seccomp-localhost": (
        {"securityContext": {"seccompProfile": {"type": "Localhost"}}},
        ["spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"],
    ),
    "sysctl": (
        {"securityContext": {"sysctls": [{"name": "a b"}]}},
        ['spec.securityContext.sysctls[0].name: Invalid value: "a b": must have at most 253 characters and match regex '
         r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"],
    ),
    "toleration-key": (
        {"tolerations": [{"operator": "Equal"}]},
        ['spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, '
         'which means "match all values and all keys"'],
    ),
    "toleration-seconds": (
        {"tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 1}]},
        ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
    ),
    "node-affinity": (
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}},
        ["spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: "
         "must have at least one node selector term"],
    ),
    "spread": (
        {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "Never"}]},
        ["spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
         'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Never": supported values: "DoNotSchedule", '
         '"ScheduleAnyway"'],
    ),
    "dns-none": (
        {"dnsPolicy": "None"}, ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ),
    "dns-server": (
        {"dnsConfig": {"nameservers": ["x"]}},
        ['spec.dnsConfig.nameservers[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ),
    "host-alias": (
        {"hostAliases": [{"ip": "1.2.3"}]},
        ['spec.hostAliases[0].ip: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ),
    "gate-twice": (
        {"schedulingGates": [{"name": "a"}, {"name": "a"}]}, ['spec.schedulingGates[1]: Duplicate value: "a"'],
    ),
    "deadline": (
        {"activeDeadlineSeconds": 0}, ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ),
    "hostname": ({"hostname": "A"}, [f'spec.hostname: Invalid value: "A": {LABEL}']),
    "user-namespace": (
        {"hostUsers": False, "hostNetwork": True}, ["spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false"],
    ),
    "windows": (
        {"os": {"name": "windows"}, "hostPID": True}, ["spec.hostPID: Forbidden: cannot be set for a windows pod"],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_bad_pod_is_refused(name: str) -> None:
    spec, expected = RULES[name]
    assert causes(spec) == expected


GOOD: dict[str, dict[str, Any]] = {
    "sidecar": {"initContainers": [
        {"name": "s", "image": "x", "restartPolicy": "Always", "readinessProbe": {"httpGet": {"port": "web"}}},
    ]},
    "env": container(env=[
        {"name": "a.b-c", "value": "1"},
        {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "R", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
    ]),
    "all-volumes": {"volumes": [
        {"name": "a"},
        {"name": "b", "configMap": {"name": "m", "items": [{"key": "k", "path": "d/f", "mode": 256}]}},
        {"name": "c", "downwardAPI": {"items": [
            {"path": "l", "fieldRef": {"fieldPath": "metadata.annotations"}},
            {"path": "m", "resourceFieldRef": {"containerName": "c", "resource": "requests.memory", "divisor": "1Mi"}},
        ]}},
        {"name": "d", "image": {"reference": "x:1"}},
        {"name": "e", "nfs": {"server": "s", "path": "/p"}},
        {"name": "f", "csi": {"driver": "a.b.c"}},
    ]},
    "exists-everything": {"tolerations": [{"operator": "Exists"}]},
    "devices": container(resources={"limits": {"nvidia.com/gpu": "1"}}),
    "searches": {"dnsConfig": {"searches": [".", "_tcp.example.com."], "options": [{"name": "ndots", "value": "2"}]}},
    "affinity": {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "podAffinityTerm": {"topologyKey": "h", "labelSelector": {"matchLabels": {"a": "b"}}}},
    ]}}},
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_pod_is_accepted(name: str) -> None:
    assert causes(GOOD[name]) == []


@pytest.mark.parametrize(
    ("image", "policy"),
    [("x", "Always"), ("x:latest", "Always"), ("x:1", "IfNotPresent"), ("h:5000/x", "Always"), ("h:5000/x:1", "IfNotPresent"),
     ("x@sha256:" + "a" * 64, "IfNotPresent"), ("X", "IfNotPresent")],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    pod: dict[str, Any] = {"spec": {"containers": [{"name": "c", "image": image}]}}
    POD.default(pod)
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_finer_amounts_are_rounded_up() -> None:
    pod: dict[str, Any] = {"spec": {"containers": [{"name": "c", "image": "x", "resources": {"limits": {"cpu": "100u"}}}]}}
    POD.default(pod)
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1m"}, "requests": {"cpu": "1m"}}


def test_pod_level_requests_come_from_the_containers_then_the_limits() -> None:
    pod: dict[str, Any] = {"spec": {
        "resources": {"limits": {"cpu": "4", "memory": "1Gi"}},
        "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}],
        "initContainers": [
            {"name": "s", "image": "x", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}},
            {"name": "i", "image": "x", "resources": {"requests": {"cpu": "2"}}},
        ],
    }}
    POD.default(pod)
    assert pod["spec"]["resources"]["requests"] == {"cpu": "2500m", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"nodeSelector": {"beta.kubernetes.io/os": "linux"}},
         ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead']),
        (container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
         ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply']),
        ({"terminationGracePeriodSeconds": -1},
         ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"]),
        ({}, []),
    ],
    ids=["old-label", "env-twice", "negative-grace", "none"],
)
def test_warnings(spec: dict[str, Any], expected: list[str]) -> None:
    assert POD.warnings({"spec": {"containers": [{"name": "c", "image": "x"}], **spec}}) == expected
