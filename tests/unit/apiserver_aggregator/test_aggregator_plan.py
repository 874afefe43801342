"""Where an aggregated API is, why it is not available, and which APIServices a start makes: all pure."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.discovery import Discovery, Registered
from wherry.api.registry import RESOURCES
from wherry.api.strategy.crd import API_SERVICE
from wherry.apimachinery.http import Request, UserInfo
from wherry.apiserver.aggregator.autoregister import repaired
from wherry.apiserver.aggregator.availability import LOCAL, PASSED, with_condition
from wherry.apiserver.aggregator.backend import identity, outgoing
from wherry.apiserver.aggregator.documents import converted
from wherry.apiserver.aggregator.model import ServiceRef, parse
from wherry.apiserver.aggregator.resolve import NO_NETWORK, Unresolved, Verdict, places, verdict

REF = ServiceRef("demo", "ext", 443)
Object = dict[str, Any]


def service(kind: str = "ClusterIP", port: int = 443, name: str = "", **spec: Any) -> Object:
    return {"spec": {"type": kind, "ports": [{"port": 80, "name": "http"}, {"port": port, "name": name}], **spec}}


def endpoints(*addresses: str, port: int | None = 8443, name: str = "", ready: bool | None = True) -> Object:
    conditions = {} if ready is None else {"ready": ready}
    return {
        "ports": [{"name": "http", "port": 80}, {"name": name, "port": port}],
        "endpoints": [{"addresses": [each, "9.9.9.9"], "conditions": conditions} for each in addresses],
    }


@pytest.mark.parametrize(("owner", "slices", "expected"), [
    pytest.param(service(), [endpoints("10.0.0.1", "10.0.0.2")], ["10.0.0.1:8443", "10.0.0.2:8443"], id="every endpoint"),
    pytest.param(service(name="https"), [endpoints("10.0.0.1", name="https")], ["10.0.0.1:8443"], id="by the port's name"),
    pytest.param(service(name="https"), [endpoints("10.0.0.1", name="web")], 'no endpoints available for service "ext"', id="another name"),
    pytest.param(service(clusterIP="None"), [endpoints("10.0.0.1")], ["10.0.0.1:8443"], id="headless"),
    pytest.param(service("NodePort"), [endpoints("10.0.0.1")], ["10.0.0.1:8443"], id="NodePort"),
    pytest.param(service("LoadBalancer"), [endpoints("10.0.0.1")], ["10.0.0.1:8443"], id="LoadBalancer"),
    pytest.param(service("ExternalName", externalName="a.example"), [], ["a.example:443"], id="ExternalName, at the APIService's port"),
    pytest.param(service("Other"), [], 'unsupported service type "Other"', id="another type"),
    pytest.param(None, [], 'service "ext" not found', id="no Service"),
    pytest.param(service(port=8080), [endpoints("10.0.0.1")], 'no service port 443 found for service "ext"', id="no such port"),
    pytest.param(service(), [endpoints("10.0.0.1", ready=False)], 'no endpoints available for service "ext"', id="not ready"),
    pytest.param(service(), [endpoints("10.0.0.1", ready=None)], ["10.0.0.1:8443"], id="ready is not said"),
    pytest.param(service(), [endpoints("10.0.0.1", port=None)], 'no endpoints available for service "ext"', id="a port without a number"),
    pytest.param(service(), [endpoints("fd00::1")], ["[fd00::1]:8443"], id="IPv6"),
    pytest.param(service(), [endpoints("10.244.0.5", "192.0.2.1")], ["192.0.2.1:8443"], id="simulated ones are left out"),
    pytest.param(service(), [endpoints("10.244.0.5")], NO_NETWORK, id="simulated ones alone"),
    pytest.param(service("ExternalName", externalName="10.244.0.5"), [], ["10.244.0.5:443"], id="what a person writes is taken at his word"),
])
def test_where_it_is(owner: Object | None, slices: list[Object], expected: list[str] | str) -> None:
    try:
        found: list[str] | str = places(REF, owner, slices, ["10.244.0.0/16"])
    except Unresolved as error:
        found = str(error)
    assert found == expected


@pytest.mark.parametrize(("owner", "slices", "reason", "message"), [
    pytest.param(None, [], "ServiceNotFound", 'service/ext in "demo" is not present', id="no Service"),
    pytest.param(service(port=1), [], "ServicePortError", 'service/ext in "demo" is not listening on port 443', id="no port"),
    pytest.param(service(), [], "EndpointsNotFound", 'cannot find endpointslices for service/ext in "demo"', id="no slices"),
    pytest.param(
        service(name="https"), [endpoints(name="https")], "MissingEndpoints",
        'endpointslices for service/ext in "demo" have no addresses with port name "https"', id="no endpoints",
    ),
    pytest.param(
        service(), [endpoints("10.0.0.1", ready=False)], "MissingEndpoints",
        'endpointslices for service/ext in "demo" have no addresses with port name ""', id="none that is ready",
    ),
])
def test_why_it_is_not_available(owner: Object | None, slices: list[Object], reason: str, message: str) -> None:
    assert verdict(REF, owner, slices) == Verdict("False", reason, message)


@pytest.mark.parametrize("owner", [
    pytest.param(service("ExternalName"), id="ExternalName"), pytest.param(service("NodePort"), id="NodePort"),
    pytest.param(service("LoadBalancer", port=1), id="only a ClusterIP's ports are looked at"),
])
def test_the_server_is_asked_where_endpoints_tell_nothing(owner: Object) -> None:
    assert verdict(REF, owner, []) is None


def test_the_server_is_asked_when_there_are_endpoints() -> None:
    assert verdict(REF, service(), [endpoints("10.0.0.1")]) is None


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    first = with_condition({}, PASSED, 0.0)
    assert first == {"conditions": [{
        "type": "Available", "status": "True", "reason": "Passed", "message": "all checks passed", "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]}
    assert with_condition({"status": first}, PASSED, 60.0) is None
    [again] = (with_condition({"status": first}, LOCAL, 60.0) or {})["conditions"]
    assert (again["reason"], again["lastTransitionTime"]) == ("Local", "1970-01-01T00:00:00Z")
    [down] = (with_condition({"status": first}, Verdict("False", "x", "y"), 60.0) or {})["conditions"]
    assert down["lastTransitionTime"] == "1970-01-01T00:01:00Z"
    other = {"type": "Other", "status": "True"}
    assert (with_condition({"status": {"conditions": [other]}}, PASSED, 0.0) or {})["conditions"][0] == other


def test_who_asks_is_told_in_headers() -> None:
    user = UserInfo("jane", ("a", "b"), "", {"Scopes": ("x",), "example.com/a b": ("1", "2")})
    assert identity(user) == [
        ("X-Remote-User", "jane"), ("X-Remote-Group", "a"), ("X-Remote-Group", "b"), ("X-Remote-Extra-scopes", "x"),
        ("X-Remote-Extra-example.com%2Fa%20b", "1"), ("X-Remote-Extra-example.com%2Fa%20b", "2"),
    ]


def test_credentials_and_claims_stay_here() -> None:
    headers = {
        "authorization": "Bearer x", "x-remote-user": "root", "x-remote-extra-a": "b", "impersonate-user": "y", "accept": "*/*", "host": "h:1",
        "x-forwarded-for": "1.1.1.1",
    }
    sent = outgoing(Request("GET", "/apis/a/v1/b", [("x", "1 2")], headers, peer="2.2.2.2"))
    assert sent.target == "/apis/a/v1/b?x=1%202"
    assert sent.headers == {
        "accept": "*/*", "x-forwarded-for": "1.1.1.1, 2.2.2.2", "x-forwarded-host": "h:1", "x-forwarded-proto": "https",
        "x-forwarded-uri": "/apis/a/v1/b",
    }
    assert outgoing(Request("GET", "/apis/a/v1/%", target="/apis/a/v1/%25?a=%2F")).target == "/apis/a/v1/%25?a=%2F", "as it came"


def spec(**more: Any) -> Object:
    told = {"group": "a.example", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10, **more}
    return {"metadata": {"name": f"{told['version']}.{told['group']}"}, "spec": {k: v for k, v in told.items() if v is not None}}


SERVED = {"service": {"namespace": "a", "name": "b", "port": 443}}
BUNDLE = "QUJD"


@pytest.mark.parametrize(("obj", "expected"), [
    pytest.param(spec(), [], id="local"),
    pytest.param(spec(**SERVED, caBundle=BUNDLE), [], id="of another server"),
    pytest.param(spec(**SERVED, insecureSkipTLSVerify=True), [], id="not verified"),
    pytest.param({**spec(), "metadata": {"name": "x"}}, ["metadata.name"], id="another name"),
    pytest.param(spec(group="", version="v1"), [], id="the legacy group"),
    pytest.param(spec(group="", version="v2"), ["spec.group"], id="no group"),
    pytest.param(spec(group="A_b"), ["spec.group"], id="a group that is no domain"),
    pytest.param(spec(version="1v"), ["spec.version"], id="a version that is no label"),
    pytest.param(spec(groupPriorityMinimum=0), ["spec.groupPriorityMinimum"], id="a group's priority of zero"),
    pytest.param(spec(groupPriorityMinimum=20000), [], id="the highest of a group"),
    pytest.param(spec(groupPriorityMinimum=20001), ["spec.groupPriorityMinimum"], id="too high a group"),
    pytest.param(spec(versionPriority=1000), [], id="the highest of a version"),
    pytest.param(spec(versionPriority=1001), ["spec.versionPriority"], id="too high a version"),
    pytest.param(spec(caBundle=BUNDLE), ["spec.caBundle"], id="a local one with a CA"),
    pytest.param(spec(insecureSkipTLSVerify=True), ["spec.insecureSkipTLSVerify"], id="a local one that trusts"),
    pytest.param(spec(**SERVED, caBundle=BUNDLE, insecureSkipTLSVerify=True), ["spec.insecureSkipTLSVerify"], id="a CA and no need of it"),
    pytest.param(spec(service={"port": 443}), ["spec.service.namespace", "spec.service.name"], id="a Service without a name"),
])
def test_what_an_apiservice_may_be(obj: Object, expected: list[str]) -> None:
    assert [cause.field for cause in API_SERVICE.validate(obj)] == expected


def test_a_condition_is_true_false_or_unknown() -> None:
    obj = {"status": {"conditions": [{"status": "True"}, {"status": "Maybe"}]}}
    [cause] = API_SERVICE.validate_status(obj, {})
    assert cause.field == "status.conditions[1].status"


def test_what_a_start_makes_of_an_apiservice_that_is_there() -> None:
    ours = spec()
    labelled = {"name": "v1.a.example", "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"}}
    assert repaired({**spec(**SERVED), "metadata": labelled}, ours) == {"metadata": labelled, "spec": ours["spec"]}
    assert repaired({**spec(), "metadata": labelled}, ours) is None
    assert repaired(spec(**SERVED), ours) is None, "a person's own"


def test_old_discovery_in_the_new_form() -> None:
    listed = {"resources": [
        {"name": "a/scale", "namespaced": True, "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get"]},
        {"name": "a", "singularName": "one", "namespaced": True, "kind": "A", "verbs": ["get"], "categories": ["all"]},
        {"name": "pods/any", "namespaced": True, "kind": "M", "verbs": ["get"]},
    ]}
    kind = {"group": "a.example", "version": "v1", "kind": "A"}
    scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert converted(listed, parse(spec())) == (
        {
            "resource": "a", "responseKind": kind, "scope": "Namespaced", "singularResource": "one", "verbs": ["get"], "categories": ["all"],
            "subresources": [{"subresource": "scale", "responseKind": scale, "verbs": ["get"]}],
        },
        {
            "resource": "pods", "scope": "Namespaced", "singularResource": "", "verbs": [],
            "subresources": [{"subresource": "any", "responseKind": {"group": "", "version": "", "kind": "M"}, "verbs": ["get"]}],
        },
    )


def test_a_group_stands_by_the_highest_of_its_versions() -> None:
    rows = [
        Registered("z.example", "v1", 17900, 1, ()), Registered("z.example", "v2", 5, 1, ()), Registered("z.example", "v1beta1", 5, 9, ()),
        Registered("batch", "v1", 17850, 15),
    ]
    found = Discovery(RESOURCES, rows)
    assert found.groups[:5] == ("apiregistration.k8s.io", "", "z.example", "batch", "apps")
    told = found.api_group("z.example")
    assert told is not None
    assert [part.partition(b'"')[0] for part in told.body.split(b'"version":"')[1:]] == [b"v1beta1", b"v2", b"v1", b"v1beta1"]


def test_an_apiservice_for_nothing_tells_of_nothing() -> None:
    assert "z.example" not in Discovery(RESOURCES, [Registered("z.example", "v1", 100, 1)]).groups
    assert Discovery(RESOURCES, [Registered("apps", "v9", 100, 1)]).api_group_list == Discovery(RESOURCES).api_group_list
