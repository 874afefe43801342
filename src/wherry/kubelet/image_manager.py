"""Sees to it that a container's image is on the node: pull policies, back-off, credentials.

https://kubernetes.io/docs/concepts/containers/images/
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from wherry.api.types import core_v1
from wherry.kubelet.backoff import Backoff
from wherry.kubelet.events import Events
from wherry.kubelet.podutil import Container
from wherry.runtime.interface import Image, RegistryAuth, Runtime, RuntimeFault
from wherry.util.clock import Clock

GetSecret = Callable[[str, str], Awaitable[core_v1.Secret | None]]

# https://github.com/distribution/reference: name [":" tag] ["@" digest]
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?)"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*"
_REFERENCE = re.compile(rf"{_NAME}(?::[\w][\w.-]{{0,127}})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{{32,}})?")


class ImageError(Exception):
    """A container cannot have its image.  `reason` is the waiting reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def parse_reference(image: str) -> str:
    """The reference with its tag (`latest` unless it has one).  Raises ImageError in upstream's words."""
    if not _REFERENCE.fullmatch(image):
        why = "invalid reference format"
        host, slash, rest = image.partition("/")
        path = rest if slash and ("." in host or ":" in host or host == "localhost") else image
        name = re.split(r"[:@]", path)[0]
        if name and name != name.lower():
            full = name if "/" in path or path is not image else f"library/{name}"
            why += f": repository name ({full}) must be lowercase"
        message = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {why}'
        raise ImageError("InvalidImageName", message)
    last = image.rpartition("/")[2]
    return image if ":" in last or "@" in last else f"{image}:latest"


def pull_policy(policy: str, image: str) -> str:
    """The policy that stands; the API server defaults it, except for Pods that never saw one."""
    if policy:
        return policy
    return "Always" if image.endswith(":latest") or ":" not in image.rpartition("/")[2] else "IfNotPresent"


@dataclass(slots=True)
class _PullError:
    reason: str
    message: str
    at: float  # wall seconds


class ImageManager:
    """One a kubelet.  Pulls of one image by several Pods at once are shared."""

    def __init__(
        self, runtime: Runtime, events: Events, clock: Clock, get_secret: GetSecret, backoff: Backoff, parallel: int,
    ) -> None:
        self._runtime, self._events, self._clock, self._get_secret = runtime, events, clock, get_secret
        self._backoff = backoff
        self._slots = asyncio.Semaphore(parallel)
        self._last_errors: dict[str, _PullError] = {}

    async def ensure(self, pod: core_v1.Pod, container: Container, volume: core_v1.ImageVolumeSource | None = None) -> Image:
        """The container's image, or that of a volume it mounts, pulled if the policy asks for it.

        Raises ImageError; tells events as upstream does.
        """
        name = volume.reference if volume is not None else container.image
        policy = pull_policy(volume.pull_policy if volume is not None else container.image_pull_policy, name)
        try:
            reference = parse_reference(name)
        except ImageError as error:
            self._events.container(pod, container, "Warning", "InspectFailed", error.message)
            raise
        try:
            present = await self._runtime.image_status(reference)
        except RuntimeFault as fault:
            message = f'Failed to inspect image "{name}": {fault}'
            self._events.container(pod, container, "Warning", "InspectFailed", message)
            raise ImageError("ImageInspectError", message) from fault
        if present is not None and policy != "Always":
            message = f'Container image "{name}" already present on machine and can be accessed by the pod'
            self._events.container(pod, container, "Normal", "Pulled", message)
            return present
        if policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            self._events.container(pod, container, "Warning", "ErrImageNeverPull", message)
            raise ImageError("ErrImageNeverPull", message)
        return await self._pull(pod, container, name, reference)

    async def _pull(self, pod: core_v1.Pod, container: Container, name: str, reference: str) -> Image:
        key = f"{pod.metadata.uid}_{name}"
        last = self._last_errors.get(key)
        if last is not None and self._backoff.remaining(key, last.at):
            message = f'Back-off pulling image "{name}"'
            self._events.container(pod, container, "Normal", "BackOff", message)
            raise ImageError("ImagePullBackOff", f"{message}: {last.reason}: {last.message}")
        self._events.container(pod, container, "Normal", "Pulling", f'Pulling image "{name}"')
        asked = self._clock.monotonic()
        try:
            async with self._slots:
                began = self._clock.monotonic()
                image_id = await self._pull_with_secrets(pod, reference)
            image = await self._runtime.image_status(image_id)
            if image is None:
                raise RuntimeFault(f'image "{reference}" is not there after its pull')
        except RuntimeFault as fault:
            self._fail(key, fault, pod, container, name)
        ended = self._clock.monotonic()
        self._backoff.forget(key)
        self._last_errors.pop(key, None)
        took, waited = _duration(ended - began), _duration(ended - asked)
        message = f'Successfully pulled image "{name}" in {took} ({waited} including waiting). '
        message += f"Image size: {image.size} bytes."
        self._events.container(pod, container, "Normal", "Pulled", message)
        return image

    def _fail(self, key: str, fault: RuntimeFault, pod: core_v1.Pod, container: Container, name: str) -> NoReturn:
        reason = fault.reason or "ErrImagePull"
        self._events.container(pod, container, "Warning", "Failed", f'Failed to pull image "{name}": {fault}')
        now = self._clock.time()
        self._backoff.next(key, now)
        self._last_errors[key] = _PullError(reason, str(fault), now)
        raise ImageError(reason, str(fault)) from fault

    async def _pull_with_secrets(self, pod: core_v1.Pod, reference: str) -> str:
        """Try each fitting credential; none at all when none fits."""
        auths: list[RegistryAuth | None] = [*await self._credentials(pod, reference)]
        failure: RuntimeFault | None = None
        for auth in auths or [None]:
            try:
                return await self._runtime.pull_image(reference, auth)
            except RuntimeFault as fault:
                failure = fault
        assert failure is not None
        raise failure

    async def _credentials(self, pod: core_v1.Pod, reference: str) -> list[RegistryAuth]:
        found: list[RegistryAuth] = []
        for wanted in pod.spec.image_pull_secrets:
            secret = await self._get_secret(pod.metadata.namespace, wanted.name)
            if secret is None:
                message = f"Unable to retrieve some image pull secrets ({wanted.name}); "
                message += "attempting to pull the image may not succeed."
                self._events.pod(pod, "Warning", "FailedToRetrieveImagePullSecret", message)
                continue
            found += registry_auths(secret, reference)
        return found

    def forget(self, uid: str) -> None:
        """A Pod is gone."""
        self._backoff.forget(f"{uid}_")
        for key in [key for key in self._last_errors if key.startswith(f"{uid}_")]:
            del self._last_errors[key]


def _duration(seconds: float) -> str:
    """As Go prints it: `1.234s`, `56ms`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    text = f"{seconds:.3f}".rstrip("0").rstrip(".")
    return f"{text}s"


def registry_auths(secret: core_v1.Secret, reference: str) -> list[RegistryAuth]:
    """The credentials in a dockerconfigjson (or the older dockercfg) Secret that fit the image's registry."""
    if ".dockerconfigjson" in secret.data:
        entries = json.loads(base64.b64decode(secret.data[".dockerconfigjson"])).get("auths", {})
    elif ".dockercfg" in secret.data:
        entries = json.loads(base64.b64decode(secret.data[".dockercfg"]))
    else:
        return []
    host, slash, rest = reference.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = "docker.io", reference
    wanted = f"{host}/{rest}"
    auths = []
    for server in sorted(entries, key=len, reverse=True):
        place = re.sub(r"^https?://", "", server).rstrip("/")
        place = re.sub(r"^index\.docker\.io(/v1)?$", "docker.io", place).removesuffix("/v1").removesuffix("/v2")
        if wanted == place or wanted.startswith(place + "/"):
            auths.append(_auth(entries[server]))
    return auths


def _auth(entry: dict[str, str]) -> RegistryAuth:
    auth = RegistryAuth(entry.get("username", ""), entry.get("password", ""), entry.get("identitytoken", ""))
    if not auth.username and entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        auth = replace(auth, username=user, password=password)
    return auth
