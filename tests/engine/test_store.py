"""The cache on disk: whole entries or none, bounded, shared by processes, never the reason a run fails."""

import errno
import multiprocessing
import os
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import cache as module
from pysd_runner.engine.cache import Store, default_store

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions as on POSIX")


def digest(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "deep" / "cache", 10_000)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "deep" / "cache"


def test_what_is_put_is_what_is_got(store):
    assert store.get(digest(1)) is None
    for data in (b"", b"\0\n" * 100, bytes(range(256))):
        store.put(digest(1), data)
        assert store.get(digest(1)) == data
    assert store.get(digest(2)) is None


@pytest.mark.parametrize("key", ["", "../../../etc/passwd", "a" * 15, "A" * 64, "g" * 64, "0" * 129, "ab/" * 20])
def test_keys_are_hexadecimal_digests(key, store, folder):
    with pytest.raises(InvalidInput, match="hexadecimal digest"):
        store.put(key, b"data")
    with pytest.raises(InvalidInput, match="hexadecimal digest"):
        store.get(key)
    assert not folder.exists()


def test_a_damaged_entry_is_absent_and_is_written_again(store, folder):
    store.put(digest(1), b"x" * 100)
    path = folder / digest(1)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            assert store.get(digest(1)) is None
    path.write_bytes(whole + b"more")
    assert store.get(digest(1)) is None
    store.put(digest(1), b"anew")
    assert store.get(digest(1)) == b"anew"


def test_an_entry_under_the_name_of_another_is_absent(store, folder):
    store.put(digest(1), b"data")
    (folder / digest(1)).rename(folder / digest(2))
    assert store.get(digest(2)) is None


def test_what_was_used_longest_ago_goes_first(store, folder):
    for number in range(8):
        store.put(digest(number), bytes(1100))
        os.utime(folder / digest(number), (number, number))
    assert store.get(digest(0)) is not None
    for number in range(8, 11):
        store.put(digest(number), bytes(1100))
    kept = {number for number in range(11) if (folder / digest(number)).exists()}
    assert kept == {0, 4, 5, 6, 7, 8, 9, 10}
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10_000


def test_what_an_interrupted_writer_left_is_removed_in_its_turn(store, folder):
    store.put(digest(1), b"data")
    (folder / "writing-abc").write_bytes(bytes(9_900))
    os.utime(folder / "writing-abc", (1, 1))
    store.put(digest(2), bytes(1000))
    assert sorted(path.name for path in folder.iterdir()) == sorted([digest(1), digest(2)])


def test_more_than_the_limit_is_not_kept(store, folder):
    store.put(digest(1), bytes(10_000))
    assert not folder.exists()


@posix
def test_the_folder_is_for_its_user_only(store, folder):
    store.put(digest(1), b"data")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / digest(1)).stat().st_mode & 0o077 == 0


@posix
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_others_may_write_to_is_refused_with_one_warning(mode, store, folder):
    store.put(digest(1), b"data")
    folder.chmod(mode)
    module._warn_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="others may write to it.*GAPSIM_CACHE"):
        assert store.get(digest(1)) is None
    store.put(digest(2), b"data")
    assert not (folder / digest(2)).exists()


@posix
def test_a_folder_that_others_may_replace_is_refused(store, folder):
    store.put(digest(1), b"data")
    folder.parent.chmod(0o777)
    module._warn_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="others may write to"):
        assert store.get(digest(1)) is None
    folder.parent.chmod(0o1777)
    assert store.get(digest(1)) == b"data"


@posix
def test_a_folder_of_another_user_is_refused(store, monkeypatch):
    store.put(digest(1), b"data")
    monkeypatch.setattr(os, "geteuid", lambda: 123_456)
    module._warn_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert store.get(digest(1)) is None


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def read_only(*_, **__):
    raise OSError(errno.EROFS, "Read-only file system")


def test_a_full_disk_is_no_error_and_leaves_nothing(store, folder, monkeypatch):
    store.put(digest(1), b"data")
    monkeypatch.setattr(Path, "replace", full)
    store.put(digest(2), b"data")
    assert [path.name for path in folder.iterdir()] == [digest(1)]
    assert store.get(digest(2)) is None


def test_a_read_only_folder_still_serves(store, monkeypatch):
    store.put(digest(1), b"data")
    monkeypatch.setattr(os, "utime", read_only)
    monkeypatch.setattr(os, "open", read_only)
    assert store.get(digest(1)) == b"data"
    store.put(digest(2), b"data")
    assert store.get(digest(2)) is None


def test_a_file_in_the_place_of_the_folder_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    store = Store(tmp_path / "cache", 1000)
    store.put(digest(1), b"data")
    assert store.get(digest(1)) is None


def contents(number: int) -> bytes:
    return bytes([number]) * 50_000


def write_often(folder: Path, number: int) -> None:
    store = Store(folder, 200_000)
    for turn in range(60):
        store.put(digest(0), contents(number))
        store.put(digest(1 + turn % 7), contents(number))


def test_two_processes_write_the_same_keys_and_readers_see_whole_entries(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_often, args=(tmp_path / "cache", number)) for number in (1, 2)]
    for writer in writers:
        writer.start()
    store = Store(tmp_path / "cache", 200_000)
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(store.get(digest(0)))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    seen.add(store.get(digest(0)))
    assert seen <= {None, contents(1), contents(2)}
    assert len(seen) > 1
    assert sum(path.stat().st_size for path in (tmp_path / "cache").iterdir()) <= 200_000
    assert not [path for path in (tmp_path / "cache").iterdir() if path.name.startswith("writing-")]


def test_the_default_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GAPSIM_CACHE", str(tmp_path / "here"))
    default_store("ir").put(digest(1), b"data")
    assert (tmp_path / "here" / "ir" / digest(1)).is_file()
    assert default_store("object").get(digest(1)) is None
    for off in ("", "off", " OFF "):
        monkeypatch.setenv("GAPSIM_CACHE", off)
        assert default_store("ir") is None


def test_the_default_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.delenv("GAPSIM_CACHE")
    monkeypatch.setattr(module, "_user_folder", lambda: tmp_path / "user")
    default_store("object").put(digest(1), b"data")
    assert (tmp_path / "user" / "object" / digest(1)).is_file()


@posix
def test_a_user_without_a_home_has_no_cache(monkeypatch):
    import pwd

    def unknown(_):
        raise KeyError

    for name in ("HOME", "XDG_CACHE_HOME", "GAPSIM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    module._user_folder.cache_clear()
    try:
        assert default_store("ir") is None
    finally:
        module._user_folder.cache_clear()
