"""What CertificateSigningRequests need beyond their strategy: who asks, when it was decided, and by which door.

Upstream's `csrStrategy`, `csrStatusStrategy` and `csrApprovalStrategy`.
"""

from __future__ import annotations

from wherry.api.resource import Object
from wherry.api.strategy.certificates import date_conditions, validate_decision
from wherry.apimachinery import errors
from wherry.apiserver.call import Call
from wherry.apiserver.registry.store import Finish
from wherry.util.clock import rfc3339


class CertificateRequests:
    """A Hook: it sees the call, which a strategy does not."""

    async def begin_create(self, call: Call, obj: Object) -> Finish | None:
        """The requester's identity is the server's word, never the client's."""
        spec, user = obj["spec"], call.user
        for name in ("username", "uid", "groups", "extra"):
            spec.pop(name, None)
        spec["username"] = user.name
        if user.groups:
            spec["groups"] = list(user.groups)
        if user.uid:
            spec["uid"] = user.uid
        if user.extra:
            spec["extra"] = {key: list(values) for key, values in user.extra.items()}
        return None

    async def begin_update(self, call: Call, obj: Object, old: Object) -> Finish | None:
        """Raises StatusError 422 when approval comes by /status, or what was decided is taken back."""
        if call.subresource not in ("approval", "status"):
            return None
        approving = call.subresource == "approval"
        if approving:  # it decides; it does not issue
            kept = {name: value for name, value in (old.get("status") or {}).items() if name != "conditions"}
            decided = (obj.get("status") or {}).get("conditions")
            obj["status"] = {**kept, **({"conditions": decided} if decided else {})}
        date_conditions(obj, old, rfc3339(call.now))
        if causes := validate_decision(obj, old, approving=approving):
            raise errors.invalid(call.resource.group, call.resource.kind, call.info.name, causes)
        return None

    def after_delete(self, obj: Object) -> None:
        return None
