"""The plugins for volumes, over listers that a test fills."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from wherry.api.types import core_v1, meta_v1, storage_v1
from wherry.api.volumes import BIND_COMPLETED, SELECTED_NODE, Claim, StorageClass, Volume
from wherry.client.store import Store
from wherry.scheduler.framework import CycleState, PluginError, Refusal
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.nodevolumelimits import NodeVolumeLimits
from wherry.scheduler.plugins.volumebinding import VolumeBinding
from wherry.scheduler.plugins.volumerestrictions import VolumeRestrictions
from wherry.scheduler.plugins.volumezone import VolumeZone
from wherry.util.clock import FakeClock

HOSTNAME = "kubernetes.io/hostname"


class Api:
    """Plays the API server for PreBind: patches arrive in the listers."""

    def __init__(self, stores: dict[type[Any], Store[Any]]) -> None:
        self._stores = stores
        self.patches: list[tuple[str, dict[str, Any]]] = []

    async def patch(self, kind: type[Any], name: str, body: dict[str, Any], namespace: str = "") -> None:
        self.patches.append((name, body))
        old = self._stores[kind].get(name, namespace)
        annotations = {**old.metadata.annotations, **body["metadata"].get("annotations", {})}
        self._stores[kind].put(msgspec.structs.replace(old, metadata=msgspec.structs.replace(old.metadata, annotations=annotations)))


class World:
    """The framework's Handle and Snapshot in one."""

    def __init__(self, *objects: Any, nodes: tuple[NodeInfo, ...] = ()) -> None:
        self._stores: dict[type[Any], Store[Any]] = {}
        self._shared: dict[type[Any], Any] = {}
        self.clock = FakeClock()
        self.client: Any = Api(self._stores)
        self.nodes = {info.name: info for info in nodes or (node("n1"), node("n2"))}
        for each in objects:
            self.put(each)

    def lister(self, kind: type[Any]) -> Store[Any]:
        return self._stores.setdefault(kind, Store())

    def shared(self, kind: type[Any]) -> Any:
        return self._shared.setdefault(kind, kind())

    def put(self, obj: Any) -> None:
        self.lister(type(obj)).put(obj)

    def ask(self, plugin: Any, pod: core_v1.Pod, name: str = "n1") -> tuple[str | None, CycleState]:
        """Why the node will not do; None when it does."""
        state = CycleState()
        refusal = plugin.pre_filter(state, pod, self)
        if refusal is None and plugin.relevant(state, pod):
            refusal = plugin.filter(state, pod, self.nodes[name])
        assert refusal is None or isinstance(refusal, Refusal)
        return (refusal.reason if refusal else None), state


def node(name: str, **labels: str) -> NodeInfo:
    labelled = {HOSTNAME: name, **{key if "/" in key else f"topology.kubernetes.io/{key}": value for key, value in labels.items()}}
    return NodeInfo(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name, labels=labelled)), name)


def pod(*claims: str, name: str = "p", ephemeral: bool = False) -> core_v1.Pod:
    volumes = [
        core_v1.Volume(name=each, persistent_volume_claim=core_v1.PersistentVolumeClaimVolumeSource(claim_name=each)) for each in claims
    ]
    if ephemeral:
        volumes.append(core_v1.Volume(name="own", ephemeral=core_v1.EphemeralVolumeSource()))
    return core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"), spec=core_v1.PodSpec(volumes=volumes))


def claim(
    name: str = "data", storage: str = "", *, volume: str = "", phase: str = "Pending", size: str = "1Gi", node: str = "",
    going: bool = False, modes: tuple[str, ...] = ("ReadWriteOnce",),
) -> Claim:
    annotations = {BIND_COMPLETED: "yes"} if phase == "Bound" else {}
    if node:
        annotations[SELECTED_NODE] = node
    deleted = "2026-11-23T00:00:00Z" if going else None
    meta = meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", annotations=annotations, deletion_timestamp=deleted)
    return Claim(
        metadata=meta, status=core_v1.PersistentVolumeClaimStatus(phase=phase),
        spec=core_v1.PersistentVolumeClaimSpec(
            access_modes=list(modes), storage_class_name=storage, volume_name=volume,
            resources=core_v1.VolumeResourceRequirements(requests={"storage": size}),
        ),
    )


def volume(name: str, storage: str = "", *, on: str = "", size: str = "1Gi", csi: str = "", labels: dict[str, str] | None = None) -> Volume:
    term = core_v1.NodeSelectorRequirement(key=HOSTNAME, operator="In", values=[on])
    selector = core_v1.NodeSelector(node_selector_terms=[core_v1.NodeSelectorTerm(match_expressions=[term])])
    return Volume(
        metadata=meta_v1.ObjectMeta(name=name, labels=labels or {}), status=core_v1.PersistentVolumeStatus(phase="Available"),
        spec=core_v1.PersistentVolumeSpec(
            capacity={"storage": size}, access_modes=["ReadWriteOnce"], storage_class_name=storage,
            node_affinity=core_v1.VolumeNodeAffinity(required=selector) if on else None,
            csi=core_v1.CSIPersistentVolumeSource(driver=csi, volume_handle=name) if csi else None,
        ),
    )


def storage_class(name: str, provisioner: str = "wherry.io/local", mode: str = "WaitForFirstConsumer", **more: Any) -> StorageClass:
    return StorageClass(metadata=meta_v1.ObjectMeta(name=name), provisioner=provisioner, volume_binding_mode=mode, **more)


WAIT, MANUAL = storage_class("wait"), storage_class("manual", "kubernetes.io/no-provisioner")
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
ELSEWHERE = storage_class("there", allowed_topologies=[core_v1.TopologySelectorTerm(
    match_label_expressions=[core_v1.TopologySelectorLabelRequirement(key=HOSTNAME, values=["n2"])],
)])


@pytest.mark.parametrize(("asked", "objects", "why"), [
    pytest.param(pod(), [], None, id="no claims"),
    pytest.param(pod("data"), [], 'persistentvolumeclaim "data" not found', id="not found"),
    pytest.param(
        pod(ephemeral=True), [], 'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-own"', id="not made yet",
    ),
    pytest.param(
        pod(ephemeral=True), [claim("p-own")], "PVC default/p-own was not created for pod default/p (pod is not owner)", id="not its own",
    ),
    pytest.param(pod("data"), [claim(going=True)], 'persistentvolumeclaim "data" is being deleted', id="going"),
    pytest.param(
        pod("data"), [claim(phase="Lost", volume="pv")], 'persistentvolumeclaim "data" bound to non-existent persistentvolume "pv"', id="lost",
    ),
    pytest.param(pod("data"), [claim()], "pod has unbound immediate PersistentVolumeClaims", id="not bound"),
    pytest.param(
        pod("data"), [claim(storage="wait", volume="pv"), WAIT], "pod has unbound immediate PersistentVolumeClaims", id="asks for a volume",
    ),
    pytest.param(pod("data"), [claim(phase="Bound", volume="pv"), volume("pv", on="n1")], None, id="bound, here"),
    pytest.param(
        pod("data"), [claim(phase="Bound", volume="pv"), volume("pv", on="n2")], "node(s) didn't match PersistentVolume's node affinity", id="elsewhere",
    ),
    pytest.param(
        pod("data"), [claim(phase="Bound", volume="pv")], "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
        id="volume gone",
    ),
    pytest.param(pod("data"), [claim(storage="wait"), WAIT], None, id="can be made"),
    pytest.param(pod("data"), [claim(storage="wait", node="n1"), WAIT], None, id="is being made here"),
    pytest.param(pod("data"), [claim(storage="wait", node="n2"), WAIT], NO_VOLUME, id="is being made elsewhere"),
    pytest.param(pod("data"), [claim(storage="there"), ELSEWHERE], NO_VOLUME, id="can be made elsewhere"),
    pytest.param(pod("data"), [claim(storage="manual"), MANUAL], NO_VOLUME, id="nobody makes them"),
    pytest.param(pod("data"), [claim(storage="manual"), MANUAL, volume("pv", "manual", on="n1")], None, id="free here"),
    pytest.param(pod("data"), [claim(storage="manual"), MANUAL, volume("pv", "manual", on="n2")], NO_VOLUME, id="free elsewhere"),
    pytest.param(
        pod("a", "b"), [claim("a", "manual"), claim("b", "manual"), MANUAL, volume("pv", "manual")], NO_VOLUME, id="one for two",
    ),
])
def test_volume_binding(asked: core_v1.Pod, objects: list[Any], why: str | None):
    world = World(*objects)
    assert world.ask(VolumeBinding(world), asked)[0] == why


def test_the_large_volume_is_left_for_the_large_claim():
    world = World(MANUAL, claim("a", "manual", size="5Gi"), claim("b", "manual"), volume("big", "manual", size="5Gi"), volume("small", "manual"))
    _, state = world.ask(VolumeBinding(world), pod("a", "b"))
    chosen = {each.metadata.name: found.metadata.name for each, found in state.data["VolumeBinding"].choices["n1"].volumes}
    assert chosen == {"a": "big", "b": "small"}


def test_what_one_pod_has_chosen_is_not_for_another():
    world = World(MANUAL, claim("a", "manual"), claim("b", "manual"), volume("pv", "manual"))
    plugin = VolumeBinding(world)
    _, state = world.ask(plugin, pod("a"))
    assert plugin.reserve(state, pod("a"), "n1") is None
    assert world.ask(plugin, pod("b", name="q"))[0] == NO_VOLUME
    assert world.ask(plugin, pod("a", name="r"))[0] is None
    assert world.ask(plugin, pod("a", name="r"), "n2")[0] == NO_VOLUME, "the claim goes where its first Pod goes"
    plugin.unreserve(state, pod("a"), "n1")
    assert world.ask(plugin, pod("b", name="q"))[0] is None


def test_what_one_profile_has_chosen_is_no_other_profile_s():
    world = World(MANUAL, claim("a", "manual"), claim("b", "manual"), volume("pv", "manual"))
    one, other = VolumeBinding(world), VolumeBinding(world)
    _, state = world.ask(one, pod("a"))
    one.reserve(state, pod("a"), "n1")
    assert world.ask(other, pod("b", name="q"))[0] == NO_VOLUME
    one.unreserve(state, pod("a"), "n1")
    assert world.ask(other, pod("b", name="q"))[0] is None


@pytest.mark.parametrize(("offered", "patched"), [([], ["data"]), ([volume("pv", "wait")], ["pv"])], ids=["made", "taken"])
async def test_pre_bind_writes_and_waits(offered: list[Volume], patched: list[str]):
    world = World(WAIT, claim(storage="wait"), *offered)
    plugin, asked = VolumeBinding(world), pod("data")
    _, state = world.ask(plugin, asked)
    plugin.reserve(state, asked, "n1")
    assert plugin.pre_bind_pre_flight(state, asked, "n1")
    task = asyncio.ensure_future(plugin.pre_bind(state, asked, "n1"))
    await world.clock.advance(1)
    assert not task.done()
    assert [name for name, _ in world.client.patches] == patched
    assert all("resourceVersion" in body["metadata"] for _, body in world.client.patches)
    world.put(volume("pv", "wait"))
    world.put(claim(storage="wait", phase="Bound", volume="pv", node="n1"))
    await world.clock.advance(2)
    assert await task is None


async def test_pre_bind_gives_up():
    world = World(WAIT, claim(storage="wait"))
    plugin, asked = VolumeBinding(world, bind_timeout=5), pod("data")
    _, state = world.ask(plugin, asked)
    task = asyncio.ensure_future(plugin.pre_bind(state, asked, "n1"))
    for _ in range(10):
        await world.clock.advance(1)
    with pytest.raises(PluginError, match="^binding volumes: context deadline exceeded$"):
        await task


@pytest.mark.parametrize(("changed", "why"), [
    pytest.param({"annotations": {}}, 'provisioning failed for PVC "data"', id="the provisioner asks for another node"),
    pytest.param({"deletion_timestamp": "2026-11-23T00:00:00Z"}, 'pvc "default/data" is gone or being deleted', id="going"),
    pytest.param({"uid": "another"}, 'pvc "default/data" is gone or being deleted', id="another of that name"),
])
async def test_pre_bind_sees_that_it_waits_in_vain(changed: dict[str, Any], why: str):
    world = World(WAIT, claim(storage="wait"))
    plugin, asked = VolumeBinding(world), pod("data")
    _, state = world.ask(plugin, asked)
    task = asyncio.ensure_future(plugin.pre_bind(state, asked, "n1"))
    await world.clock.advance(1)
    assert not task.done()
    now = claim(storage="wait", node="n1")
    world.put(msgspec.structs.replace(now, metadata=msgspec.structs.replace(now.metadata, resource_version="7", **changed)))
    await world.clock.advance(2)
    with pytest.raises(PluginError) as raised:
        await task
    assert str(raised.value) == f"binding volumes: {why}"


IN_USE = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"


@pytest.mark.parametrize(("mode", "other", "why"), [
    ("ReadWriteOncePod", "data", IN_USE), ("ReadWriteOncePod", "else", None), ("ReadWriteOnce", "data", None),
])
def test_one_pod_only(mode: str, other: str, why: str | None):
    world = World(claim(modes=(mode,)), claim("else"))
    plugin, taken = VolumeRestrictions(world), pod(other, name="q")
    world.nodes["n2"].add(taken)  # wherever it is
    found, state = world.ask(plugin, pod("data"))
    assert found == why
    if why:
        plugin.remove_pod(state, pod("data"), taken, world.nodes["n2"])
        assert plugin.filter(state, pod("data"), world.nodes["n1"]) is None


def disk(kind: str, name: str = "p", **source: Any) -> core_v1.Pod:
    raw = {"metadata": {"name": name, "namespace": "default", "uid": name}, "spec": {"containers": [], "volumes": [{"name": "v", kind: source}]}}
    return msgspec.convert(raw, core_v1.Pod)


GCE, ISCSI, RBD = "gcePersistentDisk", "iscsi", "rbd"
NO_DISK = "node(s) had no available disk"


@pytest.mark.parametrize(("mine", "theirs", "why"), [
    (disk(GCE, pdName="d"), disk(GCE, "q", pdName="d"), NO_DISK),
    (disk(GCE, pdName="d"), disk(GCE, "q", pdName="e"), None),
    (disk(GCE, pdName="d", readOnly=True), disk(GCE, "q", pdName="d", readOnly=True), None),
    (disk(GCE, pdName="d", readOnly=True), disk(GCE, "q", pdName="d"), NO_DISK),
    (disk("awsElasticBlockStore", volumeID="v", readOnly=True), disk("awsElasticBlockStore", "q", volumeID="v", readOnly=True), NO_DISK),
    (disk(ISCSI, iqn="i"), disk(ISCSI, "q", iqn="i"), NO_DISK),
    (disk(ISCSI, iqn="i", readOnly=True), disk(ISCSI, "q", iqn="i", readOnly=True), None),
    (disk(RBD, monitors=["a", "b"], pool="p", image="i"), disk(RBD, "q", monitors=["b", "c"], pool="p", image="i"), NO_DISK),
    (disk(RBD, monitors=["a"], pool="p", image="i"), disk(RBD, "q", monitors=["b"], pool="p", image="i"), None),
    (disk(RBD, monitors=["a"], pool="p", image="i"), disk(RBD, "q", monitors=["a"], pool="p", image="j"), None),
    (disk(GCE, pdName="d"), disk(RBD, "q", monitors=["a"], pool="p", image="d"), None),
])
def test_a_disk_has_one_writer(mine: core_v1.Pod, theirs: core_v1.Pod, why: str | None):
    world = World()
    world.nodes["n1"].add(theirs)
    plugin = VolumeRestrictions(world)
    found, state = world.ask(plugin, mine)
    assert found == why
    assert world.ask(plugin, mine, "n2")[0] is None, "another node may have it"
    gone = next(each for each in plugin.events() if each.resource == "AssignedPod")
    assert gone.hint(mine, theirs, None) is bool(why)


ZONE = "topology.kubernetes.io/zone"


@pytest.mark.parametrize(("labels", "zone", "why"), [
    pytest.param({ZONE: "a"}, {"zone": "a"}, None, id="same"),
    pytest.param({ZONE: "a"}, {"zone": "b"}, "node(s) had no available volume zone", id="another"),
    pytest.param({ZONE: "a__b"}, {"zone": "b"}, None, id="one of several"),
    pytest.param({"failure-domain.beta.kubernetes.io/zone": "a"}, {"zone": "a"}, None, id="older name"),
    pytest.param({ZONE: "a"}, {"failure-domain.beta.kubernetes.io/zone": "a"}, "node(s) had no available volume zone", id="older node"),
    pytest.param({ZONE: "a"}, {}, None, id="a cluster without zones"),
    pytest.param({ZONE: "a"}, {"region": "r"}, "node(s) had no available volume zone", id="a region without the zone"),
    pytest.param({}, {"zone": "a"}, None, id="a volume without one"),
])
def test_zones(labels: dict[str, str], zone: dict[str, str], why: str | None):
    world = World(claim(phase="Bound", volume="pv"), volume("pv", labels=labels), nodes=(node("n1", **zone),))
    assert world.ask(VolumeZone(world), pod("data"))[0] == why


@pytest.mark.parametrize(("limit", "why"), [(2, None), (1, "node(s) exceed max volume count")])
def test_limits_of_a_driver(limit: int, why: str | None):
    driver = storage_v1.CSINodeDriver(name="csi", node_id="n1", allocatable=storage_v1.VolumeNodeResources(count=limit))
    csi = storage_v1.CSINode(metadata=meta_v1.ObjectMeta(name="n1"), spec=storage_v1.CSINodeSpec(drivers=[driver]))
    bound = [claim(each, phase="Bound", volume=f"pv-{each}") for each in "ab"]
    world = World(csi, *bound, *(volume(f"pv-{each}", csi="csi") for each in "ab"))
    world.nodes["n1"].add(pod("a", name="q"))
    plugin = NodeVolumeLimits(world)
    assert world.ask(plugin, pod("b"))[0] == why
    assert world.ask(plugin, pod("a"))[0] is None, "the same volume again takes no more room"
    assert world.ask(plugin, pod("b"), "n2")[0] is None, "no CSINode, no limit"


def attachment(of: str, node: str = "n1") -> storage_v1.VolumeAttachment:
    source = storage_v1.VolumeAttachmentSource(persistent_volume_name=of)
    return storage_v1.VolumeAttachment(
        metadata=meta_v1.ObjectMeta(name=f"{of}-{node}"), spec=storage_v1.VolumeAttachmentSpec(attacher="csi", node_name=node, source=source),
    )


@pytest.mark.parametrize(("attached", "why"), [
    pytest.param([], None, id="none"),
    pytest.param([attachment("pv-a")], "node(s) exceed max volume count", id="one that no Pod has any more"),
    pytest.param([attachment("pv-a", "n2")], None, id="elsewhere"),
    pytest.param([attachment("pv-b")], None, id="the volume itself"),
])
def test_what_is_attached_counts_though_no_pod_has_it(attached: list[Any], why: str | None):
    driver = storage_v1.CSINodeDriver(name="csi", node_id="n1", allocatable=storage_v1.VolumeNodeResources(count=1))
    csi = storage_v1.CSINode(metadata=meta_v1.ObjectMeta(name="n1"), spec=storage_v1.CSINodeSpec(drivers=[driver]))
    world = World(csi, claim("b", phase="Bound", volume="pv-b"), *(volume(f"pv-{each}", csi="csi") for each in "ab"))
    plugin = NodeVolumeLimits(world)
    for each in attached:
        world.put(each)
    assert world.ask(plugin, pod("b"))[0] == why


def limited(driver: str, count: int | None, *migrated: str) -> storage_v1.CSINode:
    meta = {"name": "n1", "annotations": {"storage.alpha.kubernetes.io/migrated-plugins": ",".join(migrated)}}
    told = {"name": driver, "nodeID": "n1", "allocatable": {"count": count} if count is not None else None}
    return msgspec.convert({"metadata": meta, "spec": {"drivers": [told]}}, storage_v1.CSINode)


EBS, GCE_PD = "kubernetes.io/aws-ebs", "kubernetes.io/gce-pd"
OLD = msgspec.convert({"metadata": {"name": "old"}, "spec": {"awsElasticBlockStore": {"volumeID": "aws://zone/vol-1"}}}, Volume)


@pytest.mark.parametrize(("csi", "there", "asked", "why"), [
    pytest.param(limited("ebs.csi.aws.com", 1, EBS), there, claims, why, id=name) for there, claims, why, name in (
        (disk("awsElasticBlockStore", "q", volumeID="vol-2"), ["a"], "node(s) exceed max volume count", "an inline volume is there"),
        (disk("awsElasticBlockStore", "q", volumeID="vol-1"), ["a"], None, "the same volume, inline"),
        (disk("gcePersistentDisk", "q", pdName="vol-2"), ["a"], None, "of another driver"),
    )
] + [
    pytest.param(
        limited("ebs.csi.aws.com", 1, GCE_PD), disk("awsElasticBlockStore", "q", volumeID="vol-2"), ["a"], None, id="not served by the driver here",
    ),
    pytest.param(limited("ebs.csi.aws.com", 0, EBS), pod(name="q"), ["a"], "node(s) exceed max volume count", id="no place at all"),
    pytest.param(limited("ebs.csi.aws.com", 0, EBS), pod(name="q"), ["b"], "node(s) exceed max volume count", id="a class of the old kind"),
    pytest.param(limited("ebs.csi.aws.com", None, EBS), disk("awsElasticBlockStore", "q", volumeID="vol-2"), ["a"], None, id="no limit"),
])
def test_volumes_of_the_old_kinds_take_places_of_their_driver(
    csi: storage_v1.CSINode, there: core_v1.Pod, asked: list[str], why: str | None,
):
    world = World(csi, OLD, claim("a", phase="Bound", volume="old"), claim("b", "ebs"), storage_class("ebs", EBS))
    world.nodes["n1"].add(there)
    assert world.ask(NodeVolumeLimits(world), pod(*asked))[0] == why


@pytest.mark.parametrize(("old", "new", "helps"), [
    (None, limited("d", 0), True), (limited("d", 1), limited("d", 2), True), (limited("d", 2), limited("d", 1), False),
    (limited("d", 1), limited("d", None), True), (limited("d", 1), limited("e", 1), True), (limited("d", 1), limited("d", 1), False),
    (limited("d", 1), limited("d", 1, EBS), True),
])
def test_a_csi_node_helps_when_it_takes_more(old: storage_v1.CSINode | None, new: storage_v1.CSINode, helps: bool):
    hint = next(each for each in NodeVolumeLimits(World()).events() if each.resource is storage_v1.CSINode)
    assert hint.hint(pod("a"), old, new) is helps


@pytest.mark.parametrize(("prevents", "why"), [(True, "csi CSI driver is not installed on the node"), (False, None)])
def test_a_driver_may_keep_pods_from_nodes_that_lack_it(prevents: bool, why: str | None):
    driver = storage_v1.CSIDriver(metadata=meta_v1.ObjectMeta(name="csi"), spec=storage_v1.CSIDriverSpec(prevent_pod_scheduling_if_missing=prevents))
    there = storage_v1.CSINode(
        metadata=meta_v1.ObjectMeta(name="n2"), spec=storage_v1.CSINodeSpec(drivers=[storage_v1.CSINodeDriver(name="csi", node_id="n2")]),
    )
    world = World(driver, there, claim("a", phase="Bound", volume="pv-a"), volume("pv-a", csi="csi"))
    plugin = NodeVolumeLimits(world)
    assert world.ask(plugin, pod("a"))[0] == why
    assert world.ask(plugin, pod("a"), "n2")[0] is None


def test_the_plugins_of_two_profiles_share_their_indexes() -> None:
    world = World()
    for make in (NodeVolumeLimits, VolumeBinding):
        make(world)
        make(world)
