"""The controllers, one line each.  docs/checklists/new-controller.md says how to add one."""

from __future__ import annotations

from wherry.controller.controller import Controller
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.replicaset.controller import ReplicaSetController, ReplicationControllerController

CONTROLLERS: tuple[type[Controller], ...] = (
    ReplicaSetController,
    ReplicationControllerController,
    DeploymentController,
)
