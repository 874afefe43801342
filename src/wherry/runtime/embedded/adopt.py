"""Takes over what an earlier process of the cluster left: running, ended or half-made.  Blocks."""

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from wherry.runtime.embedded import linux, records, rtnl
from wherry.runtime.embedded.config import RuntimeConfig, link_alias, pod_link
from wherry.runtime.embedded.container import Containers
from wherry.runtime.embedded.network import Network
from wherry.runtime.embedded.records import ContainerRecord, SandboxRecord
from wherry.runtime.embedded.sandbox import Sandboxes
from wherry.runtime.images.store import ImageStore
from wherry.runtime.interface import SandboxConfig, SandboxState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    sandboxes: list[SandboxRecord]
    containers: list[ContainerRecord]


def adopt(config: RuntimeConfig, store: ImageStore, network: Network, sandboxes: Sandboxes, containers: Containers) -> Found:
    """Prepare the host, read the records, and bring both together."""
    _own_mount(config.state)
    for directory in (config.sandboxes, config.containers, config.exits, config.sockets, config.oci_state, config.writable):
        directory.mkdir(parents=True, exist_ok=True)
    config.state.chmod(0o700)
    config.writable.chmod(0o700)
    records.save(config.state / "runtime.json", config)
    store.open()
    network.setup()
    containers.prepare_host()
    found_sandboxes = _sandboxes(config, sandboxes)
    found_containers = _containers(config, containers, {record.id for record in found_sandboxes})
    _sweep(config, sandboxes, found_sandboxes, found_containers)
    return Found(found_sandboxes, found_containers)


def _own_mount(state: Path) -> None:
    """Keep the state in a tmpfs of its own, below which all mounts of the runtime lie (`mountview`).

    Records, bundles and runc's own state are small, many and short-lived.  (Where /run is a disk: ext4 makes no inode
    anew for some time after it was deleted and searches past them, 8 % of what a Pod's start cost.)
    What an earlier version has there stays where it is until the next `down`.
    """
    state.mkdir(parents=True, exist_ok=True)
    if state not in linux.mounts_under(state) and not any(state.iterdir()):
        linux.mount("wherry", state, "tmpfs", linux.MS_NOSUID, "mode=700,size=20%")
        linux.mount("none", state, flags=linux.MS_PRIVATE)


def _sandboxes(config: RuntimeConfig, work: Sandboxes) -> list[SandboxRecord]:
    found = []
    mounted, boot = set(linux.mounts_under(config.sandboxes)), records.boot_id()
    for directory in sorted(config.sandboxes.iterdir()):
        record = records.load(directory / "sandbox.json", SandboxRecord)
        if record is None or not record.complete:
            log.info("cleaning up sandbox %s, which was never finished", directory.name[:12])
            record = record or SandboxRecord(directory.name, SandboxConfig("", "", ""), 0.0, f"{config.cgroup}/none", boot)
            work.remove(work.stop(record))
            continue
        if record.state is SandboxState.READY and (record.boot != boot or not work.intact(record, mounted)):
            record = replace(record, state=SandboxState.NOTREADY)
            work.save(record)
        found.append(record)
    return found


def _containers(config: RuntimeConfig, work: Containers, sandbox_ids: set[str]) -> list[ContainerRecord]:
    found = []
    for directory in sorted(config.containers.iterdir()):
        record = records.load(directory / "container.json", ContainerRecord)
        if record is None or not record.complete or record.sandbox_id not in sandbox_ids:
            log.info("cleaning up container %s, which was never finished", directory.name[:12])
            work.remove(record or work.unknown(directory.name))
            continue
        found.append(_settle(record, work))
    return found


def _settle(record: ContainerRecord, work: Containers) -> ContainerRecord:
    """What a container's record must say now."""
    if record.finished_at:
        return record
    if not record.started_at:
        return work.unstart(record)
    left = work.exit_of(record)
    if left is not None or not (record.conmon.alive() or record.init.alive()):
        return work.finish(record, left[1] if left else max(record.started_at, work.last_sign(record)))
    work.go_on(record)
    return record


def _sweep(config: RuntimeConfig, work: Sandboxes, sandboxes: list[SandboxRecord], containers: list[ContainerRecord]) -> None:
    """Links, addresses and writable layers that no record knows."""
    ready = {record.id for record in sandboxes if record.state is SandboxState.READY}
    work.release_addresses({record.id for record in sandboxes})
    links = {config.bridge, *(pod_link(config.cluster, each) for each in ready)}
    with rtnl.Netlink() as netlink:
        for link in netlink.links():
            if link.alias == link_alias(config.cluster) and link.name not in links:
                netlink.apply([rtnl.delete_link(link.name)])
    ids = {record.id for record in containers}
    for directory in config.writable.iterdir():
        if directory.name not in ids:
            shutil.rmtree(directory, ignore_errors=True)
