"""What was made as JSON, in the form that the client takes."""

from __future__ import annotations

import msgspec

from wherry.api.protobuf import ProtobufError
from wherry.api.protobuf_answers import to_protobuf, watch_frame
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Response
from wherry.apiserver.codec import decode_json, encode
from wherry.apiserver.negotiation import JSON, PROTOBUF, YAML, Media, not_acceptable
from wherry.apiserver.yamlbody import to_yaml

WATCH_PROTOBUF = f"{PROTOBUF};stream=watch"


def answer(body: bytes, media: Media, status: int = 200) -> Response:
    """A body that is JSON, as the client wants it.  Raises StatusError 406 where that cannot be said in protobuf."""
    if media.type == YAML:
        return Response(status, to_yaml(body), YAML)
    if media.type == PROTOBUF:
        try:
            return Response(status, to_protobuf(decode_json(body)), PROTOBUF)
        except ProtobufError as error:
            raise _beyond(error) from None
    return Response(status, msgspec.json.format(body, indent=2) if media.pretty else body)


def protobuf_event(kind: str, body: bytes) -> bytes:
    """A watch event in protobuf; where the object cannot be said in it, an error that makes the client list again."""
    try:
        return watch_frame(kind, decode_json(body))
    except ProtobufError as error:
        return watch_frame("ERROR", decode_json(encode(_beyond(error).to_json())))


def _beyond(error: ProtobufError) -> StatusError:
    return not_acceptable(f"only the following media types are accepted: {JSON}, {YAML} ({error})")
