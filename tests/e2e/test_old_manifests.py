"""Old API versions beside the present ones, as kubectl and helm of several ages see them.  Needs no root and no node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_programs import helm_3, new_clients, old_kubectl
from cluster_harness import Cluster, running

from wherry.cli.modernize import rewrite

# A chart as one finds them: each template asks for the present version first.
CAPABILITIES = """\
apiVersion: {{ if .Capabilities.APIVersions.Has "batch/v1/CronJob" }}batch/v1{{ else }}batch/v1beta1{{ end }}
kind: CronJob
metadata: {name: {{ .Release.Name }}}
spec:
  schedule: "@yearly"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}
---
apiVersion: {{ if .Capabilities.APIVersions.Has "networking.k8s.io/v1/Ingress" }}networking.k8s.io/v1{{ else }}extensions/v1beta1{{ end }}
kind: Ingress
metadata: {name: {{ .Release.Name }}}
spec:
{{- if .Capabilities.APIVersions.Has "networking.k8s.io/v1/Ingress" }}
  defaultBackend: {service: {name: s, port: {number: 80}}}
{{- else }}
  backend: {serviceName: s, servicePort: 80}
{{- end }}
---
apiVersion: {{ if .Capabilities.APIVersions.Has "policy/v1" }}policy/v1{{ else }}policy/v1beta1{{ end }}
kind: PodDisruptionBudget
metadata: {name: {{ .Release.Name }}}
spec: {minAvailable: 1, selector: {matchLabels: {a: b}}}
---
{{- if .Capabilities.APIVersions.Has "policy/v1beta1/PodSecurityPolicy" }}
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: {{ .Release.Name }}}
{{- end }}
---
apiVersion: {{ if semverCompare "<1.23-0" .Capabilities.KubeVersion.GitVersion }}autoscaling/v2beta2{{ else }}autoscaling/v2{{ end }}
kind: HorizontalPodAutoscaler
metadata: {name: {{ .Release.Name }}}
spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}}
"""
OLD_DEPLOYMENT = """\
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: %s}
spec: {replicas: 0, template: {metadata: {labels: {app: old}}, spec: {containers: [{name: c, image: i}]}}}
"""
MISSPELT = Path(__file__).parents[2] / "examples/ckad/03-cronjobs/misspelt.yaml"
PRESENT = {
    "deploy": "apps/v1", "ds": "apps/v1", "rs": "apps/v1", "sts": "apps/v1", "ing": "networking.k8s.io/v1", "netpol": "networking.k8s.io/v1",
    "cj": "batch/v1", "hpa": "autoscaling/v2", "pdb": "policy/v1", "roles": "rbac.authorization.k8s.io/v1", "sc": "storage.k8s.io/v1",
}
versions = pytest.mark.parametrize("version", ["1.20", "host", "1.37"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running("e2e-old", tmp_path_factory.mktemp("old"), "--fidelity", "api") as made:
        yield made


def use(cluster: Cluster, version: str) -> None:
    programs = {"1.20": old_kubectl, "host": lambda: Path("kubectl"), "1.37": lambda: new_clients() / "kubectl/kubectl"}
    cluster.kubectl_program = str(programs[version]())


@versions
def test_kubectl_takes_the_present_versions(cluster: Cluster, version: str) -> None:
    use(cluster, version)
    lists = {name: cluster.get(name) for name in PRESENT}
    listed = {name: {item["apiVersion"] for item in found["items"]} or {PRESENT[name]} for name, found in lists.items()}
    assert listed == {name: {wanted} for name, wanted in PRESENT.items()}
    cluster.kubectl("create", "deployment", "new", "--image=i", "--replicas=0")
    cluster.kubectl("apply", "-f", "-", stdin=OLD_DEPLOYMENT % "old")
    assert {item["apiVersion"] for item in cluster.get("deploy")["items"]} == {"apps/v1"}
    shown = cluster.kubectl("get", "all", "-o", "name").split()
    assert [name for name in shown if name.startswith("deployment")] == ["deployment.apps/new", "deployment.apps/old"]
    rows = [line.split() for line in cluster.kubectl("api-resources", "--no-headers").splitlines()]
    assert {row[0]: row[-3] for row in rows if len(row) == 5 and row[1] in PRESENT} == {
        row[0]: PRESENT[row[1]] for row in rows if len(row) == 5 and row[1] in PRESENT
    }
    explained = cluster.kubectl("explain", "deployment").split()
    assert "apps/v1" in explained or ("apps" in explained and "v1" in explained)
    cluster.kubectl("delete", "deployment", "new", "old")


@versions
def test_an_old_deployment_is_taken_without_a_selector(cluster: Cluster, version: str) -> None:
    use(cluster, version)
    told = cluster.kubectl("apply", "-f", "-", stdin=OLD_DEPLOYMENT % "web", check=False)
    assert "deployment.extensions/web created" in told
    assert "Warning: extensions/v1beta1 Deployment is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 Deployment" in told
    assert "deployment.extensions/web unchanged" in cluster.kubectl("apply", "-f", "-", stdin=OLD_DEPLOYMENT % "web")
    spec = cluster.get("deployment", "web")["spec"]
    assert (spec["selector"], spec["progressDeadlineSeconds"]) == ({"matchLabels": {"app": "old"}}, 2147483647)
    cluster.kubectl("delete", "-f", "-", stdin=OLD_DEPLOYMENT % "web")


@versions
def test_the_modernized_manifest_applies_over_the_old_one(cluster: Cluster, version: str) -> None:
    use(cluster, version)
    cluster.kubectl("apply", "-f", "-", stdin=OLD_DEPLOYMENT % "web")
    before = cluster.get("deployment", "web")
    told = cluster.kubectl("apply", "-f", "-", stdin=rewrite(OLD_DEPLOYMENT % "web").text)
    after = cluster.get("deployment", "web")
    assert told.startswith("deployment.apps/web ")
    assert (after["spec"], after["metadata"]["uid"]) == (before["spec"], before["metadata"]["uid"])
    cluster.kubectl("delete", "deployment", "web")


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("1.20", 'ValidationError(CronJob.spec): unknown field "jobTemplete" in io.k8s.api.batch.v1.CronJobSpec'),
        ("host", 'strict decoding error: unknown field "spec.jobTemplete"'),
        ("1.37", 'strict decoding error: unknown field "spec.jobTemplete"'),
    ],
)
def test_a_misspelt_field_is_refused_by_name(cluster: Cluster, version: str, told: str) -> None:
    use(cluster, version)
    refused = cluster.kubectl("create", "-f", str(MISSPELT), check=False)
    assert told in refused
    if version == "1.20":  # which looks by itself, and asks nobody
        refused = cluster.kubectl("create", "--validate=false", "-f", str(MISSPELT), check=False)
    assert 'Warning: did you mean "spec.jobTemplate" instead of "spec.jobTemplete"?' in refused
    assert cluster.get("cronjobs")["items"] == []


@pytest.mark.parametrize("version", ["3", "4"])
def test_a_chart_that_looks_takes_the_present_versions(cluster: Cluster, version: str, tmp_path: Path) -> None:
    program = str(helm_3() if version == "3" else new_clients() / "helm/helm")
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 0.1.0\n")

    def helm(*arguments: str) -> str:
        done = subprocess.run([program, *arguments], env=cluster.environment, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    name = f"rel-{version}"
    (chart / "templates/all.yaml").write_text(CAPABILITIES)
    told = helm("install", name, str(chart))
    assert "deprecated" not in told
    written = helm("get", "manifest", name)
    assert {line.split()[1] for line in written.splitlines() if line.startswith("apiVersion")} == {
        "policy/v1", "batch/v1", "autoscaling/v2", "networking.k8s.io/v1",
    }
    before = json.loads(cluster.kubectl("get", "cronjob", name, "-o", "json"))

    (chart / "templates/all.yaml").write_text(CAPABILITIES.replace('Has "batch/v1/CronJob"', 'Has "batch/v1beta1/CronJob" | not'))
    assert "batch/v1beta1 CronJob is deprecated" in helm("upgrade", name, str(chart))
    assert cluster.get("cronjob", name)["metadata"]["uid"] == before["metadata"]["uid"], "the same object under its old name"
    (chart / "templates/all.yaml").write_text(CAPABILITIES)
    helm("upgrade", name, str(chart))
    assert cluster.get("cronjob", name)["metadata"]["uid"] == before["metadata"]["uid"]
    helm("uninstall", name)
