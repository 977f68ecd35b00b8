"""What both of TransformerLens's models share: kernels of Llama's blocks, placed hooks, hashes and continuations."""
