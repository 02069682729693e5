"""Origins see nothing later; workers, checkpoints and memories change no number; the command prints one object."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from calibration import backtest, forecast
from calibration.commands import backtest as backtest_command
from calibration.forecasting import baselines, models, origin_at, target_of
from pysd_runner.cli import main
from pysd_runner.core.errors import InvalidInput, InvalidPanel, UnknownName
from pysd_runner.data import Data
from tests.calibration.forecasting.series import panel_of, walk, write_panel

NAMES = ("damped_drift", "error_correction", "gapsim")
SMALL = {"horizons": (1, 2, 3), "draws": 40, "forecasters": NAMES}


def small(**changes: object):
    return backtest(panel_of(walk(6, 16), groups=("a", "b")), **{**SMALL, **changes})


@cache
def alone():
    return small()


@pytest.mark.parametrize("name", list(models()))
def test_nothing_after_the_origin_moves_one_bit(name: str) -> None:
    logs = walk(4, 15)
    wild = logs.copy()
    wild[:, 12:] = np.random.default_rng(9).normal(0, 50, wild[:, 12:].shape)
    wild[2, 13] = np.nan
    found = []
    for values in (logs, wild):
        panel = panel_of(values, groups=("a", "b"))
        origin = origin_at(target_of(panel), 2001)
        found.append(models()[name].forecast(origin, horizon=4, draws=20, seed=0))
    assert found[0].point.tobytes() == found[1].point.tobytes()
    assert found[0].draws.tobytes() == found[1].draws.tobytes()


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_results_do_not_depend_on_the_executor(executor: str) -> None:
    xr.testing.assert_identical(small(executor=executor, workers=2).scores, alone().scores)


def test_fewer_horizons_are_rows_of_more() -> None:
    one, more = small(horizons=(1,)).scores, small().scores
    xr.testing.assert_identical(one.sel(horizon=1), more.sel(horizon=1).assign_attrs(one.attrs))


def test_forecasts_beyond_the_years_members_are_judged_by_are_those_made_without_a_back_test(tmp_path: Path) -> None:
    panel = panel_of(walk(4, 20))
    found = backtest(panel, forecasters=["gapsim"], horizons=(7,), draws=20, checkpoint=tmp_path / "kept")
    target = target_of(panel)
    alone = models()["gapsim"].forecast(origin_at(target, 2001), horizon=7, draws=20, seed=0)
    error = found.scores["error"].sel(model="gapsim", origin=2001, horizon=7)
    assert_allclose(error, alone.point[:, 6] - target.values[:, target.position(2008)], rtol=1e-12)
    for kept in sorted((tmp_path / "kept").glob("origin-*.npz"))[3:]:
        kept.unlink()
    again = backtest(panel, forecasters=["gapsim"], horizons=(7,), draws=20, checkpoint=tmp_path / "kept")
    xr.testing.assert_identical(again.scores, found.scores)


def test_a_memory_changes_no_bit() -> None:
    target = target_of(panel_of(walk(5, 14)))
    model = models()["gapsim"]
    shared = origin_at(target, 2002).memory
    for year in (1999, 2000, 2002):
        with_memory = model.forecast(origin_at(target, year, memory=shared), horizon=3, draws=30, seed=1)
        without = model.forecast(origin_at(target, year), horizon=3, draws=30, seed=1)
        assert with_memory.draws.tobytes() == without.draws.tobytes()


def test_a_killed_back_test_goes_on_where_it_was(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if what == "origin 2000":
            raise Stopped

    with pytest.raises(Stopped):
        small(checkpoint=tmp_path / "kept", progress=stop)
    steps: list[str] = []
    again = small(checkpoint=tmp_path / "kept", progress=lambda what, *_: steps.append(what))
    assert steps[0] == "origin 2000"
    xr.testing.assert_identical(again.scores, small().scores)


def test_a_checkpoint_of_another_back_test_is_refused(tmp_path: Path) -> None:
    small(checkpoint=tmp_path / "kept", forecasters=["mean_reversion"])
    with pytest.raises(InvalidInput, match="another back-test"):
        small(checkpoint=tmp_path / "kept", forecasters=["mean_reversion"], seed=1)
    panel = panel_of(walk(6, 16), groups=("a", "b"))
    changed = panel.with_national({"gdp": {panel.years[0]: 0.1}})
    with pytest.raises(InvalidInput, match="another back-test"):
        backtest(changed, checkpoint=tmp_path / "kept", **{**SMALL, "forecasters": ["mean_reversion"]})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "note.txt").write_text("mine\n")
    with pytest.raises(InvalidInput, match="no checkpoint"):
        small(checkpoint=tmp_path / "other")


def test_a_damaged_file_of_a_checkpoint_is_named(tmp_path: Path) -> None:
    small(checkpoint=tmp_path / "kept", forecasters=["mean_reversion"])
    damaged = min((tmp_path / "kept").glob("origin-*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(InvalidInput, match=f"{damaged.name} cannot be read.*delete the file"):
        small(checkpoint=tmp_path / "kept", forecasters=["mean_reversion"])
    np.save(tmp_path / "array.npy", np.zeros(3))
    for content in (b"", b"\x00" * 500, (tmp_path / "array.npy").read_bytes()):
        damaged.write_bytes(content)
        with pytest.raises(InvalidInput, match=f"{damaged.name} cannot be read.*delete the file"):
            small(checkpoint=tmp_path / "kept", forecasters=["mean_reversion"])
    damaged.unlink()
    xr.testing.assert_identical(
        small(checkpoint=tmp_path / "kept", forecasters=["mean_reversion"]).scores,
        small(forecasters=["mean_reversion"]).scores,
    )


def test_files_of_another_back_test_or_year_and_changed_ones_are_not_taken(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    small(checkpoint=kept, forecasters=["mean_reversion"])
    small(checkpoint=tmp_path / "other", forecasters=["mean_reversion"], seed=1)
    first, second = sorted(kept.glob("origin-*.npz"))[:2]
    whole = first.read_bytes()
    with np.load(first) as content:
        arrays = {name: content[name] for name in content.files}
    name = next(name for name, array in arrays.items() if array.dtype.kind == "f" and array.size)
    np.savez(tmp_path / "changed.npz", **{**arrays, name: arrays[name] + 1e-12})
    points = next(kept.glob("points-*.npz"))
    for source in (tmp_path / "other" / first.name, second, points, tmp_path / "changed.npz"):
        first.write_bytes(source.read_bytes())
        with pytest.raises(InvalidInput, match=f"{first.name} is not what this back-test wrote.*delete the file"):
            small(checkpoint=kept, forecasters=["mean_reversion"])
    first.write_bytes(whole)
    small(checkpoint=kept, forecasters=["mean_reversion"])


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "[]", '{"schema": 1, "digest": ""}'])
def test_a_damaged_label_of_a_checkpoint_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "backtest.json").write_text(content)
    with pytest.raises(InvalidInput, match="to start anew, or name another folder"):
        small(checkpoint=tmp_path, forecasters=["mean_reversion"])


def test_two_that_begin_at_once_share_a_checkpoint(tmp_path: Path) -> None:
    """The label of the other is under way, under a hidden name."""
    (tmp_path / ".backtest.json.abc.part").write_text("")
    found = small(checkpoint=tmp_path, forecasters=["mean_reversion"])
    xr.testing.assert_identical(found.scores, small(forecasters=["mean_reversion"]).scores)


def test_scores_are_those_of_a_plain_loop() -> None:
    panel = panel_of(walk(5, 14))
    result = backtest(panel, forecasters=["mean_reversion"], horizons=(1, 3), draws=30)
    target = target_of(panel).values
    squares, own = [], []
    for last in range(8, 13):
        if last + 3 < 14:
            squares += [(target[i, last] * 0.98**3 - target[i, last + 3]) ** 2 for i in range(5)]
            own += [(target[i, last] - target[i, last + 3]) ** 2 for i in range(5)]
    row = next(row for row in result.skill() if row["model"] == "mean_reversion" and row["horizon"] == 3)
    assert row["origins"] == 3
    assert row["regions"] == 5
    assert_allclose(row["rmse"], np.mean(squares) ** 0.5)
    assert_allclose(row["rmse_ratio_to_persistence"], (np.sum(squares) / np.sum(own)) ** 0.5)


def test_persistence_has_ratio_one_and_tables_agree() -> None:
    result = small()
    table = result.table()
    ours = table[table["model"] == "persistence"]
    assert (ours["rmse_ratio_to_persistence"] == 1).all()
    assert set(result.by("group")["group"]) == {"a", "b"}
    assert list(result.by("origin")["origin"].unique()) == list(range(1998, 2005))


def test_the_default_first_origin_is_the_ninth_year_and_the_last_the_last_but_one() -> None:
    result = backtest(panel_of(walk(4, 12)), forecasters=[], draws=10)
    assert result.scores["origin"].values.tolist() == [1998, 1999, 2000]
    assert result.scores["model"].values.tolist() == ["persistence"]


def test_holes_late_entries_and_missing_years_are_scored_around() -> None:
    logs = walk(6, 16)
    logs[0, 10] = logs[1, :6] = logs[2, -1] = np.nan
    logs[:, 7] = np.nan
    row = backtest(panel_of(logs), forecasters=["gapsim"], draws=20, horizons=(1,)).skill()[-1]
    # Nine years are those in which something was observed.
    assert row["origins"] == 6
    assert row["regions"] == 6
    assert row["rmse"] > 0


def with_years(logs: np.ndarray, years: Sequence[int]) -> Data:
    """A panel that has these years and no others."""
    return replace(panel_of(logs), times=np.array(years, dtype=float))


def test_a_hole_in_the_years_of_a_panel_is_the_same_as_years_without_values() -> None:
    years = [*range(1990, 2000), *range(2003, 2010)]
    left_out = with_years(walk(4, len(years)), years)
    logs = np.full((4, 20), np.nan)
    logs[:, np.array(years) - 1990] = np.log(left_out["output_per_head"])
    found, same = (backtest(item, forecasters=["gapsim"], draws=20) for item in (left_out, panel_of(logs)))
    assert found.scores["origin"].values.tolist() == [1998, 1999, *range(2003, 2009)]
    xr.testing.assert_equal(found.scores, same.scores)
    # From 1999 nothing came one to three years later.
    errors = found.scores["error"].sel(model="gapsim", origin=1999)
    assert np.isfinite(errors).all("region").values.tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("forecasts", [False, True])
@pytest.mark.parametrize(
    ("years", "text"),
    [
        (
            range(1900, 2011, 10),
            r"output per head in 1900, 1910, \.\.\., 2010, and .* of which it has 0; give the years",
        ),
        (range(1980, 2012, 2), "of which it has 0"),
        ([*range(1980, 2000, 2), 1999, 2000, 2001], "of which it has 3"),
    ],
)
def test_a_panel_without_yearly_changes_is_refused_with_the_reason(
    years: Sequence[int], text: str, *, forecasts: bool
) -> None:
    panel = with_years(walk(4, len(years)), sorted(years))
    with pytest.raises(InvalidPanel, match=text):
        _ = forecast(panel, until=2020) if forecasts else backtest(panel)


def test_only_years_with_data_are_origins() -> None:
    panel = with_years(walk(4, 16), [*range(1990, 2000), *range(2003, 2009)])
    with pytest.raises(
        InvalidInput, match=r"origin 1991 cannot be scored: .* 1990-1999, 2003-2008, .* origins are 1994"
    ):
        backtest(panel, forecasters=[], first_origin=1991)


@pytest.mark.parametrize(
    ("horizons", "first_origin", "text"),
    [
        ((1, 10), None, "the origins run from 1998 to 2004 and .* to 2005; ask for fewer .* --first-origin of 1995"),
        ((12,), None, "12 years ahead cannot be scored.*ask for fewer years ahead$"),
        ((1, 3), 2003, "3 years ahead .* --first-origin of 2002 or before"),
    ],
)
def test_horizons_that_no_origin_reaches_are_refused(
    horizons: tuple[int, ...], first_origin: int | None, text: str
) -> None:
    with pytest.raises(InvalidInput, match=text):
        small(horizons=horizons, first_origin=first_origin)


def test_bad_panels_and_arguments_say_what_to_do() -> None:
    with pytest.raises(InvalidPanel, match="needs at least two"):
        backtest(panel_of(walk(1, 20)))
    with pytest.raises(InvalidPanel, match=r"3 year.*needs 10"):
        backtest(panel_of(walk(5, 3)))
    with pytest.raises(UnknownName, match="Did you mean 'damped_drift'"):
        small(forecasters=["damped_drit"])
    with pytest.raises(InvalidInput, match="origin 1991 cannot be scored"):
        small(first_origin=1991)
    with pytest.raises(InvalidInput, match="horizons"):
        small(horizons=(0, 1))
    with pytest.raises(InvalidInput, match="draws is 1"):
        small(draws=1)


def test_a_panel_that_never_changes_is_refused_and_one_that_moves_as_a_whole_gives_no_widths() -> None:
    still = np.repeat(np.arange(8.0, 12.0)[:, None], 14, axis=1)
    with pytest.raises(InvalidPanel, match="no region's value ever changes: that looks filled in"):
        backtest(panel_of(still), forecasters=[])
    with pytest.raises(InvalidInput, match="cannot learn its widths"):
        backtest(panel_of(still + np.log(2) * (np.arange(14) > 12)), forecasters=[], first_origin=2000)


def write(path: Path, logs: np.ndarray) -> Path:
    return write_panel(path, panel_of(logs))


def test_the_command_prints_one_object_for_a_file_with_output_per_head_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = walk(5, 14)
    logs[1, 4] = np.nan
    path = write(tmp_path / "mine.csv", logs)
    line = [
        "backtest",
        str(path),
        "--forecaster",
        "gapsim",
        "--draws",
        "20",
        "--json",
        "--out",
        str(tmp_path / "skill.csv"),
    ]
    assert main(line) == 0
    answer = json.loads(capsys.readouterr().out)
    rows = answer["data"]["skill"]
    assert [(row["model"], row["horizon"]) for row in rows[-5:]] == [("gapsim", step) for step in range(1, 6)]
    wanted = {
        "rmse_ratio_to_persistence",
        "crps_ratio_to_persistence",
        "coverage_50",
        "coverage_90",
        "origins",
        "regions",
    }
    assert wanted <= set(rows[0])
    assert (tmp_path / "skill.csv").read_text(encoding="utf-8").startswith("model,horizon,")


def test_the_last_forecaster_is_printed_with_its_intervals_where_there_are_any(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "skill.csv"
    line = [
        "backtest",
        str(write(tmp_path / "mine.csv", walk(5, 18))),
        "--forecaster",
        "drift",
        "--forecaster",
        "mean_reversion",
    ]
    assert main([*line, "--draws", "20", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    row = pd.read_csv(out).set_index(["model", "horizon"]).loc[("mean_reversion", 2)]
    cells = [
        f"{row[f'{name}{tail}']:.3f} ({row[f'{name}_low']:.3f}-{row[f'{name}_high']:.3f})"
        for name, tail in (
            ("rmse_ratio", "_to_persistence"),
            ("crps_ratio", "_to_persistence"),
            ("coverage_50", ""),
            ("coverage_90", ""),
        )
    ]
    after = told.split("mean_reversion, with 90 % block-bootstrap intervals over origins")[1].splitlines()
    assert " ".join(after[3].split()) == " ".join(["2 ahead", *cells])
    # Five years ahead five origins are fewer than a block and one more.
    (row,) = (line for line in after if line.startswith("5 ahead"))
    assert "nan" not in row
    # From two origins no interval can be told.
    assert main([*line, "--draws", "20", "--first-origin", "2006"]) == 0
    assert "bootstrap" not in capsys.readouterr().out


def test_regret_and_error_correction_alone_stand_beside_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write(tmp_path / "mine.csv", walk(5, 18)))
    names = ("error_correction_shrunken", "drift", "mean_reversion")
    line = ["backtest", path, *(part for name in names for part in ("--forecaster", name)), "--draws", "20"]
    assert main([*line, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    rmse = pd.DataFrame(data["skill"]).pivot(index="horizon", columns="model", values="rmse")
    expected = rmse["mean_reversion"] / rmse.drop(columns="mean_reversion").min(axis=1) - 1
    assert_allclose(list(data["regret"]["mean_reversion"].values()), expected)
    assert main(line) == 0
    told = capsys.readouterr().out
    assert told.index("mean_reversion, with 90 %") < told.index("error_correction_shrunken, with 90 %")
    assert f"picked with hindsight: {100 * expected.iloc[0]:+.1f} % (1 ahead), " in told


def test_a_table_is_replaced_only_when_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write(tmp_path / "mine.csv", walk(4, 12)), tmp_path / "skill.csv"
    out.write_text("mine", encoding="utf-8")
    line = ["backtest", str(path), "--forecaster", "mean_reversion", "--draws", "10", "--out", str(out)]
    assert main(line) == 2
    told = capsys.readouterr().err
    assert "exists already; choose another file with --out, or replace it with --force" in told
    assert "Forecasting" not in told
    assert out.read_text(encoding="utf-8") == "mine"
    assert main([*line, "--force"]) == 0
    assert out.read_text(encoding="utf-8").startswith("model,horizon,")
    assert main([*line[:-1], str(tmp_path), "--force"]) == 2
    assert "is a folder; name a file" in capsys.readouterr().err
    assert main([*line[:-1], str(path), "--force"]) == 2
    assert "mine.csv is read and would be replaced" in capsys.readouterr().err
    assert main([*line[:-1], str(tmp_path / "skill.xlsx")]) == 2
    assert "name a file that ends in .csv" in capsys.readouterr().err
    assert not (tmp_path / "skill.xlsx").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--forecaster", "mean_reversio"], "Did you mean 'mean_reversion'?"),
        (["--horizon", "40"], "expected years ahead from 1 to 11"),
        (["--horizon", "1", "--horizon", "7"], "--first-origin of 1994 or before"),
        (["--first-origin", "1991"], "cannot be scored"),
        (["--last-origin", "2040"], "cannot be scored"),
        (["--first-origin", "2000", "--last-origin", "1999"], "give an earlier --first-origin"),
        (["--store", "other"], "is no checkpoint of a back-test"),
    ],
)
def test_nothing_begins_before_everything_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "mine.csv", walk(4, 12))
    assert main(["backtest", "other/mine.csv", *options]) == 2
    told = capsys.readouterr().err
    assert text in told
    assert "Forecasting" not in told
    assert "Finished origins" not in told


def test_forecasters_without_the_reference_and_seeds_below_zero_are_refused() -> None:
    panel = panel_of(walk(4, 12))
    with pytest.raises(InvalidInput, match="must be among them"):
        backtest(panel, forecasters={"mean_reversion": baselines()["mean_reversion"]})
    with pytest.raises(InvalidInput, match="seed must be a whole number from 0"):
        backtest(panel, forecasters=[], seed=-1)


def test_the_command_prints_a_table_and_refuses_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "mine.csv", walk(4, 12))
    assert (
        main(
            [
                "backtest",
                str(path),
                "--forecaster",
                "mean_reversion",
                "--horizon",
                "1",
                "--draws",
                "10",
                "--last-origin",
                "1999",
            ]
        )
        == 0
    )
    told = capsys.readouterr()
    assert "origins 1998-1999" in told.out
    assert "rmse ratio to persistence" in told.out
    assert main(["backtest", str(path), "--forecaster", "mean_reversion", "--draws", "10", "--window", "1991:"]) == 0
    assert "origins 1999-2000" in capsys.readouterr().out
    assert main(["backtest", str(path), "--window", "2050:"]) == 2
    assert "nothing is left of data" in capsys.readouterr().err
    logs = walk(4, 12)
    logs[:, 9] = np.nan
    hole = write(tmp_path / "hole.csv", logs)
    line = ["backtest", str(hole), "--forecaster", "mean_reversion", "--draws", "10", "--first-origin"]
    assert main([*line, "1998", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["data"]["origins"] == [1998, 2000]
    assert "no region has a row for 1999; nothing is filled in" in answer["warnings"][0]
    assert main([*line, "1999", "--last-origin", "1999"]) == 2
    assert "no region has output per head from 1999 to 1999" in capsys.readouterr().err


def test_large_panels_take_every_core_and_small_ones_one(monkeypatch) -> None:
    monkeypatch.setattr(backtest_command, "cores", lambda: 7)
    assert backtest_command._processes(panel_of(walk(31, 25))) == 7
    assert backtest_command._processes(panel_of(walk(6, 16))) == 1
