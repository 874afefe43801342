"""The strategy of each resource that the recordings write."""

from __future__ import annotations

from wherry.api.resource import Strategy
from wherry.api.strategy import admission, crd, endpoints, ingress, persistentvolume, quota, rbac, replicaset, scheduling, storage
from wherry.api.strategy.certificates import CERTIFICATE_SIGNING_REQUEST
from wherry.api.strategy.configmap import CONFIG_MAP
from wherry.api.strategy.cronjob import CRON_JOB
from wherry.api.strategy.daemonset import DAEMON_SET
from wherry.api.strategy.deployment import DEPLOYMENT
from wherry.api.strategy.event import EVENT
from wherry.api.strategy.hpa import HORIZONTAL_POD_AUTOSCALER
from wherry.api.strategy.job import JOB
from wherry.api.strategy.lease import LEASE
from wherry.api.strategy.namespace import NAMESPACE
from wherry.api.strategy.networkpolicy import NETWORK_POLICY
from wherry.api.strategy.node import NODE
from wherry.api.strategy.pdb import POD_DISRUPTION_BUDGET
from wherry.api.strategy.pod import POD
from wherry.api.strategy.secret import SECRET
from wherry.api.strategy.service import SERVICE
from wherry.api.strategy.serviceaccount import SERVICE_ACCOUNT
from wherry.api.strategy.statefulset import STATEFUL_SET

STRATEGIES: dict[str, Strategy] = {
    "certificatesigningrequests": CERTIFICATE_SIGNING_REQUEST,
    "clusterroles": rbac.CLUSTER_ROLE,
    "configmaps": CONFIG_MAP,
    "controllerrevisions": replicaset.CONTROLLER_REVISION,
    "cronjobs": CRON_JOB,
    "csidrivers": storage.CSI_DRIVER,
    "customresourcedefinitions": crd.CUSTOM_RESOURCE_DEFINITION,
    "daemonsets": DAEMON_SET,
    "deployments": DEPLOYMENT,
    "endpoints": endpoints.ENDPOINTS,
    "endpointslices": endpoints.ENDPOINT_SLICE,
    "events": EVENT,
    "horizontalpodautoscalers": HORIZONTAL_POD_AUTOSCALER,
    "ingressclasses": ingress.INGRESS_CLASS,
    "ingresses": ingress.INGRESS,
    "jobs": JOB,
    "leases": LEASE,
    "limitranges": quota.LIMIT_RANGE,
    "namespaces": NAMESPACE,
    "networkpolicies": NETWORK_POLICY,
    "nodes": NODE,
    "persistentvolumeclaims": persistentvolume.PERSISTENT_VOLUME_CLAIM,
    "persistentvolumes": persistentvolume.PERSISTENT_VOLUME,
    "poddisruptionbudgets": POD_DISRUPTION_BUDGET,
    "pods": POD,
    "podtemplates": replicaset.POD_TEMPLATE,
    "priorityclasses": scheduling.PRIORITY_CLASS,
    "replicasets": replicaset.REPLICA_SET,
    "replicationcontrollers": replicaset.REPLICATION_CONTROLLER,
    "resourcequotas": quota.RESOURCE_QUOTA,
    "rolebindings": rbac.ROLE_BINDING,
    "roles": rbac.ROLE,
    "runtimeclasses": scheduling.RUNTIME_CLASS,
    "secrets": SECRET,
    "serviceaccounts": SERVICE_ACCOUNT,
    "services": SERVICE,
    "statefulsets": STATEFUL_SET,
    "storageclasses": storage.STORAGE_CLASS,
    "validatingadmissionpolicies": admission.VALIDATING_ADMISSION_POLICY,
    "validatingwebhookconfigurations": admission.VALIDATING_WEBHOOK_CONFIGURATION,
}
