"""Whether an API's server answers: the condition Available, with upstream's reasons and messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from wherry.api.resource import Object
from wherry.apiserver.aggregator.backend import Backend, several
from wherry.apiserver.aggregator.model import AVAILABLE, APIService, condition_of
from wherry.apiserver.aggregator.resolve import Verdict
from wherry.client.forward import Unreachable
from wherry.util.clock import rfc3339

PROBE_SECONDS = 5.0
LOCAL = Verdict("True", "Local", "Local APIServices are always available")
PASSED = Verdict("True", "Passed", "all checks passed")
FAILED = "FailedDiscoveryCheck"


async def probe(backend: Backend, service: APIService, places: Iterable[str]) -> tuple[str, str]:
    """(a place that answers, "") or ("", what the last one said): the discovery of the group version is asked."""

    async def one(place: str) -> str:
        where = f"https://{place}{service.path}"
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                response = await backend.ask(place, service.path)
                if response.stream is not None:
                    async for _ in response.stream:
                        pass
        except TimeoutError:
            why = f'Get "{where}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        except Unreachable as error:
            why = f'Get "{where}": {error}'
        except OSError as error:
            why = f'Get "{where}": {error}'
        else:
            if 200 <= response.status < 400:
                return ""
            why = f"bad status from {where}: {response.status}"
        return f"failing or missing response from {where}: {why}"

    tried = several(list(places))
    told = await asyncio.gather(*(one(place) for place in tried))
    good = next((place for place, why in zip(tried, told, strict=True) if not why), "")
    return good, "" if good else told[-1]


def with_condition(obj: Object, verdict: Verdict, now: float) -> Object | None:
    """The status that tells the verdict; None when it tells it already.  Pure."""
    old = condition_of(obj)
    told = {"status": verdict.status, "reason": verdict.reason, "message": verdict.message}
    if old is not None and {key: old.get(key) for key in told} == told:
        return None
    since = old.get("lastTransitionTime") if old is not None and old.get("status") == verdict.status else None
    status = dict(obj.get("status") or {})
    others = [each for each in status.get("conditions") or () if each.get("type") != AVAILABLE]
    status["conditions"] = [*others, {"type": AVAILABLE, **told, "lastTransitionTime": since or rfc3339(now)}]
    return status
