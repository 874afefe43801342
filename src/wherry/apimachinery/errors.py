"""The one error type on the wire: `Status` (metav1), with reason, details and causes.

Constructors are named as in upstream's `api/errors`, and word their messages as it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason among several; for validation errors `field` is the path."""

    reason: str
    message: str
    field: str = ""

    def to_json(self) -> dict[str, str]:
        return {k: v for k, v in (("reason", self.reason), ("message", self.message), ("field", self.field)) if v}


class StatusError(Exception):
    """An answer that is a failure.  Raised by handlers, clients and storage alike."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details
        self.warnings: tuple[str, ...] = ()  # told beside the failure, as Warning headers
        self.metadata: dict[str, Any] = {}  # of an expired list: a token to go on with, inconsistently

    def to_json(self) -> dict[str, Any]:
        """The metav1.Status object."""
        status: dict[str, Any] = {
            "kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        }
        if not self.reason:
            del status["reason"]
        if self.details is not None:
            status["details"] = self.details
        return status

    @classmethod
    def from_json(cls, status: dict[str, Any], code: int = 500) -> StatusError:
        return cls(status.get("code", code), status.get("reason", ""), status.get("message", ""), status.get("details"))

    def __repr__(self) -> str:
        return f"StatusError({self.code}, {self.reason!r}, {self.message!r})"


def _details(group: str, resource: str, name: str, **more: Any) -> dict[str, Any]:
    details = {"name": name, "group": group, "kind": resource, **more}
    return {k: v for k, v in details.items() if v}


def _qualified(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def not_found(group: str, resource: str, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{_qualified(group, resource)} "{name}" not found', _details(group, resource, name))


def page_not_found() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, resource: str, name: str) -> StatusError:
    message = f'{_qualified(group, resource)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(group, resource, name))


def conflict(group: str, resource: str, name: str, why: str = "") -> StatusError:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {_qualified(group, resource)} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(group, resource, name))


def invalid(group: str, kind: str, name: str, causes: list[Cause]) -> StatusError:
    """422: one cause a field error, all told in the message."""
    texts = list(dict.fromkeys(f"{c.field}: {c.message}" for c in causes))
    told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    message = f'{_qualified(group, kind)} "{name}" is invalid: {told}'
    return StatusError(422, "Invalid", message, _details(group, kind, name, causes=[c.to_json() for c in causes]))


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def forbidden(group: str, resource: str, name: str, why: str) -> StatusError:
    named = f' "{name}"' if name else ""
    message = f"{_qualified(group, resource)}{named} is forbidden: {why}"
    return StatusError(403, "Forbidden", message, _details(group, resource, name))


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def expired(message: str) -> StatusError:
    """410: a resourceVersion or continue token that history no longer holds."""
    return StatusError(410, "Expired", message)


def timeout(message: str, retry_after: int = 0, causes: list[Cause] | None = None) -> StatusError:
    details = {"causes": [c.to_json() for c in causes or []], "retryAfterSeconds": retry_after}
    return StatusError(504, "Timeout", message, {k: v for k, v in details.items() if v})


def too_many_requests(message: str, retry_after: int = 1) -> StatusError:
    return StatusError(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after})


def service_unavailable(message: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", message)


def internal_error(message: str) -> StatusError:
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def is_not_found(error: BaseException) -> bool:
    return isinstance(error, StatusError) and error.reason == "NotFound"


def is_conflict(error: BaseException) -> bool:
    return isinstance(error, StatusError) and error.reason == "Conflict"


def is_already_exists(error: BaseException) -> bool:
    return isinstance(error, StatusError) and error.reason == "AlreadyExists"
