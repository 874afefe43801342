"""What a patch fails with: a `StatusError`, so whoever does not care lets it through to the client."""

from __future__ import annotations

from typing import Any

from wherry.apimachinery.errors import StatusError


class PatchError(StatusError):
    """A patch that cannot be read (400, 413), does not fit the document (422), or contradicts itself (500)."""

    def __init__(
        self, message: str, code: int = 400, reason: str = "BadRequest", details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(code, reason, message, details)

    @property
    def rejected(self) -> bool:
        """True when the patch was read but the document does not fit it."""
        return self.code == 422
