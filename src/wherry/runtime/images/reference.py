"""Image references, normalised as Docker does.  Pure.

`busybox` is `docker.io/library/busybox:latest`.  Grammar: github.com/distribution/reference.
"""

import re
from dataclasses import dataclass

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A full name: registry, repository, and a tag or a digest or both."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        return f"{self.domain}/{self.path}"

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """Raises ValueError in upstream's words."""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ValueError("invalid reference format")
    head, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        rest, tag = rest, ""
    else:
        rest = head
        if not _TAG.fullmatch(tag):
            raise ValueError("invalid reference format")
    domain, path = _split(rest)
    if path != path.lower():
        raise ValueError(f"invalid reference format: repository name ({path}) must be lowercase")
    if not _DOMAIN.fullmatch(domain) or not _PATH.fullmatch(path):
        raise ValueError("invalid reference format")
    return Reference(domain, path, tag if tag or digest else "latest", digest)


def _split(name: str) -> tuple[str, str]:
    """The registry and the repository; a first part without dot, colon or capitals is no registry."""
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        first, rest = "docker.io", name
    if first == "index.docker.io":
        first = "docker.io"
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def is_id(text: str) -> bool:
    """Whether `text` is an image's id, which is no reference."""
    return re.fullmatch(r"(sha256:)?[0-9a-f]{64}", text) is not None
