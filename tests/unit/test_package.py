"""What `pip install` copies: a wheel without the data would stop at the first import, and an editable install hides that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = """
import sys
from setuptools import Distribution
made = Distribution({"script_name": "pyproject.toml"})
made.parse_config_files(["pyproject.toml"])
build = made.get_command_obj("build_py")
build.ensure_finalized()
for package, source, _, files in build.data_files:
    for file in files:
        print(f"{source}/{file}")
for package, module, file in build.find_all_modules():
    print(file)
"""


def test_every_file_of_the_source_is_installed() -> None:
    pytest.importorskip("setuptools")
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=ROOT, capture_output=True, text=True, check=True)
    copied = {str(Path(line)) for line in done.stdout.splitlines() if line.startswith("src/")}
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "src/wherry").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in there if not path.endswith(".pyc")} - copied == set()
