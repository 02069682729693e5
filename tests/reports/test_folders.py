"""A folder appears whole or not at all, and nothing that is not ours is ever replaced."""

from pathlib import Path

import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.reports.folders import WholeFolder, check_file, check_inputs, fresh_folder, save_whole


class Trouble(Exception):
    pass


def work(path, error, *, finished=(), replace=False):
    """Write two parts and fail."""
    with WholeFolder(path, replace=replace) as folder:
        (folder.draft / "fit").mkdir()
        (folder.draft / "fit" / "fitted.json").write_text("{}")
        (folder.draft / "run.json").write_text("new")
        for name in finished:
            folder.finished(name)
        raise error


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_it_appears_when_everything_is_written(tmp_path):
    with WholeFolder(tmp_path / "a" / "results") as folder:
        (folder.draft / "one").write_text("1")
        assert not folder.path.exists()
    assert names(tmp_path) == ["a", "one", "results"]
    assert folder.path.stat().st_mode & 0o777 == 0o755


def test_nothing_is_left_of_work_that_failed(tmp_path):
    with pytest.raises(Trouble):
        work(tmp_path / "a" / "b" / "results", Trouble)
    assert names(tmp_path) == []


def test_folders_that_were_there_stay(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(Trouble):
        work(tmp_path / "a" / "b" / "results", Trouble)
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [Trouble, KeyboardInterrupt])
def test_finished_parts_are_kept(tmp_path, error):
    with pytest.raises(error):
        work(tmp_path / "results", error, finished=("fit", "never written"))
    assert names(tmp_path) == ["fit", "fitted.json", "results"]


def test_earlier_results_are_replaced_when_the_new_ones_stand(tmp_path):
    old = tmp_path / "results"
    old.mkdir()
    (old / "run.json").write_text("old")
    with pytest.raises(InvalidInput, match="holds earlier results"):
        WholeFolder(old)
    with WholeFolder(old, replace=True) as folder:
        (folder.draft / "run.json").write_text("new")
        assert (old / "run.json").read_text() == "old"
    assert (old / "run.json").read_text() == "new"
    assert names(tmp_path) == ["results", "run.json"]


def test_earlier_results_survive_work_that_failed(tmp_path):
    old = tmp_path / "results"
    old.mkdir()
    (old / "run.json").write_text("old")
    with pytest.raises(Trouble):
        work(old, Trouble, replace=True)
    assert (old / "run.json").read_text() == "old"
    assert names(tmp_path) == ["results", "run.json"]


def test_folders_of_others_are_refused_even_with_replace(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="no results of gapsim"):
        WholeFolder(tmp_path, replace=True)
    with pytest.raises(InvalidInput, match="is a file"):
        WholeFolder(tmp_path / "thesis.txt", replace=True)


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    with WholeFolder(tmp_path / "empty") as folder:
        (folder.draft / "one").write_text("1")
    assert names(tmp_path) == ["empty", "one"]


def test_fresh_names_are_counted(tmp_path):
    assert fresh_folder(tmp_path / "demo") == tmp_path / "demo"
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo-2").mkdir()
    assert fresh_folder(tmp_path / "demo") == tmp_path / "demo-3"


def test_what_is_read_is_never_written_over(tmp_path):
    read = tmp_path / "mine.csv"
    read.write_text("mine")
    link = tmp_path / "link.csv"
    link.symlink_to(read)
    for path in (read, link):
        with pytest.raises(InvalidInput, match="is read and would be replaced"):
            check_file(path, ".csv", replace=True, inputs=["china", read])
    with pytest.raises(InvalidInput, match=r"holds .*mine.csv, which is read"):
        check_inputs(tmp_path, [read])
    check_file(tmp_path / "new.csv", ".csv", replace=False, inputs=["china", read])
    check_inputs(tmp_path / "new", [read])


def test_what_came_while_the_work_ran_stays_and_the_results_get_another_name(tmp_path):
    results = tmp_path / "results"

    def work_beside_another():
        with WholeFolder(results) as folder:
            (folder.draft / "run.json").write_text("new")
            results.mkdir()
            (results / "mine.txt").write_text("precious")

    with pytest.raises(InvalidInput, match=r"no results of gapsim.*the results are in .*results-2$"):
        work_beside_another()
    assert names(tmp_path) == ["mine.txt", "results", "results-2", "run.json"]
    file = tmp_path / "table.csv"
    file.write_text("precious")
    with pytest.raises(InvalidInput, match=r"exists already.*the results are in .*table-2\.csv"):
        save_whole(file, ".csv", lambda path: path.write_text("new"), replace=False)
    assert (file.read_text(), (tmp_path / "table-2.csv").read_text()) == ("precious", "new")
    save_whole(file, ".csv", lambda path: path.write_text("newer"), replace=True)
    assert file.read_text() == "newer"


@pytest.fixture
def hindered(tmp_path, monkeypatch):
    """An earlier result, and an error that meets the new one on the way to its name."""
    old = tmp_path / "results"
    old.mkdir()
    (old / "run.json").write_text("old")
    rename = type(tmp_path).rename

    def work_hindered(error):
        def hinder(self, target):
            if self.suffix == ".part" and target == old:
                raise error
            return rename(self, target)

        monkeypatch.setattr(type(tmp_path), "rename", hinder)
        with WholeFolder(old, replace=True) as folder:
            (folder.draft / "run.json").write_text("new")

    return work_hindered


def test_a_name_that_cannot_be_taken_loses_neither_old_nor_new(tmp_path, hindered):
    with pytest.raises(InvalidInput, match=r"results: Device or resource busy.*the results are in .*results-2$"):
        hindered(OSError(16, "Device or resource busy"))
    old, new = (tmp_path / name / "run.json" for name in ("results", "results-2"))
    assert (old.read_text(), new.read_text()) == ("old", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "results-2"]


def test_an_interruption_between_two_names_leaves_the_old_result_in_its_place(tmp_path, hindered):
    with pytest.raises(KeyboardInterrupt):
        hindered(KeyboardInterrupt())
    assert (tmp_path / "results" / "run.json").read_text() == "old"


@pytest.mark.parametrize("name", [".", ".."])
def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch, name):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InvalidInput, match="current folder"):
        WholeFolder(name, replace=True)


def test_the_top_of_a_disk_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).name == "disk")
    with pytest.raises(InvalidInput, match="top of a disk"):
        WholeFolder(tmp_path / "disk")


def test_a_link_to_nothing_is_no_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at all")
    with pytest.raises(InvalidInput, match="a link to nothing"):
        WholeFolder(tmp_path / "link")
