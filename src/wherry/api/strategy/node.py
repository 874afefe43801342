"""Nodes."""

from __future__ import annotations

import ipaddress
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.resources import validate_amount
from wherry.api.strategy.pod.scheduling import validate_taints
from wherry.api.strategy.rules import Causes, round_up_to_milli, sorted_items, unique, valid_cidr
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid

Dict = dict[str, Any]
_INFO = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
    "kubeProxyVersion", "operatingSystem", "architecture",
)


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    fill(obj, status={})
    status = obj["status"]
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
    for name in ("capacity", "allocatable"):
        round_up_to_milli(status.get(name))
    fill(status, daemonEndpoints={}, nodeInfo={})
    fill(status["daemonEndpoints"], kubeletEndpoint={"Port": 0})
    fill(status["nodeInfo"], **dict.fromkeys(_INFO, ""))


def _resources(status: Dict, errs: Causes) -> None:
    for kind in ("capacity", "allocatable"):
        for name, value in sorted_items(status.get(kind)):
            validate_amount(name, value, f"status.{kind}.{name}", errs)


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    if spec.get("taints"):
        validate_taints(spec["taints"], "metadata.taints", errs)  # upstream's path
    _resources(obj.get("status") or {}, errs)
    ranges = spec.get("podCIDRs") or []
    good = all([valid_cidr(text, f"spec.podCIDRs[{i}]", errs) for i, text in enumerate(ranges)])  # noqa: C419 - check them all
    if len(ranges) > 1:
        families = {ipaddress.ip_network(text, strict=False).version for text in ranges} if good else set()
        if len(ranges) > 2 or (good and len(families) < 2):
            errs.append(invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family"))
        unique(ranges, lambda i: f"spec.podCIDRs[{i}]", errs)
    return errs


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    _addresses(obj.get("status") or {}, errs)
    new_spec, old_spec = obj.get("spec") or {}, old.get("spec") or {}
    before = old_spec.get("podCIDRs")
    if before and before != new_spec.get("podCIDRs"):
        errs.append(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'))
    provider = old_spec.get("providerID")
    if provider and provider != new_spec.get("providerID"):
        errs.append(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'))
    return errs


def _addresses(status: Dict, errs: Causes) -> None:
    seen = set()
    for i, address in enumerate(status.get("addresses") or ()):
        key = (address.get("type"), address.get("address"))
        if key in seen:
            errs.append(duplicate(f"status.addresses[{i}]", {"Type": key[0], "Address": key[1]}))
        seen.add(key)


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    _resources(obj.get("status") or {}, errs)
    return errs + validate_update(obj, old)


def warnings(obj: Dict) -> list[str]:
    found = []
    spec = obj.get("spec") or {}
    if spec.get("configSource") is not None:
        found.append("spec.configSource: the feature is no longer supported")
    if spec.get("externalID"):
        found.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    return found


NODE = Strategy(
    default=default,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warnings,
    has_generation=False,
)
