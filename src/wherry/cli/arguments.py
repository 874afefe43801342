"""The command line: every command's arguments, and how words become a namespace.

`--name` and `--data-dir` say which cluster is meant and may stand anywhere, before the command or behind it.
Only `kubectl` keeps what stands behind its first word for itself: kubectl has a `--name` of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from wherry import __version__

CLUSTER = ("--name", "--data-dir")
IMPORT = ("--ref", "--cmd", "--env", *CLUSTER)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of nodes: 1 or more")
    return int(text)


def _folder(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("the folder's name is empty")
    return text


def _whose(parser: argparse.ArgumentParser, *, top: bool = False) -> argparse.ArgumentParser:
    """Below the top a missing option must not overwrite one that was given further up."""
    name, folder = ("default", None) if top else (argparse.SUPPRESS, argparse.SUPPRESS)
    parser.add_argument("--name", default=name, help="the cluster (default: default)")
    parser.add_argument("--data-dir", default=folder, type=_folder, metavar="DIR", help="where its data is (default: /var/lib/wherry/NAME)")
    return parser


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    told = "Kubernetes, small: the real API and real containers, in Python."
    top = _whose(argparse.ArgumentParser(prog="wherry", description=told, allow_abbrev=False), top=True)
    top.add_argument("--version", action="version", version=f"wherry {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, told: str) -> argparse.ArgumentParser:
        return _whose(commands.add_parser(name, help=told, description=told, allow_abbrev=False))

    up = add("up", "bring the cluster up; ready when it returns")
    up.add_argument("--fidelity", default="", choices=("real", "sim", "api"), metavar="real|sim|api",
                    help="real containers (root), simulated nodes, or the control plane alone")
    up.add_argument("--nodes", type=_count, default=0, metavar="K", help="how many simulated nodes")
    up.add_argument("--port", type=_port, default=0, help="the API server's port (default: 6443, or the next free one)")
    up.add_argument("--processes", action=argparse.BooleanOptionalAction, default=None,
                    help="each component as a process of its own, over HTTPS (default: all in one)")
    up.add_argument("--scheduler-config", default=None, metavar="FILE",
                    help="a KubeSchedulerConfiguration, kept for the next `up` (empty: the default scheduler again)")
    up.add_argument("--foreground", action="store_true", help="stay in this terminal until Ctrl-C")
    up.add_argument("--verbose", action="store_true", help="log more")
    add("down", "stop it and leave the host as it was; objects and images stay")
    add("reset", "stop it and delete everything of it").add_argument("--yes", action="store_true", help="ask nothing")
    add("status", "what runs, where, with how much memory")
    add("doctor", "what this host must offer: present, or missing and how to mend it")
    add("quickstart", "up, an image, a web server behind a Service, and a look at it")
    add("kubeconfig", "print its kubeconfig")
    component = add("component", "run one component in this terminal, against the cluster's API over HTTPS")
    component.add_argument("component", choices=("apiserver", "controller-manager", "scheduler", "kubelet", "proxy", "dns", "provisioner"))
    component.add_argument("--node", default="", help="whose kubelet (default: the cluster's first node)")
    component.add_argument("--verbose", action="store_true", help="log more")
    _image(add("image", "load, pull, import, list or remove images"))
    why = add("why", "why a Pod has no node, or does not run")
    why.add_argument("pod")
    why.add_argument("-n", "--namespace", default="default")
    modern = add("modernize", "rewrite manifests of old API versions in the present ones")
    modern.add_argument("file", nargs="+", metavar="FILE", help="a manifest, a directory of them, or - for standard input")
    modern.add_argument("-R", "--recursive", action="store_true", help="directories below a directory too")
    modern.add_argument("-w", "--in-place", action="store_true", help="into the files, instead of to standard output")
    modern.add_argument("--check", action="store_true", help="write nothing; exit with 3 if something is of an old version")
    kubectl = add("kubectl", "kubectl against this cluster")
    kubectl.add_argument("rest", nargs="*", metavar="...", help="what kubectl is to do")
    completion = add("completion", "a shell's completion script")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    return top


def _image(image: argparse.ArgumentParser) -> None:
    actions = image.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, told: str) -> argparse.ArgumentParser:
        return _whose(actions.add_parser(name, help=told, description=told, allow_abbrev=False))

    add("load", "from an archive (docker save, OCI)").add_argument("file")
    add("pull", "from a registry").add_argument("ref")
    imported = add("import", "from a directory that holds a root file system")
    imported.add_argument("directory")
    imported.add_argument("--ref", required=True)
    imported.add_argument("--cmd", action="append", default=[], metavar="WORD ...", help="the command that containers run")
    imported.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    add("ls", "list them")
    add("rm", "remove one").add_argument("ref")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command.  Exits with 2 and a line of usage when they are wrong."""
    ours, theirs = split_kubectl(argv)
    args = parser().parse_args(spell_cmd(ours))
    args.data_dir = args.data_dir or ""
    if args.command == "kubectl":
        args.rest = theirs
    return args


def split_kubectl(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our words, and from kubectl's first one on its own (options as well)."""
    seen, at = False, 0
    while at < len(argv):
        word = argv[at]
        if word in CLUSTER:
            at += 2
        elif word.partition("=")[0] in CLUSTER:
            at += 1
        elif not seen and word == "kubectl":
            seen = True
            at += 1
        elif seen:
            return list(argv[:at]), list(argv[at:])
        else:
            break
    return list(argv), []


def spell_cmd(argv: Sequence[str]) -> list[str]:
    """`--cmd sh -c x` as `--cmd=sh --cmd=-c --cmd=x`, up to the next option that `import` knows: a command's own
    options are no one else's."""
    if "import" not in argv or "--cmd" not in argv:
        return list(argv)
    spelt, inside = [], False
    for at, word in enumerate(argv):
        if _imports(word):
            inside = word == "--cmd"
            if inside and at + 1 < len(argv) and not _imports(argv[at + 1]):
                continue
        spelt.append(f"--cmd={word}" if inside and word != "--cmd" else word)
    return spelt


def _imports(word: str) -> bool:
    return word.partition("=")[0] in IMPORT
