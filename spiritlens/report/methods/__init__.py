"""The methods of a result in words to paste: `paragraph` (sentences by kind of result), `sources` (BibTeX)."""
