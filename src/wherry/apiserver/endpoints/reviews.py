"""Kinds that are asked, not stored: access reviews, token reviews, and who am I."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.fielderrors import invalid
from wherry.apimachinery.http import Response, UserInfo
from wherry.apiserver.authentication.authenticators import AUDIENCES, ServiceAccountTokens, StaticTokens
from wherry.apiserver.authentication.jwt import BadToken
from wherry.apiserver.authorization.interface import Authorizer
from wherry.apiserver.authorization.rbac import RBAC, Rule
from wherry.apiserver.call import Call
from wherry.apiserver.codec import encode
from wherry.apiserver.endpoints.answers import answer
from wherry.apiserver.endpoints.options import set_write_options
from wherry.apiserver.endpoints.write import check_kind, check_namespace, decode_body
from wherry.apiserver.negotiation import SERVED, accepted, not_acceptable
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


def _answered(call: Call, obj: Object) -> Response:
    media = accepted(call.request)
    if media.as_:  # an answer to a question has no columns, and no metadata to speak of
        raise not_acceptable(f"only the following media types are accepted: {SERVED}")
    return answer(encode({"kind": obj["kind"], "apiVersion": obj["apiVersion"], **obj}), media, 201)


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
    return _answered(call, obj)


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
        self._check_metadata(call, obj, spec)
        obj["status"] = self._status(user, info)
        return _answered(call, obj)

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

    @staticmethod
    def _check_metadata(call: Call, obj: Object, spec: Object) -> None:
        """A review is no object of its own; a local one is about the namespace that it is sent to."""
        local = call.resource.namespaced
        meta = {k: v for k, v in (obj.get("metadata") or {}).items() if v and k not in ("managedFields", "creationTimestamp")}
        namespace = (meta.pop("namespace", "") or call.info.namespace) if local else ""
        causes = []
        if meta:
            causes.append(invalid("metadata", meta, "must be empty except for namespace" if local else "must be empty"))
        wanted = spec.get("resourceAttributes")
        if local and wanted is not None and wanted.get("namespace", "") != namespace:
            causes.append(invalid("spec.resourceAttributes.namespace", wanted.get("namespace", ""), "must match metadata.namespace"))
        if local and spec.get("nonResourceAttributes") is not None:
            causes.append(invalid("spec.nonResourceAttributes", spec["nonResourceAttributes"], "disallowed on this kind of request"))
        if causes:
            raise errors.invalid(call.resource.group, call.resource.kind, "", causes)

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
        if not namespace:
            raise errors.bad_request("no namespace on request")
        resources: list[dict[str, Any]] = []
        urls: list[dict[str, Any]] = []
        rules = [Rule(frozenset("*"), frozenset("*"), frozenset("*"), frozenset(), ("*",))] if "system:masters" in call.user.groups else []
        rules += [rule for grant in self._rbac.grants(call.user) if grant.namespace in ("", namespace) for rule in grant.rules]
        for rule in dict.fromkeys(rules):  # what several bindings grant is told once
            if rule.resources:
                shown = {"verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources, "resourceNames": rule.names}
                resources.append({k: sorted(v) for k, v in shown.items() if v})
            if rule.urls:
                urls.append({"verbs": sorted(rule.verbs), "nonResourceURLs": list(rule.urls)})
        obj["status"] = {"resourceRules": resources, "nonResourceRules": urls, "incomplete": False}
        return _answered(call, obj)


class TokenReview:
    """Is this token good, and whose is it?"""

    def __init__(self, tokens: ServiceAccountTokens, static: StaticTokens) -> None:
        self._tokens, self._static = tokens, static

    async def __call__(self, call: Call) -> Response:
        obj = _asked(call)
        spec = obj.get("spec") or {}
        token, audiences = spec.get("token", ""), tuple(spec.get("audiences") or AUDIENCES)
        if not token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        known = self._static.user_of(token)
        ours = [each for each in audiences if each in AUDIENCES]  # a static token is for nobody else
        if known is not None and ours:
            obj["status"] = {"authenticated": True, "user": user_json(known), "audiences": ours}
            return _answered(call, obj)
        try:
            user = self._tokens.review(token, audiences)
        except BadToken as error:
            mine = token.count(".") == 2  # else it is no token of this kind at all
            obj["status"] = {"user": {}, "error": f"[invalid bearer token, {error}]" if mine else "invalid bearer token"}
        else:
            obj["status"] = {"authenticated": True, "user": user_json(user), "audiences": self._tokens.audiences(token, audiences)}
        return _answered(call, obj)
