"""The strategic merge patch between two statuses: only what changed, so that others' conditions stand."""

from __future__ import annotations

from wherry.kubelet.status.conditions import RESIZING, Json

OTHERS = ("resourceClaimStatuses", "extendedResourceClaimStatus")  # written by the controller of claims and by the scheduler


def status_patch(uid: str, old: Json, new: Json) -> Json | None:
    """The patch that makes `old` into `new`; None when nothing changed.  `uid` guards against a namesake."""
    changes: Json = {}
    for name in {*old, *new} - {"conditions", *OTHERS}:
        if old.get(name) != new.get(name):
            changes[name] = _list_changes(name, old, new) if name in ("podIPs", "hostIPs") else new.get(name)
    conditions = _condition_changes(old.get("conditions", []), new.get("conditions", []))
    if conditions:
        changes["conditions"] = conditions
        changes["$setElementOrder/conditions"] = [{"type": each["type"]} for each in new["conditions"]]
    return {"metadata": {"uid": uid}, "status": changes} if changes else None


def _list_changes(name: str, old: Json, new: Json) -> list[Json]:
    """Addresses merge by `ip`: those that went away must be deleted by name."""
    have = {each["ip"] for each in new.get(name, [])}
    gone = [{"$patch": "delete", "ip": each["ip"]} for each in old.get(name, []) if each["ip"] not in have]
    return [*gone, *new.get(name, [])]


def _condition_changes(old: list[Json], new: list[Json]) -> list[Json]:
    before = {each["type"]: each for each in old}
    changed = []
    for each in new:
        was = before.get(each["type"], {})
        if any(was.get(key) != value for key, value in each.items()) or was.keys() - each.keys() - {"lastProbeTime"}:
            gone = dict.fromkeys(was.keys() - each.keys() - {"lastProbeTime"})
            changed.append({**each, **gone})
    over = before.keys() & {*RESIZING} - {each["type"] for each in new}  # the only ones of ours that go again
    return [*changed, *({"$patch": "delete", "type": kind} for kind in sorted(over))]
