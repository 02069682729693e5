"""Reads Vensim and XMILE files: text to a common syntax tree, and the tree to the representation the targets run."""
