"""The folder of an installation: made, or refused with what to write instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.domain.errors import ConfigurationError
from hub.store.data_folder import made


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    assert made(tmp_path / "var" / "doorbell").is_dir()
    assert made(tmp_path / "var" / "doorbell").is_dir()


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(ConfigurationError, match=r"data_dir = .*data: cannot be made \(File exists\); write a folder"):
        made(tmp_path / "data")


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # As for anybody but root, who runs some of our tests.
    with pytest.raises(ConfigurationError, match="cannot be written to"):
        made(tmp_path)
