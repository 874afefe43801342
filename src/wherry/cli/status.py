"""`wherry status`: what runs, where, with how much memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from wherry.cluster import admin, processes, remains
from wherry.cluster.config import ClusterConfig, load, others, spelt
from wherry.cluster.lifecycle import running

UP, NO_ANSWER, DOWN = 0, 1, 3  # exit codes; scripts rely on them


def memory_mib(pid: int, proc: Path = Path("/proc")) -> float:
    """Resident memory of a process, MiB; 0 when it is gone."""
    try:
        fields = dict(line.split(":", 1) for line in (proc / str(pid) / "status").read_text().splitlines() if ":" in line)
        return int(fields["VmRSS"].split()[0]) / 1024
    except (OSError, KeyError, ValueError):
        return 0.0


def described(config: ClusterConfig, pid: int, memory: float, *, left: bool = False) -> list[str]:
    """What is known without asking the API.  `left`: the process is gone, but not what it made on this host.  Pure."""
    lines = [f"cluster    {config.name} ({config.fidelity})", f"data       {config.data}"]
    if not pid:
        if left:
            told = f"gone; its containers run on: {spelt('up', config.name)} takes them over, {spelt('down', config.name)} ends them"
        else:
            told = f"down: {spelt('up', config.name)} brings it back"
        return [*lines, f"process    {told}"]
    return [
        *lines,
        f"process    {pid}, {memory:.0f} MiB, log {config.run / 'wherry.log'}",
        f"api        https://127.0.0.1:{config.port}, context {config.context}",
        f"addresses  Pods {config.pod_range}, Services {config.service_range}, DNS {config.dns_service_ip}",
    ]


def components(config: ClusterConfig, told: list[tuple[processes.Record, float]]) -> list[str]:
    """Each component's own process, where it has one, with its memory.  Pure."""

    def port(record: processes.Record) -> str:
        return f"port {record.port}, " if record.port else ""

    width = max((len(record.name) for record, _ in told), default=0)
    return [
        f"  {record.name:{width}}  {record.pid}, {memory:.0f} MiB, {port(record)}log {config.run / record.name}.log"
        + (f", restarts: {record.restarts}" if record.restarts else "")
        for record, memory in told
    ]


def counted(nodes: list[Any], pods: list[Any]) -> list[str]:
    """How many nodes are ready, and how many Pods are in which phase.  Pure."""
    ready = sum(any(c["type"] == "Ready" and c["status"] == "True" for c in n.get("status", {}).get("conditions", [])) for n in nodes)
    phases = Counter(pod.get("status", {}).get("phase", "Unknown") for pod in pods)
    return [
        f"nodes      {ready} of {len(nodes)} ready",
        f"pods       {', '.join(f'{count} {phase}' for phase, count in sorted(phases.items())) or 'none'}",
    ]


def neighbours(name: str) -> list[str]:
    """The other clusters of this host, for one who asked for the wrong one."""
    names = [other.name for other in others(name)]
    return [f"There are others: {', '.join(names)}"] if names else []


def show(name: str, data_dir: str) -> int:
    """Print it.  Raises ConfigError."""
    config = load(name, data_dir)
    if config is None:
        print(remains.of(name) or f"There is no cluster {name!r}: {spelt('up', name)} makes one.")
        for line in neighbours(name):
            print(line)
        return DOWN
    pid = running(config)
    left = config.fidelity == "real" and (config.run / "runtime").exists()
    print("\n".join(described(config, pid, memory_mib(pid), left=left)))
    if not pid:
        return DOWN
    told = [(record, memory_mib(record.pid)) for record in processes.running(config)]
    for line in components(config, told):
        print(line)
    try:
        nodes, pods = admin.ask(config, "/api/v1/nodes")["items"], admin.ask(config, "/api/v1/pods")["items"]
    except (admin.NoAnswer, admin.Refused) as error:
        print(f"no answer  {error}")
        return NO_ANSWER
    print("\n".join(counted(nodes, pods)))
    return UP
