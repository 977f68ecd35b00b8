"""Planted circuits: models whose weights are written by hand, with the truth that every method must find."""
