"""A hundred further calls, written down before any was run, in the form of `calls.py`."""

MORE = [
    # loading and data
    ("list(data.columns)", "list", '"Infected" in it'),
    ('data["Infected"].values', "ndarray", "it.tolist() == frame['Infected'].tolist()"),
    ("data.head()", "DataFrame", "len(it) == 5"),
    ("data.describe()", "DataFrame", 'it.loc["max", "Infected"] == frame["Infected"].max()'),
    ("data.plot()", "Figure", "len(it.axes) > 0"),
    ('data.to_xarray()["Infected"].max().item()', "float", 'it == frame["Infected"].max()'),
    (
        'gapsim.load_data(frame.rename(columns={"time": "day"}), time="day", units={"Infected": "person"})',
        "Data",
        'it.units["Infected"] == "person" and len(it.times) == 16',
    ),
    (
        'gapsim.load_data(frame.assign(time=pd.date_range("2024-01-01", periods=16, freq="2D")))',
        "Data",
        "len(it.times) == 16 and it.dates[0].year == 2024",
    ),
    ('small.subset(entities=["Sichuan", "Guizhou"]).to_frame()', "DataFrame", "len(it) > 0"),
    ('small.sel(region="Sichuan")', "Data", "len(it.regions) == 1"),
    # the model and a run
    ('sir.run(return_columns="Infected")["Infected"].plot()', "Axes", "len(it.lines) == 1"),
    ('sir.run({"Contact Rate": 5}, return_timestamps=range(0, 31, 10)).loc[30, "Infected"]', "float", "it > 0"),
    (
        'sir.run(params={"Contact Rate": pd.Series([9, 5], index=[0, 10])})',
        "DataFrame",
        'it["Contact Rate"].iloc[0] == 9 and it["Contact Rate"].iloc[-1] == 5',
    ),
    ('sir.run(initial_condition=(0, {"Infected": 20}))', "DataFrame", 'it["Infected"].iloc[0] == 20'),
    ("sir.run(fit.params)", "DataFrame", 'np.allclose(it["Contact Rate"], fit.params["Contact Rate"])'),
    (
        'gapsim.simulate(sir, pd.DataFrame({"Contact Rate": [4, 5, 6], "Duration": [4, 4, 5]}))["Infected"]',
        "ndarray",
        "it.shape[1] == 3",
    ),
    ('run["Infected"].max()', "float", "it > 5"),
    ("run.plot()", "Figure", "len(it.axes) > 0"),
    ('run.to_xarray()["Infected"].sel(time=slice(0, 10))', "DataArray", 'it.sizes["time"] == 11'),
    ('run.to_frame().query("variable == \'Infected\'")["value"].iloc[0]', "float", "it == 5"),
    ('run.to_excel("run.xlsx")', "PosixPath", "it.stat().st_size > 0"),
    ('run.save("run.nc")', "PosixPath", "it.exists()"),
    # fitting and the fit
    (
        'gapsim.fit(sir, data, free=["Contact Rate", "Duration"], starts=1, until=20)',
        "FitResult",
        "it.nobs == 11",
    ),
    (
        'gapsim.fit(sir, data, ["Contact Rate", "Duration"], starts=1).params',
        "Series",
        'set(it.index) == {"Contact Rate", "Duration"}',
    ),
    ('gapsim.fit(sir, data, free=["Contact Rate"], bounds={"Contact Rate": (1, 20)}, starts=1)', "told", "free"),
    ('gapsim.fit(sir, data, free=["Contact Rate"], starts=1, optimiser="nelder-mean")', "told", "optimiser"),
    (
        'sir.fit(frame.set_index("time")["Infected"], free={"Contact Rate": (1, 20), "Duration": (1, 10)}, '
        "starts=1, seed=1).summary()",
        "str",
        '"Duration" in it',
    ),
    ("fit.conf_int(alpha=0.1)", "DataFrame", "it.shape == (2, 2) and (it.iloc[:, 1] > fit.params).all()"),
    ('fit.conf_int().loc["Contact Rate"].tolist()', "list", 'it[0] < fit["Contact Rate"] < it[1]'),
    ("fit.aic", "float", "np.isfinite(it)"),
    ('fit.correlation().loc["Contact Rate", "Duration"]', "float", "-1 <= it <= 1"),
    ('fit.resid["Infected"].std()', "float", "it >= 0"),
    (
        "fit.predict(until=40, draws=20, seed=1)",
        "DataFrame",
        "len(it) > 0 and np.isfinite(it.to_numpy(dtype=float)).all()",
    ),
    ('fit.plot("Infected").axes[0].get_ylabel()', "str", "it is not None"),
    ('fit.to_excel("fit.xlsx")', "PosixPath", 'it.suffix == ".xlsx" and it.exists()'),
    ("fit.to_latex(digits=2)", "str", '"tabular" in it and "Contact Rate" in it'),
    (
        'gapsim.compare(fit, gapsim.fit(sir, data, free=["Contact Rate"], starts=1))',
        "DataFrame",
        "len(it) > 0",
    ),
    # sampling, profiles, the problem
    (
        'gapsim.sample(fit, 50, steps=200, seed=1).to_frame()["Contact Rate"].mean()',
        "float",
        "0 < it < 100",
    ),
    ("gapsim.sample(fit, draws=50, steps=200).summary()", "DataFrame", '"Contact Rate" in it.index'),
    ('gapsim.profile(fit, keys=["Contact Rate"])', "tuple", "len(it) == 1"),
    ('gapsim.profile(fit, "Contact Rate", level=0.95)[0].plot()', "Figure", "len(it.axes) > 0"),
    (
        'gapsim.Problem(sir, data, free={"Contact Rate": (1, 20)}, values={"Duration": 5}).residuals(np.zeros(1))',
        "ndarray",
        "it.ndim == 1 and np.isfinite(it).all()",
    ),
    (
        'gapsim.Problem(sir, data, free=["Contact Rate", "Duration"]).log_posterior_batch(np.zeros((3, 2)))',
        "ndarray",
        "it.shape == (3,)",
    ),
    (
        'gapsim.fit(gapsim.Problem(sir, data, free=["Contact Rate"], '
        'observations={"Infected": {"outcome": "Infected", "scale": "log"}}), starts=1)["Contact Rate"]',
        "float",
        "it > 0",
    ),
    (
        'gapsim.sample(gapsim.Problem(sir, data, free=["Contact Rate"]), draws=50, steps=200).draws',
        "ndarray",
        "it.shape == (50, 1)",
    ),
    # scenarios and projections
    (
        'gapsim.project(fit, {"Contact Rate": "x0.5"}, draws=5, until=60)',
        "Future",
        'float(it["Infected"].time.max()) == 60',
    ),
    ('gapsim.project(fit, {"Contact Rate": "-50%"}, draws=5)', "Future", "len(it.policies) == 1"),
    ('gapsim.project(fit, {"Contact Rate": {0: 9, 10: 4.5}}, draws=5)', "Future", "len(it.scenarios) == 2"),
    (
        'gapsim.project(fit, {"mild": {"Contact Rate": 7}, "strict": {"Contact Rate": 3, "Infectivity": 0.05}}, '
        "draws=5).policies",
        "tuple",
        'it == ("mild", "strict")',
    ),
    (
        'gapsim.project(fit, ["sir.yaml", gapsim.Scenario({"Contact Rate": 5}, name="five")], draws=5)',
        "Future",
        'set(it.policies) == {"lockdown", "five"}',
    ),
    ('gapsim.project(fit, {"Contact Rate": 5}, draws=5, outcomes="Infected").outcomes', "list", 'it == ["Infected"]'),
    ('gapsim.project(sir, scenarios={"Contact Rate": 5})', "Future", '"Infected" in it.outcomes'),
    (
        'gapsim.Scenario({"Contact Rate": pd.Series([9, 4], index=[0, 10])}, name="lockdown")',
        "Scenario",
        'it.name == "lockdown" and "Contact Rate" in it.changes',
    ),
    ('gapsim.load_scenario({"name": "cut", "changes": {"Contact Rate": 5}}, model=sir).name', "str", 'it == "cut"'),
    ('gapsim.load_scenario("sir.yaml", model=sir).save("copy.yaml")', "PosixPath", 'it.name == "copy.yaml"'),
    (
        'gapsim.load_scenario("zoned_need").with_(name="rich", budget=0.01, start=2026).to_dict()["name"]',
        "str",
        'it == "rich"',
    ),
    ('gapsim.load_scenario("zoned_need").describe("zh")', "tuple", "len(it) > 0 and all(it)"),
    (
        'gapsim.project("regional_digital", small, gapsim.list_scenarios()[:2], draws=3, until=2028)',
        "Future",
        'len(it.policies) >= 1 and it.data.sizes["draw"] == 3',
    ),
    (
        'gapsim.project("regional_digital", small, {"low": gapsim.load_scenario("zoned_need").with_(budget=0.002), '
        '"high": gapsim.load_scenario("zoned_need").with_(budget=0.01)}, draws=3, until=2028)',
        "Future",
        'it.policies == ("low", "high")',
    ),
    ('gapsim.project("regional_digital", small, "zone_need", draws=3, until=2028)', "told", "zoned_need"),
    # results of a projection
    ('future["Infected"].mean("draw")', "DataArray", '"draw" not in it.dims and "scenario" in it.dims'),
    ('future["Infected"].isel(time=-1).to_pandas()', "DataFrame", "it.size == 10"),
    ("future.sel(time=20)", "Dataset", 'float(it["time"]) == 20'),
    ('future.difference("Infected").quantile([0.05, 0.95], dim="draw")', "DataArray", 'it.sizes["quantile"] == 2'),
    ('future.table("Infected", time=30)', "DataFrame", "len(it) > 0"),
    ('future.plot("Infected", difference=True)', "Figure", "len(it.axes) > 0"),
    ('future.to_frame().groupby("scenario").size()', "Series", "len(it) == 2 and (it > 0).all()"),
    ('future.to_excel("future.xlsx")', "PosixPath", "it.stat().st_size > 0"),
    ('cn["gap_to_leader"].sel(region="Sichuan", year=2028)', "DataArray", '"region" not in it.dims'),
    (
        'cn.table("gap_to_leader", region=["Sichuan", "Gansu"], year=2028)',
        "DataFrame",
        'set(it["region"]) == {"510000", "620000"}',
    ),
    ('cn.plot("gap_to_leader", region="四川", lang="zh")', "Figure", "len(it.axes) > 0"),
    ('cn.quantile(0.5)["gap_to_leader"].sel(scenario="zoned_need").to_pandas()', "DataFrame", "4 in it.shape"),
    # forecasts and back-tests
    ("outlook.plot()", "Figure", "len(it.axes) > 0"),
    ('outlook["Infected"].quantile([0.1, 0.9], "draw")', "DataArray", 'it.sizes["quantile"] == 2'),
    ("outlook.quantile([0.05, 0.5, 0.95])", "Dataset", 'it.sizes["quantile"] == 3'),
    ("outlook.to_frame()", "DataFrame", "len(it) > 0"),
    ('outlook.sentences("zh")', "tuple", "len(it) > 0 and all(it)"),
    ('outlook.save("outlook")', "PosixPath", "it.is_dir()"),
    ("gapsim.forecast(data, 40, model=sir, fit=fit, draws=20, past=False).table()", "DataFrame", "len(it) > 0"),
    ("gapsim.forecast(data, model=sir, until=20, draws=20, past=False)", "told", "until"),
    ("gapsim.backtest(data, model=sir, horizons=[2, 4], draws=20).table()", "DataFrame", "len(it) > 0"),
    ('gapsim.backtest(data, model=sir, first_origin=20, draws=20).by("horizon")', "DataFrame", "len(it) > 0"),
    # policies
    (
        'gapsim.optimise(fit, outcome="Infected", levers={"Infectivity": (0.1, 0.2)}, better="higher", draws=4, '
        "starts=1).table()",
        "DataFrame",
        "len(it) > 0",
    ),
    (
        'gapsim.optimise(sir, data, fit=fit, outcome="Infected", levers={"Infectivity": (0.1, 0.2)}, '
        'better="higher", draws=4, starts=1).x',
        "ndarray",
        "it.shape == (1,) and 0.1 <= it[0] <= 0.2",
    ),
    (
        'gapsim.optimise(sir, data, fit=fit, outcome="Infected", levers={"Infectivity": (0.1, 0.2)}, better="min", '
        "draws=4, starts=1)",
        "told",
        "lower",
    ),
    (
        'gapsim.attribute(sir, data, {"Contact Rate": 10, "Infectivity": 0.15}, fit, outcome="Infected", '
        'levers={"Contact Rate": (9, 12), "Infectivity": (0.1, 0.2)}, draws=2).table()',
        "DataFrame",
        "len(it) >= 2",
    ),
    (
        'gapsim.attribute("regional_digital", small, "zoned_need", draws=2, until=2027).plot()',
        "Figure",
        "len(it.axes) > 0",
    ),
    (
        'gapsim.attribute("regional_digital", small, "zoned_need", draws=2, until=2027).to_latex()',
        "str",
        '"tabular" in it',
    ),
    ('gapsim.loops(sir, of="Infected").table()', "DataFrame", "len(it) > 0"),
    ('gapsim.loops("sir.mdl", {"Contact Rate": 5}).plot()', "Figure", "len(it.axes) > 0"),
    # reports
    ('gapsim.brief(cn, "四川", lang="zh").document.title', "str", '"四川" in it'),
    ('gapsim.brief(cn, "Sichuan", lang="zh").save("brief_zh")', "PosixPath", "it.exists()"),
    ('gapsim.explore(sir, data, fit, out="sir.html", draws=4)', "PosixPath", '"<html" in it.read_text("utf-8")'),
    (
        'gapsim.explore("regional_digital", small, out="cn_zh.html", until=2028, draws=2, lang="zh")',
        "PosixPath",
        'it.name == "cn_zh.html" and it.exists()',
    ),
    ('gapsim.evaluate("sir.mdl", quick=True).save("evaluation")', "PosixPath", "it.exists()"),
    ("gapsim.evaluate(sir, frame, fit, quick=True).table()", "DataFrame", "len(it) > 0"),
    # errors
    ('gapsim.load_model("nope.mdl")', "told", "nope.mdl"),
    ('gapsim.fit(sir, data, free=["Contact Rat"], starts=1)', "told", "Contact Rate"),
    ('future["Infectd"]', "told", "Infected"),
    ('gapsim.brief(cn, "Sichuann")', "told", "Sichuan"),
]
