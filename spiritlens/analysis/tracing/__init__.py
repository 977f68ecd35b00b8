"""Causal tracing: which states, put back into a corrupted run, bring the answer back; its cost, dose and first look."""
