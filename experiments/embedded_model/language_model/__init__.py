"""The text pieces, what the language model reads, its training and the accuracy that is watched meanwhile."""
