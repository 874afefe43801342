"""`wherry status`: what runs, where, with how much memory."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from wherry.cluster.config import ClusterConfig, load
from wherry.cluster.lifecycle import running


def memory_mib(pid: int) -> float:
    """Resident memory of a process, MiB; 0 when it is gone."""
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
        return int(fields["VmRSS"].split()[0]) / 1024
    except (OSError, KeyError, ValueError):
        return 0.0


def ask(config: ClusterConfig, path: str) -> Any:
    """GET from the cluster's API.  Raises OSError."""
    context = ssl.create_default_context(cafile=str(config.pki / "ca.crt"))
    token = (config.pki / "admin.token").read_text().strip()
    request = urllib.request.Request(f"https://127.0.0.1:{config.port}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        return json.load(answer)


def show(name: str, data_dir: str) -> int:
    """Print it; 0 when the cluster runs and answers, 3 when it is down, 1 when it does not answer."""
    config = load(name, data_dir)
    if config is None:
        print(f"There is no cluster {name!r}.")
        return 3
    pid = running(config)
    print(f"cluster    {config.name} ({config.fidelity})")
    print(f"data       {config.data}")
    if not pid:
        print("process    down")
        return 3
    print(f"process    {pid}, {memory_mib(pid):.0f} MiB, log {config.run / 'wherry.log'}")
    print(f"api        https://127.0.0.1:{config.port}, context {config.context}")
    print(f"addresses  Pods {config.pod_range}, Services {config.service_range}, DNS {config.dns_service_ip}")
    try:
        nodes, pods = ask(config, "/api/v1/nodes")["items"], ask(config, "/api/v1/pods")["items"]
    except (OSError, urllib.error.URLError, ValueError) as error:
        print(f"the API does not answer: {error}")
        return 1
    ready = sum(any(c["type"] == "Ready" and c["status"] == "True" for c in n.get("status", {}).get("conditions", [])) for n in nodes)
    phases: dict[str, int] = {}
    for pod in pods:
        phase = pod.get("status", {}).get("phase", "Unknown")
        phases[phase] = phases.get(phase, 0) + 1
    print(f"nodes      {ready} of {len(nodes)} ready")
    print(f"pods       {', '.join(f'{count} {phase}' for phase, count in sorted(phases.items())) or 'none'}")
    return 0
