"""Reading declarations: what a good file gives, and where a bad one is said to be bad."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from pysd_runner.core.errors import InvalidModel, UnknownName
from pysd_runner.spec import Beta, ErrorModel, LogNormal, ModelSpec, Normal, Uniform, load_spec

GOOD = """
schema = 1
name = "toy"

[parameters.rate]
variable = "Growth Rate"
unit = "1/Year"
value = 0.02
lower = 0.0
upper = 0.1
prior = { family = "lognormal", median = 0.02, sdlog = 0.5 }
role = "FREE"
sources = ["somebody2000"]
judgement = false
en = "rate of growth"
zh = "增长率"

[parameters.cost]
variable = "Unit Cost"
unit = "Yuan/Person"
value = 10.0
lower = 1.0
upper = 100.0
prior = { family = "uniform", lower = 5.0, upper = 20.0 }
role = "COST"
judgement = true
note = "set by hand"
price_basis = "yuan of 2015"
en = "unit cost"
zh = "单位成本"

[parameters.loading]
unit = "Dmnl"
value = 2.0
lower = 0.5
upper = 4.0
prior = { family = "normal", mean = 2.0, sd = 0.5 }
role = "FREE"
judgement = true
note = "set by hand"
en = "loading"
zh = "载荷"

[parameters.part]
unit = "Dmnl"
value = 0.5
lower = 0.0
upper = 1.0
prior = { family = "beta", a = 2.0, b = 2.0 }
role = "FREE*"
judgement = true
note = "set by hand"
en = "level"
zh = "水平"

[parameters.idle]
unit = "Dmnl"
value = 0.5
lower = 0.0
upper = 1.0
prior = { family = "beta", a = 2.0, b = 2.0 }
role = "ASM"
judgement = true
note = "set by hand"
en = "nothing"
zh = "无"

[parameters.move]
variable = "Movement Rate"
unit = "1/Year"
value = 0.5
lower = 0.0
upper = 1.0
prior = { family = "beta", a = 2.0, b = 2.0 }
role = "FIX"
judgement = true
note = "set by hand"
price_basis = ""
en = "rate of movement"
zh = "流动率"

[inputs.x]
variable = "Initial Share"
unit = "Dmnl"
panel = "share"
rule = "proxy"
proxy = { indicators = ["users"], loading = "loading", of = "penetration", level = 0.5, cap = 0.9 }
lower = 0.0
upper = 1.0
en = "initial share"
zh = "初始比例"

[inputs.y]
variable = "Initial Part"
unit = "Dmnl"
rule = "proxy"
proxy = { indicators = ["users"], loading = "loading", of = "x", level = "part", cap = 0.9 }
lower = 0.0
upper = 1.0
en = "initial part"
zh = "初始部分"

[inputs.k]
variable = "Initial Ratio"
unit = "Year"
rule = "constant"
fallback = 3.0
lower = 0.1
upper = 20.0
en = "initial ratio"
zh = "初始比率"

[outcomes.size]
variable = "Size"
unit = "Yuan"
en = "Size"
zh = "规模"

[measurements.size]
outcome = "Size"
indicators = ["size"]
loading = "loading"
relative = true
increments = true
sd = 0.02
en = "size"
zh = "规模"

[measurements.level]
outcome = "Share"
national = "penetration"
alternatives = ["penetration by another definition"]
sd = 0.01
en = "level"
zh = "水平"

[definitions.penetration]
en = "use at least once a month"
zh = "每月至少使用一次"

[definitions."penetration by another definition"]
en = "use every day"
zh = "每日使用"

[levers.access]
element = "Access"
en = "Access"
zh = "接入"

[classes.lagging]
element = "Lagging"
en = "Lagging"
zh = "欠发达地区"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "model.toml"
    path.write_text(text, encoding="utf-8")
    return path


RIDGE = """[ridges.r]
form = "product"
keys = ["rate", "cost"]
reference = 0.1
en = "r"
zh = "脊"

[levers.access]"""


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in GOOD
    return write(folder, GOOD.replace(old, new, 1))


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    return load_spec(write(tmp_path, GOOD))


def test_everything_is_read(spec: ModelSpec) -> None:
    assert spec.name == "toy"
    assert list(spec.parameters) == ["rate", "cost", "loading", "part", "idle", "move"]
    rate = spec.parameters["rate"]
    assert (rate.key, rate.variable, rate.unit, rate.value) == ("rate", "Growth Rate", "1/Year", 0.02)
    assert (rate.lower, rate.upper, rate.role, rate.sources) == (0.0, 0.1, "FREE", ("somebody2000",))
    assert (rate.en, rate.zh, rate.judgement) == ("rate of growth", "增长率", False)
    assert spec.parameters["loading"].variable == ""
    assert spec.inputs["k"].fallback == 3.0
    assert spec.inputs["x"].proxy is not None
    assert spec.inputs["x"].proxy.indicators == ("users",)
    assert spec.inputs["x"].proxy.level == 0.5
    assert [proxy.level for proxy in spec.proxies] == [0.5, "part"]
    assert spec.measurements["size"].increments
    assert spec.measurements["level"].national == "penetration"
    assert spec.measurements["level"].alternatives == ("penetration by another definition",)
    assert spec.definitions["penetration"].en == "use at least once a month"
    assert spec.levers["access"].element == "Access"
    assert spec.classes["lagging"].zh == "欠发达地区"


def test_errors_and_ridges_are_read(tmp_path: Path) -> None:
    text = GOOD.replace("sd = 0.02", 'sd = 0.02\nerrors = { family = "student", degrees = 4, scale = "region" }', 1)
    spec = load_spec(write(tmp_path, text.replace("[levers.access]", RIDGE, 1)))
    assert spec.measurements["size"].errors == ErrorModel(family="student", degrees=4.0, memory="ar1", scale="region")
    assert spec.measurements["level"].errors == ErrorModel()
    assert spec.ridges["r"].keys == ("rate", "cost")
    assert spec.ridges["r"].reference == 0.1


def test_priors_take_the_bounds_of_their_parameter(spec: ModelSpec) -> None:
    assert spec.parameters["rate"].prior == LogNormal(0.02, 0.5, 0.0, 0.1)
    assert spec.parameters["cost"].prior == Uniform(5.0, 20.0)
    assert spec.parameters["loading"].prior == Normal(2.0, 0.5, 0.5, 4.0)
    assert spec.parameters["move"].prior == Beta(2.0, 2.0, 0.0, 1.0)


def test_parameters_are_found_by_key_and_by_model_name(spec: ModelSpec) -> None:
    assert spec.parameter("rate") is spec.parameter("Growth Rate")
    with pytest.raises(UnknownName, match="Did you mean 'Growth Rate'"):
        spec.parameter("Growth Rat")


def test_a_parameter_acts_in_an_equation_a_measurement_or_a_start_value(spec: ModelSpec) -> None:
    acting = [key for key, item in spec.parameters.items() if spec.acts(item)]
    # `loading` only stands in a measurement, `part` only in a start value.
    assert acting == ["rate", "cost", "loading", "part", "move"]


def test_a_parameter_acts_only_where_its_switch_is_on(tmp_path: Path) -> None:
    rate = 'variable = "Growth Rate"\n'
    found = load_spec(write(tmp_path, GOOD.replace(rate, f'{rate}switch = "move"\n')))
    assert found.acts(found.parameters["rate"])
    off = replace(found, parameters={**found.parameters, "move": replace(found.parameters["move"], value=0.0)})
    assert not off.acts(off.parameters["rate"])
    with pytest.raises(InvalidModel, match=r"no parameter 'moves'. Did you mean 'move'"):
        load_spec(write(tmp_path, GOOD.replace(rate, f'{rate}switch = "moves"\n')))


def test_an_error_that_is_known_is_read_and_said(tmp_path: Path) -> None:
    text = GOOD.replace("sd = 0.01", 'sd = 0.01\nerrors = { memory = "independent", known = true }', 1)
    spec = load_spec(write(tmp_path, text))
    assert spec.measurements["level"].errors == ErrorModel(memory="independent", known=True)
    assert spec.measurements["level"].errors.words.endswith("standard deviation known")
    assert "known" not in spec.measurements["size"].errors.words


def test_declarations_survive_pickling(spec: ModelSpec) -> None:
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("schema = 1", "schema = 2", "schema", "reads schema 1, found 2"),
        ("schema = 1\n", "", "schema", "is missing"),
        ('name = "toy"', 'name = ""', "name", "must not be empty"),
        ('name = "toy"', 'name = "toy"\nauthor = "x"', "author", "unknown key"),
        ("upper = 0.1\n", "upper = -0.1\n", 'parameters["rate"].upper', "must lie above lower"),
        ("upper = 0.1\n", 'upper = "0.1"\n', 'parameters["rate"].upper', "expected a number without quotes"),
        ("upper = 0.1\n", "upper = inf\n", 'parameters["rate"].upper', "finite"),
        ("upper = 0.1\n", f"upper = 1{'0' * 400}\n", 'parameters["rate"].upper', "finite"),
        ("upper = 0.1\n", "upper = true\n", 'parameters["rate"].upper', "expected a number"),
        ("upper = 0.1\n", "uper = 0.1\n", 'parameters["rate"].upper', "is missing"),
        ("value = 0.02", "value = 0.2", 'parameters["rate"].value', "outside [0, 0.1]"),
        ('unit = "1/Year"\n', "", 'parameters["rate"].unit', "is missing"),
        ('role = "FREE"', 'role = "FRE"', 'parameters["rate"].role', "Did you mean 'FREE'"),
        ('"lognormal"', '"lognorm"', 'parameters["rate"].prior.family', "Did you mean 'lognormal'"),
        ("sdlog = 0.5", "sdlog = 0.0", 'parameters["rate"].prior', "must be positive"),
        ("sdlog = 0.5", "sd = 0.5", 'parameters["rate"].prior.sdlog', "is missing"),
        ("sdlog = 0.5", "sdlog = 0.5, mode = 1.0", 'parameters["rate"].prior.mode', "unknown key"),
        ("lower = 5.0", "lower = 0.5", 'parameters["cost"].prior.lower', "below the lower bound 1"),
        ("upper = 20.0 }", "upper = 200.0 }", 'parameters["cost"].prior.upper', "above the upper bound 100"),
        ("upper = 20.0 }", "upper = 9.0 }", 'parameters["cost"].prior', "no probability"),
        ('sources = ["somebody2000"]', "sources = []", 'parameters["rate"].sources', "judgement"),
        ('["somebody2000"]', '"somebody2000"', 'parameters["rate"].sources', "expected a list"),
        ('["somebody2000"]', '["a", "a"]', 'parameters["rate"].sources', "entries that differ"),
        ("judgement = false", "judgement = 0", 'parameters["rate"].judgement', "true or false"),
        ('note = "set by hand"\nprice', "price", 'parameters["cost"].note', "says on what"),
        ('price_basis = "yuan of 2015"\n', "", 'parameters["cost"].price_basis', "holds money"),
        ('zh = "增长率"', 'zh = "增长率"\nprice_basis = "x"', 'parameters["rate"].price_basis', "no money"),
        ('rule = "constant"\nfallback = 3.0', 'rule = "constant"', 'inputs["k"].fallback', "is missing"),
        ('rule = "proxy"', 'rule = "required"', 'inputs["x"].proxy', "goes together"),
        ('loading = "loading", of', 'loading = "loding", of', 'inputs["x"].proxy.loading', "Did you mean"),
        ('level = "part"', 'level = "prt"', 'inputs["y"].proxy.level', "Did you mean 'part'"),
        ("level = 0.5", "level = true", 'inputs["x"].proxy.level', "expected a number"),
        (
            'loading = "loading"\nrel',
            'alternatives = ["other"]\nloading = "loading"\nrel',
            'measurements["size"].alternatives',
            "the measurement is by region",
        ),
        (
            "definitions.penetration",
            "definitions.x",
            'measurements["level"].alternatives',
            "no definition 'penetration'",
        ),
        ("sd = 0.01", "sd = 0.01\nerrors = { known = 1 }", 'measurements["level"].errors.known', "true or false"),
        ("cap = 0.9", "cap = 0.9, floor = 0.1", 'inputs["x"].proxy.floor', "unknown key"),
        ("sd = 0.02", "sd = 0.0", 'measurements["size"].sd', "must be positive"),
        ('loading = "loading"\nrel', 'loading = "load"\nrel', 'measurements["size"].loading', "no parameter"),
        (
            "sd = 0.02",
            'sd = 0.02\nerrors = { family = "studnt" }',
            'measurements["size"].errors',
            "Did you mean 'student'",
        ),
        ("sd = 0.02", "sd = 0.02\nerrors = { degrees = 2 }", 'measurements["size"].errors', "more than 2"),
        ("sd = 0.02", "sd = 0.02\nerrors = { tail = 2 }", 'measurements["size"].errors.tail', "unknown key"),
        ("[levers.access]", RIDGE.replace("product", "sum"), 'ridges["r"].form', "expected one of product, turnover"),
        ("[levers.access]", RIDGE.replace('"rate", ', ""), 'ridges["r"].keys', "a product has 2 parameters, found 1"),
        ("[levers.access]", RIDGE.replace('"rate"', '"rat"'), 'ridges["r"].keys', "Did you mean 'rate'"),
        ("[levers.access]", RIDGE.replace("= 0.1", "= 0"), 'ridges["r"].reference', "must be positive"),
        ('national = "penetration"\n', "", 'measurements["level"].indicators', "either indicators"),
        ('[outcomes.size]\nvariable = "Size"', "[outcomes.size]", 'outcomes["size"].variable', "is missing"),
        ('element = "Access"', 'elment = "Access"', 'levers["access"].element', "is missing"),
        ('variable = "Unit Cost"', 'variable = "growth rate"', 'parameters["cost"]', "already used"),
        ("[outcomes.size]", "[outcomes.RATE]", 'outcomes["RATE"]', "already used"),
        ("[levers.access]", "[levers]\naccess = 1\n[other]", 'levers["access"]', "expected a table"),
    ],
)
def test_a_fault_is_named_by_its_path(tmp_path: Path, old: str, new: str, place: str, says: str) -> None:
    with pytest.raises(InvalidModel) as caught:
        load_spec(changed(tmp_path, old, new))
    assert str(caught.value).startswith(f"model.toml: {place}")
    assert says in str(caught.value)


def test_a_misspelt_optional_key_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"parameters\[\"move\"\].price_bass: unknown key.*'price_basis'"):
        load_spec(changed(tmp_path, 'price_basis = ""', 'price_bass = ""'))


def test_a_free_parameter_needs_a_prior(tmp_path: Path) -> None:
    path = changed(tmp_path, 'prior = { family = "normal", mean = 2.0, sd = 0.5 }\n', "")
    with pytest.raises(InvalidModel, match=r"loading\"\].prior: a FREE parameter"):
        load_spec(path)


def test_a_section_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"model.toml: parameters: expected tables"):
        load_spec(write(tmp_path, 'schema = 1\nname = "toy"\nparameters = 3\n'))


def test_a_missing_file_and_broken_toml_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="cannot be read"):
        load_spec(tmp_path / "nothing.toml")
    with pytest.raises(InvalidModel, match="not readable as TOML"):
        load_spec(write(tmp_path, "schema = "))
    (tmp_path / "gbk.toml").write_bytes("name = '模型'".encode("gbk"))
    with pytest.raises(InvalidModel, match="not readable as TOML"):
        load_spec(tmp_path / "gbk.toml")
