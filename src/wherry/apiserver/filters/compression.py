"""Large answers are sent compressed to those who take that, as upstream does: beyond 128 KiB, at gzip's quickest."""

from __future__ import annotations

import asyncio
import gzip

from wherry.apimachinery.http import Request, Response
from wherry.apiserver.negotiation import JSON, PROTOBUF, YAML

THRESHOLD = 128 << 10
LEVEL = 1
_FORMS = (JSON, YAML, PROTOBUF)


async def compressed(request: Request, response: Response) -> Response:
    """The same answer; zlib works beside the loop."""
    wanted = request.headers.get("accept-encoding")
    if not wanted or len(response.body) <= THRESHOLD or not response.content_type.startswith(_FORMS):
        return response
    if "gzip" not in (each.strip() for each in wanted.split(",")):
        return response
    response.body = await asyncio.to_thread(gzip.compress, response.body, LEVEL, mtime=0)
    response.headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    return response
