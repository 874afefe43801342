"""A kubelet that dies at a chosen step: a runtime's verb, a write to the API, or work on files.

Between two such steps a kubelet changes nothing but its own memory, so that a SIGKILL at any of its awaits leaves
what a death just before or just after one of them leaves.  A dead kubelet's tasks may run on in the test's
process until they are cancelled: none of their steps reaches anything any more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from wherry.apimachinery.http import Request, Response
from wherry.runtime.fake import FakeRuntime

T = TypeVar("T")

VERBS = frozenset({
    "run_pod_sandbox", "stop_pod_sandbox", "remove_pod_sandbox", "create_container", "start_container", "stop_container",
    "remove_container", "update_container_resources", "pull_image", "remove_image",
})
LOOKS = frozenset({
    "pod_sandbox_status", "list_pod_sandboxes", "container_status", "list_containers", "exec_sync", "list_images", "image_status",
})


class Fate:
    """Death with step number `at` (0: never), before it takes place or after.  `steps` tells what was done, for messages."""

    def __init__(self, at: int, after: bool) -> None:
        self.at, self.after = at, after
        self.steps: list[str] = []
        self.dead = asyncio.Event()

    async def step(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        if self.dead.is_set():
            await asyncio.Event().wait()
        self.steps.append(name)
        if len(self.steps) == self.at:
            if self.after:
                await work()
            self.dead.set()
            await asyncio.Event().wait()
        return await work()

    async def look(self, work: Callable[[], Awaitable[T]]) -> T:
        """What changes nothing; the dead do not even look."""
        if self.dead.is_set():
            await asyncio.Event().wait()
        return await work()

    async def offload(self, function: Callable[..., Any], *args: Any) -> Any:
        async def work() -> Any:
            return function(*args)

        return await self.step(f"file work {function.__name__}", work)


class MortalTransport:
    """Requests of a kubelet with a fate.  Events and leases tell of things and change none: they are no steps."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self.inner, self.fate = inner, fate

    async def send(self, request: Request) -> Response:
        if request.method == "GET" or "/events" in request.path or "/leases" in request.path:
            return await self.fate.look(lambda: self.inner.send(request))
        return await self.fate.step(f"{request.method} {request.path}", lambda: self.inner.send(request))

    async def close(self) -> None:
        await self.inner.close()


class MortalRuntime:
    """A runtime in the eyes of a kubelet with a fate; `started` counts starts that came about, by Pod and container."""

    def __init__(self, inner: FakeRuntime, fate: Fate, started: Counter[str]) -> None:
        self.inner, self.fate, self.started = inner, fate, started

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.inner, name)
        if name in LOOKS:
            return lambda *args, **options: self.fate.look(lambda: verb(*args, **options))
        if name not in VERBS:
            return verb

        async def work(*args: Any, **options: Any) -> Any:
            answer = await verb(*args, **options)
            if name == "start_container":
                status = await self.inner.container_status(*args)
                sandbox = await self.inner.pod_sandbox_status(status.sandbox_id)
                self.started[f"{sandbox.config.name}/{status.config.name}"] += 1
            return answer

        def call(*args: Any, **options: Any) -> Coroutine[Any, Any, Any]:
            return self.fate.step(name, lambda: work(*args, **options))

        return call
