"""The web's sources and how they are built."""

import json
import subprocess

from tests.browser.demo import web_tools
from tests.services import PROJECT

WEB = PROJECT / "hub" / "web"


def test_the_scripts_pass_the_type_checker() -> None:
    checker = web_tools() / ".bin" / "tsc"
    checked = subprocess.run([checker, "--noEmit"], cwd=WEB, capture_output=True, text=True, check=False)
    assert checked.stdout == ""


def test_a_second_build_has_nothing_to_do() -> None:
    web_tools()
    built = {path: path.stat().st_mtime_ns for path in (WEB / "static" / "js").iterdir()}
    again = subprocess.run([WEB / "build.sh"], capture_output=True, text=True, check=True)
    assert again.stdout == ""
    assert {path: path.stat().st_mtime_ns for path in built} == built


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all("integrity" in package for path, package in lock["packages"].items() if path)
