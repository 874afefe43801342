"""A kubeconfig file as a transport: cluster, user and context, certificates inline or as files."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from wherry.client.client import Client
from wherry.client.transport import HTTPSTransport, TLSConfig

UNSUPPORTED = ("exec", "auth-provider", "username")


def load(path: str | Path = "", context: str = "") -> Client:
    """A client for a context of a kubeconfig (default: `$KUBECONFIG` or ~/.kube/config, its current context).

    Raises ValueError when the file does not tell how to connect, OSError when it cannot be read.
    """
    file = Path(path or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or Path.home() / ".kube/config")
    config = yaml.safe_load(file.read_text()) or {}
    chosen = _named(config, "contexts", "context", context or config.get("current-context", ""), file)
    cluster = _named(config, "clusters", "cluster", chosen.get("cluster", ""), file)
    user = _named(config, "users", "user", chosen["user"], file) if chosen.get("user") else {}
    for method in UNSUPPORTED:
        if method in user:
            raise ValueError(f"{file}: users.{method} is not supported: use a client certificate or a token")
    token = user.get("token", "")
    if not token and user.get("tokenFile"):
        token = (file.parent / user["tokenFile"]).read_text().strip()
    return Client(HTTPSTransport(cluster["server"], _tls(cluster, user, file.parent), token))


def _named(config: dict[str, Any], section: str, key: str, name: str, file: Path) -> dict[str, Any]:
    for entry in config.get(section) or ():
        if entry.get("name") == name:
            return entry.get(key) or {}
    raise ValueError(f"{file}: {section} has no {name!r}")


def _tls(cluster: dict[str, Any], user: dict[str, Any], folder: Path) -> TLSConfig:
    ca = cluster.get("certificate-authority-data")
    certificate, key = (_material(user, name, folder) for name in ("client-certificate", "client-key"))
    config = TLSConfig(
        ca_data=base64.b64decode(ca).decode() if ca else "",
        ca_file=folder / cluster["certificate-authority"] if not ca and cluster.get("certificate-authority") else "",
        server_name=cluster.get("tls-server-name", ""), insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )
    return _with_certificate(config, certificate, key) if certificate else config


def _material(user: dict[str, Any], name: str, folder: Path) -> str:
    if data := user.get(f"{name}-data"):
        return base64.b64decode(data).decode()
    return (folder / user[name]).read_text() if user.get(name) else ""


def _with_certificate(config: TLSConfig, certificate: str, key: str) -> TLSConfig:
    """`ssl` reads certificates from files alone: a private one lives for as long as it is read."""
    return _InlineCertificate(config.ca_data, config.ca_file, certificate, key, config.server_name, config.insecure)


class _InlineCertificate(TLSConfig):
    """Certificate and key are PEM texts."""

    def context(self) -> Any:
        with tempfile.TemporaryDirectory() as folder:  # 0700
            file = Path(folder) / "client.pem"
            file.write_text(f"{self.cert_file}\n{self.key_file}")
            whole = TLSConfig(self.ca_data, self.ca_file, file, file, self.server_name, self.insecure)
            return whole.context()
