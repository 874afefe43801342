"""What a HorizontalPodAutoscaler may be: the cases of upstream's validation_test.go, with their words."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.strategy.hpa import HORIZONTAL_POD_AUTOSCALER

Object = dict[str, Any]
VALUE, EACH = {"type": "Value", "value": "100m"}, {"type": "AverageValue", "averageValue": "100m"}
SHARE = {"type": "Utilization", "averageUtilization": 70}
METRIC = {"name": "somemetric"}
SERVICE = {"apiVersion": "v1", "kind": "Service", "name": "front"}
POLICY = {"type": "Pods", "value": 1, "periodSeconds": 1800}


def spec(**more: Any) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5, **more}


def resource(**source: Any) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", "target": SHARE, **source}}


def container(**source: Any) -> Object:
    return {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app", "target": SHARE, **source}}


def pods(**source: Any) -> Object:
    return {"type": "Pods", "pods": {"metric": METRIC, "target": EACH, **source}}


def about(**source: Any) -> Object:
    return {"type": "Object", "object": {"describedObject": SERVICE, "metric": METRIC, "target": VALUE, **source}}


def external(**source: Any) -> Object:
    return {"type": "External", "external": {"metric": METRIC, "target": VALUE, **source}}


def rules(**more: Any) -> Object:
    return {"selectPolicy": "Max", "policies": [POLICY], **more}


@pytest.mark.parametrize("metric", [
    pytest.param(resource(), id="utilization"), pytest.param(resource(target=EACH), id="an average"),
    pytest.param(resource(name="example.com/gpu"), id="any resource"), pytest.param(container(), id="of a container"),
    pytest.param(container(target=EACH), id="an average of a container"), pytest.param(pods(), id="of Pods"),
    pytest.param(about(), id="a value"), pytest.param(about(target=EACH), id="a share of it"),
    pytest.param(external(), id="from outside"), pytest.param(external(target=EACH), id="a share of that"),
    pytest.param(external(metric={**METRIC, "selector": {"matchLabels": {"a": "b"}}}), id="by labels"),
])
def test_metrics_that_may_be(metric: Object) -> None:
    assert HORIZONTAL_POD_AUTOSCALER.validate({"spec": spec(metrics=[metric])}) == []


@pytest.mark.parametrize(("metric", "field", "message"), [
    pytest.param({"type": ""}, "type", "must specify a metric source type", id="no type"),
    pytest.param({"type": "Other"}, "type", 'Unsupported value: "Other"', id="another type"),
    pytest.param({"type": "Pods"}, "pods", "must populate information for the given metric source", id="no source"),
    pytest.param({**pods(), **resource(), "type": "Pods"}, "resource", "must populate the given metric source only", id="two sources"),
    pytest.param(resource(name=""), "resource.name", "must specify a resource name", id="no resource"),
    pytest.param(resource(target={"type": "Utilization"}), "resource.target.averageUtilization", "must set either a target raw value or a target utilization", id="no target"),
    pytest.param(resource(target={**SHARE, "averageValue": "1"}), "resource.target.averageValue", "may not set both a target raw value and a target utilization", id="two targets"),
    pytest.param(resource(target={**SHARE, "averageUtilization": 0}), "resource.target.averageUtilization", "must be greater than 0", id="no share"),
    pytest.param(resource(target={**EACH, "averageValue": "0"}), "resource.target.averageValue", "must be positive", id="an average of zero"),
    pytest.param(resource(target={**SHARE, "type": ""}), "resource.target.type", "must specify a metric target type", id="no target type"),
    pytest.param(resource(target={**SHARE, "type": "X"}), "resource.target.type", "must be either Utilization, Value, or AverageValue", id="another target type"),
    pytest.param(container(container=""), "containerResource.container", "must specify a container", id="no container"),
    pytest.param(container(container="---***"), "containerResource.container", 'Invalid value: "---***"', id="a container that cannot be"),
    pytest.param(container(name=""), "containerResource.name", "must specify a resource name", id="no resource of a container"),
    pytest.param(container(name="pods"), "containerResource.name", "must be a standard resource for containers", id="not of a container"),
    pytest.param(container(target={"type": "Value"}), "containerResource.target.averageUtilization", "must set either a target raw value", id="no target of a container"),
    pytest.param(pods(metric={}), "pods.metric.name", "must specify a metric name", id="no metric"),
    pytest.param(pods(metric={"name": "foo/../"}), "pods.metric.name", "may not contain '/'", id="a metric that is a path"),
    pytest.param(pods(target=VALUE), "pods.target.averageValue", "must specify a positive target averageValue", id="of Pods, not an average"),
    pytest.param(pods(target={**EACH, "averageValue": "-1"}), "pods.target.averageValue", "must be positive", id="a negative average"),
    pytest.param(about(describedObject={**SERVICE, "kind": ""}), "object.describedObject.kind", "Required value", id="no kind"),
    pytest.param(about(describedObject={**SERVICE, "name": ""}), "object.describedObject.name", "Required value", id="no name"),
    pytest.param(about(metric={}), "object.metric.name", "must specify a metric name", id="no metric of an object"),
    pytest.param(about(target={"type": "Value"}), "object.target.averageValue", "must set either a target value or averageValue", id="no target of an object"),
    pytest.param(about(target={**VALUE, "value": "0"}), "object.target.value", "must be positive", id="a value of zero"),
    pytest.param(external(metric={}), "external.metric.name", "must specify a metric name", id="no metric from outside"),
    pytest.param(external(target={"type": "Value"}), "external.target.averageValue", "must set either a target value for metric or a per-pod target", id="no target from outside"),
    pytest.param(external(target={**VALUE, "averageValue": "1"}), "external.target.value", "may not set both a target value for metric and a per-pod target", id="two targets from outside"),
    pytest.param(external(target={**VALUE, "value": "-1"}), "external.target.value", "must be positive", id="a negative value"),
])
def test_metrics_that_may_not_be(metric: Object, field: str, message: str) -> None:
    [cause] = HORIZONTAL_POD_AUTOSCALER.validate({"spec": spec(metrics=[metric])})
    assert cause.field == f"spec.metrics[0].{field}"
    assert message in cause.message


@pytest.mark.parametrize(("change", "field", "message"), [
    pytest.param({"minReplicas": -1}, "minReplicas", "must be greater than or equal to 0", id="a negative minimum"),
    pytest.param({"minReplicas": 0}, "metrics", "must specify at least one Object or External metric", id="zero without a metric from elsewhere"),
    pytest.param({"minReplicas": None, "maxReplicas": 0}, "maxReplicas", "must be greater than 0", id="no maximum"),
    pytest.param({"minReplicas": 7}, "maxReplicas", "must be greater than or equal to `minReplicas`", id="a minimum above"),
    pytest.param({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "", "name": "x"}}, "scaleTargetRef.kind", "Required", id="no kind"),
    pytest.param({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "..", "name": "x"}}, "scaleTargetRef.kind", "may not be '..'", id="a bad kind"),
    pytest.param({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": ""}}, "scaleTargetRef.name", "Required", id="no name"),
    pytest.param({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": ".."}}, "scaleTargetRef.name", "may not be", id="a bad name"),
    pytest.param({"scaleTargetRef": {"apiVersion": "a/b/c", "kind": "D", "name": "x"}}, "scaleTargetRef.apiVersion", "unexpected GroupVersion string", id="a bad version"),
    pytest.param({"behavior": {"scaleUp": rules(stabilizationWindowSeconds=-1)}}, "behavior.scaleUp.stabilizationWindowSeconds", "must be greater than or equal to zero", id="a negative window"),
    pytest.param({"behavior": {"scaleUp": rules(stabilizationWindowSeconds=3601)}}, "behavior.scaleUp.stabilizationWindowSeconds", "must be less than or equal to 3600", id="a long window"),
    pytest.param({"behavior": {"scaleDown": rules(selectPolicy="X")}}, "behavior.scaleDown.selectPolicy", "Unsupported value", id="another selection"),
    pytest.param({"behavior": {"scaleDown": rules(policies=[])}}, "behavior.scaleDown.policies", "must specify at least one Policy", id="no policy"),
    pytest.param({"behavior": {"scaleUp": rules(policies=[{**POLICY, "type": "X"}])}}, "behavior.scaleUp.policies[0].type", "Unsupported value", id="another policy"),
    pytest.param({"behavior": {"scaleUp": rules(policies=[{**POLICY, "value": 0}])}}, "behavior.scaleUp.policies[0].value", "must be greater than zero", id="nothing at a time"),
    pytest.param({"behavior": {"scaleUp": rules(policies=[{**POLICY, "periodSeconds": 0}])}}, "behavior.scaleUp.policies[0].periodSeconds", "must be greater than zero", id="no period"),
    pytest.param({"behavior": {"scaleUp": rules(policies=[{**POLICY, "periodSeconds": 1801}])}}, "behavior.scaleUp.policies[0].periodSeconds", "must be less than or equal to 1800", id="a long period"),
    pytest.param({"behavior": {"scaleUp": rules(tolerance="-0.1")}}, "behavior.scaleUp.tolerance", "must be greater than or equal to 0", id="a negative tolerance"),
])
def test_the_rest_of_a_spec(change: Object, field: str, message: str) -> None:
    [cause] = HORIZONTAL_POD_AUTOSCALER.validate({"spec": {**spec(metrics=[resource()]), **change}})
    assert cause.field == f"spec.{field}"
    assert message in cause.message


def test_zero_with_a_metric_from_elsewhere_and_other_edges_that_may_be() -> None:
    for metric in (about(), external()):
        assert HORIZONTAL_POD_AUTOSCALER.validate({"spec": {**spec(metrics=[resource(), metric]), "minReplicas": 0}}) == []
    edges = rules(stabilizationWindowSeconds=3600, tolerance="0")
    assert HORIZONTAL_POD_AUTOSCALER.validate({"spec": spec(metrics=[resource()], behavior={"scaleUp": edges, "scaleDown": edges})}) == []


def test_a_status_has_no_negative_numbers() -> None:
    found = HORIZONTAL_POD_AUTOSCALER.validate_status({"status": {"currentReplicas": -1, "desiredReplicas": -2}}, {})
    assert [cause.field for cause in found] == ["status.currentReplicas", "status.desiredReplicas"]
