"""A model that was loaded before is not parsed again, and nothing but that changes."""

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from pysd_runner import load_model
from pysd_runner.core.errors import InvalidModel, UnknownName, UnsupportedFeature
from pysd_runner.engine import cache as loading
from pysd_runner.engine.cache import code_digest
from pysd_runner.engine.frontend import source
from pysd_runner.engine.frontend.lowering import model as lowering
from pysd_runner.simulation import simulate
from tests.engine.small_models import FEATURES, write_model

SLOW = ("lark", "pysd", "parsimonious", "pandas", "xarray", "scipy", "pydantic", "openpyxl", "h5netcdf", "matplotlib")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAPSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ir"


@pytest.fixture
def parsed(monkeypatch) -> list[Path]:
    """Files that are parsed while the test runs."""
    files = []
    source._read.cache_clear()
    translator = source._read_vensim
    monkeypatch.setattr(source, "_read_vensim", lambda path, *more: files.append(path) or translator(path, *more))
    return files


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.mark.parametrize("feature", FEATURES)
def test_a_second_load_is_the_same_without_parsing(feature, tmp_path, parsed):
    path = write_model(tmp_path, FEATURES[feature])
    first = load_model(path)
    source._read.cache_clear()
    second = load_model(path)
    assert parsed == [path]
    assert repr(second.lowered) == repr(first.lowered)
    assert second.ir.fingerprint == first.ir.fingerprint


def test_whatever_decides_the_model_decides_the_entry(tmp_path, cache, monkeypatch):
    path = write_model(tmp_path, FEATURES["stock"])
    load_model(path)
    assert len(entries(cache)) == 1
    load_model("regional_digital", regions=2)
    load_model("regional_digital", regions=3)
    load_model("regional_digital")
    assert len(entries(cache)) == 4
    write_model(tmp_path, FEATURES["stock"], step=0.5)
    assert float(load_model(path).ir.variables["TIME STEP"].blocks[0].expression.value) == 0.5
    assert len(entries(cache)) == 5
    write_model(tmp_path, FEATURES["stock"])
    load_model(path)
    assert len(entries(cache)) == 5
    with monkeypatch.context() as patch:
        patch.setattr(loading, "code_digest", lambda *_: "another version")
        load_model(path)
    assert len(entries(cache)) == 6


EXTERNAL = (
    "R: GET DIRECT SUBSCRIPT('names.csv', ',', 'A1', 'A', '') ~~|\n"
    "k[R] = GET DIRECT CONSTANTS('data/numbers.csv', ',', 'B2*') ~~|\nx = SUM(k[R!]) ~~|"
)


def test_data_files_decide_the_model_too(tmp_path, parsed):
    (tmp_path / "data").mkdir()
    names, numbers = tmp_path / "names.csv", tmp_path / "data" / "numbers.csv"
    names.write_text("A\nB\n", encoding="utf-8")
    numbers.write_text("name,value\na,7\nb,2\nc,30\n", encoding="utf-8")
    path = write_model(tmp_path, EXTERNAL)

    def loaded():
        source._read.cache_clear()
        return simulate(load_model(path))["x"][0, 0, 0]

    assert [loaded(), loaded()] == [9, 9]
    assert len(parsed) == 1
    numbers.write_text("name,value\na,7\nb,3\nc,30\n", encoding="utf-8")
    assert [loaded(), loaded()] == [10, 10]
    assert len(parsed) == 2
    names.write_text("A\nB\nC\n", encoding="utf-8")
    assert [loaded(), loaded()] == [40, 40]
    assert len(parsed) == 3
    numbers.unlink()
    with pytest.raises(InvalidModel, match="there is no file"):
        loaded()


def test_messages_name_the_file_that_was_loaded(tmp_path):
    equations = "x = NO SUCH FUNCTION(1) ~~|"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        path = write_model(tmp_path / folder, equations)
        model = load_model(path)
        with pytest.raises(UnsupportedFeature, match=str(path)):
            simulate(model)


def test_a_change_of_the_lowering_is_noticed(tmp_path):
    code = Path(lowering.__file__).read_bytes()
    seen = set()
    for number, text in enumerate((code, code.replace(b"1", b"2", 1), code[:-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "lowering.py").write_bytes(text)
        seen.add(code_digest(folder))
    assert len(seen) == 3


def test_a_damaged_entry_is_made_again(tmp_path, cache, parsed):
    path = write_model(tmp_path, FEATURES["stock"])
    first = load_model(path)
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    for damaged in (b"", whole[:-7], whole.replace(b"add", b"sub")):
        entry.write_bytes(damaged)
        source._read.cache_clear()
        assert repr(load_model(path).lowered) == repr(first.lowered)
        assert entry.read_bytes() == whole
    assert len(parsed) == 4


def test_an_entry_of_another_format_is_made_again(tmp_path, cache, parsed, monkeypatch):
    path = write_model(tmp_path, FEATURES["stock"])
    with monkeypatch.context() as patch:
        patch.setattr(loading.serial, "_SIGNATURE", "0-0")
        first = load_model(path)
    source._read.cache_clear()
    assert repr(load_model(path).lowered) == repr(first.lowered)
    assert len(parsed) == 2
    source._read.cache_clear()
    load_model(path)
    assert len(parsed) == 2


def test_a_file_that_is_written_to_while_it_is_read_is_not_kept(tmp_path, cache, monkeypatch):
    path = write_model(tmp_path, FEATURES["stock"])
    lower = lowering.lower

    def meanwhile(*arguments):
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        return lower(*arguments)

    monkeypatch.setattr(lowering, "lower", meanwhile)
    load_model(path)
    assert not entries(cache)


def test_nothing_is_kept_of_what_cannot_be_loaded(tmp_path, cache):
    with pytest.raises(InvalidModel):
        load_model(write_model(tmp_path, "a = b ~~|"))
    with pytest.raises(UnknownName):
        load_model(write_model(tmp_path, "a = 1 ~~|"), regions=2)
    assert not entries(cache)


@pytest.mark.parametrize("off", ["", "off"])
def test_the_cache_can_be_switched_off(off, tmp_path, monkeypatch, parsed):
    monkeypatch.setenv("GAPSIM_CACHE", off)
    path = write_model(tmp_path, FEATURES["stock"])
    for _ in range(2):
        source._read.cache_clear()
        load_model(path)
    assert len(parsed) == 2
    assert [item.name for item in tmp_path.iterdir()] == ["model.mdl"]


WARM = """
import json, sys
import pysd_runner
model = pysd_runner.load_model(sys.argv[1], regions=int(sys.argv[2]) or None)
loaded = sorted(sys.modules)
from pysd_runner.simulation import simulate
run = simulate(model, stop=2015 if sys.argv[2] != "0" else None)
print(json.dumps({"loaded": loaded, "run": sorted(sys.modules)}))
"""


@pytest.mark.parametrize("name", ["regional_digital", "small"])
def test_a_warm_start_imports_nothing_slow(name, tmp_path):
    regions = "31" if name == "regional_digital" else "0"
    path = name if name == "regional_digital" else str(write_model(tmp_path, FEATURES["subscripts"]))
    for turn in ("cold", "warm"):
        command = [sys.executable, "-W", "ignore", "-c", WARM, path, regions]
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        if turn == "warm":
            assert [item for item in SLOW if item in answer["loaded"]] == []
            assert [item for item in SLOW if item in answer["run"]] == []
        else:
            assert "lark" in answer["loaded"]
            assert "pysd" not in answer["run"]


def load_and_describe(path: Path, barrier, answers) -> None:
    barrier.wait()
    answers.put(repr(load_model(path).ir))


def test_two_processes_may_load_at_once(tmp_path, cache):
    path = write_model(tmp_path, FEATURES["subscripts"])
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    workers = [context.Process(target=load_and_describe, args=(path, barrier, answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = {answers.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert found == {repr(load_model(path).ir)}
    assert len(entries(cache)) == 1
