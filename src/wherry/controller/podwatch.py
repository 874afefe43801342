"""Pods' events for the controllers that make Pods: which workload to look at, and what is expected no more.

A Pod with a controller concerns that one; an orphan concerns every workload whose selector matches
it, since one may adopt it.  A deletionTimestamp counts as the deletion that was waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from wherry.api.types import core_v1
from wherry.client.expectations import Expectations
from wherry.client.informer import Handler, Informer
from wherry.client.store import key_of
from wherry.controller.ownership import controller_of


class PodWatch:
    """Follows `pods` for workloads of `kind`, which `owners` holds."""

    def __init__(
        self, pods: Informer[core_v1.Pod], owners: Informer[Any], kind: str, expectations: Expectations,
        enqueue: Callable[[str, core_v1.Pod], None], adopters: Callable[[core_v1.Pod], Iterable[Any]],
    ) -> None:
        self._owners, self._kind, self._expectations = owners.store, kind, expectations
        self._enqueue, self._adopters = enqueue, adopters
        pods.add_handler(Handler(self._added, self._updated, self._deleted))

    def _owner_key(self, pod: core_v1.Pod) -> str | None:
        """The key of the workload that controls the Pod, if it is one of ours and still the same object."""
        ref = controller_of(pod)
        if ref is None or ref.kind != self._kind:
            return None
        owner = self._owners.get(ref.name, pod.metadata.namespace)
        return key_of(owner) if owner is not None and owner.metadata.uid == ref.uid else None

    def _added(self, pod: core_v1.Pod) -> None:
        if pod.metadata.deletion_timestamp is not None:
            self._deleted(pod)  # after a restart, a Pod may show up for the first time when it goes
            return
        key = self._owner_key(pod)
        if key is not None:
            self._expectations.creation_observed(key)
            self._enqueue(key, pod)
        elif controller_of(pod) is None:
            self._wake_adopters(pod)

    def _updated(self, old: core_v1.Pod, pod: core_v1.Pod) -> None:
        if pod.metadata.deletion_timestamp is not None:
            self._deleted(pod)
            return
        before, key = self._owner_key(old), self._owner_key(pod)
        if before is not None and before != key:
            self._enqueue(before, old)
        if key is not None:
            self._enqueue(key, pod)
        elif controller_of(pod) is None and (before is not None or old.metadata.labels != pod.metadata.labels):
            self._wake_adopters(pod)

    def _deleted(self, pod: core_v1.Pod) -> None:
        key = self._owner_key(pod)
        if key is not None:
            self._expectations.deletion_observed(key, pod.metadata.uid)
            self._enqueue(key, pod)

    def _wake_adopters(self, pod: core_v1.Pod) -> None:
        for owner in self._adopters(pod):
            self._enqueue(key_of(owner), pod)
