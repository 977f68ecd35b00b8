"""A run folder becomes a page anew: what it keeps for its page, reading it, the page, and two folders side by side."""
