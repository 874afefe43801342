"""RBAC: Roles and ClusterRoles bound to users, groups and service accounts.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
Bindings are compiled to an index by subject when one of the four kinds has changed; a decision is
remembered until then, for all objects of a resource together unless a rule names some.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wherry.api.resource import Object
from wherry.apimachinery.http import UserInfo
from wherry.apiserver.admission.interface import Reader
from wherry.apiserver.authorization.interface import Decision
from wherry.apiserver.codec import decode_json
from wherry.apiserver.requestinfo import RequestInfo

GROUP = "rbac.authorization.k8s.io"
KINDS = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
MASTERS = "system:masters"
REMEMBERED = 65536


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule, as sets."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    urls: tuple[str, ...]

    @classmethod
    def parse(cls, rule: Object) -> Rule:
        return cls(
            frozenset(rule.get("verbs") or ()), frozenset(rule.get("apiGroups") or ()), frozenset(rule.get("resources") or ()),
            frozenset(rule.get("resourceNames") or ()), tuple(rule.get("nonResourceURLs") or ()),
        )

    def allows(self, info: RequestInfo) -> bool:
        return self.covers(info) and (not self.names or info.name in self.names)

    def covers(self, info: RequestInfo) -> bool:
        """Whether it allows this to an object of some name."""
        if info.verb not in self.verbs and "*" not in self.verbs:
            return False
        if not info.is_resource:
            return any(u in ("*", info.path) or (u.endswith("*") and info.path.startswith(u[:-1])) for u in self.urls)
        if info.group not in self.groups and "*" not in self.groups:
            return False
        if "*" in self.resources:
            return True
        if info.subresource:
            return f"{info.resource}/{info.subresource}" in self.resources or f"*/{info.subresource}" in self.resources
        return info.resource in self.resources


@dataclass(frozen=True, slots=True)
class Grant:
    """Rules that a subject has, and by which binding; in one namespace or ("") everywhere."""

    namespace: str
    rules: tuple[Rule, ...]
    binding: str


Subject = tuple[str, str]  # ("User" | "Group", name)


class RBAC:
    """An Authorizer over the RBAC objects in the caches."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._grants: dict[Subject, list[Grant]] | None = None
        self._remembered: dict[tuple[Any, ...], Decision] = {}

    def changed(self, *_: object) -> None:
        """Call when a role or binding changed."""
        self._grants = None
        self._remembered.clear()

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision:
        if MASTERS in user.groups:
            return Decision(True)
        key = (user.name, user.groups, info.verb, info.group, info.resource, info.subresource, info.namespace,
               "" if info.is_resource else info.path)
        known = self._remembered.get(key) or self._remembered.get((*key, info.name))
        if known is None:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            known, whatever_name = self._decide(user, info)
            self._remembered[key if whatever_name else (*key, info.name)] = known
        return known

    def _decide(self, user: UserInfo, info: RequestInfo) -> tuple[Decision, bool]:
        """The decision, and whether it is the same for an object of another name."""
        whatever_name = True
        for grant in self.grants(user):
            if grant.namespace in ("", info.namespace) and (not grant.namespace or info.is_resource):
                for rule in grant.rules:
                    if not rule.covers(info):
                        continue
                    whatever_name = whatever_name and not rule.names
                    if not rule.names or info.name in rule.names:
                        return Decision(True, f"RBAC: allowed by {grant.binding}"), whatever_name
        return Decision(False), whatever_name

    def grants(self, user: UserInfo) -> Iterator[Grant]:
        """Everything that is granted to the user, itself or by a group."""
        index = self._grants if self._grants is not None else self._compile()
        yield from index.get(("User", user.name), ())
        for group in user.groups:
            yield from index.get(("Group", group), ())

    def _compile(self) -> dict[Subject, list[Grant]]:
        index: dict[Subject, list[Grant]] = {}
        roles = {(c.namespace, c.name): self._rules(c) for kind in ("roles", "clusterroles") for c in self._reader.cached_list(GROUP, kind)}
        for kind in ("clusterrolebindings", "rolebindings"):
            for cached in self._reader.cached_list(GROUP, kind):
                binding = decode_json(cached.value)
                ref = binding["roleRef"]
                where = cached.namespace if ref["kind"] == "Role" else ""
                rules = roles.get((where, ref["name"]))
                if rules:
                    named = f'{binding["kind"]} "{cached.name}" of {ref["kind"]} "{ref["name"]}"'
                    grant = Grant(cached.namespace, rules, named)
                    for subject in subjects(binding):
                        index.setdefault(subject, []).append(grant)
        self._grants = index
        return index

    @staticmethod
    def _rules(cached: Any) -> tuple[Rule, ...]:
        return tuple(Rule.parse(rule) for rule in decode_json(cached.value).get("rules") or ())

    def role(self, kind: str, namespace: str, name: str) -> Object | None:
        """The Role or ClusterRole that a binding names, for the escalation check."""
        place = ("clusterroles", "") if kind == "ClusterRole" else ("roles", namespace)
        return self._reader.read(GROUP, *place, name)


def subjects(binding: Object) -> Iterator[Subject]:
    """Whom a binding names; a service account is the user that its token authenticates."""
    for subject in binding.get("subjects") or ():
        if subject["kind"] == "ServiceAccount":
            namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
            yield "User", f"system:serviceaccount:{namespace}:{subject['name']}"
        else:
            yield subject["kind"], subject["name"]
