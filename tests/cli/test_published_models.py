"""Five published models with their data go from file to forecast; estimates lie within the published errors.

The files are written from the published equations and the tables from the published figures.
"""

import pandas as pd
import pytest

from tests.study.models import written

STELLA = (
    '<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0"><header><vendor>v</vendor></header>'
    '<sim_specs method="RK4" time_units="{unit}"><start>1</start><stop>{stop}</stop><dt>{step}</dt></sim_specs>'
    "<model><variables>{parts}</variables></model></xmile>"
)
NORMAL = 'errors = { family = "normal", memory = "independent" }'
BASS = ("Advertising Effectiveness a", "Adoption Fraction i", "Total Population N")
# Of each model: equations (of Stella files with the flows into and out of each stock), time unit, end and step, table,
# declarations of columns and priors (mean and standard deviation), options of all commands and of the fit, a scenario
# and the end of the forecast, published estimates with standard errors, what is told of a fit whose diagnostics fail.
CASES = {
    # Andrade and Duggan (2021), System Dynamics Review 37: posterior means to their last digit, of Poisson counts;
    # Frost and Sydenstricker (1919), Public Health Reports 34.
    "influenza, Cumberland 1918": {
        "equations": "N = 5234\nR0 = 1570\nI0 = 4\nrho = 0.8\npar beta = 1.25\nsigma = 1 / 2\npar gamma = 1 / 2\n"
        "lambda = I * par_beta / N\nIR = lambda * S\nDR = E * sigma\nRR = I * par_gamma\nRC = rho * DR\n"
        "S = N - I0 - R0\nE = 0\nI = I0\nR = R0\nC = I0",
        "flows": {"S": ("", "IR"), "E": ("IR", "DR"), "I": ("DR", "RR"), "R": ("RR", ""), "C": ("RC", "")},
        "clock": {"unit": "Months", "stop": 90, "step": 1 / 32},
        "data": {
            "Time": range(1, 92),
            "Cases": "6 3 0 0 0 2 0 4 2 3 4 2 4 0 4 8 6 4 3 11 5 9 31 19 24 23 24 47 26 32 138 57 67 91 98 103 94 99 "
            "65 117 83 88 47 66 135 34 29 44 24 42 12 18 26 12 19 11 12 14 7 4 3 25 3 6 5 2 3 10 6 4 7 6 4 2 1 3 2 "
            "1 6 4 3 4 0 2 1 0 1 2 4 1 2",
            "Date": pd.date_range("1918-09-01", periods=91).strftime("%d/%m/%Y"),
        },
        "observed": {"Cases": 'outcome = "RC"\nkind = "flow"\nerrors = { family = "poisson" }'},
        "options": ("--free", "rho,par beta,I0"),
        "then": ("par beta: {40: x0.8}", "95"),
        "estimates": {"rho": (0.77, 0.01), "par beta": (1.29, 0.01)},
        "told": "vary more than Poisson errors allow",
    },
    # Sterman (2000), Business Dynamics, chapter 9; Bass (1969), Management Science 15; nonlinear least squares of
    # Srinivasan and Mason (1986), Marketing Science 5: p, q (a hundred contacts times the fraction) and m.
    "Bass, air conditioners 1949 to 1961": {
        "equations": "Adopters A = INTEG(Adoption Rate AR, 0)\nAdvertising Effectiveness a = 0.011\n"
        "Contact Rate c = 100\nAdoption Fraction i = 0.015\nTotal Population N = 1e+06\n"
        "Adoption Rate AR = Advertising Effectiveness a * Potential Adopters P + Contact Rate c * "
        "Adoption Fraction i * Potential Adopters P * Adopters A / Total Population N\n"
        "Potential Adopters P = INTEG(-Adoption Rate AR, Total Population N)",
        "clock": {"unit": "Year", "stop": 10, "step": 0.0625},
        "data": {
            "year": range(1949, 1962),
            "sales": [1000 * it for it in (96, 195, 238, 380, 1045, 1230, 1267, 1828, 1586, 1673, 1800, 1580, 1500)],
        },
        "observed": {"sales": f'outcome = "Adoption Rate AR"\nscale = "level"\nkind = "flow"\n{NORMAL}'},
        "options": ("--window", "1948:", "--free", ",".join(BASS)),
        "then": ("Advertising Effectiveness a: {1955: x0.5}", "1965"),
        "estimates": {
            "Advertising Effectiveness a": (0.0094, 0.0020),
            "Adoption Fraction i": (0.003748, 0.00040),
            "Total Population N": (18_713_000, 1_411_000),
        },
    },
    # Data set Theoph of R, subject 1, with its estimates by nls and SSfol, from their logarithms.
    "theophylline": {
        "equations": "Dose = 4.02\nka = 1.5\nke = 0.08\nCl = 0.04\nAbsorbing = ka * Gut\nconc = Body * ke / Cl\n"
        "Gut = INTEG(-Absorbing, Dose)\nBody = INTEG(Absorbing - ke * Body, 0)",
        "clock": {"unit": "hour", "stop": 25, "step": 0.01},
        "data": {
            "Time": (0, 0.25, 0.57, 1.12, 2.02, 3.82, 5.1, 7.03, 9.05, 12.12, 24.37),
            "conc": (0.74, 2.84, 6.57, 10.5, 9.66, 8.58, 8.36, 7.47, 6.89, 5.94, 3.28),
        },
        "observed": {"conc": f'scale = "level"\noutcome = "conc"\n{NORMAL}'},
        "then": ("Dose: x0.5", "36"),
        "estimates": {"ka": (1.777, 0.307), "ke": (0.0540, 0.0092), "Cl": (0.01992, 0.00254)},
    },
    # Carpenter (2018), case study of Stan: posterior means and standard deviations; pelts of the Hudson's Bay Company.
    "lynxes and hares 1900 to 1920": {
        "equations": "H0 = 10\nL0 = 10\nalpha = 0\nbeta = 0\ngamma = 0\ndelta = 0\nHares = H0\nLynx = L0\n"
        "H births = alpha * Hares\nH deaths = beta * Hares * Lynx\nL births = delta * Hares * Lynx\n"
        "L deaths = gamma * Lynx",
        "flows": {"Hares": ("H births", "H deaths"), "Lynx": ("L births", "L deaths")},
        "clock": {"unit": "Months", "stop": 13, "step": 1 / 16},
        "data": {
            "Year": range(1900, 1921),
            "Lynx": "4 6.1 9.8 35.2 59.4 41.7 19 13 8.3 9.1 7.4 8 12.3 19.5 45.7 51.1 29.7 15.8 9.7 10.1 8.6",
            "Hares": "30 47.2 70.2 77.4 36.3 20.6 18.1 21.4 22 25.4 27.1 40.3 57 76.6 52.3 19.5 11.2 7.6 14.6 16.2 "
            "24.7",
        },
        "observed": {name: f'outcome = "{name}"\nscale = "log"\n{NORMAL}' for name in ("Hares", "Lynx")},
        "priors": {"alpha": (1, 0.5), "beta": (0.05, 0.05), "gamma": (1, 0.5), "delta": (0.05, 0.05)},
        "reading": ("--time-unit", "month"),
        "options": ("--free", "alpha,beta,gamma,delta,H0,L0"),
        "then": ("gamma: {1915: x1.1}", "1925"),
        "estimates": {
            "alpha": (0.549, 0.064),
            "beta": (0.028, 0.004),
            "gamma": (0.797, 0.091),
            "delta": (0.024, 0.004),
            "H0": (33.96, 2.86),
            "L0": (5.95, 0.53),
        },
    },
    # Grinsztajn and others (2021), Statistics in Medicine 40: posterior means and standard deviations; British Medical
    # Journal (1978) 1, 587, for the boys in bed.
    "influenza, boarding school 1978": {
        "equations": "Population = 763\nbeta = 3\ngamma = 1\nInfection = beta * Susceptible * Infected / Population\n"
        "Susceptible = INTEG(-Infection, Population - 1)\nInfected = INTEG(Infection - gamma * Infected, 1)",
        "clock": {"unit": "Day", "stop": 10, "step": 1 / 32},
        "data": {
            "date": pd.date_range("1978-01-22", periods=14).strftime("%Y-%m-%d"),
            "in bed": (3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4),
        },
        "observed": {"in bed": 'outcome = "Infected"\nerrors = { family = "negative_binomial" }'},
        "priors": {"beta": (2, 1), "gamma": (0.4, 0.5)},
        "options": ("--window", "1978-01-21:"),
        "then": ("beta: {1978-01-27: x0.5}", "1978-02-08"),
        "estimates": {"beta": (1.73, 0.05), "gamma": (0.54, 0.04)},
    },
}


def write(folder, *, equations, clock, data, observed, then, flows=None, priors=None, **_):
    """Write model, declarations, table and scenario; return the name of the model file."""
    declared = [f'[measurements."{name}"]\n{text}\n' for name, text in observed.items()]
    for name, (mean, sd) in (priors or {}).items():
        prior = f'prior = {{ family = "normal", mean = {mean}, sd = {sd} }}'
        declared.append(f'[parameters."{name}"]\nvalue = {mean}\nlower = 0\n{prior}\n')
    (folder / "mine.toml").write_text("schema = 2\n" + "".join(declared), encoding="utf-8")
    (folder / "less.yaml").write_text(f"name: less\nchanges: {{{then[0]}}}\n", encoding="utf-8")
    table = pd.DataFrame({name: it.split() if isinstance(it, str) else it for name, it in data.items()})
    table.iloc[:, ::-1].to_csv(folder / "obs.csv", index=False)
    lines = equations.splitlines()
    if flows is None:
        return written(folder, "{UTF-8}\n" + "".join(f"{line}\n~ ~|\n" for line in lines), **clock).name
    parts = ""
    for name, text in (line.split(" = ") for line in lines):
        ends = zip(("inflow", "outflow"), flows.get(name, ("", "")), strict=True)
        inner = "".join(f"<{end}>{flow}</{end}>" for end, flow in ends if flow)
        is_flow = any(name in pair for pair in flows.values())
        kind = "stock" if name in flows else "flow" if is_flow else "aux"
        parts += f'<{kind} name="{name}"><eqn>{text}</eqn>{inner}</{kind}>'
    (folder / "mine.stmx").write_text(STELLA.format(parts=parts, **clock), encoding="utf-8")
    return "mine.stmx"


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_published_model_goes_from_file_to_forecast(gapsim, tmp_path, case):
    own, told = ("--model", write(tmp_path, **case)), case.get("told", "")
    assert "error" not in gapsim("data", "check", "obs.csv", *own, *case.get("reading", ()), code=0).out
    fit = gapsim("calibrate", "obs.csv", *own, *case.get("options", ()), "--out", "fit", code=3 if told else 0)
    assert told in fit.err
    # One verdict: nothing is praised above a check that failed.
    assert not (told and any(word in fit.out for word in ("determined by", "mostly the data", "converged")))
    found = pd.read_csv(tmp_path / "fit" / "parameters.csv").set_index("key")["estimate"]
    away = {name: (found[name] - value) / error for name, (value, error) in case["estimates"].items()}
    assert max(map(abs, away.values())) <= 1, away
    own = (*own, "--fit", "fit")
    gapsim("run", "less.yaml", *own, "--data", "obs.csv", "--draws", 100, "--out", "results", code=0)
    end, times = pd.read_csv(tmp_path / "results" / "end.csv")["time"].iloc[-1], next(iter(case["data"].values()))
    assert end >= times[-1]
    column = next(iter(case["observed"]))
    told = gapsim("forecast", "obs.csv", *own, "--until", case["then"][1], "--out", "outlook", code=0).out
    assert f"{column} at " in told
    drawn = pd.read_csv(next((tmp_path / "outlook" / "figures").glob("*.csv")))
    # The fitted line over the data, then the forecast.
    assert drawn["time"].nunique() > len(times)
    gapsim("explore", *own[1:], "--data", "obs.csv", "--out", "mine.html", code=0)
