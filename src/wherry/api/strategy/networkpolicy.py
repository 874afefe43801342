"""NetworkPolicies."""

from __future__ import annotations

import ipaddress
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import PROTOCOLS, Causes, by_rule, label_selector, port_name_faults, port_number, valid_cidr
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required

Dict = dict[str, Any]
DIRECTIONS = (("ingress", "from"), ("egress", "to"))


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    fill(spec, podSelector={})
    for direction, _ in DIRECTIONS:
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                fill(port, protocol="TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _port(port: Dict, path: str, errs: Causes) -> None:
    if port.get("protocol") not in PROTOCOLS:
        errs.append(not_supported(f"{path}.protocol", port.get("protocol"), PROTOCOLS))
    number, end = port.get("port"), port.get("endPort")
    if isinstance(number, str):
        if end is not None:
            errs.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        by_rule(number, port_name_faults, f"{path}.port", errs)
        return
    if number is not None:
        port_number(number, f"{path}.port", errs)
        if end is not None:
            if end < number:
                errs.append(invalid(f"{path}.endPort", end, "must be greater than or equal to `port`"))
            port_number(end, f"{path}.endPort", errs)
    elif end is not None:
        errs.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))


def _block(block: Dict, path: str, errs: Causes) -> None:
    cidr = block.get("cidr")
    if not cidr:
        errs.append(required(f"{path}.cidr"))
        return
    if not valid_cidr(cidr, f"{path}.cidr", errs):
        return
    whole = ipaddress.ip_network(cidr, strict=False)
    for i, text in enumerate(block.get("except") or ()):
        if not valid_cidr(text, f"{path}.except[{i}]", errs):
            continue
        part = ipaddress.ip_network(text, strict=False)
        inside = part.version == whole.version and part.subnet_of(whole)  # type: ignore[arg-type]
        if not inside or part.prefixlen <= whole.prefixlen:
            errs.append(invalid(f"{path}.except[{i}]", text, "must be a strict subset of `cidr`"))


def _peer(peer: Dict, path: str, errs: Causes) -> None:
    given = 0
    for name in ("podSelector", "namespaceSelector"):
        if peer.get(name) is not None:
            given += 1
            label_selector(peer[name], f"{path}.{name}", errs)
    if peer.get("ipBlock") is not None:
        given += 1
        _block(peer["ipBlock"], f"{path}.ipBlock", errs)
    if given == 0:
        errs.append(required(path, "must specify a peer"))
    elif given > 1 and peer.get("ipBlock") is not None:
        errs.append(forbidden(path, "may not specify both ipBlock and another peer"))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    label_selector(spec.get("podSelector"), "spec.podSelector", errs)
    for direction, side in DIRECTIONS:
        for i, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{i}]"
            for j, port in enumerate(rule.get("ports") or ()):
                _port(port, f"{path}.ports[{j}]", errs)
            for j, peer in enumerate(rule.get(side) or ()):
                _peer(peer, f"{path}.{side}[{j}]", errs)
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        errs.append(invalid("spec.policyTypes", types, "may not specify more than two policyTypes"))
        return errs
    for i, kind in enumerate(types):
        if kind not in ("Ingress", "Egress"):
            errs.append(not_supported(f"spec.policyTypes[{i}]", kind, ("Egress", "Ingress")))
    return errs


NETWORK_POLICY = Strategy(default=default, validate=validate)
