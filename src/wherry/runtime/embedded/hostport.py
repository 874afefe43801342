"""hostPorts: an nftables table of the runtime's own that leads ports of the node to Pods.

The table is built as a whole from the sandboxes that run (`ruleset`, pure) and replaced in one
transaction when one of them with a hostPort comes or goes.  Connections from the node itself to its own
addresses are led too; 127.0.0.1 only where a mapping names it or no address.
"""

import subprocess
from collections.abc import Iterable

from wherry.runtime.embedded.config import RuntimeConfig
from wherry.runtime.embedded.records import SandboxRecord
from wherry.runtime.interface import PortMapping, RuntimeFault, SandboxState

_PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}


def table_name(cluster: str) -> str:
    return f"wherry-{cluster}-hostport"


def _published(record: SandboxRecord) -> tuple[PortMapping, ...]:
    """What the record's sandbox has on the node: with the host's network its own listening is enough."""
    if record.state is not SandboxState.READY or record.config.host_network:
        return ()
    return tuple(mapping for mapping in record.config.port_mappings if mapping.host_port)


def _anywhere(address: str) -> bool:
    return address in ("", "0.0.0.0")


def ruleset(cluster: str, sandboxes: Iterable[SandboxRecord]) -> str:
    """The text for `nft -f`: the table as it is to be; with nothing to lead, no table."""
    name = table_name(cluster)
    rules = []
    for record in sandboxes:
        for mapping in _published(record):
            protocol = _PROTOCOLS[mapping.protocol]
            where = "fib daddr type local" if _anywhere(mapping.host_ip) else f"ip daddr {mapping.host_ip}"
            rules.append(f"    {where} {protocol} dport {mapping.host_port} dnat to {record.ip}:{mapping.container_port}")
    head = f"table ip {name}\ndelete table ip {name}\n"
    if not rules:
        return head
    body = "\n".join(rules)
    return (
        f"{head}table ip {name} {{\n"
        f"  chain ports {{\n{body}\n  }}\n"
        "  chain prerouting {\n    type nat hook prerouting priority -101;\n    jump ports\n  }\n"
        "  chain output {\n    type nat hook output priority -101;\n    jump ports\n  }\n"
        "  chain postrouting {\n    type nat hook postrouting priority 99;\n"
        "    ip saddr 127.0.0.0/8 ct status dnat masquerade\n  }\n}\n"
    )


class HostPorts:
    """Keeps the table in step with the sandboxes."""

    def __init__(self, config: RuntimeConfig) -> None:
        self._cluster = config.cluster
        self._applied = ""

    def check(self, new: SandboxRecord, sandboxes: Iterable[SandboxRecord]) -> None:
        """Raises RuntimeFault for a port that another sandbox has, or a protocol that there is not."""
        taken = [(mapping, record) for record in sandboxes for mapping in _published(record)]
        for mapping in new.config.port_mappings:
            if mapping.protocol not in _PROTOCOLS or ":" in mapping.host_ip:
                raise RuntimeFault(f"hostPort {mapping.host_ip} {mapping.protocol} is not supported", "CreatePodSandboxError")
            for other, owner in taken:
                same = (other.protocol, other.host_port) == (mapping.protocol, mapping.host_port)
                if same and (_anywhere(other.host_ip) or _anywhere(mapping.host_ip) or other.host_ip == mapping.host_ip):
                    owner_name = f"{owner.config.namespace}/{owner.config.name}"
                    raise RuntimeFault(f"hostPort {mapping.host_port} is in use by Pod {owner_name}", "CreatePodSandboxError")

    def apply(self, sandboxes: Iterable[SandboxRecord]) -> None:
        """Replace the table when it has changed.  Raises RuntimeFault.  Blocks."""
        text = ruleset(self._cluster, sandboxes)
        empty = ruleset(self._cluster, ())
        if text in (self._applied or empty, self._applied):
            self._applied = text
            return
        _nft(text)
        self._applied = text


def _nft(text: str) -> None:
    try:
        done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RuntimeFault("nft is not installed (apt-get install nftables)", "CreatePodSandboxError") from None
    if done.returncode != 0:
        raise RuntimeFault(f"nft refused the host ports: {done.stderr.strip()}", "CreatePodSandboxError")


def delete_table(cluster: str) -> list[str]:
    """Remove the table; what was found."""
    name = table_name(cluster)
    try:
        done = subprocess.run(["nft", "delete", "table", "ip", name], capture_output=True, check=False)
    except FileNotFoundError:
        return []
    return [f"nft table {name}"] if done.returncode == 0 else []
