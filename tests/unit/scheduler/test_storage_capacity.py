"""CSIStorageCapacity: where a driver can still make a volume, what wakes a Pod that found no room, and which node is better."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from scheduler_makers import Cluster, node, pod

from wherry.api.types import core_v1, storage_v1
from wherry.api.volumes import Claim, StorageClass, Volume
from wherry.scheduler.config import parse
from wherry.scheduler.plugins import storagecapacity
from wherry.scheduler.plugins.storagecapacity import Pool
from wherry.scheduler.profile import ProfileSpec

NO_SPACE = "node(s) did not have enough free storage"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"


def driver(tracks: bool | None = True) -> storage_v1.CSIDriver:
    return msgspec.convert({"metadata": {"name": "csi.test"}, "spec": {"storageCapacity": tracks}}, storage_v1.CSIDriver)


def pool(name: str, on: str, *, storage: str = "fast", **amounts: str) -> Pool:
    topology = {"matchLabels": {"kubernetes.io/hostname": on}} if on else None
    return msgspec.convert({"metadata": {"name": name, "namespace": "d"}, "storageClassName": storage, "nodeTopology": topology, **amounts}, Pool)


def storage_class(name: str = "fast") -> StorageClass:
    raw = {"metadata": {"name": name}, "provisioner": "csi.test", "volumeBindingMode": "WaitForFirstConsumer"}
    return msgspec.convert(raw, StorageClass)


def claim(name: str = "data", size: str | None = "10Gi", storage: str = "fast") -> Claim:
    asked = {"requests": {"storage": size}} if size else {}
    return msgspec.convert({
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": storage, "resources": asked}, "status": {"phase": "Pending"},
    }, Claim)


def volume(name: str, on: str, size: str) -> Volume:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [on]}]}
    return msgspec.convert({
        "metadata": {"name": name}, "status": {"phase": "Available"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "capacity": {"storage": size},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        },
    }, Volume)


def user(*claims: str) -> core_v1.Pod:
    return pod(volumes=[{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims or ("data",)])


def cluster(*things: Any, spec: ProfileSpec | None = None) -> Cluster:
    return Cluster(node("a"), node("b"), storage_class(), *things, spec=spec)


@pytest.mark.parametrize(("things", "chosen"), [
    pytest.param([driver(), claim()], "", id="a driver without any pool"),
    pytest.param([claim()], "ab", id="a provisioner that is no driver"),
    pytest.param([driver(False), claim()], "ab", id="a driver that does not track"),
    pytest.param([driver(None), claim()], "ab", id="a driver that does not say"),
    pytest.param([driver(), claim(), pool("p", "b", capacity="10Gi")], "b", id="just enough"),
    pytest.param([driver(), claim(), pool("p", "b", capacity="9Gi")], "", id="too little"),
    pytest.param([driver(), claim(), pool("p", "b", capacity="90Gi", maximumVolumeSize="9Gi")], "", id="no volume of that size"),
    pytest.param([driver(), claim(), pool("p", "b", maximumVolumeSize="10Gi")], "b", id="only the size of a volume is told"),
    pytest.param([driver(), claim(), pool("p", "b")], "", id="nothing is told"),
    pytest.param([driver(), claim(), pool("p", "", capacity="90Gi")], "", id="no node reaches it"),
    pytest.param([driver(), claim(), pool("p", "b", capacity="90Gi", storage="slow")], "", id="of another class"),
    pytest.param([driver(), claim(size=None)], "ab", id="nothing is asked for"),
])
def test_a_volume_is_made_where_there_is_room(things: list[Any], chosen: str) -> None:
    decision = cluster(*things).decide(user())
    assert (decision.node in chosen) if chosen else not decision.node
    if not chosen:
        assert decision.message == f"0/2 nodes are available: 2 {NO_SPACE}."


def test_every_reason_of_a_node_is_told() -> None:
    bound = msgspec.convert({
        "metadata": {"name": "bound", "namespace": "default", "uid": "b", "annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
        "spec": {"volumeName": "pv", "storageClassName": "fast"}, "status": {"phase": "Bound"},
    }, Claim)
    world = cluster(driver(), bound, claim(), volume("pv", "a", "1Gi"))
    assert world.decide(user("bound", "data")).message == (
        f"0/2 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity, 2 {NO_SPACE}."
    )


def test_the_node_with_the_most_room_is_better() -> None:
    pools = pool("p", "a", capacity="20Gi"), pool("q", "b", capacity="100Gi")
    assert {cluster(driver(), claim(), *pools).decide(user()).node for _ in range(5)} == {"b"}


def test_a_shape_turns_that_round() -> None:
    config = parse("""
        apiVersion: kubescheduler.config.k8s.io/v1
        kind: KubeSchedulerConfiguration
        profiles:
        - pluginConfig:
          - {name: VolumeBinding, args: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}}
        """)
    pools = pool("p", "a", capacity="20Gi"), pool("q", "b", capacity="100Gi")
    assert cluster(driver(), claim(), *pools, spec=config.profiles[0]).decide(user()).node == "a"


@pytest.mark.parametrize(("resources", "points"), [
    pytest.param({}, 0, id="nothing"),
    pytest.param({"c": (10, 100)}, 90, id="a tenth"),
    pytest.param({"c": (10, 100), "d": (60, 100)}, 65, id="the mean of two classes"),
    pytest.param({"c": (25, 100), "d": (50, 100), "e": (0, 100)}, 75, id="of three"),
    pytest.param({"c": (10, 0)}, 0, id="no capacity"),
    pytest.param({"c": (110, 100)}, 0, id="more than there is"),
])
def test_points(resources: dict[str, tuple[int, int]], points: int) -> None:
    assert storagecapacity.score(resources, storagecapacity.MOST_FREE) == points


def test_two_claims_of_one_class_share_a_pool() -> None:
    there = pool("p", "a", capacity="100Gi")
    one, two = claim("one"), claim("two", "20Gi")
    assert storagecapacity.of_pools([(one, there), (two, there)]) == {"fast": (30 << 30, 100 << 30)}
    given = [(one, volume("x", "a", "20Gi")), (two, volume("y", "a", "40Gi"))]
    assert storagecapacity.of_volumes(given) == {"fast": (30 << 30, 60 << 30)}, "volumes are added up"


@pytest.mark.parametrize(("old", "new", "helps"), [
    (None, pool("p", "a"), True),
    (pool("p", "a", capacity="1Gi"), pool("p", "a", capacity="2Gi"), True),
    (pool("p", "a"), pool("p", "a", capacity="2Gi"), True),
    (pool("p", "a", capacity="2Gi"), pool("p", "a", capacity="1Gi"), False),
    (pool("p", "a", capacity="1Gi", maximumVolumeSize="1Gi"), pool("p", "a", capacity="2Gi", maximumVolumeSize="1Gi"), False),
])
def test_what_helps(old: Pool | None, new: Pool, helps: bool) -> None:
    assert storagecapacity.grew(user(), old, new) is helps


def test_a_driver_that_tracks_no_more_helps() -> None:
    assert storagecapacity.tracks_no_more(user(), driver(), driver(False))
    assert not storagecapacity.tracks_no_more(user(), driver(False), driver())
