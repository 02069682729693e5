"""Compiles a loop around one function and calls it on arrays; also the C library's functions in the same way."""

import ctypes
import functools

import numpy as np

LANES = (1, 4, 8, 16, 32)

SPECIAL = [
    *(0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan),
    *(2.0, -2.0, 3.0, -3.0, 4.0, 5.0, -5.0, 0.5, -0.5, 1.5, -1.5, 0.1, -0.1, 1 / 3, -1 / 3, 10.0),
    *(5e-324, -5e-324, 1e-310, -1e-310, 2.2250738585072014e-308, -2.2250738585072014e-308, 1e-300, -1e-300),
    *(1.7976931348623157e308, -1.7976931348623157e308, 1e300, -1e300, 1e17, 1e-6, 1e-7, -1e-7),
    *(2.0**52 + 1, 2.0**53 - 1, 1 - 2.0**53, 2.0**53, 2.0**53 + 2, 2.0**54, -(2.0**63), 2.0**64),
    *(1 + 2.0**-52, 1 - 2.0**-53, -1 - 2.0**-52, -1 + 2.0**-53),
    *(709.78, 709.79, -708.4, -745.13, -745.14, 1023.0, 1024.0, -1022.0, -1023.0, -1074.0, -1075.0, -1076.0),
]


@functools.cache
def _machine():
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=2, jit=True
    )


_ENGINES = []


def _loop(name, callee, kind, count):
    pointers = ", ".join(f"ptr %p{place}" for place in range(count))
    loads = "\n".join(
        f"%q{place} = getelementptr {kind}, ptr %p{place}, i64 %k\n%v{place} = load {kind}, ptr %q{place}, align 8"
        for place in range(count)
    )
    arguments = ", ".join(f"{kind} %v{place}" for place in range(count))
    return f"""
define void @{name}({pointers}, ptr %out, i64 %n) {{
start:
  br label %each
each:
  %k = phi i64 [0, %start], [%next, %each]
  {loads}
  %r = call {kind} {callee}({arguments})
  %q = getelementptr {kind}, ptr %out, i64 %k
  store {kind} %r, ptr %q, align 8
  %next = add i64 %k, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %each, label %end
end:
  ret void
}}
"""


def compiled(text):
    """Optimise and compile a module; returns how to find the address of its functions."""
    from llvmlite import binding

    machine = _machine()
    module = binding.parse_assembly(text)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=1)
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _ENGINES.append(engine)
    return engine.get_function_address


def _caller(address, count, lanes):
    loop = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (count + 1), ctypes.c_int64)(address)

    def call(*values):
        values = np.broadcast_arrays(*[np.asarray(value, dtype=float) for value in values])
        size = values[0].size
        padded = [np.append(value.ravel(), np.ones(-size % lanes, dtype=float)) for value in values]
        out = np.empty_like(padded[0])
        loop(*[value.ctypes.data for value in padded], out.ctypes.data, out.size // lanes)
        return out[:size].reshape(values[0].shape)

    return call


def can_permute():
    """Whether the processor permutes eight numbers in a register."""
    from pysd_runner.engine.llvm.programs import host

    return host().vector_bytes == 64


@functools.cache
def functions(lanes, permutes=None):
    """Every function on arrays, computed in vectors of so many lanes; tables are permuted where that is possible."""
    from pysd_runner.engine.llvm.emitter import function_name, vector_type
    from pysd_runner.engine.llvm.mathematics import FUNCTIONS, declarations

    kind = vector_type(lanes)
    permutes = can_permute() if permutes is None else permutes
    text = declarations([(name, lanes) for name in FUNCTIONS], permutes=permutes)
    for name, count in FUNCTIONS.items():
        text += _loop(f"loop_{name}", function_name(name, lanes), kind, count)
    address = compiled(text)
    return {name: _caller(address(f"loop_{name}"), count, lanes) for name, count in FUNCTIONS.items()}


@functools.cache
def c_library():
    """Functions of the C library on arrays, by their names there."""
    names = ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "erfc")
    counts = dict.fromkeys(names, 1) | {"pow": 2}
    text = ""
    for name, count in counts.items():
        text += f"declare double @{name}({', '.join(['double'] * count)})\n"
        text += _loop(f"loop_{name}", f"@{name}", "double", count)
    address = compiled(text)
    return {name: _caller(address(f"loop_{name}"), count, 1) for name, count in counts.items()}


def steps_between(left, right):
    """Distance of two arrays in representable numbers, element by element; zero where both are no number."""
    bits = [np.asarray(item, dtype=np.float64).view(np.int64) for item in (left, right)]
    places = [np.where(item < 0, np.int64(-(2**63)) - item, item) for item in bits]
    with np.errstate(over="ignore"):
        steps = np.abs(places[0] - places[1]).astype(float)
    steps[steps < 0] = np.inf
    steps[np.isnan(left) != np.isnan(right)] = np.inf
    steps[np.isnan(left) & np.isnan(right)] = 0
    return steps


def assert_same(left, right):
    """Equal to the last bit, the sign of zero included; what is no number is equal to itself."""
    np.testing.assert_array_equal(left, right)
    known = ~np.isnan(right)
    np.testing.assert_array_equal(np.signbit(left)[known], np.signbit(right)[known])
