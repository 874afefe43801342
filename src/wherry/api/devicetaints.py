"""Taints of devices, from their ResourceSlice and from DeviceTaintRules, and who tolerates them.  Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#device-taints-and-tolerations
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wherry.api.types import resource_v1

PREVENTS = ("NoSchedule", "NoExecute")
DeviceID = tuple[str, str, str]  # driver, pool, name
Rules = Sequence[resource_v1.DeviceTaintRule]


def selects(rule: resource_v1.DeviceTaintRule, device: DeviceID) -> bool:
    """Whether the rule taints the device.  A rule without a selector taints none; one whose selector is empty taints all."""
    wanted = rule.spec.device_selector
    if wanted is None:
        return False
    return all(not want or want == have for want, have in zip((wanted.driver, wanted.pool, wanted.device), device, strict=True))


def taints_of(identity: DeviceID, device: resource_v1.Device, rules: Rules) -> list[resource_v1.DeviceTaint]:
    return [*device.taints, *(rule.spec.taint for rule in rules if selects(rule, identity))]


def tolerates(toleration: resource_v1.DeviceToleration, taint: resource_v1.DeviceTaint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    return toleration.operator == "Exists" or (toleration.operator in ("", "Equal") and toleration.value == taint.value)


def prevents(taints: Iterable[resource_v1.DeviceTaint], tolerations: Sequence[resource_v1.DeviceToleration]) -> bool:
    """Whether a taint keeps the device from being allocated."""
    return any(taint.effect in PREVENTS and not any(tolerates(each, taint) for each in tolerations) for taint in taints)
