"""Read the files of published studies in Vensim's formats, each item with its file and line.

``files``: .cin, .out, .voc, .vpd and .lst; ``runs``: .cmd and control files in JSON, which say what belongs together.
"""
