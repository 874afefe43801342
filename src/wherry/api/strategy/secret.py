"""Secrets: plain text that clients wrote becomes data; each type has the keys that it must have."""

from __future__ import annotations

import base64
import re
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.configmap import MAX_BYTES, decoded_length, validate_frozen
from wherry.api.strategy.rules import Causes, by_rule, config_map_key_faults, immutable
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, required, too_long
from wherry.apimachinery.jsonsyntax import explain

Dict = dict[str, Any]
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_JSON_KEYS = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\s.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\s.*?-----END ([A-Z]+ )?PRIVATE KEY-----", re.DOTALL)


def default(obj: Dict) -> None:
    if not obj.get("type"):
        obj["type"] = "Opaque"
    text = obj.pop("stringData", None)
    if text:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
        obj["data"] = {**(obj.get("data") or {}), **data}


def _json(data: Dict, key: str, errs: Causes) -> None:
    if key not in data:
        errs.append(required(f"data[{key}]"))
        return
    wrong = explain(base64.b64decode(data[key]))
    if wrong is not None:
        errs.append(invalid(f"data[{key}]", "<secret contents redacted>", wrong))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    data, kind = obj.get("data") or {}, obj.get("type")
    for key in data:
        by_rule(key, config_map_key_faults, f"data[{key}]", errs)
    if sum(map(decoded_length, data.values())) > MAX_BYTES:
        errs.append(too_long("data", MAX_BYTES))
    if kind == "kubernetes.io/service-account-token":
        if not ((obj.get("metadata") or {}).get("annotations") or {}).get(SERVICE_ACCOUNT_NAME):
            errs.append(required(f"metadata.annotations[{SERVICE_ACCOUNT_NAME}]"))
    elif kind in _JSON_KEYS:
        _json(data, _JSON_KEYS[kind], errs)
    elif kind == "kubernetes.io/basic-auth":
        if "username" not in data and "password" not in data:
            errs += [required("data[username]"), required("data[password]")]
    elif kind == "kubernetes.io/ssh-auth":
        if not data.get("ssh-privatekey"):
            errs.append(required("data[ssh-privatekey]"))
    elif kind == "kubernetes.io/tls":
        errs += [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]
    return errs


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj.get("type"), old.get("type"), "type", errs)
    validate_frozen(obj, old, ("data",), errs)
    return errs


def warnings(obj: Dict) -> list[str]:
    """A TLS secret whose pair is no pair."""
    data = obj.get("data") or {}
    if obj.get("type") != "kubernetes.io/tls" or not {"tls.crt", "tls.key"} <= data.keys():
        return []
    certificate, key = (base64.b64decode(data[name]) for name in ("tls.crt", "tls.key"))
    if _CERTIFICATE.search(certificate) is None:
        return ["tls: failed to find any PEM data in certificate input"]
    if _KEY.search(key) is None:
        return ["tls: failed to find any PEM data in key input"]
    return _pair_warnings(certificate, key)


def _pair_warnings(certificate: bytes, key: bytes) -> list[str]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError) as error:
        return [f"tls: {error}"]
    return [] if private.public_key() == public else ["tls: private key does not match public key"]


SECRET = Strategy(
    default=default,
    validate=validate,
    validate_update=validate_update,
    warnings=warnings,
    has_generation=False,
)
