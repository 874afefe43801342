"""What kubectl printed, line by line, without what must vary: ages, addresses, generated names, the order that follows from them.

Two rules beyond `life_normal`'s:

- a Pod in back-off (three restarts or more) is at another point of its cycle at every look: its READY, STATUS and RESTARTS are
  "in back-off" on both sides, and so is what `describe` shows of its container's state and counts;
- so is a Pod that cannot have its image: ErrImagePull and ImagePullBackOff take turns;
- how often a repeated event was told is `life_comparer`'s matter: here only that it was.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from life_comparer import Difference, Recording, late_messages
from life_normal import Names

AGE = r"(?:<invalid>|<unknown>|(?:\d+[dhms])+)"
COUNTED = re.compile(rf"{AGE} \(x\d+ over {AGE}\)")
AGO = re.compile(rf"\({AGE} ago\)")
ALONE = re.compile(rf"(?<![\w.:/-]){AGE}(?![\w.:/-])")
CYCLING = re.compile(r"^(\S+ +)\d/\d +(?:Init:)?\S+ +([3-9])( \(<age> ago\))?(?= )")
PULLING = re.compile(r"\b(ErrImagePull|ImagePullBackOff)(?= +0 )")
STATE = re.compile(r"^ +(Reason|Exit Code|Started|Finished|Message|State|Last State|Restart Count|Ready|ContainersReady)\b.*$")
OPENSHIFT = re.compile(r" +ConfigMapName: +openshift-service-ca\.crt\n +ConfigMapOptional: .*\n")
SORTED = ("get pods", "get all", "get deploy", "get events", "events", "describe node")
BACKOFF = ("crashloop", "liveness")


def compare_printed(upstream: Recording, ours: Recording) -> list[Difference]:
    """A difference for each line that only one side has, and for each exit code that differs."""
    found, names, our_names = [], Names(upstream), Names(ours)
    late = late_messages(upstream) | late_messages(ours)
    for command, printed in upstream["kubectl"].items():
        mine = ours["kubectl"][command]
        if printed["rc"] != mine["rc"]:
            found.append(Difference("kubectl", command, "exit code", str(printed["rc"]), str(mine["rc"])))
        left, right = lines(command, printed, names), lines(command, mine, our_names)
        if any(command.startswith(each) for each in SORTED):
            left, right = sorted(left), sorted(right)
        if "events" in command:
            left, right = ([line for line in side if not any(message in line for message in late)] for side in (left, right))
        gone, new = Counter(left) - Counter(right), Counter(right) - Counter(left)
        found += [Difference("kubectl", command, line, "printed", "") for line in gone]
        found += [Difference("kubectl", command, line, "", "printed") for line in new]
        if not gone and not new and left != right:
            found.append(Difference("kubectl", command, "order", str(left), str(right)))
    return found


def lines(command: str, printed: dict[str, Any], names: Names) -> list[str]:
    text = names.text(printed["stdout"] + printed["stderr"], siblings=True)
    text = OPENSHIFT.sub("", text)
    text = AGO.sub("(<age> ago)", COUNTED.sub("<age>", text))
    found = []
    for line in text.splitlines():
        line = PULLING.sub("cannot pull", CYCLING.sub(r"\1in back-off", ALONE.sub("<age>", line)))
        if command.startswith("describe pod") and command.endswith(BACKOFF) and STATE.match(line):
            continue
        if command.startswith("get events"):  # the time is the first column, and each is told once a line
            line = line.removeprefix("<age>")
        if not command.startswith("logs"):
            line = re.sub(r"  +|-{2,}", " ", line).strip()
        found.append(line)
    return list(dict.fromkeys(found)) if "events" in command else found
