"""A cluster's settings, and where on the host its things are.

Everything made on the host is named after the cluster and stands under two folders: `data` outlives
`down` (objects, certificates, images), `run` does not (sockets, mounts, process state).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import signal
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

NAME = re.compile(r"[a-z0-9-]{1,12}")
FIDELITIES = ("real", "sim", "api")
POD_RANGES = [f"10.{n}.0.0/16" for n in (244, 245, 246, 247, *range(200, 220))]
SERVICE_RANGES = [f"10.{n}.0.0/16" for n in (96, 97, 98, 99, *range(110, 130))]
DEFAULT_PORT = 6443
TERMINATED = 128 + signal.SIGTERM  # the exit code of a process whose start was broken off
# What may be found in the folder of a cluster that an `up` began to make.
_CONTENTS = {"config.json", "pki", "store", "runtime", "kubelet", "volumes", "logs", "admin.kubeconfig", "kubeconfigs", "lost+found"}


class ConfigError(Exception):
    """A setting that cannot be; the text says what to do."""


class BrokenConfig(ConfigError):
    """`config.json` cannot be read."""


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What `up` was asked for and what it chose; kept in `data/config.json`, so that the next `up` agrees."""

    name: str
    fidelity: str
    data: Path
    run: Path
    port: int
    nodes: int = 1
    pod_range: str = POD_RANGES[0]
    service_range: str = SERVICE_RANGES[0]
    domain: str = "cluster.local"
    processes: bool = False  # each component is a process of its own
    scheduler: str = ""  # the text of a KubeSchedulerConfiguration

    @property
    def context(self) -> str:
        """The kubeconfig context's name."""
        return "wherry" if self.name == "default" else f"wherry-{self.name}"

    @property
    def node_name(self) -> str:
        return "wherry" if self.name == "default" else f"wherry-{self.name}"

    @property
    def node_names(self) -> list[str]:
        """All nodes; the API alone has none."""
        if self.fidelity == "api":
            return []
        return [self.node_name] if self.nodes == 1 else [f"{self.node_name}-{index}" for index in range(self.nodes)]

    @property
    def node_range(self) -> ipaddress.IPv4Network:
        """The one real node's part of the pod range."""
        return next(ipaddress.IPv4Network(self.pod_range).subnets(new_prefix=24))

    @property
    def bridge_address(self) -> str:
        """The node's InternalIP: the bridge's own address, where the API and DNS listen too."""
        return str(self.node_range[1])

    @property
    def api_service_ip(self) -> str:
        return str(ipaddress.IPv4Network(self.service_range)[1])

    @property
    def dns_service_ip(self) -> str:
        return str(ipaddress.IPv4Network(self.service_range)[10])

    @property
    def pki(self) -> Path:
        return self.data / "pki"

    @property
    def kubeconfig(self) -> Path:
        return self.data / "admin.kubeconfig"

    @property
    def ready_file(self) -> Path:
        """There once the process is ready, whoever waits for that."""
        return self.run / "ready"

    def save(self) -> None:
        """Write `config.json`, whole or not at all."""
        shown = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}
        write_private(self.data / "config.json", msgspec.json.format(msgspec.json.encode(shown), indent=1))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def check_name(name: str) -> str:
    """Raises ConfigError unless the name can stand in host names, links and paths."""
    if not NAME.fullmatch(name) or name.strip("-") != name:
        raise ConfigError(f"--name {name!r}: a cluster's name has 1 to 12 of a-z, 0-9 and - (not at its ends)")
    return name


def folders(name: str, data_dir: str = "") -> tuple[Path, Path]:
    """(data, run) of a cluster: system folders for root, the user's own otherwise."""
    if os.geteuid() == 0:
        data, run = Path("/var/lib/wherry"), Path("/run/wherry")
    else:
        home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        data = home / "wherry"
        run = Path(os.environ.get("XDG_RUNTIME_DIR") or data / "run") / "wherry"
    return (Path(data_dir).absolute() if data_dir else data / name), run / name


def pointer(name: str) -> Path:
    """The file that says where a cluster with its own --data-dir is, so that `--name` alone finds it."""
    data, _ = folders(name)
    return data.with_name(f"{name}.data")


def pointed(name: str) -> Path | None:
    """Where the pointer says that a cluster is; None when there is no pointer."""
    try:
        return Path(pointer(name).read_text().strip())
    except FileNotFoundError:
        return None


def _home(name: str) -> Path:
    """Where a cluster of that name is, if there is one."""
    data = pointed(name)
    return data if data is not None and (data / "config.json").exists() else folders(name)[0]


def spelt(command: str, name: str) -> str:
    """A command to type, for a cluster of that name."""
    return f"`wherry {command}`" if name == "default" else f"`wherry {command} --name {name}`"


def load(name: str, data_dir: str = "") -> ClusterConfig | None:
    """The settings of a cluster that was made before, or None.
    Raises ConfigError when they cannot be read, or when `data_dir` belongs to another cluster."""
    home = _home(name)
    data = Path(data_dir).absolute() if data_dir else home
    if data != home and (home / "config.json").exists():
        raise ConfigError(
            f"cluster {name!r} has its data in {home}, not in {data}: leave --data-dir away, choose another --name, "
            f"or `wherry reset --name {name}` first"
        )
    if not (data / "config.json").exists():
        return None
    config = _read(data / "config.json", name)
    if config.name != name:
        raise ConfigError(f"{data} holds the data of cluster {config.name!r}: choose another --data-dir, or use --name {config.name}")
    return replace(config, data=data, run=folders(name)[1])


def _read(file: Path, name: str) -> ClusterConfig:
    try:
        raw: dict[str, Any] = msgspec.json.decode(file.read_bytes())
        raw["data"], raw["run"] = Path(raw["data"]), Path(raw["run"])
        config = ClusterConfig(**raw)
        ipaddress.IPv4Network(config.pod_range), ipaddress.IPv4Network(config.service_range)
    except (msgspec.MsgspecError, TypeError, KeyError, ValueError) as error:
        raise BrokenConfig(
            f"{file} is broken ({error}): put back a good copy, or forget the cluster and its objects with `wherry reset --name {name}`"
        ) from None
    return config


def stand_in(name: str, data_dir: str = "") -> ClusterConfig:
    """For a cluster whose settings cannot be read any more: enough to find what it made on the host."""
    data = Path(data_dir).absolute() if data_dir else _home(name)
    return ClusterConfig(name, "real" if os.geteuid() == 0 else "sim", data, folders(name)[1], DEFAULT_PORT)


def choose(
    name: str, *, fidelity: str = "", nodes: int = 0, data_dir: str = "", port: int = 0, processes: bool | None = None,
    scheduler: str | None = None,
) -> ClusterConfig:
    """The settings for `up`: what an earlier `up` chose, else free ranges and a free port.  Raises ConfigError."""
    check_name(name)
    known = load(name, data_dir)
    if fidelity and known is not None and fidelity != known.fidelity:
        raise ConfigError(
            f"cluster {name!r} was made with --fidelity {known.fidelity}; `wherry reset --name {name}` first, or choose another --name"
        )
    fidelity = known.fidelity if known is not None else fidelity or "real"
    if fidelity not in FIDELITIES:
        raise ConfigError(f"--fidelity {fidelity!r}: one of {', '.join(FIDELITIES)}")
    if nodes < 0 or (nodes > 1 and fidelity != "sim"):
        raise ConfigError(f"--nodes {nodes}: more than one node needs --fidelity sim")
    if scheduler and fidelity == "api":
        raise ConfigError("--scheduler-config: with --fidelity api there is no scheduler")
    if known is not None:
        own = known.processes if processes is None else processes
        chosen = known.scheduler if scheduler is None else scheduler
        return replace(known, port=port or known.port, nodes=nodes or known.nodes, processes=own, scheduler=chosen)
    data, run = folders(name, data_dir)
    if not data_dir and (gone := pointed(name)) is not None:
        raise ConfigError(
            f"cluster {name!r} had its data in {gone}, which is gone: {spelt('reset', name)} forgets it; or say --data-dir"
        )
    _check_free(data)
    taken = _taken_ranges(name)
    pods = next((r for r in POD_RANGES if not _overlaps(r, taken)), None)
    services = next((r for r in SERVICE_RANGES if not _overlaps(r, taken)), None)
    if pods is None or services is None:
        raise ConfigError("no free address range for Pods and Services: all of those that wherry tries are routed on this host")
    return ClusterConfig(
        name, fidelity, data, run, port or _free_port(name), max(1, nodes), pods, services, processes=bool(processes),
        scheduler=scheduler or "",
    )


def _check_free(data: Path) -> None:
    """`reset` deletes a cluster's folder, so nothing of anyone else's may be in it.  Raises ConfigError."""
    try:
        strange = strange_in(data)
    except NotADirectoryError:
        raise ConfigError(f"{data} is no directory: choose another --data-dir") from None
    if strange:
        raise ConfigError(f"{data} holds other things ({', '.join(sorted(strange)[:3])}): choose an empty --data-dir")


def strange_in(data: Path) -> set[str]:
    """What is in a folder that no cluster made.  Raises NotADirectoryError."""
    try:
        return {path.name for path in data.iterdir() if path.name not in _CONTENTS and not path.name.startswith(".config.json.")}
    except FileNotFoundError:
        return set()


def _overlaps(candidate: str, taken: list[ipaddress.IPv4Network]) -> bool:
    network = ipaddress.IPv4Network(candidate)
    return any(network.overlaps(each) for each in taken)


def _taken_ranges(name: str) -> list[ipaddress.IPv4Network]:
    """What the host routes, and what other clusters on it have chosen."""
    found = []
    route = Path("/proc/net/route")
    if route.exists():
        for line in route.read_text().splitlines()[1:]:
            fields = line.split()
            destination, mask = (int.from_bytes(bytes.fromhex(fields[i])[::-1], "big") for i in (1, 7))
            if mask:
                found.append(ipaddress.IPv4Network((destination, bin(mask).count("1")), strict=False))
    for other in others(name):
        found += [ipaddress.IPv4Network(other.pod_range), ipaddress.IPv4Network(other.service_range)]
    return found


def others(name: str) -> list[ClusterConfig]:
    """The other clusters on this host."""
    parent = folders(name)[0].parent
    names = {p.parent.name for p in parent.glob("*/config.json")} | {p.stem for p in parent.glob("*.data")}
    found = []
    for each in sorted(names - {name}):
        with contextlib.suppress(ConfigError):  # a broken one speaks for itself when it is asked for
            if NAME.fullmatch(each) and (config := load(each)) is not None:
                found.append(config)
    return found


def _free_port(name: str) -> int:
    """6443, or the next port above it that nobody listens on and no other cluster comes back to."""
    theirs = {other.port for other in others(name)}
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 100):
        if port in theirs:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ConfigError(f"no free port between {DEFAULT_PORT} and {DEFAULT_PORT + 99}: choose one with --port")
