"""Extenders: what they are asked, what their answers do, and what happens when they fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web
from scheduler_makers import node, pod
from scheduling_world import open_world

from wherry.scheduler.config import SchedulerConfig, SchedulerConfigError, parse
from wherry.scheduler.extender import Extender, ExtenderError, ExtenderSpec, filtered, preempting, prioritized
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.preemption import Candidate

URL = "http://127.0.0.1:1/x"
Answer = Callable[[dict[str, Any]], Any]


class Played:
    """Answers by verb, as JSON would arrive; remembers what was asked."""

    def __init__(self, **verbs: Answer) -> None:
        self.verbs, self.asked = verbs, list[tuple[str, dict[str, Any]]]()

    async def __call__(self, verb: str, body: dict[str, Any]) -> Any:
        plain = json.loads(msgspec.json.encode(body))
        self.asked.append((verb, plain))
        answer = self.verbs[verb](plain)
        if isinstance(answer, Exception):
            raise answer
        return json.loads(json.dumps(answer))

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Played]:
    def play(**verbs: Answer) -> Played:
        made = Played(**verbs)
        monkeypatch.setattr(ExtenderSpec, "dial", lambda self: made)
        return made

    return play


def config(more: str = "", profiles: str = "") -> SchedulerConfig:
    return parse(f"""
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
{profiles}
extenders:
- {{urlPrefix: "{URL}", {more}}}
""")


FILTER = "filterVerb: filter"


def only(*names: str) -> Answer:
    """Lets the nodes of these names pass, and tells nothing of the others."""
    return lambda asked: {"nodes": {"items": [each for each in asked["nodes"]["items"] if each["metadata"]["name"] in names]}}


async def test_a_filter_leaves_nodes(played: Callable[..., Played]) -> None:
    played = played(filter=only("b"))
    async with open_world(config(FILTER)) as world:
        for name in "abc":
            await world.node(name)
        await world.pod("p", "1")
        await world.settle(2)
        assert await world.where("p") == "b"
        ((_, asked),) = played.asked
        assert asked["pod"]["metadata"]["name"] == "p"
        assert (asked["nodes"]["items"][0]["kind"], asked["nodes"]["items"][0]["status"]["allocatable"]["cpu"]) == ("Node", "4")


@pytest.mark.parametrize(("failed", "message"), [
    ({"FailedNodes": {"a": "no gpu left"}}, "0/2 nodes are available: 1 Insufficient cpu, 1 no gpu left."),
    ({"failedAndUnresolvableNodes": {"a": "broken"}}, "0/2 nodes are available: 1 Insufficient cpu, 1 broken."),
    ({}, "0/2 nodes are available: 1 Insufficient cpu."),
], ids=["reasons", "for good", "nothing said"])
async def test_what_it_refuses_is_told(played: Callable[..., Played], failed: dict[str, Any], message: str) -> None:
    played(filter=lambda asked: {"NodeNames": [], "Error": "", **failed})
    async with open_world(config(f"{FILTER}, nodeCacheCapable: true")) as world:
        await world.node("a")
        await world.node("b", cpu="1")
        await world.pod("p", "2")
        await world.settle(2)
        assert (await world.why("p")).startswith(message)
        await world.node("c")  # any event may help
        await world.settle(4)
        assert await world.where("p") == ""


async def test_scores_are_weighted_against_those_of_plugins(played: Callable[..., Played]) -> None:
    played = played(prioritize=lambda asked: [{"Host": name, "Score": 10 if name == "b" else 0} for name in asked["nodenames"]])
    async with open_world(config("prioritizeVerb: prioritize, weight: 5, nodeCacheCapable: true")) as world:
        await world.node("a")
        await world.node("b")
        for index in range(3):
            await world.pod(f"p{index}", "500m")
        await world.settle(2)
        assert [await world.where(f"p{index}") for index in range(3)] == ["b"] * 3
        assert set(played.asked[0][1]["nodenames"]) == {"a", "b"}


async def test_it_is_asked_only_about_pods_with_its_resources(played: Callable[..., Played]) -> None:
    played = played(filter=only("a"))
    managed = f"{FILTER}, managedResources: [{{name: example.com/foo, ignoredByScheduler: true}}]"
    async with open_world(config(managed)) as world:
        await world.node("a")
        await world.pod("plain", "1")
        container = {"name": "c", "image": "i", "resources": {"limits": {"example.com/foo": "7"}}}
        await world.pod("special", containers=[container])
        await world.settle(2)
        assert await world.where("plain") == await world.where("special") == "a", "no node has any, and that is the extender's matter"
        assert [asked["pod"]["metadata"]["name"] for _, asked in played.asked] == ["special"]


@pytest.mark.parametrize("ignorable", [True, False])
async def test_one_that_fails(played: Callable[..., Played], ignorable: bool) -> None:
    played(filter=lambda asked: ExtenderError("failed filter with extender at URL u, code 500"))
    async with open_world(config(f"{FILTER}, ignorable: {str(ignorable).lower()}")) as world:
        await world.node("a")
        await world.pod("p")
        await world.settle(2)
        assert await world.where("p") == ("a" if ignorable else "")
        if not ignorable:
            told = await world.condition("p")
            assert (told["reason"], told["message"]) == ("SchedulerError", "failed filter with extender at URL u, code 500")
            assert ("Warning", "FailedScheduling", told["message"]) in await world.events("p")


async def test_a_node_that_was_not_asked_about(played: Callable[..., Played]) -> None:
    played(filter=lambda asked: {"nodenames": ["z"]})
    async with open_world(config(f"{FILTER}, nodeCacheCapable: true")) as world:
        await world.node("a")
        await world.pod("p")
        await world.settle(2)
        assert await world.why("p") == f'extender "{URL}" claims a filtered node "z" which is not found in the input node list'


async def test_it_binds(played: Callable[..., Played]) -> None:
    played = played(bind=lambda asked: {})
    async with open_world(config("bindVerb: bind")) as world:
        await world.node("a")
        made = await world.pod("p")
        await world.settle(2)
        assert await world.where("p") == "", "it said that it had, and did not"
        assert played.asked == [("bind", {"podName": "p", "podNamespace": "default", "podUID": made["metadata"]["uid"], "node": "a"})]


@pytest.mark.parametrize("ignorable", [True, False])
async def test_a_binding_that_fails(played: Callable[..., Played], ignorable: bool) -> None:
    played(bind=lambda asked: {"error": "no way"})
    async with open_world(config(f"bindVerb: bind, ignorable: {str(ignorable).lower()}")) as world:
        await world.node("a")
        await world.pod("p")
        await world.settle(2)
        assert await world.where("p") == ("a" if ignorable else "")
        if not ignorable:
            assert await world.why("p") == "no way"


@pytest.mark.parametrize(("left", "victim"), [(["a"], "va"), (["b"], "vb"), ([], "")], ids=["one", "the other", "none"])
async def test_it_has_a_word_in_preemption(played: Callable[..., Played], left: list[str], victim: str) -> None:
    played = played(preempt=lambda asked: {
        "nodeNameToMetaVictims": {name: asked["nodeNameToMetaVictims"][name] for name in left},
    })
    async with open_world(config("preemptVerb: preempt, nodeCacheCapable: true")) as world:
        await world.ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "high"}, "value": 10})
        for name in "ab":
            await world.node(name, cpu="1")
            await world.pod(f"v{name}", "1", nodeName=name)
        await world.pod("p", "1", priorityClassName="high")
        await world.settle(2)
        going = [name for name in ("va", "vb") if "deletionTimestamp" in (await world.get(name))["metadata"]]
        assert going == ([victim] if victim else [])
        _, asked = played.asked[0]
        assert asked["nodeNameToMetaVictims"].keys() == {"a", "b"}
        assert asked["nodeNameToMetaVictims"]["a"]["pods"][0]["uid"] == (await world.get("va"))["metadata"]["uid"]


@pytest.mark.parametrize(("answer", "goes", "why"), [
    pytest.param(["gpu"], ["gpu"], "", id="somebody whom no plugin knew"),
    pytest.param([], [], "No preemption victims found", id="nobody"),
    pytest.param(["nobody"], [], "but the pod is not found on that node", id="somebody who is not there"),
    pytest.param(None, [], "No preemption victims found", id="not this node"),
    pytest.param(ExtenderError("failed preempt, code 500"), [], "failed preempt, code 500", id="an error"),
])
async def test_it_names_who_has_to_go_for_what_it_refused(
    played: Callable[..., Played], answer: list[str] | Exception | None, goes: list[str], why: str,
) -> None:
    uids = {"nobody": "x"}

    def preempt(asked: dict[str, Any]) -> Any:
        assert asked["nodeNameToVictims"]["a"]["pods"] == [], "the plugins need nobody's going"
        if not isinstance(answer, list):
            return answer or {"nodeNameToMetaVictims": {}}
        return {"nodeNameToMetaVictims": {"a": {"pods": [{"uid": uids[name]} for name in answer]}}}

    played(filter=lambda asked: {"nodes": {"items": []}, "failedNodes": {"a": "out of GPU"}}, preempt=preempt)
    async with open_world(config(f"{FILTER}, preemptVerb: preempt")) as world:
        await world.ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "high"}, "value": 10})
        await world.node("a")
        for name in ("gpu", "other"):
            uids[name] = (await world.pod(name, "1", nodeName="a"))["metadata"]["uid"]
        await world.pod("p", "1", priorityClassName="high")
        await world.settle(2)
        assert [name for name in ("gpu", "other") if "deletionTimestamp" in (await world.get(name))["metadata"]] == goes
        assert why in await world.why("p")
        assert (await world.get("p"))["status"].get("nominatedNodeName") == ("a" if goes else None)


async def test_nobody_goes_for_what_an_extender_refused(played: Callable[..., Played]) -> None:
    played(filter=lambda asked: {"nodenames": [], "failedNodes": {"a": "I will not"}})
    async with open_world(config(f"{FILTER}, nodeCacheCapable: true")) as world:
        await world.ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "high"}, "value": 10})
        await world.node("a")
        await world.pod("v", "1", nodeName="a")
        await world.pod("p", "1", priorityClassName="high")
        await world.settle(2)
        assert "deletionTimestamp" not in (await world.get("v"))["metadata"]
        assert await world.why("p") == (
            "0/1 nodes are available: 1 I will not. no new claims to deallocate, preemption: "
            '0/1 nodes are available: 1 expected at least one victim pod on node "a".'
        )


def playing(played: Played, weight: int = 1) -> Extender:
    spec = ExtenderSpec(URL, filter_verb="filter", prioritize_verb="prioritize", weight=weight, node_cache_capable=True)
    return Extender(spec, played)


async def test_several_are_asked_one_after_the_other() -> None:
    def wants(*names: str, best: str) -> Played:
        return Played(
            filter=lambda asked: {"nodenames": [name for name in asked["nodenames"] if name in names]},
            prioritize=lambda asked: [{"host": name, "score": 10 if name == best else 1} for name in asked["nodenames"]],
        )

    first, second = wants("a", "b", "c", best="b"), wants("b", "c", "e", best="c")
    both = [playing(first, 3), playing(second, 4)]
    left, _ = await filtered(both, pod(), {name: node(name) for name in "abcde"})
    assert list(left) == ["b", "c"]
    assert second.asked[0][1]["nodenames"] == ["a", "b", "c"], "only what the first let pass"
    assert await prioritized(both, pod(), left) == {"b": 300 + 40, "c": 30 + 400}


async def test_one_leaves_it_to_the_next_to_name_somebody() -> None:
    there = NodeInfo(node("a"), "a")
    there.add(victim := pod("victim", on="a"))

    def naming(*uids: str) -> Played:
        return Played(preempt=lambda asked: {"nodeNameToMetaVictims": {"a": {"pods": [{"uid": uid} for uid in uids]}}})

    first, second = naming(), naming(victim.metadata.uid)
    both = [Extender(ExtenderSpec(URL, preempt_verb="preempt"), each) for each in (first, second)]
    (found,) = await preempting(both, pod(), [Candidate("a", (), 0)], {"a": there})
    assert found.victims == (victim,)
    assert second.asked[0][1]["nodeNameToVictims"] == {"a": {"pods": [], "numPDBViolations": 0}}
    assert await preempting(both[:1], pod(), [Candidate("a", (victim,), 0)], {"a": there}) == []


async def test_over_http() -> None:
    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"nodenames": body["nodenames"], "path": request.path}) if "nodenames" in body else web.Response(status=418)

    application = web.Application()
    application.router.add_post("/{tail:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        ask = ExtenderSpec(f"http://127.0.0.1:{port}/scheduler/").dial()
        assert await ask("filter", {"nodenames": ["a"]}) == {"nodenames": ["a"], "path": "/scheduler/filter"}
        with pytest.raises(ExtenderError, match="failed filter with extender at URL .*/scheduler/filter, code 418"):
            await ask("filter", {})
    finally:
        await runner.cleanup()
    with pytest.raises(ExtenderError, match=f"POST http://127.0.0.1:{port}/scheduler"):
        await ask("filter", {})
    await ask.close()


@pytest.mark.parametrize(("text", "named"), [
    ("prioritizeVerb: p", "positive weight"),
    ("prioritizeVerb: p, weight: -1", "positive weight"),
    ("managedResources: [{name: cpu}]", "cpu is an invalid extended resource name"),
    ("managedResources: [{name: a.b/c}, {name: a.b/c}]", "stands twice"),
    ("httpTimeout: 5", "httpTimeout"),
    ("httpTimeout: soon", "invalid duration"),
    ('bindVerb: b}\n- {urlPrefix: "http://x", bindVerb: b', "only one extender can implement bind"),
    ("filterverb: f", "filterverb"),
])
def test_what_is_wrong_is_named(text: str, named: str) -> None:
    with pytest.raises(SchedulerConfigError, match=named):
        config(text)


@pytest.mark.parametrize(("text", "seconds"), [("", 5.0), ("100ms", 0.1), ("1m30s", 90.0), ("1.5s", 1.5)])
def test_timeouts(text: str, seconds: float) -> None:
    assert ExtenderSpec(URL, http_timeout=text).timeout == seconds
