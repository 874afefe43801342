"""What the commands of the recorded scenario do, as scripts of the fake runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wherry.runtime.fake import Script
from wherry.runtime.fake.images import Pull
from wherry.runtime.interface import ContainerConfig, ExecResult, SandboxConfig

NO_SUCH = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    'unable to start container process: exec: "/nosuch": stat /nosuch: no such file or directory: unknown'
)
# A shell's `sleep` is process 1: it has no handler for SIGTERM and is killed when its grace is over.
FOREVER = Script(term_after=None)
_BLINK = 0.3  # seconds that a command takes which does its work at once


def ends(code: int = 0, after: float = _BLINK, **more: object) -> Script:
    return Script(run_for=after, exit_code=code, term_after=None, **more)  # type: ignore[arg-type]


SCRIPTS: dict[str, Script] = {
    "sleep 1000": FOREVER,
    "echo done": ends(log="done"),
    "echo bad >&2; exit 3": ends(3),
    "exit 1": ends(1),
    "expr 3 + 2": ends(log="5"),
    "x=a; while :; do x=$x$x; done": ends(137, reason="OOMKilled"),
    "sleep 9": ends(after=9),
    "sleep 8; touch /tmp/ok; sleep 8; rm /tmp/ok; sleep 1000": FOREVER,
    "sleep 5; touch /tmp/ok; sleep 1000": FOREVER,
    "mkdir /w; httpd -f -p 80 -h /w": FOREVER,
    "sleep 2": ends(after=2),
    "sleep 1": ends(after=1),
    "sleep 6": ends(after=6),
    'trap "exit 0" TERM; sleep 1000 & wait': Script(term_after=0.0, term_exit_code=0),
    "sleep 4; exit 2": ends(2, after=4),
    "echo why > /dev/termination-log; exit 4": ends(4, termination_message="why\n"),
    "echo from-logs; exit 5": ends(5, log="from-logs\n"),
    "id": ends(),
    "echo $JOB_COMPLETION_INDEX": ends(log="0"),
    "true": ends(),
    "date": ends(log="now"),
}


def _missing(path: str) -> ExecResult:
    return ExecResult(b"", f"cat: can't open '{path}': No such file or directory\n".encode(), 1)


def _exec(there: Callable[[float], bool]) -> Callable[[Sequence[str], float], ExecResult]:
    def run(command: Sequence[str], elapsed: float) -> ExecResult:
        if command[0] == "cat":
            return ExecResult(b"", b"", 0) if command[1] == "/tmp/ok" and there(elapsed) else _missing(command[1])
        return ExecResult(b"", b"", 1 if command[0] == "false" else 0)

    return run


def _delay(command: Sequence[str]) -> float:
    return float(command[1]) if command[0] == "sleep" else 0.0


def rule(sandbox: SandboxConfig, container: ContainerConfig) -> Script:
    """The life of a container with this command."""
    from dataclasses import replace

    if container.command == ("/nosuch",):
        return Script(start_error=NO_SUCH)
    text = container.command[-1]
    if text.startswith("[ -f /d/x ]"):
        return ends(1 if container.attempt == 0 else 0)
    script = SCRIPTS[text]
    there: Callable[[float], bool] = (lambda t: 8 <= t < 16) if "rm /tmp/ok" in text else (lambda t: "touch" in text and t >= 5)
    return replace(script, exec=_exec(there), exec_delay=_delay)


def pull(reference: str) -> Pull:
    """The recorded words of registries that are not there."""
    prefix = f'failed to pull and unpack image "{reference}": failed to resolve reference "{reference}": failed to do request: '
    if reference.startswith("127.0.0.1:9/"):
        why = 'Head "http://127.0.0.1:9/v2/x/manifests/1": dial tcp 127.0.0.1:9: connect: connection refused'
        return Pull(0.1, prefix + why)
    why = 'Head "https://nosuch.invalid/v2/x/manifests/2": dial tcp: lookup nosuch.invalid on 10.255.255.53:53: no such host'
    return Pull(0.1, prefix + why)
