"""Containers as a kubelet sees them: what runs in them, how they end, and what they may use."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from realpods import FOREVER, Pods

from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.runtime.interface import ContainerState, Device, Mount, Resources, RuntimeFault, Security


async def test_streams_go_to_the_log_apart(pods: Pods) -> None:
    _, container = await pods.run("sh", "-c", "echo out; echo err >&2; printf partial")
    await pods.ended(container)
    assert sorted(await pods.log(container)) == ["stderr F err", "stdout F out", "stdout P partial"]


@pytest.mark.parametrize(
    ("command", "limit", "code", "reason"),
    [
        pytest.param(("true",), 0, 0, "Completed", id="zero"),
        pytest.param(("sh", "-c", "exit 3"), 0, 3, "Error", id="three"),
        pytest.param(("sh", "-c", "x=a; while :; do x=$x$x; done"), 20 << 20, 137, "OOMKilled", id="out of memory"),
    ],
)
async def test_how_it_ends(pods: Pods, command: tuple[str, ...], limit: int, code: int, reason: str) -> None:
    _, container = await pods.run(*command, resources=Resources(memory_limit=limit))
    await pods.ended(container)
    status = await pods.runtime.container_status(container)
    assert (status.exit_code, status.reason) == (code, reason)
    assert status.finished_at >= status.started_at > 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param("/nope", 'exec: "/nope": stat /nope: no such file or directory', id="path"),
        pytest.param("nope", 'exec: "nope": executable file not found in $PATH', id="name"),
        pytest.param("/etc/passwd", 'exec: "/etc/passwd": permission denied', id="not executable"),
    ],
)
async def test_a_command_that_cannot_start(pods: Pods, command: str, words: str) -> None:
    with pytest.raises(RuntimeFault) as caught:
        await pods.run(command)
    assert caught.value.reason == "RunContainerError"
    assert f"OCI runtime create failed: runc create failed: unable to start container process: {words}" in str(caught.value)
    [status] = await pods.runtime.list_containers()
    assert (status.state, status.exit_code, status.reason, status.message) == (
        ContainerState.EXITED,
        128,
        "StartError",
        str(caught.value),
    )
    assert status.started_at == 0


async def test_it_stops_on_its_signal(pods: Pods) -> None:
    program = "trap 'exit 7' USR1; echo set; while :; do sleep 1000 & wait; done"
    _, container = await pods.run("sh", "-c", program, stop_signal="SIGUSR1")
    await pods.said(container)  # until its trap is set, process 1 does not hear the signal
    async with asyncio.timeout(10):
        await pods.runtime.stop_container(container, 30)
    assert (await pods.runtime.container_status(container)).exit_code == 7


async def test_it_is_killed_when_it_does_not_stop(pods: Pods) -> None:
    _, container = await pods.run("sleep", "1000")  # process 1 has no default actions
    await pods.runtime.stop_container(container, 0.2)
    status = await pods.runtime.container_status(container)
    assert (status.exit_code, status.reason) == (137, "Error")


async def test_a_kill_from_outside_is_seen(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER)
    os.kill((await pods.runtime.container_status(container)).pid, 9)
    await pods.ended(container)
    assert (await pods.runtime.container_status(container)).exit_code == 137


async def test_its_files(pods: Pods, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    sandbox = pods.sandbox(hostname="web-0", dns_servers=("10.78.0.10",), dns_searches=("n.svc.cluster.local",), dns_options=("ndots:5",))
    mounts = (Mount("/etc/hosts", str(tmp_path / "hosts"), read_only=True), Mount("/data", str(tmp_path)))
    sandbox_id, container = await pods.run(*FOREVER, sandbox=sandbox, mounts=mounts, envs=(("A", "b"), ("PATH", "/bin")))
    assert await pods.shell(container, "hostname; cat /etc/hostname; cat /etc/resolv.conf; cat /etc/hosts; echo $A $PATH $HOSTNAME") == (
        "web-0\nweb-0\nsearch n.svc.cluster.local\nnameserver 10.78.0.10\noptions ndots:5\n127.0.0.1 localhost\nb /bin web-0\n"
    )
    assert await pods.shell(container, "echo x >> /etc/hosts 2>/dev/null || echo refused") == "refused\n"
    await pods.shell(container, "echo written > /data/file; echo shared > /dev/shm/file")
    assert (tmp_path / "file").read_text() == "written\n"
    other = await pods.add(sandbox_id, *FOREVER, name="d", log_path="d/0.log")
    assert await pods.shell(other, "cat /dev/shm/file; ls /data 2>&1 || true") == "shared\nls: /data: No such file or directory\n"


@pytest.mark.parametrize(
    ("security", "command", "says"),
    [
        pytest.param(Security(), "id -u; grep CapEff /proc/self/status", "0\nCapEff:\t00000000a80425fb\n", id="default"),
        pytest.param(
            Security(run_as_user=1000, run_as_group=3000, supplemental_groups=(4000,)), "id -u; id -G", "1000\n3000 4000\n", id="numbers"
        ),
        pytest.param(Security(run_as_username="www-data"), "id -u; id -g; echo $HOME", "33\n33\n/var/www\n", id="name"),
        pytest.param(
            Security(drop_capabilities=("ALL",)), "grep CapEff /proc/self/status", "CapEff:\t0000000000000000\n", id="no capabilities"
        ),
        pytest.param(
            Security(drop_capabilities=("ALL",), add_capabilities=("NET_BIND_SERVICE",)),
            "grep CapEff /proc/self/status",
            "CapEff:\t0000000000000400\n",
            id="one capability",
        ),
        pytest.param(
            Security(allow_privilege_escalation=False), "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1\n", id="no new privileges"
        ),
        pytest.param(Security(read_only_rootfs=True), "touch /x 2>/dev/null || echo refused", "refused\n", id="read-only root"),
        pytest.param(
            Security(seccomp_profile="RuntimeDefault"),
            "grep Seccomp: /proc/self/status; unshare -U true 2>&1",
            "Seccomp:\t2\nunshare: unshare(0x10000000): Operation not permitted\n",
            id="seccomp",
        ),
        pytest.param(
            Security(), "wc -c < /proc/keys; echo x 2>/dev/null > /proc/sysrq-trigger || echo refused", "0\nrefused\n", id="masked"
        ),
        pytest.param(
            Security(privileged=True),
            "test -b /dev/vda -o -e /dev/kmsg; mount -t tmpfs t /tmp && echo mounted",
            "mounted\n",
            id="privileged",
        ),
    ],
)
async def test_what_it_may(pods: Pods, security: Security, command: str, says: str) -> None:
    _, container = await pods.run("sh", "-c", command, security=security)
    await pods.ended(container)
    told = "".join(line.split(" ", 2)[2] + "\n" for line in await pods.log(container))
    assert told == says


async def test_root_is_refused_where_it_must_not_be(pods: Pods) -> None:
    with pytest.raises(RuntimeFault, match="container has runAsNonRoot and image will run as root") as caught:
        await pods.run("true", security=Security(run_as_non_root=True))
    assert caught.value.reason == "CreateContainerConfigError"
    assert list(await pods.runtime.list_containers()) == []


async def test_devices(pods: Pods) -> None:
    _, container = await pods.run(*FOREVER, devices=(Device("/dev/mine", "/dev/full", "rw"),))
    assert await pods.shell(container, "echo x > /dev/mine 2>/dev/null || echo full") == "full\n"
    with pytest.raises(RuntimeFault, match="is not a device node"):
        await pods.run("true", devices=(Device("/dev/mine", "/etc", "rw"),))


async def test_limits_and_use(pods: Pods) -> None:
    limits = Resources(cpu_quota=50_000, cpu_period=100_000, cpu_shares=512, memory_limit=64 << 20)
    sandbox_id, container = await pods.run("sh", "-c", "while :; do :; done", resources=limits)
    await asyncio.sleep(0.3)
    usage, pod = await pods.runtime.container_stats(container), await pods.runtime.sandbox_stats(sandbox_id)
    assert 0 < usage.cpu_ns <= pod.cpu_ns < 2_000_000_000
    assert 0 < usage.memory_usage <= 64 << 20
    assert 0 < usage.memory_working_set <= usage.memory_usage
    assert pod.rx_bytes + pod.tx_bytes >= 0
    await pods.runtime.update_container_resources(container, Resources(memory_limit=80 << 20))
    status = await pods.runtime.container_status(container)
    assert status.config.resources.memory_limit == 80 << 20
    with pytest.raises(RuntimeFault):  # less than it uses
        await pods.runtime.update_container_resources(container, Resources(memory_limit=4096))


async def test_what_it_wrote_is_counted_and_gone_with_it(pods: Pods, runtime: EmbeddedRuntime) -> None:
    _, container = await pods.run(*FOREVER)
    await pods.shell(container, "dd if=/dev/zero of=/big bs=1024 count=512 2>/dev/null")
    assert (await runtime.container_stats(container)).writable_layer_bytes >= 512 << 10
    await runtime.remove_container(container)
    assert not any(runtime._config.writable.iterdir())


async def test_containers_share_processes_when_the_pod_says_so(pods: Pods) -> None:
    sandbox_id, one = await pods.run(*FOREVER, sandbox=pods.sandbox(share_process_namespace=True))
    two = await pods.add(sandbox_id, "sleep", "1234", name="d", log_path="d/0.log")
    listing = await pods.shell(one, "ps")
    assert "/pause" in listing
    assert "sleep 1234" in listing
    assert await pods.shell(one, "ps -o pid,args | awk '$1 == 1 {print $2}'") == "/pause\n"
    await pods.shell(one, "(sleep 0.01 &); sleep 0.1; ! ps -o stat | grep Z")  # process 1 reaps
    await pods.runtime.stop_container(two, 0)
    assert "sleep 1234" not in await pods.shell(one, "ps")
    assert (await pods.runtime.pod_sandbox_status(sandbox_id)).pid > 0
    await pods.runtime.stop_pod_sandbox(sandbox_id)
    assert (await pods.runtime.container_status(one)).state is ContainerState.EXITED


async def test_the_host_s_namespaces(pods: Pods) -> None:
    sandbox = pods.sandbox(hostname="", host_network=True, host_pid=True, host_ipc=True)
    sandbox_id, container = await pods.run(*FOREVER, sandbox=sandbox)
    assert (await pods.runtime.pod_sandbox_status(sandbox_id)).ips == ()
    assert await pods.shell(container, "hostname") == socket.gethostname() + "\n"
    inside = await pods.shell(container, "for kind in net pid ipc; do readlink /proc/self/ns/$kind; done")
    assert inside.split() == [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "pid", "ipc")]


async def test_sysctls_of_the_pod(pods: Pods) -> None:
    sandbox = pods.sandbox(sysctls={"net.ipv4.ip_local_port_range": "20000 20100", "kernel.shm_rmid_forced": "1"})
    _, container = await pods.run(*FOREVER, sandbox=sandbox)
    assert (await pods.shell(container, "cat /proc/sys/net/ipv4/ip_local_port_range")).split() == ["20000", "20100"]
    assert await pods.shell(container, "cat /proc/sys/kernel/shm_rmid_forced") == "1\n"
    before = len(await pods.runtime.list_pod_sandboxes())
    with pytest.raises(RuntimeFault, match="not in a separate kernel namespace"):
        await pods.runtime.run_pod_sandbox(pods.sandbox(sysctls={"kernel.panic": "1"}))
    assert len(await pods.runtime.list_pod_sandboxes()) == before


async def test_reopening_the_log(pods: Pods) -> None:
    _, container = await pods.run("sh", "-c", "trap 'echo again' USR1; echo first; while :; do sleep 1000 & wait; done")
    path = Path((await pods.runtime.container_status(container)).log_path)
    await pods.shell(container, "true")
    path.rename(path.with_suffix(".old"))
    await pods.runtime.reopen_container_log(container)
    for _ in range(100):
        if path.exists():
            break
        await asyncio.sleep(0.02)
    await pods.shell(container, "kill -USR1 1")
    for _ in range(100):
        if path.read_text():
            break
        await asyncio.sleep(0.02)
    assert [line.split(" ", 3)[3] for line in path.read_text().splitlines()] == ["again"]
