"""What a model answered, kept in a file: a model is never asked twice for one prompt by one rule.

``answers.jsonl`` has a line an answer, as they come: ``{"fact", "kind", "prompt", "model", "known"}``, with the rule's
text as ``"knowing"`` unless it is ``exact``, and under ``generated`` the answers that were ``"accepted"``. Lines of
another model are passed over, and one that a stop cut in two is asked again.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from spiritlens.models.lens import Lens
from spiritlens.prompts.knowing import EXACT
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import known_prompts


class KeptAnswers:
    """What a model answered, by prompt and the lens's rule: asked once, and kept in a file, a line each, as it comes.

    Under hooks of the user's own the model is another one: then nothing is kept or believed.
    """

    def __init__(self, lens: Lens, file: Path | None) -> None:
        self._lens, self._file = lens, None if lens.backend.has_user_hooks() else file
        self._model = f"{lens.id} {lens.vocabulary.hash}"
        self._found = dict(_read_answers(self._file, self._model)) if self._file else {}

    def ask(self, prompts: Sequence[Prompt]) -> None:
        """Ask the model what it was not asked yet, those of one length together."""
        new = {self._key(prompt): prompt for prompt in prompts if self._key(prompt) not in self._found}
        if not new:
            return
        known = known_prompts(self._lens, tuple(new.values()))
        for (key, prompt), found in zip(new.items(), known, strict=True):
            self._found[key] = found
            self._keep(prompt, found)

    def known(self, prompt: Prompt) -> bool:
        """Whether the model knows the prompt's answer."""
        self.ask((prompt,))
        return self._found[self._key(prompt)]

    def _about(self, prompt: Prompt) -> dict[str, Any]:
        """What an answer depends on beside the model."""
        knowing = self._lens.knowing
        about: dict[str, Any] = {"prompt": prompt.id}
        about |= {} if knowing == EXACT else {"knowing": str(knowing)}
        return about | ({"accepted": [prompt.answer, *prompt.aliases]} if knowing.rule == "generated" else {})

    def _key(self, prompt: Prompt) -> str:
        return json.dumps(self._about(prompt))

    def _keep(self, prompt: Prompt, known: bool) -> None:
        if self._file is None:
            return
        about = {"fact": prompt.fact_id, "kind": prompt.kind, **self._about(prompt), "model": self._model}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({**about, "known": known}, ensure_ascii=False) + "\n")


def _read_answers(file: Path, model: str) -> Iterable[tuple[str, bool]]:
    """Key and answer of each whole line of this model; a line that a stop cut in two is asked again."""
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        with file.open("a", encoding="utf-8") as lines:
            lines.write("\n")
    for line in text.splitlines():
        try:
            row = json.loads(line)
            known, of_model = row["known"], row["model"]
            about = {name: row[name] for name in ("prompt", "knowing", "accepted") if name in row}
        except (ValueError, TypeError, KeyError):
            continue
        if of_model == model and isinstance(known, bool) and isinstance(about.get("prompt"), str):
            yield json.dumps(about), known
