"""What the published document does not say of Go's types, told by hand: read by `compile_schema.py`.

Go's encoder leaves out a field that is not a pointer, is marked `omitempty` and holds its zero value, so a
client that sends `hostNetwork: false` or `clusterIP: ""` never gets it back.  Told here for the kinds that people
write; a field that is not told of keeps what it was given.
"""

CORE, META, APPS, BATCH = "io.k8s.api.core.v1.", "io.k8s.apimachinery.pkg.apis.meta.v1.", "io.k8s.api.apps.v1.", "io.k8s.api.batch.v1."
NETWORKING, RBAC = "io.k8s.api.networking.v1.", "io.k8s.api.rbac.v1."

_CONTAINER = "image workingDir terminationMessagePath terminationMessagePolicy imagePullPolicy stdin stdinOnce tty"
_CONDITION = "reason message"
_NAMED = (
    "LocalObjectReference", "ConfigMapKeySelector", "SecretKeySelector", "ConfigMapEnvSource", "SecretEnvSource",
    "ConfigMapVolumeSource", "ConfigMapProjection", "SecretProjection",
)

OMIT_ZERO: dict[str, str] = {
    META + "ObjectMeta": "name generateName namespace selfLink uid resourceVersion generation",
    META + "ManagedFieldsEntry": "manager operation apiVersion fieldsType subresource",
    META + "Condition": "observedGeneration",
    CORE + "PodSpec": "restartPolicy dnsPolicy serviceAccountName serviceAccount nodeName hostNetwork hostPID hostIPC hostname "
                      "subdomain schedulerName priorityClassName",
    CORE + "Container": _CONTAINER,
    CORE + "EphemeralContainer": _CONTAINER + " targetContainerName",
    CORE + "ContainerPort": "name hostPort protocol hostIP",
    CORE + "EnvVar": "value",
    CORE + "EnvFromSource": "prefix",
    CORE + "ObjectFieldSelector": "apiVersion",
    CORE + "ResourceFieldSelector": "containerName",
    **{CORE + kind: "name" for kind in _NAMED},
    CORE + "Probe": "initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold",
    CORE + "HTTPGetAction": "path host scheme",
    CORE + "TCPSocketAction": "host",
    CORE + "VolumeMount": "readOnly subPath subPathExpr",
    CORE + "EmptyDirVolumeSource": "medium",
    CORE + "SecretVolumeSource": "secretName",
    CORE + "PersistentVolumeClaimVolumeSource": "readOnly",
    CORE + "NFSVolumeSource": "readOnly",
    CORE + "ServiceAccountTokenProjection": "audience",
    CORE + "Toleration": "key operator value effect",
    CORE + "Taint": "value",
    CORE + "PodStatus": "phase message reason nominatedNodeName hostIP podIP qosClass resize observedGeneration",
    CORE + "PodCondition": _CONDITION + " observedGeneration",
    CORE + "ContainerStatus": "containerID",
    CORE + "ContainerStateWaiting": _CONDITION,
    CORE + "ContainerStateTerminated": _CONDITION + " signal containerID",
    CORE + "ServiceSpec": "clusterIP type sessionAffinity loadBalancerIP externalName externalTrafficPolicy healthCheckNodePort "
                          "publishNotReadyAddresses",
    CORE + "ServicePort": "name protocol nodePort",
    CORE + "EndpointPort": "name protocol",
    CORE + "EndpointAddress": "hostname",
    CORE + "LoadBalancerIngress": "ip hostname",
    CORE + "NodeSpec": "podCIDR providerID unschedulable externalID",
    CORE + "NodeStatus": "phase",
    CORE + "NodeCondition": _CONDITION,
    CORE + "NamespaceStatus": "phase",
    CORE + "NamespaceCondition": _CONDITION,
    CORE + "Secret": "type",
    CORE + "PersistentVolumeSpec": "persistentVolumeReclaimPolicy storageClassName",
    CORE + "PersistentVolumeStatus": "phase message reason",
    CORE + "PersistentVolumeClaimSpec": "volumeName",
    CORE + "PersistentVolumeClaimStatus": "phase",
    CORE + "Event": "reason message count type action",
    CORE + "EventSource": "component host",
    CORE + "ObjectReference": "kind namespace name uid apiVersion resourceVersion fieldPath",
    APPS + "DeploymentSpec": "minReadySeconds paused",
    APPS + "DeploymentStrategy": "type",
    APPS + "DeploymentStatus": "observedGeneration replicas updatedReplicas readyReplicas availableReplicas unavailableReplicas",
    APPS + "DeploymentCondition": _CONDITION,
    APPS + "ReplicaSetSpec": "minReadySeconds",
    APPS + "ReplicaSetStatus": "fullyLabeledReplicas readyReplicas availableReplicas observedGeneration",
    APPS + "ReplicaSetCondition": _CONDITION,
    APPS + "StatefulSetSpec": "podManagementPolicy minReadySeconds",
    APPS + "StatefulSetUpdateStrategy": "type",
    APPS + "StatefulSetStatus": "observedGeneration readyReplicas currentReplicas updatedReplicas currentRevision updateRevision",
    APPS + "DaemonSetSpec": "minReadySeconds",
    APPS + "DaemonSetUpdateStrategy": "type",
    APPS + "DaemonSetStatus": "observedGeneration updatedNumberScheduled numberAvailable numberUnavailable",
    BATCH + "CronJobSpec": "concurrencyPolicy",
    BATCH + "JobStatus": "active succeeded failed completedIndexes",
    BATCH + "JobCondition": _CONDITION,
    NETWORKING + "IngressRule": "host",
    NETWORKING + "HTTPIngressPath": "path",
    NETWORKING + "IngressTLS": "secretName",
    NETWORKING + "ServiceBackendPort": "name number",
    NETWORKING + "IngressLoadBalancerIngress": "ip hostname",
    RBAC + "Subject": "apiGroup namespace",
    "io.k8s.api.policy.v1.PodDisruptionBudgetStatus": "observedGeneration",
    "io.k8s.api.scheduling.v1.PriorityClass": "globalDefault description",
}

# Fields that upstream writes as null when they hold nothing; the others it leaves out.
NULLABLE: dict[str, str] = {
    CORE + "Event": "eventTime firstTimestamp lastTimestamp",
    "io.k8s.api.events.v1.Event": "eventTime deprecatedFirstTimestamp deprecatedLastTimestamp",
    CORE + "PodCondition": "lastProbeTime",
    CORE + "ContainerStateTerminated": "startedAt finishedAt",
    "io.k8s.api.discovery.v1.EndpointSlice": "endpoints ports",
    RBAC + "ClusterRole": "rules",
    RBAC + "Role": "rules",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus": "currentMetrics",
    "io.k8s.api.authentication.v1.TokenRequestSpec": "boundObjectRef",
}

# Defaults of map keys: the published document has no defaults, and lists keyed by these cannot be merged without.
KEY_DEFAULTS: dict[str, dict[str, str]] = {
    CORE + "ContainerPort": {"protocol": "TCP"},
    CORE + "ServicePort": {"protocol": "TCP"},
    CORE + "LocalObjectReference": {"name": ""},
}
