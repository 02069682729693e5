"""A third hundred calls, written down before any was run, from README and signatures alone.

At their first run 88 gave what they ask for, 6 said what to do, 4 gave something else and 2 ended in an error of Python.
"""

FREE = 'free=["Contact Rate", "Duration"]'
AIM = 'outcome="Infected", better="lower", draws=5'

THIRD = [
    # loading models, data, scenarios, fits, futures
    ('gapsim.load_model(Path.cwd() / "sir.mdl")', "Model", 'it.name == "sir"'),
    ('gapsim.load_model("sir.stmx")', "told", r"sir\.stmx"),
    (
        'gapsim.load_data("obs.csv", time="time", time_unit="day", units={"Infected": "person"})',
        "Data",
        'it.units["Infected"] == "person" and it.time_unit == "day"',
    ),
    (
        'gapsim.load_data(pd.read_csv("obs.csv", index_col="time"))',
        "Data",
        'it["Infected"].values.tolist() == frame["Infected"].tolist()',
    ),
    (
        'gapsim.load_scenario({"name": "slow", "changes": {"Duration": 8}}, model=sir)',
        "Scenario",
        'it.name == "slow" and list(it.changes) == ["Duration"]',
    ),
    ('gapsim.load_scenario("zoned_need")', "Scenario", 'it.name == "zoned_need" and it.policy.spends'),
    ('gapsim.load_fit(fit.save("third_fit"))', "Fit", "it.params.equals(fit.params)"),
    (
        'gapsim.load_future(future.save("third_future"))',
        "Future",
        'it.scenarios == future.scenarios and it["Infected"].equals(future["Infected"])',
    ),
    # running models as PySD
    ('sir.run(params={"Contact Rate": 8}, final_time=10)', "DataFrame", "it.index[-1] == 10"),
    (
        'sir.run(return_columns=["Infected", "Duration"])',
        "DataFrame",
        'list(it.columns) == ["Infected", "Duration"]',
    ),
    ("sir.run(return_timestamps=range(0, 31, 10))", "DataFrame", "it.index.tolist() == [0, 10, 20, 30]"),
    (
        'sir.run({"Contact Rate": pd.Series([6.0, 3.0], index=[0, 30])}, return_columns=["Contact Rate"])',
        "DataFrame",
        'it["Contact Rate"].iloc[0] == 6 and it["Contact Rate"].iloc[-1] == 3',
    ),
    (
        'sir.run(initial_condition=(5, {"Infected": 50}), return_columns="Infected")',
        "DataFrame",
        'it.index[0] == 5 and it["Infected"].iloc[0] == 50',
    ),
    ('sir.run(time_step=0.125, saveper=1)["Infected"]', "Series", "len(it) == 31"),
    ('sir.run({"contact_rate": 8})', "DataFrame", 'it.equals(sir.run({"Contact Rate": 8}))'),
    ('sir.run()["Infected"].idxmax()', "float", "0 < it <= 30"),
    ('sir.doc.loc["Contact Rate"]', "Series", 'it.name == "Contact Rate"'),
    ('sir.run(params={"Contact Rat": 8})', "told", "Contact Rate"),
    # simulating
    ('gapsim.simulate("sir.mdl", {"Duration": 8}, stop=20)', "Run", "it.years[-1] == 20"),
    ('gapsim.simulate(sir, outcomes="Infected").to_xarray()', "Dataset", 'list(it.data_vars) == ["Infected"]'),
    ("gapsim.simulate(sir, stop=10, save_every=1).table()", "DataFrame", "len(it) == 11"),
    (
        'gapsim.simulate(sir, {"Contact Rate": np.linspace(4, 8, 5)}).to_xarray()',
        "Dataset",
        'it.sizes["draw"] == 5',
    ),
    (
        'gapsim.simulate(sir, method="rk4", step=0.5, save_every=5)',
        "Run",
        "it.years.tolist() == [0, 5, 10, 15, 20, 25, 30]",
    ),
    ("run.to_frame()", "DataFrame", '"Infected" in set(it["variable"])'),
    ("gapsim.simulate(sir, final_time=10)", "told", "stop"),
    # handling data
    ("data.after(10).to_frame()", "DataFrame", 'len(it) == (frame["time"] > 10).sum()'),
    ('data.by_time("Infected").rolling(3).mean()', "Series", "len(it) == len(frame)"),
    (
        'small.subset(entities=["Sichuan"], times=range(2015, 2025))',
        "Data",
        'it.codes == ("510000",) and it.years == tuple(range(2015, 2025))',
    ),
    ("small.to_xarray()", "Dataset", 'it.sizes["region"] == 4'),
    ('data.to_excel("third_data.xlsx")', "Path", "len(pd.read_excel(it, engine='openpyxl')) == len(frame)"),
    ("data.table()", "DataFrame", "len(it) == 1"),
    ('data["Infectious"]', "told", "Infected"),
    # fitting, and what a fit has
    ('gapsim.fit(sir, data, free="Contact Rate", starts=1, seed=3)', "Fit", "len(it.params) == 1"),
    (
        'gapsim.fit("sir.mdl", "obs.csv", free={"Contact Rate": (1, 20)}, starts=1)',
        "Fit",
        '1 <= it["Contact Rate"] <= 20',
    ),
    (
        'sir.fit(frame, free=["contact rate"], starts=1, until=20)',
        "Fit",
        'it.nobs == (frame["time"] <= 20).sum()',
    ),
    (
        'gapsim.fit(gapsim.Problem(sir, data, free=["Duration"], values={"Contact Rate": 6}), starts=1)',
        "Fit",
        'it.x.shape == (1,) and it["Duration"] > 0',
    ),
    ('fit.params["Contact Rate"]', "float", 'it == fit["Contact Rate"]'),
    ("(fit.params / fit.bse).abs()", "Series", "len(it) == 2 and (it > 0).all()"),
    ('fit.conf_int().loc["Contact Rate"]', "Series", 'it.iloc[0] < fit["Contact Rate"] < it.iloc[1]'),
    ("fit.fittedvalues - fit.resid", "DataFrame", 'np.allclose(it.to_numpy().ravel(), frame["Infected"])'),
    ("np.sqrt(np.diag(fit.cov_params()))", "ndarray", "np.allclose(it, fit.bse)"),
    ('fit.predict(until=40)["Infected"]', "Series", "it.index[-1] == 40"),
    ('fit.parameter("Contact Rate")', "ParameterEstimate", "it.low < it.estimate < it.high"),
    ('fit.plot("Infected", lang="zh")', "Figure", "len(it.axes) > 0"),
    ("fit.summary().splitlines()", "list", 'any("Contact Rate" in line for line in it)'),
    ("fit.to_xarray()", "Dataset", 'it.sizes["parameter"] == 2'),
    # sampling and profiles
    (
        "gapsim.sample(fit, draws=20, ensembles=2, steps=200, seed=1)",
        "PosteriorSample",
        "it.to_frame().shape == (20, 2)",
    ),
    (
        f"gapsim.sample(gapsim.Problem(sir, data, {FREE}), fit, draws=20, ensembles=2, steps=200).table()",
        "DataFrame",
        "len(it) == 2",
    ),
    (
        "gapsim.sample(fit, draws=10, ensembles=2, steps=200).attached(fit).params",
        "Series",
        "it.index.equals(fit.params.index)",
    ),
    (
        'gapsim.profile(fit, keys=["Contact Rate"], level=0.95)[0]',
        "Profile",
        "it.low < it.estimate < it.high and it.level == 0.95",
    ),
    ("pd.concat([each.curve() for each in gapsim.profile(fit)])", "DataFrame", '"value" in it.columns'),
    # projecting any model, and what a future has
    ('gapsim.project(fit, {"Contact Rate": 4}, draws=5, until=40)', "Future", 'it["Infected"][it.axis].max() == 40'),
    (
        'gapsim.project(sir, data, ["sir.yaml", {"Duration": 3}], fit, draws=5, until=35)',
        "Future",
        'len(it.policies) == 2 and "lockdown" in it.policies',
    ),
    ('gapsim.project(fit, [{"Contact Rate": 4}, {"Duration": 3}], draws=5)', "Future", "len(it.policies) == 2"),
    (
        'gapsim.project(sir, "obs.csv", gapsim.Scenario.of("short", {"Duration": 3}), fit, draws=4, outcomes=["Infected"])',
        "Future",
        'it.policies == ("short",) and it.outcomes == ["Infected"]',
    ),
    ('future.difference("Infected").quantile(0.5, "draw")', "DataArray", '"draw" not in it.dims'),
    ('future.quantile([0.05, 0.5, 0.95])["Infected"]', "DataArray", 'it.sizes["quantile"] == 3'),
    ("future.sel(time=10).to_dataframe()", "DataFrame", '"Infected" in it.columns'),
    ('future.table("Infected", time=20)', "DataFrame", "len(it) > 0"),
    ('future.plot("Infected")', "Figure", "len(it.axes) > 0"),
    # projecting China's provinces
    ('cn.gaps.sel(year=2028).median("draw")', "DataArray", 'it.sizes["region"] == 4 and "draw" not in it.dims'),
    ('cn.sel(region="Sichuan", year=2028)', "Dataset", '"region" not in it.dims and "year" not in it.dims'),
    ('cn.table(region=["Sichuan", "Guizhou"], year=2028)', "DataFrame", "len(it) > 0"),
    ('cn.difference("gap_to_leader").sel(scenario="zoned_need")', "DataArray", 'it.sizes["draw"] == 3'),
    ('gapsim.plots.plot_gaps(cn.gaps, cn.history["gap_to_leader"])', "Figure", "len(it.axes) > 0"),
    (
        'gapsim.project("regional_digital", small, ["zoned_need", gapsim.load_scenario("zoned_need").with_('
        'name="half", budget=0.003)], draws=3, until=2027)',
        "Future",
        'it.policies == ("zoned_need", "half")',
    ),
    (
        'gapsim.project("regional_digital", small, "zoned_need", draws=3, until=2026, '
        "forecast=gapsim.forecast(small, until=2026, draws=20, past=False))",
        "Future",
        'it.gaps["year"].max() == 2026',
    ),
    ('gapsim.project("regional_digital", small, "zoned_needs", draws=2, until=2026)', "told", "zoned_need\\b"),
    ('cn.sel(region="Sichuang")', "told", "Sichuan\\b"),
    # forecasts and back-tests
    (
        'gapsim.forecast("obs.csv", until=36, model="sir.mdl", draws=20, past=False)',
        "Outlook",
        'it["Infected"].sizes["draw"] == 20',
    ),
    ("gapsim.forecast(small, horizon=2, draws=20, past=False)", "Outlook", 'it.paths["year"].max() == 2026'),
    (
        "gapsim.forecast(data, until=35, model=sir, fit=fit, draws=20, past=False).table()",
        "DataFrame",
        "len(it) > 0",
    ),
    ('outlook["Infected"].mean("draw")', "DataArray", '"draw" not in it.dims and bool((it > 0).all())'),
    ("outlook.quantile(0.9)", "Dataset", '"Infected" in it'),
    (
        'gapsim.backtest(small, forecasters=["persistence"], horizons=[1], first_origin=2021, draws=20).table()',
        "DataFrame",
        'set(it["horizon"]) == {1}',
    ),
    ("gapsim.forecast(data, until=10, model=sir, draws=20, past=False)", "told", "30"),
    # optimising and attributing
    (
        'gapsim.attribute("regional_digital", small, "zoned_need", draws=2, until=2027).table()',
        "DataFrame",
        "len(it) > 0",
    ),
    (f"gapsim.optimise(sir, data, fit=fit, starts=1, {AIM})", "told", "levers"),
    # evaluating, loops, briefs, explorers, comparing, updating, weighing, checking and listing
    ("gapsim.evaluate(sir, data, fit, quick=True).to_frame()", "DataFrame", '"verdict" in it.columns'),
    ('gapsim.loops(fit, of="Infected")', "Loops", "it.counted >= 1"),
    ('gapsim.brief(cn, "Sichuan", lang="zh")', "Brief", "1 <= len(it.lead) <= 3"),
    ('gapsim.explore(sir, data, fit, out="third.html", draws=5)', "Path", "it.stat().st_size > 0"),
    ('gapsim.compare(sir, "sir.mdl")', "DataFrame", '"Infected" in it.to_string()'),
    ("gapsim.update(small.until(2023), small)", "Update", "it.years == (2024,)"),
    ("gapsim.weigh(sir, data, fit)", "told", "effect|evidence|terms"),
    ("gapsim.check_data(frame)", "list", 'all(each.severity != "error" for each in it)'),
    ("gapsim.list_data()", "list", '"china" in it'),
    ('gapsim.list_scenarios("regional_digital")', "list", '"zoned_need" in it'),
]

# Those that give something else.
LEFT = [
    (
        'gapsim.load_model("regional_digital", regions=["510000", "520000"])',
        "Model",
        '("510000", "520000") in it.ranges.values()',
    ),
    (
        'gapsim.load_data(pd.Series([1.0, 2.0, 4.0], index=[0, 1, 2], name="Infected"))',
        "Data",
        'it.variables == ("Infected",) and it.times.tolist() == [0, 1, 2]',
    ),
    (
        'gapsim.simulate(sir, gapsim.Design(("Contact Rate", "Duration"), np.array([[4.0, 5], [6, 5]])).cases)["Infected"]',
        "ndarray",
        "it.shape[1] == 2",
    ),
    ('data["Infected"].sel(time=slice(5, 10))', "DataArray", "it.time.min() == 5 and it.time.max() == 10"),
    ('gapsim.fit(sir, data, free=["Infectivity"], starts=1)', "told", "Infectivity"),
    ("gapsim.Prior(mean=5, sd=1)", "told", "Normal"),
    ("gapsim.sample(fit, 20, steps=200)", "told", "draws"),
    (
        "gapsim.backtest(data, model=sir, horizons=[2], first_origin=28, draws=20)",
        "Backtest",
        "it.draws == 20 and len(it.skill()) > 0",
    ),
    (
        f'gapsim.optimise(sir, data, None, fit, levers={{"Contact Rate": (3, 8)}}, starts=1, {AIM})',
        "Optimum",
        "it.x.shape == (1,) and 3 <= it.x[0] <= 8",
    ),
    (
        f'gapsim.optimise(sir, data, fit=fit, levers={{"Contact Rate": (3, 8), "Duration": (2, 6)}}, starts=1, {AIM}).table()',
        "DataFrame",
        "len(it) == 2",
    ),
    (
        f'gapsim.attribute(sir, "obs.csv", {{"Contact Rate": 5, "Duration": 4}}, fit, until=20, {AIM}).wedges()',
        "DataFrame",
        "it.shape[1] == 2",
    ),
    (
        f'gapsim.attribute(sir, data, {{"Contact Rate": 4, "Duration": 3}}, fit, {AIM})',
        "Attribution",
        "len(it.levers) == 2",
    ),
]
