"""Takes everything of a cluster off the host, by its name: after `down`, after `kill -9`, after anything.

It needs no record: processes are found by cgroup, mounts by path, links by alias, tables by name.  What
only a record tells (the guard routes' ranges, where writable layers are) comes from `runtime.json`.
"""

import contextlib
import shutil
from pathlib import Path

from wherry.runtime.embedded import cgroups, hostport, linux, network, records, rtnl
from wherry.runtime.embedded.config import RuntimeConfig, cgroup_name, link_alias, link_prefix


def cleanup(cluster: str, state: Path) -> list[str]:
    """Remove it all (but images) and say what was found.  Again finds nothing.  Blocks."""
    config = records.load(state / "runtime.json", RuntimeConfig)
    found = _processes(cluster)
    roots = [state] if config is None else [state, config.root]
    for root in roots:
        for point in linux.mounts_under(root):
            linux.unmount(point)
            found.append(f"mount {point}")
    found += hostport.delete_table(cluster)
    if config is not None:
        found += network.teardown(config)
    else:
        found += _links(cluster)
    if cgroups.host().remove(cgroup_name(cluster)):
        found.append(f"cgroup {cgroup_name(cluster)}")
    if config is not None:
        shutil.rmtree(config.writable, ignore_errors=True)
    if state.is_dir():
        shutil.rmtree(state)
        found.append(f"directory {state}")
    return found


def _processes(cluster: str) -> list[str]:
    host = cgroups.host()
    killed = 0
    with contextlib.suppress(OSError):
        killed = host.kill(cgroup_name(cluster))
    return [f"{killed} processes"] if killed else []


def _links(cluster: str) -> list[str]:
    found = []
    with rtnl.Netlink() as netlink:
        for link in netlink.links():
            if link.alias == link_alias(cluster) or link.name.startswith(link_prefix(cluster)):
                netlink.apply([rtnl.delete_link(link.name)])
                found.append(f"link {link.name}")
    return found
