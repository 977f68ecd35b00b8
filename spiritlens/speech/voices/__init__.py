"""Voices by name, what they said kept in a cache, and a few texts that ship with the package."""
