"""ResourceClaims and ResourceClaimTemplates: what is asked for; and a claim's status: what was given, to whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.scheduling import validate_node_selector
from wherry.api.strategy.resource.common import (
    MAX_LIST,
    MAX_TOLERATIONS,
    Dict,
    binding_conditions,
    by_name,
    conditions,
    driver_name,
    each,
    full_attribute_name,
    is_uid,
    label_name,
    opaque,
    pool_name,
    raw_object,
    same,
    selectors,
    toleration,
)
from wherry.api.strategy.rules import Causes, dns_subdomain, immutable, labels, one_of
from wherry.api.strategy.workload import spec_of
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, required, too_long
from wherry.apimachinery.validation import validate_annotations, validate_finalizers, validate_owner_references

MAX_RESERVED, MAX_SUB_REQUESTS = 256, 8
NOT_A_REQUEST = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
Requests = Mapping[str, frozenset[str]]  # names of requests, and of their subrequests


# --- what is asked for -------------------------------------------------------------------------


def _all_requests(spec: Dict) -> list[Dict]:
    """Requests as they are to be met: exact ones and subrequests."""
    found = []
    for request in (spec.get("devices") or {}).get("requests") or ():
        found += [request["exactly"]] if request.get("exactly") is not None else []
        found += request.get("firstAvailable") or ()
    return found


def default_spec(spec: Dict) -> None:
    for request in _all_requests(spec):
        if not request.get("allocationMode"):
            request["allocationMode"] = "ExactCount"
        if request["allocationMode"] == "ExactCount" and not request.get("count"):
            request["count"] = 1


def drop_disabled(spec: Dict) -> None:
    """Fields of features that are off."""
    for request in _all_requests(spec):
        request.pop("derivedAttributes", None)


def request_names(spec: Dict) -> Requests:
    requests = (spec.get("devices") or {}).get("requests") or ()
    return {by_name(each): frozenset(map(by_name, each.get("firstAvailable") or ())) for each in requests}


def _known(name: str, requests: Requests) -> bool:
    request, slash, sub = name.partition("/")
    return request in requests and (not slash or sub in requests[request])


def _request_ref(name: str, requests: Requests, path: str, errs: Causes) -> None:
    parts = name.split("/")
    if len(parts) > 2:
        errs.append(invalid(path, name, NOT_A_REQUEST))
        return
    for part in parts:
        label_name(part, path, errs)
    if not _known(name, requests):
        errs.append(invalid(path, name, NOT_A_REQUEST))


def _request_refs(names: list[str] | None, requests: Requests, path: str, errs: Causes) -> None:
    each(names, MAX_LIST, lambda name, where, found: _request_ref(name, requests, where, found), path, errs, same)


def _wanted(request: Dict, path: str, errs: Causes) -> None:
    """An exact request or a subrequest."""
    if request.get("deviceClassName"):
        dns_subdomain(request["deviceClassName"], f"{path}.deviceClassName", errs)
    else:
        errs.append(required(f"{path}.deviceClassName"))
    mode, count = request.get("allocationMode"), request.get("count") or 0
    if mode == "All" and count != 0:
        errs.append(invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount" and count <= 0:
        errs.append(invalid(f"{path}.count", count, "must be greater than zero"))
    one_of(mode, ("All", "ExactCount"), f"{path}.allocationMode", errs)
    each(request.get("tolerations"), MAX_TOLERATIONS, toleration, f"{path}.tolerations", errs)


def _request(request: Dict, path: str, errs: Causes) -> None:
    label_name(by_name(request), f"{path}.name", errs)
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable") or []
    if exactly is None and not alternatives:
        errs.append(required(path, "exactly one of `exactly` or `firstAvailable` is required"))
    elif exactly is not None and alternatives:
        errs.append(invalid(path, None, "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"))
    elif exactly is not None:
        _wanted(exactly, f"{path}.exactly", errs)
    else:
        each(alternatives, MAX_SUB_REQUESTS, _sub_request, f"{path}.firstAvailable", errs, by_name)


def _sub_request(request: Dict, path: str, errs: Causes) -> None:
    label_name(by_name(request), f"{path}.name", errs)
    _wanted(request, path, errs)


def _constraint(constraint: Dict, requests: Requests, path: str, errs: Causes) -> None:
    _request_refs(constraint.get("requests"), requests, f"{path}.requests", errs)
    given = [key for key in ("matchAttribute", "distinctAttribute") if constraint.get(key) is not None]
    for key in given:
        full_attribute_name(constraint[key], f"{path}.{key}", errs)
    if not given:
        words = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
        errs.append(required(path, words))
    elif len(given) > 1:
        errs.append(invalid(path, f"{{{', '.join(given)}}}", "must specify exactly one of: `distinctAttribute`, `matchAttribute`"))


def _config(config: Dict, requests: Requests, path: str, errs: Causes) -> None:
    _request_refs(config.get("requests"), requests, f"{path}.requests", errs)
    opaque(config, path, errs)


def validate_spec(spec: Dict, path: str, errs: Causes) -> None:
    devices, where = spec.get("devices") or {}, f"{path}.devices"
    known = request_names(spec)
    each(devices.get("requests"), MAX_LIST, _request, f"{where}.requests", errs, by_name)
    each(devices.get("constraints"), MAX_LIST, lambda c, p, e: _constraint(c, known, p, e), f"{where}.constraints", errs)
    each(devices.get("config"), MAX_LIST, lambda c, p, e: _config(c, known, p, e), f"{where}.config", errs)


def validate_expressions(spec: Dict, path: str, errs: Causes) -> None:
    """Once, when they are written: a spec never changes, and what was valid stays so."""
    for i, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        where = f"{path}.devices.requests[{i}]"
        if request.get("exactly") is not None:
            selectors(request["exactly"].get("selectors"), f"{where}.exactly.selectors", errs)
        for j, sub in enumerate(request.get("firstAvailable") or ()):
            selectors(sub.get("selectors"), f"{where}.firstAvailable[{j}].selectors", errs)


# --- ResourceClaim -----------------------------------------------------------------------------


def default_claim(obj: Dict) -> None:
    default_spec(spec_of(obj))


def prepare_claim_for_create(obj: Dict) -> None:
    obj.pop("status", None)
    drop_disabled(spec_of(obj))


def validate_claim(obj: Dict) -> list[Cause]:
    errs: Causes = []
    validate_spec(obj.get("spec") or {}, "spec", errs)
    return errs


def validate_claim_create(obj: Dict) -> list[Cause]:
    errs: Causes = []
    validate_expressions(obj.get("spec") or {}, "spec", errs)
    return errs


def validate_claim_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj.get("spec") or {}, old.get("spec") or {}, "spec", errs)
    return errs


def device_id(device: Dict) -> tuple[str, ...]:
    return tuple(device.get(key) or "" for key in ("driver", "pool", "device", "shareID"))


def results_of(obj: Dict) -> list[Dict]:
    """The devices that a claim was given."""
    allocation = (obj.get("status") or {}).get("allocation") or {}
    return (allocation.get("devices") or {}).get("results") or []


def drop_deallocated(obj: Dict, old: Dict) -> None:
    """What a driver told of devices goes with them."""
    gone = {device_id(each)[:3] for each in results_of(old)} - {device_id(each)[:3] for each in results_of(obj)}
    status = obj.get("status") or {}
    if gone and status.get("devices"):
        status["devices"] = [each for each in status["devices"] if device_id(each)[:3] not in gone]
        if not status["devices"]:
            del status["devices"]


def validate_claim_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    status, before, known = obj.get("status") or {}, old.get("status") or {}, request_names(obj.get("spec") or {})
    reserved, allocation = status.get("reservedFor") or [], status.get("allocation")
    each(reserved, MAX_RESERVED, _consumer, "status.reservedFor", errs, lambda item: item.get("uid") or "")
    given = {device_id(each) for each in results_of(obj)}
    each(status.get("devices"), -1, lambda d, p, e: _device_status(d, given, p, e), "status.devices", errs, device_id)
    if reserved and allocation is None:
        errs.append(forbidden("status.reservedFor", "may not be specified when `allocated` is not set"))
    elif (obj.get("metadata") or {}).get("deletionTimestamp") and any(
        item not in (before.get("reservedFor") or []) for item in reserved
    ):
        words = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        errs.append(forbidden("status.reservedFor", words))
    if allocation is not None and before.get("allocation") is not None:
        immutable(allocation, before["allocation"], "status.allocation", errs)
    elif allocation is not None:
        _allocation(allocation, known, "status.allocation", errs)
    return errs


def _consumer(item: Dict, path: str, errs: Causes) -> None:
    for key in ("resource", "name", "uid"):
        if not item.get(key):
            errs.append(required(f"{path}.{key}"))


def _allocation(allocation: Dict, known: Requests, path: str, errs: Causes) -> None:
    devices, where = allocation.get("devices") or {}, f"{path}.devices"
    each(devices.get("results"), MAX_LIST, lambda r, p, e: _result(r, known, p, e), f"{where}.results", errs)
    each(devices.get("config"), 2 * MAX_LIST, lambda c, p, e: _given_config(c, known, p, e), f"{where}.config", errs)
    if allocation.get("nodeSelector") is not None:
        validate_node_selector(allocation["nodeSelector"], f"{path}.nodeSelector", errs)


def _result(result: Dict, known: Requests, path: str, errs: Causes) -> None:
    _request_ref(result.get("request") or "", known, f"{path}.request", errs)
    driver_name(result.get("driver"), f"{path}.driver", errs)
    pool_name(result.get("pool"), f"{path}.pool", errs)
    label_name(result.get("device"), f"{path}.device", errs)
    binding_conditions(result, path, errs)
    each(result.get("tolerations"), MAX_TOLERATIONS, toleration, f"{path}.tolerations", errs)
    if result.get("shareID") is not None:
        is_uid(result["shareID"], f"{path}.shareID", errs)


def _given_config(config: Dict, known: Requests, path: str, errs: Causes) -> None:
    one_of(config.get("source"), ("FromClaim", "FromClass"), f"{path}.source", errs)
    _config(config, known, path, errs)


def _device_status(device: Dict, given: set[tuple[str, ...]], path: str, errs: Causes) -> None:
    driver_name(device.get("driver"), f"{path}.driver", errs)
    pool_name(device.get("pool"), f"{path}.pool", errs)
    label_name(device.get("device"), f"{path}.device", errs)
    if device.get("shareID") is not None:
        is_uid(device["shareID"], f"{path}.shareID", errs)
    if device_id(device) not in given:
        shown = "/".join(part for part in device_id(device) if part)
        errs.append(invalid(path, shown, "must be an allocated device in the claim"))
    conditions(device.get("conditions"), f"{path}.conditions", errs)
    if device.get("data") is not None:
        raw_object(device["data"], f"{path}.data", errs)
    _network(device.get("networkData") or {}, f"{path}.networkData", errs)


def _network(data: Dict, path: str, errs: Causes) -> None:
    for key, limit in (("interfaceName", 256), ("hardwareAddress", 128)):
        if len((data.get(key) or "").encode()) > limit:
            errs.append(too_long(f"{path}.{key}", limit))
    each(data.get("ips"), 16, _interface_address, f"{path}.ips", errs, same)


def _interface_address(text: str, path: str, errs: Causes) -> None:
    try:
        address = ipaddress.ip_interface(text)
    except ValueError:
        address = None
    if address is None or "/" not in text:
        errs.append(invalid(path, text, "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"))
    elif str(address) != text:
        errs.append(invalid(path, text, f'must be in canonical form ("{address}")'))


CLAIM = Strategy(
    default=default_claim, prepare_for_create=prepare_claim_for_create, validate=validate_claim, validate_create=validate_claim_create,
    validate_update=validate_claim_update, validate_status=validate_claim_status, has_generation=False,
)


# --- ResourceClaimTemplate ---------------------------------------------------------------------


def default_template(obj: Dict) -> None:
    default_spec(spec_of(spec_of(obj)))


def prepare_template_for_create(obj: Dict) -> None:
    drop_disabled(spec_of(spec_of(obj)))


def validate_template(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    meta = spec.get("metadata") or {}
    labels(meta.get("labels"), "spec.metadata.labels", errs)
    errs += validate_annotations(meta.get("annotations"), "spec.metadata.annotations")
    errs += validate_owner_references(meta.get("ownerReferences"), "spec.metadata.ownerReferences")
    errs += validate_finalizers(meta.get("finalizers"), "spec.metadata.finalizers")
    validate_spec(spec.get("spec") or {}, "spec.spec", errs)
    return errs


def validate_template_create(obj: Dict) -> list[Cause]:
    errs: Causes = []
    validate_expressions((obj.get("spec") or {}).get("spec") or {}, "spec.spec", errs)
    return errs


TEMPLATE = Strategy(
    default=default_template, prepare_for_create=prepare_template_for_create, validate=validate_template,
    validate_create=validate_template_create, validate_update=validate_claim_update, has_generation=False,
)
