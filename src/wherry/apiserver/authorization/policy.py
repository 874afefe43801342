"""RBAC's bootstrap policy: the roles and bindings that a new cluster has (upstream's `bootstrappolicy`).

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
A line is `verbs | API groups | resources | names`; `core` is the group "", a line without groups is about paths.
Components change objects by patch where upstream's use update, so theirs have both.
"""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Object

GROUP = "rbac.authorization.k8s.io"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
READ, WRITE, CHANGE = "get,list,watch", "create,delete,deletecollection,patch,update", "patch,update"
ALL = "create,delete,deletecollection,get,list,patch,update,watch"
EVENTS = "create,patch,update | core,events.k8s.io | events"
_WORKLOADS = "daemonsets,deployments,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale"
_STATUSES = "daemonsets/status,deployments/status,replicasets/status,statefulsets/status"

VIEW = f"""
{READ} | core | configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers
{READ} | core | replicationcontrollers/scale,serviceaccounts,services,services/status,bindings,limitranges,namespaces/status
{READ} | core | pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status,namespaces
{READ} | core,events.k8s.io | events
{READ} | discovery.k8s.io | endpointslices
{READ} | apps | controllerrevisions,{_WORKLOADS},{_STATUSES}
{READ} | autoscaling | horizontalpodautoscalers,horizontalpodautoscalers/status
{READ} | batch | cronjobs,cronjobs/status,jobs,jobs/status
{READ} | extensions | daemonsets,deployments,deployments/scale,ingresses,ingresses/status,networkpolicies,replicasets
{READ} | policy | poddisruptionbudgets,poddisruptionbudgets/status
{READ} | networking.k8s.io | ingresses,ingresses/status,networkpolicies
{READ} | resource.k8s.io | resourceclaims,resourceclaims/status,resourceclaimtemplates
get,list,watch | metrics.k8s.io | pods,nodes
"""
EDIT = f"""
{READ} | core | pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy
impersonate | core | serviceaccounts
{WRITE} | core | pods,pods/attach,pods/exec,pods/portforward,pods/proxy
create | core | pods/eviction,serviceaccounts/token
{WRITE} | core | configmaps,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts
{WRITE} | core | services,services/proxy
{WRITE} | core,events.k8s.io | events
{WRITE} | apps | {_WORKLOADS},deployments/rollback
{WRITE} | autoscaling | horizontalpodautoscalers
{WRITE} | batch | cronjobs,jobs
{WRITE} | extensions | daemonsets,deployments,deployments/scale,ingresses,networkpolicies,replicasets
{WRITE} | policy | poddisruptionbudgets
{WRITE} | networking.k8s.io | ingresses,networkpolicies
{ALL} | coordination.k8s.io | leases
{WRITE} | resource.k8s.io | resourceclaims,resourceclaimtemplates
"""
ADMIN = f"""
create | authorization.k8s.io | localsubjectaccessreviews
{ALL} | rbac.authorization.k8s.io | rolebindings,roles
"""
ROLES: dict[str, str] = {
    "cluster-admin": "* | * | *\n* | | *",
    "system:aggregate-to-view": VIEW,
    "system:aggregate-to-edit": EDIT,
    "system:aggregate-to-admin": ADMIN,
    "system:discovery": "get | | /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/",
    "system:public-info-viewer": "get | | /healthz,/livez,/readyz,/version,/version/",
    "system:service-account-issuer-discovery": "get | | /.well-known/openid-configuration,/openid/v1/jwks",
    "system:basic-user": """
create | authorization.k8s.io | selfsubjectaccessreviews,selfsubjectrulesreviews
create | authentication.k8s.io | selfsubjectreviews""",
    "system:auth-delegator": """
create | authentication.k8s.io | tokenreviews
create | authorization.k8s.io | subjectaccessreviews""",
    "system:monitoring": """
get | | /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*
get | core | nodes/metrics""",
    "system:kubelet-api-admin": f"""
{READ},proxy | core | nodes
* | core | nodes/proxy,nodes/metrics,nodes/log,nodes/stats""",
    "system:kube-dns": f"{READ} | core | endpoints,services\n{READ} | discovery.k8s.io | endpointslices",
    "system:node-proxier": f"""
{READ} | core | endpoints,services,nodes
{READ} | networking.k8s.io | servicecidrs
{READ} | discovery.k8s.io | endpointslices
{EVENTS}""",
    "system:kube-controller-manager": f"""
{EVENTS}
create | authentication.k8s.io | tokenreviews
create | authorization.k8s.io | subjectaccessreviews
{READ} | * | *
create,delete,{CHANGE} | coordination.k8s.io | leases
create | core | serviceaccounts/token
create,delete,{CHANGE} | core | secrets
create,{CHANGE} | core | serviceaccounts
get | | /api,/api/*,/apis,/apis/*""",
    "system:kube-scheduler": f"""
{EVENTS}
create | authentication.k8s.io | tokenreviews
create | authorization.k8s.io | subjectaccessreviews
create | coordination.k8s.io | leases
get,list,patch,update,watch | coordination.k8s.io | leases | kube-scheduler
{READ} | core | nodes,namespaces,replicationcontrollers,services,persistentvolumeclaims,persistentvolumes
delete,{READ} | core | pods
create | core | bindings,pods/binding
{CHANGE} | core | pods/status
{READ} | apps,extensions | replicasets,statefulsets
{READ} | policy | poddisruptionbudgets
{READ} | storage.k8s.io | csinodes,csidrivers,csistoragecapacities,storageclasses,volumeattachments
{READ} | resource.k8s.io | deviceclasses,resourceslices,devicetaintrules
create,delete,{READ},{CHANGE} | resource.k8s.io | resourceclaims
{CHANGE} | resource.k8s.io | resourceclaims/status,resourceclaims/binding""",
    "system:persistent-volume-provisioner": f"""
create,delete,patch,{READ} | core | persistentvolumes
{READ},{CHANGE} | core | persistentvolumeclaims
{CHANGE} | core | persistentvolumeclaims/status
{READ} | storage.k8s.io | storageclasses
{READ} | core | events
{EVENTS}""",
    "system:volume-scheduler": f"""
{READ},{CHANGE} | core | persistentvolumes,persistentvolumeclaims
{READ} | storage.k8s.io | storageclasses""",
    "system:node": f"""
create | authentication.k8s.io | tokenreviews
create | authorization.k8s.io | localsubjectaccessreviews,subjectaccessreviews
{READ} | core | services,pods,configmaps,secrets,nodes
create,{CHANGE} | core | nodes
{CHANGE} | core | nodes/status,pods/status,persistentvolumeclaims/status
create,delete | core | pods
create | core | pods/eviction,serviceaccounts/token
get | core | persistentvolumeclaims,persistentvolumes,endpoints,serviceaccounts
{EVENTS}
create,{READ} | certificates.k8s.io | certificatesigningrequests
create,delete,get,{CHANGE} | coordination.k8s.io | leases
create,delete,get,{CHANGE} | storage.k8s.io | csinodes
{READ} | storage.k8s.io | csidrivers,volumeattachments
{READ} | node.k8s.io | runtimeclasses""",
}
_SIGNERS = ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
ROLES.update({
    **{f"system:certificates.k8s.io:{each}-approver": f"approve | certificates.k8s.io | signers | kubernetes.io/{each}"
       for each in _SIGNERS},
    **{f"system:certificates.k8s.io:certificatesigningrequests:{each}":
       f"create | certificates.k8s.io | certificatesigningrequests/{each}" for each in ("nodeclient", "selfnodeclient")},
})
_OWN_PODS = f"create,delete,{CHANGE},{READ} | core | pods\n{CHANGE} | core | pods/status,pods/finalizers"


def _controls(group: str, plural: str, *more: str) -> str:
    """What a workload's controller does with its own kind, and more."""
    own = f"{READ},{CHANGE} | {group} | {plural}\n{CHANGE} | {group} | {plural}/status,{plural}/finalizers"
    return "\n".join([own, EVENTS, *more])


CONTROLLERS: dict[str, str] = {
    "deployment-controller": _controls("apps", "deployments", f"{ALL} | apps | replicasets", f"{READ},{CHANGE} | core | pods"),
    "replicaset-controller": _controls("apps", "replicasets", _OWN_PODS),
    "replication-controller": _controls("core", "replicationcontrollers", _OWN_PODS),
    "daemon-set-controller": _controls("apps", "daemonsets", _OWN_PODS, f"{READ} | core | nodes", f"{ALL} | apps | controllerrevisions"),
    "statefulset-controller": _controls(
        "apps", "statefulsets", _OWN_PODS, f"{ALL} | apps | controllerrevisions", f"{ALL} | core | persistentvolumeclaims"
    ),
    "job-controller": _controls("batch", "jobs", _OWN_PODS),
    "cronjob-controller": _controls("batch", "cronjobs", f"{ALL} | batch | jobs", f"delete,{READ} | core | pods"),
    "ttl-after-finished-controller": f"delete,{READ} | batch | jobs\n{EVENTS}",
    "endpoint-controller": f"{READ} | core | pods,services\n{ALL} | core | endpoints\n{EVENTS}",
    "endpointslice-controller": f"""
{READ} | core | nodes,pods,services
{CHANGE} | core | services/finalizers
{ALL} | discovery.k8s.io | endpointslices
{EVENTS}""",
    "endpointslicemirroring-controller": f"{READ} | core | endpoints,services\n{ALL} | discovery.k8s.io | endpointslices\n{EVENTS}",
    "namespace-controller": f"""
delete,{READ},{CHANGE} | core | namespaces
{CHANGE} | core | namespaces/finalize,namespaces/status
delete,deletecollection,{READ},{CHANGE} | * | *
get | | /api,/api/*,/apis,/apis/*""",
    "generic-garbage-collector": f"delete,{READ},{CHANGE} | * | *\n{EVENTS}\nget | | /api,/api/*,/apis,/apis/*",
    "node-controller": f"""
delete,{READ},{CHANGE} | core | nodes
{CHANGE} | core | nodes/status,pods/status
delete,{READ},{CHANGE} | core | pods
{READ} | coordination.k8s.io | leases
{EVENTS}""",
    "pod-garbage-collector": f"delete,{READ} | core | pods\n{READ} | core | nodes\n{CHANGE} | core | pods/status",
    "service-account-controller": f"create,{READ} | core | serviceaccounts\n{READ} | core | namespaces\n{EVENTS}",
    "root-ca-cert-publisher": f"create,{READ},{CHANGE} | core | configmaps\n{READ} | core | namespaces\n{EVENTS}",
    "disruption-controller": f"""
{READ} | apps,extensions | deployments,replicasets
{READ} | apps | statefulsets
{READ} | core | replicationcontrollers
{READ} | policy | poddisruptionbudgets
{CHANGE} | policy | poddisruptionbudgets/status
{CHANGE} | core | pods/status
get | * | */scale
{EVENTS}""",
    "resourcequota-controller": f"list,watch | * | *\n{CHANGE} | core | resourcequotas/status\n{EVENTS}",
    "horizontal-pod-autoscaler": f"""
{READ} | autoscaling | horizontalpodautoscalers
{CHANGE} | autoscaling | horizontalpodautoscalers/status
get,{CHANGE} | * | */scale
list,watch | core | pods
list,watch | metrics.k8s.io | pods
{READ} | custom.metrics.k8s.io | *
{READ} | external.metrics.k8s.io | *
{EVENTS}""",
    "persistent-volume-binder": f"""
{ALL} | core | persistentvolumes,persistentvolumes/status,persistentvolumeclaims,persistentvolumeclaims/status,pods
{READ} | storage.k8s.io | storageclasses
{READ} | core | nodes
{EVENTS}""",
    "pvc-protection-controller": f"""
{READ},{CHANGE} | core | persistentvolumeclaims
{CHANGE} | core | persistentvolumeclaims/status
{READ} | core | pods
{EVENTS}""",
    "pv-protection-controller": f"{READ},{CHANGE} | core | persistentvolumes\n{EVENTS}",
    "expand-controller": f"""
{READ},{CHANGE} | core | persistentvolumes,persistentvolumeclaims,persistentvolumeclaims/status
{READ} | storage.k8s.io | storageclasses
{EVENTS}""",
    "ephemeral-volume-controller": f"""
{READ} | core | pods
{CHANGE} | core | pods/finalizers
create,{READ} | core | persistentvolumeclaims
{EVENTS}""",
    "resource-claim-controller": f"""
{READ} | core | pods
{CHANGE} | core | pods/finalizers,pods/status
create,delete,{READ},{CHANGE} | resource.k8s.io | resourceclaims
{CHANGE} | resource.k8s.io | resourceclaims/status,resourceclaims/binding,resourceclaims/finalizers
{READ} | resource.k8s.io | resourceclaimtemplates,deviceclasses
{EVENTS}""",
    "device-taint-eviction-controller": f"""
{READ},delete | core | pods
{CHANGE} | core | pods/status
{READ} | resource.k8s.io | resourceclaims,resourceslices,devicetaintrules
{CHANGE} | resource.k8s.io | devicetaintrules/status
{EVENTS}""",
    "ttl-controller": f"{READ},{CHANGE} | core | nodes\n{EVENTS}",
    "certificate-controller": f"""
delete,{READ} | certificates.k8s.io | certificatesigningrequests
{CHANGE} | certificates.k8s.io | certificatesigningrequests/approval,certificatesigningrequests/status
approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client-kubelet
sign | certificates.k8s.io | signers | {",".join(f"kubernetes.io/{each}" for each in _SIGNERS)}
create | authorization.k8s.io | subjectaccessreviews
{EVENTS}""",
    "clusterrole-aggregation-controller": f"escalate,{READ},{CHANGE} | {GROUP} | clusterroles",
}
BINDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "cluster-admin": (("Group", "system:masters"),),
    "system:discovery": (("Group", "system:authenticated"),),
    "system:basic-user": (("Group", "system:authenticated"),),
    "system:public-info-viewer": (("Group", "system:authenticated"), ("Group", "system:unauthenticated")),
    "system:service-account-issuer-discovery": (("Group", "system:serviceaccounts"),),
    "system:monitoring": (("Group", "system:monitoring"),),
    "system:kube-controller-manager": (("User", "system:kube-controller-manager"),),
    "system:kube-scheduler": (("User", "system:kube-scheduler"),),
    "system:volume-scheduler": (("User", "system:kube-scheduler"),),
    "system:node-proxier": (("User", "system:kube-proxy"),),
    "system:persistent-volume-provisioner": (("User", "system:local-provisioner"),),
    "system:kube-dns": (("User", "system:kube-dns"),),
}


def rules(text: str) -> list[Object]:
    """PolicyRules from lines.  Pure."""
    found = []
    for line in filter(None, (line.strip() for line in text.strip().splitlines())):
        verbs, groups, what, *names = (part.strip() for part in line.split("|"))
        rule: Object = {"verbs": sorted(set(verbs.split(",")))}
        if groups:
            rule["apiGroups"] = ["" if g == "core" else g for g in groups.split(",")]
            rule["resources"] = what.split(",")
            if names:
                rule["resourceNames"] = names[0].split(",")
        else:
            rule["nonResourceURLs"] = what.split(",")
        found.append(rule)
    return found


def _object(kind: str, name: str, labels: dict[str, str] | None = None, **more: Any) -> Object:
    annotations = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    meta = {"name": name, "labels": {**LABELS, **(labels or {})}, "annotations": annotations}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta, **more}


def _binding(role: str, subjects: list[Object]) -> Object:
    ref = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}
    return _object("ClusterRoleBinding", role, roleRef=ref, subjects=subjects)


def _authentication_reader() -> list[Object]:
    """Who may read how servers of aggregated APIs know their clients.  Whoever runs such a server binds its account to the Role."""
    name, where = "extension-apiserver-authentication-reader", "kube-system"
    role = _object("Role", name, rules=rules(f"{READ} | core | configmaps | extension-apiserver-authentication"))
    users = ("system:kube-controller-manager", "system:kube-scheduler")
    binding = _object(
        "RoleBinding", f"system::{name}", roleRef={"apiGroup": GROUP, "kind": "Role", "name": name},
        subjects=[{"kind": "User", "apiGroup": GROUP, "name": user} for user in users],
    )
    for each in (role, binding):
        each["metadata"]["namespace"] = where
    return [role, binding]


def bootstrap_objects() -> list[Object]:
    """ClusterRoles and ClusterRoleBindings, roles first."""
    found = []
    for name, text in ROLES.items():
        aggregate = name.removeprefix("system:aggregate-to-")
        labels = {f"{GROUP}/aggregate-to-{aggregate}": "true"} if aggregate != name else {}
        found.append(_object("ClusterRole", name, labels, rules=rules(text)))
    for name, parts in (("view", VIEW), ("edit", VIEW + EDIT), ("admin", VIEW + EDIT + ADMIN)):
        selector = {"clusterRoleSelectors": [{"matchLabels": {f"{GROUP}/aggregate-to-{name}": "true"}}]}
        upward = {"view": "edit", "edit": "admin"}.get(name)
        labels = {f"{GROUP}/aggregate-to-{upward}": "true"} if upward else {}
        found.append(_object("ClusterRole", name, labels, aggregationRule=selector, rules=rules(parts)))
    for name, text in CONTROLLERS.items():
        found.append(_object("ClusterRole", f"system:controller:{name}", rules=rules(text)))
    found += _authentication_reader()
    for role, who in BINDINGS.items():
        found.append(_binding(role, [{"apiGroup": GROUP, "kind": kind, "name": name} for kind, name in who]))
    for name in CONTROLLERS:
        account = {"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}
        found.append(_binding(f"system:controller:{name}", [account]))
    return found
