"""Rows of identity: rbac.authorization.k8s.io, and the reviews of authentication.k8s.io and authorization.k8s.io."""

from __future__ import annotations

from wherry.api.printers import cluster as printers
from wherry.api.resource import Printer, Resource, Strategy
from wherry.api.strategy import rbac as rbac_strategy
from wherry.api.table.rows import PLAIN, old, served

GROUP = "rbac.authorization.k8s.io"


def _role(plural: str, kind: str, namespaced: bool, strategy: Strategy, printer: Printer | None = None) -> Resource:
    return Resource(
        plural, kind, GROUP, (*served(GROUP, kind), old(f"{GROUP}/v1beta1", kind, f"{GROUP}/v1", "v1.17", "v1.22")),
        namespaced=namespaced, name_rule="path", printer=printer, strategy=strategy,
    )


def _review(group: str, kind: str, namespaced: bool = False) -> Resource:
    return Resource(
        kind.lower() + "s", kind, group, served(group, kind), namespaced=namespaced, verbs=("create",), strategy=PLAIN,
        virtual=True,
    )


CLUSTER_ROLE_BINDING = _role(
    "clusterrolebindings", "ClusterRoleBinding", namespaced=False, printer=printers.ROLE_BINDING,
    strategy=rbac_strategy.CLUSTER_ROLE_BINDING,
)
CLUSTER_ROLE = _role(
    "clusterroles", "ClusterRole", namespaced=False, strategy=rbac_strategy.CLUSTER_ROLE,
)
ROLE_BINDING = _role(
    "rolebindings", "RoleBinding", namespaced=True, printer=printers.ROLE_BINDING, strategy=rbac_strategy.ROLE_BINDING,
)
ROLE = _role(
    "roles", "Role", namespaced=True, strategy=rbac_strategy.ROLE,
)

SELF_SUBJECT_REVIEW = _review("authentication.k8s.io", "SelfSubjectReview")
TOKEN_REVIEW = _review("authentication.k8s.io", "TokenReview")
LOCAL_SUBJECT_ACCESS_REVIEW = _review("authorization.k8s.io", "LocalSubjectAccessReview", namespaced=True)
SELF_SUBJECT_ACCESS_REVIEW = _review("authorization.k8s.io", "SelfSubjectAccessReview")
SELF_SUBJECT_RULES_REVIEW = _review("authorization.k8s.io", "SelfSubjectRulesReview")
SUBJECT_ACCESS_REVIEW = _review("authorization.k8s.io", "SubjectAccessReview")

ROWS = (
    CLUSTER_ROLE_BINDING, CLUSTER_ROLE, ROLE_BINDING, ROLE, SELF_SUBJECT_REVIEW, TOKEN_REVIEW,
    LOCAL_SUBJECT_ACCESS_REVIEW, SELF_SUBJECT_ACCESS_REVIEW, SELF_SUBJECT_RULES_REVIEW, SUBJECT_ACCESS_REVIEW,
)
