"""A KubeSchedulerConfiguration file (v1): profiles, their plugins and arguments.  What is not supported is refused.

https://kubernetes.io/docs/reference/scheduling/config/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import yaml

from wherry.scheduler.args import DefaultPreemptionArgs
from wherry.scheduler.profile import DEFAULT_SCHEDULER, DEFAULTS, PREEMPTION, ProfileSpec
from wherry.scheduler.queue import INITIAL_BACKOFF, MAX_BACKOFF

# Plugins that every scheduler has, that nobody can take away, and that score nothing.
FIXED = ("SchedulingGates", "PrioritySort", "DefaultBinder")
FILTERS, SCORES = ("preFilter", "filter"), ("preScore", "score")


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
    pre_filter: _Set = msgspec.field(default_factory=_Set)
    filter: _Set = msgspec.field(default_factory=_Set)
    post_filter: _Set = msgspec.field(default_factory=_Set)
    pre_score: _Set = msgspec.field(default_factory=_Set)
    score: _Set = msgspec.field(default_factory=_Set)


class _PluginConfig(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    name: str
    args: dict[str, Any] = {}


class _Profile(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    scheduler_name: str = DEFAULT_SCHEDULER
    plugins: _Plugins = msgspec.field(default_factory=_Plugins)
    plugin_config: list[_PluginConfig] = []
    percentage_of_nodes_to_score: int | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    api_version: Literal["kubescheduler.config.k8s.io/v1"]
    kind: Literal["KubeSchedulerConfiguration"]
    profiles: list[_Profile] = []
    percentage_of_nodes_to_score: int = 0
    pod_initial_backoff_seconds: int = int(INITIAL_BACKOFF)
    pod_max_backoff_seconds: int = int(MAX_BACKOFF)


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """What a file asks for, checked."""

    profiles: tuple[ProfileSpec, ...] = (ProfileSpec(),)
    initial_backoff: float = INITIAL_BACKOFF
    max_backoff: float = MAX_BACKOFF


def parse(text: str) -> SchedulerConfig:
    """Read a file.  Raises SchedulerConfigError."""
    try:
        raw = yaml.safe_load(text)
        file = msgspec.convert(raw, _File)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise SchedulerConfigError(str(error)) from None
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
    return SchedulerConfig(profiles, file.pod_initial_backoff_seconds, file.pod_max_backoff_seconds)


def _spec(profile: _Profile, percentage: int, where: str) -> ProfileSpec:
    plugins, at = profile.plugins, f"{where}.plugins"
    base = _apply({name: DEFAULTS[name].weight for name in DEFAULTS} | {PREEMPTION: 0}, [plugins.multi_point], f"{at}.multiPoint")
    named = frozenset(DEFAULTS)
    filters = _apply(base, [plugins.pre_filter, plugins.filter], f"{at}.filter")
    scores = _apply(base, [plugins.pre_score, plugins.score], f"{at}.score")
    post = _apply(base, [plugins.post_filter], f"{at}.postFilter")
    share = percentage if profile.percentage_of_nodes_to_score is None else profile.percentage_of_nodes_to_score
    if not 0 <= share <= 100:
        raise SchedulerConfigError(f"{where}.percentageOfNodesToScore: not in valid range [0, 100]")
    return ProfileSpec(
        profile.scheduler_name,
        tuple(name for name in filters if name in named),
        tuple((name, weight) for name, weight in scores.items() if name in named and weight),
        frozenset(base) & named, PREEMPTION in post, _arguments(profile.plugin_config, where), share,
    )


def _apply(plugins: Mapping[str, int], sets: Sequence[_Set], where: str) -> dict[str, int]:
    """Weights by plugin after taking away what is disabled and adding what is enabled."""
    found = dict(plugins)
    for each in sets:
        for gone in each.disabled:
            if gone.name == "*":
                found.clear()
            elif gone.name in FIXED:
                raise SchedulerConfigError(f"{where}.disabled: {gone.name} cannot be disabled")
            else:
                _known(gone.name, where)
                found.pop(gone.name, None)
        for more in each.enabled:
            if more.name in FIXED:
                continue
            _known(more.name, where)
            if more.weight < 0:
                raise SchedulerConfigError(f"{where}.enabled: the weight of {more.name} is negative")
            default = DEFAULTS[more.name].weight if more.name in DEFAULTS else 0
            found[more.name] = more.weight or found.get(more.name) or default
    return found


def _known(name: str, where: str) -> None:
    if name not in DEFAULTS and name != PREEMPTION:
        raise SchedulerConfigError(f"{where}: there is no plugin {name!r}; known are {', '.join(sorted((*DEFAULTS, PREEMPTION, *FIXED)))}")


def _arguments(configs: Sequence[_PluginConfig], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, each in enumerate(configs):
        at = f"{where}.pluginConfig[{index}]"
        _known(each.name, at)
        if each.name in found:
            raise SchedulerConfigError(f"{at}: {each.name} stands twice")
        type_ = DefaultPreemptionArgs if each.name == PREEMPTION else DEFAULTS[each.name].args
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
