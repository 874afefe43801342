"""Runs a set of controllers in one process, on shared informers: kube-controller-manager.

`client_for` gives the client of a user by its name: each controller speaks as its own service
account (`system:serviceaccount:kube-system:<name>`), the shared informers as the manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from wherry.apimachinery.http import UserInfo
from wherry.client.client import Client
from wherry.client.informer import SharedInformerFactory
from wherry.controller.controller import Context, Controller, Options
from wherry.controller.registry import CONTROLLERS
from wherry.util.clock import Clock

MANAGER = "kube-controller-manager"
LOOK_SECONDS, QUIET_LOOKS = 0.01, 4  # a write comes to who follows it within one look, but for a burst's pace


def user_of(name: str) -> UserInfo:
    """Whom a controller speaks as; the manager itself is a user, the controllers are service accounts."""
    if name == MANAGER:
        return UserInfo(f"system:{MANAGER}", ("system:authenticated",))
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
    return UserInfo(f"system:serviceaccount:kube-system:{name}", groups)


class ControllerManager:
    """Makes the controllers; `run` is its owner's task and owns all of theirs."""

    def __init__(
        self, client_for: Callable[[str], Client], clock: Clock, options: Options | None = None, *,
        informers: SharedInformerFactory | None = None, controllers: Sequence[type[Controller]] = CONTROLLERS,
    ) -> None:
        self._clock = clock
        self._owns_informers = informers is None
        self.informers = informers or SharedInformerFactory(client_for(MANAGER), clock)
        options = options or Options()
        context = Context(client_for, self.informers, clock, options)
        chosen = [each for each in controllers if options.enabled is None or each.name in options.enabled]
        self.controllers = [make(context) for make in chosen]

    async def run(self) -> None:
        """Run until cancelled.  Informers that were given are run by whoever gave them."""
        async with asyncio.TaskGroup() as group:
            if self._owns_informers:
                group.create_task(self.informers.run(), name="informers")
            for controller in self.controllers:
                group.create_task(controller.run(), name=controller.name)

    @property
    def idle(self) -> bool:
        """Every informer has synced and every queue is empty (delayed keys aside)."""
        return all(controller.idle for controller in self.controllers)

    async def settled(self) -> None:
        """Until they have nothing to do for a while: what one writes has come to those who follow it."""
        quiet = 0
        while quiet < QUIET_LOOKS:
            await self._clock.sleep(LOOK_SECONDS)
            quiet = quiet + 1 if self.idle else 0
