"""A rolling update on a simulated world with stale caches: what it promises about surge and availability.

First the planner alone, then the controller.  The planner's world keeps every version of every ReplicaSet.  The planner sees each of them as old as it likes, but for
what it wrote itself (`written.py` waits for that), and a write against a version that is not the newest is
refused, as by the server.
"""

from __future__ import annotations

import msgspec
from controller_objects import deployment, pod_template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lagging_world import LaggingWorld

from wherry.api.types import apps_v1
from wherry.controller.deployment.actions import Create, Update
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.deployment.model import bounds
from wherry.controller.deployment.plan import plan

change = msgspec.structs.replace
NOW = 1_700_000_000.0


class Rollout:
    """ReplicaSets as the server has them, and every version that a cache may still show."""

    def __init__(self, replicas: int, surge: int, unavailable: int) -> None:
        rolling = apps_v1.RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
        d = deployment(replicas=replicas, strategy=apps_v1.DeploymentStrategy(type="RollingUpdate", rolling_update=rolling))
        self.d = change(d, metadata=change(d.metadata, uid="d", generation=1))
        self.sets: dict[str, apps_v1.ReplicaSet] = {}
        self.version = 0
        self.history: dict[str, list[apps_v1.ReplicaSet]] = {}
        self.own: dict[str, int] = {}  # in `history`: the newest version that the planner wrote
        self.step((0,))
        self.ready_all()

    def put(self, rs: apps_v1.ReplicaSet, own: bool = False) -> None:
        self.version += 1
        meta = change(rs.metadata, uid=rs.metadata.name, resource_version=str(self.version),
                      creation_timestamp=rs.metadata.creation_timestamp or f"2023-01-01T00:{len(self.sets):02}:00Z")
        self.sets[rs.metadata.name] = change(rs, metadata=meta)
        versions = self.history.setdefault(rs.metadata.name, [])
        versions.append(self.sets[rs.metadata.name])
        if own:
            self.own[rs.metadata.name] = len(versions) - 1

    def view(self, lags: tuple[int, ...]) -> list[apps_v1.ReplicaSet]:
        return [
            versions[max(self.own[name], len(versions) - 1 - lags[number % len(lags)])]
            for number, (name, versions) in enumerate(self.history.items())
        ]

    def step(self, lags: tuple[int, ...]) -> None:
        """One reconcile on a view in which each is so many changes old; the first refused write ends it, as an exception would."""
        for action in plan(self.d, self.view(lags), {}, NOW).actions:
            if isinstance(action, Create):
                if action.rs.metadata.name not in self.sets:
                    self.put(action.rs, own=True)
            elif isinstance(action, Update):
                current = self.sets[action.rs.metadata.name]
                if current.metadata.resource_version != action.rs.metadata.resource_version:
                    return
                spec = change(current.spec, replicas=action.spec.get("replicas", current.spec.replicas))
                annotations = {**current.metadata.annotations, **action.annotations}
                self.put(change(current, spec=spec, metadata=change(current.metadata, annotations=annotations)), own=True)

    def replica_sets_act(self, name: str, ready: int) -> None:
        """The ReplicaSet controller and the kubelet: Pods follow the spec; up to `ready` more become available."""
        rs = self.sets[name]
        available = min(rs.spec.replicas or 0, (rs.status.available_replicas or 0) + ready)
        status = change(rs.status, replicas=rs.spec.replicas or 0, available_replicas=available, ready_replicas=available)
        if status != rs.status:
            self.put(change(rs, status=status))

    def ready_all(self) -> None:
        for name in list(self.sets):
            self.replica_sets_act(name, 10_000)

    def update(self, image: str) -> None:
        template = pod_template({"a": "web"}, image)
        meta = change(self.d.metadata, generation=(self.d.metadata.generation or 0) + 1)
        self.d = change(self.d, spec=change(self.d.spec, template=template), metadata=meta)

    def asked_for(self) -> int:
        return sum(rs.spec.replicas or 0 for rs in self.sets.values())

    def surely_available(self) -> int:
        """Pods that are available and that nobody has asked to go."""
        return sum(min(rs.spec.replicas or 0, rs.status.available_replicas or 0) for rs in self.sets.values())


moves = st.lists(st.one_of(
    st.tuples(st.just("step"), st.tuples(*[st.integers(0, 4)] * 3)),
    st.tuples(st.just("pods"), st.integers(0, 3), st.integers(0, 2)),
    st.tuples(st.just("update"), st.integers(2, 4)),
), max_size=50)


@settings(max_examples=250, deadline=None)
@given(replicas=st.integers(1, 8), surge=st.integers(0, 3), unavailable=st.integers(0, 3), moves=moves)
def test_a_rollout_keeps_its_bounds_on_any_stale_view_and_arrives(replicas, surge, unavailable, moves):
    world = Rollout(replicas, surge, unavailable or (0 if surge else 1))
    most, least = replicas + bounds(world.d)[0], replicas - bounds(world.d)[1]
    for move in moves:
        if move[0] == "step":
            world.step(move[1])
        elif move[0] == "pods":
            world.replica_sets_act(sorted(world.sets)[move[1] % len(world.sets)], move[2])
        else:
            world.update(f"busybox:{move[1]}")
        assert world.asked_for() <= most
        assert world.surely_available() >= least
    world.update("busybox:last")
    for _ in range(20 * replicas + 40):
        world.step((0,))
        world.ready_all()
    final = {rs.spec.template.spec.containers[0].image: rs.spec.replicas for rs in world.sets.values()}
    assert {image: size for image, size in final.items() if size} == {"busybox:last": replicas}


# --- the controller --------------------------------------------------------------------------------------

KEY = "default/web"
FAULTS = st.lists(st.one_of(
    st.tuples(st.just("sync"), st.just(0)), st.tuples(st.just("sync"), st.just(0)), st.tuples(st.just("killed"), st.integers(1, 4)),
    st.tuples(st.just("restart"), st.just(0)), st.tuples(st.just("deliver"), st.integers(1, 4)), st.tuples(st.just("repeat"), st.integers(0, 9)),
    st.tuples(st.just("lose"), st.just(0)), st.tuples(st.just("pods"), st.integers(0, 9)), st.tuples(st.just("pods"), st.integers(0, 9)),
    st.tuples(st.just("ill"), st.integers(0, 9)), st.tuples(st.just("update"), st.integers(2, 4)),
), min_size=10, max_size=60)


class Watched:
    """The controller on a cache that lags, and the ReplicaSets' own controller as the world plays it."""

    def __init__(self, replicas: int, surge: int, unavailable: int) -> None:
        rolling = apps_v1.RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
        d = deployment(replicas=replicas, strategy=apps_v1.DeploymentStrategy(type="RollingUpdate", rolling_update=rolling))
        self.w = LaggingWorld(DeploymentController, d)
        self.settle()

    @property
    def d(self) -> apps_v1.Deployment:
        return self.w.live[apps_v1.Deployment][KEY]

    @property
    def sets(self) -> list[apps_v1.ReplicaSet]:
        return sorted(self.w.live.get(apps_v1.ReplicaSet, {}).values(), key=lambda rs: rs.metadata.name)

    def act(self, rs: apps_v1.ReplicaSet, more: int) -> None:
        """Pods follow the spec; `more` become available, or as many are lost."""
        size = rs.spec.replicas or 0
        available = max(0, min(size, (rs.status.available_replicas or 0) + more))
        status = change(
            rs.status, replicas=size, available_replicas=available, ready_replicas=available, observed_generation=rs.metadata.generation or 0,
        )
        if status != rs.status:
            self.w.put(change(rs, status=status))

    def befall(self, what: str, choice: int) -> None:
        some = self.sets[choice % len(self.sets)]
        match what:
            case "sync":
                self.w.sync(KEY)
            case "killed":
                self.w.sync(KEY, writes=choice)
            case "restart":
                self.w.restart()
            case "deliver":
                for informer in self.w.informers.values():
                    informer.deliver(choice)
            case "repeat":
                self.w.informers[apps_v1.ReplicaSet].repeat(choice)
            case "lose":
                self.w.lose_events()
            case "pods":
                self.act(some, 1 + choice % 2)
            case "ill":
                self.act(some, -1)
            case "update":
                template = pod_template({"a": "web"}, f"busybox:{choice}")
                self.w.put(change(self.d, spec=change(self.d.spec, template=template)))

    def settle(self) -> None:
        for _ in range(80):
            before = dict(self.w.live.get(apps_v1.ReplicaSet, {}))
            self.w.lose_events()
            self.w.sync(KEY)
            for rs in self.sets:
                self.act(rs, 100)
            if before and before == self.w.live[apps_v1.ReplicaSet]:
                return
        raise AssertionError("it does not come to rest")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(replicas=st.integers(1, 6), surge=st.integers(0, 2), unavailable=st.integers(0, 2), faults=FAULTS)
def test_the_controller_keeps_the_bounds_whatever_is_lost_late_repeated_or_killed(replicas, surge, unavailable, faults):
    world = Watched(replicas, surge, unavailable or (0 if surge else 1))
    most, least = replicas + bounds(world.d)[0], replicas - bounds(world.d)[1]
    for what, choice in faults:
        served = serving(world)
        world.befall(what, choice)
        assert sum(rs.spec.replicas or 0 for rs in world.sets) <= most
        if what in ("sync", "killed") and serving(world) < served:
            assert serving(world) >= least, "it takes nothing from service that is needed"
    world.settle()
    final = [(rs.spec.template.spec.containers[0].image, rs.spec.replicas) for rs in world.sets if rs.spec.replicas]
    assert final == [(world.d.spec.template.spec.containers[0].image, replicas)]
    assert world.d.status.available_replicas == world.d.status.updated_replicas == replicas
    assert len({rs.spec.template.spec.containers[0].image for rs in world.sets}) == len(world.sets), "one a template"


def serving(world: Watched) -> int:
    """Pods that are available and that nobody has asked to go."""
    return sum(min(rs.spec.replicas or 0, rs.status.available_replicas or 0) for rs in world.sets)
