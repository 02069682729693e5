"""Results as netCDF."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from pysd_runner.core.errors import InvalidInput
from pysd_runner.export import load_netcdf, provenance_of, save_netcdf
from pysd_runner.export.layout import rounded


def test_what_is_read_back_is_what_was_saved(futures, tmp_path):
    dataset = futures.assign_attrs(title="Gaps", origin=2024)
    path = save_netcdf(dataset, tmp_path / "new" / "run.nc")
    read = load_netcdf(path)
    xr.testing.assert_identical(read, dataset)
    assert read["name_zh"].to_numpy().tolist()[:3] == ["甘肃", "新疆", "内蒙古"]
    assert read["gap_to_leader"].dtype == np.float64
    assert sorted(item.name for item in path.parent.iterdir()) == ["run.nc"]
    path.unlink()


@pytest.mark.parametrize("label", ["Gansu", "甘肃", "Île-de-France", "ქართლი", "العربية", "🏔 peak", ""])
def test_labels_in_any_script_survive(label, tmp_path):
    array = xr.Dataset({"x": ("region", [1.0, np.nan])}, coords={"region": [label, "other"]})
    xr.testing.assert_identical(load_netcdf(save_netcdf(array, tmp_path / "a.nc")), array)


def test_names_with_a_slash_are_written_with_one_that_looks_the_same(tmp_path):
    array = xr.Dataset({"a/b": ("c/d", [1.0, 2.0], {"units": "x/y"})}, coords={"c/d": ["e/f", "g"]})
    read = load_netcdf(save_netcdf(array, tmp_path / "a.nc"))
    expected = array.rename({"a/b": "a\u2215b", "c/d": "c\u2215d"})
    xr.testing.assert_identical(read, expected)
    assert list(array.variables) == ["a/b", "c/d"]


def test_what_a_file_cannot_hold_is_said(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be written as netCDF"):
        save_netcdf(xr.Dataset({"a": ("r", [1.0], {"units": "x\0y"})}), tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_provenance_travels_with_the_file(futures, tmp_path):
    made = {"seed": 0, "model": {"sha256": "ab", "name": "模型"}, "draws": [1, 2.5, None, True]}
    read = load_netcdf(save_netcdf(futures[["theil"]], tmp_path / "a.nc", provenance=made))
    assert provenance_of(read) == made
    assert provenance_of(futures) == {}
    with pytest.raises(InvalidInput, match="plain JSON"):
        save_netcdf(futures, tmp_path / "b.nc", provenance={"x": object()})
    with pytest.raises(InvalidInput, match="plain JSON"):
        save_netcdf(futures, tmp_path / "b.nc", provenance={"x": float("nan")})
    assert not (tmp_path / "b.nc").exists()


def test_damaged_provenance_is_named(futures):
    with pytest.raises(InvalidInput, match="not JSON"):
        provenance_of(futures.assign_attrs(provenance="{"))
    with pytest.raises(InvalidInput, match="expected an object"):
        provenance_of(futures.assign_attrs(provenance="[1]"))


NUMBERS = arrays(np.float64, 20, elements=st.floats(-1e30, 1e30, allow_subnormal=False))


@given(NUMBERS, st.sampled_from([1e-2, 1e-4, 1e-5, 3e-6]))
def test_rounding_errs_by_no_more_than_it_may_and_once(values, error):
    once = rounded(xr.Dataset({"x": ("draw", values)}), error)
    found = once["x"].to_numpy()
    assert found.dtype == np.float32
    big = np.abs(values) > 1e-30
    assert (np.abs(found - values)[big] <= error * np.abs(values)[big]).all()
    assert rounded(once, error).identical(once)


def test_rounding_keeps_what_is_no_number():
    odd = xr.Dataset({"x": ("draw", [np.nan, np.inf, -np.inf, 0.0, -0.0])})
    np.testing.assert_array_equal(rounded(odd, 1e-5)["x"], odd["x"])


def test_attributes_netcdf_cannot_hold_are_named(futures, tmp_path):
    with pytest.raises(InvalidInput, match="attribute 'made' of the dataset is a dict"):
        save_netcdf(futures.assign_attrs(made={"a": 1}), tmp_path / "a.nc")
    odd = futures.copy()
    odd["theil"] = odd["theil"].assign_attrs(note=None)
    with pytest.raises(InvalidInput, match="attribute 'note' of variable 'theil' is a NoneType"):
        save_netcdf(odd, tmp_path / "a.nc")
    flagged = load_netcdf(save_netcdf(futures[["theil"]].assign_attrs(ok=True), tmp_path / "b.nc"))
    assert flagged.attrs["ok"] == 1
    assert "made" not in futures.attrs


def test_the_dataset_given_is_left_as_it_was(futures, tmp_path):
    before = futures.copy(deep=True)
    save_netcdf(futures, tmp_path / "a.nc", provenance={"seed": 0}, relative_error=1e-3)
    xr.testing.assert_identical(futures, before)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(OSError, match="nothing"):
        load_netcdf(tmp_path / "nothing.nc")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_a_disk_that_is_full_is_an_error_that_names_the_file_and_leaves_nothing(tmp_path):
    """A limit on the size of files is what a process can have of a full disk; HDF5 would take the process with it."""
    program = """
import resource, signal, sys
import numpy as np, xarray as xr
from pysd_runner.export import save_netcdf
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_netcdf(xr.Dataset({"x": ("i", np.random.default_rng(0).random(50_000))}), sys.argv[1])
except OSError as error:
    print(error.filename)
"""
    path = tmp_path / "a.nc"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}\n", "")
    assert not list(tmp_path.iterdir())
