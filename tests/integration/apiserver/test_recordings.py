"""What a real API server answered, replayed: every case is passed, or listed with its reason.

The recordings are requests in the order sent; all are replayed against one server, whose clock the test drives.
"""

from __future__ import annotations

import json
from pathlib import Path

from api_harness import API, serve
from recorded import OPENSHIFT, Replay

from wherry.util.clock import FakeClock

FILES = ("defaults", "reads", "tables", "errors", "patches", "lists")
# case -> why wherry's answer differs
KNOWN: dict[str, str] = {}


async def _as_the_controllers_did(api: API, replay: Replay, name: str) -> None:
    """What controllers made between two recorded requests and later ones show."""
    if name == "defaults/namespace":
        await api.call("POST", "/api/v1/namespaces/rec/serviceaccounts", {"metadata": {"name": "default"}})
        for config_map in ("kube-root-ca.crt", OPENSHIFT):
            body = {"metadata": {"name": config_map}, "data": {"ca.crt": ""}}
            await api.call("POST", "/api/v1/namespaces/rec/configmaps", body, user_agent="kube-controller-manager/1")
    if name == "patches/deletecollection":  # the recorder's own preparation for the lists
        for index in range(7):
            body = {"metadata": {"name": f"pg{index}", "labels": {"page": "y"}}}
            await api.call("POST", "/api/v1/namespaces/rec/configmaps", body)
    if name == "lists/empty":
        replay.revision = (await api.call("GET", "/api/v1/namespaces/rec/configmaps"))["metadata"]["resourceVersion"]
        await api.call("POST", "/api/v1/namespaces/rec/configmaps", {"metadata": {"name": "w1"}})
        await api.call("DELETE", "/api/v1/namespaces/rec/configmaps/w1")


async def _replay_all(shared: Path) -> dict[str, list[str]]:
    clock, results = FakeClock(), {}
    async with serve(clock) as api:
        replay = Replay(api, clock)
        for file in FILES:
            for case in json.loads((shared / "upstream/api" / f"{file}.json").read_text()):
                name = f"{file}/{case['name']}"
                while name in results:
                    name += "'"
                results[name] = await replay.differences(case)
                await _as_the_controllers_did(api, replay, name)
    return results


async def test_recorded_answers(shared: Path) -> None:
    results = await _replay_all(shared)
    wrong = {name: found for name, found in results.items() if found and name not in KNOWN}
    text = "\n".join(f"{name}\n    " + "\n    ".join(found[:12]) for name, found in wrong.items())
    assert not wrong, f"{len(wrong)} of {len(results)} differ\n{text}"
    stale = sorted(name for name in KNOWN if not results.get(name))
    assert not stale, f"these pass now, or are no cases: {stale}"
