"""Kinds that are asked, not stored: access reviews, token reviews, and who am I."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.http import Response, UserInfo
from wherry.apiserver.authentication.authenticators import AUDIENCES, ServiceAccountTokens, StaticTokens
from wherry.apiserver.authentication.jwt import BadToken
from wherry.apiserver.authorization.interface import Authorizer
from wherry.apiserver.authorization.rbac import RBAC, Rule
from wherry.apiserver.call import Call
from wherry.apiserver.codec import encode
from wherry.apiserver.endpoints.options import set_write_options
from wherry.apiserver.endpoints.write import check_kind, check_namespace, decode_body
from wherry.apiserver.registry.managed import manage_update
from wherry.apiserver.requestinfo import RequestInfo
from wherry.util.clock import rfc3339


def _asked(call: Call) -> Object:
    if call.info.verb != "create" or call.info.name:
        raise errors.method_not_allowed()
    set_write_options(call)
    obj = decode_body(call, call.request.body)
    check_kind(call, obj)
    check_namespace(call, obj)
    manage_update(call, {}, None, obj)
    return obj


def _answered(obj: Object) -> Response:
    return Response(201, encode({"kind": obj["kind"], "apiVersion": obj["apiVersion"], **obj}))


def user_json(user: UserInfo) -> dict[str, Any]:
    """authentication.k8s.io UserInfo."""
    shown: dict[str, Any] = {"username": user.name, "uid": user.uid, "groups": list(user.groups)}
    if user.extra:
        shown["extra"] = {k: list(v) for k, v in user.extra.items()}
    return {k: v for k, v in shown.items() if v}


async def self_subject_review(call: Call) -> Response:
    """Who the server takes the client for (`kubectl auth whoami`)."""
    obj = _asked(call)
    obj["metadata"]["creationTimestamp"] = rfc3339(call.now)
    obj["status"] = {"userInfo": user_json(call.user)}
    return _answered(obj)


class AccessReviews:
    """SubjectAccessReview and its local and self forms: may this user do that?"""

    def __init__(self, authorizers: list[Authorizer]) -> None:
        self._authorizers = authorizers

    async def __call__(self, call: Call) -> Response:
        obj = _asked(call)
        spec = obj.get("spec") or {}
        if call.resource.plural == "selfsubjectaccessreviews":
            user = call.user
        else:
            user = UserInfo(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))
            if not user.name and not user.groups:
                why = "at least one of user or group must be specified"
                cause = errors.Cause("FieldValueInvalid", f'Invalid value: "": {why}', "spec.user")
                raise errors.invalid(call.resource.group, call.resource.kind, "", [cause])
        info = self._info(call, spec)
        obj["status"] = self._status(user, info)
        return _answered(obj)

    @staticmethod
    def _info(call: Call, spec: Object) -> RequestInfo:
        wanted, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if (wanted is None) == (path is None):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            cause = errors.Cause("FieldValueInvalid", f"Invalid value: {why}", "spec.resourceAttributes")
            raise errors.invalid(call.resource.group, call.resource.kind, "", [cause])
        if path is not None:
            return RequestInfo(path.get("verb", ""), path.get("path", ""))
        assert wanted is not None
        return RequestInfo(
            wanted.get("verb", ""), "", wanted.get("group", ""), wanted.get("version", ""), wanted.get("resource") or "*",
            wanted.get("subresource", ""), wanted.get("namespace", ""), wanted.get("name", ""),
        )

    def _status(self, user: UserInfo, info: RequestInfo) -> dict[str, Any]:
        reasons = []
        for authorizer in self._authorizers:
            decision = authorizer.authorize(user, info)
            if decision.allowed:
                return {"allowed": True, **({"reason": decision.reason} if decision.reason else {})}
            if decision.reason:
                reasons.append(decision.reason)
        return {"allowed": False, **({"reason": ", ".join(reasons)} if reasons else {})}


class SelfSubjectRules:
    """SelfSubjectRulesReview (`kubectl auth can-i --list`)."""

    def __init__(self, rbac: RBAC) -> None:
        self._rbac = rbac

    async def __call__(self, call: Call) -> Response:
        obj = _asked(call)
        namespace = (obj.get("spec") or {}).get("namespace", "")
        resources: list[dict[str, Any]] = []
        urls: list[dict[str, Any]] = []
        rules = [Rule(frozenset("*"), frozenset("*"), frozenset("*"), frozenset(), ("*",))] if "system:masters" in call.user.groups else []
        rules += [rule for grant in self._rbac.grants(call.user) if grant.namespace in ("", namespace) for rule in grant.rules]
        for rule in rules:
            if rule.resources:
                shown = {"verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources, "resourceNames": rule.names}
                resources.append({k: sorted(v) for k, v in shown.items() if v})
            if rule.urls:
                urls.append({"verbs": sorted(rule.verbs), "nonResourceURLs": list(rule.urls)})
        obj["status"] = {"resourceRules": resources, "nonResourceRules": urls, "incomplete": False}
        return _answered(obj)


class TokenReview:
    """Is this token good, and whose is it?"""

    def __init__(self, tokens: ServiceAccountTokens, static: StaticTokens) -> None:
        self._tokens, self._static = tokens, static

    async def __call__(self, call: Call) -> Response:
        obj = _asked(call)
        spec = obj.get("spec") or {}
        audiences = tuple(spec.get("audiences") or AUDIENCES)
        known = self._static.user_of(spec.get("token", ""))
        ours = [each for each in audiences if each in AUDIENCES]  # a static token is for nobody else
        if known is not None and ours:
            obj["status"] = {"authenticated": True, "user": user_json(known), "audiences": ours}
            return _answered(obj)
        try:
            user = self._tokens.review(spec.get("token", ""), audiences)
        except BadToken as error:
            obj["status"] = {"user": {}, "error": f"[invalid bearer token, {error}]"}
        else:
            obj["status"] = {"authenticated": True, "user": user_json(user), "audiences": list(audiences)}
        return _answered(obj)
