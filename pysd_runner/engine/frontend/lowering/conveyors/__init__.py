"""Conveyors, expanded into slats: each holds what came on in one step, and moves on by one place in every step.

The rules are those of isee systems' traditional conveyors. Slat 0 is the exit. In every step first the leaks take from
each slat, then what is left on slat 0 leaves, then every slat moves on, then what is let on lies on the last slat.
``build`` puts together what ``leaks``, ``admission`` and ``filling`` say about each.
"""
