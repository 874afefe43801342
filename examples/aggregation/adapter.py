#!/usr/bin/env python3
"""An API server that extends a cluster, small enough to read: three API groups from one kind that one can set with kubectl.

    demo.example.com/v1           numbers: objects of its own, kept in memory; get, list, watch, create, update, patch, delete
    custom.metrics.k8s.io/v1beta2   numbers that are about an object, as a HorizontalPodAutoscaler asks for them
    external.metrics.k8s.io/v1beta1 numbers that are about none

It needs Python's standard library alone.  Run in a Pod it finds the cluster by its service account; elsewhere tell it
`--server`, `--ca-file` and `--token-file`.  Who asks is told by the API server that passes requests on: in headers, over a
connection with the front proxy's certificate, whose CA stands in kube-system/extension-apiserver-authentication.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import ssl
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

GROUP, VERSION = "demo.example.com", "v1"
CUSTOM, CUSTOM_VERSION = "custom.metrics.k8s.io", "v1beta2"
EXTERNAL, EXTERNAL_VERSION = "external.metrics.k8s.io", "v1beta1"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
Object = dict[str, Any]


class Refused(Exception):
    """Answered with a Status."""

    def __init__(self, code: int, reason: str, message: str, name: str = "", *causes: Object) -> None:
        super().__init__(message)
        self.code, self.reason, self.name, self.causes = code, reason, name, list(causes)


def not_found(name: str) -> Refused:
    return Refused(404, "NotFound", f'numbers.{GROUP} "{name}" not found', name)


class Numbers:
    """The objects, and who watches them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], Object] = {}
        self._revision = 0
        self._events: list[tuple[int, str, Object]] = []
        self._watchers: set[queue.SimpleQueue[tuple[int, str, Object]]] = set()

    def _tell(self, kind: str, obj: Object) -> Object:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        event = (self._revision, kind, json.loads(json.dumps(obj)))
        self._events = [*self._events[-999:], event]
        for watcher in self._watchers:
            watcher.put(event)
        return event[2]

    def list(self, namespace: str = "") -> tuple[str, list[Object]]:
        with self._lock:
            found = [obj for (space, _), obj in sorted(self._objects.items()) if namespace in ("", space)]
            return str(self._revision), found

    def get(self, namespace: str, name: str) -> Object:
        with self._lock:
            if (namespace, name) not in self._objects:
                raise not_found(name)
            return self._objects[namespace, name]

    def create(self, namespace: str, obj: Object) -> Object:
        meta = obj.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        check(obj)
        with self._lock:
            if (namespace, meta["name"]) in self._objects:
                raise Refused(409, "AlreadyExists", f'numbers.{GROUP} "{meta["name"]}" already exists', meta["name"])
            meta |= {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": now()}
            self._objects[namespace, meta["name"]] = self._tell("ADDED", obj)
            return self._objects[namespace, meta["name"]]

    def replace(self, namespace: str, name: str, obj: Object) -> Object:
        check(obj)
        with self._lock:
            old = self._objects.get((namespace, name))
            if old is None:
                raise not_found(name)
            asked = obj["metadata"].get("resourceVersion")
            if asked and asked != old["metadata"]["resourceVersion"]:
                why = "the object has been modified; please apply your changes to the latest version and try again"
                raise Refused(409, "Conflict", f'Operation cannot be fulfilled on numbers.{GROUP} "{name}": {why}', name)
            obj["metadata"] |= {key: old["metadata"][key] for key in ("namespace", "name", "uid", "creationTimestamp")}
            self._objects[namespace, name] = self._tell("MODIFIED", obj)
            return self._objects[namespace, name]

    def delete(self, namespace: str, name: str) -> Object:
        with self._lock:
            if (namespace, name) not in self._objects:
                raise not_found(name)
            return self._tell("DELETED", self._objects.pop((namespace, name)))

    def watch(self, since: int) -> queue.SimpleQueue[tuple[int, str, Object]]:
        found: queue.SimpleQueue[tuple[int, str, Object]] = queue.SimpleQueue()
        with self._lock:
            for event in self._events:
                if event[0] > since:
                    found.put(event)
            self._watchers.add(found)
        return found

    def unwatch(self, watcher: queue.SimpleQueue[tuple[int, str, Object]]) -> None:
        with self._lock:
            self._watchers.discard(watcher)


def check(obj: Object) -> None:
    """Raises Refused for what cannot be a Number."""
    name, value = obj.get("metadata", {}).get("name", ""), (obj.get("spec") or {}).get("value")
    if not isinstance(value, str) or not re.fullmatch(r"[0-9.]+(m|k|Ki|M|Mi|G|Gi)?", value):
        told = f"Invalid value: {json.dumps(value)}: must be a quantity"
        cause = {"reason": "FieldValueInvalid", "message": told, "field": "spec.value"}
        raise Refused(422, "Invalid", f'Number.{GROUP} "{name}" is invalid: spec.value: {told}', name, cause)


def merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    found = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def chosen(selector: str, labels: dict[str, str]) -> bool:
    """Equality and existence, which are enough for most."""
    for term in filter(None, selector.split(",")):
        key, sign, value = re.fullmatch(r"\s*([^=!]+?)\s*(?:(==|=|!=)\s*(.*?))?\s*", term).groups()  # type: ignore[union-attr]
        if sign is None and key not in labels:
            return False
        if sign in ("=", "==") and labels.get(key) != value:
            return False
        if sign == "!=" and labels.get(key) == value:
            return False
    return True


class Cluster:
    """The API server, as the adapter's own account sees it."""

    def __init__(self, server: str, ca_file: str, token_file: str) -> None:
        self._server, self._token = server, Path(token_file)
        self._context = ssl.create_default_context(cafile=ca_file)

    def get(self, path: str) -> Any:
        request = urllib.request.Request(self._server + path, headers={"Authorization": f"Bearer {self._token.read_text().strip()}"})
        with urllib.request.urlopen(request, context=self._context, timeout=10) as answer:
            return json.load(answer)


class Metrics:
    """Numbers as the custom and the external metrics API show them."""

    def __init__(self, numbers: Numbers, cluster: Cluster) -> None:
        self._numbers, self._cluster = numbers, cluster

    def _of(self, namespace: str, metric: str, selector: str, about: str) -> list[Object]:
        """`about`: a resource; "" for what is about no object."""
        _, found = self._numbers.list(namespace)
        return [
            each for each in found
            if (each["spec"].get("metric") or each["metadata"]["name"]) == metric and chosen(selector, each["metadata"].get("labels") or {})
            and (each["spec"].get("object") or {}).get("resource", "") == about
        ]

    def external(self, namespace: str, metric: str, selector: str) -> Object:
        items = [
            {"metricName": metric, "metricLabels": each["metadata"].get("labels") or {}, "timestamp": now(), "value": each["spec"]["value"]}
            for each in self._of(namespace, metric, selector, "")
        ]
        return {"kind": "ExternalMetricValueList", "apiVersion": f"{EXTERNAL}/{EXTERNAL_VERSION}", "metadata": {}, "items": items}

    def custom(self, namespace: str, resource: str, name: str, metric: str, selector: str, metric_selector: str) -> Object:
        found = self._of(namespace, metric, metric_selector, resource)
        items = []
        for each in self._names(namespace, resource, selector) if name == "*" else [name]:
            own = [number for number in found if number["spec"]["object"].get("name") == each]
            own = own or [number for number in found if number["spec"]["object"].get("name", "*") == "*"]
            items += [self._value(number, namespace, resource, each, metric) for number in own[:1]]
        if not items and name != "*":
            raise Refused(404, "NotFound", f"the server could not find the metric {metric} for {resource} {name}", name)
        return {"kind": "MetricValueList", "apiVersion": f"{CUSTOM}/{CUSTOM_VERSION}", "metadata": {}, "items": items}

    def _names(self, namespace: str, resource: str, selector: str) -> list[str]:
        if resource != "pods":
            raise Refused(400, "BadRequest", "only of pods can all be asked for")
        listed = self._cluster.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector={urllib.parse.quote(selector)}")
        return [each["metadata"]["name"] for each in listed["items"]]

    @staticmethod
    def _value(number: Object, namespace: str, resource: str, name: str, metric: str) -> Object:
        kind = number["spec"]["object"].get("kind") or ("Pod" if resource == "pods" else resource)
        described = {"kind": kind, "namespace": namespace, "name": name, "apiVersion": "v1"}
        return {"describedObject": described, "metric": {"name": metric}, "timestamp": now(), "value": number["spec"]["value"]}


COLUMNS = [
    {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
    {"name": "Value", "type": "string", "format": "", "description": "", "priority": 0},
    {"name": "About", "type": "string", "format": "", "description": "", "priority": 0},
    {"name": "Created", "type": "date", "format": "", "description": "", "priority": 0},
]


def table(objects: list[Object], revision: str) -> Object:
    rows = []
    for each in objects:
        about = each["spec"].get("object")
        cells = [each["metadata"]["name"], each["spec"]["value"], f"{about['resource']}/{about.get('name', '*')}" if about else "", each["metadata"]["creationTimestamp"]]
        shown = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": each["metadata"]}
        rows.append({"cells": cells, "object": shown})
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": revision}, "columnDefinitions": COLUMNS, "rows": rows}


def resource_list(group: str, version: str, resources: list[Object]) -> Object:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}", "resources": resources}


LISTS = {
    f"/apis/{GROUP}/{VERSION}": resource_list(GROUP, VERSION, [{
        "name": "numbers", "singularName": "number", "namespaced": True, "kind": "Number", "verbs": VERBS, "shortNames": ["num"],
    }]),
    f"/apis/{CUSTOM}/{CUSTOM_VERSION}": resource_list(CUSTOM, CUSTOM_VERSION, [
        {"name": "pods/any", "singularName": "", "namespaced": True, "kind": "MetricValueList", "verbs": ["get"]},
    ]),
    f"/apis/{EXTERNAL}/{EXTERNAL_VERSION}": resource_list(EXTERNAL, EXTERNAL_VERSION, [
        {"name": "any", "singularName": "", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]},
    ]),
}
STRING = {"type": "string"}
NUMBER = {
    "type": "object", "description": "A number that is set by hand.",
    "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": "Number"}],
    "properties": {
        "apiVersion": STRING, "kind": STRING, "metadata": {"type": "object"},
        "spec": {"type": "object", "description": "What it is.", "properties": {
            "value": {**STRING, "description": "A quantity: 30, 1500m."},
            "metric": {**STRING, "description": "The name of the metric; that of the object when it is empty."},
            "object": {"type": "object", "description": "What it is about.", "properties": {"resource": STRING, "kind": STRING, "name": STRING}},
        }},
    },
}
NUMBERS_PATH = f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/numbers"
DEFINITION = "com.example.demo.v1.Number"


def openapi(v3: bool) -> Object:
    get = {
        "description": "list numbers", "operationId": "listNumbers", "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "list", "x-kubernetes-group-version-kind": {"group": GROUP, "version": VERSION, "kind": "Number"},
    }
    head: Object = {"openapi": "3.0.0"} if v3 else {"swagger": "2.0"}
    head |= {"info": {"title": "numbers", "version": VERSION}, "paths": {NUMBERS_PATH: {"get": get}}}
    return head | ({"components": {"schemas": {DEFINITION: NUMBER}}} if v3 else {"definitions": {DEFINITION: NUMBER}})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    numbers: Numbers
    metrics: Metrics
    allowed: frozenset[str]  # common names of front proxies

    def log_message(self, format: str, *arguments: Any) -> None:
        sys.stderr.write(f"{self.headers.get('X-Remote-User', '-')} {format % arguments}\n")

    def _send(self, body: Object, code: int = 200) -> None:
        data = json.dumps(body).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        try:
            self._trusted()
            self._route(json.loads(raw) if raw else {})
        except Refused as error:
            kind = "Number" if error.reason == "Invalid" else "numbers"
            details = {"group": GROUP, "kind": kind, **({"name": error.name} if error.name else {}), **({"causes": error.causes} if error.causes else {})}
            self._send({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(error), "reason": error.reason,
                "details": details, "code": error.code,
            }, error.code)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _trusted(self) -> None:
        """Only the front proxy may say who asks; it has asked already whether that user may."""
        shown = self.connection.getpeercert()  # type: ignore[attr-defined]
        names = {value for part in (shown or {}).get("subject", ()) for key, value in part if key == "commonName"}
        if not names & self.allowed or not self.headers.get("X-Remote-User"):
            raise Refused(401, "Unauthorized", "Unauthorized")

    def _route(self, body: Object) -> None:
        path, _, text = self.path.partition("?")
        path, query = urllib.parse.unquote(path), dict(urllib.parse.parse_qsl(text))
        if path in LISTS:
            self._send(LISTS[path])
        elif path == "/openapi/v2":
            self._send(openapi(v3=False))
        elif path == "/openapi/v3":
            self._send({"paths": {f"apis/{GROUP}/{VERSION}": {"serverRelativeURL": f"/openapi/v3/apis/{GROUP}/{VERSION}?hash=1"}}})
        elif path == f"/openapi/v3/apis/{GROUP}/{VERSION}":
            self._send(openapi(v3=True))
        elif found := re.fullmatch(rf"/apis/{GROUP}/{VERSION}(?:/namespaces/([^/]+))?/numbers(?:/([^/]+))?", path):
            self._numbers(found[1] or "", found[2] or "", query, body)
        elif found := re.fullmatch(rf"/apis/{EXTERNAL}/{EXTERNAL_VERSION}/namespaces/([^/]+)/([^/]+)", path):
            self._send(self.metrics.external(found[1], found[2], query.get("labelSelector", "")))
        elif found := re.fullmatch(rf"/apis/{CUSTOM}/{CUSTOM_VERSION}/namespaces/([^/]+)/([^/]+)/([^/]+)/([^/]+)", path):
            selectors = query.get("labelSelector", ""), query.get("metricLabelSelector", "")
            self._send(self.metrics.custom(found[1], found[2], found[3], found[4], *selectors))
        else:
            raise Refused(404, "NotFound", "the server could not find the requested resource")

    def _numbers(self, namespace: str, name: str, query: dict[str, str], body: Object) -> None:
        as_table = "as=Table" in self.headers.get("Accept", "")
        typed = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Number"}
        if self.command == "POST":
            self._send(self.numbers.create(namespace, body | typed), 201)
        elif self.command == "PUT":
            self._send(self.numbers.replace(namespace, name, body | typed))
        elif self.command == "PATCH":
            if "merge-patch" not in self.headers.get("Content-Type", ""):
                raise Refused(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: application/merge-patch+json")
            self._send(self.numbers.replace(namespace, name, merged(self.numbers.get(namespace, name), body)))
        elif self.command == "DELETE":
            for each in [self.numbers.get(namespace, name)] if name else self.numbers.list(namespace)[1]:
                self.numbers.delete(namespace, each["metadata"]["name"])
            self._send({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        elif query.get("watch") in ("true", "1"):
            self._watch(namespace, query, as_table)
        elif name:
            found = self.numbers.get(namespace, name)
            self._send(table([found], found["metadata"]["resourceVersion"]) if as_table else found)
        else:
            revision, objects = self.numbers.list(namespace)
            objects = [each for each in objects if chosen(query.get("labelSelector", ""), each["metadata"].get("labels") or {})]
            listed = {"kind": "NumberList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {"resourceVersion": revision}, "items": objects}
            self._send(table(objects, revision) if as_table else listed)

    def _watch(self, namespace: str, query: dict[str, str], as_table: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        watcher = self.numbers.watch(int(query.get("resourceVersion") or 0))
        try:
            ends = time.monotonic() + float(query.get("timeoutSeconds") or 300)
            while (left := ends - time.monotonic()) > 0:
                try:
                    _, kind, obj = watcher.get(timeout=left)
                except queue.Empty:
                    break
                if namespace in ("", obj["metadata"]["namespace"]):
                    shown = table([obj], obj["metadata"]["resourceVersion"]) if as_table else obj
                    line = json.dumps({"type": kind, "object": shown}).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True
        finally:
            self.numbers.unwatch(watcher)


class Server(ThreadingHTTPServer):
    """TLS is spoken in each connection's own thread, so that one that says nothing holds up nobody."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(address, Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            request.settimeout(30)
            secured = self._context.wrap_socket(request, server_side=True)
            secured.settimeout(None)
        except (OSError, ssl.SSLError) as error:
            sys.stderr.write(f"{client_address[0]}: {error}\n")
            self.shutdown_request(request)
            return
        super().process_request_thread(secured, client_address)


def main() -> None:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", "127.0.0.1"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    parser = argparse.ArgumentParser(description="serves numbers, and metrics made of them")
    parser.add_argument("--listen", default="0.0.0.0:8443")
    parser.add_argument("--cert", required=True, help="certificate for NAME.NAMESPACE.svc of the Service")
    parser.add_argument("--key", required=True)
    parser.add_argument("--server", default=f"https://{host}:{port}", help="the cluster's API server")
    parser.add_argument("--ca-file", default=str(ACCOUNT / "ca.crt"))
    parser.add_argument("--token-file", default=str(ACCOUNT / "token"))
    options = parser.parse_args()
    cluster = Cluster(options.server, options.ca_file, options.token_file)
    known = cluster.get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")["data"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    context.load_verify_locations(cadata=known["requestheader-client-ca-file"])
    context.verify_mode = ssl.CERT_OPTIONAL
    Handler.numbers = Numbers()
    Handler.metrics = Metrics(Handler.numbers, cluster)
    Handler.allowed = frozenset(json.loads(known["requestheader-allowed-names"]))
    address, _, number = options.listen.rpartition(":")
    server = Server((address, int(number)), context)
    sys.stderr.write(f"serving on {options.listen}\n")
    server.serve_forever()


if __name__ == "__main__":
    main()
