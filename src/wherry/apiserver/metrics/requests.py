"""What the API server counts of requests.  On the path of every one of them: two dict look-ups and a bisection.

Labels never come from what a client made up: a request for what is not served is counted without a name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from wherry.apiserver.requestinfo import RequestInfo
from wherry.util.metrics import FAST, Distribution, Labels, Metrics

Served = Callable[[RequestInfo], bool]
_NAMES = {"patch": "PATCH", "deletecollection": "DELETECOLLECTION"}
_CONNECT = ("exec", "attach", "portforward", "proxy")
_METHODS = frozenset({"get", "head", "post", "put", "patch", "delete", "options", ""})


class _Key(NamedTuple):
    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str


class _Record:
    """Requests of one kind."""

    __slots__ = ("codes", "durations")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.durations = Distribution(FAST)


class Requests:
    """`observe` is called once a request, when it is answered (a watch: when it begins)."""

    def __init__(self, metrics: Metrics, served: Served) -> None:
        self._served = served
        self._records: dict[tuple[str, str, str, str, str, bool, bool], _Record] = {}
        labels = ("verb", "group", "version", "resource", "subresource", "scope")
        metrics.counter_of("apiserver_request_total", "Requests by verb, resource and answer.", self._totals, (*labels, "code"))
        metrics.histogram_of(
            "apiserver_request_duration_seconds", "How long requests took, watches and streams left out.", self._durations, labels,
        )

    def observe(self, info: RequestInfo, code: int, seconds: float) -> None:
        # Paths that are no resources are counted together: their names would let clients make up labels.
        key = (info.verb, info.group, info.version, info.resource, info.subresource, bool(info.namespace), bool(info.name))
        record = self._records.get(key)
        if record is None:
            record = self._record(info, key)
        codes = record.codes
        codes[code] = codes.get(code, 0) + 1
        if info.verb != "watch":
            record.durations.observe(seconds)

    def _record(self, info: RequestInfo, key: tuple[str, str, str, str, str, bool, bool]) -> _Record:
        """A kind of request seen for the first time; all that are not served are one kind a verb."""
        if (info.resource and not self._served(info)) or (not info.resource and info.verb not in _METHODS):
            verb = info.verb if info.resource else ""
            key = (verb, "", "", "", "", False, False)
        return self._records.setdefault(key, _Record())

    def _merged(self) -> dict[_Key, list[_Record]]:
        merged: dict[_Key, list[_Record]] = {}
        for (verb, group, version, resource, subresource, namespaced, named), record in self._records.items():
            scope = ("resource" if named else "namespace" if namespaced else "cluster") if resource else ""
            shown = "CONNECT" if subresource in _CONNECT else _NAMES.get(verb, verb.upper())
            merged.setdefault(_Key(_http(shown), group, version, resource, subresource, scope), []).append(record)
        return merged

    def _totals(self) -> dict[Labels, float]:
        totals: dict[Labels, float] = {}
        for key, records in self._merged().items():
            for record in records:
                for code, count in record.codes.items():
                    label = (*key, str(code))
                    totals[label] = totals.get(label, 0) + count
        return totals

    def _durations(self) -> dict[Labels, Distribution]:
        found: dict[Labels, Distribution] = {}
        for key, records in self._merged().items():
            if key.verb in ("WATCH", "CONNECT"):
                continue
            whole = Distribution(FAST)
            for record in records:
                whole.total += record.durations.total
                whole.counts = [a + b for a, b in zip(whole.counts, record.durations.counts, strict=True)]
            found[tuple(key)] = whole
        return found


def _http(verb: str) -> str:
    """create and update are counted as the methods they come by."""
    return {"CREATE": "POST", "UPDATE": "PUT"}.get(verb, verb)
