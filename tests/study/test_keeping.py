"""What a folder of results keeps of the draws, and what is computed again from it."""

import json

import numpy as np
import pytest
import xarray as xr

from pysd_runner import load_future, load_model
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.export import load_netcdf
from pysd_runner.reports.replay import Inputs
from pysd_runner.reports.results import save_with_inputs
from pysd_runner.study.labelling import SAVED_BY_REGION, completed, computed, headline
from pysd_runner.study.projection import project


@pytest.fixture(scope="module")
def projection(panel):
    return project(load_model("regional_digital", regions=4), panel, "zoned_need", until=2027, draws=5)


def test_the_stages_of_the_model_are_left_out_and_the_rest_comes_back(projection):
    kept = headline(projection.data, projection.design)
    of_regions = {name for name, values in kept.data_vars.items() if {"region", "draw"} <= set(values.dims)}
    assert of_regions == set(SAVED_BY_REGION)
    again = completed(kept)
    assert set(computed(kept)) == set(again) - set(kept)
    for name in again:
        np.testing.assert_allclose(again[name], projection.data[name], rtol=5e-5, atol=5e-5, err_msg=name)
        assert dict(again[name].attrs) == dict(projection.data[name].attrs), name
    xr.testing.assert_identical(completed(again), again)


def test_what_the_model_computes_otherwise_is_kept(projection):
    own = projection.data.assign(relative_output=1.1 * projection.data["relative_output"])
    kept = headline(own, projection.design)
    assert "relative_output" in kept
    assert "relative_output" not in computed(kept)


def test_without_people_gaps_alone_come_back(projection):
    kept = headline(projection.data[["output_per_head", "gap_to_leader", "access"]], projection.design)
    assert set(kept) == {"output_per_head"}
    assert set(completed(kept)) == {"output_per_head", "gap_to_leader"}


def test_a_folder_is_read_as_it_was_told_of(projection, panel, tmp_path):
    kept = save_with_inputs(projection, Inputs(panel=panel, source="china"), tmp_path / "run")
    again = load_future(tmp_path / "run")
    xr.testing.assert_identical(again.data.drop_attrs(), kept.data.drop_attrs())
    assert again.table(region="Gansu").equals(kept.table(region="Gansu"))
    with pytest.raises(UnknownName, match=r"no outcome 'access'; written results keep draws of output and gaps"):
        again.table("access")
    with pytest.raises(UnknownName, match=r"no outcome 'gap_to_leder'.*Did you mean 'gap_to_leader'"):
        again.difference("gap_to_leder")
    file = load_netcdf(tmp_path / "run" / "projection.nc")
    assert "gap_to_leader" not in file
    assert "gap_to_leader" in json.loads(file.attrs["computed"])


def test_finished_results_are_replaced_only_if_asked(projection, panel, tmp_path):
    save_with_inputs(projection, Inputs(panel=panel, source="china"), tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(InvalidInput, match=r"holds earlier results; give another folder, or .* force=True"):
        projection.save(tmp_path / "run")
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    projection.save(tmp_path / "run", force=True)
    assert set(load_future(tmp_path / "run").data) == set(projection.data)


def test_results_of_earlier_versions_hold_everything(projection, tmp_path):
    assert set(load_future(projection.save(tmp_path / "old")).data) == set(projection.data)
