"""A component's own port: what it answers, and to whom."""

from __future__ import annotations

import pytest

from wherry.apimachinery.errors import unauthorized
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.client.delegation import Attributes
from wherry.cluster.ownport import Endpoints, guarded
from wherry.util.metrics import Metrics


class Asked:
    """An API server that knows one user, who may get one path; or that is away."""

    def __init__(self, *, away: bool = False) -> None:
        self._away = away

    async def authenticate(self, request: Request) -> UserInfo:
        if self._away:
            raise ConnectionRefusedError
        if "authorization" not in request.headers:
            raise unauthorized()
        return UserInfo("jane")

    async def authorize(self, user: UserInfo, wanted: list[Attributes]) -> bool:
        return wanted == [Attributes("get", path="/metrics")]


@pytest.fixture
def endpoints() -> Endpoints:
    metrics = Metrics()
    metrics.gauge_of("seen", "A figure.", lambda: 7.0)
    return Endpoints(metrics, {"/settled": lambda: False})


async def ask(endpoints: Endpoints, path: str, *, method: str = "GET", known: bool = True, away: bool = False) -> Response:
    handle = guarded(endpoints.handle, Asked(away=away))  # type: ignore[arg-type]
    return await handle(Request(method, path, headers={"authorization": "Bearer x"} if known else {}))


async def test_health_is_for_everybody_though_the_api_server_is_away(endpoints: Endpoints) -> None:
    assert (await ask(endpoints, "/healthz", known=False, away=True)).status == 200
    answer = await ask(endpoints, "/readyz", known=False, away=True)
    assert (answer.status, answer.body) == (500, b"[-]informer-sync failed: not yet\nreadyz check failed\n")
    endpoints.ready = True
    assert (await ask(endpoints, "/readyz", known=False, away=True)).body == b"ok"
    told = (await endpoints.handle(Request("GET", "/metrics/slis"))).body
    for line in ('ealthcheck{name="informer-sync",type="readyz"} 1', 'total{name="informer-sync",status="error",type="readyz"} 1',
                 'ealthcheck{name="ping",type="healthz"} 1'):
        assert line.encode() in told


@pytest.mark.parametrize(
    ("path", "known", "away", "status", "text"),
    [
        ("/metrics", True, False, 200, b"seen 7.0"), ("/metrics", False, False, 401, b"Unauthorized"),
        ("/settled", True, False, 403, b'"jane" cannot get path "/settled"'), ("/metrics", True, True, 500, b"does not tell"),
    ],
    ids=["who may", "nobody", "who may not", "nobody to ask"],
)
async def test_figures_are_for_those_who_may(endpoints: Endpoints, path: str, known: bool, away: bool, status: int, text: bytes) -> None:
    answer = await ask(endpoints, path, known=known, away=away)
    assert answer.status == status
    assert text in answer.body


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/metrics", 405), ("GET", "/nowhere", 404), ("GET", "/settled", 500)])
async def test_what_is_not_there(endpoints: Endpoints, method: str, path: str, status: int) -> None:
    assert (await endpoints.handle(Request(method, path))).status == status
