"""Four provinces of the shipped panel, for tests that need no more."""

REGIONS = ("110000", "310000", "410000", "620000")
