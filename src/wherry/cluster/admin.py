"""The cluster's own API as its administrator asks it from the command line: no client library, quick to import."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from wherry.cluster.config import ClusterConfig, spelt


class NoAnswer(Exception):
    """The API cannot be asked, or does not answer; the text says why and what to do."""


class Refused(Exception):
    """It answered with an error: the Status's message."""


def ask(config: ClusterConfig, path: str, body: bytes | None = None, *, seconds: float = 10.0) -> Any:
    """GET, or POST when there is a body.  Raises NoAnswer, Refused."""
    try:
        context = ssl.create_default_context(cafile=str(config.pki / "ca.crt"))
        token = (config.pki / "admin.token").read_text().strip()
    except (OSError, ValueError) as error:
        again = f"{spelt('down', config.name)} and {spelt('up', config.name)} make what is missing"
        raise NoAnswer(f"{config.pki}/ca.crt or admin.token cannot be read ({error}): {again}") from None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"https://127.0.0.1:{config.port}{path}", body, headers)
    try:
        with urllib.request.urlopen(request, context=context, timeout=seconds) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Refused(_message(error)) from None
    except (OSError, ValueError) as error:
        from wherry.cluster.lifecycle import running

        if not running(config):
            raise NoAnswer(f"cluster {config.name!r} is down: {spelt('up', config.name)} brings it back") from None
        why = getattr(error, "reason", error)
        raise NoAnswer(f"the cluster does not answer ({why}): {config.run / 'wherry.log'} may tell why") from None


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return str(error)
