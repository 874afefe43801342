"""ConfigMaps and Secrets that Pods of this node use: each is watched alone, for as long as a Pod uses it.

A kubelet may read only what its Pods name (the Node authorizer sees to that), so it cannot watch collections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from wherry.api.types import core_v1
from wherry.client.informer import Handler, Informer, SharedInformerFactory
from wherry.kubelet.podutil import all_containers

T = TypeVar("T")
Key = tuple[str, str]  # namespace, name


class ObjectManager(Generic[T]):
    """Watches the objects that registered Pods reference.  `on_change` is told the uids of the Pods concerned."""

    def __init__(
        self, informers: SharedInformerFactory, kind: type[T], references: Callable[[core_v1.Pod], set[str]],
        on_change: Callable[[str], None],
    ) -> None:
        self._informers, self._kind, self._references, self._on_change = informers, kind, references, on_change
        self._watched: dict[Key, Informer[T]] = {}
        self._handlers: dict[Key, Handler[T]] = {}
        self._users: dict[Key, set[str]] = {}
        self._by_pod: dict[str, set[Key]] = {}

    def register(self, pod: core_v1.Pod) -> None:
        """Begin to watch what `pod` references; again after a change of its spec."""
        uid, namespace = pod.metadata.uid, pod.metadata.namespace
        wanted = {(namespace, name) for name in self._references(pod)}
        for key in self._by_pod.get(uid, set()) - wanted:
            self._drop(uid, key)
        for key in wanted - self._by_pod.get(uid, set()):
            self._users.setdefault(key, set()).add(uid)
            if key not in self._watched:
                self._watch(key)
        self._by_pod[uid] = wanted

    def unregister(self, uid: str) -> None:
        for key in self._by_pod.pop(uid, set()):
            self._drop(uid, key)

    async def get(self, namespace: str, name: str) -> T | None:
        """The object as it is now; None when there is none.  Waits for the first answer of its watch."""
        key = (namespace, name)
        if key not in self._watched:
            self._watch(key)
            self._users.setdefault(key, set())
        informer = self._watched[key]
        await informer.wait_for_sync()
        return informer.store.get(name, namespace)

    def _watch(self, key: Key) -> None:
        namespace, name = key
        informer = self._informers.informer(self._kind, namespace=namespace, field_selector=f"metadata.name={name}")

        def changed(*objects: Any) -> None:
            if informer.has_synced:
                for uid in sorted(self._users.get(key, ())):
                    self._on_change(uid)

        self._watched[key] = informer
        self._handlers[key] = Handler(on_add=changed, on_update=changed, on_delete=changed)
        informer.add_handler(self._handlers[key])

    def _drop(self, uid: str, key: Key) -> None:
        users = self._users.get(key, set())
        users.discard(uid)
        if not users and key in self._watched:
            informer = self._watched.pop(key)
            informer.remove_handler(self._handlers.pop(key))
            self._users.pop(key, None)
            self._informers.stop(informer)


def config_map_references(pod: core_v1.Pod) -> set[str]:
    """The names of the ConfigMaps that `pod` uses."""
    found = {s.config_map_ref.name for s in _env_from(pod) if s.config_map_ref}
    found |= {s.config_map_key_ref.name for s in _value_from(pod) if s.config_map_key_ref}
    for volume in pod.spec.volumes:
        if volume.config_map:
            found.add(volume.config_map.name)
        if volume.projected:
            found |= {source.config_map.name for source in volume.projected.sources if source.config_map}
    return found


def secret_references(pod: core_v1.Pod) -> set[str]:
    """The names of the Secrets that `pod` uses, those for pulling images among them."""
    found = {reference.name for reference in pod.spec.image_pull_secrets}
    found |= {s.secret_ref.name for s in _env_from(pod) if s.secret_ref}
    found |= {s.secret_key_ref.name for s in _value_from(pod) if s.secret_key_ref}
    for volume in pod.spec.volumes:
        if volume.secret:
            found.add(volume.secret.secret_name)
        if volume.projected:
            found |= {source.secret.name for source in volume.projected.sources if source.secret}
    return found


def _env_from(pod: core_v1.Pod) -> Iterator[core_v1.EnvFromSource]:
    for container in all_containers(pod):
        yield from container.env_from


def _value_from(pod: core_v1.Pod) -> Iterator[core_v1.EnvVarSource]:
    for container in all_containers(pod):
        yield from (variable.value_from for variable in container.env if variable.value_from)
