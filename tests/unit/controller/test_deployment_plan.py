"""How a Deployment sizes its ReplicaSets, numbers and keeps them, and what its conditions say: tables of single steps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from controller_objects import RECREATE, deployment, pod_template

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.deployment import status as st
from wherry.controller.deployment.actions import Create, Delete, Update, WriteStatus
from wherry.controller.deployment.model import DESIRED, MAX, REVISION, REVISION_HISTORY, Sized, bounds
from wherry.controller.deployment.plan import plan
from wherry.controller.deployment.scaling import grow_new, rescale, shrink_old
from wherry.util.clock import parse_rfc3339, rfc3339

NOW = 1_700_000_000.0
replace = msgspec.structs.replace


def rolling(replicas: int, surge: int | str = 0, unavailable: int | str = 0, **spec: Any) -> apps_v1.Deployment:
    update = apps_v1.RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
    d = deployment(replicas=replicas, strategy=apps_v1.DeploymentStrategy(type="RollingUpdate", rolling_update=update), **spec)
    return replace(d, metadata=replace(d.metadata, uid="d", generation=2), spec=replace(d.spec, template=pod_template({"a": "web"}, "v9")))


def replica_set(
    age: int, size: int, available: int = 0, notes: dict[str, str] | None = None, **status: Any,
) -> apps_v1.ReplicaSet:
    """`v9` is the one of the Deployment's template; the higher the number, the younger."""
    meta = meta_v1.ObjectMeta(
        name=f"v{age}", uid=f"v{age}", namespace="default", generation=1, annotations=notes or {}, creation_timestamp=rfc3339(NOW - 1000 + age),
    )
    counts = {"replicas": size, "available_replicas": available, "ready_replicas": available, "observed_generation": 1, **status}
    spec = apps_v1.ReplicaSetSpec(replicas=size, template=pod_template({"a": "web"}, f"v{age}"))
    return apps_v1.ReplicaSet(metadata=meta, spec=spec, status=apps_v1.ReplicaSetStatus(**counts))


def sized(was: apps_v1.Deployment, sizes: dict[int, int], available: dict[int, int] | None = None) -> list[Sized]:
    """As `was`, an earlier state of the Deployment, has sized them."""
    notes = {DESIRED: str(was.spec.replicas), MAX: str((was.spec.replicas or 0) + bounds(was)[0])}
    return [Sized.of(replica_set(age, size, (available or {}).get(age, 0), notes)) for age, size in sizes.items()]


def newest(sets: list[Sized]) -> Sized | None:
    return next((each for each in sets if each.name == "v9"), None)


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "expected"), [
    (2, "1%", "0%", (1, 0)), (2, "25%", "1%", (1, 0)), (2, "0%", "1%", (0, 1)), (1, "0%", "1%", (0, 1)), (1, "25%", "25%", (1, 0)),
    (10, "25%", "25%", (3, 2)), (3, 0, 0, (0, 1)), (3, 1, 10, (1, 3)), (0, "25%", "25%", (0, 0)),
])
def test_how_many_more_and_fewer_there_may_be(replicas, surge, unavailable, expected):
    assert bounds(rolling(replicas, surge, unavailable)) == expected


@pytest.mark.parametrize(("before", "after", "sizes", "expected"), [
    pytest.param((10, 0), (12, 0), {9: 10}, {9: 12}, id="one grows"),
    pytest.param((10, 0), (5, 0), {9: 10}, {9: 5}, id="one shrinks"),
    pytest.param((5, 0), (10, 0), {1: 3, 9: 2}, {1: 6, 9: 4}, id="5 to 10"),
    pytest.param((5, 0), (3, 0), {1: 3, 9: 2}, {1: 2, 9: 1}, id="5 to 3"),
    pytest.param((9, 0), (4, 0), {1: 1, 9: 8}, {1: 0, 9: 4}, id="9 to 4, the small one goes"),
    pytest.param((7, 0), (10, 0), {1: 2, 2: 3, 9: 2}, {1: 3, 2: 4, 9: 3}, id="7 to 10"),
    pytest.param((13, 0), (8, 0), {1: 3, 2: 8, 9: 2}, {1: 2, 2: 5, 9: 1}, id="13 to 8"),
    pytest.param((3, 0), (4, 0), {1: 1, 2: 1, 9: 1}, {1: 1, 2: 1, 9: 2}, id="of equals the youngest grows"),
    pytest.param((3, 0), (2, 0), {1: 1, 2: 1, 9: 1}, {1: 0, 2: 1, 9: 1}, id="of equals the oldest shrinks"),
    pytest.param((4, 0), (5, 0), {1: 2, 2: 2}, {1: 2, 2: 3}, id="none of this template yet"),
    pytest.param((6, 0), (0, 0), {1: 1, 2: 2, 9: 3}, {1: 0, 2: 0, 9: 0}, id="to nothing"),
    pytest.param((6, 0), (6, 0), {1: 0, 2: 0, 9: 0}, {1: 0, 2: 0, 9: 6}, id="from nothing, the new one"),
    pytest.param((6, 0), (6, 0), {1: 0, 2: 0}, {1: 0, 2: 6}, id="from nothing, the youngest"),
    pytest.param((10, 2), (20, 2), {1: 6, 9: 6}, {1: 11, 9: 11}, id="with surge"),
    pytest.param((10, 3), (50, 6), {1: 8, 9: 5}, {1: 34, 9: 22}, id="surge and size"),
    pytest.param((10, 0), (14, 0), {1: 3, 2: 7}, {1: 4, 2: 10}, id="size and template"),
    pytest.param((2, 1), (2, 1), {1: 1, 9: 2}, {1: 1, 9: 2}, id="full and not available: the old stays"),
])
def test_a_change_of_size_in_mid_rollout_is_shared(before, after, sizes, expected):
    d = rolling(after[0], after[1], 1)
    sets = sized(rolling(before[0], before[1], 1), sizes)
    rescale(d, sets, newest(sets))
    assert {int(each.name[1:]): each.replicas for each in sets} == expected


def test_when_the_new_one_is_full_and_available_the_old_ones_go():
    d = rolling(2, 1, 1)
    sets = sized(d, {1: 1, 9: 2}, {9: 2})
    rescale(d, sets, newest(sets))
    assert [each.replicas for each in sets] == [0, 2]


def test_a_recreate_in_mid_rollout_shares_nothing():
    d = replace(rolling(9), spec=replace(rolling(9).spec, strategy=RECREATE))
    sets = sized(rolling(5), {1: 2, 9: 3})
    assert rescale(d, sets, newest(sets)) == []


@pytest.mark.parametrize(("surge", "sizes", "expected"), [
    (0, {1: 10, 9: 0}, 0), (2, {1: 10, 9: 0}, 2), (2, {1: 5, 9: 0}, 7), (2, {1: 10, 9: 2}, 2), (2, {1: 2, 9: 11}, 10),
])
def test_the_new_one_grows_as_far_as_the_surge_allows(surge, sizes, expected):
    d = rolling(10, surge, 1)
    sets = sized(d, sizes)
    new = newest(sets)
    assert new is not None
    grow_new(d, sets, new)
    assert new.replicas == expected


@pytest.mark.parametrize(("unavailable", "sizes", "available", "expected"), [
    pytest.param(0, {1: 10, 9: 0}, {1: 10}, {1: 10}, id="none may be missing"),
    pytest.param(2, {1: 10, 9: 0}, {1: 10}, {1: 8}, id="two may"),
    pytest.param(2, {1: 10, 9: 0}, {1: 8}, {1: 8}, id="the two that are ill"),
    pytest.param(2, {1: 10, 9: 0}, {1: 9}, {1: 8}, id="the ill one and another"),
    pytest.param(2, {1: 8, 9: 2}, {1: 8}, {1: 8}, id="two are missing: the new ones"),
    pytest.param(2, {1: 8, 9: 5}, {1: 8, 9: 2}, {1: 6}, id="as many as have become available"),
    pytest.param(2, {1: 5, 2: 5, 9: 0}, {1: 3, 2: 5}, {1: 3, 2: 5}, id="ill ones of the oldest first"),
    pytest.param(3, {1: 1, 2: 9, 9: 0}, {1: 1, 2: 9}, {1: 0, 2: 7}, id="the oldest goes first"),
    pytest.param(1, {1: 0, 9: 10}, {9: 2}, {1: 0}, id="nothing left to take"),
    pytest.param(2, {1: 8, 9: 5}, {1: 7}, {1: 8}, id="new ones that never start do not let ill old ones go"),
    pytest.param(2, {1: 7, 9: 3}, {1: 8, 9: 2}, {1: 6}, id="what is to go already serves no more"),
])
def test_old_ones_shrink_as_far_as_may_be_missing(unavailable, sizes, available, expected):
    d = rolling(10, 3, unavailable)
    sets = sized(d, sizes, available)
    new = newest(sets)
    assert new is not None
    shrink_old(d, sets, new)
    assert {int(each.name[1:]): each.replicas for each in sets if each is not new} == expected


# --- revisions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("history", "old", "expected"), [
    (None, "1", "1"), ("1,4", "7", "1,4,7"), ("1", None, None),
    pytest.param("1" * 1990 + ",22", "333333", "1" * 1990 + ",22,333333", id="2000 characters"),
    pytest.param("1" * 1991 + ",22", "333333", "22,333333", id="too long by one"),
])
def test_a_revision_that_comes_back_remembers_its_numbers(history, old, expected):
    d = rolling(3, 1)
    sizes = {DESIRED: "3", MAX: "4"}
    notes = sizes | ({REVISION: old} if old else {}) | ({REVISION_HISTORY: history} if history else {})
    found = plan(d, [replica_set(1, 3, 3, sizes | {REVISION: "499999"}), replica_set(9, 0, 0, notes)], {}, NOW)
    changed = next(each.annotations for each in found.actions if isinstance(each, Update) and each.rs.metadata.name == "v9")
    assert (changed[REVISION], changed.get(REVISION_HISTORY)) == ("500000", expected)


def test_a_revision_never_falls_when_older_ones_are_gone():
    sizes = {DESIRED: "3", MAX: "4"}
    found = plan(rolling(3, 1), [replica_set(1, 0, 0, sizes | {REVISION: "2"}), replica_set(9, 3, 3, sizes | {REVISION: "7"})], {}, NOW)
    assert [each for each in found.actions if isinstance(each, Update)] == []
    assert next(each.annotations for each in found.actions if isinstance(each, WriteStatus)) == {REVISION: "7"}


def test_annotations_are_handed_on_but_not_what_is_the_deployments_own():
    d = rolling(3)
    own = {"kubectl.kubernetes.io/last-applied-configuration": "{}", REVISION: "1", "deprecated.deployment.rollback.to": "1"}
    d = replace(d, metadata=replace(d.metadata, annotations={"kubernetes.io/change-cause": "why", **own}))
    (made,) = [each for each in plan(d, [], {}, NOW).actions if isinstance(each, Create)]
    assert made.rs.metadata.annotations == {"kubernetes.io/change-cause": "why", REVISION: "1", DESIRED: "3", MAX: "3"}


FULL = {DESIRED: "1", MAX: "1"}


@pytest.mark.parametrize(("limit", "old", "gone"), [
    pytest.param(1, [replica_set(age, 0) for age in (1, 2, 3)], ["v1", "v2"], id="the oldest"),
    pytest.param(0, [replica_set(1, 0), replica_set(2, 0, replicas=1), replica_set(3, 0, observed_generation=0)], ["v1"], id="only empty ones"),
    pytest.param(0, [replica_set(1, 0, notes={REVISION: "5"}), replica_set(2, 0, notes={REVISION: "4"})], ["v2", "v1"], id="by revision"),
    pytest.param(2**31 - 1, [replica_set(1, 0), replica_set(2, 0)], [], id="no limit"),
])
def test_history_has_its_limit(limit, old, gone):
    d = rolling(1, revision_history_limit=limit)
    status = apps_v1.DeploymentStatus(replicas=1, updated_replicas=1, available_replicas=1, observed_generation=2)
    found = plan(replace(d, status=status), [*old, replica_set(9, 1, 1, FULL)], {}, NOW)
    assert [each.rs.metadata.name for each in found.actions if isinstance(each, Delete)] == gone


def test_history_waits_for_the_end_of_the_rollout_or_a_pause():
    old, new = [replica_set(1, 0), replica_set(2, 0)], replica_set(9, 1, 0, FULL)
    d = rolling(1, revision_history_limit=0)

    def gone(d: apps_v1.Deployment) -> int:
        return sum(isinstance(each, Delete) for each in plan(d, [*old, new], {}, NOW).actions)

    status = apps_v1.DeploymentStatus(replicas=1, updated_replicas=1, available_replicas=1, observed_generation=2)
    assert gone(d) == 0
    assert gone(replace(d, status=status)) == 2
    assert gone(replace(d, status=replace(status, observed_generation=1))) == 0, "complete, but of an older generation"
    assert gone(replace(d, spec=replace(d.spec, paused=True))) == 2


# --- recreate ------------------------------------------------------------------------------------------


def pod(phase: str) -> core_v1.Pod:
    return core_v1.Pod(metadata=meta_v1.ObjectMeta(name="p"), status=core_v1.PodStatus(phase=phase))


@pytest.mark.parametrize(("phases", "counted", "starts"), [
    ([], 0, True), (["Failed", "Succeeded"], 0, True), (["Running"], 0, False), (["Pending", "Failed"], 0, False), (["Unknown"], 0, False),
    ([], 1, False),
])
def test_a_recreate_waits_for_every_old_pod(phases, counted, starts):
    d = replace(rolling(2), spec=replace(rolling(2).spec, strategy=RECREATE))
    found = plan(d, [replica_set(1, 0, replicas=counted)], {"v1": [pod(phase) for phase in phases]}, NOW)
    assert any(isinstance(each, Create) for each in found.actions) == starts


def test_a_recreate_of_another_size_sizes_what_is_there():
    d = replace(rolling(3), spec=replace(rolling(3).spec, strategy=RECREATE))
    found = plan(d, [replica_set(9, 1, 1, FULL)], {}, NOW)
    assert [each.spec for each in found.actions if isinstance(each, Update) and each.spec] == [{"replicas": 3}]


# --- conditions ----------------------------------------------------------------------------------------


def progress(reason: str, since: float, value: str = "True") -> apps_v1.DeploymentCondition:
    moment = rfc3339(NOW - since)
    return apps_v1.DeploymentCondition(type="Progressing", status=value, reason=reason, last_update_time=moment, last_transition_time=moment)


def after(d: apps_v1.Deployment, *sets: apps_v1.ReplicaSet) -> tuple[tuple[str, str] | None, float | None]:
    """What Progressing says then, and when it is to be looked at again."""
    found = plan(d, sets, {}, NOW)
    written = [each.status for each in found.actions if isinstance(each, WriteStatus)]
    told = st.condition(written[-1] if written else st.current(d), st.PROGRESSING)
    return (told["status"], told["reason"]) if told else None, found.requeue_after


def stuck(reason: str, since: float, value: str = "True", **spec: Any) -> apps_v1.Deployment:
    """Two of three are of the new template and one is available; nothing changes."""
    d = rolling(3, 1, progress_deadline_seconds=60, **spec)
    status = apps_v1.DeploymentStatus(
        replicas=4, updated_replicas=1, ready_replicas=3, available_replicas=3, unavailable_replicas=1, observed_generation=2,
        conditions=[progress(reason, since, value)],
    )
    return replace(d, status=status, metadata=replace(d.metadata, annotations={REVISION: "2"}))


HANGING = (replica_set(1, 3, 3, {REVISION: "1", DESIRED: "3", MAX: "4"}), replica_set(9, 1, 0, {REVISION: "2", DESIRED: "3", MAX: "4"}))


@pytest.mark.parametrize(("d", "expected"), [
    pytest.param(stuck("ReplicaSetUpdated", 30), (("True", "ReplicaSetUpdated"), 31.0), id="in time"),
    pytest.param(stuck("ReplicaSetUpdated", 61), (("False", "ProgressDeadlineExceeded"), None), id="too late"),
    pytest.param(stuck("ProgressDeadlineExceeded", 5, "False"), (("False", "ProgressDeadlineExceeded"), None), id="told already"),
    pytest.param(stuck("DeploymentResumed", 30, "Unknown"), (("Unknown", "DeploymentResumed"), 31.0), id="resumed, in time"),
    pytest.param(stuck("DeploymentResumed", 61, "Unknown"), (("False", "ProgressDeadlineExceeded"), None), id="resumed, too late"),
    pytest.param(stuck("DeploymentPaused", 600, "Unknown"), (("Unknown", "DeploymentResumed"), 61.0), id="a pause does not count"),
    pytest.param(stuck("ReplicaSetUpdated", 600, paused=True), (("Unknown", "DeploymentPaused"), 61.0), id="nobody waits in a pause"),
    pytest.param(stuck("ProgressDeadlineExceeded", 5, "False", paused=True), (("False", "ProgressDeadlineExceeded"), None), id="paused too late"),
    pytest.param(stuck("ReplicaSetCreateError", 61, "False"), (("False", "ProgressDeadlineExceeded"), None), id="could not be made"),
])
def test_the_deadline(d, expected):
    assert after(d, *HANGING) == expected


def test_without_a_deadline_there_is_no_progress_to_tell():
    d = stuck("ReplicaSetUpdated", 10)
    for none in (None, 2**31 - 1):
        assert after(replace(d, spec=replace(d.spec, progress_deadline_seconds=none)), *HANGING) == (None, None)


def test_progress_moves_the_deadline_but_not_the_time_of_the_last_change():
    d = stuck("ReplicaSetUpdated", 50)
    better = replica_set(9, 1, 1, {REVISION: "2", DESIRED: "3", MAX: "4"})
    found = plan(d, [HANGING[0], better], {}, NOW)
    told = st.condition([each.status for each in found.actions if isinstance(each, WriteStatus)][-1], st.PROGRESSING)
    assert told is not None
    assert (parse_rfc3339(told["lastUpdateTime"]), parse_rfc3339(told["lastTransitionTime"])) == (NOW, NOW - 50)


def test_the_new_ones_failure_is_told_before_an_old_ones():
    def failing(age: int, message: str) -> apps_v1.ReplicaSet:
        told = apps_v1.ReplicaSetCondition(type="ReplicaFailure", status="True", reason="FailedCreate", message=message)
        rs = replica_set(age, 1)
        return replace(rs, status=replace(rs.status, conditions=[told]))

    def message(*sets: apps_v1.ReplicaSet) -> str | None:
        written = [each.status for each in plan(rolling(2, 1), sets, {}, NOW).actions if isinstance(each, WriteStatus)]
        told = st.condition(written[-1], st.REPLICA_FAILURE)
        return told["message"] if told else None

    assert message(failing(1, "old"), failing(9, "new")) == "new"
    assert message(failing(1, "old"), replica_set(9, 1)) == "old"
    assert message(replica_set(1, 1), replica_set(9, 1)) is None


def test_how_many_are_going_is_unknown_while_one_does_not_tell():
    def going(*counts: int | None) -> int | None:
        sets = [replica_set(age, 1, terminating_replicas=count) for age, count in enumerate(counts, 1)]
        written = [each.status for each in plan(rolling(2, 1), sets, {}, NOW).actions if isinstance(each, WriteStatus)]
        return written[-1]["terminatingReplicas"]

    assert going(1, 2) == 3
    assert going(1, None) is None


@pytest.mark.parametrize(("available", "expected"), [(2, "True"), (1, "False")])
def test_it_is_available_while_enough_are(available, expected):
    found = plan(rolling(3, 1, 1), [replica_set(9, 3, available, {DESIRED: "3", MAX: "4"})], {}, NOW)
    told = st.condition([each.status for each in found.actions if isinstance(each, WriteStatus)][-1], st.AVAILABLE)
    assert told is not None
    assert told["status"] == expected


def test_none_are_unavailable_while_it_shrinks():
    found = plan(rolling(1, 0, 1), [replica_set(9, 1, 3, FULL)], {}, NOW)
    assert [each.status for each in found.actions if isinstance(each, WriteStatus)][-1]["unavailableReplicas"] == 0


def test_an_old_pod_less_is_progress():
    d = rolling(3, 1, progress_deadline_seconds=60)
    status = apps_v1.DeploymentStatus(
        replicas=4, updated_replicas=1, ready_replicas=4, available_replicas=4, observed_generation=2,
        conditions=[progress("ReplicaSetUpdated", 50)],
    )
    d = replace(d, status=status, metadata=replace(d.metadata, annotations={REVISION: "2"}))
    sizes = {DESIRED: "3", MAX: "4"}
    old, new = replica_set(1, 2, 2, sizes | {REVISION: "1"}), replica_set(9, 1, 1, sizes | {REVISION: "2"})
    found = plan(d, [old, new], {}, NOW)
    told = st.condition([each.status for each in found.actions if isinstance(each, WriteStatus)][-1], st.PROGRESSING)
    assert told is not None
    assert parse_rfc3339(told["lastUpdateTime"]) == NOW
