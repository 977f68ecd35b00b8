"""From checkpoint to lens: a speech-text model as a `HookedTransformer`, with its vocabulary and its speech encoder.

Glossary:

- *checkpoint*: a folder with a Llama model's config, weights and tokenizer (`checkpoints`).
- *conversion*: TransformerLens's parameters as views of the checkpoint's memory (`hooked_transformer.conversion`);
  *raw* norms keep their gains, *folded* ones have them in the matrices that read them; nothing is centred.
- *lens*: model, vocabulary and speech encoder in one value (`lens`, made by `loading`; the encoder by
  `encoder_lookup`).
- *backend*: the model through the protocol `protocol.LensModel`, the only way in which other modules touch it; *placed*
  hooks are its own, others are a user's. `hooked_transformer` is the backend for TransformerLens; only loading code
  opens it. Components are named in `spiritlens.components`.
- *full pass*: the whole model on tokens ``[batch pos]``; *suffix step*: one block on positions ``start …``, with the
  keys and values of a cached *run* before it (`protocol.CachedPrefix`).
- *row*: one sequence that is recomputed in a suffix step; *query*: a position that is read out.
- *reference*: Hugging Face's model of the same folder, loaded afresh (`checkpoints.reference`, `selfcheck`).
- *embedded model*: the small model that travels inside the package (`embedded`); *planted circuit*: a model whose
  mechanism is written by hand, so that every method can be judged (`planted`).
"""
