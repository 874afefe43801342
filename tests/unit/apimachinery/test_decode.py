"""Bodies to objects: upstream's words for what is wrong, and what its decoder does to what is right."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.api.schemas import definition, kinds
from wherry.apimachinery.decode import Decoded, decode, prune_and_check
from wherry.apimachinery.errors import StatusError

HANDLED = 'Pod in version "v1" cannot be handled as a Pod: '
STRICT = HANDLED + "strict decoding error: "
UNREAD = "the object provided is unrecognized (must be of type Pod): "
QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def read(body: Any, kind: str = "Pod", group: str = "", validation: str = "Warn", **more: Any) -> Decoded:
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    schema = definition(kinds()[group, "v1", kind])
    return decode(raw, schema, kind=kind, version="v1", group=group, validation=validation, **more)


def message(body: Any, **more: Any) -> str:
    with pytest.raises(StatusError) as caught:
        read(body, **more)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    return caught.value.message


SCOPE = {"pods": ("Pod", ""), "configmaps": ("ConfigMap", ""), "cronjobs": ("CronJob", "batch"), "secrets": ("Secret", "")}
RECORDED = [
    "unknown-field-strict",
    "duplicate-key",
    "wrong-type",
    "bad-quantity",
    "kind-mismatch",
    "not-json",
    "empty",
    "cron-misspelt-strict",
    "no-containers",
    "secret-type",
]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded(name: str, shared: Path) -> None:
    cases = {case["name"]: case for case in json.loads((shared / "upstream/api/errors.json").read_text())}
    request, response = cases[name]["request"], cases[name]["response"]
    path, _, query = request["path"].partition("?")
    kind, group = SCOPE[path.rsplit("/", 1)[1]]
    validation = "Strict" if "Strict" in query else "Warn"
    if response["status"] == 400:
        assert message(request["body"], kind=kind, group=group, validation=validation) == response["body"]["message"]
    else:
        assert read(request["body"], kind=kind, group=group, validation=validation).warnings == []


def test_recorded_objects_pass_unchanged(shared: Path) -> None:
    objects = [
        case["response"]["body"]
        for name in ("defaults", "reads")
        for case in json.loads((shared / f"upstream/api/{name}.json").read_text())
    ]
    objects += [
        event["object"]
        for name in ("pods", "events")
        for event in json.loads((shared / f"upstream/life/{name}.json").read_text())
    ]
    seen = set()
    for obj in objects:
        if not isinstance(obj, dict) or obj.get("kind") in (None, "CustomResourceDefinition"):
            continue
        group, _, version = str(obj.get("apiVersion")).rpartition("/")
        name = kinds().get((group, version, obj["kind"]))
        if name is not None:
            done = decode(json.dumps(obj).encode(), definition(name), kind=obj["kind"], version=version, group=group)
            assert done.obj == obj
            assert done.warnings == []
            seen.add(obj["kind"])
    assert len(seen) > 30


WRONG = {
    "list-for-string": (
        {"metadata": {"name": []}},
        "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.name of type string",
    ),
    "number-in-a-map": (
        {"metadata": {"labels": {"a": 1}}},
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ),
    "in-a-list": (
        {"spec": {"containers": [{"name": "a"}, {"name": "c", "env": [{"name": "A", "value": 1}]}]}},
        "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
    ),
    "string-for-int": (
        {"spec": {"terminationGracePeriodSeconds": "5"}},
        "json: cannot unmarshal string into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64",
    ),
    "broken-int": (
        {"spec": {"priority": 1.5}},
        "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
    ),
    "int32-overflow": (
        {"spec": {"priority": 2**31}},
        "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
    ),
    "bool-for-int": (
        {"spec": {"priority": True}},
        "json: cannot unmarshal bool into Go struct field PodSpec.spec.priority of type int32",
    ),
    "string-for-bool": (
        {"spec": {"hostNetwork": "true"}},
        "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
    ),
    "string-for-struct": ({"spec": "x"}, "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"),
    "struct-element": (
        {"spec": {"containers": ["c"]}},
        "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container",
    ),
    "list-for-map": (
        {"metadata": {"labels": []}},
        "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
    ),
    "bool-for-int-or-string": (
        {"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": True}}}]}},
        "json: cannot unmarshal bool into Go struct field HTTPGetAction.spec.containers.livenessProbe.httpGet.port of type int32",
    ),
    "bad-time": (
        {"metadata": {"creationTimestamp": "now"}},
        'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"',
    ),
    "bad-month": (
        {"metadata": {"creationTimestamp": "2026-13-01T00:00:00Z"}},
        'parsing time "2026-13-01T00:00:00Z": month out of range',
    ),
    "quantity-object": ({"spec": {"containers": [{"resources": {"limits": {"cpu": {}}}}]}}, QUANTITY),
}


@pytest.mark.parametrize(("body", "why"), WRONG.values(), ids=WRONG)
def test_wrong_values(body: Any, why: str) -> None:
    assert message(body) == HANDLED + why


def test_base64_is_told_by_its_place() -> None:
    assert message({"data": {"a": "aGk$"}}, kind="Secret").endswith("illegal base64 data at input byte 3")
    assert read({"data": {"a": "aGVs\nbG8="}}, kind="Secret").obj["data"]["a"] == "aGVsbG8="


UNREADABLE = {
    "list": (
        "[]",
        "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct "
        '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)',
    ),
    "kind-number": (
        '{"kind":1}',
        "couldn't get version/kind; json parse error: json: cannot unmarshal number into "
        'Go struct field .kind of type string ({"kind":1})',
    ),
    "cut": ('{"a":', 'couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"a":)'),
    "after-value": (
        '{"a":1 "b":2}',
        'couldn\'t get version/kind; json parse error: invalid character \'"\' after object key:value pair ({"a":1 "b":2})',
    ),
    "in-list": (
        '{"a":[1 2]}',
        "couldn't get version/kind; json parse error: invalid character '2' after array element ({\"a\":[1 2]})",
    ),
    "trailing": ("{}x", "couldn't get version/kind; json parse error: invalid character 'x' after top-level value ({}x)"),
    "literal": (
        '{"a":tru}',
        "couldn't get version/kind; json parse error: invalid character '}' in literal true (expecting 'e') ({\"a\":tru})",
    ),
    "escape": (
        '{"a":"\\x"}',
        'couldn\'t get version/kind; json parse error: invalid character \'x\' in string escape code ({"a":"\\x"})',
    ),
    "control": (
        '{"a":"\t"}',
        'couldn\'t get version/kind; json parse error: invalid character \'\\t\' in string literal ({"a":"\t"})',
    ),
    "number": ('{"a":-}', "couldn't get version/kind; json parse error: invalid character '}' in numeric literal ({\"a\":-})"),
    "long": (
        "x" * 40,
        f"couldn't get version/kind; json parse error: invalid character 'x' looking for beginning of value ({'78' * 30} ...)",
    ),
    "deep": ('{"a":' + "[" * 100_000, 'exceeded max depth ({"a":[[[[[[[[[[[[[[[[[[[[[[[[[ ...)'),
}


@pytest.mark.parametrize(("body", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(body: str, why: str) -> None:
    assert message(body) == UNREAD + why


def test_nesting_within_a_free_form_field_is_refused_cleanly() -> None:
    deep = '{"spec":{"a":' * 2000 + "1" + "}}" * 2000
    assert "exceeded max depth" in message(deep)


def test_strict_errors_are_told_together_and_in_order() -> None:
    body = (
        '{"foo":1,"metadata":{"name":"x","name":"y","labels":{"a":"1","a":"2"}},'
        '"spec":{"containers":[{"name":"c","imge":"x"}],"bar":{"z":1}}}'
    )
    told = [
        'unknown field "foo"',
        'duplicate field "metadata.name"',
        'duplicate field "metadata.labels.a"',
        'unknown field "spec.containers[0].imge"',
        'unknown field "spec.bar"',
    ]
    assert message(body, validation="Strict") == STRICT + ", ".join(told)
    warned = read(body)
    assert warned.warnings == told
    assert warned.obj == {"metadata": {"name": "y", "labels": {"a": "2"}}, "spec": {"containers": [{"name": "c"}]}}
    assert read(body, validation="Ignore").warnings == []


def test_duplicates_are_seen_whatever_the_spacing() -> None:
    assert read('{"data": {"a" :"1", "a":\n"2"}}', kind="ConfigMap").warnings == ['duplicate field "data.a"']
    assert read('{"data":{"\\u0061":"1","a":"2"}}', kind="ConfigMap").warnings == ['duplicate field "data.a"']
    assert read('{"data":{"a":"\\"a\\":1,\\"a\\":2"}}', kind="ConfigMap").warnings == []


_KEYS = st.lists(st.tuples(st.sampled_from(["a", "b", ":", '":', "a:", " :"]), st.sampled_from(["", ":x", '":', '" :', "\u2028"])), max_size=4)
_BLANKS = st.sampled_from(["", " ", "\n", "\t ", "  "])


@given(_KEYS, st.lists(_BLANKS, min_size=3, max_size=3), st.booleans())
def test_duplicates_are_seen_in_any_writing(pairs: list[tuple[str, str]], blanks: list[str], plain: bool) -> None:
    before, after, between = blanks
    told = [f"{json.dumps(key, ensure_ascii=plain)}{before}:{after}{json.dumps(value, ensure_ascii=plain)}" for key, value in pairs]
    body = '{"data": {' + f",{between}".join(told) + "}}"
    keys = [key for key, _ in pairs]
    assert len(read(body, kind="ConfigMap").warnings) == len({key for key in keys if keys.count(key) > 1})


def test_strict_errors_are_bounded() -> None:
    assert len(read({f"f{i}": 1 for i in range(500)}).warnings) == 100


WRITTEN = {
    "nulls-go": ({"metadata": {"creationTimestamp": None, "labels": None}, "spec": None}, {"metadata": {}}),
    "null-in-a-map-is-zero": ({"metadata": {"labels": {"a": None}}}, {"metadata": {"labels": {"a": ""}}}),
    "null-in-a-list-is-zero": ({"spec": {"containers": [None]}}, {"spec": {"containers": [{}]}}),
    "empty-optional-goes": (
        {"metadata": {"labels": {}, "finalizers": []}, "spec": {"volumes": []}},
        {"metadata": {}, "spec": {}},
    ),
    "empty-required-stays": ({"spec": {"containers": []}}, {"spec": {"containers": []}}),
    "empty-struct-stays": (
        {"spec": {"securityContext": {}, "volumes": [{"name": "v", "emptyDir": {}}]}},
        {"spec": {"securityContext": {}, "volumes": [{"name": "v", "emptyDir": {}}]}},
    ),
    "quantities": (
        {"spec": {"containers": [{"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi", "pods": 2}}}]}},
        {"spec": {"containers": [{"resources": {"limits": {"cpu": "500m", "memory": "1Gi", "pods": "2"}}}]}},
    ),
    "time-to-utc": (
        {"metadata": {"creationTimestamp": "2026-01-01T01:30:00.25+02:00"}},
        {"metadata": {"creationTimestamp": "2025-12-31T23:30:00Z"}},
    ),
    "zero-scalars-go-as-in-go": (
        {"spec": {"hostNetwork": False, "schedulerName": "", "containers": [{"ports": [{"hostPort": 0, "containerPort": 0}]}]}},
        {"spec": {"containers": [{"ports": [{"containerPort": 0}]}]}},
    ),
    "pointers-to-zero-stay": (
        {"spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "runtimeClassName": ""}},
        {"spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "runtimeClassName": ""}},
    ),
    "zero-time-goes": ({"metadata": {"creationTimestamp": "0001-01-01T00:00:00Z"}}, {"metadata": {}}),
    "fields-v1-as-is": (
        {"metadata": {"managedFields": [{"fieldsV1": {"f:a": {".": {}}, "n": None}}]}},
        {"metadata": {"managedFields": [{"fieldsV1": {"f:a": {".": {}}, "n": None}}]}},
    ),
    "probe-time-null-stays": (
        {"status": {"conditions": [{"type": "Ready", "lastProbeTime": None}]}},
        {"status": {"conditions": [{"type": "Ready", "lastProbeTime": None}]}},
    ),
}


@pytest.mark.parametrize(("body", "stored"), WRITTEN.values(), ids=WRITTEN)
def test_stored_form(body: Any, stored: Any) -> None:
    assert read(body).obj == stored


def test_micro_times_have_six_digits() -> None:
    lease = {"spec": {"renewTime": "2026-01-01T00:00:00.000000+01:00"}}
    assert read(lease, kind="Lease", group="coordination.k8s.io").obj["spec"]["renewTime"] == "2025-12-31T23:00:00.000000Z"


def test_apply_keeps_what_is_empty() -> None:
    body = {"metadata": {"labels": {}, "annotations": {"a": None}}}
    assert read(body, prune=False).obj == body


def test_lists_that_go_writes_even_when_empty_stay() -> None:
    body = {"addressType": "IPv4", "endpoints": [], "ports": []}
    assert read(body, kind="EndpointSlice", group="discovery.k8s.io").obj == body


def test_names_are_case_sensitive() -> None:
    assert read({"Spec": {}}).warnings == ['unknown field "Spec"']


def test_text_that_is_not_unicode_is_mended_as_go_does() -> None:
    assert read(b'{"data":{"a":"\xff"}}', kind="ConfigMap").obj["data"]["a"] == "\ufffd"
    assert read(b'{"data":{"a":"\\ud800"}}', kind="ConfigMap").obj["data"]["a"] == "\ufffd"


def test_other_kinds_and_versions_are_refused() -> None:
    assert message({"kind": "Secret", "apiVersion": "v1"}) == (
        'Secret in version "v1" cannot be handled as a Pod: converting (v1.Secret) to (core.Pod): unknown conversion'
    )
    assert message({"kind": "Deployment", "apiVersion": "apps/v1beta1"}, kind="Deployment", group="apps") == (
        "the API version in the data (apps/v1beta1) does not match the expected API version (apps/v1)"
    )


YAML = {
    "scalars": ("data:\n  a: 'yes'\n  b: x\n", {"data": {"a": "yes", "b": "x"}}),
    "numbers-as-keys": ("data: {1: a, yes: b, null: c}", {"data": {"1": "a", "true": "b", "null": "c"}}),
    "octal": ("apiVersion: v1\nmetadata: {generation: 0644}", {"apiVersion": "v1", "metadata": {"generation": 420}}),
    "dates-are-text": ("data: {a: 2026-01-01, b: 1:30}", {"data": {"a": "2026-01-01", "b": "1:30"}}),
    "merge-and-anchor": (
        "data: &d {a: x}\nmetadata: {labels: {<<: *d, b: z}}",
        {"data": {"a": "x"}, "metadata": {"labels": {"a": "x", "b": "z"}}},
    ),
    "aliases-are-copies": (
        "metadata: &m {name: x, data: z}\ndata: *m",
        {"metadata": {"name": "x"}, "data": {"name": "x", "data": "z"}},
    ),
    "json-in-yaml": ('{"data":{"a":"b"}}', {"data": {"a": "b"}}),
    "nothing": ("", {}),
    "first-document": ("data: {a: b}\n---\ndata: {a: c}\n", {"data": {"a": "b"}}),
}


@pytest.mark.parametrize(("body", "obj"), YAML.values(), ids=YAML)
def test_yaml(body: str, obj: Any) -> None:
    assert read(body, kind="ConfigMap", content_type="application/yaml").obj == obj


BOMBS = {
    "brackets": "[" * 1_000_000,
    "dashes": "- " * 300_000,
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)),
    "itself": "a: &a [*a]",
    "no-anchor": "a: *b",
    "tab": "a:\n\t- b",
    "colons": "a: b: c",
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
def test_yaml_that_cannot_be_read(body: str) -> None:
    assert ": yaml: " in message(body, content_type="application/yaml")


def test_yaml_duplicates_are_told_with_lines() -> None:
    body = "data:\n  a: x\n  a: z\n"
    assert message(body, kind="ConfigMap", validation="Strict", content_type="application/yaml") == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'yaml: unmarshal errors:\n  line 3: key "a" already set in map'
    )


def test_two_megabytes_of_yaml() -> None:
    body = "data:\n" + "".join(f"  k{i}: {'v' * 1000}\n" for i in range(2000))
    assert len(read(body, kind="ConfigMap", content_type="application/yaml").obj["data"]) == 2000


def test_only_what_a_patch_touched_is_looked_at() -> None:
    schema = definition("io.k8s.api.core.v1.Pod")
    before = {"kind": "Pod", "spec": {"x": 1}, "metadata": {"name": "p"}}
    patched = {**before, "metadata": {"name": "p", "labels": {"a": "b"}, "y": 1, "annotations": {}}, "status": None}
    done = prune_and_check(patched, schema, kind="Pod", version="v1", before=before)
    assert done.warnings == ['unknown field "metadata.y"']
    assert done.obj == {**before, "metadata": {"name": "p", "labels": {"a": "b"}}}
    equal = {**before, "spec": {"x": 1}}  # given anew, if as it was
    assert prune_and_check(equal, schema, kind="Pod", version="v1", before=before).warnings == ['unknown field "spec.x"']


def test_patched_objects() -> None:
    schema = definition("io.k8s.api.core.v1.Pod")
    done = prune_and_check({"kind": "Pod", "spec": {"x": 1, "priority": None}}, schema, kind="Pod", version="v1")
    assert (done.obj, done.warnings) == ({"kind": "Pod", "spec": {}}, ['unknown field "spec.x"'])
    with pytest.raises(StatusError) as caught:
        prune_and_check({"spec": {"priority": "x"}}, schema, kind="Pod", version="v1")
    assert caught.value.code == 422
    assert caught.value.message == (
        ' "" is invalid: patch: Invalid value: "{\\"spec\\":{\\"priority\\":\\"x\\"}}": '
        "json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "containers", "name", "labels", "resources", "limits", "cpu", "env", "status", "port", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_is_decoded_or_refused(value: Any) -> None:
    body = json.dumps(value).encode()
    with suppress(StatusError):
        done = read(body)
        check_settled(done)


def check_settled(done: Decoded) -> None:
    """What came out passes as it is."""
    again = read(msgspec.json.encode(done.obj), validation="Strict")
    assert again.obj == done.obj


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]":,&*-\n !<>|%ab1.\\', max_size=60).map(str.encode),
    st.sampled_from(["json", "yaml"]),
)
def test_garbage_is_refused_cleanly(body: bytes, form: str) -> None:
    with suppress(StatusError):
        assert isinstance(read(body, content_type=f"application/{form}").obj, dict)


@pytest.mark.parametrize(("field", "hints"), [
    pytest.param("jobTemplete", ['did you mean "spec.jobTemplate" instead of "spec.jobTemplete"?'], id="one letter"),
    pytest.param("shedule", ['did you mean "spec.schedule" instead of "spec.shedule"?'], id="one too few"),
    pytest.param("replicas", [], id="nothing like it"),
])
def test_a_misspelt_field_is_told_with_the_nearest(field: str, hints: list[str]) -> None:
    schema = definition("io.k8s.api.batch.v1.CronJob")
    body = json.dumps({"spec": {field: {}}}).encode()
    told = f'unknown field "spec.{field}"'
    assert decode(body, schema, kind="CronJob", version="v1", group="batch").warnings == [told]  # as upstream: only a refusal helps further
    with pytest.raises(StatusError) as refused:
        decode(body, schema, kind="CronJob", version="v1", group="batch", validation="Strict")
    assert refused.value.message.endswith(f"strict decoding error: {told}")
    assert list(refused.value.warnings) == hints
