"""Functional interchange: parts ranked in one modality, kept or removed in the other (`interchange`)."""
