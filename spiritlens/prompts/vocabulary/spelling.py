"""What becomes of a string before its pieces are looked for: the family's case, then SentencePiece's own writing.

A fast tokenizer of this project spells each string first, markers excepted, so that its ids are those of the slow
tokenizer that the model was trained with. In a family that reads lower case, every string is brought to it here: so
``lens.model.to_tokens``, `Vocabulary.encode` and a prompt give the same ids. How tokenizers are opened:
`spiritlens.prompts.vocabulary.spacing`.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from spiritlens.arguments import shown
from spiritlens.prompts.vocabulary.sentencepieces import Parted, Spelled, Speller, lowered, unchanged


@dataclass(frozen=True)
class Spelling:
    """What becomes of a string before pieces are looked for: the family's case, then SentencePiece's writing."""

    parted: Parted
    lower: bool = False
    speller: Speller | None = None

    def __call__(self, string: str) -> Spelled:
        """The string as its pieces are looked for in."""
        if not isinstance(string, str):
            raise ValueError(f"{shown(string)} ({type(string).__name__}): expected a string")
        if any("\ud800" <= character <= "\udfff" for character in string):
            raise ValueError(f"{shown(string)} holds half a character (a lone surrogate); decode the text as UTF-8")
        cased = self.cased(string)
        return cased if self.speller is None else cased.then(self.speller(cased.text))

    def cased(self, string: str) -> Spelled:
        """The string in the family's case, its tokens as they are."""
        return self.parted.each_text(string, lowered) if self.lower else unchanged(string)


class SpelledTokenizer(PreTrainedTokenizerFast):  # type: ignore[misc]
    """A fast tokenizer that looks for pieces in a string after it was spelled as the model's own tokenizer does it.

    Offsets that it returns count in the spelled string; `Vocabulary.pieces` gives them in the string given.
    """

    spell: Spelling = Spelling(Parted(()))
    own_files: tuple[Path, ...] = ()

    def _encode_plus(self, text: Any, text_pair: Any = None, *args: Any, **kwargs: Any) -> Any:
        return super()._encode_plus(self._spelled(text), self._spelled(text_pair), *args, **kwargs)

    def _spelled(self, text: Any) -> Any:
        """A string spelled, or each string of a list."""
        if isinstance(text, str):
            return self.spell(text).text
        return [self._spelled(item) for item in text] if isinstance(text, (list, tuple)) else text

    def save_pretrained(self, save_directory: str | Path, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """The tokenizer's own files, copied: how a string is spelled stands in no other ones."""
        target = Path(save_directory)
        target.mkdir(parents=True, exist_ok=True)
        kept = [path for path in self.own_files if path.is_file() and path.parent.resolve() != target.resolve()]
        return tuple(str(shutil.copy(path, target)) for path in kept)
