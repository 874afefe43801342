"""A cluster of several processes, seen from outside: its settings, its kubeconfigs, which processes are on record."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from wherry.cli.component import chosen_node
from wherry.cli.status import components
from wherry.client import HTTPSTransport
from wherry.cluster import identities, processes
from wherry.cluster.component import RunsAlready, alone
from wherry.cluster.components import COMPONENTS, components_of
from wherry.cluster.config import ClusterConfig
from wherry.cluster.lifecycle import LifecycleError
from wherry.cluster.processes import Record
from wherry.cluster.supervisor import write_identities


def settings(tmp_path: Path, fidelity: str = "sim", nodes: int = 2) -> ClusterConfig:
    return ClusterConfig("one", fidelity, tmp_path / "data", tmp_path / "run", 6444, nodes, processes=True)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_nodes_by_fidelity(tmp_path: Path) -> None:
    assert settings(tmp_path).node_names == ["wherry-one-0", "wherry-one-1"]
    assert settings(tmp_path, "real", 1).node_names == ["wherry-one"]
    assert settings(tmp_path, "api", 1).node_names == []


def test_each_component_gets_a_certificate_of_its_own_user(tmp_path: Path) -> None:
    config = settings(tmp_path)
    write_identities(config)
    found = {}
    for path in config.pki.glob("*.kubeconfig"):
        document = yaml.safe_load(path.read_text())
        assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6444"
        found[path.stem] = document["users"][0]["name"]
        assert set(document["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
        assert path.stat().st_mode & 0o077 == 0
        assert isinstance(identities.Identity(path.stem, identities.ADMIN.user).client(config, "x").transport, HTTPSTransport)
    assert found == {
        "admin": "kubernetes-admin", "controller-manager": "system:kube-controller-manager", "scheduler": "system:kube-scheduler",
        "proxy": "system:kube-proxy", "dns": "system:kube-dns", "provisioner": "system:local-provisioner",
        "node-wherry-one-0": "system:node:wherry-one-0", "node-wherry-one-1": "system:node:wherry-one-1",
    }
    certificate = x509.load_pem_x509_certificate((config.pki / "node-wherry-one-0.crt").read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=system:node:wherry-one-0,O=system:nodes"


def test_certificates_stay_as_they_are(tmp_path: Path) -> None:
    config = settings(tmp_path)
    write_identities(config)
    before = {path.name: path.read_bytes() for path in config.pki.iterdir()}
    write_identities(config)
    assert {path.name: path.read_bytes() for path in config.pki.iterdir()} == before


def test_only_processes_that_are_the_same_still_are_running(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    config = settings(tmp_path)
    assert processes.running(config) == []
    real = Record("dns", sleeper.pid, processes.start_time(sleeper.pid), 0)
    recycled, gone = Record("proxy", sleeper.pid, "1", 0), Record("scheduler", 2**22 + 1, "1", 0)
    processes.write(config, [real, recycled, gone])
    assert processes.running(config) == [real]
    processes.end_left(config)
    assert sleeper.wait(10) == -15
    assert processes.running(config) == []


def test_a_zombie_runs_no_more(sleeper: subprocess.Popen[bytes]) -> None:
    record = Record("dns", sleeper.pid, processes.start_time(sleeper.pid), 0)
    assert processes.alive(record)
    sleeper.kill()
    with open(f"/proc/{sleeper.pid}/stat") as stat:
        while stat.read().rpartition(")")[2].split()[0] != "Z":
            stat.seek(0)
    assert not processes.alive(record)


def test_a_broken_record_is_none(tmp_path: Path) -> None:
    config = settings(tmp_path)
    config.run.mkdir()
    (config.run / "processes.json").write_text("{")
    assert processes.running(config) == []


def test_no_second_of_a_component(tmp_path: Path) -> None:
    config = settings(tmp_path)
    with ExitStack() as stack:
        for component, node in (("kubelet", "a"), ("kubelet", "b"), ("scheduler", "")):
            stack.enter_context(alone(config, component, node))
        with pytest.raises(RunsAlready, match="has its kubelet-a running already"):
            stack.enter_context(alone(config, "kubelet", "a"))
    with alone(config, "kubelet", "a"):
        pass


@pytest.mark.parametrize(
    ("fidelity", "component", "node", "chosen"),
    [("sim", "kubelet", "", "wherry-one-0"), ("sim", "kubelet", "wherry-one-1", "wherry-one-1"), ("real", "dns", "", ""), ("api", "apiserver", "", "")],
    ids=["the-first-node", "a-node", "dns", "apiserver"],
)
def test_whose_component(tmp_path: Path, fidelity: str, component: str, node: str, chosen: str) -> None:
    assert chosen_node(settings(tmp_path, fidelity, 2 if fidelity == "sim" else 1), component, node) == chosen


@pytest.mark.parametrize(
    ("fidelity", "component", "node", "told"),
    [
        ("sim", "kubelet", "x", "has no node 'x'"), ("api", "kubelet", "", "has no kubelet"), ("sim", "dns", "", "has no dns"),
        ("sim", "scheduler", "wherry-one-0", "--node is for the kubelet"), ("api", "scheduler", "", "has no scheduler"),
    ],
    ids=["unknown-node", "no-nodes", "no-dns", "node-of-another", "no-scheduler"],
)
def test_what_there_is_not(tmp_path: Path, fidelity: str, component: str, node: str, told: str) -> None:
    with pytest.raises(LifecycleError, match=told):
        chosen_node(settings(tmp_path, fidelity, 2 if fidelity == "sim" else 1), component, node)


def test_status_shows_each(tmp_path: Path) -> None:
    config = settings(tmp_path)
    told = [(Record("dns", 7, "1", 0), 40.2), (Record("kubelet-n", 8, "1", 2, 10250), 60.0)]
    assert components(config, told) == [
        f"  dns        7, 40 MiB, log {config.run}/dns.log", f"  kubelet-n  8, 60 MiB, port 10250, log {config.run}/kubelet-n.log, restarts: 2",
    ]
    assert components(config, []) == []


@pytest.mark.parametrize(
    ("fidelity", "left_out"), [("real", set()), ("sim", {"proxy", "dns"}), ("api", {"proxy", "dns", "scheduler", "kubelet", "provisioner"})],
    ids=["real", "sim", "api"],
)
def test_components_by_fidelity(tmp_path: Path, fidelity: str, left_out: set[str]) -> None:
    found = components_of(settings(tmp_path, fidelity, 1))
    assert found[0] == "apiserver"
    assert set(COMPONENTS) - set(found) == left_out


def test_the_command_line_knows_every_component() -> None:
    from wherry.cli import arguments

    for name in COMPONENTS:
        assert arguments.parse(["component", name]).component == name
