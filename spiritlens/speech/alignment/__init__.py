"""Which unit belongs to which word, and when a word is said where only its text is known."""
