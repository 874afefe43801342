"""The node's addresses for Pods, kept as one file an address so that a crash loses none of it."""

import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from wherry.runtime.interface import RuntimeFault


class AddressPool:
    """Hands out a range's addresses in turn, so that one is used again as late as possible.

    A file named after the address holds its owner's id; creating it is the allocation (atomic
    between threads and processes).  The network's, the broadcast and `reserved` addresses are never given.
    """

    def __init__(self, directory: Path, network: IPv4Network, reserved: frozenset[IPv4Address]) -> None:
        self._directory = directory
        self._network = network
        self._reserved = reserved | {network.network_address, network.broadcast_address}

    def allocate(self, owner: str) -> IPv4Address:
        """Raises RuntimeFault when none is free."""
        self._directory.mkdir(parents=True, exist_ok=True)
        taken = set(os.listdir(self._directory))
        size = self._network.num_addresses
        start = self._last() + 1
        for step in range(size):
            address = self._network.network_address + (start + step) % size
            if address in self._reserved or str(address) in taken:
                continue
            try:
                with open(self._directory / str(address), "x") as file:
                    file.write(owner)
            except FileExistsError:
                continue
            self._remember(address)
            return address
        raise RuntimeFault(f"no addresses available in range set: {self._network}")

    def release(self, owner: str, address: IPv4Address) -> None:
        """Give an address back; one that `owner` does not hold stays as it is."""
        path = self._directory / str(address)
        try:
            if path.read_text() == owner:
                path.unlink()
        except FileNotFoundError:
            return

    def release_others(self, owners: set[str]) -> None:
        """Give back what is held by nobody in `owners` (after a crash)."""
        if not self._directory.is_dir():
            return
        for path in self._directory.iterdir():
            if path.name != "last" and path.read_text() not in owners:
                path.unlink()

    def _last(self) -> int:
        try:
            last = IPv4Address((self._directory / "last").read_text())
        except (OSError, ValueError):
            return 0
        return int(last) - int(self._network.network_address) if last in self._network else 0

    def _remember(self, address: IPv4Address) -> None:
        (self._directory / "last").write_text(str(address))
