"""The wheel carries everything the program reads at run time; the lock files name packages and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.services import PROJECT

_WHEEL_PACKAGES = ("hub", "consumers", "channels", "templates")
_NOT_SHIPPED = ("hub/web/.", "hub/web/src/")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the wheel and return the names of the files in it."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).parent / "uv"
    command = [str(uv), "build", "--wheel", "--no-build-isolation", "--offline", "--quiet"]
    where = ["--python", sys.executable, "--out-dir", str(folder), str(PROJECT)]
    subprocess.run([*command, *where], check=True, timeout=60)
    return set(zipfile.ZipFile(next(folder.glob("*.whl"))).namelist())


def test_the_wheel_has_every_data_file_of_its_packages(wheel: set[str]) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *_WHEEL_PACKAGES], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout.split()
    shipped = {name for name in listed if not name.startswith(_NOT_SHIPPED)}
    # How the bundle is made, beside the pages.
    build_files = {f"hub/web/{name}" for name in ("build.sh", "package.json", "package-lock.json", "tsconfig.json")}
    assert shipped - build_files - wheel == set()


def test_the_wheel_has_the_web_bundle(wheel: set[str]) -> None:
    built = {str(path.relative_to(PROJECT)) for path in (PROJECT / "hub/web/static/js").glob("*.js")}
    assert built, "the bundle is not built: run `make web`"
    assert built <= wheel


def test_the_wheel_has_nothing_of_the_development_tree(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops <= {*_WHEEL_PACKAGES, next(top for top in tops if top.endswith(".dist-info"))}
    assert not any("node_modules" in name for name in wheel)


@pytest.mark.parametrize("lock", sorted(PROJECT.glob("requirements*.lock")), ids=lambda path: path.name)
def test_a_lock_file_pins_by_hash_and_names_no_host(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    assert not [line for line in lines if "://" in line or "--index" in line or "--find-links" in line]
    assert all("==" in line or line.strip().startswith("--hash=sha256:") for line in lines)
