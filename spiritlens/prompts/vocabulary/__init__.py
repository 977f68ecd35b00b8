"""A unit language model's tokenizer: families of models, SentencePiece's rules, spaces around markers, ids."""
