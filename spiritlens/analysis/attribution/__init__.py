"""Effects by gradients: `attribution_patching` for activations, `edge_attribution` for edges between components.

Both walk from one run's embeddings to the other's (`path_integration` says where, `gradients` takes the derivatives).
"""
