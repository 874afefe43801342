"""Nobody grants what they do not have: the check of new roles and bindings (upstream's `policybased` storage).

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
It stands in the admission chain, for it sees objects; it asks the authorizers for the verbs `escalate` and `bind`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import UserInfo
from wherry.apiserver.admission.interface import Attributes
from wherry.apiserver.authorization.interface import Authorizer
from wherry.apiserver.authorization.rbac import GROUP, MASTERS, RBAC, Rule
from wherry.apiserver.requestinfo import RequestInfo

_ROLES = ("roles", "clusterroles")
_BINDINGS = ("rolebindings", "clusterrolebindings")
_EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_EVERY_PATH = {"nonResourceURLs": ["*"], "verbs": ["*"]}


@dataclass(frozen=True, slots=True)
class Permission:
    """The smallest part of a rule: one verb on one resource (perhaps one object), or on one path."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    url: str = ""


class RBACEscalation:
    """An admission plugin over the RBAC kinds."""

    name = "RBACEscalation"

    def __init__(self, rbac: RBAC, authorizers: Sequence[Authorizer]) -> None:
        self._rbac = rbac
        self._authorizers = authorizers

    def handles(self, attributes: Attributes) -> bool:
        resource = attributes.resource
        wanted = resource.group == GROUP and attributes.operation in ("CREATE", "UPDATE")
        return wanted and resource.plural in (*_ROLES, *_BINDINGS) and MASTERS not in attributes.user.groups

    async def validate(self, attributes: Attributes) -> None:
        """Raises StatusError 403, or 404 for a binding of a role that is not there."""
        obj, old = attributes.obj, attributes.old
        assert obj is not None
        if attributes.resource.plural in _ROLES:
            if old is not None and all(obj.get(k) == old.get(k) for k in ("rules", "aggregationRule")):
                return
            self._role(attributes, obj)
        elif old is None or any(obj.get(k) != old.get(k) for k in ("subjects", "roleRef")):
            self._binding(attributes, obj)

    def _role(self, attributes: Attributes, role: Object) -> None:
        if self._may(attributes, "escalate", attributes.resource.plural, attributes.name):
            return
        if role.get("aggregationRule") and self._missing(attributes, [_EVERYTHING, _EVERY_PATH]):
            raise _refused(attributes, "must have cluster-admin privileges to use the aggregationRule")
        self._confirm(attributes, role.get("rules") or ())

    def _binding(self, attributes: Attributes, binding: Object) -> None:
        ref = binding["roleRef"]
        plural = "clusterroles" if ref["kind"] == "ClusterRole" else "roles"
        if self._may(attributes, "bind", plural, ref["name"]):
            return
        role = self._rbac.role(ref["kind"], attributes.namespace, ref["name"])
        if role is None:
            raise errors.not_found(GROUP, plural, ref["name"])
        self._confirm(attributes, role.get("rules") or ())

    def _may(self, attributes: Attributes, verb: str, plural: str, name: str) -> bool:
        info = RequestInfo(verb, "", GROUP, "v1", plural, "", attributes.namespace, name)
        return any(authorizer.authorize(attributes.user, info).allowed for authorizer in self._authorizers)

    def _confirm(self, attributes: Attributes, rules: Iterable[Object]) -> None:
        if missing := self._missing(attributes, rules):
            user = attributes.user
            who = f"user {_quoted(user.name)} (groups={_list(user.groups)})"
            shown = "\n".join(sorted(compact(missing)))
            raise _refused(attributes, f"{who} is attempting to grant RBAC permissions not currently held:\n{shown}")

    def _missing(self, attributes: Attributes, rules: Iterable[Object]) -> list[Permission]:
        held = list(self._held(attributes.user, attributes.namespace))
        return [each for rule in rules for each in permissions(rule) if not any(covers(own, each) for own in held)]

    def _held(self, user: UserInfo, namespace: str) -> Iterator[Rule]:
        for grant in self._rbac.grants(user):
            if grant.namespace in ("", namespace):
                yield from grant.rules


def permissions(rule: Object) -> Iterator[Permission]:
    """A rule taken apart."""
    for verb in rule.get("verbs") or ():
        for url in rule.get("nonResourceURLs") or ():
            yield Permission(verb, url=url)
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in rule.get("resourceNames") or ("",):
                    yield Permission(verb, group, resource, name)


def covers(own: Rule, wanted: Permission) -> bool:
    """Whether who has `own` has `wanted`."""
    if "*" not in own.verbs and wanted.verb not in own.verbs:
        return False
    if wanted.url:
        return any(url in ("*", wanted.url) or (url.endswith("*") and wanted.url.startswith(url[:-1])) for url in own.urls)
    if "*" not in own.groups and wanted.group not in own.groups:
        return False
    _, slash, sub = wanted.resource.partition("/")
    if not own.resources & {"*", wanted.resource, *([f"*/{sub}"] if slash else [])}:
        return False
    return not own.names or wanted.name in own.names


def compact(found: Iterable[Permission]) -> Iterator[str]:
    """Permissions as upstream shows them: a line for each resource or path, its verbs together."""
    verbs: dict[Permission, list[str]] = {}
    for each in found:
        verbs.setdefault(Permission("", each.group, each.resource, each.name, each.url), []).append(each.verb)
    for what, those in verbs.items():
        parts = [f"NonResourceURLs:{_list([what.url])}"] if what.url else []
        if not what.url:
            parts = [f"APIGroups:{_list([what.group])}", f"Resources:{_list([what.resource])}"]
            parts += [f"ResourceNames:{_list([what.name])}"] if what.name else []
        yield "{" + ", ".join([*parts, f"Verbs:{_list(dict.fromkeys(those))}"]) + "}"


def _list(texts: Iterable[str]) -> str:
    return f"[{' '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _refused(attributes: Attributes, why: str) -> StatusError:
    return errors.forbidden(GROUP, attributes.resource.plural, attributes.name, why)
