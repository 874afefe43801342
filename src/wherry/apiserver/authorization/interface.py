"""Authorization: may this user do this?  Authorizers are asked in turn; the first to allow wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wherry.apimachinery.http import UserInfo
from wherry.apiserver.requestinfo import RequestInfo


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is told to the client when nobody allows."""

    allowed: bool
    reason: str = ""


class Authorizer(Protocol):
    """Decides from memory, without waiting: called for every request."""

    def authorize(self, user: UserInfo, info: RequestInfo) -> Decision: ...
