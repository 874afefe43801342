"""kubeconfig files: the cluster's own, and the user's, into which it is merged and from which it is taken."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import yaml

from wherry.cluster.config import ClusterConfig, write_private
from wherry.cluster.pki import PKI, Pair

_SECTIONS = ("clusters", "contexts", "users")
Document = dict[str, Any]


def build(config: ClusterConfig, pki: PKI) -> Document:
    """The cluster's kubeconfig; its user has a client certificate and a token (for curl and load generators)."""
    return _document(config, pki, config.context, {**_shown(pki.admin), "token": pki.token.read_text().strip()})


def _document(config: ClusterConfig, pki: PKI, user: str, credentials: Document) -> Document:
    name = config.context
    cluster = {"server": f"https://127.0.0.1:{config.port}", "certificate-authority-data": _b64(pki.ca.certificate)}
    return {
        "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
    }


def _shown(pair: Pair) -> Document:
    return {"client-certificate-data": _b64(pair.certificate), "client-key-data": _b64(pair.key)}


def _b64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def write_component(path: Path, config: ClusterConfig, pki: PKI, user: str, pair: Pair) -> None:
    """The kubeconfig of a component that runs as a process of its own."""
    write_private(path, yaml.safe_dump(_document(config, pki, user, _shown(pair)), sort_keys=False).encode())


def user_file() -> Path:
    """The file that kubectl reads: the first of $KUBECONFIG, else ~/.kube/config."""
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return Path(listed[0]) if listed else Path.home() / ".kube/config"


def merged(old: Document | None, new: Document) -> Document:
    """`old` with the entries of `new` (which replace those of the same name) and its current context."""
    result: Document = {"apiVersion": "v1", "kind": "Config", "preferences": {}, **(old or {})}
    for section in _SECTIONS:
        names = {entry["name"] for entry in new[section]}
        kept = [entry for entry in result.get(section) or [] if entry.get("name") not in names]
        result[section] = kept + new[section]
    result["current-context"] = new["current-context"]
    return result


def without(old: Document, name: str) -> Document:
    """`old` without the entries called `name`; the current context is dropped with its own."""
    result = dict(old)
    for section in _SECTIONS:
        result[section] = [entry for entry in old.get(section) or [] if entry.get("name") != name]
    if result.get("current-context") == name:
        result["current-context"] = ""
    return result


def write(config: ClusterConfig, pki: PKI) -> Path:
    """Write the cluster's kubeconfig and merge it into the user's.  Returns the user's file."""
    document = build(config, pki)
    write_private(config.kubeconfig, yaml.safe_dump(document, sort_keys=False).encode())
    path = user_file()
    write_private(path, yaml.safe_dump(merged(_read(path), document), sort_keys=False).encode())
    return path


def remove(config: ClusterConfig) -> None:
    """Take the cluster out of the user's kubeconfig; a file that then holds nothing is deleted."""
    path = user_file()
    old = _read(path)
    if old is None:
        return
    left = without(old, config.context)
    if any(left.get(section) for section in _SECTIONS):
        write_private(path, yaml.safe_dump(left, sort_keys=False).encode())
    else:
        path.unlink()


def _read(path: Path) -> Document | None:
    """The file's document; None when it is absent.  Raises ValueError when it is no kubeconfig."""
    if not path.exists():
        return None
    loaded = yaml.safe_load(path.read_text())
    if loaded is None:
        return None
    if not isinstance(loaded, dict):
        raise ValueError(f"{path} is no kubeconfig: move it away, or set KUBECONFIG")
    return loaded
