"""A stored panel is the panel; a record finds what it was made from, or says what is wrong."""

import json

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidInput, InvalidPanel
from pysd_runner.data import load_data
from pysd_runner.reports.replay import Inputs, data_from_dict, data_to_dict, read_inputs
from pysd_runner.scenarios import load_scenario
from pysd_runner.spec import Baseline


@pytest.mark.parametrize("regions", [None, ("110000", "620000")])
def test_a_panel_survives_json_without_loss(regions):
    panel = load_data("china").subset(entities=regions)
    again = data_from_dict(json.loads(json.dumps(data_to_dict(panel), allow_nan=False)))
    assert again.sha256 == panel.sha256
    assert again.regions == panel.regions
    assert again.units == panel.units
    assert dict(again.flags) == dict(panel.flags)
    for name in panel.variables:
        np.testing.assert_array_equal(again.array(name), panel.array(name))


@pytest.mark.parametrize(
    "change",
    [{"schema": 1}, {"entities": None}, {"columns": [{"name": "output"}]}, {"times": ["soon"]}, {"dates": 3}],
    ids=str,
)
def test_a_damaged_panel_is_refused(panel, change):
    with pytest.raises(InvalidPanel):
        data_from_dict({**data_to_dict(panel), **change})


def test_what_a_fit_in_the_same_folder_has_is_not_kept_twice(panel, tmp_path):
    paths = np.zeros((2, len(panel.regions), 2))
    years = (panel.years[-1] + 1, panel.years[-1] + 2)
    made = {"origin": panel.years[-1], "panel": panel.name, "panel_sha256": panel.sha256}
    baseline = Baseline(paths=paths, regions=panel.codes, years=years, **made)
    (tmp_path / "fit").mkdir()
    baseline.save(tmp_path / "fit")
    inputs = Inputs(panel=panel, source="mine.csv", baseline=baseline)
    record = inputs.store(tmp_path)
    assert record["baseline"]["file"] == "fit/baseline.nc"
    assert not (tmp_path / "baseline.nc").exists()
    np.testing.assert_array_equal(read_inputs(record, tmp_path).baseline.paths, paths)
    (tmp_path / "fit" / "baseline.nc").write_bytes(b"another")
    assert inputs.store(tmp_path)["baseline"]["file"] == "baseline.nc"


def test_inputs_are_found_again_and_checked(panel, tmp_path):
    compared = (load_scenario("zoned"), load_scenario("uniform_per_head"))
    asked = {"compared": compared, "regions": ("Gansu",), "events": ("dispersion falls by 2030",)}
    record = json.loads(json.dumps(Inputs(panel=panel, source="mine.csv", **asked).store(tmp_path)))
    found = read_inputs(record, tmp_path)
    assert found.panel.sha256 == panel.sha256
    assert found.source == "mine.csv"
    assert found.fitted is None
    assert {name: getattr(found, name) for name in asked} == asked
    (tmp_path / "data.json").write_text("{}")
    with pytest.raises(InvalidInput, match="is not the file this run wrote"):
        read_inputs(record, tmp_path)
    (tmp_path / "data.json").unlink()
    with pytest.raises(InvalidInput, match="is missing"):
        read_inputs(record, tmp_path)


@pytest.mark.parametrize("file", ["../data.json", "inside/../../data.json", "..", "."])
def test_a_record_names_files_of_its_own_folder_alone(panel, tmp_path, file):
    folder = tmp_path / "results"
    (folder / "inside").mkdir(parents=True)
    record = Inputs(panel=panel, source="mine.csv").store(folder)
    for other in (tmp_path, folder / "inside"):
        (other / "data.json").write_bytes((folder / "data.json").read_bytes())
    with pytest.raises(InvalidInput, match="expected a file of its own folder"):
        read_inputs({**record, "panel": {**record["panel"], "file": file}}, folder)
