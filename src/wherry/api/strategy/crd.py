"""CustomResourceDefinitions and APIServices."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, by_rule, dns_subdomain, immutable, one_of
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, not_supported, required

Dict = dict[str, Any]
SCOPES = ("Cluster", "Namespaced")
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    naming = spec.get("names")
    if naming is None:
        naming = spec["names"] = {}
    kind = naming.get("kind") or ""
    if not naming.get("singular"):
        naming["singular"] = kind.lower()
    if not naming.get("listKind") and kind:
        naming["listKind"] = f"{kind}List"
    conversion = spec.get("conversion")
    if conversion is None:
        conversion = spec["conversion"] = {}
    if not conversion.get("strategy"):
        conversion["strategy"] = "None"
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        fill(service, port=443)


def prepare_for_create(obj: Dict) -> None:
    stored = [v.get("name") for v in obj["spec"].get("versions") or () if v.get("storage")]
    obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}


def prepare_for_update(obj: Dict, old: Dict) -> None:
    """A version that becomes the storage version is remembered, for objects are kept in it from now on."""
    status = obj.get("status") or {}
    stored = list(status.get("storedVersions") or ())
    added = [v.get("name") for v in obj["spec"].get("versions") or () if v.get("storage") and v.get("name") not in stored]
    if added:
        obj["status"] = {**status, "storedVersions": [*stored, *added]}


# --- validation --------------------------------------------------------------------------------


def _names(naming: Dict, path: str, errs: Causes) -> None:
    for name in ("plural", "singular", "kind", "listKind"):
        value = naming.get(name) or ""
        if not value:
            errs.append(required(f"{path}.{name}"))
        else:
            by_rule(value.lower() if name.lower().endswith("kind") else value, names.is_dns1035_label, f"{path}.{name}", errs)
    for name in ("shortNames", "categories"):
        for i, value in enumerate(naming.get(name) or ()):
            by_rule(value, names.is_dns1035_label, f"{path}.{name}[{i}]", errs)
    if naming.get("kind") and naming.get("kind") == naming.get("listKind"):
        words = "kind and listKind may not be the same"
        errs.append(invalid(f"{path}.listKind", naming["listKind"], words))


def _columns(columns: list[Dict], path: str, errs: Causes) -> None:
    for i, column in enumerate(columns):
        where = f"{path}[{i}]"
        if not column.get("name"):
            errs.append(required(f"{where}.name"))
        if not column.get("type"):
            errs.append(required(f"{where}.type", f"must be one of {','.join(COLUMN_TYPES)}"))
        elif column["type"] not in COLUMN_TYPES:
            errs.append(invalid(f"{where}.type", column["type"], f"must be one of {','.join(COLUMN_TYPES)}"))
        text = column.get("jsonPath") or ""
        if not text:
            errs.append(required(f"{where}.JSONPath"))
        elif not text.startswith("."):
            errs.append(invalid(f"{where}.JSONPath", text, "is an invalid path: must be a simple json path starting with ."))


def _subresources(subresources: Dict, path: str, errs: Causes) -> None:
    scale = subresources.get("scale")
    if scale is None:
        return
    for name, prefix in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        value = scale.get(name) or ""
        if not value:
            errs.append(required(f"{path}.scale.{name}"))
        elif not value.startswith(prefix):
            errs.append(invalid(f"{path}.scale.{name}", value, f"should be a json path under {prefix[:-1]}"))


def _schema_root(schema: Dict | None, path: str, errs: Causes) -> None:
    root = (schema or {}).get("openAPIV3Schema")
    if root is None:
        errs.append(required(f"{path}.openAPIV3Schema", "schemas are required"))
    elif root.get("type") != "object":
        if not root.get("type"):
            errs.append(required(f"{path}.openAPIV3Schema.type", "must not be empty at the root"))
        else:
            errs.append(invalid(f"{path}.openAPIV3Schema.type", root["type"], "must be object at the root"))


def _versions(versions: list[Dict], errs: Causes) -> None:
    seen: set[str] = set()
    for i, version in enumerate(versions):
        path, name = f"spec.versions[{i}]", version.get("name") or ""
        by_rule(name, names.is_dns1035_label, f"{path}.name", errs)
        if name in seen:
            errs.append(invalid("spec.versions", [v.get("name") for v in versions], "must contain unique version names"))
        seen.add(name)
        _schema_root(version.get("schema"), f"{path}.schema", errs)
        _columns(version.get("additionalPrinterColumns") or [], f"{path}.additionalPrinterColumns", errs)
        _subresources(version.get("subresources") or {}, f"{path}.subresources", errs)
    if sum(1 for version in versions if version.get("storage")) != 1:
        words = "must have exactly one version marked as storage version"
        errs.append(invalid("spec.versions", [v.get("name") for v in versions], words))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    group, naming = spec.get("group") or "", spec.get("names") or {}
    name, wanted = (obj.get("metadata") or {}).get("name") or "", f"{naming.get('plural') or ''}.{group}"
    if name != wanted:
        errs.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if not group:
        errs.append(required("spec.group"))
    else:
        dns_subdomain(group, "spec.group", errs)
        if "." not in group:
            errs.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    one_of(spec.get("scope"), SCOPES, "spec.scope", errs)
    _versions(spec.get("versions") or [], errs)
    _names(naming, "spec.names", errs)
    strategy = (spec.get("conversion") or {}).get("strategy")
    if strategy not in ("None", "Webhook"):
        errs.append(not_supported("spec.conversion.strategy", strategy, ("None", "Webhook")))
    if spec.get("preserveUnknownFields"):
        words = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        errs.append(invalid("spec.preserveUnknownFields", True, words))
    return errs


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    new_spec, old_spec = obj["spec"], old["spec"]
    immutable(new_spec.get("group"), old_spec.get("group"), "spec.group", errs)
    immutable(new_spec.get("scope"), old_spec.get("scope"), "spec.scope", errs)
    for name in ("kind", "plural"):
        immutable(new_spec["names"].get(name), old_spec["names"].get(name), f"spec.names.{name}", errs)
    known = {version.get("name") for version in new_spec.get("versions") or ()}
    for i, stored in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if stored not in known:
            words = (
                f"missing from spec.versions; {stored} was previously a storage version, and must remain in spec.versions until "
                f"a storage migration ensures no data remains persisted in {stored} and removes {stored} from status.storedVersions"
            )
            errs.append(invalid(f"status.storedVersions[{i}]", stored, words))
    return errs


CUSTOM_RESOURCE_DEFINITION = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    prepare_for_update=prepare_for_update,
    validate=validate,
    validate_update=validate_update,
    allow_unconditional_update=False,
)


# --- APIService --------------------------------------------------------------------------------


def default_service(obj: Dict) -> None:
    service = spec_of(obj).get("service")
    if service is not None:
        fill(service, port=443)
    fill(obj, status={})


def prepare_service_for_create(obj: Dict) -> None:
    obj["status"] = {}


def validate_service(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    name = (obj.get("metadata") or {}).get("name") or ""
    group, version = spec.get("group") or "", spec.get("version") or ""
    wanted = f"{version}.{group}"
    if name != wanted:
        errs.append(invalid("metadata.name", name, f"must be `spec.version+\".\"+spec.group`: \"{wanted}\""))
    if not group and version != "v1":
        errs.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
    if group:
        errs += [invalid("spec.group", group, fault) for fault in names.is_dns1123_subdomain(group)]
    errs += [invalid("spec.version", version, fault) for fault in names.is_dns1035_label(version)]
    for field, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(field) or 0
        if not 0 < value <= most:
            errs.append(invalid(f"spec.{field}", value, f"must be positive and less than {most}"))
    service, bundle, insecure = spec.get("service"), spec.get("caBundle") or "", spec.get("insecureSkipTLSVerify")
    if service is None:
        if bundle:
            size = len(bundle) * 3 // 4 - bundle.count("=")
            errs.append(invalid("spec.caBundle", f"{size} bytes", "local APIServices may not have a caBundle"))
        if insecure:
            errs.append(invalid("spec.insecureSkipTLSVerify", True, "local APIServices may not have insecureSkipTLSVerify"))
        return errs
    errs += [required(f"spec.service.{field}") for field in ("namespace", "name") if not service.get(field)]
    if insecure and bundle:
        errs.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return errs


def validate_service_status(obj: Dict) -> list[Cause]:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    allowed = ("True", "False", "Unknown")
    return [
        not_supported(f"status.conditions[{i}].status", each.get("status"), allowed)
        for i, each in enumerate(conditions) if each.get("status") not in allowed
    ]


API_SERVICE = Strategy(
    default=default_service, prepare_for_create=prepare_service_for_create, validate=validate_service,
    validate_status=lambda obj, old: validate_service_status(obj), has_generation=False,
    allow_unconditional_update=False,
)
