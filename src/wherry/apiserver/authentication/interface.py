"""Authentication: who sent a request.  A chain of authenticators; the first that knows the client wins."""

from __future__ import annotations

from typing import Protocol

from wherry.apimachinery.http import Request, UserInfo

AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
ANONYMOUS = UserInfo("system:anonymous", (UNAUTHENTICATED,))


class Authenticator(Protocol):
    """Reads credentials of one kind."""

    def authenticate(self, request: Request) -> UserInfo | None:
        """The user, or None when the request bears no credentials of this kind.
        Raises StatusError 401 when it bears some that are wrong.  Called for every request: must be quick."""
        ...
