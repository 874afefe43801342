"""What a real API server answered, replayed: every case is passed, or listed with its reason.

The recordings are requests in the order sent; all are replayed against one server, whose clock the test drives.
"""

from __future__ import annotations

import json
from pathlib import Path

from api_harness import API, serve
from recorded import OPENSHIFT, Replay

from wherry.util.clock import FakeClock

REVISION = "deployment.kubernetes.io/revision"
FILES = ("defaults", "reads", "tables", "errors", "patches", "lists")
BOOTSTRAP = "what a new cluster holds is made by `cluster.bootstrap` (tested there), and wherry has fewer controllers to allow for"
FLOW = "wherry has no flow control yet, so no flow schemas of its own"
CUSTOM = "custom resources are not served yet: a CustomResourceDefinition is stored, with a warning"
CONTROLLED = "shows a controller's work that no managedFields entry tells of"
PROTOBUF = "wherry does not serve protobuf, and says so"
HINT = "beside upstream's words, a Warning names the field that was probably meant"
# case -> why wherry's answer differs
KNOWN: dict[str, str] = {
    "errors/unknown-field-strict": HINT,
    "errors/cron-misspelt-strict": HINT,
    "defaults/custom-resource": CUSTOM,
    "defaults/custom-resource-invalid": CUSTOM,
    "reads/kubernetes-service": BOOTSTRAP,
    "reads/clusterroles": BOOTSTRAP,
    "reads/clusterrolebindings": BOOTSTRAP,
    "reads/system-roles": BOOTSTRAP,
    "reads/system-rolebindings": BOOTSTRAP,
    "reads/priorityclasses": BOOTSTRAP,
    "reads/namespaces": BOOTSTRAP,
    "reads/flowschemas": FLOW,
    "reads/prioritylevels": FLOW,
    "reads/servicecidrs": "the Service range is an option of the server, not an object yet",
    "reads/ipaddresses": "addresses are allocated in memory, from the Services that exist; there are no IPAddress objects",
    "tables/resourcequotas": f"{CONTROLLED}: usage after Pods that were there before the quota",
    "tables/persistentvolumes": f"{CONTROLLED}: the binder made the volume Available",
    "tables/nodes": f"{CONTROLLED}: the ttl annotation, set by a controller that wherry does not have",
    "tables/daemonsets": "upstream's Tables show the internal object, in which this annotation is a field",
    "tables/jobs": f"{CONTROLLED}: the job controller marked both Jobs as Suspended",
    "tables/priorityclasses": BOOTSTRAP,
    "tables/foos": CUSTOM,
    "tables/nodes-one": "the recording was made with a node n1, which was not made through these requests",
    "errors/watch-old-rv": f"{CONTROLLED}: events of the scheduler's writes",
    "lists/watch-initial-events": "the recorded server's etcd lacked a feature; wherry serves sendInitialEvents (test_watch.py)",
}


async def _as_the_controllers_did(api: API, replay: Replay, name: str) -> None:
    """What controllers made between two recorded requests and later ones show."""
    if name == "defaults/namespace":
        await api.call("POST", "/api/v1/namespaces/rec/serviceaccounts", {"metadata": {"name": "default"}})
        for config_map in ("kube-root-ca.crt", OPENSHIFT):
            body = {"metadata": {"name": config_map}, "data": {"ca.crt": ""}}
            await api.call("POST", "/api/v1/namespaces/rec/configmaps", body, user_agent="kube-controller-manager/1")
    if name == "patches/apply-create":  # the deployment controller notes the revision, with the status
        await api.call(
            "PATCH", "/apis/apps/v1/namespaces/rec/deployments/ap/status", {"metadata": {"annotations": {REVISION: "1"}}},
            user_agent="kube-controller-manager/1", content_type="application/merge-patch+json",
        )
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
    async with serve(clock, disabled_admission=()) as api:
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
