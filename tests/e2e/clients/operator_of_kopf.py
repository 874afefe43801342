"""An operator made with kopf: it fills in ConfigMaps, follows a field, and takes part in their deletion."""

from __future__ import annotations

import kopf

LABELS = {"kopf": "yes"}


@kopf.on.create("configmaps", labels=LABELS)
def made(body: kopf.Body, patch: kopf.Patch, **_: object) -> None:
    kopf.info(body, reason="Seen", message="hello")
    patch.setdefault("data", {})["seen"] = "made"


@kopf.on.update("configmaps", labels=LABELS, field="data.asked")
def changed(old: str, new: str, patch: kopf.Patch, **_: object) -> None:
    patch.setdefault("data", {})["seen"] = f"{old}->{new}"


@kopf.on.delete("configmaps", labels=LABELS)
def gone(name: str, logger: kopf.Logger, **_: object) -> None:
    logger.info(f"{name} is let go")
