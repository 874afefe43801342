"""What a new controller needs besides its folder and its line: a user that may act, and a row in the documentation."""

from __future__ import annotations

from pathlib import Path

from wherry import controller
from wherry.apiserver.authorization import policy
from wherry.controller.registry import CONTROLLERS

MANAGER = "kube-controller-manager"  # some act as the manager itself, which has a role of its own


def test_every_controller_has_a_role_and_no_role_is_left_over() -> None:
    assert {each.name for each in CONTROLLERS} - {MANAGER} == set(policy.CONTROLLERS)


def test_every_controller_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/controllers.md").read_text()
    folders = {each.__module__.split(".")[2] for each in CONTROLLERS}
    assert folders >= {each.parent.name for each in Path(controller.__path__[0]).glob("*/controller.py")}
    assert {folder for folder in folders if f"`{folder}`" not in page} == set()
