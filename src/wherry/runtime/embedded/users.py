"""Who a container's process is: users and groups by the image's own /etc/passwd and /etc/group.  Pure.

The rules are Docker's and containerd's: `user[:group]`, names or numbers; a number need not be listed;
without a group it is the user's own, or 0; a user's further groups come from /etc/group.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from wherry.runtime.interface import RuntimeFault, Security


@dataclass(frozen=True, slots=True)
class Identity:
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = ""


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def _users(text: str) -> list[_User]:
    found = []
    for line in text.splitlines():
        parts = line.strip().split(":")
        if len(parts) >= 4 and parts[2].isdigit() and parts[3].isdigit():
            found.append(_User(parts[0], int(parts[2]), int(parts[3]), parts[5] if len(parts) > 5 else ""))
    return found


def _groups(text: str) -> list[_Group]:
    found = []
    for line in text.splitlines():
        parts = line.strip().split(":")
        if len(parts) >= 3 and parts[2].isdigit():
            members = parts[3].split(",") if len(parts) > 3 and parts[3] else []
            found.append(_Group(parts[0], int(parts[2]), tuple(members)))
    return found


def wanted_user(security: Security, image_user: str) -> str:
    """The `user[:group]` that applies before files are read."""
    if security.run_as_user is not None:
        return str(security.run_as_user)
    return security.run_as_username or image_user


def resolve(security: Security, image_user: str, passwd: str, group: str) -> Identity:
    """Raises RuntimeFault when a name is in neither file."""
    user, _, group_part = wanted_user(security, image_user).partition(":")
    users, groups = _users(passwd), _groups(group)
    entry = _find_user(users, user)
    uid = entry.uid if entry else int(user or 0)
    gid = entry.gid if entry else 0
    if security.run_as_group is not None:
        gid = security.run_as_group
    elif group_part:
        gid = _find_group(groups, group_part)
    own = set() if security.strict_groups else {each.gid for each in groups if entry is not None and entry.name in each.members}
    further = _unique([gid, *sorted(own), *security.supplemental_groups])
    home = entry.home if entry and entry.home else "/root" if uid == 0 else "/"
    return Identity(uid, gid, further, home)


def _find_user(users: list[_User], wanted: str) -> _User | None:
    by_name = next((each for each in users if each.name == wanted), None)
    if by_name is not None:
        return by_name
    if not wanted or wanted.isdigit():
        return next((each for each in users if each.uid == int(wanted or 0)), None)
    raise RuntimeFault(f"unable to find user {wanted}: no matching entries in passwd file", "CreateContainerError")


def _find_group(groups: list[_Group], wanted: str) -> int:
    by_name = next((each for each in groups if each.name == wanted), None)
    if by_name is not None:
        return by_name.gid
    if wanted.isdigit():
        return int(wanted)
    raise RuntimeFault(f"unable to find group {wanted}: no matching entries in group file", "CreateContainerError")


def _unique(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(numbers))
