"""The compiled table: what the published document says, and what it leaves out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wherry.api import schemas
from wherry.apimachinery.schema import Schema

CORE = "io.k8s.api.core.v1."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."


def at(name: str, path: str) -> Schema:
    node = schemas.definition(name)
    for step in path.split("."):
        if step == "[]":
            assert node.items is not None
            node = node.items
        elif step == "{}":
            assert node.values is not None
            node = node.values
        else:
            node = node.fields[step]
    return node


FACTS = {
    "ports": (
        CORE + "Container",
        "ports",
        {
            "list_type": "map",
            "list_map_keys": ("containerPort", "protocol"),
            "key_defaults": {"protocol": "TCP"},
            "patch_strategy": {"merge"},
            "patch_merge_key": "containerPort",
        },
    ),
    "service-ports": (
        CORE + "ServiceSpec",
        "ports",
        {"list_map_keys": ("port", "protocol"), "key_defaults": {"protocol": "TCP"}, "patch_merge_key": "port"},
    ),
    "volumes": (CORE + "PodSpec", "volumes", {"patch_strategy": {"merge", "retainKeys"}, "patch_merge_key": "name"}),
    "strategy": ("io.k8s.api.apps.v1.DeploymentSpec", "strategy", {"patch_strategy": {"retainKeys"}, "type": "object"}),
    "owners": (META + "ObjectMeta", "ownerReferences", {"list_type": "map", "list_map_keys": ("uid",), "patch_merge_key": "uid"}),
    "finalizers": (META + "ObjectMeta", "finalizers", {"list_type": "set", "patch_strategy": {"merge"}}),
    "selector": (META + "LabelSelector", "matchLabels", {"type": "map"}),
    "service-selector": (CORE + "ServiceSpec", "selector", {"map_type": "atomic"}),
    "pod-selector": ("io.k8s.api.apps.v1.DeploymentSpec", "selector", {"map_type": "atomic", "type": "object"}),
    "claim-ref": (CORE + "PersistentVolumeSpec", "claimRef", {"map_type": "granular"}),
    "limits": (CORE + "ResourceRequirements", "limits.{}", {"type": "quantity"}),
    "target-port": (CORE + "ServicePort", "targetPort", {"type": "int-or-string"}),
    "created": (META + "ObjectMeta", "creationTimestamp", {"type": "time"}),
    "renewed": ("io.k8s.api.coordination.v1.LeaseSpec", "renewTime", {"type": "micro-time"}),
    "secret": (CORE + "Secret", "data.{}", {"type": "bytes"}),
    "raw": ("io.k8s.api.apps.v1.ControllerRevision", "data", {"type": "any"}),
    "fields": (META + "ManagedFieldsEntry", "fieldsV1", {"type": "any"}),
    "int32": ("io.k8s.api.apps.v1.DeploymentSpec", "replicas", {"type": "integer", "format": "int32"}),
}


@pytest.mark.parametrize(("name", "path", "wanted"), FACTS.values(), ids=FACTS)
def test_facts(name: str, path: str, wanted: dict[str, object]) -> None:
    node = at(name, path)
    assert {key: getattr(node, key) for key in wanted} == wanted


def test_every_definition_is_made_once() -> None:
    made = {name: schemas.definition(name) for name in schemas.names()}
    assert len(made) >= 862  # those of old versions are added by the rows that serve them
    assert all(schemas.definition(name) is schema and schema.name == name for name, schema in made.items())


def test_types_may_contain_themselves() -> None:
    props = schemas.definition("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    assert props.fields["not"] is props
    assert props.fields["properties"].values is props
    assert len(repr(props)) < 1000


def test_kinds() -> None:
    assert schemas.kinds()["apps", "v1", "Deployment"] == "io.k8s.api.apps.v1.Deployment"
    assert ("", "v1", "Nothing") not in schemas.kinds()
    with pytest.raises(KeyError):
        schemas.definition("io.k8s.api.core.v1.Nothing")


def test_loading_costs_little_memory() -> None:
    """The whole server has 100 MiB: the table and a Pod's schema take under 5."""
    script = (
        "import gzip, msgspec, importlib.resources, tracemalloc; tracemalloc.start()\n"
        "from wherry.api import schemas; schemas.kinds(); schemas.definition('io.k8s.api.core.v1.Pod')\n"
        "print(tracemalloc.get_traced_memory()[0])"
    )
    assert int(subprocess.check_output([sys.executable, "-c", script])) < 5 << 20
