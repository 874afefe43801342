"""Bodies in YAML: clients may send and ask for it."""

from __future__ import annotations

from wherry.apiserver.codec import decode_json


def to_yaml(body: bytes) -> bytes:
    """JSON bytes as YAML."""
    import yaml

    return yaml.safe_dump(decode_json(body), default_flow_style=False, sort_keys=True, allow_unicode=True).encode()
