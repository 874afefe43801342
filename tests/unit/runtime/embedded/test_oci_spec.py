"""config.json from what the kubelet asks and the image says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wherry.runtime.embedded import oci_spec
from wherry.runtime.embedded.capabilities import DEFAULT
from wherry.runtime.embedded.oci_spec import DeviceNode, Host, Place
from wherry.runtime.embedded.users import Identity
from wherry.runtime.interface import ContainerConfig, Device, Image, Mount, Resources, RuntimeFault, SandboxConfig, Security

HOST = Host(capabilities=DEFAULT | {"SYS_ADMIN", "NET_ADMIN"})
IMAGE = Image("sha256:1", (), (), 1, entrypoint=("/entry",), cmd=("a", "b"), env=("PATH=/image", "X=image"), working_dir="/work")
BARE = Image("sha256:2", (), (), 1)
PLACE = Place("/rootfs", "/wherry-x/pod1/c", {"network": "/net"}, hostname="h", mounts=(Mount("/etc/hostname", "/s/hostname"),))


def build(config: ContainerConfig, image: Image = IMAGE, place: Place = PLACE, host: Host = HOST) -> dict[str, Any]:
    return oci_spec.build(config, image, Identity(), place, host)


@pytest.mark.parametrize(
    ("image", "command", "args", "expected"),
    [
        pytest.param(IMAGE, (), (), ["/entry", "a", "b"], id="the image's"),
        pytest.param(IMAGE, (), ("c",), ["/entry", "c"], id="args replace cmd"),
        pytest.param(IMAGE, ("run",), (), ["run"], id="command replaces both"),
        pytest.param(IMAGE, ("run",), ("c",), ["run", "c"], id="command and args"),
        pytest.param(BARE, (), ("c",), ["c"], id="args alone"),
    ],
)
def test_arguments(image: Image, command: tuple[str, ...], args: tuple[str, ...], expected: list[str]) -> None:
    assert oci_spec.arguments(ContainerConfig("c", "i", command=command, args=args), image) == expected


def test_no_command_at_all() -> None:
    with pytest.raises(RuntimeFault, match="no command specified"):
        oci_spec.arguments(ContainerConfig("c", "i"), BARE)


@pytest.mark.parametrize(
    ("image", "config", "expected"),
    [
        pytest.param(BARE, ContainerConfig("c", "i"), [oci_spec.PATH, "HOSTNAME=h", "HOME=/r"], id="defaults"),
        pytest.param(IMAGE, ContainerConfig("c", "i"), ["PATH=/image", "HOSTNAME=h", "X=image", "HOME=/r"], id="image"),
        pytest.param(
            IMAGE,
            ContainerConfig("c", "i", envs=(("X", "own"), ("HOME", "/h"), ("E", "a=b"))),
            ["PATH=/image", "HOSTNAME=h", "X=own", "HOME=/h", "E=a=b"],
            id="container wins",
        ),
        pytest.param(BARE, ContainerConfig("c", "i", tty=True), [oci_spec.PATH, "TERM=xterm", "HOSTNAME=h", "HOME=/r"], id="terminal"),
    ],
)
def test_environment(image: Image, config: ContainerConfig, expected: list[str]) -> None:
    assert oci_spec.environment(config, image, Identity(home="/r"), "h") == expected


@pytest.mark.parametrize(
    ("adj", "host", "expected"),
    [
        pytest.param(1000, Host(oom_score_adj=0), 1000, id="higher"),
        pytest.param(-997, Host(oom_score_adj=0), 0, id="lower, not allowed"),
        pytest.param(-997, Host(frozenset({"SYS_RESOURCE"})), -997, id="lower, allowed"),
        pytest.param(2, Host(oom_score_adj=500), 500, id="lower than our own"),
    ],
)
def test_oom_score(adj: int, host: Host, expected: int) -> None:
    config = ContainerConfig("c", "i", resources=Resources(oom_score_adj=adj))
    assert oci_spec.process(config, IMAGE, Identity(), host, "h")["oomScoreAdj"] == expected


@pytest.mark.parametrize(
    ("resources", "v2", "expected"),
    [
        pytest.param(Resources(), False, {}, id="none"),
        pytest.param(Resources(cpu_quota=50_000), False, {"cpu": {"quota": 50_000, "period": 100_000}}, id="quota"),
        pytest.param(Resources(cpu_shares=1), False, {"cpu": {"shares": 2}}, id="least shares"),
        pytest.param(
            Resources(cpu_shares=1024), True, {"unified": {"cpu.weight": "100", "memory.oom.group": "1"}}, id="shares as weight",
        ),
        pytest.param(
            Resources(memory_limit=1 << 20, pids_limit=9), False, {"memory": {"limit": 1 << 20}, "pids": {"limit": 9}}, id="memory and pids"
        ),
    ],
)
def test_resources(resources: Resources, v2: bool, expected: dict[str, object]) -> None:
    found = oci_spec.resources(resources, replace(HOST, cgroup_v2=v2), ContainerConfig("c", "i"))
    assert found.pop("devices") == [{"allow": False, "access": "rwm"}]
    assert found == expected


@pytest.mark.parametrize(
    ("limit", "v2", "expected"),
    [
        pytest.param(4096, False, {"memory": {"limit": 4096, "swap": 4096}}, id="v1: no more with swap than without"),
        pytest.param(0, False, {}, id="v1 without a limit"),
        pytest.param(4096, True, {"memory": {"limit": 4096}, "unified": {"memory.oom.group": "1", "memory.swap.max": "0"}}, id="v2"),
        pytest.param(0, True, {"unified": {"memory.oom.group": "1", "memory.swap.max": "0"}}, id="v2 without a limit"),
    ],
)
def test_a_container_has_no_swap(limit: int, v2: bool, expected: dict[str, object]) -> None:
    host = replace(HOST, cgroup_v2=v2, counts_swap=True)
    found = oci_spec.resources(Resources(memory_limit=limit), host, ContainerConfig("c", "i"))
    del found["devices"]
    assert found == expected


def test_own_mounts_win_over_the_sandbox_s_and_the_defaults() -> None:
    config = ContainerConfig(
        "c",
        "i",
        mounts=(Mount("/etc/hostname", "/mine"), Mount("/dev/shm/", "/shm"), Mount("/a/b", "/b", read_only=True), Mount("/a", "/a")),
    )
    found = {mount["destination"]: mount for mount in oci_spec.mounts(config, PLACE, HOST)}
    assert found["/etc/hostname"]["source"] == "/mine"
    assert found["/a/b"]["options"] == ["rbind", "rprivate", "ro"]
    order = list(found)
    assert order.index("/a") < order.index("/a/b")
    assert order.index("/dev") < order.index("/dev/shm/")


@pytest.mark.parametrize(
    ("propagation", "option", "root"),
    [("private", "rprivate", None), ("rslave", "rslave", "rslave"), ("rshared", "rshared", "rshared")],
)
def test_propagation(propagation: str, option: str, root: str | None) -> None:
    spec = build(ContainerConfig("c", "i", mounts=(Mount("/m", "/h", propagation=propagation),)))
    [mount] = [each for each in spec["mounts"] if each["destination"] == "/m"]
    assert option in mount["options"]
    assert spec["linux"].get("rootfsPropagation") == root


def test_namespaces() -> None:
    kinds = [each["type"] for each in build(ContainerConfig("c", "i"))["linux"]["namespaces"]]
    assert kinds == ["mount", "pid", "network"]
    shared = replace(PLACE, own_pid=False, namespaces={"pid": "/p"})
    assert oci_spec.namespaces(shared, replace(HOST, cgroup_v2=True)) == [
        {"type": "mount"},
        {"type": "cgroup"},
        {"type": "pid", "path": "/p"},
    ]


def test_an_ordinary_container_is_confined() -> None:
    spec = build(ContainerConfig("c", "i", security=Security(allow_privilege_escalation=False)))
    assert spec["process"]["noNewPrivileges"]
    assert "/proc/kcore" in spec["linux"]["maskedPaths"]
    assert "/proc/sys" in spec["linux"]["readonlyPaths"]
    assert "ro" in next(mount for mount in spec["mounts"] if mount["destination"] == "/sys")["options"]
    assert "CAP_SYS_ADMIN" not in spec["process"]["capabilities"]["bounding"]
    assert "seccomp" not in spec["linux"]


def test_a_privileged_container_is_not() -> None:
    host = replace(HOST, devices=(DeviceNode("/dev/fuse", "c", 10, 229),))
    spec = build(ContainerConfig("c", "i", security=Security(privileged=True, seccomp_profile="RuntimeDefault")), host=host)
    assert "maskedPaths" not in spec["linux"]
    assert "seccomp" not in spec["linux"]
    assert "CAP_SYS_ADMIN" in spec["process"]["capabilities"]["bounding"]
    assert spec["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert [device["path"] for device in spec["linux"]["devices"]] == ["/dev/fuse"]
    assert "rw" in next(mount for mount in spec["mounts"] if mount["destination"] == "/sys")["options"]


def test_devices() -> None:
    host = replace(HOST, devices=(DeviceNode("/dev/fuse", "c", 10, 229),))
    spec = build(ContainerConfig("c", "i", devices=(Device("/dev/x", "/dev/fuse", "r"),)), host=host)
    assert [(device["path"], device["major"], device["minor"]) for device in spec["linux"]["devices"]] == [("/dev/x", 10, 229)]
    assert {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"} in spec["linux"]["resources"]["devices"]
    with pytest.raises(RuntimeFault, match="is not a device node"):
        build(ContainerConfig("c", "i", devices=(Device("/dev/x", "/etc"),)), host=host)


def test_exec_is_the_container_s_process_but_for_command_and_terminal() -> None:
    spec = build(ContainerConfig("c", "i", working_dir="/w"))
    process = oci_spec.exec_process(spec, ["ls"], tty=True)
    assert (process["args"], process["terminal"], process["cwd"]) == (["ls"], True, "/w")
    assert process["env"][-1] == "TERM=xterm"
    assert process["capabilities"] == spec["process"]["capabilities"]
    assert spec["process"]["args"] == ["/entry", "a", "b"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(SandboxConfig("p", "n", "u"), "nameserver 9.9.9.9\n", id="the host's"),
        pytest.param(
            SandboxConfig("p", "n", "u", dns_servers=("1.1.1.1", "2.2.2.2"), dns_searches=("a", "b"), dns_options=("ndots:5", "x")),
            "search a b\nnameserver 1.1.1.1\nnameserver 2.2.2.2\noptions ndots:5 x\n",
            id="its own",
        ),
    ],
)
def test_resolv_conf(config: SandboxConfig, expected: str) -> None:
    assert oci_spec.resolv_conf(config, "nameserver 9.9.9.9\n") == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (Host(files=(1024, 4096)), [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096}]),
        (Host(), None),
    ],
    ids=["what we were given", "none"],
)
def test_a_container_has_the_limit_of_files_that_we_were_given(host: Host, expected: list[dict[str, Any]] | None) -> None:
    assert oci_spec.process(ContainerConfig("c", "i"), IMAGE, Identity(), host, "h").get("rlimits") == expected
