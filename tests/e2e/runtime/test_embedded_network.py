"""The Pods' network on a real host: who reaches whom, and that guard routes hold."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from realpods import FOREVER, Pods

from wherry.runtime.embedded.config import RuntimeConfig
from wherry.runtime.interface import PortMapping, RuntimeFault

BRIDGE_NF = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
SERVE = "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"


@pytest.fixture(params=["0", "1"], ids=["bridge-nf 0", "bridge-nf 1"])
def bridge_nf(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both values of the sysctl that changes how bridged packets pass the host."""
    if not BRIDGE_NF.exists():
        if request.param == "1":
            pytest.skip("br_netfilter is not loaded")
        yield
        return
    before = BRIDGE_NF.read_text()
    BRIDGE_NF.write_text(request.param)
    yield
    BRIDGE_NF.write_text(before)


@pytest.fixture
def nat(config: RuntimeConfig) -> Iterator[str]:
    """The name of a table as the proxy makes; it is gone afterwards."""
    name = f"wherry-{config.cluster}-test"
    yield name
    subprocess.run(["nft", "delete", "table", "ip", name], check=True)


def add_nat(name: str, links: str, rules: dict[str, str], hairpin: str) -> None:
    dnat = "\n".join(f"    {match} dnat to {target}" for match, target in rules.items())
    text = f"""table ip {name} {{
  chain services {{\n{dnat}\n  }}
  chain pre {{\n    type nat hook prerouting priority -100;\n    jump services\n  }}
  chain out {{\n    type nat hook output priority -100;\n    jump services\n  }}
  chain post {{\n    type nat hook postrouting priority 100;
    ip saddr {hairpin} ip daddr {hairpin} masquerade\n    oifname "{links}" ip saddr 127.0.0.0/8 masquerade\n  }}
}}\n"""
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


async def fetch(host: str, port: int) -> str:
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
    return answer.decode().rpartition("\n\n" if "\r\n\r\n" not in answer.decode() else "\r\n\r\n")[2]


async def serve(pods: Pods, **fields: object) -> tuple[str, str, str]:
    """(sandbox, container, address) of a Pod that serves its name."""
    sandbox_id, container = await pods.run("sh", "-c", SERVE, sandbox=pods.sandbox(**fields))
    [address] = (await pods.runtime.pod_sandbox_status(sandbox_id)).ips
    await pods.shell(container, "i=0; until wget -qO- http://127.0.0.1/ >/dev/null 2>&1 || [ $i = 50 ]; do i=$((i+1)); sleep 0.02; done")
    return sandbox_id, container, address


@pytest.mark.usefixtures("bridge_nf")
async def test_everyone_reaches_everyone(pods: Pods, config: RuntimeConfig, nat: str) -> None:
    _, one, first = await serve(pods, hostname="one")
    _, two, second = await serve(pods, hostname="two")
    get = "wget -qO- http://{}"
    assert await fetch(first, 80) == "one\n"
    assert await pods.shell(one, get.format(second)) == "two\n"
    service_one, service_two = config.service_cidr[1], config.service_cidr[2]
    services = {f"ip daddr {service_one} tcp dport 80": f"{first}:80", f"ip daddr {service_two} tcp dport 80": f"{second}:80"}
    services |= {"ip daddr 127.0.0.1 tcp dport 30777": f"{first}:80", f"ip daddr {config.address} tcp dport 30777": f"{second}:80"}
    add_nat(nat, config.links, services, first)
    assert await pods.shell(one, get.format(service_two)) == "two\n"
    assert await pods.shell(two, get.format(service_one)) == "one\n"
    assert await pods.shell(one, get.format(service_one)) == "one\n"  # itself, through its Service
    assert await pods.shell(one, get.format(f"{config.address}:30777")) == "two\n"
    assert await fetch(str(service_two), 80) == "two\n"
    assert await fetch("127.0.0.1", 30777) == "one\n"
    assert await fetch(str(config.address), 30777) == "two\n"


async def test_a_pod_sees_the_other_pod_s_own_address(pods: Pods) -> None:
    sandbox_id, one = await pods.run(*FOREVER)
    [address] = (await pods.runtime.pod_sandbox_status(sandbox_id)).ips
    other, two = await pods.run("httpd", "-f", "-vv", "-p", "80")
    [target] = (await pods.runtime.pod_sandbox_status(other)).ips
    done = await pods.runtime.exec_sync(one, ["wget", "-qO-", f"http://{target}/"], 5)
    assert b"404" in done.stderr
    assert any(f"[::ffff:{address}]:" in line or f" {address}:" in line for line in await pods.log(two))


async def test_addresses_that_nobody_has_are_unreachable_at_once(pods: Pods, config: RuntimeConfig) -> None:
    elsewhere, here = str(config.pod_cidr[51_207]), str(config.node_cidr[250])
    with pytest.raises(OSError, match="Errno 113"):  # EHOSTUNREACH, from the guard route
        await fetch(elsewhere, 80)
    with pytest.raises(OSError, match="Errno 113"):
        await fetch(here, 80)
    _, container = await pods.run(*FOREVER)
    done = await pods.runtime.exec_sync(container, ["wget", "-qO-", f"http://{elsewhere}"], 5)
    assert done.exit_code == 1


async def test_host_ports(pods: Pods, config: RuntimeConfig) -> None:
    ports = (PortMapping("TCP", 80, 30_888),)
    sandbox_id, _, _ = await serve(pods, hostname="one", port_mappings=ports)
    assert await fetch(str(config.address), 30_888) == "one\n"
    assert await fetch("127.0.0.1", 30_888) == "one\n"
    _, other, _ = await serve(pods, hostname="two")
    assert await pods.shell(other, f"wget -qO- http://{config.address}:30888") == "one\n"
    with pytest.raises(RuntimeFault, match="hostPort 30888 is in use by Pod n/p1"):
        await pods.runtime.run_pod_sandbox(pods.sandbox(port_mappings=ports))
    await pods.runtime.stop_pod_sandbox(sandbox_id)
    with pytest.raises(OSError, match="refused|failed"):
        await fetch(str(config.address), 30_888)


async def test_addresses_are_used_again_late(pods: Pods) -> None:
    seen = []
    for _ in range(3):
        sandbox_id = await pods.runtime.run_pod_sandbox(pods.sandbox())
        seen += (await pods.runtime.pod_sandbox_status(sandbox_id)).ips
        await pods.runtime.remove_pod_sandbox(sandbox_id)
    assert len(set(seen)) == 3
