"""Entries of the table a compiled program is handed, 64 bits each; inputs (address, size) and outputs follow."""

# Addresses of the steps, their lengths, which are saved, and their number.
TIMES, STEPS, SAVED, COUNT = range(4)

# Distance between the draws of two cells, in inputs and in outputs.
IN_STRIDE, OUT_STRIDE = 4, 5

# Of paths over time: moments before and after each step, and the share of the way between them.
POSITIONS, SHARES = 6, 7

# Saved moments; what is called for whole arrays and for pipes; what random numbers depend on.
ROWS, ARRAYS, SEED, FIRST_DRAW = range(8, 12)

# What flowed into pipes, and for how many steps it is kept: the number of a step is taken modulo this.
HISTORY, RING = 12, 13

# Zero, which the compiler cannot know.
NEVER = 14

HEADER = 15

# What is called with this number makes room for pipes, once their delays are known.
MAKE_ROOM = -1
