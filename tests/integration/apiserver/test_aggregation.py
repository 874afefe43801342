"""APIs of other servers, as clients of this one see them: a server of its own on loopback stands for them."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from api_harness import API, serve

from wherry.apimachinery.http import Response, UserInfo
from wherry.apiserver.aggregator import backend as backend_module
from wherry.client import Client, InProcessTransport
from wherry.client.discovery import ACCEPT, discover
from wherry.cluster.config import ClusterConfig
from wherry.cluster.pki import PKI
from wherry.util.clock import RealClock

SERVICE = "/api/v1/namespaces/default/services"
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1.demo.example.com"
WIDGETS = {"name": "widgets", "singularName": "widget", "namespaced": True, "kind": "Widget", "verbs": ["get", "list"], "shortNames": ["wd"]}
STATUS = {"name": "widgets/status", "singularName": "", "namespaced": True, "kind": "Widget", "verbs": ["get"]}
JANE = UserInfo("jane", ("devs", "system:authenticated"), "u-1", {"Example.com/Team": ("a", "b")})


@dataclass
class Extension:
    """The other server: what it answers, and what it was asked."""

    pki: PKI
    port: int = 0
    asked: list[web.Request] = field(default_factory=list)
    answers: dict[str, Callable[[web.Request], Any]] = field(default_factory=dict)
    certificates: list[Any] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.asked.append(request)
        self.certificates.append(request.transport.get_extra_info("peercert"))
        answer = self.answers.get(request.path)
        if answer is None:
            return web.json_response({"kind": "Status", "status": "Failure", "code": 404}, status=404)
        made = answer(request)
        if asyncio.iscoroutine(made):
            made = await made
        return made if isinstance(made, web.StreamResponse) else web.json_response(made)

    @property
    def bundle(self) -> str:
        return base64.b64encode(self.pki.ca.certificate.read_bytes()).decode()

    def last(self, path: str) -> web.Request:
        return [each for each in self.asked if each.path == path][-1]


@pytest.fixture
def pki(tmp_path: Path) -> PKI:
    made = PKI(ClusterConfig("test", "api", tmp_path / "data", tmp_path / "run", 0), RealClock())
    made.ensure()
    return made


@pytest.fixture
async def extension(pki: PKI) -> AsyncIterator[Extension]:
    found = Extension(pki)
    listed = {"kind": "APIResourceList", "groupVersion": "demo.example.com/v1", "resources": [WIDGETS, STATUS]}
    found.answers["/apis/demo.example.com/v1"] = lambda request: listed
    runner = web.ServerRunner(web.Server(found.handle))
    await runner.setup()
    pair = pki.kubelet_serving("ext.default.svc", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(pki.front_proxy_ca.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    found.port = runner.addresses[0][1]
    yield found
    await runner.cleanup()


@pytest.fixture
async def api(pki: PKI) -> AsyncIterator[API]:
    proxy = pki.front_proxy_client
    async with serve(RealClock(), aggregate=True, front_proxy=(proxy.certificate, proxy.key)) as made:
        await made.namespace("default")
        yield made


async def register(api: API, extension: Extension, name: str = NAME, priority: int = 1000, wait: str = "Passed", **spec: Any) -> None:
    """An ExternalName Service: the other server is on loopback, which no EndpointSlice may tell."""
    version, _, group = name.partition(".")
    external = {"metadata": {"name": "ext"}, "spec": {"type": "ExternalName", "externalName": "127.0.0.1"}}
    await api.send("POST", SERVICE, external)
    trusted = {} if spec.get("insecureSkipTLSVerify") else {"caBundle": extension.bundle}
    told = {
        "group": group, "version": version, "groupPriorityMinimum": priority, "versionPriority": 15, **trusted,
        "service": {"namespace": "default", "name": "ext", "port": extension.port}, **spec,
    }
    await api.call("POST", APISERVICES, {"metadata": {"name": name}, "spec": told})
    await condition(api, name, wait)


async def condition(api: API, name: str, reason: str) -> dict[str, str]:
    seen: Any = None
    for _ in range(500):
        obj = await api.call("GET", f"{APISERVICES}/{name}")
        seen = (obj.get("status") or {}).get("conditions") or [{}]
        if seen[0].get("reason") == reason:
            return dict(seen[0])
        await asyncio.sleep(0.01)
    raise AssertionError(f"no {reason}: {seen}")


async def told(api: API, what: str = "items") -> dict[str, Any]:
    """Aggregated discovery: group -> versions."""
    response = await api.send("GET", "/apis", accept=ACCEPT)
    return {group["metadata"]["name"]: group["versions"] for group in json.loads(response.body)[what]}


async def body(response: Response) -> bytes:
    return response.body if response.stream is None else b"".join([part async for part in response.stream])


async def test_a_request_goes_on_with_who_asks(api: API, extension: Extension) -> None:
    path = "/apis/demo.example.com/v1/namespaces/default/widgets"
    extension.answers[path] = lambda request: {"kind": "WidgetList", "items": []}
    await register(api, extension)
    await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
        "metadata": {"name": "w"}, "rules": [{"apiGroups": ["demo.example.com"], "resources": ["widgets"], "verbs": ["list"]}],
    })
    await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "metadata": {"name": "w"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "w"},
        "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}],
    })
    response = await api.send(
        "GET", f"{path}?limit=5", user=JANE, authorization="Bearer secret", x_remote_user="root", x_remote_group="system:masters",
        x_remote_extra_team="z", audit_id="11111111-2222-4333-8444-555555555555", host="cluster:6443",
    )
    assert (response.status, json.loads(response.body)) == (200, {"kind": "WidgetList", "items": []})
    seen = extension.last(path)
    assert seen.query_string == "limit=5"
    assert "Authorization" not in seen.headers
    assert seen.headers.getall("X-Remote-User") == ["jane"]
    assert seen.headers.getall("X-Remote-Group") == ["devs", "system:authenticated"]
    assert seen.headers.getall("X-Remote-Uid") == ["u-1"]
    assert {each for each in seen.headers if each.lower().startswith("x-remote-extra")} == {"X-Remote-Extra-example.com%2Fteam"}
    assert seen.headers.getall("X-Remote-Extra-example.com%2Fteam") == ["a", "b"]
    assert seen.headers["Audit-Id"] == "11111111-2222-4333-8444-555555555555"
    assert seen.headers["X-Forwarded-Host"] == "cluster:6443"
    names = dict(part[0] for part in extension.certificates[-1]["subject"])
    assert names["commonName"] == "front-proxy-client"
    assert [value for name, value in response.headers if name == "Audit-Id"] == ["11111111-2222-4333-8444-555555555555"]


async def test_authorization_is_done_here(api: API, extension: Extension) -> None:
    await register(api, extension)
    before = len(extension.asked)
    response = await api.send("GET", "/apis/demo.example.com/v1/namespaces/default/widgets", user=JANE)
    told = json.loads(response.body)
    assert response.status == 403
    assert told["message"] == (
        'widgets.demo.example.com is forbidden: User "jane" cannot list resource "widgets" in API group "demo.example.com" in the'
        ' namespace "default"'
    )
    assert all(request.headers["X-Remote-User"] == "system:kube-aggregator" for request in extension.asked[before:])


async def test_methods_bodies_and_answers_pass_as_they_are(api: API, extension: Extension) -> None:
    async def echo(request: web.Request) -> web.Response:
        text = await request.text()
        return web.Response(status=418, text=f"{request.method} {request.headers['Content-Type']} {text}", headers={"X-Own": "1"})

    path = "/apis/demo.example.com/v1/namespaces/default/widgets/a"
    extension.answers[path] = echo
    await register(api, extension)
    response = await api.send("PATCH", path, '{"a":1}', content_type="application/merge-patch+json")
    assert (response.status, response.body) == (418, b'PATCH application/merge-patch+json {"a":1}')
    assert ("X-Own", "1") in response.headers
    response = await api.send("POST", path, b"k8s\x00binary", content_type="application/vnd.kubernetes.protobuf")
    assert response.status == 418, "a body that is not for us is not read by us"


async def test_a_watch_streams(api: API, extension: Extension) -> None:
    more = asyncio.Event()

    async def watch(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(b'{"type":"ADDED"}\n')
        await more.wait()
        await answer.write(b'{"type":"DELETED"}\n')
        return answer

    path = "/apis/demo.example.com/v1/widgets"
    extension.answers[path] = watch
    await register(api, extension)
    response = await api.send("GET", f"{path}?watch=true")
    assert response.stream is not None
    stream = aiter(response.stream)
    assert await anext(stream) == b'{"type":"ADDED"}\n'
    more.set()
    assert await anext(stream) == b'{"type":"DELETED"}\n'


class Near:
    """The client's side of an upgraded connection: it sends a little, and hears until the other side has finished."""

    def __init__(self, *parts: bytes) -> None:
        self._parts, self.heard, self._open = list(parts), b"", asyncio.Event()

    async def read(self, limit: int = 65536) -> bytes:
        if self._parts:
            return self._parts.pop(0)
        await self._open.wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.heard += data

    async def close(self) -> None:
        self._open.set()


async def test_an_upgrade_passes_bytes_both_ways_and_says_who_asks(api: API, extension: Extension) -> None:
    async def socket(request: web.Request) -> web.StreamResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        await answer.send_str(f"hello {request.headers['X-Remote-User']}")
        await answer.send_str((await answer.receive_str()).upper())
        assert request.transport is not None
        request.transport.close()
        return answer

    path = "/apis/demo.example.com/v1/namespaces/default/widgets/a/connect"
    extension.answers[path] = socket
    await register(api, extension)
    response = await api.send(
        "GET", path, connection="Upgrade", upgrade="websocket", sec_websocket_version="13", sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==",
        authorization="Bearer secret",
    )
    assert response.status == 101
    assert response.upgrade is not None
    near = Near(b"\x81\x82\0\0\0\0hi")  # a masked text frame, whose mask is zero
    async with asyncio.timeout(10):
        await response.upgrade(near)
    assert b"hello admin" in near.heard
    assert b"HI" in near.heard
    assert "Authorization" not in extension.last(path).headers


async def test_discovery_tells_of_it(api: API, extension: Extension) -> None:
    await register(api, extension)
    [version] = (await told(api))["demo.example.com"]
    kind = {"group": "demo.example.com", "version": "v1", "kind": "Widget"}
    assert version == {
        "version": "v1", "freshness": "Current",
        "resources": [{
            "resource": "widgets", "responseKind": kind, "scope": "Namespaced", "singularResource": "widget", "verbs": ["get", "list"],
            "shortNames": ["wd"],
            "subresources": [{"subresource": "status", "responseKind": {"group": "", "version": "", "kind": "Widget"}, "verbs": ["get"]}],
        }],
    }
    listed = await api.call("GET", "/apis")
    mine = [group for group in listed["groups"] if group["name"] == "demo.example.com"]
    entry = {"groupVersion": "demo.example.com/v1", "version": "v1"}
    assert mine == [{"name": "demo.example.com", "versions": [entry], "preferredVersion": entry}]
    assert (await api.call("GET", "/apis/demo.example.com"))["preferredVersion"] == entry
    assert (await api.call("GET", "/apis/demo.example.com/v1"))["resources"] == [WIDGETS, STATUS]
    assert "/apis/demo.example.com/v1" in (await api.call("GET", "/"))["paths"]


async def test_discovery_in_the_new_form_is_taken_as_told_and_asked_again_by_its_etag(api: API, extension: Extension) -> None:
    entry = {"resource": "gadgets", "responseKind": {"group": "demo.example.com", "version": "v1", "kind": "Gadget"}, "scope": "Cluster", "verbs": ["get"]}

    def root(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"7"':
            return web.Response(status=304)
        found = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": [
            {"metadata": {"name": "demo.example.com"}, "versions": [{"version": "v1", "resources": [entry]}, {"version": "v2", "resources": []}]},
        ]}
        media = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        return web.Response(body=json.dumps(found).encode(), headers={"Content-Type": media, "ETag": '"7"'})

    extension.answers["/apis"] = root
    await register(api, extension)
    for _ in range(2):
        assert (await told(api))["demo.example.com"] == [{"version": "v1", "freshness": "Current", "resources": [entry]}]
        seen = len(extension.asked)
        await api.call("PATCH", f"{SERVICE}/ext", {"metadata": {"labels": {"a": "b"}}}, content_type="application/merge-patch+json")
        for _ in range(200):
            if len([each for each in extension.asked[seen:] if each.path == "/openapi/v2"]):
                break
            await asyncio.sleep(0.01)
    assert extension.last("/apis").headers["If-None-Match"] == '"7"'


async def test_a_server_that_is_gone_makes_its_api_stale_and_unavailable(api: API, extension: Extension) -> None:
    await register(api, extension)
    extension.answers["/apis/demo.example.com/v1"] = lambda request: web.Response(status=500)
    await api.call("PATCH", f"{SERVICE}/ext", {"metadata": {"labels": {"a": "b"}}}, content_type="application/merge-patch+json")
    failed = await condition(api, NAME, "FailedDiscoveryCheck")
    where = f"https://127.0.0.1:{extension.port}/apis/demo.example.com/v1"
    assert failed["status"] == "False"
    assert failed["message"] == f"failing or missing response from {where}: bad status from {where}: 500"
    [version] = (await told(api))["demo.example.com"]
    assert version["freshness"] == "Stale"
    assert [each["resource"] for each in version["resources"]] == ["widgets"], "what it told last"
    for path in ("/apis/demo.example.com/v1/widgets", "/apis/demo.example.com/v1"):
        response = await api.send("GET", path)
        assert (response.status, response.body, response.content_type) == (503, b"service unavailable\n", "text/plain; charset=utf-8")
    shown = (await api.send("GET", "/metrics")).body.decode()
    assert f'aggregator_unavailable_apiservice{{name="{NAME}"}} 1.0' in shown
    assert f'aggregator_unavailable_apiservice_total{{name="{NAME}",reason="FailedDiscoveryCheck"}} 1.0' in shown
    served = await discover(Client(InProcessTransport(api.server.handle, UserInfo("a", ("system:masters",)))))
    assert served.failure == (
        "unable to retrieve the complete list of server APIs: demo.example.com/v1: stale GroupVersion discovery: demo.example.com/v1"
    )
    assert not [each for each in served.resources if each.group == "demo.example.com"]
    assert [each for each in served.resources if each.group == "apps"]
    extension.answers["/apis/demo.example.com/v1"] = lambda request: {"resources": [WIDGETS]}
    assert (await condition(api, NAME, "Passed"))["message"] == "all checks passed"
    assert (await told(api))["demo.example.com"][0]["freshness"] == "Current"


@pytest.mark.parametrize(("spec", "reason", "message"), [
    pytest.param({"caBundle": None}, "FailedDiscoveryCheck", "x509: certificate signed by unknown authority", id="a CA that is not known"),
    pytest.param({"caBundle": base64.b64encode(b"no PEM").decode()}, "FailedDiscoveryCheck", "unable to load root certificates", id="no PEM"),
    pytest.param({"caBundle": None, "insecureSkipTLSVerify": True}, "Passed", "all checks passed", id="not verified"),
    pytest.param({"service": {"namespace": "default", "name": "no"}}, "ServiceNotFound", 'service/no in "default" is not present', id="no Service"),
    pytest.param(
        {"service": {"namespace": "default", "name": "ext", "port": 1}}, "FailedDiscoveryCheck", "dial tcp 127.0.0.1:1: connect: connection refused",
        id="nobody listens",
    ),
])
async def test_how_it_is_reached(api: API, extension: Extension, spec: dict[str, Any], reason: str, message: str) -> None:
    await register(api, extension, wait=reason, **spec)
    assert message in (await condition(api, NAME, reason))["message"]
    response = await api.send("GET", "/apis/demo.example.com/v1")
    assert response.status == (200 if reason == "Passed" else 503)


async def test_a_certificate_must_be_for_the_service(api: API, extension: Extension) -> None:
    await api.call("POST", SERVICE, {"metadata": {"name": "other"}, "spec": {"type": "ExternalName", "externalName": "127.0.0.1"}})
    service = {"namespace": "default", "name": "other", "port": extension.port}
    await register(api, extension, wait="FailedDiscoveryCheck", service=service)
    assert "x509: " in (await condition(api, NAME, "FailedDiscoveryCheck"))["message"]


async def test_what_is_built_in_can_be_taken_over_and_comes_back(api: API, extension: Extension) -> None:
    extension.answers["/apis/apps/v1"] = lambda request: {"resources": [WIDGETS]}
    extension.answers["/apis/apps/v1/deployments"] = lambda request: {"kind": "DeploymentList", "items": ["theirs"]}
    await register(api, extension, "v1.apps", priority=17800)
    assert (await api.call("GET", "/apis/apps/v1/deployments"))["items"] == ["theirs"]
    assert [each["resource"] for each in (await told(api))["apps"][0]["resources"]] == ["widgets"]
    patch = {"spec": {"service": None, "caBundle": None}}
    await api.call("PATCH", f"{APISERVICES}/v1.apps", patch, content_type="application/merge-patch+json")
    assert (await condition(api, "v1.apps", "Local"))["message"] == "Local APIServices are always available"
    assert (await api.call("GET", "/apis/apps/v1/deployments"))["items"] == []
    assert "deployments" in [each["resource"] for each in (await told(api))["apps"][0]["resources"]]
    await api.call("DELETE", f"{APISERVICES}/v1.apps")
    assert [each["version"] for each in (await told(api))["apps"]] == ["v1beta2", "v1beta1"], "served, but nobody is told"
    assert (await api.call("GET", "/apis/apps/v1/deployments"))["items"] == []


async def test_the_aggregators_own_group_cannot_be_taken_over(api: API, extension: Extension) -> None:
    await register(api, extension, "v1.apiregistration.k8s.io", wait="Local")
    assert (await api.call("GET", APISERVICES))["kind"] == "APIServiceList"


async def test_metrics_come_from_an_add_on_while_there_is_one(api: API, extension: Extension) -> None:
    own = (await told(api))["metrics.k8s.io"]
    extension.answers["/apis/metrics.k8s.io/v1beta1"] = lambda request: {"resources": []}
    extension.answers["/apis/metrics.k8s.io/v1beta1/nodes"] = lambda request: {"kind": "NodeMetricsList", "items": ["theirs"]}
    await register(api, extension, "v1beta1.metrics.k8s.io", priority=100)
    assert (await api.call("GET", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"] == ["theirs"]
    extension.answers["/apis/metrics.k8s.io/v1beta1"] = lambda request: web.Response(status=500)
    await api.call("PATCH", f"{SERVICE}/ext", {"metadata": {"labels": {"a": "b"}}}, content_type="application/merge-patch+json")
    await condition(api, "v1beta1.metrics.k8s.io", "FailedDiscoveryCheck")
    assert (await api.call("GET", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"] == [], "our own while the add-on is down"
    assert (await told(api))["metrics.k8s.io"] == own
    await api.call("DELETE", f"{APISERVICES}/v1beta1.metrics.k8s.io")
    assert (await api.call("GET", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"] == []
    assert (await told(api))["metrics.k8s.io"] == own


async def test_groups_and_versions_stand_by_their_priorities(api: API, extension: Extension) -> None:
    for name, priority, of_version in (("v1.b.example.com", 2000, 10), ("v2.b.example.com", 1500, 20), ("v1.a.example.com", 19000, 1)):
        version, _, group = name.partition(".")
        extension.answers[f"/apis/{group}/{version}"] = lambda request: {"resources": []}
        await register(api, extension, name, priority=priority, versionPriority=of_version)
    names = list(await told(api))
    assert names[:3] == ["apiregistration.k8s.io", "a.example.com", "apps"]
    assert names.index("b.example.com") > names.index("storagemigration.k8s.io")
    assert [each["version"] for each in (await told(api))["b.example.com"]] == ["v2", "v1"]
    assert (await api.call("GET", "/apis/b.example.com"))["preferredVersion"]["version"] == "v2"


async def test_openapi_has_what_it_tells(api: API, extension: Extension) -> None:
    schema = {"type": "object", "x-kubernetes-group-version-kind": [{"group": "demo.example.com", "version": "v1", "kind": "Widget"}]}
    item = {"get": {"operationId": "listWidgets", "responses": {"200": {"description": "OK"}}}}
    paths = {"/apis/demo.example.com/v1/widgets": item, "/apis/other/v1/things": item}
    extension.answers["/openapi/v2"] = lambda request: {"swagger": "2.0", "paths": paths, "definitions": {"com.example.Widget": schema}}
    place = "apis/demo.example.com/v1"
    extension.answers["/openapi/v3"] = lambda request: {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=A1"}}}
    extension.answers[f"/openapi/v3/{place}"] = lambda request: {"openapi": "3.0.0", "hash": request.query["hash"]}
    before = await api.call("GET", "/openapi/v2")
    await register(api, extension)
    index = await api.call("GET", "/openapi/v3")
    assert index["paths"][place] == {"serverRelativeURL": f"/openapi/v3/{place}?hash=A1"}
    assert "apis/apps/v1" in index["paths"]
    assert await api.call("GET", f"/openapi/v3/{place}?hash=A1") == {"openapi": "3.0.0", "hash": "A1"}
    after = await api.call("GET", "/openapi/v2")
    assert after["paths"].keys() - before["paths"].keys() == {"/apis/demo.example.com/v1/widgets"}
    assert after["definitions"].keys() - before["definitions"].keys() == {"com.example.Widget"}
    response = await api.send("GET", "/openapi/v2", accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
    assert b"com.example.Widget" in response.body
    await api.call("DELETE", f"{APISERVICES}/{NAME}")
    assert place not in (await api.call("GET", "/openapi/v3"))["paths"]
    assert await api.call("GET", "/openapi/v2") == before


async def test_a_place_that_takes_no_connection_is_passed_over(api: API, extension: Extension, monkeypatch: pytest.MonkeyPatch) -> None:
    """With several endpoints, one of which has just gone; nothing of the request can have been done there."""
    extension.answers["/apis/demo.example.com/v1/widgets"] = lambda request: {"items": []}
    await register(api, extension)
    gone, there = "127.0.0.1:1", f"127.0.0.1:{extension.port}"
    monkeypatch.setattr(backend_module, "several", lambda places: [gone, there])
    for method in ("GET", "POST"):
        assert (await api.send(method, "/apis/demo.example.com/v1/widgets", {})).status == 200
    monkeypatch.setattr(backend_module, "several", lambda places: [gone])
    response = await api.send("GET", "/apis/demo.example.com/v1/widgets")
    assert (response.status, response.body) == (503, b"error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused\n")


async def test_a_deleted_apiservice_is_served_no_more(api: API, extension: Extension) -> None:
    await register(api, extension)
    await api.call("DELETE", f"{APISERVICES}/{NAME}")
    response = await api.send("GET", "/apis/demo.example.com/v1/widgets")
    assert (response.status, response.body) == (404, b"404 page not found\n")
    assert "demo.example.com" not in await told(api)
