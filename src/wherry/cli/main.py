"""The `wherry` command: one function a subcommand, each a few lines over `wherry.cluster`.

Imports are late: `wherry --help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wherry.cli import arguments

if TYPE_CHECKING:
    from wherry.cluster.config import ClusterConfig

Command = Callable[[argparse.Namespace], int]


def _progress(text: str) -> None:
    print(f"  {text} ...", file=sys.stderr, flush=True)


def _up(args: argparse.Namespace) -> int:
    from wherry.cluster import kubeconfig, lifecycle

    asked = lifecycle.Asked(
        args.name, args.fidelity, args.nodes, args.data_dir, args.port, args.verbose, args.processes, args.scheduler_config
    )
    if args.foreground:
        return lifecycle.foreground(asked, progress=_progress)
    config, started = lifecycle.up(asked, progress=_progress)
    what = "is up" if started else "is up already"
    print(f"Cluster {config.name!r} {what}: https://127.0.0.1:{config.port}, context {config.context!r} in {kubeconfig.user_file()}")
    return 0


def _down(args: argparse.Namespace) -> int:
    from wherry.cluster import lifecycle, remains
    from wherry.cluster.config import spelt

    found = lifecycle.down(args.name, data_dir=args.data_dir, progress=_progress)
    if not found:
        print(f"There is no cluster {args.name!r}.")
    else:
        again = remains.of(args.name) if remains.lost(args.name, args.data_dir) else f"{spelt('up', args.name)} brings it back"
        print(f"Cluster {args.name!r} is down; {again}.")
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

    return doctor.show(args.name, args.data_dir)


def _quickstart(args: argparse.Namespace) -> int:
    from wherry.cli import quickstart

    return quickstart.run(args.name, args.data_dir)


def _kubeconfig(args: argparse.Namespace) -> int:
    print(_known(args).kubeconfig.read_text(), end="")
    return 0


def _known(args: argparse.Namespace) -> ClusterConfig:
    from wherry.cluster import remains

    return remains.known(args.name, args.data_dir)


def _component(args: argparse.Namespace) -> int:
    from wherry.cli import component

    return component.run(args, _known(args))


def _image(args: argparse.Namespace) -> int:
    from wherry.cli import image

    return image.run(args, _known(args))


def _why(args: argparse.Namespace) -> int:
    from wherry.cli import why

    return why.show(_known(args), args.namespace, args.pod)


def _modernize(args: argparse.Namespace) -> int:
    from wherry.cli import modernize

    return modernize.run(args)


def _kubectl(args: argparse.Namespace) -> int:
    from wherry.cluster.config import spelt
    from wherry.cluster.lifecycle import running

    config = _known(args)
    environment = {**os.environ, "KUBECONFIG": str(config.kubeconfig)}
    if not running(config):  # kubectl does some things alone
        print(f"wherry: cluster {config.name!r} is down: {spelt('up', config.name)} brings it back", file=sys.stderr)
    try:
        os.execvpe("kubectl", ["kubectl", *args.rest], environment)
    except FileNotFoundError:
        print("kubectl is not installed: https://kubernetes.io/docs/tasks/tools/ tells how", file=sys.stderr)
        return 127


def _completion(args: argparse.Namespace) -> int:
    from wherry.cli import completion

    print(completion.script(args.shell, arguments.parser()), end="")
    return 0


COMMANDS: dict[str, Command] = {
    "up": _up, "down": _down, "reset": _reset, "status": _status, "doctor": _doctor, "quickstart": _quickstart,
    "kubeconfig": _kubeconfig, "component": _component, "image": _image, "why": _why,
    "modernize": _modernize, "kubectl": _kubectl, "completion": _completion,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; errors are one line on standard error and exit code 1."""
    args = arguments.parse(sys.argv[1:] if argv is None else argv)
    from wherry.cluster.config import ConfigError, check_name
    from wherry.cluster.lifecycle import LifecycleError

    try:
        check_name(args.name)
        return COMMANDS[args.command](args)
    except (ConfigError, LifecycleError) as error:
        print(f"wherry: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"wherry: {error.filename}: {error.strerror}; are you root?", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"wherry: {error.filename + ': ' if error.filename else ''}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
