"""Where wherry differs from the recording, each with its reason.  A row that no longer occurs must go: the test sees to it.
(Who runs and pulls has words of its own; those are in `life_normal.WORDS`, with their reasons, and are held to the same.)

`*` stands for anything, in any column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from life_comparer import Difference, Recording
from life_normal import WORDS

UNREACHED = "the API server of the recording could not find its node's name, so that no log could be read"
RECORDER = "the machine of the recording: another size, another kernel, another configuration of its kubelet (250 Pods)"


@dataclass(frozen=True, slots=True)
class Known:
    resource: str
    name: str
    aspect: str
    reason: str

    def covers(self, found: Difference) -> bool:
        pairs = ((self.resource, found.resource), (self.name, found.name), (self.aspect, found.aspect))
        return all(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) for pattern, text in pairs)


KNOWN = (
    Known("kubectl", "logs *", "*", UNREACHED),
    Known("kubectl", "describe node n1", "memory: *", RECORDER),
    Known("kubectl", "describe node n1", "pods: *", RECORDER),
    Known("kubectl", "describe node n1", "Machine ID: *", RECORDER),
    Known("kubectl", "describe node n1", "System UUID:*", RECORDER),
    Known("kubectl", "describe node n1", "Boot ID: *", RECORDER),
    Known("kubectl", "describe node n1", "Kernel Version: *", RECORDER),
    Known("kubectl", "describe node n1", "Container Runtime Version: *", "the runtime is wherry's own, and has its version"),
    Known("kubectl", "describe node n1", "Kubelet Version: *", "the recording is of 1.36.2, wherry is 1.37"),
    Known("kubectl", "describe node n1", "PodCIDR*", "nobody gave the recording's node a range of addresses; wherry's has one, as kubeadm's do"),
    Known("kubectl", "describe node n1", "Roles: *", "wherry's node is the control plane as well, and says so"),
    Known("kubectl", "describe node n1", "node-role.kubernetes.io/control-plane=", "wherry's node is the control plane as well, and says so"),
    Known("pods", "*", ".status.*ontainerStatuses*.user.*", "containerd tells whom a process begins as only from 2.0 on; the recording's is 1.6"),
    Known("kubectl", "describe node n1", "Normal * kubelet *", "the kubelet of the recording started before its API server could take events"),
)


def unlisted(found: Iterable[Difference]) -> list[Difference]:
    return [each for each in found if not any(known.covers(each) for known in KNOWN)]


def stale(found: Iterable[Difference], upstream: Recording, ours: Recording) -> list[str]:
    """What is listed and does not occur: rows of `KNOWN`, and words of `life_normal`."""
    found = list(found)
    rows = [str(known) for known in KNOWN if not any(known.covers(each) for each in found)]
    said = "\n".join(event["object"]["message"] for side in (upstream, ours) for event in side["events"])
    return rows + [name for name, (pattern, _, _) in WORDS.items() if not pattern.search(said)]
