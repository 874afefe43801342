"""KubeSchedulerConfiguration: what it changes, and what is refused."""

from __future__ import annotations

import textwrap

import pytest
from scheduler_makers import Cluster, node, pod

from wherry.scheduler.config import SchedulerConfig, SchedulerConfigError, parse
from wherry.scheduler.queue import SchedulingQueue
from wherry.util.clock import FakeClock

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def read(text: str) -> SchedulerConfig:
    return parse(HEAD + textwrap.dedent(text))


def fit(strategy: str) -> str:
    return f"""
        profiles:
        - pluginConfig:
          - name: NodeResourcesFit
            args: {{scoringStrategy: {strategy}}}
        """


def test_nothing_said_is_the_default() -> None:
    assert read("") == SchedulerConfig()


STRATEGIES = {
    "least": (fit("{type: LeastAllocated}"), "empty"),
    "most": (fit("{type: MostAllocated}"), "full"),
    "ratio": (
        fit("{type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}}"), "full",
    ),
}


@pytest.mark.parametrize(("text", "chosen"), STRATEGIES.values(), ids=STRATEGIES.keys())
def test_scoring_strategies(text: str, chosen: str) -> None:
    cluster = Cluster(node("empty"), node("full"), pod(on="full", cpu="2", memory="4Gi"), spec=read(text).profiles[0])
    assert cluster.decide(pod(cpu="1", memory="2Gi")).node == chosen


def test_profiles_have_plugins_of_their_own() -> None:
    config = read("""
        podInitialBackoffSeconds: 2
        podMaxBackoffSeconds: 20
        profiles:
        - schedulerName: default-scheduler
        - schedulerName: careless
          plugins:
            preScore: {disabled: [{name: "*"}]}
            score: {disabled: [{name: "*"}]}
            filter: {disabled: [{name: TaintToleration}]}
            postFilter: {disabled: [{name: DefaultPreemption}]}
        """)
    assert (config.initial_backoff, config.max_backoff) == (2, 20)
    usual, careless = config.profiles
    assert usual.preempts
    assert not careless.preempts
    tainted = node("n", taints=[{"key": "k", "effect": "NoSchedule"}])
    assert Cluster(tainted, spec=usual).decide(pod()).node == ""
    assert Cluster(tainted, spec=careless).decide(pod()).node == "n"
    assert Cluster(spec=careless).profile.scores == ()


def test_weights_and_arguments() -> None:
    config = read("""
        percentageOfNodesToScore: 70
        profiles:
        - plugins:
            score:
              disabled: [{name: ImageLocality}]
              enabled: [{name: NodeResourcesFit, weight: 7}]
          pluginConfig:
          - name: NodeAffinity
            args:
              addedAffinity:
                requiredDuringSchedulingIgnoredDuringExecution:
                  nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [x]}]}]
          - name: InterPodAffinity
            args: {hardPodAffinityWeight: 5}
          - name: PodTopologySpread
            args: {defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: k, whenUnsatisfiable: ScheduleAnyway}]}
        """)
    (spec,) = config.profiles
    weights = dict(spec.scores)
    assert weights["NodeResourcesFit"] == 7
    assert weights["TaintToleration"] == 3
    assert "ImageLocality" not in weights
    assert spec.percentage_of_nodes_to_score == 70
    decision = Cluster(node("n"), spec=spec).decide(pod())
    assert decision.message == "0/1 nodes are available: 1 node(s) didn't match scheduler-enforced node affinity."
    assert Cluster(node("n", labels={"pool": "x"}), spec=spec).decide(pod()).node == "n"


WRONG = {
    "another version": ("apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration", "kubescheduler"),
    "not YAML": (HEAD + "profiles: [", "flow"),
    "unknown field": (HEAD + "algorithmSource: {provider: DefaultProvider}", "algorithmSource"),
    "an election": (HEAD + "leaderElection: {leaderElect: true}", "leaderElect: false"),
    "an election, by default": (HEAD + "leaderElection: {}", "leaderElect: false"),
    "a connection of its own": (HEAD + "clientConnection: {kubeconfig: /etc/kubernetes/scheduler.conf}", "clientConnection.kubeconfig"),
    "profiling": (HEAD + "enableProfiling: true", "enableProfiling"),
    "no decisions at all": (HEAD + "parallelism: 0", "greater than zero"),
    "unknown field of a profile": (HEAD + "profiles: [{schedulername: x}]", "schedulername"),
    "unknown extension point": (HEAD + "profiles: [{plugins: {placement: {}}}]", "placement"),
    "a plugin at the wrong point": (HEAD + "profiles: [{plugins: {permit: {enabled: [{name: NodePorts}]}}}]", "does not extend permit"),
    "without a queue": (HEAD + "profiles: [{plugins: {multiPoint: {disabled: [{name: '*'}], enabled: [{name: DefaultBinder}]}}}]", "PrioritySort"),
    "unknown plugin": (HEAD + "profiles: [{plugins: {score: {enabled: [{name: Coscheduling}]}}}]", "Coscheduling"),
    "unknown argument": (HEAD + "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {strategy: x}}]}]", "strategy"),
    "unknown argument deep inside": (
        HEAD + "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: {required: {}}}}]}]", "required",
    ),
    "arguments of a plugin that takes none": (HEAD + "profiles: [{pluginConfig: [{name: NodePorts, args: {a: 1}}]}]", "a"),
    "shape in the wrong order": (
        HEAD + "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: RequestedToCapacityRatio, "
        "requestedToCapacityRatio: {shape: [{utilization: 50, score: 1}, {utilization: 0, score: 2}]}}}}]}]", "increasing",
    ),
    "a name twice": (HEAD + "profiles: [{schedulerName: a}, {schedulerName: a}]", "twice"),
    "without binding": (HEAD + "profiles: [{plugins: {multiPoint: {disabled: [{name: DefaultBinder}]}}}]", "DefaultBinder"),
}


@pytest.mark.parametrize(("text", "named"), WRONG.values(), ids=WRONG.keys())
def test_what_is_not_supported_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(SchedulerConfigError, match=named):
        parse(text)


def test_what_asks_for_the_default_is_fine() -> None:
    assert read("""
        parallelism: 4
        delayCacheUntilActive: true
        enableProfiling: false
        leaderElection: {leaderElect: false, leaseDuration: 15s, resourceLock: leases}
        clientConnection: {acceptContentTypes: "", burst: 100, contentType: application/vnd.kubernetes.protobuf, kubeconfig: "", qps: 50}
        profiles:
        - schedulerName: default-scheduler
          plugins:
            preEnqueue: {enabled: [{name: SchedulingGates}]}
            queueSort: {disabled: [{name: "*"}], enabled: [{name: PrioritySort}]}
            reserve: {enabled: [{name: VolumeBinding}]}
            permit: {disabled: [{name: "*"}]}
            preBind: {enabled: [{name: VolumeBinding}]}
            bind: {disabled: [{name: "*"}], enabled: [{name: DefaultBinder}]}
            postBind: {}
        """) == SchedulerConfig()


def test_a_profile_made_of_a_few_plugins() -> None:
    (spec,) = read("""
        profiles:
        - plugins:
            multiPoint:
              disabled: [{name: "*"}]
              enabled: [{name: PrioritySort}, {name: DefaultBinder}, {name: NodeResourcesFit, weight: 3}, {name: VolumeBinding}]
            preBind: {disabled: [{name: VolumeBinding}]}
        """).profiles
    assert spec.filters == ("NodeResourcesFit", "VolumeBinding")
    assert dict(spec.scores) == {"NodeResourcesFit": 3, "VolumeBinding": 1}
    assert (spec.reserve, spec.pre_bind, spec.preempts, spec.gated) == ({"VolumeBinding"}, frozenset(), False, False)


async def test_a_profile_may_take_no_notice_of_gates() -> None:
    clock = FakeClock()
    queue = SchedulingQueue(clock, ungated=["careless"])
    queue.add(pod("a", schedulerName="careless", schedulingGates=[{"name": "g"}]))
    queue.add(pod("b", schedulingGates=[{"name": "g"}]))
    assert queue.counts() == {"active": 1, "gated": 1}
