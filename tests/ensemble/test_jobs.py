"""A stored ensemble is the same folder and the same numbers, whoever computes its blocks, in whatever order."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine import TimePath
from pysd_runner.ensemble import (
    Draws,
    Statistics,
    UnbalancedDesign,
    ensemble_job,
    latin_hypercube,
    load_job,
    random_draws,
    run_ensemble,
    sobol,
)
from pysd_runner.ensemble.designs import drawn_part
from pysd_runner.model import load_model
from tests.core.test_parallel import Backwards
from tests.engine.small_models import write_model

pytest.importorskip("zarr")

EQUATIONS = (
    "Region: A, B, C ~~|\n"
    "rate = 0.1 ~ 1/Year [0,0.3] ~|\n"
    "share[Region] = 0.2, 0.3, 0.5 ~ Dmnl ~|\n"
    "policy = 0 ~ Euro/Year ~|\n"
    "noise = RANDOM NORMAL(-1, 1, 0, 0.1, 7) ~ Euro/Year ~|\n"
    "wealth[Region] = INTEG(rate*wealth[Region] + share[Region]*policy + noise, 10) ~ Euro ~|\n"
    "total = SUM(wealth[Region!]) ~ Euro ~|"
)
SCENARIOS = {"nothing": {}, "money": {"policy": TimePath(times=np.array([1.0, 3.0]), values=np.array([5.0, 1.0]))}}
ASKED = {"outcomes": ["wealth", "total"], "scenarios": SCENARIOS, "seed": 5}
DRAWS = Draws(method="random", ranges={"rate": (0.0, 0.3)}, draws=300, seed=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_model(tmp_path_factory.mktemp("jobs"), EQUATIONS, final=5, step=0.25, saveper=1))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 64 draws."""
    monkeypatch.setattr("pysd_runner.ensemble.cases.MOST_DRAWS", 64)
    monkeypatch.setattr("pysd_runner.ensemble.cases.LEAST_WORK", 0)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_a_part_of_a_design_is_these_rows_of_the_whole(model, method):
    ranges = {"rate": (0.0, 0.3), "policy": (1.0, 2.0)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = {"sobol": sobol, "random": random_draws}[method](model, ranges, 200, seed=9)
    for part in (slice(0, 64), slice(64, 130), slice(199, 200)):
        found = drawn_part(model, method, ranges, part, seed=9)
        np.testing.assert_array_equal(found.values, whole.values[part])
        assert found.names == whole.names


def test_runs_and_statistics_are_those_of_an_ensemble_in_memory(model, tmp_path):
    job = ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED).run(workers=1)
    design = random_draws(model, {"rate": (0.0, 0.3)}, 300, seed=3)
    expected = run_ensemble(model, design, **ASKED)
    found = job.ensemble()
    for name in ASKED["outcomes"]:
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_array_equal(found.parameters["rate"], expected.parameters["rate"])
    kept = Statistics(quantiles=(0.1, 0.5))
    statistics = job.statistics(kept)
    direct = run_ensemble(model, design, **ASKED, keep=kept)
    for name in ASKED["outcomes"]:
        np.testing.assert_array_equal(statistics.statistic("quantile", name), direct.statistic("quantile", name))
        np.testing.assert_allclose(statistics.statistic("mean", name), direct.statistic("mean", name), rtol=1e-13)
    reduced = ensemble_job(model, DRAWS, store=tmp_path / "reduced", keep=kept, **ASKED).run(workers=1).statistics()
    for name in ASKED["outcomes"]:
        for statistic in ("mean", "variance", "minimum", "maximum", "quantile"):
            np.testing.assert_array_equal(reduced.statistic(statistic, name), statistics.statistic(statistic, name))


def test_the_store_does_not_depend_on_who_computed_it(model, tmp_path):
    def made(name, **how):
        ensemble_job(model, DRAWS, store=tmp_path / name, **ASKED).run(**how)
        return content(tmp_path / name)

    alone = made("alone", workers=1)
    assert made("threads", workers=3) == alone
    assert made("backwards", executor=Backwards()) == alone
    for share in (3, 1, 2):
        ensemble_job(model, DRAWS, store=tmp_path / "parts", **ASKED).run(workers=1, part=(share, 3))
    assert content(tmp_path / "parts") == alone
    assert made("processes", executor="processes", workers=2) == alone


def test_a_sobol_sequence_is_that_of_the_design(model, tmp_path):
    draws = Draws(method="sobol", ranges={"rate": (0.0, 0.3)}, draws=256, seed=1)
    job = ensemble_job(model, draws, store=tmp_path / "store", **ASKED).run(workers=1)
    expected = run_ensemble(model, sobol(model, {"rate": (0.0, 0.3)}, 256, seed=1), **ASKED)
    np.testing.assert_array_equal(job.ensemble()["total"], expected["total"])
    with pytest.warns(UnbalancedDesign, match="take 256 or 512"):
        ensemble_job(model, draws.model_copy(update={"draws": 300}), store=tmp_path / "other", **ASKED)


def test_zarr_and_xarray_read_the_runs(model, tmp_path):
    import xarray as xr

    job = ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED).run(workers=1)
    with xr.open_zarr(tmp_path / "store" / "runs.zarr", consolidated=False) as read:
        wealth = read["wealth"].transpose("scenario", "draw", "region", "year")
        np.testing.assert_array_equal(wealth.to_numpy(), job.ensemble()["wealth"])
        assert read["wealth"].attrs["units"] == "Euro"
        assert read["year"].to_numpy().tolist() == [0, 1, 2, 3, 4, 5]
        assert not read["failed"].to_numpy().any()


def test_given_values_lie_in_the_store(model, tmp_path):
    design = latin_hypercube(model, {"rate": (0.0, 0.3)}, 100, seed=2)
    job = ensemble_job(model, design, store=tmp_path / "store", **ASKED).run(workers=1)
    expected = run_ensemble(model, design, **ASKED)
    np.testing.assert_array_equal(load_job(tmp_path / "store").ensemble()["total"], expected["total"])
    assert job.complete
    shares = np.random.default_rng(0).dirichlet([2, 3, 5], 100)
    ensemble_job(model, {"share": shares, "rate": 0.2}, store=tmp_path / "other", **ASKED).run(workers=1)
    expected = run_ensemble(model, {"share": shares, "rate": 0.2}, **ASKED)
    np.testing.assert_array_equal(load_job(tmp_path / "other").ensemble()["total"], expected["total"])


def test_failed_cases_are_counted_and_described(tmp_path):
    equations = "rate = 0.1 ~~|\ns = INTEG(rate*s^2, 1) ~~|"
    explosive = load_model(write_model(tmp_path, equations, final=20, step=0.25, saveper=1))
    draws = Draws(method="random", ranges={"rate": (0.01, 0.5)}, draws=150)
    found = ensemble_job(explosive, draws, store=tmp_path / "store").run(workers=1).ensemble()
    expected = run_ensemble(explosive, random_draws(explosive, {"rate": (0.01, 0.5)}, 150))
    assert 0 < expected.failed.sum() < 150
    np.testing.assert_array_equal(found.failed, expected.failed)
    assert [str(item) for item in found.failures] == [str(item) for item in expected.failures]


def test_kills_lose_no_more_than_a_block_and_end_in_the_same_store(model, tmp_path):
    """Six runs are killed at random moments; each goes on where the last one stopped."""
    ensemble_job(model, DRAWS, store=tmp_path / "alone", **ASKED).run(workers=1)
    job = ensemble_job(model, DRAWS, store=tmp_path / "killed", **ASKED)
    script = (
        "import sys, time\nfrom pysd_runner.ensemble import job\n"
        "write = job.BlockStore.write\n"
        "def slow(*given):\n    time.sleep(0.05)\n    write(*given)\n"
        "job.BlockStore.write = slow\n"
        "print('ready', flush=True)\n"
        f"job.load_job({str(tmp_path / 'killed')!r}).run(workers=1)\n"
    )
    chance = np.random.default_rng(0)
    for _ in range(6):
        before = job.done
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.4))
            os.kill(process.pid, signal.SIGKILL)
        assert job.done >= before
    job.run(workers=1)
    assert content(tmp_path / "killed") == content(tmp_path / "alone")


def test_a_damaged_block_is_named_and_made_anew(model, tmp_path):
    job = ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED).run(workers=1)
    chunk = tmp_path / "store" / "runs.zarr" / "total" / "c" / "1" / "0" / "2"
    sound = content(tmp_path / "store")
    assert job.damaged() == []
    flipped = bytearray(chunk.read_bytes())
    flipped[5] ^= 1
    for damage in (lambda: chunk.write_bytes(flipped), chunk.unlink):
        damage()
        assert job.damaged() == [2]
        with pytest.raises(InvalidInput, match="block 2 is damaged; run again to make it anew"):
            job.ensemble()
        computed = []
        job.run(workers=1, progress=computed.append)
        assert sum(computed) == 300
        assert content(tmp_path / "store") == sound


@pytest.mark.parametrize("keep", ["full", Statistics()])
def test_the_seal_covers_every_file_of_a_store(model, tmp_path, keep):
    values = {"rate": np.linspace(0.1, 0.2, 130)}
    job = ensemble_job(model, values, store=tmp_path / "store", outcomes=["total"], keep=keep).run(workers=1)
    assert job.damaged() == []
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".json", ".npy"}
    changes = [lambda sound: bytes([sound[0] ^ 1]) + sound[1:], lambda sound: sound[:-1]]
    changes += [
        lambda sound, a=a, b=b: sound.replace(a, b)
        for a, b in ((b"little", b"big"), (b"float64", b"float32"), (b'"failed": 0', b'"failed": 1'))
    ]
    for path in files:
        sound = path.read_bytes()
        for changed in {change(sound) for change in changes} - {sound, sound.rstrip()}:
            path.write_bytes(changed)
            assert is_noticed(tmp_path / "store"), (path, changed)
        path.write_bytes(sound)
    assert not is_noticed(tmp_path / "store")


def test_a_changed_store_says_which_blocks_are_sound(model, tmp_path):
    values = {"rate": np.linspace(0.1, 0.2, 130)}
    job = ensemble_job(model, values, store=tmp_path / "store", outcomes=["total"], keep=Statistics()).run(workers=1)
    (given,) = (tmp_path / "store" / "values").iterdir()
    given.write_bytes(given.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match=f"{given.name}.*; {job.done} of {job.done} finished blocks are as"):
        job.damaged()
    min((tmp_path / "store" / "blocks").glob("*.npz")).write_bytes(b"")
    with pytest.raises(InvalidInput, match=f"; {job.done - 1} of {job.done} finished blocks are as"):
        job.damaged()


def is_noticed(folder):
    """Whether a change of a store is noticed before anything is read from it."""
    try:
        return bool(load_job(folder).damaged())
    except InvalidInput:
        return True


def test_a_store_of_an_earlier_version_is_read(model, tmp_path):
    job = ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED).run(workers=1)
    expected = job.ensemble()
    (tmp_path / "store" / "seal.json").unlink()
    for record in (tmp_path / "store" / "blocks").iterdir():
        without = {name: item for name, item in json.loads(record.read_text()).items() if name != "seal"}
        record.write_text(json.dumps(without))
    early = load_job(tmp_path / "store").run(workers=1)
    assert early.damaged() == []
    np.testing.assert_array_equal(early.ensemble()["total"], expected["total"])


@pytest.mark.skipif(sys.platform == "win32", reason="drafts are not locked there")
def test_what_a_kill_left_of_a_store_is_removed_by_the_next_one(model, tmp_path):
    left = tmp_path / ".store.abcd1234.part"
    (left / "blocks").mkdir(parents=True)
    ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED)
    assert [item.name for item in tmp_path.iterdir()] == ["store"]


def test_another_recipe_in_the_same_folder_is_refused(model, tmp_path):
    ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED)
    with pytest.raises(InvalidInput, match=r"was begun with other settings \(seed\)"):
        ensemble_job(model, DRAWS, store=tmp_path / "store", **{**ASKED, "seed": 6})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear", encoding="utf-8")
    with pytest.raises(InvalidInput, match="is there already and is no stored ensemble"):
        ensemble_job(model, DRAWS, store=tmp_path / "mine", **ASKED)
    assert (tmp_path / "mine" / "letter.txt").read_text(encoding="utf-8") == "Dear"
    with pytest.raises(InvalidInput, match="is no stored ensemble"):
        load_job(tmp_path / "mine")


def test_a_changed_model_is_refused(tmp_path):
    path = write_model(tmp_path, "rate = 0.1 ~~|\ns = INTEG(rate*s, 1) ~~|", final=2)
    ensemble_job(load_model(path), {"rate": [0.1, 0.2]}, store=tmp_path / "store")
    path.write_text(path.read_text(encoding="utf-8").replace("rate*s", "2*rate*s"), encoding="utf-8")
    with pytest.raises(InvalidInput, match="its bytes have changed"):
        load_job(tmp_path / "store")


def test_what_cannot_be_used_is_said_in_a_sentence(model, tmp_path, monkeypatch):
    job = ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED)
    with pytest.raises(InvalidInput, match="0 of 5 blocks are finished"):
        job.ensemble()
    with pytest.raises(InvalidInput, match="executor: expected 'threads'"):
        job.run("fast")
    with pytest.raises(InvalidInput, match="between 1 and 2"):
        job.run(part=(3, 2))
    path = TimePath(times=np.array([0.0]), values=np.array([1.0]))
    with pytest.raises(InvalidInput, match="changes over time"):
        ensemble_job(model, {"policy": path}, store=tmp_path / "path", draws=3)

    def full(*_):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("pysd_runner.ensemble.store._write", full)
    with pytest.raises(InvalidInput, match="No space left on device; 0 of 5 blocks are kept"):
        job.run(workers=1)


def test_damaged_records_are_refused(model, tmp_path):
    ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED)
    record = tmp_path / "store" / "recipe.json"
    whole = record.read_text(encoding="utf-8")
    for text in ("", "{", "[]", whole.replace('"count": 300', '"count": "many"'), whole.replace('"seed"', '"sead"')):
        record.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidInput, match="damaged or newer"):
            load_job(tmp_path / "store")


def test_several_writers_at_once_do_no_harm(model, tmp_path):
    alone = ensemble_job(model, DRAWS, store=tmp_path / "alone", **ASKED).run(workers=1)
    jobs = [ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda job: job.run(workers=1), jobs))
    assert content(tmp_path / "store") == content(alone.store.path)


def test_a_writer_that_tidies_up_does_not_disturb_another(model, tmp_path, monkeypatch):
    job = ensemble_job(model, DRAWS, store=tmp_path / "store", **ASKED).run(workers=1)
    whole = content(tmp_path / "store")
    write = Path.write_bytes

    def tidied(path, written):
        write(path, written)
        job.store.tidy()

    (tmp_path / "store" / "blocks" / "00000001.json").rename(tmp_path / "kept.json")
    monkeypatch.setattr(Path, "write_bytes", tidied)
    with pytest.raises(InvalidInput, match="No such file"):
        job.run(workers=1)  # nobody else wrote the seal
    (tmp_path / "kept.json").rename(tmp_path / "store" / "blocks" / "00000001.json")
    assert content(tmp_path / "store") == whole
