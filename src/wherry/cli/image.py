"""`wherry image`: the image store of a cluster, from the command line.  The cluster need not run."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from wherry.cluster.config import ClusterConfig
from wherry.cluster.images import Order
from wherry.cluster.images import run as carry_out
from wherry.cluster.lifecycle import LifecycleError
from wherry.runtime.interface import RuntimeFault


def order_of(args: argparse.Namespace) -> Order:
    """What the arguments ask for.  Raises LifecycleError."""
    match args.action:
        case "load":
            if not Path(args.file).is_file():
                raise LifecycleError(f"{args.file}: no such file")
            return Order("load", path=str(Path(args.file).absolute()))
        case "import":
            if not Path(args.directory).is_dir():
                raise LifecycleError(f"{args.directory}: no such directory")
            return Order("import", path=str(Path(args.directory).absolute()), ref=args.ref, cmd=args.cmd, env=args.env)
        case "pull" | "rm":
            return Order(args.action, ref=args.ref)
    return Order("ls")


def run(args: argparse.Namespace, config: ClusterConfig) -> int:
    """One action.  Raises LifecycleError."""
    if os.geteuid() != 0 and config.fidelity == "real":
        raise LifecycleError("images are unpacked as root: use sudo")
    order = order_of(args)
    try:
        found = carry_out(config, order)
    except RuntimeFault as fault:
        print(f"wherry: {fault}", file=sys.stderr)
        return 1
    if order.action == "rm":
        print(f"Removed {args.ref}")
    elif order.action == "ls":
        print(f"{'REFERENCE':<50} {'IMAGE ID':<14} SIZE")
        for image in found:
            for tag in image["tags"] or image["digests"] or ["<none>"]:
                print(f"{tag:<50} {image['id'].removeprefix('sha256:')[:12]:<14} {image['size'] / 1e6:.1f}MB")
    else:
        words = {"load": "Loaded", "pull": "Pulled", "import": "Imported"}
        for image in found:
            print(f"{words[order.action]} {', '.join(image['tags']) or image['id']}")
    return 0
