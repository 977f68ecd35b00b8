"""The model protocol on TransformerLens's `HookedTransformer`. Only loading opens this folder."""
