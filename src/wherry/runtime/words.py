"""What command-line tools say when they fail, without the frame of their logs.  Pure."""

import re

_FRAMED = re.compile(r'level=(?:fatal|error) msg="((?:[^"\\]|\\.)*)"')


def last_message(stderr: str) -> str:
    """Of `time=… level=fatal msg="…"` the message; of plain output the last line; nothing of nothing."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    found = [match.group(1) for line in lines if (match := _FRAMED.search(line))]
    if found:
        return re.sub(r"\\(.)", lambda match: "\n" if match.group(1) == "n" else match.group(1), found[-1])
    return lines[-1] if lines else ""
