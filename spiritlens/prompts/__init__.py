"""Prompts: what a speech-text language model is given, token by token, with words, roles, parts and times.

Words used here:

- *family*: one unit language model's way of writing speech into its vocabulary
  (`spiritlens.prompts.vocabulary.families`);
- *vocabulary*: its tokenizer, with the ids of text, markers, units and padding
  (`spiritlens.prompts.vocabulary.vocabulary`);
- *marker*: a token that says where text or speech begins or ends (``[Text]``, ``[Speech]``);
- *segment*: a stretch of one modality; *T2T*: written, *S2T*: spoken, the answer in writing both times;
- *prompt*: the tokens with their meaning (`spiritlens.prompts.prompt`), built from segments
  (`spiritlens.prompts.building.build`);
- *role*: what a token is to the fact; *part*: its place inside the subject (`spiritlens.prompts.roles`);
- *span*: positions that are corrupted, restored or read together;
- *fact*: subject, relation, answer, foil and phrasings (`spiritlens.prompts.facts`).

`spiritlens.prompts.prompt` and `roles` need no torch.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
