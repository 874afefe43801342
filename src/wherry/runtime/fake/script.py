"""What a fake container does with its life: told by the Pod's annotations, or by a callable in tests.

Annotations begin with `wherry.dev/fake-`; with a container's name after a dot
(`wherry.dev/fake-exit-code.web`) they are that container's alone.  Times are seconds.

    start-delay, start-error          how long starting takes; the message with which it fails
    run-seconds, exit-code, reason    when it ends by itself, and how
    term-seconds, term-exit-code      how it answers SIGTERM (at once with 143; -1 second: not at all)
    log                               text it writes when it starts
    termination-message               what it leaves in its termination log
    exec-exit-code, exec-output       how it answers exec, probes included
    cpu, memory                       what it uses, as quantities

Unless told otherwise an init container ends at once, what a Job runs after a second, and all others never.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wherry.apimachinery import quantity
from wherry.runtime.interface import PURPOSE, TO_PREPARE, TO_WORK, ContainerConfig, ExecResult, RuntimeFault, SandboxConfig

PREFIX = "wherry.dev/fake-"
LASTS = {TO_PREPARE: 0.0, TO_WORK: 1.0}  # seconds

Exec = Callable[[Sequence[str], float], ExecResult]  # command, seconds since the container started


@dataclass(frozen=True, slots=True)
class Script:
    """One container's life.  `run_for` None is for ever; `term_after` None ignores SIGTERM."""

    start_delay: float = 0.0
    start_error: str = ""
    run_for: float | None = None
    exit_code: int = 0
    reason: str = ""
    term_after: float | None = 0.0
    term_exit_code: int = 143
    log: str = ""
    termination_message: str = ""
    exec: Exec | None = None
    exec_delay: Callable[[Sequence[str]], float] | None = None
    cpu_milli: int = 1
    memory: int = 1 << 20


Rule = Callable[[SandboxConfig, ContainerConfig], Script]

_KNOWN = frozenset((
    "start-delay", "start-error", "run-seconds", "exit-code", "reason", "term-seconds", "term-exit-code", "log",
    "termination-message", "exec-exit-code", "exec-output", "cpu", "memory",
))


def _settings(annotations: Mapping[str, str], container: str) -> dict[str, str]:
    """The annotations that concern `container`, the particular over the general.  Raises RuntimeFault."""
    general: dict[str, str] = {}
    particular: dict[str, str] = {}
    for key, value in annotations.items():
        if not key.startswith(PREFIX):
            continue
        name, _, of = key.removeprefix(PREFIX).partition(".")
        if name not in _KNOWN:
            raise RuntimeFault(f"unknown annotation {key}: known are {', '.join(PREFIX + each for each in sorted(_KNOWN))}")
        if not of:
            general[name] = value
        elif of == container:
            particular[name] = value
    return general | particular


def script_of_annotations(sandbox: SandboxConfig, container: ContainerConfig) -> Script:
    """The life that the Pod's annotations tell.  Raises RuntimeFault for one that makes no sense."""
    settings = _settings(sandbox.annotations, container.name)
    lasts = LASTS.get(container.annotations.get(PURPOSE, ""))
    if not settings:
        return Script(run_for=lasts)
    try:
        term = float(settings.get("term-seconds", "0"))
        return Script(
            start_delay=float(settings.get("start-delay", "0")),
            start_error=settings.get("start-error", ""),
            run_for=float(settings["run-seconds"]) if "run-seconds" in settings else lasts,
            exit_code=int(settings.get("exit-code", "0")),
            reason=settings.get("reason", ""),
            term_after=None if term < 0 else term,
            term_exit_code=int(settings.get("term-exit-code", "143")),
            log=settings.get("log", ""),
            termination_message=settings.get("termination-message", ""),
            exec=_exec_of(settings),
            cpu_milli=quantity.milli(settings.get("cpu", "1m")),
            memory=quantity.value(settings.get("memory", "1Mi")),
        )
    except ValueError as error:
        raise RuntimeFault(f"cannot read the {PREFIX}* annotations of container {container.name}: {error}") from error


def _exec_of(settings: Mapping[str, str]) -> Exec | None:
    if not settings.keys() & {"exec-exit-code", "exec-output"}:
        return None
    result = ExecResult(settings.get("exec-output", "").encode(), b"", int(settings.get("exec-exit-code", "0")))
    return lambda command, elapsed: result
