"""Who one is and what one may: impersonation, reviews of access and tokens; and what the server tells of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API

from wherry.apimachinery.http import UserInfo

AUTHENTICATION, AUTHORIZATION, RBAC = (f"/apis/{g}.k8s.io/v1" for g in ("authentication", "authorization", "rbac.authorization"))
AUTHENTICATED = "system:authenticated"


@pytest.fixture
async def api(api: API) -> API:
    """Everyone may ask who they are, as in a cluster."""
    basic = {"kind": "ClusterRole", "name": "system:basic-user", "apiGroup": "rbac.authorization.k8s.io"}
    everyone = {"kind": "Group", "name": AUTHENTICATED, "apiGroup": "rbac.authorization.k8s.io"}
    await api.call("POST", f"{RBAC}/clusterroles", {
        "metadata": {"name": "system:basic-user"},
        "rules": [{"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]}],
    })
    await api.call("POST", f"{RBAC}/clusterrolebindings", {"metadata": {"name": "basic"}, "subjects": [everyone], "roleRef": basic})
    return api


async def refusal(api: API, method: str, path: str, body: Any = None, **headers: Any) -> tuple[int, str]:
    response = await api.send(method, path, body, **headers)
    assert response.status >= 400, response.body
    return response.status, json.loads(response.body)["message"]


async def whoami(api: API, **headers: Any) -> Any:
    review = await api.call("POST", f"{AUTHENTICATION}/selfsubjectreviews", {}, **headers)
    return review["status"]["userInfo"]


# --- impersonation -----------------------------------------------------------------------------------


async def test_every_part_of_another_user(api: API) -> None:
    found = await whoami(
        api, impersonate_user="jane", impersonate_group="a\nb", impersonate_uid="7", **{"impersonate-extra-acme.com%2fproject": "x\ny"},
    )
    assert found == {"username": "jane", "uid": "7", "groups": ["a", "b", AUTHENTICATED], "extra": {"acme.com/project": ["x", "y"]}}


@pytest.mark.parametrize(
    ("headers", "groups"),
    [
        ({"impersonate_user": "jane"}, [AUTHENTICATED]),
        ({"impersonate_user": "jane", "impersonate_group": "system:unauthenticated"}, None),
        ({"impersonate_user": "system:serviceaccount:n:s"}, ["system:serviceaccounts", "system:serviceaccounts:n", AUTHENTICATED]),
        ({"impersonate_user": "system:anonymous"}, None),
    ],
)
async def test_groups_that_come_by_themselves(api: API, headers: dict[str, str], groups: list[str] | None) -> None:
    if groups is None:  # so nobody that may ask who it is
        assert (await refusal(api, "POST", f"{AUTHENTICATION}/selfsubjectreviews", {}, **headers))[0] == 403
    else:
        assert (await whoami(api, **headers))["groups"] == groups


async def test_each_part_is_asked_for(api: API) -> None:
    """`jane` may be `bob`, with the group `a`, the scope `view` and the uid `7`, and nothing beyond."""
    rules = [
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["bob"]},
        {"apiGroups": [""], "resources": ["groups"], "verbs": ["impersonate"], "resourceNames": ["a"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["userextras/scopes"], "verbs": ["impersonate"], "resourceNames": ["view"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["uids"], "verbs": ["impersonate"], "resourceNames": ["7"]},
    ]
    await api.call("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "r"}, "rules": rules})
    subject = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"kind": "ClusterRole", "name": "r", "apiGroup": "rbac.authorization.k8s.io"}
    await api.call("POST", f"{RBAC}/clusterrolebindings", {"metadata": {"name": "b"}, "subjects": [subject], "roleRef": ref})
    jane = UserInfo("jane", (AUTHENTICATED,))
    good = {"impersonate_user": "bob", "impersonate_group": "a", "impersonate_uid": "7", "impersonate-extra-scopes": "view"}
    assert (await whoami(api, user=jane, **good))["username"] == "bob"
    for name, value, told in (
        ("impersonate_user", "eve", 'cannot impersonate resource "users" in API group ""'),
        ("impersonate_group", "root", 'cannot impersonate resource "groups" in API group ""'),
        ("impersonate_uid", "8", 'cannot impersonate resource "uids" in API group "authentication.k8s.io"'),
        ("impersonate-extra-scopes", "edit", 'cannot impersonate resource "userextras/scopes" in API group "authentication.k8s.io"'),
    ):
        status, message = await refusal(api, "POST", f"{AUTHENTICATION}/selfsubjectreviews", {}, user=jane, **{**good, name: value})
        assert status == 403
        assert told in message


@pytest.mark.parametrize("header", ["impersonate-group", "impersonate-uid", "impersonate-extra-scopes"])
async def test_a_part_of_nobody(api: API, header: str) -> None:
    status, message = await refusal(api, "GET", "/api/v1/pods", **{header: "x"})
    assert (status, "without impersonating a user" in message) == (400, True)


# --- reviews -----------------------------------------------------------------------------------------

GET_PODS = {"verb": "get", "resource": "pods", "namespace": "n"}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("selfsubjectrulesreviews", {"spec": {}}, 400, "no namespace on request"),
        ("subjectaccessreviews", {"metadata": {"labels": {"a": "b"}}, "spec": {"user": "u", "resourceAttributes": GET_PODS}}, 422, "metadata: Invalid"),
        (
            "namespaces/n/localsubjectaccessreviews", {"spec": {"user": "u", "resourceAttributes": {**GET_PODS, "namespace": "other"}}},
            422, 'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
        ),
        (
            "namespaces/n/localsubjectaccessreviews", {"spec": {"user": "u", "nonResourceAttributes": {"path": "/"}}},
            422, "disallowed on this kind of request",
        ),
    ],
)
async def test_reviews_refused(api: API, path: str, body: dict[str, Any], status: int, words: str) -> None:
    found = await refusal(api, "POST", f"{AUTHORIZATION}/{path}", body)
    assert found[0] == status
    assert words in found[1]


async def test_a_local_review(api: API) -> None:
    body = {"spec": {"user": "u", "resourceAttributes": GET_PODS}}
    review = await api.call("POST", f"{AUTHORIZATION}/namespaces/n/localsubjectaccessreviews", body)
    assert review["status"] == {"allowed": False}


async def test_rules_are_told_once(api: API) -> None:
    review = await api.call("POST", f"{AUTHORIZATION}/selfsubjectrulesreviews", {"spec": {"namespace": "n"}})
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert review["status"]["resourceRules"].count(everything) == 1


async def test_reviews_of_tokens(api: API) -> None:
    async def review(token: str, *audiences: str) -> Any:
        spec = {"token": token, **({"audiences": audiences} if audiences else {})}
        return (await api.call("POST", f"{AUTHENTICATION}/tokenreviews", {"spec": spec}))["status"]

    await api.namespace("n")
    request = {"spec": {"audiences": ["vault", "https://kubernetes.default.svc"]}}
    token = (await api.call("POST", "/api/v1/namespaces/n/serviceaccounts/default/token", request))["status"]["token"]
    assert (await review(token))["audiences"] == ["https://kubernetes.default.svc"], "of the server's own"
    assert (await review(token, "vault", "other"))["audiences"] == ["vault"]
    assert (await review(token, "other")).get("authenticated") is None
    assert await review("bogus") == {"user": {}, "error": "invalid bearer token"}
    status, message = await refusal(api, "POST", f"{AUTHENTICATION}/tokenreviews", {"spec": {}})
    assert (status, message) == (400, "token is required for TokenReview in authentication")


# --- what the server tells of itself -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/livez/etcd", 200, b"ok"), ("/readyz/informer-sync", 200, b"ok"), ("/livez/informer-sync", 404, b"404 page not found\n"),
        ("/readyz?exclude=etcd", 200, b"ok"), ("/nothing", 404, b"404 page not found\n"), ("/api/v9", 404, b"404 page not found\n"),
    ],
)
async def test_plain_paths(api: API, path: str, status: int, body: bytes) -> None:
    response = await api.send("GET", path)
    assert (response.status, response.body) == (status, body)


async def test_checks_by_name(api: API) -> None:
    told = (await api.send("GET", "/readyz?verbose=&exclude=etcd&exclude=bogus")).body.decode()
    assert "[+]etcd excluded: ok\n" in told
    assert 'warn: some health checks cannot be excluded: no matches for "bogus"\n' in told
    assert told.endswith("readyz check passed\n")


async def test_a_document_by_its_hash_never_changes(api: API) -> None:
    index = await api.call("GET", "/openapi/v3")
    url = index["paths"]["apis/coordination.k8s.io/v1"]["serverRelativeURL"]
    found = await api.send("GET", url)
    headers = dict(found.headers)
    assert (found.status, headers["Cache-Control"], headers["ETag"].strip('"')) == (200, "public, immutable", url.partition("hash=")[2])
    assert headers["Expires"].endswith(" GMT")
    assert (await api.send("GET", url, if_none_match=headers["ETag"])).status == 304
    moved = await api.send("GET", url.partition("?")[0] + "?hash=OLD")
    assert (moved.status, dict(moved.headers)["Location"]) == (301, url)
    assert "Expires" not in dict((await api.send("GET", url.partition("?")[0])).headers)


async def test_keys_for_who_checks_tokens(api: API) -> None:
    found = await api.send("GET", "/.well-known/openid-configuration")
    assert ("Cache-Control", "public, max-age=3600") in found.headers
    assert json.loads(found.body)["jwks_uri"].endswith("/openid/v1/jwks")
    assert (await api.send("GET", "/openid/v1/jwks")).content_type == "application/jwk-set+json"
