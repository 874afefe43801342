"""An image from a directory that holds a root file system."""

import json
from collections.abc import Sequence
from pathlib import Path

from wherry.runtime.images import reference
from wherry.runtime.images.store import ImageStore, run_tarball
from wherry.runtime.interface import Image, RuntimeFault


def import_rootfs(
    store: ImageStore,
    directory: Path,
    name: str,
    architecture: str,
    *,
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    env: Sequence[str] = (),
    working_dir: str = "",
    user: str = "",
) -> Image:
    """An image of one layer, tagged `name`; the same tree gives the same id.  Raises RuntimeFault."""
    if not directory.is_dir():
        raise RuntimeFault(f"{directory} is no directory")
    try:
        tag = str(reference.parse(name))
    except ValueError as error:
        raise RuntimeFault(f'couldn\'t parse image name "{name}": {error}') from None
    with store.workspace() as work:
        made = run_tarball("pack", directory, work / "layer.tar")
        run = {"Entrypoint": list(entrypoint), "Cmd": list(cmd), "Env": list(env), "WorkingDir": working_dir, "User": user}
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {key: value for key, value in run.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [made["diff_id"]]},
        }
        return store.add(json.dumps(config, sort_keys=True).encode(), [work / "layer.tar"], tags=[tag])
