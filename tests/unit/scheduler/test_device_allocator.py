"""Which devices claims get on a node; cases of upstream's allocator tests."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from device_makers import DRIVER, allocated, claim, device, device_class, devices, exact, slice_of, taint_rule, wanted
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduler_makers import node

from wherry.api.types import core_v1, resource_v1
from wherry.client.store import Store
from wherry.scheduler.plugins.dynamicresources.allocator import Allocator, TooLong
from wherry.scheduler.plugins.dynamicresources.candidates import AllocationError, Inventory
from wherry.scheduler.plugins.dynamicresources.taken import Decisions, Taken

NODE = node("n", labels={"zone": "a"})
A = f'device.attributes["{DRIVER}"]'
HERE = {"node": "n"}


class World:
    def __init__(self, *things: Any) -> None:
        self.slices: Store[resource_v1.ResourceSlice] = Store()
        self.claims: Store[resource_v1.ResourceClaim] = Store()
        self.classes: Store[resource_v1.DeviceClass] = Store()
        self.rules: list[resource_v1.DeviceTaintRule] = []
        self.inventory, self.taken = Inventory(self.slices), Taken(self.claims, Decisions())
        self.put(device_class(), *things)

    def put(self, *things: Any) -> None:
        for thing in things:
            match thing:
                case resource_v1.ResourceSlice():
                    self.slices.put(thing)
                case resource_v1.ResourceClaim():
                    self.claims.put(thing)
                case resource_v1.DeviceClass():
                    self.classes.put(thing)
                case resource_v1.DeviceTaintRule():
                    self.rules.append(thing)

    def allocate(self, *claims: resource_v1.ResourceClaim, on: core_v1.Node = NODE, **more: Any) -> Any:
        numbers = itertools.count()
        allocator = Allocator(on, claims, self.inventory.pools(on), self.taken, self.classes.get, self.rules, new_id=lambda: f"id-{next(numbers)}", **more)
        return allocator.allocate()

    def names(self, *claims: resource_v1.ResourceClaim, **more: Any) -> list[str] | None:
        """`request:device`, of all claims."""
        found = self.allocate(*claims, **more)
        return None if found is None else [f"{result['request']}:{result['device']}" for each in found for result in each.results]


AB = slice_of(devices("a", "b"), node="n")
MIXED = slice_of([device("a", attributes={"size": 1, "numa": 0}), device("b", attributes={"size": 2, "numa": 1}), device("c", attributes={"size": 3, "numa": 1})], node="n")
PARTS = [
    slice_of([], node="n", pool="p", count=2, sharedCounters=[{"name": "card", "counters": {"memory": {"value": "10Gi"}}}]),
    slice_of([
        device("whole", consumesCounters=[{"counterSet": "card", "counters": {"memory": {"value": "10Gi"}}}]),
        device("half1", consumesCounters=[{"counterSet": "card", "counters": {"memory": {"value": "5Gi"}}}]),
        device("half2", consumesCounters=[{"counterSet": "card", "counters": {"memory": {"value": "5Gi"}}}]),
    ], node="n", pool="p", count=2),
]
SHARED = slice_of([device("s", allowMultipleAllocations=True, capacity={"memory": {"value": "10Gi", "requestPolicy": {"default": "2Gi", "validRange": {"min": "1Gi", "max": "8Gi", "step": "1Gi"}}}})], node="n")


def part(amount: str, **more: Any) -> dict[str, Any]:
    return exact("r", capacity={"requests": {"memory": amount}}, **more)


CASES: dict[str, tuple[list[Any], list[resource_v1.ResourceClaim], list[str] | None]] = {
    "one": ([AB], [claim()], ["r:a"]),
    "two of one request": ([AB], [claim("c", exact(count=2))], ["r:a", "r:b"]),
    "two requests": ([AB], [claim("c", exact("r"), exact("s"))], ["r:a", "s:b"]),
    "two claims": ([AB], [claim("c"), claim("d")], ["r:a", "r:b"]),
    "too many": ([AB], [claim("c", exact(count=3))], None),
    "none there": ([], [claim()], None),
    "no request": ([AB], [claim("c", requests=[])], []),
    "in use": ([AB, claim("x", status=allocated("a", node="n"))], [claim()], ["r:b"]),
    "of another pool": ([AB, claim("x", status=allocated("a", node="m"))], [claim()], ["r:a"]),
    "of another node": ([slice_of(devices("a"), node="m")], [claim()], None),
    "of all nodes": ([slice_of(devices("a"), allNodes=True)], [claim()], ["r:a"]),
    "selected node": ([slice_of(devices("a"), nodeSelector={"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]})], [claim()], ["r:a"]),
    "node not selected": ([slice_of(devices("a"), nodeSelector={"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}]})], [claim()], None),
    "a device's own node": ([slice_of([device("a", nodeName="m"), device("b", nodeName="n"), device("c", allNodes=True)], perDeviceNodeSelection=True)], [claim("c", exact(count=2))], ["r:b", "r:c"]),
    "selector": ([MIXED], [claim("c", exact("r", f"{A}.size > 1"))], ["r:b"]),
    "two selectors": ([MIXED], [claim("c", exact("r", f"{A}.size > 1", f"{A}.size != 2"))], ["r:c"]),
    "class selector": ([MIXED, device_class("gpu", f"{A}.size == 3")], [claim()], ["r:c"]),
    "class and request": ([MIXED, device_class("gpu", f"{A}.size > 1")], [claim("c", exact("r", f"{A}.size < 3"))], ["r:b"]),
    "backtracks": ([MIXED], [claim("c", exact("r"), exact("s", f"{A}.size == 1"))], ["r:b", "s:a"]),
    "backtracks over claims": ([MIXED], [claim("c", exact("r", f"{A}.size <= 2")), claim("d", exact("s", f"{A}.size == 1"))], ["r:b", "s:a"]),
    "match attribute": ([MIXED], [claim("c", exact(count=2), constraints=[{"matchAttribute": f"{DRIVER}/numa"}])], ["r:b", "r:c"]),
    "match over requests": ([MIXED], [claim("c", exact("r"), exact("s"), constraints=[{"requests": ["r", "s"], "matchAttribute": f"{DRIVER}/numa"}])], ["r:b", "s:c"]),
    "match of another request": ([MIXED], [claim("c", exact("r"), exact("s"), constraints=[{"requests": ["s"], "matchAttribute": f"{DRIVER}/numa"}])], ["r:a", "s:b"]),
    "match impossible": ([MIXED], [claim("c", exact(count=3), constraints=[{"matchAttribute": f"{DRIVER}/numa"}])], None),
    "match without the attribute": ([AB], [claim("c", exact(), constraints=[{"matchAttribute": f"{DRIVER}/numa"}])], None),
    "distinct attribute": ([MIXED], [claim("c", exact(count=2), constraints=[{"distinctAttribute": f"{DRIVER}/numa"}])], ["r:a", "r:b"]),
    "distinct impossible": ([MIXED], [claim("c", exact(count=3), constraints=[{"distinctAttribute": f"{DRIVER}/numa"}])], None),
    "all": ([MIXED], [claim("c", exact("r", f"{A}.numa == 1", mode="All"))], ["r:b", "r:c"]),
    "all of nothing": ([MIXED], [claim("c", exact("r", "false", mode="All"))], None),
    "all, one in use": ([MIXED, claim("x", status=allocated("b", node="n"))], [claim("c", exact("r", mode="All"))], None),
    "first available": ([MIXED], [claim("c", {"name": "r", "firstAvailable": [{"name": "big", **wanted(f"{A}.size > 9")}, {"name": "two", **wanted(count=2)}]})], ["r/two:a", "r/two:b"]),
    "first alternative first": ([MIXED], [claim("c", {"name": "r", "firstAvailable": [{"name": "big", **wanted(f"{A}.size > 2")}, {"name": "any", **wanted()}]})], ["r/big:c"]),
    "second alternative for the next request": (
        [MIXED], [claim("c", {"name": "r", "firstAvailable": [{"name": "c", **wanted(f"{A}.size == 3")}, {"name": "any", **wanted()}]}, exact("s", f"{A}.size == 3"))], ["r/any:a", "s:c"],
    ),
    "constraint on an alternative": (
        [MIXED], [claim("c", {"name": "r", "firstAvailable": [{"name": "two", **wanted(count=2)}]}, constraints=[{"requests": ["r/two"], "matchAttribute": f"{DRIVER}/numa"}])],
        ["r/two:b", "r/two:c"],
    ),
    "admin access to what is in use": ([AB, claim("x", status=allocated("a", "b", node="n"))], [claim("c", exact(adminAccess=True))], ["r:a"]),
    "admin access to all": ([AB, claim("x", status=allocated("a", node="n"))], [claim("c", exact(adminAccess=True, mode="All"))], ["r:a", "r:b"]),
    "admin access takes nothing": ([AB, claim("x", status={"allocation": {"devices": {"results": [{"request": "r", "driver": DRIVER, "pool": "n", "device": "a", "adminAccess": True}]}}})], [claim()], ["r:a"]),
    "incomplete pool": ([slice_of(devices("a"), node="n", count=2)], [claim()], None),
    "complete pool": ([slice_of(devices("a"), node="n", count=2), slice_of(devices("b"), node="n", count=2)], [claim("c", exact(count=2))], ["r:a", "r:b"]),
    "newer generation": ([AB, slice_of(devices("z"), node="n", generation=2)], [claim()], ["r:z"]),
    "newer generation elsewhere": ([slice_of(devices("a"), node="n", pool="p"), slice_of(devices("z"), node="m", pool="p", generation=2)], [claim()], None),
    "pool over two nodes": ([slice_of(devices("a"), node="n", pool="p", count=2), slice_of(devices("z"), node="m", pool="p", count=2)], [claim()], ["r:a"]),
    "tainted": ([slice_of([device("a", taints=[{"key": "k", "effect": "NoSchedule"}]), device("b")], node="n")], [claim()], ["r:b"]),
    "taint of no effect": ([slice_of([device("a", taints=[{"key": "k", "effect": "None"}])], node="n")], [claim()], ["r:a"]),
    "tolerated": ([slice_of([device("a", taints=[{"key": "k", "value": "v", "effect": "NoExecute"}])], node="n")], [claim("c", exact(tolerations=[{"key": "k", "operator": "Equal", "value": "v"}]))], ["r:a"]),
    "another taint tolerated": ([slice_of([device("a", taints=[{"key": "k", "effect": "NoExecute"}])], node="n")], [claim("c", exact(tolerations=[{"key": "other", "operator": "Exists"}]))], None),
    "tainted by a rule": ([AB, taint_rule(device="a")], [claim()], ["r:b"]),
    "a rule for another driver": ([AB, taint_rule(driver="other.example.com")], [claim()], ["r:a"]),
    "binding conditions come last": ([slice_of([device("a", bindingConditions=["ready"], bindingFailureConditions=["failed"]), device("b")], node="n")], [claim()], ["r:b"]),
    "whole card": (PARTS, [claim()], ["r:whole"]),
    "two halves": (PARTS, [claim("c", exact(count=2))], ["r:half1", "r:half2"]),
    "whole and half": (PARTS, [claim("c", exact("r"), exact("s"))], ["r:half1", "s:half2"]),
    "three halves": (PARTS, [claim("c", exact(count=3))], None),
    "a half is taken": ([*PARTS, claim("x", status=allocated("half1", node="n", pool="p"))], [claim()], ["r:half2"]),
    "counters that nobody declared": ([slice_of([device("a", consumesCounters=[{"counterSet": "x", "counters": {"m": {"value": "1"}}}]), device("b")], node="n"), slice_of(devices("o"), node="n", pool="z")], [claim()], ["r:o"]),
    "enough capacity": ([slice_of([device("a", capacity={"memory": "1Gi"}), device("b", capacity={"memory": "4Gi"})], node="n")], [claim("c", part("2Gi"))], ["r:b"]),
    "unknown capacity": ([AB], [claim("c", part("2Gi"))], None),
    "parts of one device": ([SHARED], [claim("c", part("4Gi"), ), claim("d", part("4Gi"))], ["r:s", "r:s"]),
    "more than is left": ([SHARED], [claim("c", part("6Gi")), claim("d", part("6Gi"))], None),
    "more than one may have": ([SHARED], [claim("c", part("9Gi"))], None),
}


@pytest.mark.parametrize(("things", "claims", "expected"), CASES.values(), ids=CASES.keys())
def test_devices(things: list[Any], claims: list[resource_v1.ResourceClaim], expected: list[str] | None):
    if expected == []:
        claims = [resource_v1.ResourceClaim(metadata=claims[0].metadata)]
    assert World(*things).names(*claims) == expected


@pytest.mark.parametrize(("things", "claims", "error"), [
    ([AB], [claim("c", exact(cls="nope"))], "claim default/c, request r: could not retrieve device class nope"), ([AB], [claim("c", exact(count=33))], "number of requested devices 33 exceeds the claim limit of 32"),
    ([AB], [claim("c", exact("r", f"{A}.x == 1"))], r"claim default/c: selector #0 on device dra.example.com/n/a: CEL runtime error: no such key: x. Consider using"),
    ([AB, device_class("gpu", f"{A}.x")], [claim()], "class gpu: selector #0 on device dra.example.com/n/a: CEL runtime error"), ([AB], [claim("c", exact("r", "?!"))], "CEL compile error"),
    ([slice_of(devices("a"), node="n", count=2)], [claim("c", exact(mode="All"))], "asks for all devices, but resource pool dra.example.com/n is currently being updated"),
    ([slice_of(devices("a", "a"), node="n")], [claim("c", exact(mode="All"))], "resource pool dra.example.com/n is currently invalid"),
    ([slice_of(devices("a", "a"), node="n")], [claim()], "invalid resource pools were encountered"),
    ([MIXED], [claim("c", exact(mode="All"), constraints=[{"matchAttribute": f"{DRIVER}/numa"}])], "cannot add device dra.example.com/n/b because a claim constraint would not be satisfied"),
])
def test_errors(things: list[Any], claims: list[resource_v1.ResourceClaim], error: str):
    with pytest.raises(AllocationError, match=error):
        World(*things).allocate(*claims)


def test_a_hopeless_search_is_given_up():
    many = slice_of([device(f"d{i:02}", attributes={"numa": i % 3}) for i in range(60)], node="n")
    with pytest.raises(TooLong):
        World(many).allocate(claim("c", exact(count=25), constraints=[{"matchAttribute": f"{DRIVER}/numa"}]))


def test_what_is_told_of_an_allocation():
    config = {"opaque": {"driver": DRIVER, "parameters": {"a": 1}}}
    world = World(device_class("gpu", config=[config]), SHARED)
    asked = claim("c", part("2500Mi", tolerations=[{"operator": "Exists"}]), config=[{"requests": ["r"], **config}])
    [found] = world.allocate(asked)
    assert found.results == [{
        "request": "r", "driver": DRIVER, "pool": "n", "device": "s", "shareID": "id-0", "consumedCapacity": {"memory": "3Gi"}, "tolerations": [{"operator": "Exists"}],
    }]
    assert found.config == [{"source": "FromClass", **config}, {"source": "FromClaim", **config}]
    assert found.node_selector.node_selector_terms[0].match_fields[0].values == ["n"]


def test_default_and_full_consumption():
    assert World(SHARED).allocate(claim())[0].results[0]["consumedCapacity"] == {"memory": "2Gi"}
    plain = slice_of([device("s", allowMultipleAllocations=True, capacity={"memory": "10Gi"})], node="n")
    assert World(plain).allocate(claim())[0].results[0]["consumedCapacity"] == {"memory": "10Gi"}


def test_everywhere_and_where_both_slices_are():
    assert World(slice_of(devices("a"), allNodes=True)).allocate(claim())[0].node_selector is None
    zone = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]}
    host = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}]}
    world = World(slice_of(devices("a"), pool="p", nodeSelector=zone), slice_of(devices("b"), pool="q", nodeSelector=host))
    [term] = world.allocate(claim("c", exact(count=2)))[0].node_selector.node_selector_terms
    assert [each.key for each in term.match_expressions] == ["zone", "kubernetes.io/hostname"]


def test_pending_decisions_count_until_the_claims_show_them():
    world = World(AB)
    first, second = claim("c"), claim("d")
    world.put(first, second)
    [offer] = world.allocate(first)
    world.taken.decide(first, "pod", offer.results)
    assert world.taken.is_pending(first)
    assert world.names(second) == ["r:b"]
    world.taken.give_up(first, "another pod")
    assert world.names(second) == ["r:b"]
    world.taken.give_up(first, "pod")
    assert world.names(second) == ["r:a"]
    world.taken.decide(first, "pod", offer.results)
    shown = claim("c", status=allocated("a", node="n"))
    world.taken.written(first, shown.metadata.resource_version)
    world.taken.give_up(first, "pod")  # too late: it is written
    world.taken.settle()
    assert world.names(second) == ["r:b"]
    world.put(shown)
    world.taken.settle()
    assert not world.taken.is_pending(first)
    assert world.names(second) == ["r:b"]
    world.put(claim("c"))  # deallocated
    assert world.names(second) == ["r:a"]


# --- a property --------------------------------------------------------------------------------

DEVICES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=5)  # size, numa
REQUESTS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=3)  # least size, count
ATTRIBUTE = st.sampled_from(["", "match", "distinct"])


def naive(sizes: list[tuple[int, int]], taken: set[int], claims: list[tuple[list[tuple[int, int]], str]]) -> bool:
    """Whether there is a way: every choice of devices for everything that is wanted."""
    slots = [(number, least) for number, (requests, _) in enumerate(claims) for least, count in requests for _ in range(count)]
    for choice in itertools.permutations([i for i in range(len(sizes)) if i not in taken], len(slots)):
        if any(sizes[i][0] < least for i, (_, least) in zip(choice, slots, strict=True)):
            continue
        good = True
        for number, (_, rule) in enumerate(claims):
            values = [sizes[i][1] for i, (owner, _) in zip(choice, slots, strict=True) if owner == number]
            good = good and (not rule or len(set(values)) == (1 if rule == "match" else len(values)))
        if good:
            return True
    return False


@given(DEVICES, st.sets(st.integers(0, 4), max_size=2), st.lists(st.tuples(REQUESTS, ATTRIBUTE), min_size=1, max_size=2))
@settings(max_examples=300, deadline=None)
def test_no_device_twice_and_everything_or_no_way(sizes: list[tuple[int, int]], taken: set[int], wants: list[tuple[list[tuple[int, int]], str]]):
    world = World(slice_of([device(f"d{i}", attributes={"size": size, "numa": numa}) for i, (size, numa) in enumerate(sizes)], node="n"))
    if taken:
        world.put(claim("x", status=allocated(*(f"d{i}" for i in sorted(taken)), node="n")))
    claims = [
        claim(f"c{number}", *(exact(f"r{i}", f"{A}.size >= {least}", count=count) for i, (least, count) in enumerate(requests)),
              constraints=[{f"{rule}Attribute": f"{DRIVER}/numa"}] if rule else [])
        for number, (requests, rule) in enumerate(wants)
    ]
    found = world.names(*claims)
    assert (found is not None) == naive(sizes, taken, wants)
    if found is None:
        return
    names = [each.partition(":")[2] for each in found]
    assert len(set(names)) == len(names)
    assert not {int(name[1:]) for name in names} & taken
    assert [each.partition(":")[0] for each in found] == [f"r{i}" for requests, _ in wants for i, (_, count) in enumerate(requests) for _ in range(count)]
