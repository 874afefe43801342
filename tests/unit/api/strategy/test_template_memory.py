"""What was said of a template is remembered by what is in it and where it stands, and handed out as a new list."""

from typing import Any

from wherry.api.strategy.pod import POD
from wherry.api.strategy.pod.validation import validate_template
from wherry.api.strategy.pod.warnings import template_warnings
from wherry.apimachinery.errors import Cause


def template(**spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "x", "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}
    return {"spec": {"containers": [container], "restartPolicy": "Always", "dnsPolicy": "Default", "terminationGracePeriodSeconds": 30, **spec}}


def faults(what: dict[str, Any], path: str) -> list[str]:
    found: list[Cause] = []
    validate_template(what, path, found)
    return [each.field for each in found]


def test_a_template_that_changed_in_place_is_judged_anew() -> None:
    one = template()
    assert faults(one, "spec.template") == []
    one["spec"]["restartPolicy"] = "Sometimes"
    assert faults(one, "spec.template") == ["spec.template.spec.restartPolicy"]
    assert faults(one, "template") == ["template.spec.restartPolicy"]
    one["spec"]["restartPolicy"] = "Never"
    assert faults(one, "spec.template") == []


def test_warnings_name_the_template_they_are_of_and_may_be_changed() -> None:
    one = template(nodeSelector={"beta.kubernetes.io/os": "linux"})
    first = template_warnings(one, "spec.template")
    assert first[0].startswith("spec.template.spec.nodeSelector")
    first.clear()
    assert template_warnings(one, "spec.template") != []
    assert template_warnings(one, "template")[0].startswith("template.spec.nodeSelector")
    assert template_warnings(None, "template") == []


def _with_volumes(*names: str, mount: str = "") -> list[str]:
    spec = {
        "containers": [{"name": "c", "image": "x", "volumeMounts": [{"name": mount or names[-1], "mountPath": "/t"}]}],
        "volumes": [{"name": name, "emptyDir": {}} for name in names],
    }
    pod = {"metadata": {"name": "p"}, "spec": spec}
    POD.default(pod)
    return [cause.field for cause in POD.validate(pod)]


def test_good_specs_are_told_apart_but_for_the_name_of_the_token_s_volume() -> None:
    good = "kube-api-access-"
    assert _with_volumes(good + "abcde") == _with_volumes(good + "zz999") == []
    assert _with_volumes(good + "aaaaa", good + "bbbbb") == []
    assert _with_volumes(good + "bbbbb", good + "bbbbb") == ["spec.volumes[1].name"]
    assert _with_volumes(good + "abcde", mount=good + "other") == ["spec.containers[0].volumeMounts[0].name"]
    for bad in (good + "ABCDE", good + "abc_e", good + "ab.de", "*", "\0", ""):
        assert "spec.volumes[0].name" in _with_volumes(bad)


def test_names_of_claims_of_ephemeral_volumes_are_looked_at_in_each_pod() -> None:
    def faults(name: str) -> list[str]:
        claim = {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}
        spec = {"containers": [{"name": "c", "image": "x"}], "volumes": [{"name": "v", "ephemeral": claim}]}
        pod = {"metadata": {"name": name}, "spec": spec}
        POD.default(pod)
        return [cause.field for cause in POD.validate(pod)]

    assert faults("p") == []
    assert faults("x" * 253) == ["spec.volumes[0].name"]
