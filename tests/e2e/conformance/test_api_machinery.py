"""API machinery with its controllers at work: watches, garbage, namespaces, quotas, pages, bound tokens.

What upstream's conformance tests of sig-api-machinery, sig-auth and sig-instrumentation demand, in our own words.  What needs
no controller is in tests/integration/apiserver.
"""

from __future__ import annotations

import gzip
import json
import threading
from typing import Any

import pytest
from cluster_harness import eventually
from raw_api import APPLY, MERGE, STRATEGIC, RawAPI

POD = {"containers": [{"name": "c", "image": "busybox:1.36"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
RC = {"selector": {"a": "b"}, "template": TEMPLATE}


@pytest.fixture
def here(api: RawAPI, request: pytest.FixtureRequest) -> str:
    """A namespace for the test."""
    return api.namespace(request.node.name.replace("test_", "").replace("_", "-").split("[")[0][:40].strip("-"))


def names(api: RawAPI, path: str) -> list[str]:
    return [each["metadata"]["name"] for each in api.do("GET", path)["items"] if each["metadata"]["name"] != "kube-root-ca.crt"]


def gone(api: RawAPI, path: str) -> bool:
    return api.ask("GET", path).status == 404


# --- watches -----------------------------------------------------------------------------------------


def test_watchers_see_what_they_select(api: RawAPI, here: str) -> None:
    path = f"{here}/configmaps"
    either = f"{path}?watch=1&timeoutSeconds=15&labelSelector=w%20in%20(a%2Cb)"
    with api.watch(f"{path}?watch=1&timeoutSeconds=15&labelSelector=w%3Da") as of_a, api.watch(either) as of_both:
        api.do("POST", path, {"metadata": {"name": "one", "labels": {"w": "a"}}})
        api.patch(f"{path}/one", {"data": {"m": "1"}})
        api.patch(f"{path}/one", {"metadata": {"labels": {"w": "b"}}})
        api.patch(f"{path}/one", {"data": {"m": "2"}})
        api.patch(f"{path}/one", {"metadata": {"labels": {"w": "a"}}})
        api.do("DELETE", f"{path}/one")
        seen = [(e["type"], e["object"].get("data")) for e in (next(of_a) for _ in range(5))]
        assert seen == [("ADDED", None), ("MODIFIED", {"m": "1"}), ("DELETED", {"m": "1"}), ("ADDED", {"m": "2"}), ("DELETED", {"m": "2"})]
        assert [next(of_both)["type"] for _ in range(6)] == ["ADDED", *["MODIFIED"] * 4, "DELETED"]


def test_a_watch_goes_on_where_another_ended(api: RawAPI, here: str) -> None:
    path = f"{here}/configmaps"
    made = api.do("POST", path, {"metadata": {"name": "one"}})
    with api.watch(f"{path}?watch=1&timeoutSeconds=15&resourceVersion={made['metadata']['resourceVersion']}") as events:
        api.patch(f"{path}/one", {"data": {"m": "1"}})
        last = next(events)["object"]["metadata"]["resourceVersion"]
    api.patch(f"{path}/one", {"data": {"m": "2"}})
    api.do("DELETE", f"{path}/one")
    with api.watch(f"{path}?watch=1&timeoutSeconds=15&resourceVersion={last}") as events:
        assert [(e["type"], e["object"]["data"]) for e in (next(events), next(events))] == [("MODIFIED", {"m": "2"}), ("DELETED", {"m": "2"})]


def test_all_watches_tell_the_same_order(api: RawAPI, here: str) -> None:
    """From every event on, another watch: all see the same versions one after the other."""
    path, count = f"{here}/configmaps", 30

    def write(many: range) -> None:
        for index in many:
            api.do("POST", path, {"metadata": {"name": f"c{index}"}})

    start = api.do("GET", path)["metadata"]["resourceVersion"]
    writers = [threading.Thread(target=write, args=(range(index, count, 3),)) for index in range(3)]
    with api.watch(f"{path}?watch=1&timeoutSeconds=15&resourceVersion={start}") as events:
        for each in writers:
            each.start()
        order = [next(events)["object"]["metadata"]["resourceVersion"] for _ in range(count)]
    for each in writers:
        each.join()
    for index in range(0, count - 1, 5):
        with api.watch(f"{path}?watch=1&timeoutSeconds=15&resourceVersion={order[index]}") as events:
            assert [next(events)["object"]["metadata"]["resourceVersion"] for _ in order[index + 1 :]] == order[index + 1 :]


# --- pages -------------------------------------------------------------------------------------------


def test_pages_show_one_moment(api: RawAPI, here: str) -> None:
    path = f"{here}/podtemplates"
    for index in range(9):
        api.do("POST", path, {"metadata": {"name": f"t{index}"}, "template": TEMPLATE})
    page = api.do("GET", f"{path}?limit=4")
    first = page["metadata"]
    assert first["remainingItemCount"] == 5
    api.do("DELETE", f"{path}/t8")
    found = [each["metadata"]["name"] for each in page["items"]]
    while token := page["metadata"].get("continue"):
        page = api.do("GET", f"{path}?limit=4&continue={token}")
        assert page["metadata"]["resourceVersion"] == first["resourceVersion"]
        found += [each["metadata"]["name"] for each in page["items"]]
    assert found == [f"t{index}" for index in range(9)], "t8 too, which is gone now"
    assert "remainingItemCount" not in page["metadata"]


# --- garbage -----------------------------------------------------------------------------------------


def controlled(api: RawAPI, here: str, replicas: int = 3, name: str = "rc") -> Any:
    made = api.do("POST", f"{here}/replicationcontrollers", {"metadata": {"name": name}, "spec": {**RC, "replicas": replicas}})
    eventually(lambda: len(names(api, f"{here}/pods")) == replicas, "its Pods", 20)
    return made


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_what_becomes_of_pods(api: RawAPI, policy: str) -> None:
    here = api.namespace(f"gc-{policy.lower()}")
    controlled(api, here)
    api.do("DELETE", f"{here}/replicationcontrollers/rc", {"propagationPolicy": policy})
    eventually(lambda: gone(api, f"{here}/replicationcontrollers/rc"), "the controller to go", 30)
    if policy == "Orphan":
        pods = api.do("GET", f"{here}/pods")["items"]
        assert len(pods) == 3
        assert not any("ownerReferences" in pod["metadata"] or "deletionTimestamp" in pod["metadata"] for pod in pods)
    elif policy == "Foreground":
        assert names(api, f"{here}/pods") == [], "gone before it"
    else:
        eventually(lambda: names(api, f"{here}/pods") == [], "its Pods to go", 40)


def test_an_owner_that_stays_keeps_what_is_shared(api: RawAPI, here: str) -> None:
    controlled(api, here, 2)
    spec = {"replicas": 0, "selector": {"c": "d"}, "template": {"metadata": {"labels": {"c": "d"}}, "spec": POD}}
    second = api.do("POST", f"{here}/replicationcontrollers", {"metadata": {"name": "stays"}, "spec": spec})
    kept = names(api, f"{here}/pods")[0]
    ref = {"apiVersion": "v1", "kind": "ReplicationController", "name": "stays", "uid": second["metadata"]["uid"]}
    api.patch(f"{here}/pods/{kept}", {"metadata": {"ownerReferences": [ref]}}, STRATEGIC)
    api.do("DELETE", f"{here}/replicationcontrollers/rc", {"propagationPolicy": "Foreground"})
    eventually(lambda: gone(api, f"{here}/replicationcontrollers/rc"), "the first to go", 30)
    pod = api.do("GET", f"{here}/pods/{kept}")["metadata"]
    assert "deletionTimestamp" not in pod
    assert [each["name"] for each in pod["ownerReferences"]] == ["stays"]


def test_a_circle_of_owners_goes(api: RawAPI, here: str) -> None:
    path = f"{here}/configmaps"
    made = [api.do("POST", path, {"metadata": {"name": f"c{index}"}})["metadata"] for index in range(3)]
    for index, meta in enumerate(made):
        ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": made[index - 1]["name"], "uid": made[index - 1]["uid"], "blockOwnerDeletion": True}
        api.patch(f"{path}/{meta['name']}", {"metadata": {"ownerReferences": [ref]}})
    api.do("DELETE", f"{path}/c0", {"propagationPolicy": "Foreground"})
    eventually(lambda: names(api, path) == [], "all three to go", 30)


# --- namespaces --------------------------------------------------------------------------------------


def test_a_namespace_takes_all_along(api: RawAPI, here: str) -> None:
    controlled(api, here, 2)
    api.do("POST", f"{here}/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    api.do("POST", f"{here}/configmaps", {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    going = api.do("DELETE", here)
    assert (going["status"]["phase"], "deletionGracePeriodSeconds" in going["metadata"]) == ("Terminating", False)
    late = api.ask("POST", f"{here}/configmaps", {"metadata": {"name": "late"}})
    assert (late.status, late.body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")

    def told() -> dict[str, str]:
        return {each["type"]: each["message"] for each in api.do("GET", here)["status"].get("conditions", [])}

    content = "Some resources are remaining: configmaps. has 1 resource instances"
    eventually(lambda: told().get("NamespaceContentRemaining") == content, "what it waits for", 40)
    assert told()["NamespaceFinalizersRemaining"].endswith("example.com/hold in 1 resource instances")
    assert (names(api, f"{here}/pods"), names(api, f"{here}/services")) == ([], [])
    api.patch(f"{here}/configmaps/held", {"metadata": {"finalizers": None}})
    eventually(lambda: gone(api, here), "the namespace to go", 30)


def test_a_finalizer_of_a_namespace(api: RawAPI, here: str) -> None:
    spec = {"finalizers": ["kubernetes", "example.com/f"]}
    meta = {"name": here.rpartition("/")[2]}
    assert api.do("PUT", f"{here}/finalize", {"metadata": meta, "spec": spec})["spec"] == spec
    assert api.patch(f"{here}/status", {"status": {"conditions": [{"type": "T", "status": "True"}]}})["status"]["phase"] == "Active"
    api.do("DELETE", here)
    assert api.do("GET", here)["spec"]["finalizers"], "held"
    api.do("PUT", f"{here}/finalize", {"metadata": meta, "spec": {"finalizers": ["kubernetes"]}})
    eventually(lambda: gone(api, here), "the namespace to go", 30)


# --- quotas ------------------------------------------------------------------------------------------


def test_a_quota_follows_the_life_of_what_it_counts(api: RawAPI, here: str) -> None:
    objects: dict[str, tuple[str, dict[str, Any]]] = {
        "configmaps": (f"{here}/configmaps", {}),
        "secrets": (f"{here}/secrets", {}),
        "services": (f"{here}/services", {"spec": {"ports": [{"port": 80}]}}),
        "replicationcontrollers": (f"{here}/replicationcontrollers", {"spec": {**RC, "replicas": 0}}),
        "count/replicasets.apps": (
            f"/apis/apps/v1/namespaces/{here.rpartition('/')[2]}/replicasets",
            {"spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}},
        ),
        "pods": (f"{here}/pods", {"spec": POD}),
    }
    api.do("POST", f"{here}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": dict.fromkeys(objects, "2")}})

    def used() -> dict[str, str]:
        found: dict[str, str] = api.do("GET", f"{here}/resourcequotas/q")["status"].get("used", {})
        return found

    nothing = {**dict.fromkeys(objects, "0"), "configmaps": "1"}  # kube-root-ca.crt
    eventually(lambda: used() == nothing, "what there is", 20)
    for path, body in objects.values():
        api.do("POST", path, {"metadata": {"name": "x"}, **body})
    assert used() == {**dict.fromkeys(objects, "1"), "configmaps": "2"}, "counted as they are made"
    refused = api.ask("POST", f"{here}/configmaps", {"metadata": {"name": "more"}})
    assert (refused.status, "exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2" in refused.message) == (403, True)
    for path, _ in objects.values():
        api.do("DELETE", f"{path}/x", {"gracePeriodSeconds": 0})
    eventually(lambda: used() == nothing, "all given back", 30)


def test_quotas_have_scopes(api: RawAPI, here: str) -> None:
    scopes = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating")
    for scope in scopes:
        api.do("POST", f"{here}/resourcequotas", {"metadata": {"name": scope.lower()}, "spec": {"hard": {"pods": "5"}, "scopes": [scope]}})

    def counted() -> list[str]:
        quotas = {q["spec"]["scopes"][0]: q["status"].get("used", {}) for q in api.do("GET", f"{here}/resourcequotas")["items"]}
        return [scope for scope in scopes if quotas[scope].get("pods") == "1"]

    eventually(lambda: all(q["status"].get("used") for q in api.do("GET", f"{here}/resourcequotas")["items"]), "all counted", 20)
    sized = {"containers": [{**POD["containers"][0], "resources": {"requests": {"cpu": "10m"}}}], "activeDeadlineSeconds": 3600}
    for spec, wanted in ((POD, ["BestEffort", "NotTerminating"]), (sized, ["NotBestEffort", "Terminating"])):
        api.do("POST", f"{here}/pods", {"metadata": {"name": "p"}, "spec": spec})
        assert counted() == wanted
        api.do("DELETE", f"{here}/pods/p", {"gracePeriodSeconds": 0})
        eventually(lambda: counted() == [], "given back", 20)


# --- apply, and what others own ----------------------------------------------------------------------


def test_an_applier_and_a_controller_share_an_object(api: RawAPI, here: str) -> None:
    path = f"/apis/apps/v1/namespaces/{here.rpartition('/')[2]}/deployments/d"
    body: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    body["spec"] = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
    api.patch(f"{path}?fieldManager=me", body, APPLY)
    eventually(lambda: api.do("GET", path).get("status", {}).get("readyReplicas") == 1, "a Pod", 20)
    again = api.patch(f"{path}?fieldManager=me", body, APPLY)
    assert again["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1", "the controller's own stays"
    api.patch(f"{path}/scale?fieldManager=scaler", {"spec": {"replicas": 2}}, MERGE)
    refused = api.ask("PATCH", f"{path}?fieldManager=me", body, **{"Content-Type": APPLY})
    assert (refused.status, refused.message) == (
        409, 'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
    )
    del body["spec"]["replicas"]
    assert api.patch(f"{path}?fieldManager=me", body, APPLY)["spec"]["replicas"] == 2
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    status["status"] = {"conditions": [{"type": "Mine", "status": "True"}]}
    found = api.patch(f"{path}/status?fieldManager=me", status, APPLY)["status"]["conditions"]
    assert {"Mine", "Available", "Progressing"} <= {each["type"] for each in found}


# --- identity ----------------------------------------------------------------------------------------


def test_a_token_ends_with_its_pod(api: RawAPI, here: str) -> None:
    api.do("POST", f"{here}/pods", {"metadata": {"name": "p"}, "spec": POD})
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p"}
    request = {"spec": {"boundObjectRef": bound, "expirationSeconds": 600}}
    token = api.do("POST", f"{here}/serviceaccounts/default/token", request)["status"]["token"]
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    headers = {"Authorization": f"Bearer {token}"}
    user = api.do("POST", review, {}, **headers)["status"]["userInfo"]
    assert user["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    assert api.do("GET", "/.well-known/openid-configuration", **headers)["issuer"].startswith("https://kubernetes.default.svc")
    api.do("DELETE", f"{here}/pods/p", {"gracePeriodSeconds": 0})
    eventually(lambda: api.ask("POST", review, {}, **headers).status == 401, "the token to be refused", 10)


def test_a_large_list_is_packed(api: RawAPI, here: str) -> None:
    api.do("POST", f"{here}/configmaps", {"metadata": {"name": "big"}, "data": {"a": "x" * 200_000}})
    answer = api.ask("GET", f"{here}/configmaps", accept_encoding="gzip")
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert len(answer.body) < 10_000
    assert json.loads(gzip.decompress(answer.body))["items"][0]["metadata"]["name"] == "big"
