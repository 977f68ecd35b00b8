"""What a model answered, kept in a file: a model is never asked twice for one prompt.

``answers.jsonl`` has a line an answer, as they come: ``{"fact", "kind", "prompt", "model", "known"}``. Lines of another
model are passed over, and one that a stop cut in two is asked again.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import known_prompts


class KeptAnswers:
    """What a model answered, by prompt: asked once, and kept in a file, a line each, as it comes.

    Under hooks of the user's own the model is another one: then nothing is kept or believed.
    """

    def __init__(self, lens: Lens, file: Path | None) -> None:
        self._lens, self._file = lens, None if lens.backend.has_user_hooks() else file
        self._model = f"{lens.id} {lens.vocabulary.hash}"
        self._found = dict(_read_answers(self._file, self._model)) if self._file else {}

    def known(self, prompt: Prompt) -> bool:
        """Whether the model gives the prompt's answer."""
        if prompt.id not in self._found:
            (self._found[prompt.id],) = known_prompts(self._lens, (prompt,))
            self._keep(prompt)
        return self._found[prompt.id]

    def _keep(self, prompt: Prompt) -> None:
        if self._file is None:
            return
        about = {"fact": prompt.fact_id, "kind": prompt.kind, "prompt": prompt.id, "model": self._model}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({**about, "known": self._found[prompt.id]}, ensure_ascii=False) + "\n")


def _read_answers(file: Path, model: str) -> Iterable[tuple[str, bool]]:
    """Prompt and answer of each whole line of this model; a line that a stop cut in two is asked again."""
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        with file.open("a", encoding="utf-8") as lines:
            lines.write("\n")
    for line in text.splitlines():
        try:
            row = json.loads(line)
            prompt, known, of_model = row["prompt"], row["known"], row["model"]
        except (ValueError, TypeError, KeyError):
            continue
        if of_model == model and isinstance(known, bool) and isinstance(prompt, str):
            yield prompt, known
