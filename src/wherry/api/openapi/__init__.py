"""OpenAPI v2 and v3 of the served resources: what `kubectl explain` shows and clients validate by.

A document is built when it is first asked for, piece by piece, and kept compressed: the whole of it never
stands in memory as objects.  Its hash comes from what it is made of, so the index needs no document.
When a custom resource arrives, a new `OpenAPI` takes the old one's place.
https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from types import MappingProxyType
from typing import Any

import msgspec

from wherry import __version__
from wherry.api import schemas
from wherry.api.openapi import gnostic, prose
from wherry.api.openapi.definitions import V2, V3, Definitions, Document
from wherry.api.openapi.paths import as_v2, paths_of
from wherry.api.resource import Resource, Version

TITLE = "Kubernetes"
log = logging.getLogger(__name__)
_json = msgspec.json.Encoder().encode


class OpenAPI:
    """The documents over `resources`.  Not for several threads at once.

    extra_schemas: definition name -> OpenAPI v3 schema, for versions whose schema the table does not have.
    """

    def __init__(
        self, resources: Iterable[Resource], extra_schemas: Mapping[str, Document] | None = None, version: str = "v1.37.0",
    ) -> None:
        self._version = version
        self._extra = extra_schemas or {}
        self._kinds: dict[str, list[Document]] = {}
        self._rows: dict[str, list[tuple[Resource, Version]]] = {}
        for resource in resources:
            for served in resource.versions:
                group = resource.group if served.group is None else served.group
                place = f"apis/{group}/{served.name}" if group else f"api/{served.name}"
                self._rows.setdefault(place, []).append((resource, served))
                for suffix in ("", "List") if "list" in resource.verbs else ("",):
                    gvk = {"group": group, "kind": resource.kind + suffix, "version": served.name}
                    self._kinds.setdefault(served.schema + suffix, []).append(gvk)
        self._hashes = {place: self._hash(place) for place in self._rows}
        self._hash_v3 = self._hash_v2 = hashlib.sha256("".join(self._hashes.values()).encode()).hexdigest().upper()
        self._kept: dict[str, bytes] = {}
        self._others: Mapping[str, Mapping[str, Document]] = {}

    def with_others(self, others: Mapping[str, Mapping[str, Document]]) -> OpenAPI:
        """The same, and with what other servers serve: by place, the paths and definitions of OpenAPI v2."""
        if others == self._others:
            return self
        merged = copy(self)
        merged._others = others
        told = _json([merged._hash_v3, dict(others)])
        merged._hash_v2 = hashlib.sha256(told).hexdigest().upper()
        merged._kept = {name: body for name, body in self._kept.items() if not name.startswith("v2.")}
        return merged

    def v2_json(self) -> tuple[bytes, str]:
        """/openapi/v2 as JSON, and its ETag."""
        return self._keep("v2.json", self._build_v2_json), f"{self._hash_v2}-json"

    def v2_proto(self) -> tuple[bytes, str]:
        """/openapi/v2 as gnostic protobuf, and its ETag."""
        return self._keep("v2.proto", self._build_v2_proto), f"{self._hash_v2}-proto"

    def v3_index(self, others: Mapping[str, str] = MappingProxyType({})) -> bytes:
        """/openapi/v3: where the document of each group version stands, with its hash.  `others`: by place, those of other servers."""
        urls = {**{place: f"/openapi/v3/{place}?hash={self._hashes[place]}" for place in self._rows}, **others}
        return _json({"paths": {place: {"serverRelativeURL": urls[place]} for place in sorted(urls)}})

    def v3(self, path: str) -> tuple[bytes, str] | None:
        """The document of "api/v1" or "apis/apps/v1", and its ETag.  None when nothing is served there."""
        if path not in self._rows:
            return None
        return self._keep(path, lambda: self._build_v3(path)), self._hashes[path]

    def _hash(self, place: str) -> str:
        """Of all that the document is made of: its rows, their schemas, the prose, and the program that writes it."""
        made_by = f"{__version__} {self._version} {schemas.digest()} {prose.version()} {place}"
        digest = hashlib.sha256(made_by.encode())
        for resource, served in self._rows[place]:
            told = (resource.plural, resource.kind, resource.namespaced, resource.verbs, resource.subresources, served.schema)
            digest.update(repr((*told, self._extra.get(served.schema))).encode())
        return digest.hexdigest().upper()

    def _keep(self, name: str, build: Callable[[], bytes]) -> bytes:
        packed = self._kept.get(name)
        if packed is not None:
            return zlib.decompress(packed)
        body = build()
        self._kept[name] = zlib.compress(body, 3)
        return body

    def _build_v3(self, place: str) -> bytes:
        definitions = Definitions(V3, prose.Library(), self._extra, self._kinds)
        paths = sorted((path, item) for row in self._rows[place] for path, item in paths_of(*row, definitions))
        head = {"openapi": "3.0.0", "info": {"title": TITLE, "version": self._version}}
        return _joined(
            head, b'"paths":{%s},"components":{"schemas":{%s}}' % (_members(paths), _members(definitions.wanted())),
        )

    def _build_v2_json(self) -> bytes:
        paths, definitions = self._pieces(_member, _member)
        head = {"swagger": "2.0", "info": {"title": TITLE, "version": self._version}}
        return _joined(head, b'"paths":{%s},"definitions":{%s}' % (b",".join(paths), b",".join(definitions)))

    def _build_v2_proto(self) -> bytes:
        return gnostic.document(TITLE, self._version, *self._pieces(gnostic.path, gnostic.definition))

    def _pieces(
        self, path: Callable[[str, Document], bytes], definition: Callable[[str, Document], bytes],
    ) -> tuple[list[bytes], list[bytes]]:
        """The v2 document's paths and definitions, each written as soon as it is made."""
        definitions = Definitions(V2, prose.Library(), self._extra, self._kinds)
        paths = [
            path(name, as_v2(item)) for place in sorted(self._rows) if place not in self._others for row in self._rows[place]
            for name, item in paths_of(*row, definitions)
        ]
        own = dict(definitions.wanted())
        written = [definition(name, value) for name, value in own.items()]
        for place, other in self._others.items():
            try:
                more = [path(name, item) for name, item in other.get("paths", {}).items()]
                defined = {name: value for name, value in other.get("definitions", {}).items() if name not in own}
                written += [definition(name, value) for name, value in defined.items()]
            except (KeyError, TypeError, AttributeError, ValueError) as error:  # said in words that v2's protobuf has no field for
                log.warning("OpenAPI v2 of %s is left out: %r", place, error)
                continue
            own |= defined
            paths += more
        return paths, written


def _member(name: str, value: Any) -> bytes:
    return _json(name) + b":" + _json(value)


def _members(pairs: Iterable[tuple[str, Any]]) -> bytes:
    return b",".join(_member(name, value) for name, value in pairs)


def _joined(head: Document, rest: bytes) -> bytes:
    return _json(head)[:-1] + b"," + rest + b"}"
