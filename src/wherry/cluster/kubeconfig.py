"""kubeconfig files: the cluster's own, and the user's, into which it is merged and from which it is taken."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from wherry.cluster.config import ClusterConfig, ConfigError, write_private

if TYPE_CHECKING:
    from wherry.cluster.pki import PKI, Pair

_SECTIONS = ("clusters", "contexts", "users")
MERGED = "kubeconfigs"  # in the cluster's data: the files of users that it was merged into
LOCK_TRIES, LOCK_SECONDS = 100, 0.02
Document = dict[str, Any]


class KubeconfigError(ConfigError):
    """A user's file that is no kubeconfig: it is left as it is."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is no kubeconfig ({why}): mend it, move it away, or set KUBECONFIG to another file")


def build(config: ClusterConfig, pki: PKI) -> Document:
    """The cluster's kubeconfig; its user has a client certificate and a token (for curl and load generators)."""
    return _document(config, pki, config.context, {**_shown(pki.admin), "token": pki.token.read_text().strip()})


def _document(config: ClusterConfig, pki: PKI, user: str, credentials: Document) -> Document:
    name = config.context
    cluster = {"server": f"https://127.0.0.1:{config.port}", "certificate-authority-data": _b64(pki.ca.certificate)}
    return {
        "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
    }


def _shown(pair: Pair) -> Document:
    return {"client-certificate-data": _b64(pair.certificate), "client-key-data": _b64(pair.key)}


def _b64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def write_component(path: Path, config: ClusterConfig, pki: PKI, user: str, pair: Pair) -> None:
    """The kubeconfig of a component that runs as a process of its own."""
    write_private(path, yaml.safe_dump(_document(config, pki, user, _shown(pair)), sort_keys=False).encode())


def user_files() -> list[Path]:
    """The files that kubectl reads: those of $KUBECONFIG, else ~/.kube/config."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return listed or [Path.home() / ".kube/config"]


def user_file() -> Path:
    """The one that new entries go into, as with `kubectl config`: the first that is there, else the last."""
    files = user_files()
    return next((path for path in files if path.exists()), files[-1])


def merged(old: Document | None, new: Document) -> Document:
    """`old` with the entries of `new` (which replace those of the same name) and its current context."""
    result: Document = {"apiVersion": "v1", "kind": "Config", "preferences": {}, **(old or {})}
    for section in _SECTIONS:
        names = {entry["name"] for entry in new[section]}
        kept = [entry for entry in result.get(section) or [] if entry.get("name") not in names]
        result[section] = kept + new[section]
    result["current-context"] = new["current-context"]
    return result


def without(old: Document, name: str) -> Document:
    """`old` without the entries called `name`; the current context is dropped with its own."""
    result = dict(old)
    for section in _SECTIONS:
        result[section] = [entry for entry in old.get(section) or [] if entry.get("name") != name]
    if result.get("current-context") == name:
        result["current-context"] = ""
    return result


def write(config: ClusterConfig, pki: PKI) -> Path:
    """Write the cluster's kubeconfig and merge it into the user's.  Returns the user's file.
    Raises KubeconfigError, OSError."""
    document = build(config, pki)
    write_private(config.kubeconfig, yaml.safe_dump(document, sort_keys=False).encode())
    path = user_file()
    known = _merged_into(config)
    if path.absolute() not in known:
        write_private(config.data / MERGED, "".join(f"{each}\n" for each in [*known, path.absolute()]).encode())
    with _alone(path):
        _write(path, merged(_read(path), document))
    return path


def remove(config: ClusterConfig) -> list[str]:
    """Take the cluster out of each file that it was merged into, and of those that kubectl reads now; a file that then
    holds nothing is deleted.  Returns what could not be done: a cluster goes also when a file of its user is broken."""
    troubles = []
    for path in dict.fromkeys([*_merged_into(config), *(each.absolute() for each in user_files())]):
        try:
            if path.exists():
                with _alone(path):
                    _take_out(path, config.context)
        except (KubeconfigError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            troubles.append(f"{path} still has the context {config.context}: {reason}")
    return troubles


def _take_out(path: Path, name: str) -> None:
    old = _read(path)
    if old is None or (left := without(old, name)) == old:
        return
    if any(left.get(section) for section in _SECTIONS) or path.is_symlink():
        _write(path, left)
    else:
        path.unlink()


def _merged_into(config: ClusterConfig) -> list[Path]:
    try:
        return [Path(line) for line in (config.data / MERGED).read_text().splitlines()]
    except FileNotFoundError:
        return []


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two clusters, or kubectl, that write one file at once would lose an entry: client-go's own lock, the file
    PATH.lock.  One that stays is what someone left who was killed.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    for _ in range(LOCK_TRIES):
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            time.sleep(LOCK_SECONDS)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _write(path: Path, document: Document) -> None:
    """Where a link leads, the link stays; a file that is someone else's stays theirs.  Raises OSError."""
    path = path.resolve()
    before = path.stat() if path.exists() else None
    if before is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only", str(path))
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())
    if before is not None and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):  # a group of which we are not
            os.chown(path, before.st_uid, before.st_gid)


def _read(path: Path) -> Document | None:
    """The file's document; None when there is none.  Raises KubeconfigError when it is no kubeconfig, OSError."""
    try:
        loaded = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise KubeconfigError(path, f"no YAML in line {mark.line + 1}" if mark else "no text") from None
    if loaded is None:
        return None
    if not isinstance(loaded, dict):
        raise KubeconfigError(path, "it holds no object")
    for section in _SECTIONS:
        entries = loaded.get(section) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise KubeconfigError(path, f"its {section} are no list of objects")
    return loaded
