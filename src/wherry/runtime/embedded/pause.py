"""The first process of a PID namespace that a Pod's containers share: it holds the namespace and reaps.

It is a program of a few machine instructions, so that no Pod needs an image or a library for it:
ignore SIGCHLD (then the kernel reaps the orphans that come to process 1), and wait for ever.  It
runs as a container of its own, with an empty root and no capability, since Pods can see its /proc.
"""

import contextlib
import json
import os
import struct
import subprocess
from pathlib import Path

from wherry.runtime.embedded import exits, overlay
from wherry.runtime.embedded.config import machine
from wherry.runtime.embedded.records import ProcessId
from wherry.runtime.interface import RuntimeFault
from wherry.runtime.words import last_message

_BASE, _HEADERS = 0x400000, 64 + 56
_IGNORE = struct.pack("<QQQQ", 1, 0, 0, 0)  # struct sigaction with SIG_IGN
_ELF_MACHINE = {"amd64": 62, "arm64": 183}


def _amd64() -> bytes:
    code = (
        b"\xb8\x0d\x00\x00\x00"  # mov eax, 13          rt_sigaction
        b"\xbf\x11\x00\x00\x00"  # mov edi, 17          SIGCHLD
        b"\x48\x8d\x35\x13\x00\x00\x00"  # lea rsi, [rip+19]    what follows the code
        b"\x31\xd2"  # xor edx, edx
        b"\x41\xba\x08\x00\x00\x00"  # mov r10d, 8          the mask's size
        b"\x0f\x05"  # syscall
        b"\xb8\x22\x00\x00\x00"  # mov eax, 34          pause
        b"\x0f\x05"  # syscall
        b"\xeb\xf7"  # jmp to the last mov
    )
    return code + _IGNORE


def _arm64() -> bytes:
    def mov(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    call = 0xD4000001
    words = [mov(0, 17), 0, mov(2, 0), mov(3, 8), mov(8, 134), call]  # rt_sigaction(SIGCHLD, &ignore, 0, 8)
    loop = len(words)
    words += [mov(0, 0), mov(1, 0), mov(2, 0), mov(3, 0), mov(8, 73), call]  # ppoll(0, 0, 0, 0)
    words.append(0x14000000 | (loop - len(words)) & 0x3FFFFFF)  # b loop
    words.append(0xD503201F)  # nop, so that the structure is aligned
    words[1] = 0x10000000 | (len(words) - 1) << 5 | 1  # adr x1, what follows the code
    return struct.pack(f"<{len(words)}I", *words) + _IGNORE


def program(architecture: str) -> bytes:
    """A static ELF executable.  Raises RuntimeFault where there is none for the architecture."""
    if architecture not in _ELF_MACHINE:
        raise RuntimeFault(f"shareProcessNamespace is not supported on {architecture}", "CreatePodSandboxError")
    code = _amd64() if architecture == "amd64" else _arm64()
    size = _HEADERS + len(code)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, _ELF_MACHINE[architecture], 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + code


def specification(cgroup: str, namespaces: dict[str, str]) -> dict[str, object]:
    joined = [{"type": kind, "path": path} for kind, path in namespaces.items()]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 65535, "gid": 65535},
            "args": ["/pause"],
            "env": [],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}],
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "mount"}, *joined],
            "cgroupsPath": cgroup,
            "resources": {"cpu": {"shares": 2}},
            "maskedPaths": ["/proc/kcore", "/proc/keys"],
            "readonlyPaths": ["/proc/sys"],
        },
    }


def start(runtime: str, oci_state: Path, sandbox_id: str, directory: Path, cgroup: str, namespaces: dict[str, str]) -> ProcessId:
    """Run the process in a bundle under `directory`.  Raises RuntimeFault."""
    bundle = directory / "pause"
    for name in ("rootfs/proc", "rootfs/dev", "rootfs/sys"):
        (bundle / name).mkdir(parents=True, exist_ok=True)
    executable = bundle / "rootfs" / "pause"
    executable.write_bytes(program(machine()))
    executable.chmod(0o755)
    (bundle / "config.json").write_text(json.dumps(specification(cgroup, namespaces)))
    pid_file = bundle / "pid"
    command = [runtime, "--root", str(oci_state), "run", "--detach", "--bundle", str(bundle), "--pid-file", str(pid_file), sandbox_id]
    errors = bundle / "errors"
    with open(errors, "wb") as stderr:  # a file: the process keeps what it is given
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, check=False)
    if done.returncode != 0:
        raise RuntimeFault(f"failed to start the sandbox's process: {last_message(errors.read_text())}", "CreatePodSandboxError")
    return ProcessId.of(int(pid_file.read_text()))


def stop(runtime: str, oci_state: Path, sandbox_id: str, process: ProcessId) -> None:
    """End it, and with it everything in its PID namespace.  Again is no error."""
    if process.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, 9)
        exits.reap_within(process.pid, 5.0)
    overlay.delete_container(runtime, oci_state, sandbox_id)
