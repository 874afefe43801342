"""`/logs/`: the node's own logs, the files under /var/log.  Blocking; nothing outside is told, whatever links lie there."""

from __future__ import annotations

import html
import mimetypes
from pathlib import Path
from urllib.parse import quote

from wherry.apimachinery.http import Response

_TEXT = "text/plain; charset=utf-8"
MAX_SIZE = 64 << 20


def node_log(path: str, root: Path = Path("/var/log")) -> Response:
    """A file, or a directory's list, at `path` (as the request has it, after `/logs/`)."""
    target = (root / path.lstrip("/")).resolve()
    if not target.is_relative_to(root.resolve()):
        return Response(404, b"404 page not found\n", _TEXT)
    try:
        if target.is_dir():
            names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in target.iterdir())
            links = "".join(f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names)
            return Response(200, f"<!doctype html>\n<pre>\n{links}</pre>\n".encode(), "text/html; charset=utf-8")
        if not target.is_file():
            return Response(404, b"404 page not found\n", _TEXT)
        with target.open("rb") as file:
            data = file.read(MAX_SIZE)
    except OSError as error:
        return Response(500, f"{error.strerror}\n".encode(), _TEXT)
    return Response(200, data, mimetypes.guess_type(target.name)[0] or _TEXT)
