"""What a proxied answer says of itself, told so that it leads through the proxy again: redirects, and links in HTML.

A page at `/api/v1/namespaces/n/services/web/proxy/` that links to `/style.css` means its own server's, not ours.
"""

from __future__ import annotations

import gzip
import html
import re
import zlib
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

MAX_HTML = 1 << 20  # bytes of a page: a larger one is left as it is
# Attributes that hold a URL, of each element (https://html.spec.whatwg.org/#attributes-3).
_URLS = {
    "a": ("href",), "applet": ("codebase",), "area": ("href",), "audio": ("src",), "base": ("href",), "blockquote": ("cite",),
    "body": ("background",), "button": ("formaction",), "command": ("icon",), "del": ("cite",), "embed": ("src",),
    "form": ("action",), "frame": ("longdesc", "src"), "head": ("profile",), "html": ("manifest",), "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"), "input": ("src", "usemap", "formaction"), "ins": ("cite",), "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"), "q": ("cite",), "script": ("src",), "source": ("src",),
    "video": ("poster", "src"),
}
# A comment, the text of a script or a style, or a start tag.  Bounded: a page that is made to hurt costs little.
_MARKUP = re.compile(
    r"<!--.*?-->"
    r"|(?P<raw><(?P<which>script|style)\b[^<>]{0,4096}+>)(?P<text>.*?)(?=</(?P=which))"
    r"|<(?P<name>[a-z][a-z0-9]*+)(?P<attributes>(?:[^\"'<>]++|\"[^\"]{0,8192}+\"|'[^']{0,8192}+'){1,64}+)>",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""(?P<key>[^\s"'<>/=]++)(?P<is>\s*+=\s*+)(?P<value>"[^"]*+"|'[^']*+'|[^\s"'>]++)""")


@dataclass(frozen=True, slots=True)
class Rewriter:
    """`prefix` is the proxy's own path; `hosts` are the names under which the page may speak of its server."""

    prefix: str
    hosts: tuple[str, ...]

    def url(self, target: str) -> str:
        """An absolute path on the page's server, led through the proxy; anything else as it is."""
        try:
            parts = urlsplit(target)
        except ValueError:
            return target
        if (parts.netloc and parts.netloc not in self.hosts) or not parts.path.startswith("/"):
            return target
        path = parts.path if parts.path.startswith(self.prefix) else self.prefix + parts.path
        return urlunsplit(("", "", path, parts.query, parts.fragment))

    def page(self, text: str) -> str:
        """HTML with its links led through the proxy."""
        return _MARKUP.sub(self._markup, text)

    def _markup(self, found: re.Match[str]) -> str:
        if found["raw"]:
            return self._tag(found["raw"], found["which"]) + found["text"]
        return self._tag(found[0], found["name"]) if found["name"] else found[0]

    def _tag(self, tag: str, name: str) -> str:
        wanted = _URLS.get(name.lower(), ())

        def attribute(found: re.Match[str]) -> str:
            if found["key"].lower() not in wanted:
                return found[0]
            value = found["value"]
            quote = value[0] if value[0] in "\"'" else ""
            plain = html.unescape(value[1:-1] if quote else value)
            led = self.url(plain)
            return found[0] if led == plain else f'{found["key"]}{found["is"]}"{html.escape(led)}"'

        return _ATTRIBUTE.sub(attribute, tag) if wanted else tag

    def body(self, body: bytes, encoding: str) -> bytes:
        """A page's bytes (`encoding`: its Content-Encoding), rewritten where it can be read."""
        try:
            if encoding == "gzip":
                plain = _inflate(body, 31)
                return gzip.compress(self._bytes(plain), mtime=0)
            return self._bytes(body) if not encoding else body
        except (ValueError, zlib.error):
            return body  # not what it says it is: the client's to judge

    def _bytes(self, plain: bytes) -> bytes:
        return self.page(plain.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _inflate(body: bytes, window: int) -> bytes:
    """Raises ValueError when more comes out than a page may have."""
    plain = zlib.decompressobj(window)
    text = plain.decompress(body, MAX_HTML)
    if plain.unconsumed_tail:
        raise ValueError("too large")
    return text
