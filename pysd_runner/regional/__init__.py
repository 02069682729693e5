"""A panel bound to the regional model: start values, draws, shocks, scenarios on one axis, projection, labels."""
