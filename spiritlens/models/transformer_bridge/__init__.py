"""The model protocol on TransformerLens's `TransformerBridge` (3.9 and 4). Only loading opens this folder."""
