"""The command line: which cluster is meant, wherever it is said; and which words are refused."""

from __future__ import annotations

import pytest

from wherry.cli import arguments
from wherry.cli.main import COMMANDS, main

WHOSE = ["--name", "one", "--data-dir", "/d"]
COMMAND_LINES = [
    ["up"], ["up", "--fidelity", "sim", "--nodes", "3"], ["down"], ["reset", "--yes"], ["status"], ["doctor"], ["quickstart"], ["kubeconfig"],
    ["image", "ls"], ["image", "load", "a.tar"], ["image", "pull", "busybox:1.36"], ["image", "rm", "x"],
    ["image", "import", "/root", "--ref", "x", "--cmd", "sh", "-c", "ls"], ["kubectl"], ["completion", "bash"],
]


@pytest.mark.parametrize("line", COMMAND_LINES, ids=" ".join)
def test_the_cluster_may_be_said_anywhere(line: list[str]) -> None:
    plain = arguments.parse(line)
    assert (plain.name, plain.data_dir) == ("default", "")
    wanted = {**vars(plain), "name": "one", "data_dir": "/d"}
    for at in range(len(line) + 1):
        if line[at - 1 : at] and line[at - 1] in ("--fidelity", "--nodes", "--ref", "--cmd"):
            continue  # between an option and its value stands nothing
        if "--cmd" in line and at > line.index("--cmd") and at < len(line):
            continue
        assert vars(arguments.parse([*line[:at], *WHOSE, *line[at:]])) == wanted, at
    assert vars(arguments.parse(["--name=one", *line[:1], "--data-dir=/d", *line[1:]])) == wanted


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        pytest.param(["kubectl", "get", "pods"], "default", ["get", "pods"], id="plain"),
        pytest.param(["kubectl", "-n", "x", "get", "pods"], "default", ["-n", "x", "get", "pods"], id="options first"),
        pytest.param(["kubectl", "--name", "a", "get", "pods", "-o", "wide"], "a", ["get", "pods", "-o", "wide"], id="ours behind kubectl"),
        pytest.param(["--name", "a", "kubectl", "get", "pods"], "a", ["get", "pods"], id="ours before kubectl"),
        pytest.param(["kubectl", "expose", "deploy/x", "--name", "b"], "default", ["expose", "deploy/x", "--name", "b"], id="theirs"),
        pytest.param(["kubectl", "--name=a", "--help"], "a", ["--help"], id="help"),
        pytest.param(["kubectl", "exec", "p", "--", "ls", "-l"], "default", ["exec", "p", "--", "ls", "-l"], id="two dashes"),
        pytest.param(["--name", "kubectl", "kubectl", "kubectl"], "kubectl", ["kubectl"], id="a cluster called kubectl"),
    ],
)
def test_kubectl_keeps_its_words(line: list[str], name: str, rest: list[str]) -> None:
    args = arguments.parse(line)
    assert (args.command, args.name, args.rest) == ("kubectl", name, rest)


@pytest.mark.parametrize(
    ("words", "cmd"),
    [
        (["--cmd", "httpd", "-f", "-h", "/www"], ["httpd", "-f", "-h", "/www"]),
        (["--cmd", "sh", "-c", "echo hi", "--env", "A=b"], ["sh", "-c", "echo hi"]),
        (["--cmd", "sleep", "1", "--name", "one"], ["sleep", "1"]),
        (["--cmd=sh", "--cmd=--env"], ["sh", "--env"]),
        ([], []),
    ],
    ids=str,
)
def test_an_images_command_has_options_of_its_own(words: list[str], cmd: list[str]) -> None:
    assert arguments.parse(["image", "import", "/root", "--ref", "x", *words]).cmd == cmd


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["up", "--port", "70000"], "'70000' is no port: 1 to 65535"),
        (["up", "--port", "https"], "'https' is no port: 1 to 65535"),
        (["up", "--nodes", "0"], "'0' is no number of nodes: 1 or more"),
        (["up", "--fidelity", "virtual"], "invalid choice: 'virtual'"),
        (["up", "--data-dir", ""], "the folder's name is empty"),
        (["up", "--dat", "/d"], "unrecognized arguments: --dat /d"),
        (["image", "import", "/root"], "required: --ref"),
        (["image", "import", "/root", "--ref", "x", "--cmd"], "--cmd: expected one argument"),
        (["completion", "csh"], "invalid choice: 'csh'"),
        (["launch"], "invalid choice: 'launch'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_values_are_refused(line: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments.parse(line)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "UPPER", "a_b", "../etc", "-a", "a-", "thirteen-char", "a/b"])
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_checks_the_name(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"image": ["ls"], "completion": ["bash"], "component": ["dns"], "why": ["web"], "modernize": ["-"]}.get(command, [])
    assert main([command, f"--name={name}", *more]) == 1
    assert capsys.readouterr().err == f"wherry: --name {name!r}: a cluster's name has 1 to 12 of a-z, 0-9 and - (not at its ends)\n"


def test_every_command_has_a_function() -> None:
    actions = [a for a in arguments.parser()._actions if a.dest == "command"]
    assert actions[0].choices is not None
    assert set(actions[0].choices) == set(COMMANDS)
