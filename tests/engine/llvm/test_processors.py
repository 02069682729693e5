"""Code for other processors: AVX2 gives what this one gives, to the last bit, and ARM64 is compiled for."""

import platform

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from benchmarks.engines.compiling import processor_named
from benchmarks.engines.ours import clock_of
from benchmarks.machine import processor_flags
from benchmarks.models import SHIPPED_OUTCOMES, SHIPPED_PARAMETERS, find_subject, subject, write_shipped
from pysd_runner.engine.llvm.programs import assembly, host, machine_for, object_code, written
from pysd_runner.engine.llvm.target import compiled, recipe_of, run
from pysd_runner.model import load_model
from tests.benchmarks.test_smoke import YARDSTICKS

MODELS = ("digi1", "digi31", "shipped")
ARM64 = "aarch64-unknown-linux-gnu"
AVX2 = "x86-64-v3"

# In the header of an ELF file: where it names the processor, and the number of ARM64.
MACHINE, AARCH64 = slice(18, 20), 183


@pytest.fixture(scope="module", params=MODELS)
def case(request, tmp_path_factory):
    """A model, its outcomes and some draws of its parameters."""
    folder = tmp_path_factory.mktemp("models")
    if request.param == "shipped":
        found = subject("shipped", write_shipped(folder / "five.mdl", 5), SHIPPED_PARAMETERS, SHIPPED_OUTCOMES)
    else:
        try:
            found = find_subject(request.param, yardsticks=YARDSTICKS, world3=None, folder=folder)
        except FileNotFoundError as error:
            pytest.skip(str(error))
    draws = found.draws(21)
    values = {name: draws[None, :, place] for place, name in enumerate(found.parameters)}
    return load_model(found.path), found.outcomes, values


def computed(case, single, processor=None):
    model, outcomes, values = case
    clock = clock_of(model)
    program = compiled(model.ir, outcomes, values, single=single, processor=processor)
    return run(program, values, clock.times, clock.saved, steps=np.full(clock.times.size, clock.step))


@pytest.mark.skipif("avx2" not in processor_flags(), reason="this processor has no AVX2")
def test_avx2_gives_the_same_bits(case):
    other = processor_named(AVX2)
    assert other.vector_bytes == 32
    ours, theirs = computed(case, False), computed(case, False, other)
    for name in ours:
        np.testing.assert_array_equal(theirs[name], ours[name], err_msg=name)
    # With lanes over subscripts, sums are taken in the order of the lanes.
    alone = computed(case, True, other)
    for name in ours:
        np.testing.assert_allclose(alone[name], ours[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("single", [False, True])
def test_arm64_is_compiled_for(case, single):
    try:
        processor = processor_named("neoverse-n1", ARM64)
    except RuntimeError as error:
        pytest.skip(f"this LLVM cannot compile for ARM64: {error}")
    assert processor.vector_bytes == 16
    model, outcomes, values = case
    recipe = recipe_of(outcomes, values, single=single, processor=processor)
    _, text = written(model.ir, recipe)
    code = object_code(text, machine_for(processor))
    assert code.startswith(b"\x7fELF")
    assert int.from_bytes(code[MACHINE], "little") == AARCH64
    assert ("fmadd\td" if single else "fmla\tv") in assembly(text, machine_for(processor))


def test_the_width_of_vectors_is_told():
    widths = {"x86-64-v2": 16, AVX2: 32, "znver3": 32, "x86-64-v4": 64, "znver4": 64}
    if platform.machine() != "x86_64":
        pytest.skip("these are names of x86-64")
    assert {name: processor_named(name).vector_bytes for name in widths} == widths
    assert processor_named(host().cpu).vector_bytes == host().vector_bytes
