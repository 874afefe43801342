"""Whatever is lost, late, repeated or killed, a Job reaches its goal and counts every Pod exactly once."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from job_world import JobWorld, make_job

from wherry.controller.job import model as m
from wherry.controller.podutil import is_terminal

SHAPES = {
    "plain": {},
    "indexed": {"completion_mode": "Indexed"},
    "per index": {"completion_mode": "Indexed", "backoff_limit_per_index": 100},
    "replace failed": {"pod_replacement_policy": "Failed"},
}
INDEXED = ("indexed", "per index")
PEOPLE = ("suspend", "resume", "widen", "narrow", "strip")
STEP = st.sampled_from(["succeed", "fail", "delete", "see job", "see pod", "see all", "sync", "sync", "die", "die", "restart", "wait"])


def step(w: JobWorld, action: str, choice: int) -> None:
    running = sorted(uid for uid, pod in w.pods.items() if not is_terminal(pod))
    match action:
        case "succeed" | "fail" if running:
            w.end(running[choice % len(running)], "Succeeded" if action == "succeed" else "Failed")
        case "delete" if running:
            w.delete(running[choice % len(running)])
        case "see job":
            w.see_job()
        case "see pod":
            known = sorted({*w.pods, *w.cache})
            if known:
                w.see_pod(known[choice % len(known)])
        case "see all":
            w.see_all()
        case "sync":
            w.reconcile()
        case "die":
            w.reconcile(actions=choice % 5)
        case "restart":
            w.restart()
        case "wait":
            w.now += 400
        case "suspend" | "resume":
            w.edit(suspend=action == "suspend")
        case "widen" | "narrow" if w.job.spec.completion_mode == "Indexed":  # an elastic one: both numbers together
            size = max(1, (w.job.spec.completions or 0) + (1 if action == "widen" else -1))
            w.edit(completions=size, parallelism=size)
        case "strip" if running:
            uid = running[choice % len(running)]
            w.released.add(uid)
            w.strip(uid)


def finish(w: JobWorld) -> None:
    """No more faults: every Pod succeeds, and whoever was asked to go does."""
    for _ in range(200):
        w.settle(400)
        if m.is_finished(w.job):
            return
        for uid, pod in sorted(w.pods.items()):
            if not is_terminal(pod):
                w.end(uid, "Succeeded" if pod.metadata.deletion_timestamp is None else "Failed")
    raise AssertionError(f"never finishes: {w.job.status}")


def check_counts(w: JobWorld, shape: str, completions: int) -> None:
    """The Job is complete, and every Pod that ended is counted once."""
    status = w.job.status
    counted = {uid: phase for uid, phase in w.ended.items() if uid not in w.released}
    assert m.find(w.job, m.COMPLETE)
    assert status.succeeded == completions
    # An index succeeds once, however many of its Pods do.
    wins = [w.index[uid] for uid, phase in counted.items() if phase == "Succeeded"]
    spare = len(wins) - len(set(wins)) if shape in INDEXED else 0
    assert len(counted) - spare <= (status.succeeded or 0) + (status.failed or 0) <= len(counted)
    assert not any(m.is_tracked(pod) for pod in w.pods.values())
    if shape in INDEXED:
        assert status.completed_indexes == {1: "0", 2: "0,1"}.get(completions, f"0-{completions - 1}")
    assert [reason for _, reason, _ in w.events] == ["Completed"]


ENDINGS = ("Failed", "Succeeded", "Succeeded", "Failed", "Succeeded")  # of the first Pods; the others succeed


@pytest.mark.parametrize("action", range(4))
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_death_between_any_two_actions_of_any_sync_changes_nothing(shape: str, action: int) -> None:
    for deadly in range(40):
        w = JobWorld(make_job(completions=3, parallelism=2, backoff_limit=10_000, **SHAPES[shape]))
        endings, syncs = iter(ENDINGS), 0
        while not m.is_finished(w.job) and syncs < 60:
            for _ in range(3):  # a sync by what the last one left, too
                w.see_all()
                w.reconcile(actions=action if syncs == deadly else None)
                syncs += 1
                assert len(w.active()) <= 2
            w.now += 700
            running = sorted(uid for uid, pod in w.pods.items() if not is_terminal(pod))
            if running:
                w.end(running[0], next(endings, "Succeeded"))
        check_counts(w, shape, 3)
        if syncs <= deadly:
            return
    raise AssertionError("more syncs than were tried")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.sampled_from(sorted(SHAPES)), completions=st.integers(1, 4), parallelism=st.integers(1, 3),
    steps=st.lists(st.tuples(STEP, st.integers(0, 9)), min_size=20, max_size=80),
)
def test_counts_are_exact(shape, completions, parallelism, steps):
    w = JobWorld(make_job(completions=completions, parallelism=parallelism, backoff_limit=10_000, **SHAPES[shape]))
    for action, choice in steps:
        step(w, action, choice)
        assert len(w.active()) <= parallelism, "never more at once"
    finish(w)
    event(f"{sum(phase == 'Failed' for phase in w.ended.values())} failures")
    check_counts(w, shape, completions)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.sampled_from(sorted(SHAPES)), size=st.integers(1, 4),
    steps=st.lists(st.tuples(STEP | st.sampled_from(PEOPLE), st.integers(0, 9)), min_size=20, max_size=80),
)
def test_counts_stay_true_while_people_suspend_resize_and_take_finalizers_off(shape, size, steps):
    w = JobWorld(make_job(completions=size, parallelism=size, backoff_limit=10_000, **SHAPES[shape]))
    for action, choice in steps:
        step(w, action, choice)
    if not m.is_finished(w.job):
        w.edit(suspend=False)
        finish(w)
    status, completions = w.job.status, w.job.spec.completions
    ended = len(w.ended)
    assert (status.succeeded or 0) + (status.failed or 0) <= ended, "none is counted twice"
    if shape not in INDEXED:
        assert ended - len(w.released) <= (status.succeeded or 0) + (status.failed or 0), "and none is missed"
    assert not any(m.is_tracked(pod) for pod in w.pods.values())
    assert status.start_time
    if m.find(w.job, m.COMPLETE):
        wins = sum(phase == "Succeeded" for phase in w.ended.values())
        assert (status.succeeded or 0) <= wins, "nothing is counted that did not succeed"
        if shape not in INDEXED:
            assert (status.succeeded or 0) >= (completions or 0)
