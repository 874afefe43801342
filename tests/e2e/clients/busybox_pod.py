"""What the scripts run."""

from __future__ import annotations


def pod(name: str, command: str) -> dict[str, object]:
    """A Pod of one container that does `command`, labelled with its name."""
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", command], "stdin": True}],
        },
    }
