"""`wherry doctor`: each thing that the host must offer, present or missing, and the command that mends it.

The checks are functions of a `Host`, so that they are tested with one that has nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wherry.cli.doctor_host import Host
from wherry.cluster.config import POD_RANGES, BrokenConfig, ClusterConfig, folders, load
from wherry.cluster.host import PROGRAMS
from wherry.cluster.lifecycle import running

GIB = 1 << 30
KERNEL = {
    "overlay": "overlayfs for images", "veth": "virtual Ethernet pairs", "bridge": "bridges", "nf_tables": "nftables with NAT and maps",
}
INOTIFY = {"max_user_instances": 128, "max_user_watches": 8192}
DNS_PORT = 53
DROPS = "its policy is to drop, and no rule lets Pods through"
_HOOK = re.compile(r"type filter hook forward [^;]*; policy drop;")


@dataclass(frozen=True, slots=True)
class Finding:
    """One requirement.  `needed`: "real" (containers), "all" fidelities, or "advice".  `problem` is "" when all is well;
    `mend` is what to type, or to do."""

    what: str
    needed: str
    problem: str = ""
    mend: str = ""


def findings(host: Host, config: ClusterConfig | None, *, up: bool) -> Iterator[Finding]:
    """Every requirement.  `up`: the cluster runs, so that its ports are its own."""
    version = ".".join(map(str, host.python))
    yield Finding(f"Python {version}", "all", "" if host.python >= (3, 11) else "too old", "install Python 3.11 or newer")
    yield Finding("Linux", "real", "" if host.linux else "this is another system", "wherry up --fidelity sim")
    yield Finding("root", "real", "" if host.root else "you are not root", "sudo wherry up, or wherry up --fidelity sim")
    yield from _programs(host)
    yield from _kernel(host)
    yield _cgroups(host)
    yield from _ports(host, config, up=up)
    yield from _forwarding(host, config.pod_range if config else POD_RANGES[0])
    yield from _room(host)


def _programs(host: Host) -> Iterator[Finding]:
    for name, package in PROGRAMS.items():
        yield Finding(name, "real", "" if host.program(name) else "not installed", f"apt-get install --no-install-recommends {package}")
    yield Finding("kubectl", "advice", "" if host.program("kubectl") else "not installed", "https://kubernetes.io/docs/tasks/tools/")


def _kernel(host: Host) -> Iterator[Finding]:
    for kind in ("net", "ipc", "uts", "mnt", "pid"):
        there = host.exists(f"/proc/self/ns/{kind}")
        yield Finding(f"{kind} namespaces", "real", "" if there else "the kernel has none", "use a kernel with namespaces")
    there = host.exists("/proc/sys/net/ipv4/ip_forward")
    yield Finding("IPv4 forwarding", "real", "" if there else "the kernel has none", "use a kernel with IPv4")
    if host.linux and host.root:  # others may not even try
        for module, what in KERNEL.items():
            problem = host.tried(module)
            yield Finding(what, "real", problem, f"modprobe {module}")


def _cgroups(host: Host) -> Finding:
    needed = {"cpu", "memory", "pids"}
    if controllers := host.text("/sys/fs/cgroup/cgroup.controllers"):
        missing = needed - set(controllers.split())
        return Finding("cgroup v2", "real", f"without {', '.join(sorted(missing))}" if missing else "", "boot with cgroup_enable=memory")
    missing = {name for name in (*needed, "freezer") if not host.exists(f"/sys/fs/cgroup/{name}")}
    places = {name: f"/sys/fs/cgroup/{name}" for name in sorted(missing)}
    mend = "; ".join(f"mkdir -p {place} && mount -t cgroup -o {name} {name} {place}" for name, place in places.items())
    return Finding("cgroup v1", "real", f"not mounted: {', '.join(sorted(missing))}" if missing else "", mend)


def _ports(host: Host, config: ClusterConfig | None, *, up: bool) -> Iterator[Finding]:
    if config is not None and not up:
        by = host.holder(config.port)
        problem, mend = f"taken by {by}" if by else "", f"end that, or wherry up --name {config.name} --port PORT"
        yield Finding(f"port {config.port} for the API", "all", problem, mend)
    if not up:
        by = host.holder(DNS_PORT)
        everywhere = by if _on_every_address(host, DNS_PORT) else ""  # on its own addresses it is in nobody's way
        mend = "let it listen on its own addresses only (dnsmasq: bind-interfaces; unbound: interface: 127.0.0.1)"
        yield Finding("port 53 for the cluster's DNS", "real", f"taken on every address by {everywhere}" if everywhere else "", mend)


def _on_every_address(host: Host, port: int) -> bool:
    wanted = {f"{'0' * 8}:{port:04X}", f"{'0' * 32}:{port:04X}"}
    tables = ("tcp", "udp", "tcp6", "udp6")
    return any(line.split()[1] in wanted for table in tables for line in host.text(f"/proc/net/{table}").splitlines()[1:])


def _forwarding(host: Host, pods: str) -> Iterator[Finding]:
    """A drop at the end of anyone's forward chain is final, as Docker and many firewalls have it: it takes Pods' packets."""
    bad = 0
    for family, table, chain in dropping(host.output("nft", "list", "chains")):
        if pods in host.output("nft", "list", "chain", family, table, chain):
            continue
        bad += 1
        if (family, table, chain) == ("ip", "filter", "FORWARD"):
            mend = f"iptables -I FORWARD -s {pods} -j ACCEPT; iptables -I FORWARD -d {pods} -j ACCEPT"
        else:
            where = f"nft insert rule {family} {table} {chain}"
            mend = f"{where} ip saddr {pods} accept; {where} ip daddr {pods} accept"
        yield Finding(f"forwarding through nftables ({family} {table} {chain})", "real", DROPS, mend)
    legacy = host.output("iptables-legacy", "-S", "FORWARD")
    if "-P FORWARD DROP" in legacy and pods not in legacy:
        bad += 1
        mend = f"iptables-legacy -I FORWARD -s {pods} -j ACCEPT; iptables-legacy -I FORWARD -d {pods} -j ACCEPT"
        yield Finding("forwarding through iptables-legacy", "real", DROPS, mend)
    if not bad:
        yield Finding(f"forwarding for Pods ({pods})", "real")


def dropping(chains: str) -> list[tuple[str, str, str]]:
    """(family, table, chain) of each forward chain whose policy is to drop, from what `nft list chains` prints.  Pure."""
    found, table, chain = [], ("", ""), ""
    for line in chains.splitlines():
        words = line.split()
        if words[:1] == ["table"]:
            table = (words[1], words[2])
        elif words[:1] == ["chain"]:
            chain = words[1]
        elif _HOOK.search(line) and table[0] != "ip6":  # Pods have IPv4 only
            found.append((*table, chain))
    return found


def _room(host: Host) -> Iterator[Finding]:
    space, files = host.space()
    yield Finding(f"disk ({space / GIB:.1f} GiB free for {host.data})", "all", "" if space >= GIB else "less than 1 GiB",
                  "free some space, or wherry up --data-dir DIR on another disk")
    if files < 0.01:
        yield Finding(f"inodes for {host.data}", "all", "less than 1 % free", "delete small files there, or wherry up --data-dir DIR")
    for name, least in INOTIFY.items():
        value = host.text(f"/proc/sys/fs/inotify/{name}").strip()
        if value:
            problem = f"{value} is little for many Pods" if int(value) < least else ""
            yield Finding(f"fs.inotify.{name}", "advice", problem, f"sysctl -w fs.inotify.{name}={least * 4}")


def show(name: str, data_dir: str) -> int:
    """Print every finding; 1 when something that this cluster needs is missing."""
    try:
        config = load(name, data_dir)
    except BrokenConfig as error:
        print(f"missing  settings of cluster {name!r}: {error}")
        config = None
    real = config is None or config.fidelity == "real"
    host = Host(config.data if config else folders(name, data_dir)[0])
    bad, bad_for_real = 0, 0
    for finding in findings(host, config, up=config is not None and bool(running(config))):
        if not finding.problem:
            print(f"ok       {finding.what}")
            continue
        counts = finding.needed == "all" or (finding.needed == "real" and real)
        bad += counts
        bad_for_real += counts and finding.needed == "real"
        print(f"{'missing' if counts else 'advice '}  {finding.what}: {finding.problem}\n           mend: {finding.mend}")
    if bad_for_real:
        print(f"\n{bad_for_real} missing for real containers; `wherry up --fidelity sim` needs less.")
    return 1 if bad else 0
