"""What `./run` does once wherry is installed: up, an image from the host's busybox, the quickstart, a look at it.

Every step converges: run again, it is quick.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from wherry.cli.main import main as wherry
from wherry.cluster.config import ClusterConfig, load
from wherry.cluster.images import Order
from wherry.cluster.images import run as image
from wherry.runtime.embedded.config import machine
from wherry.runtime.images import busybox

IMAGE = "busybox:1.36"
MANIFEST = Path(__file__).parents[3] / "examples/quickstart/quickstart.yaml"
PAGE = "Hello from wherry"


def say(text: str) -> None:
    print(f"\033[1m==>\033[0m {text}", flush=True)


def ensure_image(config: ClusterConfig) -> None:
    """Import busybox:1.36, unless it is there."""
    if any(f"docker.io/library/{IMAGE}" in found["tags"] for found in image(config, Order("ls"))):
        return
    say(f"Making the image {IMAGE} from this host's busybox")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "busybox.tar"
        busybox.write_archive(Path(shutil.which("busybox") or "/bin/busybox"), made, machine())
        image(config, Order("load", path=str(made)))


class Kubectl:
    """The real kubectl against this cluster."""

    def __init__(self, config: ClusterConfig) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(config.kubeconfig)}

    def __call__(self, *arguments: str, quiet: bool = False) -> str:
        """Run it and return what it printed.  Exits when it fails."""
        if not quiet:
            print(f"$ kubectl {' '.join(arguments)}", flush=True)
        done = subprocess.run(["kubectl", *arguments], env=self._environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        if not quiet and done.stdout.strip():
            print("  " + done.stdout.strip().replace("\n", "\n  "))
        return done.stdout.strip()


def fetch(url: str) -> str:
    """The page, from this host."""
    last: OSError | None = None
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError as error:
            last = error
            time.sleep(0.1)
    sys.exit(f"{url}: {last}")


def look(kubectl: Kubectl) -> None:
    """Fetch the page in the three ways that a Service offers."""
    address = kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}", quiet=True)
    say(f"Through the ClusterIP, from this host: http://{address}/")
    print("  " + fetch(f"http://{address}/").strip())
    say("Through the Service's name, from inside another Pod: http://web/")
    pod = kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}", quiet=True)
    print("  " + kubectl("exec", pod, "--", "wget", "-qO-", "http://web/", quiet=True))
    say("Through the NodePort, from this host: http://localhost:30080/")
    print("  " + fetch("http://localhost:30080/").strip())


def run(name: str = "default", data_dir: str = "") -> int:
    """The whole of `./run`."""
    begun = time.monotonic()
    if not MANIFEST.exists():
        print(f"wherry: the quickstart's manifest is part of a checkout, and not at {MANIFEST}", file=sys.stderr)
        return 1
    which = "" if name == "default" else f" --name {name}"
    say(f"wherry up{which}")
    if code := wherry(["up", "--name", name, *(["--data-dir", data_dir] if data_dir else [])]):
        return code
    config = load(name, data_dir)
    assert config is not None
    ensure_image(config)
    if shutil.which("kubectl") is None:
        print("kubectl is not installed: https://kubernetes.io/docs/tasks/tools/ tells how; then run this again", file=sys.stderr)
        return 1
    kubectl = Kubectl(config)
    say("Applying examples/quickstart")
    kubectl("apply", "-f", str(MANIFEST))
    kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    look(kubectl)
    say(f"Done in {time.monotonic() - begun:.1f} s.  Go on with:")
    for line in (
        "kubectl get nodes,pods,services -o wide", "kubectl logs deployment/web", "kubectl scale deployment/web --replicas=10",
        "kubectl exec -it deployment/web -- sh", "kubectl port-forward service/web 8080:80", f".venv/bin/wherry status{which}",
        f".venv/bin/wherry down{which}      # everything stops and the host is as it was; `wherry up{which}` brings it back",
    ):
        print(f"    {line}")
    return 0


if __name__ == "__main__":
    sys.exit(run())
