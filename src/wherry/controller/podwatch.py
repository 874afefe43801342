"""Pods' events for the controllers that make Pods: which workload to look at, and what is expected no more.

A Pod with a controller concerns that one; an orphan concerns every workload whose selector matches
it, since one may adopt it.  A deletionTimestamp counts as the deletion that was waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from wherry.api.types import core_v1, meta_v1
from wherry.client.expectations import Expectations
from wherry.client.informer import Handler, Informer, tell
from wherry.client.store import key_of
from wherry.controller.ownership import controller_of


class PodWatch:
    """Follows `pods` for workloads of `kind`, which `owners` holds."""

    def __init__(
        self, pods: Informer[core_v1.Pod], owners: Informer[Any], kind: str, expectations: Expectations,
        enqueue: Callable[[str, core_v1.Pod], None], adopters: Callable[[core_v1.Pod], Iterable[Any]],
    ) -> None:
        self.kind = kind
        self._owners, self._expectations = owners.store, expectations
        self._enqueue, self._adopters = enqueue, adopters
        sorter = _sorters.get(pods)
        if sorter is None:
            sorter = _sorters[pods] = _Sorter(pods)
        sorter.add(self)

    def _key_of(self, pod: core_v1.Pod, ref: meta_v1.OwnerReference | None) -> str | None:
        """The key of the workload that `ref`, the Pod's, names, if it is one of ours and still the same object."""
        if ref is None or ref.kind != self.kind:
            return None
        owner = self._owners.get(ref.name, pod.metadata.namespace)
        return key_of(owner) if owner is not None and owner.metadata.uid == ref.uid else None

    def may_adopt(self, pod: core_v1.Pod) -> bool:
        """Whether there is any workload of ours where the Pod is: else a Pod without a controller does not concern us."""
        return self._owners.has("namespace", pod.metadata.namespace)

    def added(self, pod: core_v1.Pod, ref: meta_v1.OwnerReference | None) -> None:
        key = self._key_of(pod, ref)
        if key is not None:
            self._expectations.creation_observed(key)
            self._enqueue(key, pod)
        elif ref is None:
            self._wake_adopters(pod)

    def updated(
        self, old: core_v1.Pod, pod: core_v1.Pod, old_ref: meta_v1.OwnerReference | None, ref: meta_v1.OwnerReference | None,
    ) -> None:
        before, key = self._key_of(old, old_ref), self._key_of(pod, ref)
        if before is not None and before != key:
            self._enqueue(before, old)
        if key is not None:
            self._enqueue(key, pod)
        elif ref is None and (before is not None or old.metadata.labels != pod.metadata.labels):
            self._wake_adopters(pod)

    def deleted(self, pod: core_v1.Pod, ref: meta_v1.OwnerReference) -> None:
        key = self._key_of(pod, ref)
        if key is not None:
            self._expectations.deletion_observed(key, pod.metadata.uid)
            self._enqueue(key, pod)

    def _wake_adopters(self, pod: core_v1.Pod) -> None:
        for owner in self._adopters(pod):
            self._enqueue(key_of(owner), pod)


class _Sorter:
    """Finds out once whose a Pod is, and tells only the watches that it can concern."""

    def __init__(self, pods: Informer[core_v1.Pod]) -> None:
        self._store = pods.store
        self._watches: list[PodWatch] = []
        pods.add_handler(Handler(self._added, self._updated, self._deleted))

    def add(self, watch: PodWatch) -> None:
        for pod in self._store:
            self._tell_added([watch], pod)
        self._watches.append(watch)

    def _of(self, *refs: meta_v1.OwnerReference | None) -> list[PodWatch]:
        kinds = {ref.kind for ref in refs if ref is not None}
        return [watch for watch in self._watches if watch.kind in kinds]

    def _added(self, pod: core_v1.Pod) -> None:
        self._tell_added(self._watches, pod)

    def _tell_added(self, watches: list[PodWatch], pod: core_v1.Pod) -> None:
        ref = controller_of(pod)
        # After a restart, a Pod may show up for the first time when it goes.
        going = pod.metadata.deletion_timestamp is not None
        if ref is None:
            if not going:
                tell([watch.added for watch in watches if watch.may_adopt(pod)], pod, None)
            return
        mine = [watch for watch in watches if watch.kind == ref.kind]
        tell([watch.deleted if going else watch.added for watch in mine], pod, ref)

    def _updated(self, old: core_v1.Pod, pod: core_v1.Pod) -> None:
        if pod.metadata.deletion_timestamp is not None:
            self._deleted(pod)
            return
        before, ref = controller_of(old), controller_of(pod)
        if before is None is ref and old.metadata.labels == pod.metadata.labels:
            return  # an orphan that nobody sees in another light
        watches = self._of(before, ref) if ref is not None else [watch for watch in self._watches if watch.may_adopt(pod)]
        tell([watch.updated for watch in watches], old, pod, before, ref)

    def _deleted(self, pod: core_v1.Pod) -> None:
        ref = controller_of(pod)
        if ref is not None:
            tell([watch.deleted for watch in self._of(ref)], pod, ref)


_sorters: WeakKeyDictionary[Informer[core_v1.Pod], _Sorter] = WeakKeyDictionary()
