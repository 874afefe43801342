"""`wherry component`: one component in this terminal, as upstream's binaries run, until Ctrl-C."""

from __future__ import annotations

import argparse

from wherry.cluster import component, processes, supervisor
from wherry.cluster.components import components_of
from wherry.cluster.config import ClusterConfig, spelt
from wherry.cluster.lifecycle import LifecycleError, running
from wherry.cluster.process import log_to_stderr


def run(args: argparse.Namespace, config: ClusterConfig) -> int:
    """Raises LifecycleError when the cluster has it running, or has no such component."""
    node = chosen_node(config, args.component, args.node)
    title = component.title(args.component, node)
    if running(config) and not config.processes:
        raise LifecycleError(f"cluster {config.name!r} runs all its components in one process: {spelt('down', config.name)} first")
    if any(record.name == title for record in processes.running(config)):
        raise LifecycleError(f"cluster {config.name!r} has its {title} running already, and would start it again")
    supervisor.write_identities(config)
    log_to_stderr(verbose=args.verbose)
    try:
        return component.run(config, args.component, node)
    except component.RunsAlready as error:
        raise LifecycleError(str(error)) from None


def chosen_node(config: ClusterConfig, name: str, wanted: str) -> str:
    """Whose kubelet it is; "" for other components.  Raises LifecycleError."""
    if name not in components_of(config):
        raise LifecycleError(f"cluster {config.name!r} has fidelity {config.fidelity}: it has no {name}")
    if name != "kubelet":
        if wanted:
            raise LifecycleError("--node is for the kubelet")
        return ""
    if wanted and wanted not in config.node_names:
        raise LifecycleError(f"cluster {config.name!r} has no node {wanted!r}, but {', '.join(config.node_names)}")
    return wanted or config.node_names[0]
