"""A fit: the problem, the model with its derivatives, searches in stages, the result and the folder it is kept in."""
