"""`wherry image`: the image store of a cluster, from the command line.  The cluster need not run."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from wherry.cluster.config import ClusterConfig
from wherry.cluster.lifecycle import LifecycleError
from wherry.cluster.node import image_service
from wherry.runtime.interface import RuntimeFault


def run(args: argparse.Namespace, config: ClusterConfig) -> int:
    """One action.  Raises LifecycleError."""
    if os.geteuid() != 0:
        raise LifecycleError("images are unpacked as root: use sudo")
    try:
        return asyncio.run(_act(args, config))
    except RuntimeFault as fault:
        print(f"wherry: {fault}", file=sys.stderr)
        return 1


async def _act(args: argparse.Namespace, config: ClusterConfig) -> int:
    images = image_service(config)
    match args.action:
        case "load":
            if not Path(args.file).is_file():
                raise LifecycleError(f"{args.file}: no such file")
            for reference in await images.load(Path(args.file)):
                print(f"Loaded {reference}")
        case "pull":
            print(f"Pulled {args.ref} ({await images.pull(args.ref)})")
        case "import":
            if not Path(args.directory).is_dir():
                raise LifecycleError(f"{args.directory}: no such directory")
            print(f"Imported {await images.import_rootfs(Path(args.directory), args.ref, cmd=args.cmd, env=args.env)}")
        case "ls":
            rows = [("REFERENCE", "IMAGE ID", "SIZE")]
            for image in await images.list_images():
                for tag in image.repo_tags or image.repo_digests or ("<none>",):
                    rows.append((tag, image.id.removeprefix("sha256:")[:12], f"{image.size / 1e6:.1f}MB"))
            for reference, short, size in rows:
                print(f"{reference:<50} {short:<14} {size}")
        case "rm":
            await images.remove(args.ref)
            print(f"Removed {args.ref}")
    return 0
