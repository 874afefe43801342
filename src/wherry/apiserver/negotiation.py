"""Content negotiation: which of the served representations a client wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
SERVED = f"{JSON}, {YAML}, {PROTOBUF}"


@dataclass(frozen=True, slots=True)
class Media:
    """The chosen form: `as_` is "", "Table" or "PartialObjectMetadata(List)", of meta.k8s.io `version`."""

    type: str = JSON
    as_: str = ""
    version: str = "v1"
    pretty: bool = False


_AS = {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"}


def accepted(request: Request) -> Media:
    """How `request` wants its answer.  Raises StatusError 406.

    `pretty` is asked for by parameter; people who look with a browser, curl or wget get it unasked.
    """
    media = negotiate(request.headers.get("accept", ""))
    if media.type == JSON and (media.pretty or _wants_pretty(request)):
        return replace(media, pretty=True)
    return media


def _wants_pretty(request: Request) -> bool:
    given = request.param("pretty")
    if given:
        return given in ("1", "t", "T", "true", "TRUE", "True")
    return request.headers.get("user-agent", "").startswith(("curl", "Wget", "Mozilla/5.0"))


@lru_cache(maxsize=256)
def negotiate(accept: str) -> Media:
    """The first acceptable clause that wherry can serve.  Raises StatusError 406 when there is none.

    Protobuf comes last, wherever it stands: all is stored as JSON, and a client that reads both reads that as well.
    """
    if not accept or accept == "*/*":
        return Media()
    clauses = [_clause(text) for text in accept.split(",")]
    for form in ((JSON, YAML), (PROTOBUF,)):
        for kind, params in clauses:
            wanted = params.get("as", "")
            if kind in form and _served(kind, wanted, params):
                return Media(kind, wanted, params.get("v", "v1") if wanted else "v1", params.get("pretty") == "1")
    if any(kind in (JSON, YAML, PROTOBUF) for kind, _ in clauses):  # but not in the shape that is asked for
        raise not_acceptable(f"only the following media types are accepted: {SERVED}")
    raise not_acceptable(f"406: Not Acceptable\n\nAvailable representations: {SERVED}")


def _clause(text: str) -> tuple[str, dict[str, str]]:
    kind, *pairs = (part.strip() for part in text.split(";"))
    return JSON if kind in ("*/*", "application/*") else kind, dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _served(kind: str, wanted: str, params: dict[str, str]) -> bool:
    if not wanted:
        return True
    known = wanted in _AS and params.get("g", "") == "meta.k8s.io" and params.get("v") in ("v1", "v1beta1")
    return known and not (kind == PROTOBUF and wanted == "Table")  # a Table's cells are of any type


def check_shape(media: Media, internal: str, *, single: bool) -> None:
    """A list is no object, an object no list.  `internal` is the kind in upstream's words.  Raises StatusError 406."""
    if media.as_ == "PartialObjectMetadataList" and single:
        why = f"you requested PartialObjectMetadataList, but the requested object is not a list (*{internal})"
        raise not_acceptable(why)
    if media.as_ == "PartialObjectMetadata" and not single:
        raise not_acceptable(f"you requested PartialObjectMetadata, but the requested object is a list (*{internal}List)")


def not_acceptable(why: str) -> StatusError:
    return StatusError(406, "NotAcceptable", why, {})


def body_media(content_type: str) -> str:
    """The media type of a request's body, without parameters; an absent one means JSON."""
    return content_type.split(";", 1)[0].strip().lower() or "application/json"


def unsupported_media() -> StatusError:
    message = f"the body of the request was in an unknown format - accepted media types include: {SERVED}"
    return StatusError(415, "UnsupportedMediaType", message)
