"""Lenses: what intermediate states say, read through the unembedding, as words, or in another prompt."""
