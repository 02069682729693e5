"""The compiled mathematical functions against the C library, NumPy and the table of special cases of IEEE 754."""

import numpy as np
import pytest

from pysd_runner.engine.llvm.emitter import function_name
from pysd_runner.engine.llvm.mathematics import C_LIBRARY, FUNCTIONS, declarations

pytest.importorskip("llvmlite", reason="llvmlite cannot be loaded here, so nothing can be compiled")

from tests.engine.llvm.loops import (
    LANES,
    SPECIAL,
    assert_same,
    c_library,
    can_permute,
    compiled,
    functions,
    steps_between,
)

inf, nan = np.inf, np.nan
DRAWS = 100_000
FEW_ULP = {"exp": 2, "ln": 2, "power": 2}


def random():
    return np.random.default_rng(20240607)


def twin(name):
    """A slow function that is known to be right."""
    from_c = {"exp": "exp", "ln": "log", "power": "pow"} | C_LIBRARY
    return np.mod if name == "remainder" else c_library()[from_c[name]]


def special_arguments(count):
    values = np.array(SPECIAL)
    return [item.ravel() for item in np.meshgrid(*[values] * count)]


def random_arguments(name, size=DRAWS):
    rng = random()
    if FUNCTIONS[name] == 1:
        return [np.concatenate([rng.normal(0, 3, size // 2), np.exp(rng.uniform(-700, 700, size // 2))])]
    signs = rng.choice([-1.0, 1.0], (3, size))
    values = signs * np.exp(rng.normal(0, 2, (3, size)))
    values[:, : size // 4] = np.round(values[:, : size // 4])
    return list(values[: FUNCTIONS[name]])


def mixed_arguments(name, size=4000):
    return [
        np.concatenate(both)
        for both in zip(random_arguments(name, size), special_arguments(FUNCTIONS[name]), strict=True)
    ]


EXP = {
    "small": lambda rng: rng.uniform(-1, 1, DRAWS),
    "range": lambda rng: rng.uniform(-746, 711, DRAWS),
    "subnormal results": lambda rng: rng.uniform(-745.2, -708, DRAWS),
    "near one": lambda rng: rng.choice([-1, 1], DRAWS) * np.exp(rng.uniform(-50, -1, DRAWS)),
    "half way between whole exponents": lambda rng: (
        (rng.integers(-1070, 1020, DRAWS) + 0.5) * np.log(2) * (1 + rng.normal(0, 1e-15, DRAWS))
    ),
    "dense": lambda _: np.linspace(-2, 2, DRAWS),
}
LN = {
    "normal": lambda rng: np.exp(rng.uniform(-708, 709, DRAWS)),
    "subnormal": lambda rng: rng.uniform(0, 2.3e-308, DRAWS),
    "smallest": lambda _: np.arange(1, DRAWS) * 5e-324,
    "around one": lambda rng: 1 + rng.choice([-1, 1], DRAWS) * np.exp(rng.uniform(-36, -1, DRAWS)),
    "around one, each": lambda _: 1 + np.arange(-DRAWS, DRAWS) * 2.0**-53,
    "where the exponent changes": lambda rng: np.sqrt(2) * (1 + rng.normal(0, 1e-12, DRAWS)),
    "dense": lambda _: np.linspace(0.5, 2.5, DRAWS),
}
POWER = {
    "middle": lambda rng: (rng.uniform(0, 3, DRAWS), rng.uniform(-3, 3, DRAWS)),
    "wide": lambda rng: (np.exp(rng.uniform(-700, 700, DRAWS)), rng.uniform(-2, 2, DRAWS)),
    "extreme results": lambda rng: (rng.uniform(0.5, 2, DRAWS), rng.uniform(-1080, 1080, DRAWS)),
    "around one": lambda rng: (1 + rng.uniform(-1e-3, 1e-3, DRAWS), rng.uniform(-7e5, 7e5, DRAWS)),
    "one unit from one": lambda rng: (1 + rng.integers(-99, 99, DRAWS) * 2.0**-53, rng.uniform(-1e17, 1e17, DRAWS)),
    "subnormal base": lambda rng: (rng.uniform(0, 2.3e-308, DRAWS), rng.uniform(-1, 1, DRAWS)),
    "whole exponent": lambda rng: (rng.normal(0, 2, DRAWS), rng.integers(-40, 40, DRAWS).astype(float)),
    "subnormal results": lambda rng: (rng.uniform(1.5, 2, DRAWS), -rng.uniform(1021, 1076, DRAWS) * 1.2),
    "dense": lambda _: tuple(item.ravel() for item in np.meshgrid(np.linspace(1e-3, 4, 400), np.linspace(-5, 5, 401))),
    "dense, as in production": lambda _: tuple(
        item.ravel() for item in np.meshgrid(np.linspace(0.02, 20, 400), np.linspace(0.01, 1.5, 401))
    ),
    "where the parts of a table meet": lambda rng: (
        (1 + (rng.integers(0, 16, DRAWS) - 31 / 64) / 16) * (1 + rng.integers(-9, 9, DRAWS) * 2.0**-52),
        rng.uniform(-99, 99, DRAWS),
    ),
}
# The worst there is: bases next to the smallest logarithm that is not that of the part around one.
FAR = {"far results of bases near one": lambda rng: (rng.uniform(0.95, 1.06, DRAWS), rng.uniform(-2e4, 2e4, DRAWS))}


@pytest.mark.parametrize(
    ("name", "sample"),
    [(name, sample) for name, group in (("exp", EXP), ("ln", LN), ("power", POWER | FAR)) for sample in group],
)
@pytest.mark.parametrize("lanes", [1, 16])
def test_few_units_in_the_last_place_from_the_c_library(name, sample, lanes):
    arguments = {"exp": EXP, "ln": LN, "power": POWER | FAR}[name][sample](random())
    arguments = arguments if isinstance(arguments, tuple) else (arguments,)
    steps = steps_between(functions(lanes)[name](*arguments), twin(name)(*arguments))
    worst = int(steps.argmax())
    assert steps[worst] <= FEW_ULP[name], [float(item[worst]) for item in arguments]


# Largest error in units in the last place, where extended precision can tell.
EXACT = {
    "exp": (EXP, np.exp, 0.95),
    "ln": (LN, np.log, 0.85),
    "power": (POWER, np.power, 0.85),
    "far power": (FAR, np.power, 1.6),
}


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs numbers more precise than double precision")
@pytest.mark.parametrize(("name", "sample"), [(name, sample) for name, row in EXACT.items() for sample in row[0]])
def test_error_in_units_in_the_last_place(name, sample):
    samples, exact, limit = EXACT[name]
    arguments = samples[sample](random())
    arguments = arguments if isinstance(arguments, tuple) else (arguments,)
    with np.errstate(all="ignore"):
        expected = exact(*[item.astype(np.longdouble) for item in arguments])
        rows = (np.abs(expected) < np.finfo(float).max) & np.isfinite(expected)
        unit = np.spacing(np.maximum(np.abs(expected[rows]).astype(float), np.finfo(float).smallest_subnormal))
    error = np.abs(functions(16)[name.split()[-1]](*arguments)[rows] - expected[rows]) / unit
    assert rows.any()
    assert error.max() <= limit, [float(item[rows][error.argmax()]) for item in arguments]


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values(name, lanes):
    arguments = special_arguments(FUNCTIONS[name])
    result = functions(lanes)[name](*arguments)
    with np.errstate(all="ignore"):
        expected = twin(name)(*arguments)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(result)[known], np.signbit(expected)[known])
    assert steps_between(result, expected).max() <= FEW_ULP.get(name, 0)
    certain = np.isin(np.abs(expected), [0.0, 1.0, inf])
    np.testing.assert_array_equal(result[certain], expected[certain])


# Annex F of the C standard: base, exponent, value.
POWERS = [
    *((value, 0.0, 1.0) for value in (0.0, -0.0, 1.0, -3.0, inf, -inf, nan)),
    *((value, -0.0, 1.0) for value in (0.0, -2.5, inf, nan)),
    *((1.0, value, 1.0) for value in (0.5, -7.0, inf, -inf, nan)),
    *((-1.0, value, 1.0) for value in (inf, -inf, 2.0, -4.0, 2.0**53)),
    *((-1.0, value, -1.0) for value in (1.0, -3.0, 2.0**53 - 1)),
    *((0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (0.0, 2.0, 0.0), (-0.0, 2.0, 0.0), (-0.0, 0.5, 0.0)),
    *((0.0, -3.0, inf), (-0.0, -3.0, -inf), (-0.0, -2.0, inf), (-0.0, -0.5, inf), (0.0, -inf, inf), (-0.0, inf, 0.0)),
    *((0.5, inf, 0.0), (0.5, -inf, inf), (2.0, inf, inf), (-2.0, -inf, 0.0), (-0.5, -inf, inf)),
    *((inf, 2.0, inf), (inf, -0.5, 0.0), (-inf, 3.0, -inf), (-inf, 2.0, inf), (-inf, 0.5, inf)),
    *((-inf, -3.0, -0.0), (-inf, -2.0, 0.0), (-inf, -0.5, 0.0), (inf, inf, inf), (-inf, -inf, 0.0)),
    *((-2.0, 0.5, nan), (-8.0, 1 / 3, nan), (-5e-324, 0.1, nan), (nan, 1.0, nan), (2.0, nan, nan), (-1.0, nan, nan)),
    *((-2.0, 3.0, -8.0), (-2.0, -2.0, 0.25), (2.0, -1074.0, 5e-324), (2.0, -1076.0, 0.0), (-2.0, 1025.0, -inf)),
]


@pytest.mark.parametrize("lanes", LANES)
def test_powers_of_the_standard(lanes):
    base, exponent, value = np.array(POWERS).T
    assert_same(functions(lanes)["power"](base, exponent), value)


@pytest.mark.parametrize("lanes", LANES)
def test_powers_that_are_whole_numbers_are_exact(lanes):
    base, exponent = (item.ravel().astype(float) for item in np.meshgrid(np.arange(1, 100), np.arange(0, 54)))
    rows = exponent * np.log2(base) <= 53
    value = np.array([int(b) ** int(e) for b, e in zip(base[rows], exponent[rows], strict=True)], dtype=float)
    power = functions(lanes)["power"]
    assert_same(power(base[rows], exponent[rows]), value)
    squares = np.arange(1.0, 3000.0)
    assert_same(power(squares**2, np.full_like(squares, 0.5)), squares)
    any_number = np.exp(random().uniform(-700, 700, DRAWS))
    assert_same(power(any_number, np.ones(DRAWS)), any_number)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_random_values(name):
    arguments = random_arguments(name)
    with np.errstate(all="ignore"):
        expected = twin(name)(*arguments)
    assert steps_between(functions(8)[name](*arguments), expected).max() <= FEW_ULP.get(name, 0)


def test_remainders_of_near_multiples_and_of_very_large_numbers():
    rng = random()
    base = rng.choice([-1, 1], DRAWS) * np.exp(rng.normal(0, 3, DRAWS))
    near = base * rng.integers(-1000, 1000, DRAWS) * (1 + rng.integers(-2, 3, DRAWS) * 2.0**-53)
    large = base * rng.choice([-1, 1], DRAWS) * 2.0 ** rng.uniform(40, 60, DRAWS)
    tiny = base * rng.integers(1, 50, DRAWS) * 1e-318
    for value, divisor in ((near, base), (large, base), (base, tiny), (tiny, tiny[::-1])):
        with np.errstate(all="ignore"):
            assert_same(functions(8)["remainder"](value, divisor), np.mod(value, divisor))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_number_of_lanes_does_not_matter(name):
    arguments = mixed_arguments(name)
    one = functions(1)[name](*arguments)
    for lanes in LANES[1:]:
        assert_same(functions(lanes)[name](*arguments), one)


@pytest.mark.skipif(not can_permute(), reason="needs a processor that permutes registers of 512 bits")
@pytest.mark.parametrize("lanes", [8, 16, 32])
def test_where_a_table_stands_does_not_matter(lanes):
    name = "power"
    arguments = mixed_arguments(name)
    permuted, gathered = (functions(lanes, permutes)[name](*arguments) for permutes in (True, False))
    assert_same(permuted, gathered)


def test_names():
    assert function_name("exp", 16) == "@gs_exp_v16f64"


def test_everything_needed_stands_there_once():
    text = declarations([("power", 4), ("power", 4), ("sin", 4)])
    heads = [line for line in text.splitlines() if line.startswith(("define", "declare"))]
    assert len(heads) == len(set(heads))
    assert sum("@gs_power_v4f64(" in line for line in heads) == 1
    compiled(text)


def test_what_the_caller_declares_is_left_out():
    name = "@llvm.fma.v4f64"
    text = declarations([("power", 4)], declared=[name])
    assert f"declare <4 x double> {name}" not in text
    compiled(f"declare <4 x double> {name}(<4 x double>, <4 x double>, <4 x double>)\n{text}")
