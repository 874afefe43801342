"""`wherry modernize`: files in, files out, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from wherry.cli.main import main
from wherry.cli.modernize import rewrite

OLD = """\
# nightly
apiVersion: batch/v1beta1  # old
kind: CronJob
metadata:
  name: report
spec:
  schedule: "@daily"   # at midnight
"""
NEW = OLD.replace("v1beta1", "v1")
PRESENT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


def test_only_the_version_changes_in_the_text() -> None:
    done = rewrite(f"---\n{OLD}--- # two\n{PRESENT}---\n# nothing\n---\n{OLD}")
    assert done.text == f"---\n{NEW}--- # two\n{PRESENT}---\n# nothing\n---\n{NEW}"
    assert len(done.changes) == 2
    assert not done.troubles


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(OLD.replace("\n", "\r\n"), id="CRLF"),
        pytest.param("\ufeff" + OLD, id="byte order mark"),
        pytest.param("%YAML 1.1\n---\n" + OLD + "...\n", id="directive and end"),
        pytest.param(OLD.rstrip("\n"), id="no newline at the end"),
        pytest.param(OLD + "# ---\n", id="a comment behind"),
        pytest.param("--- # first\r\n" + OLD.replace("\n", "\r\n") + "---\r\n", id="separators in CRLF"),
        pytest.param(OLD.replace("schedule:", "note: |\n    ---\n    a\n  schedule:").replace("note", "timeZone"), id="dashes in a text"),
    ],
)
def test_any_form_of_text_stays_as_it_is(text: str) -> None:
    done = rewrite(text)
    assert done.text == text.replace("v1beta1", "v1")
    assert not done.troubles


def test_line_ends_of_a_file_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "dos.yaml"
    file.write_bytes(OLD.replace("\n", "\r\n").encode())
    assert main(["modernize", "-w", str(file)]) == 0
    assert file.read_bytes() == NEW.replace("\n", "\r\n").encode()


def test_json_stays_json() -> None:
    text = json.dumps({"kind": "CronJob", "apiVersion": "batch/v1beta1", "metadata": {"name": "a"}}, indent=4) + "\n"
    assert rewrite(text).text == text.replace("v1beta1", "v1")


def test_what_cannot_be_edited_is_written_anew_and_said() -> None:
    shared = "apiVersion: &v batch/v1beta1 # old\nkind: CronJob\nmetadata:\n  annotations: {was: *v}\n"
    done = rewrite(shared)
    assert done.changes[-1].startswith("written anew, without its comments")
    assert done.text == "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  annotations:\n    was: batch/v1beta1\n"


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        pytest.param("apiVersion: {{ .Values.api }}\nkind: Pod\n", "a template, not a manifest: `helm template` makes one of it", id="template"),
        pytest.param("a: [", "yaml: line 1: did not find expected node content", id="no YAML"),
        pytest.param(PRESENT + "kind: Pod\n", 'line 4: key "kind" already set in map', id="said twice"),
    ],
)
def test_what_cannot_be_read_stays_and_is_named(text: str, trouble: str) -> None:
    done = rewrite(text)
    assert done.text == text
    assert trouble in done.troubles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.json").write_text('{"apiVersion":"v1","kind":"ConfigMap"}')
    (tmp_path / "notes.txt").write_text("not a manifest")
    (tmp_path / "below").mkdir()
    (tmp_path / "below/more.yml").write_text(OLD)
    return tmp_path


def test_to_standard_output_with_reasons_beside_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modernize", str(folder / "old.yaml"), str(folder / "new.json")]) == 0
    out, err = capsys.readouterr()
    assert out == NEW + '---\n{"apiVersion":"v1","kind":"ConfigMap"}\n'
    assert err == f"{folder}/old.yaml: CronJob report: apiVersion: batch/v1 (batch/v1beta1 CronJob is deprecated in v1.21+," \
        " unavailable in v1.25+; use batch/v1 CronJob)\n"
    assert (folder / "old.yaml").read_text() == OLD


@pytest.mark.parametrize(("flags", "below"), [(["-w"], OLD), (["-w", "-R"], NEW), (["--in-place", "--recursive"], NEW)], ids=" ".join)
def test_in_place(folder: Path, flags: list[str], below: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modernize", *flags, str(folder)]) == 0
    assert capsys.readouterr().out == ""
    assert (folder / "old.yaml").read_text() == NEW
    assert (folder / "below/more.yml").read_text() == below
    assert (folder / "notes.txt").read_text() == "not a manifest"


def test_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(OLD))
    assert main(["modernize", "-"]) == 0
    assert capsys.readouterr().out == NEW


def test_check_writes_nothing_and_tells_by_its_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modernize", "--check", "-w", str(folder)]) == 3
    assert (folder / "old.yaml").read_text() == OLD
    assert main(["modernize", "--check", str(folder / "new.json")]) == 0
    assert capsys.readouterr().out == ""


def test_troubles_give_exit_code_1_and_the_rest_is_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    misspelt = folder / "misspelt.yaml"
    misspelt.write_text(OLD + "  jobTemplete: {}\n")
    assert main(["modernize", str(folder / "none.yaml"), str(misspelt), str(folder / "old.yaml")]) == 1
    out, err = capsys.readouterr()
    assert out == NEW + "  jobTemplete: {}\n---\n" + NEW
    assert "none.yaml: No such file or directory" in err
    assert 'misspelt.yaml: CronJob report: unknown field "spec.jobTemplete": did you mean "spec.jobTemplate"?' in err


JSON_OLD = json.dumps({"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": "a"}})
JSON_NEW = JSON_OLD.replace("v1beta1", "v1")


@pytest.mark.parametrize("text", [
    pytest.param(JSON_OLD + "\n" + JSON_OLD + "\n", id="a line each"),
    pytest.param(JSON_OLD + JSON_OLD, id="nothing between"),
])
def test_a_stream_of_json_keeps_all_its_objects(text: str) -> None:
    done = rewrite(text)
    assert done.text.split("\n")[:2] == [JSON_NEW, JSON_NEW]
    assert (len(done.changes), rewrite(done.text).text) == (2, done.text)


def test_indentation_of_json_by_tabs_stays() -> None:
    text = json.dumps(json.loads(JSON_OLD), indent="\t")
    assert rewrite(text).text == text.replace("v1beta1", "v1")


# What charts, books and blogs hold of it.
FOUND = {
    "an empty path, a port by name, comments": """\
apiVersion: extensions/v1beta1
kind: Ingress
metadata:
  name: kibana   # the one
spec:
  rules:
  - host: "<your-url>"  # yours
    http:
      paths:
      - path:
        backend:
          serviceName: kibana
          servicePort: http # by name
      - backend: {serviceName: a, servicePort: "8080"}
        path: /x
  backend:  # all else
    serviceName: "s"
    # the port
    servicePort: 80
""",
    "no selector, nulls, a script": """\
apiVersion: apps/v1beta1
kind: StatefulSet
metadata:
  name: "etcd"
spec:
  serviceName: "etcd"
  # three at least
  replicas: 3   # 3 个
  template:
    metadata: {labels: {component: "etcd"}}
    spec:
      containers:
      - name: etcd
        image: "quay.io/coreos/etcd:v3.2.3"
        command: ["/bin/sh", "-ecx"]
        args:
        - |
          for i in $(seq 0 2); do # each
            echo ---
          done
        volumeMounts: [{mountPath: /data, name: data, subPath: null}]
  volumeClaimTemplates:
  - metadata: {annotations: null, name: data}
    spec: {accessModes: ["ReadWriteOnce"], resources: {requests: {storage: 8Gi}}}
""",
    "metrics that name old versions": """\
apiVersion: autoscaling/v2beta1
kind: HorizontalPodAutoscaler
metadata: {name: h}
spec:
  scaleTargetRef: {apiVersion: extensions/v1beta1, kind: Deployment, name: d}
  maxReplicas: 10
  metrics:
  - type: Object
    object:
      metricName: hits   # of the route
      target: {apiVersion: extensions/v1beta1, kind: Ingress, name: main-route}
      targetValue: 10k
""",
    "several documents": """\
# first
apiVersion: extensions/v1beta1
kind: DaemonSet
metadata: {name: d}
spec:
  templateGeneration: 3 # the server's
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: c, image: i}]}
---
# only a comment
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: p}
spec: {minAvailable: 1, selector: {}}
""",
}


@pytest.mark.parametrize("text", FOUND.values(), ids=list(FOUND))
def test_what_is_found_is_rewritten_once_with_all_its_comments_and_line_ends(text: str) -> None:
    done = rewrite(text)
    assert done.changes
    assert not done.troubles
    assert (rewrite(done.text).text, rewrite(done.text).changes) == (done.text, [])
    assert done.text.count("#") == text.count("#")
    assert "v1beta1" not in done.text.replace("pdb.kubernetes.io/deprecated-v1beta1", "")
    assert rewrite(text.replace("\n", "\r\n")).text == done.text.replace("\n", "\r\n")


def test_a_file_that_cannot_be_written_stays_and_the_others_are_done(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(self: Path, target: Path) -> Path:
        if self.name.startswith(".old"):
            raise OSError(28, "No space left on device")
        return replace(self, target)

    replace = Path.replace
    monkeypatch.setattr(Path, "replace", full)
    assert main(["modernize", "-w", "-R", str(folder)]) == 1
    assert "old.yaml: not written: No space left on device" in capsys.readouterr().err
    assert (folder / "old.yaml").read_text() == OLD
    assert (folder / "below/more.yml").read_text() == NEW
    assert not [*folder.glob(".*")]


def test_a_link_stays_a_link_and_the_mode_stays(folder: Path) -> None:
    (folder / "old.yaml").chmod(0o640)
    (folder / "below/link.yaml").symlink_to(folder / "old.yaml")
    assert main(["modernize", "-w", str(folder / "below/link.yaml")]) == 0
    assert (folder / "below/link.yaml").is_symlink()
    assert ((folder / "old.yaml").read_text(), (folder / "old.yaml").stat().st_mode & 0o777) == (NEW, 0o640)
