"""Content negotiation: which of the served representations a client wants."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from wherry.apimachinery.errors import StatusError

SERVED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


@dataclass(frozen=True, slots=True)
class Media:
    """The chosen form: `as_` is "", "Table" or "PartialObjectMetadata(List)", of meta.k8s.io `version`."""

    type: str = "application/json"
    as_: str = ""
    version: str = "v1"
    pretty: bool = False


_AS = {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"}


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Media:
    """The first acceptable clause that wherry can serve.  Raises StatusError 406 when there is none."""
    if not accept or accept == "*/*":
        return Media()
    for clause in accept.split(","):
        kind, *pairs = (part.strip() for part in clause.split(";"))
        params = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if kind in ("*/*", "application/*"):
            kind = "application/json"
        if kind not in ("application/json", "application/yaml"):
            continue
        wanted = params.get("as", "")
        if wanted and (wanted not in _AS or params.get("g", "") != "meta.k8s.io" or params.get("v") not in ("v1", "v1beta1")):
            continue
        return Media(kind, wanted, params.get("v", "v1") if wanted else "v1")
    message = f"406: Not Acceptable\n\nAvailable representations: {SERVED.rsplit(', ', 1)[0]}"
    raise StatusError(406, "NotAcceptable", message, {})


def body_media(content_type: str) -> str:
    """The media type of a request's body, without parameters; an absent one means JSON."""
    return content_type.split(";", 1)[0].strip().lower() or "application/json"


def unsupported_media() -> StatusError:
    message = f"the body of the request was in an unknown format - accepted media types include: {SERVED.rsplit(', ', 1)[0]}"
    return StatusError(415, "UnsupportedMediaType", message)
