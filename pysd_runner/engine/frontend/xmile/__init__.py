"""Reader of XMILE files."""
