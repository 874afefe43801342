"""The admission plugins in upstream's order.  A new plugin is a file beside this one and a line here."""

from __future__ import annotations

from wherry.apiserver.admission.interface import Plugin, Reader
from wherry.apiserver.admission.limitranger import LimitRanger
from wherry.apiserver.admission.namespacelifecycle import NamespaceLifecycle
from wherry.apiserver.admission.podplugins import DefaultTolerationSeconds, Priority
from wherry.apiserver.admission.serviceaccount import ServiceAccount


def default_plugins(reader: Reader) -> list[Plugin]:
    """What upstream enables by default, as far as wherry has it."""
    return [
        NamespaceLifecycle(reader),
        LimitRanger(reader),
        ServiceAccount(reader),
        Priority(reader),
        DefaultTolerationSeconds(),
    ]
