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
