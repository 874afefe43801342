"""Images of a registry that wants to know who asks: pull secrets of Pods, and what is told without them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_harness import Cluster, eventually
from scene import Scene, container, pod

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: r, path: "{folder}/htpasswd"}}}}
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, busybox_archive: Path) -> Iterator[str]:
    """The name of an image that `me` with the password `secret` may pull from a registry on loopback."""
    if not (program := shutil.which("docker-registry")) or not shutil.which("skopeo"):
        pytest.skip("needs docker-registry and skopeo")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "htpasswd").write_text("me:$2b$04$0tNqmeV/B4Sn0Kl8vCxfkuosNbCIICN7vyWjwYpDe5nTfKm.5WRo2\n")  # bcrypt of "secret"
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=port))
    with subprocess.Popen([program, "serve", str(folder / "config.yml")], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: answers(port), "the registry answers", 20)
            name = f"127.0.0.1:{port}/team/box:1"
            options = ["--dest-tls-verify=false", "--dest-creds", "me:secret"]
            subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", *options, f"docker-archive:{busybox_archive}", f"docker://{name}"], check=True)
            yield name
        finally:
            process.kill()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_pull_secrets(conformance: Cluster, image: str) -> None:
    scene = Scene(conformance, "ns-images")
    server = image.partition("/")[0]
    for name, password in (("good", "secret"), ("bad", "wrong")):
        scene.kubectl("create", "secret", "docker-registry", name, f"--docker-server={server}", "--docker-username=me", f"--docker-password={password}")
    told = pod("with-bad", container("true", image=image), imagePullSecrets=[{"name": "bad"}])
    scene.apply(pod("without", container("true", image=image)), told)
    for name in ("without", "with-bad"):
        message = scene.waiting(name, "ImagePullBackOff")
        assert message.startswith(f'Back-off pulling image "{image}": ErrImagePull: failed to pull')
        assert "authentication required" in message or "unauthorized" in message
    scene.apply(pod("with-good", container("echo here", image=image), imagePullSecrets=[{"name": "bad"}, {"name": "good"}, {"name": "gone"}]))
    assert scene.said("with-good") == "here"
    assert scene.events("with-good", "FailedToRetrieveImagePullSecret") == [
        "Unable to retrieve some image pull secrets (gone); attempting to pull the image may not succeed."]
    scene.kubectl("create", "serviceaccount", "puller")
    scene.kubectl("patch", "serviceaccount", "puller", "-p", '{"imagePullSecrets":[{"name":"good"}]}')
    scene.apply(pod("with-account", container("echo here", image=image, imagePullPolicy="Always"), serviceAccountName="puller"))
    assert scene.said("with-account") == "here", "a ServiceAccount's secrets are its Pods'"
