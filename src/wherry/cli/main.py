"""The `wherry` command: one function a subcommand, each a few lines over `wherry.cluster`.

Imports are late: `wherry --help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from wherry import __version__

Command = Callable[[argparse.Namespace], int]


def _progress(text: str) -> None:
    print(f"  {text} ...", file=sys.stderr, flush=True)


def _up(args: argparse.Namespace) -> int:
    from wherry.cluster import kubeconfig, lifecycle
    from wherry.cluster.config import choose

    if args.foreground:
        from wherry.cluster.process import run

        config = choose(args.name, fidelity=args.fidelity, nodes=args.nodes, data_dir=args.data_dir, port=args.port)
        if lifecycle.running(config):
            raise lifecycle.LifecycleError(f"cluster {args.name!r} runs already: `wherry down` first")
        lifecycle.check_host(config)
        lifecycle.prepare(config)
        return run(config, None)
    config, started = lifecycle.up(
        args.name, fidelity=args.fidelity, nodes=args.nodes, data_dir=args.data_dir, port=args.port,
        progress=_progress, verbose=args.verbose,
    )
    what = "is up" if started else "is up already"
    print(f"Cluster {config.name!r} {what}: https://127.0.0.1:{config.port}, context {config.context!r} in {kubeconfig.user_file()}")
    return 0


def _down(args: argparse.Namespace) -> int:
    from wherry.cluster import lifecycle

    found = lifecycle.down(args.name, data_dir=args.data_dir, progress=_progress)
    print(f"Cluster {args.name!r} is down; `wherry up` brings it back." if found else f"There is no cluster {args.name!r}.")
    return 0


def _reset(args: argparse.Namespace) -> int:
    from wherry.cluster import lifecycle

    if sys.stdin.isatty() and not args.yes:
        told = input(f"Delete cluster {args.name!r} with all its objects and images? [y/N] ")
        if told.strip().lower() not in ("y", "yes"):
            return 1
    found = lifecycle.reset(args.name, data_dir=args.data_dir, progress=_progress)
    print(f"Cluster {args.name!r} is gone." if found else f"There is no cluster {args.name!r}.")
    return 0


def _status(args: argparse.Namespace) -> int:
    from wherry.cli import status

    return status.show(args.name, args.data_dir)


def _doctor(args: argparse.Namespace) -> int:
    from wherry.cli import doctor

    return doctor.show()


def _kubeconfig(args: argparse.Namespace) -> int:
    print(_known(args).kubeconfig.read_text(), end="")
    return 0


def _known(args: argparse.Namespace):  # type: ignore[no-untyped-def]
    from wherry.cluster.config import load
    from wherry.cluster.lifecycle import LifecycleError

    config = load(args.name, args.data_dir)
    if config is None:
        raise LifecycleError(f"there is no cluster {args.name!r}: `wherry up --name {args.name}` makes one")
    return config


def _image(args: argparse.Namespace) -> int:
    from wherry.cli import image

    return image.run(args, _known(args))


def _kubectl(args: argparse.Namespace) -> int:
    config = _known(args)
    environment = {**os.environ, "KUBECONFIG": str(config.kubeconfig)}
    try:
        os.execvpe("kubectl", ["kubectl", *args.rest], environment)
    except FileNotFoundError:
        print("kubectl is not installed: https://kubernetes.io/docs/tasks/tools/ tells how", file=sys.stderr)
        return 127


def _completion(args: argparse.Namespace) -> int:
    from wherry.cli import completion

    print(completion.script(args.shell, parser()), end="")
    return 0


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="wherry", description="Kubernetes, small: the real API and real containers, in Python.")
    top.add_argument("--version", action="version", version=f"wherry {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, run: Command, told: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=told, description=told)
        made.add_argument("--name", default="default", help="the cluster (default: default)")
        made.add_argument("--data-dir", default="", help="where its data is (default: /var/lib/wherry/NAME)")
        made.set_defaults(run=run)
        return made

    up = add("up", _up, "bring the cluster up; ready when it returns")
    up.add_argument("--fidelity", default="", choices=("", "real", "sim", "api"), metavar="real|sim|api",
                    help="real containers (root), simulated nodes, or the control plane alone")
    up.add_argument("--nodes", type=int, default=0, metavar="K", help="how many simulated nodes")
    up.add_argument("--port", type=int, default=0, help="the API server's port (default: 6443, or the next free one)")
    up.add_argument("--foreground", action="store_true", help="stay in this terminal until Ctrl-C")
    up.add_argument("--verbose", action="store_true", help="log more")
    add("down", _down, "stop it and leave the host as it was; objects and images stay")
    reset = add("reset", _reset, "stop it and delete everything of it")
    reset.add_argument("--yes", action="store_true", help="ask nothing")
    add("status", _status, "what runs, where, with how much memory")
    add("doctor", _doctor, "what this host must offer: present, or missing and how to mend it")
    add("kubeconfig", _kubeconfig, "print its kubeconfig")
    image = add("image", _image, "load, pull, import, list or remove images")
    actions = image.add_subparsers(dest="action", metavar="ACTION", required=True)
    load = actions.add_parser("load", help="from an archive (docker save, OCI)")
    load.add_argument("file")
    pull = actions.add_parser("pull", help="from a registry")
    pull.add_argument("ref")
    imported = actions.add_parser("import", help="from a directory that holds a root file system")
    imported.add_argument("directory")
    imported.add_argument("--ref", required=True)
    imported.add_argument("--cmd", nargs="+", default=[], help="the command that containers run")
    imported.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    actions.add_parser("ls", help="list them")
    removed = actions.add_parser("rm", help="remove one")
    removed.add_argument("ref")
    kubectl = add("kubectl", _kubectl, "kubectl against this cluster")
    kubectl.add_argument("rest", nargs=argparse.REMAINDER, metavar="...")
    completion = add("completion", _completion, "a shell's completion script")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors are one line on standard error and exit code 1."""
    args = parser().parse_args(argv)
    from wherry.cluster.config import ConfigError
    from wherry.cluster.lifecycle import LifecycleError

    try:
        code: int = args.run(args)
    except (ConfigError, LifecycleError) as error:
        print(f"wherry: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"wherry: {error.filename}: {error.strerror}; are you root?", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
