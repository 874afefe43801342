"""componentstatuses: how the parts of the control plane are, looked at when someone asks.

Deprecated since v1.19, and still what many tutorials begin with.  Only what this process can look at is listed.
"""

from __future__ import annotations

from collections.abc import Mapping

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.http import Response
from wherry.apiserver.call import Call
from wherry.apiserver.endpoints.made import made_answer
from wherry.apiserver.endpoints.options import parse_list
from wherry.apiserver.endpoints.plain import Check
from wherry.apiserver.endpoints.selection import Selection
from wherry.storage.cached import CachedObject
from wherry.util.clock import Clock


class ComponentStatuses:
    """`checks` by component: what is wrong with it, "" when nothing is."""

    def __init__(self, checks: Mapping[str, Check], clock: Clock) -> None:
        self._checks, self._clock = checks, clock

    async def __call__(self, call: Call) -> Response:
        """Raises StatusError 404 or 405."""
        info = call.info
        if info.subresource:
            raise errors.page_not_found()
        if info.verb not in ("get", "list"):
            raise errors.method_not_allowed()
        sources = [CachedObject(name, "", name, 0, b"", {}, {}, {}) for name in sorted(self._checks)]
        if info.verb == "get":
            chosen = [each for each in sources if each.name == info.name]
        else:
            options = parse_list(call.request, call.codec, watch=False)
            selection = Selection("", "", options.labels, options.fields)
            chosen = [each for each in sources if selection.matches(each)]
        made = [(each, status_of(each.name, self._checks[each.name]())) for each in chosen]
        return made_answer(call, "componentstatuses", made, self._clock)


def status_of(name: str, wrong: str) -> Object:
    """A ComponentStatus."""
    condition = {"type": "Healthy", "status": "False" if wrong else "True", "message": wrong or "ok"}
    return {"metadata": {"name": name}, "conditions": [condition]}
