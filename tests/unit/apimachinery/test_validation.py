from collections.abc import Callable
from typing import Any

import pytest

from wherry.apimachinery import names
from wherry.apimachinery.errors import invalid
from wherry.apimachinery.validation import NAME_RULES, validate_object_meta, validate_object_meta_update

GOOD = {"name": "x", "namespace": "ns"}
KINDS = {"pods": "Pod", "configmaps": "ConfigMap"}


@pytest.mark.parametrize("name", ["bad-name", "no-name", "bad-label", "bad-annotation", "finalizer-bad", "owner-bad"])
def test_as_recorded(recorded: Callable[[str], list[dict[str, Any]]], name: str) -> None:
    case = next(each for each in recorded("errors") if each["name"] == name)
    meta = {"namespace": "rec", **case["request"]["body"].get("metadata", {})}
    causes = validate_object_meta(meta, namespaced=True, name_rule="subdomain")
    kind = KINDS[case["request"]["path"].rpartition("/")[2]]
    assert invalid("", kind, meta.get("name", ""), causes).to_json() == case["response"]["body"]


def faults(**meta: Any) -> list[tuple[str, str]]:
    causes = validate_object_meta({**GOOD, **meta}, namespaced=True, name_rule="subdomain")
    return [(each.field, each.message) for each in causes]


OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}
FAULTY: dict[str, tuple[dict[str, Any], str, str]] = {
    "namespace": ({"namespace": "A"}, "metadata.namespace", 'Invalid value: "A": a lowercase RFC 1123 label'),
    "no-namespace": ({"namespace": ""}, "metadata.namespace", "Required value"),
    "generate-name": ({"generateName": "-A"}, "metadata.generateName", 'Invalid value: "-A": a lowercase RFC 1123 subdomain'),
    "long-name": ({"name": "x" * 254}, "metadata.name", f'Invalid value: "{"x" * 254}": must be no more than 253 bytes'),
    "label-value": ({"labels": {"a": "b c"}}, "metadata.labels", 'Invalid value: "b c": a valid label must be'),
    "annotations-size": (
        {"annotations": {"a": "x" * (256 << 10)}},
        "metadata.annotations",
        "Too long: may not be more than 262144 bytes",
    ),
    "generation": ({"generation": -1}, "metadata.generation", "Invalid value: -1: must be greater than or equal to 0"),
    "owner-version": (
        {"ownerReferences": [{**OWNER, "apiVersion": ""}]},
        "metadata.ownerReferences.apiVersion",
        'Invalid value: "": version must',
    ),
    "two-controllers": (
        {"ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "name": "q", "controller": True}]},
        "metadata.ownerReferences",
        "Invalid value: [",
    ),
    "event-owner": ({"ownerReferences": [{**OWNER, "kind": "Event"}]}, "metadata.ownerReferences", "Invalid value: {"),
    "finalizer-key": ({"finalizers": ["a/b/c"]}, "metadata.finalizers[0]", 'Invalid value: "a/b/c": a qualified name'),
    "both-propagations": (
        {"finalizers": ["orphan", "foregroundDeletion"]},
        "metadata.finalizers",
        'Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
    ),
    "manager": (
        {"managedFields": [{"manager": "x" * 129, "operation": "Apply"}]},
        "metadata.managedFields[0].manager",
        "Too long: may not be more than 128 bytes",
    ),
    "operation": (
        {"managedFields": [{"operation": "Patch"}]},
        "metadata.managedFields[0].operation",
        'Invalid value: "Patch": must be `Apply` or `Update`',
    ),
}


@pytest.mark.parametrize(("meta", "field", "words"), FAULTY.values(), ids=FAULTY)
def test_faults(meta: dict[str, Any], field: str, words: str) -> None:
    found = faults(**meta)
    assert found
    assert all(each[0] == field for each in found)
    assert found[0][1].startswith(words)


FINE: dict[str, dict[str, Any]] = {
    "plain": {},
    "subdomain": {"name": "a.b-c.9"},
    "generate-name": {"generateName": "web-", "name": "web-x2k4p"},
    "annotation-in-capitals": {"annotations": {"Example.com/A": "\n anything"}},
    "finalizers": {"finalizers": ["kubernetes", "orphan", "example.com/x"]},
    "owner": {"ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "apiVersion": "apps/v1"}]},
    "managed": {"managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {}}]},
}


@pytest.mark.parametrize("meta", FINE.values(), ids=FINE)
def test_fine(meta: dict[str, Any]) -> None:
    assert faults(**meta) == []


def test_a_cluster_kind_has_no_namespace() -> None:
    causes = validate_object_meta(GOOD, namespaced=False, name_rule="subdomain")
    assert [(each.field, each.message) for each in causes] == [("metadata.namespace", "Forbidden: not allowed on this type")]


RULES = [
    ("subdomain", "a.b", True),
    ("subdomain", "a..b", False),
    ("subdomain", "a\n", False),
    ("label", "a.b", False),
    ("label", "1a", True),
    ("label1035", "1a", False),
    ("label1035", "a-1", True),
    ("path", "system:node", True),
    ("path", "a/b", False),
    ("path", "a%b", False),
    ("path", "..", False),
    ("ip", "10.0.0.1", True),
    ("ip", "2001:db8::1", True),
    ("ip", "2001:DB8::1", False),
    ("ip", "010.0.0.1", False),
]


@pytest.mark.parametrize(("rule", "name", "fine"), RULES)
def test_name_rules(rule: str, name: str, fine: bool) -> None:
    assert (NAME_RULES[rule](name) == []) is fine


def test_words_of_other_rules() -> None:
    assert names.is_path_segment_name("a/b%") == ["may not contain '/'", "may not contain '%'"]
    assert names.is_dns1035_label("A")[0].endswith(
        "(e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    )


OLD = {"name": "x", "namespace": "ns", "uid": "u", "creationTimestamp": "t", "generation": 2, "finalizers": ["a/b"]}
CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = {
    "nothing": ({}, {}, []),
    "labels": ({}, {"labels": {"a": "b"}}, []),
    "name": ({}, {"name": "y"}, [("metadata.name", 'Invalid value: "y": field is immutable')]),
    "uid": ({}, {"uid": "v"}, [("metadata.uid", 'Invalid value: "v": field is immutable')]),
    "created": ({}, {"creationTimestamp": None}, [("metadata.creationTimestamp", "Invalid value: null: field is immutable")]),
    "generation": ({}, {"generation": 1}, [("metadata.generation", "Invalid value: 1: must not be decremented")]),
    "finalizer-added": ({}, {"finalizers": ["a/b", "c/d"]}, []),
    "finalizer-added-late": (
        {"deletionTimestamp": "t"},
        {"finalizers": ["a/b", "c/d"]},
        [
            (
                "metadata.finalizers",
                'Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"c/d"}',
            )
        ],
    ),
    "finalizer-removed-late": ({"deletionTimestamp": "t"}, {"finalizers": []}, []),
}


@pytest.mark.parametrize(("old", "new", "want"), CHANGED.values(), ids=CHANGED)
def test_updates(old: dict[str, Any], new: dict[str, Any], want: list[tuple[str, str]]) -> None:
    before = {**OLD, **old}
    assert [(each.field, each.message) for each in validate_object_meta_update({**before, **new}, before)] == want
