"""Users, groups and capabilities of a container's process, and files read from its root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wherry.runtime.embedded import capabilities, rootfiles, seccomp
from wherry.runtime.embedded.container import signal_number
from wherry.runtime.embedded.users import Identity, resolve
from wherry.runtime.interface import RuntimeFault, Security

PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/false\nnonsense\n7:x:70:70::/seven:\n"
GROUP = "root:x:0:\nwww:x:34:\nlogs:x:50:web,other\nextra:x:60:web\n"


@pytest.mark.parametrize(
    ("security", "image_user", "expected"),
    [
        pytest.param(Security(), "", Identity(0, 0, (0,), "/root"), id="nothing is root"),
        pytest.param(Security(), "web", Identity(33, 34, (34, 50, 60), "/var/www"), id="name"),
        pytest.param(Security(strict_groups=True, supplemental_groups=(7,)), "web", Identity(33, 34, (34, 7), "/var/www"), id="strict groups"),
        pytest.param(Security(), "33", Identity(33, 34, (34, 50, 60), "/var/www"), id="listed number"),
        pytest.param(Security(), "1234", Identity(1234, 0, (0,), "/"), id="unlisted number"),
        pytest.param(Security(), "web:logs", Identity(33, 50, (50, 60), "/var/www"), id="group by name"),
        pytest.param(Security(), "1:2", Identity(1, 2, (2,), "/"), id="numbers"),
        pytest.param(Security(), "7", Identity(70, 70, (70,), "/seven"), id="a name that is a number"),
        pytest.param(Security(run_as_user=1000), "web", Identity(1000, 0, (0,), "/"), id="the Pod's over the image's"),
        pytest.param(Security(run_as_user=33, run_as_group=99), "", Identity(33, 99, (99, 50, 60), "/var/www"), id="group of the Pod"),
        pytest.param(Security(supplemental_groups=(9, 0)), "", Identity(0, 0, (0, 9), "/root"), id="supplemental"),
    ],
)
def test_resolve(security: Security, image_user: str, expected: Identity) -> None:
    assert resolve(security, image_user, PASSWD, GROUP) == expected


@pytest.mark.parametrize("user", ["nobody", "web:nogroup"])
def test_names_that_the_image_does_not_have(user: str) -> None:
    with pytest.raises(RuntimeFault, match="no matching entries in"):
        resolve(Security(), user, PASSWD, GROUP)


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        pytest.param(Security(add_capabilities=("NET_ADMIN",)), {"NET_ADMIN"} | capabilities.DEFAULT, id="one more"),
        pytest.param(Security(add_capabilities=("cap_net_admin",)), {"NET_ADMIN"} | capabilities.DEFAULT, id="long name"),
        pytest.param(Security(drop_capabilities=("KILL",)), capabilities.DEFAULT - {"KILL"}, id="one less"),
        pytest.param(Security(drop_capabilities=("ALL",)), set(), id="none"),
        pytest.param(Security(drop_capabilities=("ALL",), add_capabilities=("CHOWN",)), {"CHOWN"}, id="only one"),
        pytest.param(Security(add_capabilities=("ALL",)), capabilities.DEFAULT | {"SYS_ADMIN"}, id="all that there are"),
        pytest.param(
            Security(add_capabilities=("ALL",), drop_capabilities=("KILL",)),
            (capabilities.DEFAULT | {"SYS_ADMIN"}) - {"KILL"},
            id="all but one",
        ),
        pytest.param(Security(privileged=True, drop_capabilities=("ALL",)), capabilities.DEFAULT | {"SYS_ADMIN"}, id="privileged"),
    ],
)
def test_capabilities(security: Security, expected: set[str]) -> None:
    found = capabilities.effective(security, capabilities.DEFAULT | {"SYS_ADMIN"})
    assert set(found) == {f"CAP_{name}" for name in expected}
    assert found == [f"CAP_{name}" for name in capabilities.ALL if name in expected]


def test_an_unknown_capability() -> None:
    with pytest.raises(RuntimeFault, match='unknown capability "CAP_FLY"'):
        capabilities.effective(Security(add_capabilities=("FLY",)), capabilities.DEFAULT)


def test_the_default_seccomp_profile_follows_the_capabilities() -> None:
    plain = seccomp.runtime_default([])["syscalls"]
    refused = set(plain[0]["names"])
    assert {"mount", "unshare", "bpf", "kexec_load", "reboot", "keyctl"} <= refused
    assert {"open", "clone", "execve", "chroot"}.isdisjoint(refused)
    assert sum(1 for rule in plain if rule["names"] == ["clone"]) == 7
    admin = seccomp.runtime_default(["CAP_SYS_ADMIN"])["syscalls"]
    assert "mount" not in admin[0]["names"]
    assert "keyctl" in admin[0]["names"]
    assert len(admin) == 1


def test_seccomp_profiles_by_name(tmp_path: Path) -> None:
    assert seccomp.profile("Unconfined", []) is None
    (tmp_path / "p.json").write_text('{"defaultAction": "SCMP_ACT_LOG"}')
    assert seccomp.profile(f"Localhost/{tmp_path}/p.json", []) == {"defaultAction": "SCMP_ACT_LOG"}
    for name in ("Localhost/" + str(tmp_path / "absent"), "Other", "Localhost/"):
        with pytest.raises(RuntimeFault):
            seccomp.profile(name, [])


@pytest.mark.parametrize(("name", "number"), [("", 15), ("SIGTERM", 15), ("quit", 3), ("9", 9), ("SIGRTMIN+3", 37)])
def test_signals(name: str, number: int) -> None:
    assert signal_number(name) == number


def test_an_unknown_signal() -> None:
    with pytest.raises(RuntimeFault, match="unknown signal 'SIGNOPE'"):
        signal_number("SIGNOPE")


@pytest.mark.parametrize(
    ("link", "target"),
    [
        pytest.param("etc/real", "inside", id="relative"),
        pytest.param("/etc/real", "inside", id="absolute is the root's"),
        pytest.param("../../../../etc/real", "inside", id="dots end at the root"),
        pytest.param("/link", "", id="a loop"),
        pytest.param("/absent", "", id="nowhere"),
    ],
)
def test_links_stay_in_the_root(tmp_path: Path, link: str, target: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "real").write_text("inside")
    os.symlink(link, tmp_path / "link")
    assert rootfiles.read(tmp_path, "/link") == target
