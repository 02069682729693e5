"""Files are written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from pysd_runner.export.files import draft_folder, published, write_bytes_whole, write_text_whole


def test_content_and_folders_are_written(tmp_path: Path) -> None:
    path = write_text_whole(tmp_path / "new" / "file.txt", "数\r\n字")
    assert path.read_bytes() == "数\r\n字".encode()
    assert write_bytes_whole(str(path), b"\x00\x01").read_bytes() == b"\x00\x01"


def test_an_interruption_leaves_the_former_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_text_whole(tmp_path / "file.txt", "before")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text_whole(path, "after")
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("x", encoding="utf-8")
    path = write_text_whole(tmp_path / "file.txt", "x")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_a_path_in_a_draft_is_told_by_the_name_that_it_will_have(tmp_path: Path) -> None:
    with draft_folder(tmp_path / "demo.1") as draft:
        assert published(draft / "fit" / "baseline.nc") == tmp_path / "demo.1" / "fit" / "baseline.nc"
    assert published(tmp_path / "fit.part" / "a.nc") == tmp_path / "fit.part" / "a.nc"
