"""Random numbers as LLVM instructions: the arithmetic of `engine.random_numbers`, bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysd_runner.engine.ir import Random
from pysd_runner.engine.llvm.emitter import Value, Writer
from pysd_runner.engine.random_numbers import FIRST, GOLDEN, SECOND

if TYPE_CHECKING:
    from pysd_runner.engine.llvm.nest_code import NestCode

# Bits of a number in [0, 1), by type.
BITS = {"double": 53, "float": 24}


def uniform(code: NestCode, expression: Random) -> Value:
    """A uniform number of its own for every seed, site, step, cell and draw."""
    writer = code.writer
    seed = Value("%seed", "integer", False, 0)
    word = _mixed(writer, writer.binary("add", seed, _word(int(GOLDEN))))
    for part in (writer.integer(expression.site), code.step_number(), code.table_offset(expression.axes), code.draw()):
        word = _mixed(writer, writer.binary("add", writer.binary("xor", word, part), _word(int(GOLDEN))))
    bits = BITS[writer.types.real]
    kept = writer.binary("lshr", word, writer.integer(64 - bits))
    return writer.binary("fmul", writer.convert("uitofp", kept, "real"), writer.number(2.0**-bits))


def _word(value: int) -> Value:
    """A word of 64 bits, written as a signed number."""
    return Value(str(value - 2**64 if value >= 2**63 else value), "integer", False, 0)


def _mixed(writer: Writer, word: Value) -> Value:
    for shift, factor in ((30, FIRST), (27, SECOND)):
        shifted = writer.binary("xor", word, writer.binary("lshr", word, writer.integer(shift)))
        word = writer.binary("mul", shifted, _word(int(factor)))
    return writer.binary("xor", word, writer.binary("lshr", word, writer.integer(31)))
