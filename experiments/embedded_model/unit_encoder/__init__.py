"""How speech becomes units: a teacher on mel frames, and a small HuBERT that learns its units."""
