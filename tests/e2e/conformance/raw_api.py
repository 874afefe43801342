"""The API as a client without a library sees it: HTTPS, JSON, and watches read line by line."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from cluster_harness import Cluster

MERGE, STRATEGIC, APPLY = "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"
SECONDS = 20.0


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class RawAPI:
    """Speaks as the administrator of a cluster, each request on a connection of its own."""

    def __init__(self, cluster: Cluster) -> None:
        config = yaml.safe_load((cluster.folder / "kubeconfig").read_text())
        server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._address = urlsplit(server["server"])
        authority = base64.b64decode(server["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        self._anonymous = ssl.create_default_context(cadata=authority)
        for name in ("client-certificate", "client-key"):
            (cluster.folder / name).write_bytes(base64.b64decode(user[f"{name}-data"]))
        self._context.load_cert_chain(Path(cluster.folder / "client-certificate"), Path(cluster.folder / "client-key"))

    def _begin(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[Any, http.client.HTTPResponse]:
        context = self._anonymous if "Authorization" in headers else self._context
        assert self._address.hostname is not None
        connection = http.client.HTTPSConnection(self._address.hostname, self._address.port, context=context, timeout=SECONDS)
        data = None if body is None else body if isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **headers})
        return connection, connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Whatever it is, the answer."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection, response = self._begin(method, path, body, given)
        data = response.read()
        connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        is_json = found.get("content-type", "").startswith("application/json") and "content-encoding" not in found
        return Answer(response.status, found, json.loads(data) if is_json and data else data)

    def do(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The object in an answer that must be good."""
        answer = self.ask(method, path, body, **headers)
        assert answer.status < 300, f"{method} {path}: {answer.body}"
        return answer.body

    def patch(self, path: str, body: Any, media: str = MERGE) -> Any:
        return self.do("PATCH", path, body, **{"Content-Type": media})

    def update(self, path: str, change: Callable[[dict[str, Any]], Any], view: str = "") -> Any:
        """Read, change, write; again when a controller was faster."""
        for _ in range(20):
            latest = self.do("GET", path)
            change(latest)
            answer = self.ask("PUT", path + view, latest)
            if answer.status != 409:
                assert answer.status == 200, answer.body
                return answer.body
        raise AssertionError(f"somebody is always faster at {path}")

    @contextmanager
    def watch(self, path: str) -> Iterator[Iterator[dict[str, Any]]]:
        """Events as they come."""
        connection, response = self._begin("GET", path, None, {})
        assert response.status == 200, response.read()
        try:
            yield (json.loads(line) for line in response)
        finally:
            connection.close()

    def namespace(self, name: str) -> str:
        """A new one's path, once it has its ServiceAccount."""
        self.do("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        with self.watch(f"/api/v1/namespaces/{name}/serviceaccounts?watch=1&timeoutSeconds=15") as events:
            next(events)
        return f"/api/v1/namespaces/{name}"
