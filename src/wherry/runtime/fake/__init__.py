"""A runtime without containers: Pods live through their states by script, for tests and `--fidelity sim`."""

from wherry.runtime.fake.runtime import FakeRuntime
from wherry.runtime.fake.script import Script, script_of_annotations

__all__ = ["FakeRuntime", "Script", "script_of_annotations"]
