"""One call of the API as the layers below the endpoints see it: who, what, how, and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from wherry.api.resource import Resource
from wherry.apimachinery.http import Request, UserInfo
from wherry.apiserver.codec import Codec
from wherry.apiserver.requestinfo import RequestInfo


@dataclass(slots=True)
class Call:
    """A request for a known resource, its options parsed."""

    request: Request
    info: RequestInfo
    user: UserInfo
    codec: Codec
    now: float  # wall seconds
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)  # warned of when the call is refused

    @property
    def resource(self) -> Resource:
        return self.codec.resource

    @property
    def subresource(self) -> str:
        return self.info.subresource

    def warn(self, text: str) -> None:
        """Add a `Warning:` header to the answer, once."""
        if text not in self.warnings:
            self.warnings.append(text)
