"""The other kinds of the core group: nodes, namespaces, configuration, events, quotas, component statuses."""

from __future__ import annotations

from wherry.api.printers.text import AGE, NAME, NONE, age, column, condition, name, part, wide
from wherry.api.resource import Age, Cell, Column, Object, Printer

_ROLE_PREFIX = "node-role.kubernetes.io/"
_UNKNOWN = "<unknown>"


def _node_status(node: Object) -> str:
    ready = condition(node, "Ready")
    words = ["Unknown"] if ready is None else ["Ready" if ready.get("status") == "True" else "NotReady"]
    if part(node, "spec").get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(node: Object) -> str:
    roles = set()
    for key, value in part(node, "metadata", "labels").items():
        role = key.removeprefix(_ROLE_PREFIX) if key.startswith(_ROLE_PREFIX) else value if key == "kubernetes.io/role" else ""
        if role:
            roles.add(role)
    return ",".join(sorted(roles)) or NONE


def _address(node: Object, type: str) -> str:
    for each in part(node, "status").get("addresses") or ():
        if each.get("type") == type:
            return str(each.get("address", ""))
    return NONE


def _node(node: Object) -> list[Cell]:
    info = part(node, "status", "nodeInfo")
    kernel = info.get("kernelVersion") or _UNKNOWN
    if info.get("kernelVersion") and info.get("architecture"):
        kernel = f"{kernel} ({info['architecture']})"
    return [
        name(node), _node_status(node), _roles(node), age(node), info.get("kubeletVersion", ""),
        _address(node, "InternalIP"), _address(node, "ExternalIP"), info.get("osImage") or _UNKNOWN, kernel,
        info.get("containerRuntimeVersion") or _UNKNOWN,
    ]


def _event(event: Object) -> list[Cell]:
    first = event.get("firstTimestamp") or event.get("eventTime") or ""
    last, count = event.get("lastTimestamp") or first, event.get("count") or 1
    series = event.get("series")
    if series:
        last, count = series.get("lastObservedTime") or "", series.get("count", 0)
    regarding, source = part(event, "involvedObject"), part(event, "source")
    about = str(regarding.get("kind", "")).lower()
    if regarding.get("name"):
        about = f"{about}/{regarding['name']}"
    component = source.get("component") or event.get("reportingComponent") or ""
    instance = source.get("host") or event.get("reportingInstance") or ""
    return [
        Age(last), event.get("type", ""), event.get("reason", ""), about, regarding.get("fieldPath", ""),
        f"{component}, {instance}" if instance else component, str(event.get("message", "")).strip(), Age(first), count,
        name(event),
    ]


def _quota(quota: Object) -> list[Cell]:
    status = part(quota, "status")
    used = part(status, "used")
    requests: list[str] = []
    limits: list[str] = []
    for resource, hard in sorted(part(status, "hard").items()):
        (limits if resource.startswith("limits.") else requests).append(f"{resource}: {used.get(resource, '0')}/{hard}")
    return [name(quota), ", ".join(requests), ", ".join(limits), age(quota)]


def _component_status(component: Object) -> list[Cell]:
    healthy = next((each for each in component.get("conditions") or () if each.get("type") == "Healthy"), None)
    if healthy is None:
        return [name(component), "Unknown", "", ""]
    word = "Healthy" if healthy.get("status") == "True" else "Unhealthy"
    return [name(component), word, healthy.get("message", ""), healthy.get("error", "")]


NODE = Printer(
    (
        NAME, column("Status", "Whether it is ready and takes Pods."), column("Roles", "Roles that its labels give it."), AGE,
        column("Version", "The kubelet's version."), wide("Internal-IP", "Its address in the cluster."),
        wide("External-IP", "Its address outside."), wide("OS-Image", "Its operating system."),
        wide("Kernel-Version", "Its kernel."), wide("Container-Runtime", "What runs its containers."),
    ),
    _node,
)
EVENT = Printer(
    (
        column("Last Seen", "How long ago it last happened."), column("Type", "Normal or Warning."),
        column("Reason", "Why, in a word."), column("Object", "What it is about."), wide("Subobject", "Which part of it."),
        wide("Source", "Who tells it."), column("Message", "What happened."), 
        wide("First Seen", "How long ago it first happened."),
        wide("Count", "How often it happened."), Column("Name", format="name", priority=1, description="The event's own name."),
    ),
    _event,
)
NAMESPACE = Printer(
    (NAME, column("Status", "Active or Terminating."), AGE),
    lambda obj: [name(obj), part(obj, "status").get("phase", ""), age(obj)],
)
CONFIG_MAP = Printer(
    (NAME, column("Data", "How many entries it has."), AGE),
    lambda obj: [name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj)],
)
SECRET = Printer(
    (NAME, column("Type", "What it is for."), column("Data", "How many entries it has."), AGE),
    lambda obj: [name(obj), obj.get("type", ""), len(obj.get("data") or ()), age(obj)],
)
RESOURCE_QUOTA = Printer(
    (NAME, column("Request", "Used of what is granted."), column("Limit", "Limits used of what is granted."), AGE), _quota,
)
COMPONENT_STATUS = Printer(
    (NAME, column("Status", "Healthy or not."), column("Message", "What it says."), column("Error", "What is wrong.")),
    _component_status,
)
