"""The limit of open files: lifted for this process, as far as may be, and not for what it starts."""

from __future__ import annotations

import resource

import pytest

from wherry.util import filelimit

FOREVER = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("given", "lifted", "children"),
    [
        ((1024, 1 << 20), (65536, 1 << 20), (1024, 1 << 20)),
        ((1024, 4096), (4096, 4096), (1024, 4096)),
        ((1024, FOREVER), (65536, FOREVER), None),
        ((100_000, 1 << 20), None, (100_000, 1 << 20)),
        ((FOREVER, FOREVER), None, None),
    ],
    ids=["a login's", "a low hard one", "no hard one", "enough", "none"],
)
def test_it_is_lifted(
    given: tuple[int, int], lifted: tuple[int, int] | None, children: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(filelimit, "GIVEN", given)
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: set_to.append(limits))
    filelimit.lift()
    assert set_to == ([lifted] if lifted else [])
    assert filelimit.for_children() == children


def test_a_system_that_does_not_let_us_is_no_reason_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(filelimit, "GIVEN", (256, FOREVER))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    filelimit.lift()
