"""What a node must do with Pods, by upstream's conformance tests of sig-node, on real containers.

All Pods of this file are made at once; each test then looks at its own.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
from cluster_harness import Cluster, eventually
from scene import Json, Scene, container, pod, thing

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]


def env(**values: Any) -> list[Json]:
    return [{"name": name, **({"value": value} if isinstance(value, str) else {"valueFrom": value})} for name, value in values.items()]


def field(path: str) -> Json:
    return {"fieldRef": {"fieldPath": path}}


def resource(name: str, divisor: str = "0") -> Json:
    return {"resourceFieldRef": {"resource": name, "divisor": divisor}}


def security(**fields: Any) -> Json:
    return {"securityContext": fields}


# What a Pod prints ------------------------------------------------------------------------------

CONFIG = [
    thing("ConfigMap", "settings", data={"color": "blue", "size": "big"}),
    thing("Secret", "hidden", stringData={"word": "swordfish"}),
    thing("Service", "foo-service", spec={"ports": [{"port": 8765, "targetPort": 8080, "name": "p"}]}),
]

# name -> (the Pod, what its log says)
PRINTED: dict[str, tuple[Json, str]] = {}


def prints(name: str, expected: str, *containers: Json, **spec: Any) -> None:
    PRINTED[name] = (pod(name, *containers, **spec), expected)


prints("env-composed", "a-$(A)-$(NONE)-a", container('echo "$B-$C"', env=env(A="a", B="$(A)-$$(A)-$(NONE)", C="$(A)")))
prints("env-in-args", "a $(A)", container(command=["echo"], args=["$(A)", "$$(A)"], env=env(A="a")))
prints("env-in-command", "from a", container(command=["echo", "from $(A)"], env=env(A="a")))
prints("image-defaults", "entrypoint cmd", container(image="speaker:1"))
prints("image-args", "entrypoint mine", container(image="speaker:1", args=["mine"]))
prints("image-command", "mine", container(image="speaker:1", command=["echo", "mine"]))
prints("image-both", "mine too", container(image="speaker:1", command=["echo", "mine"], args=["too"]))
prints("image-directory", "/home", container("pwd", image="speaker:1"))
prints("own-directory", "/tmp", container("pwd", image="speaker:1", workingDir="/tmp"))
prints("image-env", "image mine", container('echo "$OF $GIVEN"', image="named:1", env=env(GIVEN="mine")))
prints("image-user", "65534 65534", container('echo "$(id -u) $(id -g)"', image="named:1"))
prints("env-key", "blue swordfish", container('echo "$C $S"', env=env(
    C={"configMapKeyRef": {"name": "settings", "key": "color"}}, S={"secretKeyRef": {"name": "hidden", "key": "word"}},
)))
prints("env-from", "blue big swordfish", container('echo "$p_color $p_size $word"', envFrom=[
    {"prefix": "p_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "hidden"}}, {"configMapRef": {"name": "none", "optional": True}},
]))
prints("env-optional", "unset", container('echo "${C-unset}${S-}"', env=env(
    C={"configMapKeyRef": {"name": "settings", "key": "none", "optional": True}},
    S={"secretKeyRef": {"name": "none", "key": "none", "optional": True}},
)))
prints("env-services", "8765 tcp 8765 yes yes yes", container(
    'ip=$FOO_SERVICE_SERVICE_HOST; yes() { test "$1" = "$2" && echo yes; }; '
    'echo $FOO_SERVICE_SERVICE_PORT $FOO_SERVICE_PORT_8765_TCP_PROTO $FOO_SERVICE_PORT_8765_TCP_PORT '
    '$(yes $FOO_SERVICE_PORT tcp://$ip:8765) $(yes $FOO_SERVICE_PORT_8765_TCP tcp://$ip:8765) $(yes $FOO_SERVICE_PORT_8765_TCP_ADDR $ip)',
), enableServiceLinks=True)
prints("env-no-services", "none yes", container('echo "${FOO_SERVICE_SERVICE_HOST-none} ${KUBERNETES_SERVICE_HOST:+yes}"'))
prints("down-fields", "down-fields ns ok default sun moon", container(
    'test "$IP" = "$(hostname -i)" && test -n "$HOST" && test "$HOST" = "$HOSTS" && test ${#UID_} = 36 && echo "$NAME ${NS%-*} ok $SA $L $AN"',
    env=env(NAME=field("metadata.name"), NS=field("metadata.namespace"), IP=field("status.podIP"), HOST=field("status.hostIP"),
            HOSTS=field("status.hostIPs"), UID_=field("metadata.uid"), SA=field("spec.serviceAccountName"),
            L=field("metadata.labels['l']"), AN=field("metadata.annotations['a/b']")),
), labels={"l": "sun"}, annotations={"a/b": "moon"})
prints("down-resources", "1 2 32 64 250 500", container(
    'echo "$CR $CL $MR $ML $CRM $CLM"',
    resources={"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "1250m", "memory": "64Mi"}},
    env=env(CR=resource("requests.cpu"), CL=resource("limits.cpu"), MR=resource("requests.memory", "1Mi"), ML=resource("limits.memory", "1Mi"),
            CRM=resource("requests.cpu", "1m"), CLM={"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m", "containerName": "other"}}),
), container("true", name="other", resources={"limits": {"cpu": "500m"}}))
prints("env-file", "one\ntwo words", container('echo "$A"; echo "$B"', env=env(
    A={"fileKeyRef": {"volumeName": "v", "path": "made.env", "key": "A"}}, B={"fileKeyRef": {"volumeName": "v", "path": "made.env", "key": "B"}},
)), initContainers=[container("printf \"A='one'\\n# not this\\nB='two words'\\n\" > /v/made.env", "i", volumeMounts=[{"name": "v", "mountPath": "/v"}])],
       volumes=[{"name": "v", "emptyDir": {}}])

# Names
prints("host-aliases", "1.2.3.4\tfoo\tbar", container("tail -1 /etc/hosts"), hostAliases=[{"ip": "1.2.3.4", "hostnames": ["foo", "bar"]}])
prints("managed-hosts", "# Kubernetes-managed hosts file.", container("head -1 /etc/hosts"))
prints("host-hosts", "# Kubernetes-managed hosts file (host network).", container("head -1 /etc/hosts"), hostNetwork=True)
prints("own-hosts", "mine", container(
    "cat /etc/hosts", volumeMounts=[{"name": "v", "mountPath": "/etc/hosts", "subPath": "h"}]),
    initContainers=[container("echo mine > /v/h", "i", volumeMounts=[{"name": "v", "mountPath": "/v"}])], volumes=[{"name": "v", "emptyDir": {}}])
prints("host-name", "web 1", container('echo "$(hostname) $(grep -c "web.sub.*svc.cluster.local.web$" /etc/hosts)"'), hostname="web", subdomain="sub")
prints("fqdn-name", "web.sub.NS.svc.cluster.local", container("hostname"), hostname="web", subdomain="sub", setHostnameAsFQDN=True)
prints("dns-none", "nameserver 1.1.1.1\nsearch a.b c.d\noptions ndots:2 edns0", container("grep n /etc/resolv.conf; grep s.*a.b /etc/resolv.conf; grep o.*nd /etc/resolv.conf"),
       dnsPolicy="None", dnsConfig={"nameservers": ["1.1.1.1"], "searches": ["a.b", "c.d"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]})
PRINTED["dns-none"][0]["spec"]["containers"][0]["command"][2] = "grep ^nameserver /etc/resolv.conf; grep ^search /etc/resolv.conf; grep ^options /etc/resolv.conf"
prints("dns-host-network", "ndots:5", container("grep -o ndots:5 /etc/resolv.conf"), hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet")
prints("dns-default", "0", container("grep -c cluster.local /etc/resolv.conf"), dnsPolicy="Default")

# Security
prints("user-65534", "65534", container("id -u", **security(runAsUser=65534)))
prints("user-group", "1001 2002", container('echo "$(id -u) $(id -g)"', **security(runAsUser=1001, runAsGroup=2002)))
prints("pod-user-group", "1001 2002", container('echo "$(id -u) $(id -g)"'), **security(runAsUser=1001, runAsGroup=2002))
prints("groups", "0 1234 5678", container("id -G"), **security(supplementalGroups=[1234], fsGroup=5678))
prints("strict-groups", "1000 7", container("id -G", **security(runAsUser=1000, runAsGroup=1000)), **security(supplementalGroups=[7], supplementalGroupsPolicy="Strict"))
prints("read-only", "no", container("touch /file 2>/dev/null && echo yes || echo no", **security(readOnlyRootFilesystem=True)))
prints("writable", "yes", container("touch /file && echo yes", **security(readOnlyRootFilesystem=False)))
prints("unprivileged", "no", container("mount -t tmpfs t /mnt 2>/dev/null && echo yes || echo no", **security(privileged=False)))
prints("privileged", "yes", container("mkdir /m && mount -t tmpfs t /m && echo yes", **security(privileged=True)))
prints("no-escalation", "1 0", container("grep -o 'NoNewPrivs:.*' /proc/self/status | tr -d 'a-zA-Z:\\t\\n'; echo \" $(id -u)\" ", **security(allowPrivilegeEscalation=False)))
prints("escalation", "0", container("grep NoNewPrivs /proc/self/status | grep -o '[01]$'"))
prints("no-capabilities", "0000000000000000", container("grep CapBnd /proc/self/status | cut -f2", **security(capabilities={"drop": ["ALL"]})))
prints("one-capability", "0000000000001000", container("grep CapBnd /proc/self/status | cut -f2", **security(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]})))
prints("default-capabilities", "00000000a80425fb", container("grep CapBnd /proc/self/status | cut -f2"))
prints("seccomp-default", "2", container("grep Seccomp: /proc/self/status | cut -f2", **security(seccompProfile={"type": "RuntimeDefault"})))
prints("seccomp-off", "0", container("grep Seccomp: /proc/self/status | cut -f2", **security(seccompProfile={"type": "Unconfined"})))
prints("sysctl", "1", container("cat /proc/sys/kernel/shm_rmid_forced"), **security(sysctls=[{"name": "kernel.shm_rmid_forced", "value": "1"}]))
prints("sysctl-net", "1024\t2048", container("cat /proc/sys/net/ipv4/ip_local_port_range"), **security(sysctls=[{"name": "net.ipv4.ip_local_port_range", "value": "1024 2048"}]))
prints("ping", "0\t2147483647", container("cat /proc/sys/net/ipv4/ping_group_range"), **security(sysctls=[{"name": "net.ipv4.ping_group_range", "value": "0 2147483647"}]))
prints("host-pid", "yes", container("test $(readlink /proc/self) -gt 100 && test -d /proc/2 && echo yes"), hostPID=True)
prints("own-pid", "1", container("readlink /proc/self"))
PRINTED["own-pid"][0]["spec"]["containers"][0]["command"] = ["readlink", "/proc/self"]
prints("shared-pid", "seen", container("until pidof sleep > /dev/null; do :; done; killall sleep && echo seen"),
       container(name="other", command=["sleep", "77"]), shareProcessNamespace=True)
prints("shared-memory", "there", container("until cat /dev/shm/note 2>/dev/null; do sleep 0.1; done"), container("echo there > /dev/shm/note", name="other"))

# How a Pod ends ---------------------------------------------------------------------------------

ENDS: dict[str, tuple[Json, str, Json]] = {}


def ends(name: str, phase: str, terminated: Json, made: Json) -> None:
    ENDS[name] = (made, phase, terminated)


ends("exit-0", "Succeeded", {"exitCode": 0, "reason": "Completed"}, pod("exit-0", container("true")))
ends("exit-3", "Failed", {"exitCode": 3, "reason": "Error"}, pod("exit-3", container("exit 3")))
ends("killed", "Failed", {"exitCode": 137, "reason": "Error"}, pod("killed", container("kill -9 0; sh -c 'kill -9 $PPID'; sleep 9", name="c")))
ENDS["killed"][0]["spec"]["shareProcessNamespace"] = True
ends("oom", "Failed", {"exitCode": 137, "reason": "OOMKilled"}, pod("oom", container(
    command=["sh", "-c", "exec tail /dev/zero"], resources={"limits": {"memory": "16Mi"}})))
ends("message-file", "Succeeded", {"exitCode": 0, "message": "DONE"}, pod("message-file", container(
    "printf DONE > /dev/termination-log", terminationMessagePolicy="FallbackToLogsOnError")))
ends("message-log", "Failed", {"exitCode": 1, "message": "DONE\n"}, pod("message-log", container(
    "echo DONE; exit 1", terminationMessagePolicy="FallbackToLogsOnError")))
ends("message-empty", "Succeeded", {"exitCode": 0, "message": None}, pod("message-empty", container(
    "echo DONE", terminationMessagePolicy="FallbackToLogsOnError")))
ends("message-path", "Succeeded", {"exitCode": 0, "message": "DONE"}, pod("message-path", container(
    "printf DONE > /dev/mine", terminationMessagePath="/dev/mine", **security(runAsUser=1000))))
ends("message-4096", "Succeeded", {"message": "x" * 4096}, pod("message-4096", container(
    "head -c 6000 /dev/zero | tr '\\0' x > /dev/termination-log")))
ends("message-2048", "Failed", {"message": "y" * 2047 + "\n"}, pod("message-2048", container(
    "head -c 6000 /dev/zero | tr '\\0' y; echo; exit 1", terminationMessagePolicy="FallbackToLogsOnError")))
ends("message-80", "Failed", {"message": "".join(f"{n}\n" for n in range(21, 101))}, pod("message-80", container(
    "seq 100; exit 1", terminationMessagePolicy="FallbackToLogsOnError")))
ends("no-program", "Failed", {"exitCode": 128, "reason": "StartError"}, pod("no-program", container(command=["/none"])))

# Why a container waits --------------------------------------------------------------------------

WAITS: dict[str, tuple[Json, str, str]] = {}


def waits(name: str, reason: str, message: str, made: Json) -> None:
    """`message` is a pattern."""
    WAITS[name] = (made, reason, message)


waits("no-config-map", "CreateContainerConfigError", 'configmap "none" not found',
      pod("no-config-map", container("true", env=env(A={"configMapKeyRef": {"name": "none", "key": "a"}}))))
waits("no-key", "CreateContainerConfigError", r"couldn't find key none in ConfigMap [a-z-]+/settings",
      pod("no-key", container("true", env=env(A={"configMapKeyRef": {"name": "settings", "key": "none"}}))))
waits("no-secret", "CreateContainerConfigError", 'secret "none" not found', pod("no-secret", container("true", envFrom=[{"secretRef": {"name": "none"}}])))
waits("root-user", "CreateContainerConfigError", r"container has runAsNonRoot and image will run as root \(pod: \"root-user_[a-z-]+\([0-9a-f-]+\)\", container: c\)",
      pod("root-user", container("true", **security(runAsNonRoot=True))))
waits("root-uid", "CreateContainerConfigError", r"container's runAsUser breaks non-root policy \(pod: .*",
      pod("root-uid", container("true", **security(runAsNonRoot=True, runAsUser=0))))
waits("named-user", "CreateContainerConfigError", r"container has runAsNonRoot and image has non-numeric user \(nobody\), cannot verify user is non-root \(pod: .*",
      pod("named-user", container("true", image="named:1", **security(runAsNonRoot=True))))
waits("bad-name", "InvalidImageName", r'Failed to apply default image tag "Bad/NAME": couldn\'t parse image name "Bad/NAME": invalid reference format: repository name \(Bad/NAME\) must be lowercase',
      pod("bad-name", container("true", image="Bad/NAME")))
waits("never-pulled", "ErrImageNeverPull", 'Container image "none:1" is not present with pull policy of Never',
      pod("never-pulled", container("true", image="none:1", imagePullPolicy="Never")))
waits("absolute-subpath", "CreateContainerConfigError", ".*", pod("absolute-subpath", container(
    "true", env=env(A="/tmp"), volumeMounts=[{"name": "v", "mountPath": "/v", "subPathExpr": "$(A)"}]), volumes=[{"name": "v", "emptyDir": {}}]))
waits("climbing-subpath", "CreateContainerConfigError", ".*", pod("climbing-subpath", container(
    "true", env=env(A=".."), volumeMounts=[{"name": "v", "mountPath": "/v", "subPathExpr": "$(A)"}]), volumes=[{"name": "v", "emptyDir": {}}]))

# What the node refuses --------------------------------------------------------------------------

REFUSED = {
    "unsafe-sysctl": (pod("unsafe-sysctl", container("true"), **security(sysctls=[{"name": "kernel.msgmax", "value": "65536"}])),
                      "SysctlForbidden", 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'),
}


@pytest.fixture(scope="module")
def scene(conformance: Cluster) -> Scene:
    made = Scene(conformance, "ns-node")
    made.apply(*CONFIG)
    made.apply(*(each[0] for group in (PRINTED, ENDS, WAITS, REFUSED) for each in group.values()))
    return made


@pytest.mark.parametrize("name", PRINTED)
def test_what_a_container_sees(scene: Scene, name: str) -> None:
    assert scene.said(name, "-c", "c") == PRINTED[name][1].replace("NS", "ns-node")


@pytest.mark.parametrize(("name", "user"), [
    ("groups", {"uid": 0, "gid": 0, "supplementalGroups": [0, 1234, 5678]}), ("image-user", {"uid": 65534, "gid": 65534, "supplementalGroups": [65534]}),
    ("strict-groups", {"uid": 1000, "gid": 1000, "supplementalGroups": [1000, 7]}),
])
def test_as_whom_a_container_begins(scene: Scene, name: str, user: Json) -> None:
    assert scene.ended(name)["containerStatuses"][0]["user"]["linux"] == user


@pytest.mark.parametrize("name", ENDS)
def test_how_a_container_ends(scene: Scene, name: str) -> None:
    _, phase, expected = ENDS[name]
    status = scene.ended(name)
    terminated = status["containerStatuses"][0]["state"]["terminated"]
    assert status["phase"] == phase
    assert {key: terminated.get(key) for key in expected} == expected


@pytest.mark.parametrize("name", WAITS)
def test_why_a_container_waits(scene: Scene, name: str) -> None:
    _, reason, message = WAITS[name]
    assert re.fullmatch(message, scene.waiting(name, reason))


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_node_refuses(scene: Scene, name: str) -> None:
    status = scene.ended(name)
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", *REFUSED[name][1:])


def test_runtime_classes(scene: Scene) -> None:
    """A Pod of a class that is not there is refused; one of a class gets its overhead, and runs where the node has its handler."""
    wanted = pod("of-class", container("true"), runtimeClassName="ns-node")
    refused = scene.kubectl("create", "-f", "-", stdin=json.dumps(wanted), check=False)
    assert 'pods "of-class" is forbidden: pod rejected: RuntimeClass "ns-node" not found' in refused
    scene.apply(
        thing("RuntimeClass", "ns-node", "node.k8s.io/v1", handler="runc", overhead={"podFixed": {"cpu": "10m"}}),
        thing("RuntimeClass", "ns-node-other", "node.k8s.io/v1", handler="none"),
    )
    scene.apply(wanted, pod("of-other", container("true"), runtimeClassName="ns-node-other"))
    assert scene.ended("of-class")["phase"] == "Succeeded"
    assert scene.get("pod", "of-class")["spec"]["overhead"] == {"cpu": "10m"}
    told = 'Failed to create pod sandbox: failed to get sandbox runtime: no runtime for "none" is configured'
    eventually(lambda: told in scene.events("of-other", "FailedCreatePodSandBox"), "the event tells why")
    assert scene.status("of-other")["phase"] == "Pending"
    scene.kubectl("delete", "pod/of-other", "runtimeclass/ns-node", "runtimeclass/ns-node-other")
