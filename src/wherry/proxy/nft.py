"""The difference between two rulesets as one nftables transaction.  Pure text; nft(8) has the syntax."""

from __future__ import annotations

from wherry.proxy.plan import Ruleset

_HOOKS = {
    "nat-prerouting": "type nat hook prerouting priority dstnat - 5; policy accept;",
    "nat-output": "type nat hook output priority -105; policy accept;",
    "nat-postrouting": "type nat hook postrouting priority srcnat - 5; policy accept;",
    "filter-prerouting": "type filter hook prerouting priority raw; policy accept;",
    "filter-input": "type filter hook input priority filter - 5; policy accept;",
    "filter-forward": "type filter hook forward priority filter - 5; policy accept;",
    "filter-output": "type filter hook output priority filter - 5; policy accept;",
}
_MAPS = {
    "service-ips": "map {} {{ type ipv4_addr . inet_proto . inet_service : verdict; }}",
    "node-ports": "map {} {{ type inet_proto . inet_service : verdict; }}",
    "no-endpoint-services": "map {} {{ type ipv4_addr . inet_proto . inet_service : verdict; }}",
    "no-endpoint-node-ports": "map {} {{ type inet_proto . inet_service : verdict; }}",
    "hairpin": "set {} {{ type ipv4_addr . ipv4_addr; }}",
}


def table_name(cluster: str) -> str:
    return f"wherry-{cluster}"


def remove(cluster: str) -> str:
    """The transaction that leaves nothing; no error when nothing is there."""
    table = f"table ip {table_name(cluster)}"
    return f"add {table}\ndelete {table}\n"


def transaction(cluster: str, old: Ruleset | None, new: Ruleset) -> str:
    """What makes the kernel's table `new`: from nothing when `old` is None, else by the difference.  "" when there is none."""
    table = f"ip {table_name(cluster)}"
    head = [remove(cluster) + f"add table {table}"] if old is None else []
    before = old or Ruleset()
    lines: list[str] = []
    if old is None:
        for name, form in _MAPS.items():
            kind, _, rest = form.format(name).partition(" ")
            lines.append(f"add {kind} {table} {rest}")
    added_sets = [n for n in new.dynamic if before.dynamic.get(n) != new.dynamic[n]]
    for name in added_sets:
        lines.append(f"add set {table} {name} {{ type ipv4_addr; flags dynamic, timeout; timeout {new.dynamic[name]}s; size 65535; }}")
    changed = [n for n in new.chains if before.chains.get(n) != new.chains[n]]
    gone = [n for n in before.chains if n not in new.chains]
    lines += [f"add chain {table} {name} {{ {_HOOKS[name]} }}" if name in _HOOKS else f"add chain {table} {name}" for name in changed]
    lines += _elements(table, before, new, delete=True)
    lines += [f"flush chain {table} {name}" for name in [*(c for c in changed if c in before.chains), *gone]]
    for name in changed:
        lines += [f"add rule {table} {name} {rule}" for rule in new.chains[name]]
    lines += _elements(table, before, new, delete=False)
    lines += [f"delete chain {table} {name}" for name in gone]
    lines += [f"delete set {table} {name}" for name in before.dynamic if name not in new.dynamic]
    return "\n".join(head + lines) + "\n" if head or lines else ""


def _elements(table: str, before: Ruleset, new: Ruleset, *, delete: bool) -> list[str]:
    """Elements that go (first: a changed one is deleted and added), or that come."""
    lines = []
    for name in _MAPS:
        was, now = before.maps.get(name, {}), new.maps.get(name, {})
        if delete:
            items = [key for key, value in was.items() if now.get(key) != value]
        else:
            items = [f"{key} : {value}" if value else key for key, value in now.items() if was.get(key) != value]
        if items:
            lines.append(f"{'delete' if delete else 'add'} element {table} {name} {{ {', '.join(items)} }}")
    return lines
