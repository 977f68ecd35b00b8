"""From segments of text and speech to the tokens of a prompt, each token with its word, role and times."""
