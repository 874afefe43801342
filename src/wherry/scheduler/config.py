"""A KubeSchedulerConfiguration file (v1): profiles, their plugins and arguments.  What is not supported is refused.

https://kubernetes.io/docs/reference/scheduling/config/
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import yaml

from wherry.scheduler.args import DefaultPreemptionArgs, NoArgs, NodeResourcesFitArgs
from wherry.scheduler.extender import ExtenderSpec
from wherry.scheduler.profile import CLAIMS, DEFAULT_SCHEDULER, DEFAULTS, HOLDERS, PREEMPTION, ProfileSpec
from wherry.scheduler.queue import INITIAL_BACKOFF, MAX_BACKOFF

FIT = "NodeResourcesFit"
GATES, SORT, BINDER = "SchedulingGates", "PrioritySort", "DefaultBinder"  # plugins that are parts of the queue and of the scheduler
_WEIGHTS = {name: each.weight for name, each in DEFAULTS.items()} | dict.fromkeys((PREEMPTION, GATES, SORT, BINDER), 0)
# Which plugins stand at the points where most do not.
_AT: Mapping[str, Collection[str]] = {
    "preEnqueue": (GATES, "DynamicResources", PREEMPTION), "queueSort": (SORT,), "postFilter": (PREEMPTION, "DynamicResources"),
    "reserve": HOLDERS, "permit": (), "preBind": HOLDERS, "bind": (BINDER,), "postBind": (),
}


class SchedulerConfigError(ValueError):
    """The configuration cannot be used; the text says where and why."""


class _Named(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    name: str
    weight: int = 0


class _Set(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    enabled: list[_Named] = []
    disabled: list[_Named] = []


class _Plugins(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    multi_point: _Set = msgspec.field(default_factory=_Set)
    pre_enqueue: _Set = msgspec.field(default_factory=_Set)
    queue_sort: _Set = msgspec.field(default_factory=_Set)
    pre_filter: _Set = msgspec.field(default_factory=_Set)
    filter: _Set = msgspec.field(default_factory=_Set)
    post_filter: _Set = msgspec.field(default_factory=_Set)
    pre_score: _Set = msgspec.field(default_factory=_Set)
    score: _Set = msgspec.field(default_factory=_Set)
    reserve: _Set = msgspec.field(default_factory=_Set)
    permit: _Set = msgspec.field(default_factory=_Set)
    pre_bind: _Set = msgspec.field(default_factory=_Set)
    bind: _Set = msgspec.field(default_factory=_Set)
    post_bind: _Set = msgspec.field(default_factory=_Set)


class _PluginConfig(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    name: str
    args: dict[str, Any] = {}


class _Profile(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    scheduler_name: str = DEFAULT_SCHEDULER
    plugins: _Plugins = msgspec.field(default_factory=_Plugins)
    plugin_config: list[_PluginConfig] = []
    percentage_of_nodes_to_score: int | None = None


class _LeaderElection(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A cluster has one scheduler: nobody is elected, so what says how has no effect, as upstream."""

    leader_elect: bool = True
    lease_duration: str = ""
    renew_deadline: str = ""
    retry_period: str = ""
    resource_lock: str = ""
    resource_name: str = ""
    resource_namespace: str = ""

    def __post_init__(self) -> None:
        if self.leader_elect:
            raise ValueError("leaderElect: a cluster has one scheduler; write leaderElect: false")


class _ClientConnection(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """wherry connects its scheduler: what asks for nothing else is fine."""

    kubeconfig: Literal[""] = ""
    accept_content_types: Literal[""] = ""
    content_type: Literal["", "application/json", "application/vnd.kubernetes.protobuf"] = ""
    qps: Literal[0, 50] = 0
    burst: Literal[0, 100] = 0


class _File(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    api_version: Literal["kubescheduler.config.k8s.io/v1"]
    kind: Literal["KubeSchedulerConfiguration"]
    parallelism: int = 16  # at most so many decisions at a time; there is one
    leader_election: _LeaderElection | None = None
    client_connection: _ClientConnection | None = None
    enable_profiling: Literal[False] = False
    enable_contention_profiling: Literal[False] = False
    delay_cache_until_active: bool = False  # of those that wait to be elected
    profiles: list[_Profile] = []
    percentage_of_nodes_to_score: int = 0
    pod_initial_backoff_seconds: int = int(INITIAL_BACKOFF)
    pod_max_backoff_seconds: int = int(MAX_BACKOFF)
    extenders: list[ExtenderSpec] = []


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """What a file asks for, checked."""

    profiles: tuple[ProfileSpec, ...] = (ProfileSpec(),)
    initial_backoff: float = INITIAL_BACKOFF
    max_backoff: float = MAX_BACKOFF
    extenders: tuple[ExtenderSpec, ...] = ()


def parse(text: str) -> SchedulerConfig:
    """Read a file.  Raises SchedulerConfigError."""
    try:
        raw = yaml.safe_load(text)
        file = msgspec.convert(raw, _File)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise SchedulerConfigError(str(error)) from None
    if file.parallelism <= 0:
        raise SchedulerConfigError("parallelism: should be an integer value greater than zero")
    if not 0 <= file.percentage_of_nodes_to_score <= 100:
        raise SchedulerConfigError("percentageOfNodesToScore: not in valid range [0, 100]")
    if not 0 < file.pod_initial_backoff_seconds <= file.pod_max_backoff_seconds:
        raise SchedulerConfigError("podInitialBackoffSeconds: must be above 0 and not above podMaxBackoffSeconds")
    profiles = tuple(
        _spec(profile, file.percentage_of_nodes_to_score, f"profiles[{index}]")
        for index, profile in enumerate(file.profiles or [_Profile()])
    )
    names = [profile.scheduler_name for profile in profiles]
    if len(set(names)) < len(names):
        raise SchedulerConfigError("profiles: a schedulerName stands twice")
    if sum(bool(each.bind_verb) for each in file.extenders) > 1:
        raise SchedulerConfigError("extenders: only one extender can implement bind")
    managed = [each for extender in file.extenders for each in extender.managed_resources]
    if len({each.name for each in managed}) < len(managed):
        raise SchedulerConfigError("extenders: a managed resource stands twice")
    ignored = [each.name for each in managed if each.ignored_by_scheduler]
    profiles = tuple(_ignoring(profile, ignored) for profile in profiles) if ignored else profiles
    return SchedulerConfig(profiles, file.pod_initial_backoff_seconds, file.pod_max_backoff_seconds, tuple(file.extenders))


def _ignoring(profile: ProfileSpec, names: list[str]) -> ProfileSpec:
    """NodeResourcesFit does not look at what an extender looks after."""
    fit = profile.arguments.get(FIT) or NodeResourcesFitArgs()
    return replace(profile, arguments={
        **profile.arguments, FIT: msgspec.structs.replace(fit, ignored_resources=[*fit.ignored_resources, *names]),
    })


def _spec(profile: _Profile, percentage: int, where: str) -> ProfileSpec:
    plugins, at = profile.plugins, f"{where}.plugins"
    base = _apply(_WEIGHTS, [plugins.multi_point], f"{at}.multiPoint")
    named = frozenset(DEFAULTS)
    filters = _apply(base, [plugins.pre_filter, plugins.filter], f"{at}.filter")
    scores = _apply(base, [plugins.pre_score, plugins.score], f"{at}.score")
    held = {
        point: _held(base, getattr(plugins, field), point, at)
        for field, point in zip(_Plugins.__struct_fields__, _Plugins.__struct_encode_fields__, strict=True) if point in _AT
    }
    for point, name in (("queueSort", SORT), ("bind", BINDER)):
        if not held[point]:
            raise SchedulerConfigError(f"{at}.{point}: a profile needs {name}: there is no other")
    share = percentage if profile.percentage_of_nodes_to_score is None else profile.percentage_of_nodes_to_score
    if not 0 <= share <= 100:
        raise SchedulerConfigError(f"{where}.percentageOfNodesToScore: not in valid range [0, 100]")
    return ProfileSpec(
        profile.scheduler_name,
        tuple(name for name in filters if name in named),
        tuple((name, weight) for name, weight in scores.items() if name in named and weight),
        held["reserve"], held["preBind"], held["postFilter"] & CLAIMS, held["preEnqueue"] & CLAIMS,
        PREEMPTION in held["postFilter"], _arguments(profile.plugin_config, where), share, gated=GATES in held["preEnqueue"],
    )


def _held(base: Mapping[str, int], changes: _Set, point: str, where: str) -> frozenset[str]:
    """Which plugins stand at one of the points that few know."""
    for each in changes.enabled:
        _known(each.name, f"{where}.{point}")
        if each.name not in _AT[point]:
            raise SchedulerConfigError(f"{where}.{point}.enabled: plugin {each.name!r} does not extend {point}")
    return frozenset(_apply(base, [changes], f"{where}.{point}")) & frozenset(_AT[point])


def _apply(plugins: Mapping[str, int], sets: Sequence[_Set], where: str) -> dict[str, int]:
    """Weights by plugin after taking away what is disabled and adding what is enabled."""
    found = dict(plugins)
    for each in sets:
        for gone in each.disabled:
            if gone.name == "*":
                found.clear()
            else:
                _known(gone.name, where)
                found.pop(gone.name, None)
        for more in each.enabled:
            _known(more.name, where)
            if more.weight < 0:
                raise SchedulerConfigError(f"{where}.enabled: the weight of {more.name} is negative")
            found[more.name] = more.weight or found.get(more.name) or _WEIGHTS[more.name]
    return found


def _known(name: str, where: str) -> None:
    if name not in _WEIGHTS:
        raise SchedulerConfigError(f"{where}: there is no plugin {name!r}; known are {', '.join(sorted(_WEIGHTS))}")


def _arguments(configs: Sequence[_PluginConfig], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, each in enumerate(configs):
        at = f"{where}.pluginConfig[{index}]"
        _known(each.name, at)
        if each.name in found:
            raise SchedulerConfigError(f"{at}: {each.name} stands twice")
        type_ = DefaultPreemptionArgs if each.name == PREEMPTION else DEFAULTS[each.name].args if each.name in DEFAULTS else NoArgs
        if each.args.get("kind", "") not in ("", f"{each.name}Args"):
            raise SchedulerConfigError(f"{at}.args.kind: {each.name}Args is meant")
        try:
            found[each.name] = made = msgspec.convert(each.args, type_)
        except msgspec.ValidationError as error:
            raise SchedulerConfigError(f"{at}.args: {error}") from None
        unknown = next(_unread(each.args, msgspec.to_builtins(made)), "")
        if unknown:
            raise SchedulerConfigError(f"{at}.args: unknown field {unknown!r}")
    return found


def _unread(given: Any, read: Any) -> Any:
    """Paths of fields that were given and that nothing read: API types forget what they do not know."""
    if isinstance(given, dict) and isinstance(read, dict):
        for key, value in given.items():
            if key not in read:
                yield str(key)
            else:
                yield from (f"{key}.{rest}" for rest in _unread(value, read[key]))
    elif isinstance(given, list) and isinstance(read, list):
        for index, (one, other) in enumerate(zip(given, read, strict=False)):
            yield from (f"[{index}].{rest}" for rest in _unread(one, other))
