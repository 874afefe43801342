"""matchLabelKeys and mismatchLabelKeys: merged into the selectors of a new Pod, and checked there."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from wherry.api.strategy.deployment import DEPLOYMENT
from wherry.api.strategy.pod import POD

Dict = dict[str, Any]
LABELS = {"app": "web", "rev": "7"}


def spreading(**more: Any) -> Dict:
    return {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", **more}]}


def apart(kind: str = "podAntiAffinity", *, weight: int = 0, **more: Any) -> Dict:
    term = {"topologyKey": "zone", **more}
    if weight:
        return {"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "podAffinityTerm": term}]}}}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def create(spec: Dict, labels: Dict = LABELS) -> tuple[Dict, list[str]]:
    """The stored spec, and what is refused."""
    pod: Dict = {"metadata": {"name": "p", "namespace": "d", "labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}
    POD.default(pod)
    POD.prepare_for_create(pod)
    return pod["spec"], [f"{each.field}: {each.message}" for each in (*POD.validate(pod), *POD.validate_create(pod))]


APP = {"matchLabels": {"app": "web"}}
IN = {"key": "rev", "operator": "In", "values": ["7"]}
NOT_IN = {"key": "rev", "operator": "NotIn", "values": ["7"]}


@pytest.mark.parametrize(("spec", "merged"), [
    pytest.param(spreading(labelSelector=APP, matchLabelKeys=["rev"]), [IN], id="spread"),
    pytest.param(spreading(labelSelector=APP, matchLabelKeys=["gone"]), None, id="a label that the Pod has not"),
    pytest.param(spreading(labelSelector=APP), None, id="no keys"),
    pytest.param(apart(labelSelector=APP, matchLabelKeys=["rev"]), [IN], id="anti-affinity"),
    pytest.param(apart(labelSelector=APP, mismatchLabelKeys=["rev"]), [NOT_IN], id="mismatch"),
    pytest.param(apart("podAffinity", weight=1, labelSelector=APP, matchLabelKeys=["rev"]), [IN], id="preferred"),
    pytest.param(
        apart(labelSelector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}, matchLabelKeys=["rev"]),
        [{"key": "app", "operator": "Exists"}, IN], id="behind what was there",
    ),
])
def test_keys_are_merged_into_the_selector(spec: Dict, merged: list[Dict] | None) -> None:
    given = copy.deepcopy(spec)
    stored, errs = create(spec)
    assert errs == []
    if "topologySpreadConstraints" in stored:
        term = stored["topologySpreadConstraints"][0]
    else:
        (terms,) = next(iter(stored["affinity"].values())).values()
        term = terms[0].get("podAffinityTerm", terms[0])
    assert term["labelSelector"].get("matchExpressions") == merged
    assert spec == given, "the user's own is not touched: another name may have to be tried"


@pytest.mark.parametrize(("spec", "field", "why"), [
    (spreading(labelSelector=APP, matchLabelKeys=["app"]), "[0][0]", "exists in both matchLabelKeys and labelSelector"),
    (
        spreading(labelSelector={"matchExpressions": [IN]}, matchLabelKeys=["rev"]), "[0][0]",
        "exists in both matchLabelKeys and labelSelector",
    ),
    (apart(labelSelector=APP, matchLabelKeys=["app"]), "Execution[0][0]", "exists in both matchLabelKeys and labelSelector"),
    (
        apart(labelSelector=APP, matchLabelKeys=["rev"], mismatchLabelKeys=["rev"]), "Execution[0].matchLabelKeys[0]",
        "exists in both matchLabelKeys and mismatchLabelKeys",
    ),
    (spreading(matchLabelKeys=["rev"]), "[0].matchLabelKeys", "must not be specified when labelSelector is not set"),
])
def test_a_key_twice_is_refused(spec: Dict, field: str, why: str) -> None:
    _, errs = create(spec)
    assert any(field in err and why in err for err in errs), errs


def test_a_template_is_left_as_it_is_but_for_what_is_off() -> None:
    spread = spreading(labelSelector=APP, matchLabelKeys=["rev"])
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [], "schedulingGroup": {"podGroupName": "g"}, **copy.deepcopy(spread)}}
    deployment: Dict = {"metadata": {"name": "d"}, "spec": {"selector": APP, "template": template}}
    DEPLOYMENT.default(deployment)
    DEPLOYMENT.prepare_for_create(deployment)
    stored = deployment["spec"]["template"]["spec"]
    assert stored["topologySpreadConstraints"] == spread["topologySpreadConstraints"]
    assert "schedulingGroup" not in stored
