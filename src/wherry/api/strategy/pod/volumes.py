"""Validation of a Pod's volumes, of every kind that the API has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wherry.api.strategy.rules import Causes, by_rule, dns_label, label_selector, supported_if_set
from wherry.apimachinery import names
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, required
from wherry.apimachinery.quantity import parse

from .claims import validate_claim_spec, validate_claim_template_metadata
from .env import VOLUME_FIELDS, validate_field_ref, validate_resource_ref
from .mounts import local_descending_path, local_non_reserved_path, no_backsteps
from .volumes_cloud import CLOUD

Dict = dict[str, Any]
Check = Callable[[Dict, str, Causes], None]
FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def _mode(holder: Dict, name: str, path: str, errs: Causes) -> None:
    mode = holder.get(name)
    if mode is not None and not 0 <= mode <= 0o777:
        errs.append(invalid(f"{path}.{name}", mode, FILE_MODE))


def _key_to_path(item: Dict, path: str, errs: Causes) -> None:
    for name in ("key", "path"):
        if not item.get(name):
            errs.append(required(f"{path}.{name}"))
    local_non_reserved_path(item.get("path") or "", f"{path}.path", errs)
    _mode(item, "mode", path, errs)


def _named(name: str) -> Check:
    def check(source: Dict, path: str, errs: Causes) -> None:
        if not source.get(name):
            errs.append(required(f"{path}.{name}"))
        _mode(source, "defaultMode", path, errs)
        for i, item in enumerate(source.get("items") or ()):
            _key_to_path(item, f"{path}.items[{i}]", errs)

    return check


def _downward_file(item: Dict, path: str, errs: Causes) -> None:
    if not item.get("path"):
        errs.append(required(f"{path}.path"))
    local_non_reserved_path(item.get("path") or "", f"{path}.path", errs)
    field_ref, resource_ref = item.get("fieldRef"), item.get("resourceFieldRef")
    if field_ref is not None:
        validate_field_ref(field_ref, VOLUME_FIELDS, f"{path}.fieldRef", errs)
        if resource_ref is not None:
            errs.append(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
    elif resource_ref is not None:
        validate_resource_ref(resource_ref, f"{path}.resourceFieldRef", True, errs)
    else:
        errs.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    _mode(item, "mode", path, errs)


def _downward(source: Dict, path: str, errs: Causes) -> None:
    _mode(source, "defaultMode", path, errs)
    for item in source.get("items") or ():
        _downward_file(item, path, errs)


# --- projected ---------------------------------------------------------------------------------


def _token(token: Dict, path: str, projected: str, errs: Causes) -> None:
    seconds = token.get("expirationSeconds", 3600)
    if seconds < 600:
        errs.append(invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    if seconds > 1 << 32:
        errs.append(invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
    if not token.get("path"):
        errs.append(required(f"{projected}.path"))
    else:
        local_non_reserved_path(token["path"], f"{projected}.path", errs)


def _trust_bundle(bundle: Dict, path: str, errs: Causes) -> None:
    name, signer = bundle.get("name"), bundle.get("signerName")
    if name is not None and signer is not None:
        errs.append(invalid(path, bundle, "only one of name and signerName may be used"))
    elif name is not None:
        if name == "":
            errs.append(required(f"{path}.name", "must be a valid object name"))
        if bundle.get("labelSelector") is not None:
            words = "labelSelector must be unset if name is specified"
            errs.append(invalid(f"{path}.labelSelector", bundle["labelSelector"], words))
    elif signer is not None:
        if signer == "":
            errs.append(required(f"{path}.signerName", "must be a valid signer name"))
        label_selector(bundle.get("labelSelector"), f"{path}.labelSelector", errs)
    else:
        errs.append(required(path, "either name or signerName must be specified"))
    if not bundle.get("path"):
        errs.append(required(f"{path}.path"))
    local_non_reserved_path(bundle.get("path") or "", f"{path}.path", errs)


class _Paths:
    """The files that a projected volume makes: no two sources may make the same."""

    def __init__(self, path: str, errs: Causes) -> None:
        self._path, self._errs, self._seen = path, errs, set[str]()

    def add(self, file: str, told: str) -> None:
        if file and file in self._seen:
            self._errs.append(invalid(self._path, told, "conflicting duplicate paths"))
        self._seen.add(file)


def _projected(source: Dict, path: str, errs: Causes) -> None:
    _mode(source, "defaultMode", path, errs)
    paths = _Paths(path, errs)
    for i, part in enumerate(source.get("sources") or ()):
        where, count = f"{path}.sources[{i}]", 0
        for kind in ("secret", "configMap"):
            if (named := part.get(kind)) is not None:
                count += 1
                if not named.get("name"):
                    errs.append(required(f"{where}.{kind}.name"))
                for j, item in enumerate(named.get("items") or ()):
                    _key_to_path(item, f"{where}.{kind}.items[{j}]", errs)
                    paths.add(item.get("path") or "", named.get("name") or "")
        if (downward := part.get("downwardAPI")) is not None:
            count += 1
            for item in downward.get("items") or ():
                _downward_file(item, f"{where}.downwardAPI", errs)
                paths.add(item.get("path") or "", item.get("path") or "")
        if (token := part.get("serviceAccountToken")) is not None:
            count += 1
            _token(token, f"{where}.serviceAccountToken", path, errs)
        if (bundle := part.get("clusterTrustBundle")) is not None:
            count += 1
            _trust_bundle(bundle, f"{where}.clusterTrustBundle", errs)
            paths.add(bundle.get("path") or "", bundle.get("path") or "")
        if part.get("podCertificate") is not None:
            count += 1
        if count > 1:
            errs.append(forbidden(where, "may not specify more than 1 volume type per source"))


# --- the other kinds that nodes know -----------------------------------------------------------


def _empty_dir(source: Dict, path: str, errs: Causes) -> None:
    limit = source.get("sizeLimit")
    if limit is not None and parse(limit).nanos < 0:
        errs.append(forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity"))


def validate_host_path(source: Dict, path: str, errs: Causes) -> None:
    if not source.get("path"):
        errs.append(required(f"{path}.path"))
        return
    no_backsteps(source["path"], f"{path}.path", errs)
    supported_if_set(source.get("type"), HOST_PATH_TYPES, f"{path}.type", errs)


def _git_repo(source: Dict, path: str, errs: Causes) -> None:
    if not source.get("repository"):
        errs.append(required(f"{path}.repository"))
    local_descending_path(source.get("directory") or "", f"{path}.directory", errs)


def _claim(source: Dict, path: str, errs: Causes) -> None:
    if not source.get("claimName"):
        errs.append(required(f"{path}.claimName"))


def _csi(source: Dict, path: str, errs: Causes) -> None:
    validate_csi_driver_name(source.get("driver") or "", f"{path}.driver", errs)
    ref = source.get("nodePublishSecretRef")
    if ref is not None:
        if not ref.get("name"):
            errs.append(required(f"{path}.nodePublishSecretRef.name"))
        else:
            by_rule(ref["name"], names.is_dns1123_subdomain, f"{path}.nodePublishSecretRef.name", errs)


def validate_csi_driver_name(name: str, path: str, errs: Causes) -> None:
    if not name:
        errs.append(required(path))
        return
    if len(name) > 63:
        errs.append(invalid(path, name, names.max_length(63)))
    by_rule(name.lower(), names.is_dns1123_subdomain, path, errs)


def _ephemeral(source: Dict, path: str, errs: Causes) -> None:
    template = source.get("volumeClaimTemplate")
    if template is None:
        errs.append(required(f"{path}.volumeClaimTemplate"))
        return
    validate_claim_template_metadata(template.get("metadata") or {}, f"{path}.volumeClaimTemplate.metadata", errs)
    validate_claim_spec(template.get("spec") or {}, f"{path}.volumeClaimTemplate.spec", errs)


def _image(source: Dict, path: str, errs: Causes) -> None:
    if not source.get("reference"):
        errs.append(required(f"{path}.reference"))
    supported_if_set(source.get("pullPolicy"), PULL_POLICIES, f"{path}.pullPolicy", errs)


# The order in which upstream looks, which decides which of two kinds is the one too many.
VOLUME_KINDS: dict[str, Check] = {
    "emptyDir": _empty_dir, "hostPath": validate_host_path, "gitRepo": _git_repo,
    "gcePersistentDisk": CLOUD["gcePersistentDisk"], "awsElasticBlockStore": CLOUD["awsElasticBlockStore"],
    "secret": _named("secretName"), "nfs": CLOUD["nfs"], "iscsi": CLOUD["iscsi"], "glusterfs": CLOUD["glusterfs"],
    "flocker": CLOUD["flocker"], "persistentVolumeClaim": _claim, "rbd": CLOUD["rbd"], "cinder": CLOUD["cinder"],
    "cephfs": CLOUD["cephfs"], "quobyte": CLOUD["quobyte"], "downwardAPI": _downward, "fc": CLOUD["fc"],
    "flexVolume": CLOUD["flexVolume"], "configMap": _named("name"), "azureFile": CLOUD["azureFile"],
    "vsphereVolume": CLOUD["vsphereVolume"], "photonPersistentDisk": CLOUD["photonPersistentDisk"],
    "portworxVolume": CLOUD["portworxVolume"], "azureDisk": CLOUD["azureDisk"], "storageos": CLOUD["storageos"],
    "projected": _projected, "scaleIO": CLOUD["scaleIO"], "csi": _csi, "ephemeral": _ephemeral, "image": _image,
}


def _source(volume: Dict, path: str, errs: Causes) -> None:
    given = [name for name, source in volume.items() if name != "name" and source is not None]
    if len(given) == 1 and given[0] in VOLUME_KINDS:
        name = given[0]
        VOLUME_KINDS[name](volume[name], f"{path}.{name}", errs)
        return
    found = False
    for name, check in VOLUME_KINDS.items():
        if volume.get(name) is None:
            continue
        if found:
            errs.append(forbidden(f"{path}.{name}", "may not specify more than 1 volume type"))
        else:
            found = True
            check(volume[name], f"{path}.{name}", errs)
    if not found:
        errs.append(required(path, "must specify a volume type"))


def validate_volumes(volumes: list[Dict], pod_name: str, path: str, errs: Causes) -> dict[str, Dict]:
    """Checks all volumes; returns those that mounts may name.  `pod_name` is "" in a template."""
    good: dict[str, Dict] = {}
    created = {f"{pod_name}-{v.get('name')}" for v in volumes if v.get("ephemeral") is not None} if pod_name else set()
    for i, volume in enumerate(volumes):
        where, name, found = f"{path}[{i}]", volume.get("name") or "", list[Any]()
        _source(volume, where, found)
        if pod_name and name and volume.get("ephemeral") is not None:
            claim = f"{pod_name}-{name}"
            found.extend(
                invalid(f"{where}.name", name, f'PVC name "{claim}": {fault}') for fault in names.is_dns1123_subdomain(claim)
            )
        if not name:
            found.append(required(f"{where}.name"))
        elif names.is_dns1123_label(name):
            dns_label(name, f"{where}.name", found)
        if name in good:
            found.append(duplicate(f"{where}.name", name))
        if found:
            errs.extend(found)
        else:
            good[name] = volume
        claim_ref = volume.get("persistentVolumeClaim")
        if claim_ref is not None and claim_ref.get("claimName") in created:
            words = "must not reference a PVC that gets created for an ephemeral volume"
            errs.append(invalid(f"{where}.persistentVolumeClaim.claimName", claim_ref["claimName"], words))
    return good
