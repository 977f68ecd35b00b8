"""Attention heads: what they add to the answer, where they look, and what is lost without them."""
