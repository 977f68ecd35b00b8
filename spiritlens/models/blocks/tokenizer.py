"""A model's own tokenizer, for its own use (``model.to_tokens``): the vocabulary's, as it is.

Both of TransformerLens's models load another tokenizer by its name, with other ids, where one is given in their own
way.
"""

from typing import Any

from spiritlens.prompts.vocabulary.spacing import writes_bos


def attach_tokenizer(model: Any, tokenizer: Any) -> None:
    """Give the model a tokenizer as it is.

    ``model.to_tokens`` then gives the tokenizer's ids, with the beginning-of-sequence token once where it writes one.
    """
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.bos_token
    tokenizer.padding_side = "right"
    # a bridge's `tokenizer` is a property that configures what it is given anew
    setattr(model, "_tokenizer" if hasattr(type(model), "tokenizer") else "tokenizer", tokenizer)
    model.cfg.tokenizer_prepends_bos = model.cfg.default_prepend_bos = writes_bos(tokenizer)
