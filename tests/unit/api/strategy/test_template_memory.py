"""What was said of a template is remembered by what is in it and where it stands, and handed out as a new list."""

from typing import Any

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
