"""Checkpoint folders: their settings, weights and Hugging Face's model as the reference. No code of theirs is run."""
