"""What a model answered, kept in files: a model is never asked twice for one prompt by one rule.

``answers.jsonl`` has a line an answer, as they come: ``{"fact", "kind", "prompt", "model", "known"}``, with the rule's
text as ``"knowing"`` unless it is ``exact``, and under ``generated`` the answers that were ``"accepted"``. Lines of
another model are passed over, and one that a stop cut in two is asked again.

Shards of one study each write a file of their own, ``answers/<shard>.jsonl``, and read all of them; the whole study
takes over into ``answers.jsonl`` what it uses of them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spiritlens.effects.shards import WHOLE, Shard
from spiritlens.files.lines import append_lines, read_rows, shared_files
from spiritlens.models.lens import Lens
from spiritlens.prompts.knowing import EXACT
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import known_prompts


class KeptAnswers:
    """What a model answered, by prompt and the lens's rule: asked once, and kept in a file, a line each, as it comes.

    Under hooks of the user's own the model is another one: then nothing is kept or believed.
    """

    def __init__(self, lens: Lens, file: Path | None, shard: Shard = WHOLE) -> None:
        self._lens, self._whole = lens, None if lens.backend.has_user_hooks() else file
        self._own = self._whole
        if self._whole is not None and shard != WHOLE:
            self._own = self._whole.with_suffix("") / f"{shard.label}.jsonl"
        self._model = f"{lens.id} {lens.vocabulary.hash}"
        self._found: dict[str, bool] = {}
        self._kept: set[str] = set()
        """Keys of what is in this process's own file."""
        self._facts: dict[str, dict[str, bool]] = {}
        self._read: dict[Path, int] = {}
        """How many bytes of each file were read."""
        self.look()

    @property
    def facts(self) -> Mapping[str, Mapping[str, bool]]:
        """What is known of each fact that was asked, by its id and the kind of prompt."""
        return self._facts

    def look(self) -> None:
        """Read what was kept since the last look, by this shard and by others."""
        if self._whole is None:
            return
        for path in shared_files(self._whole):
            for row in self._new_rows(path):
                key, known = json.dumps(_about(row)), row["known"]
                self._found[key] = known
                if row.get("knowing", str(EXACT)) == str(self._lens.knowing):
                    self._facts.setdefault(str(row.get("fact")), {})[str(row.get("kind"))] = known
                if path == self._own:
                    self._kept.add(key)

    def ask(self, prompts: Sequence[Prompt]) -> None:
        """Ask the model, those of one length together, unless it was asked all of them; keep what is new.

        Prompts that are asked together are always asked together, so that no answer depends on where an earlier call
        was stopped.
        """
        asked = {self._key(prompt): prompt for prompt in prompts}
        new = asked.keys() - self._found.keys()
        if new:
            known = known_prompts(self._lens, tuple(asked.values()))
            for key, found in zip(asked, known, strict=True):
                self._found.setdefault(key, found)
        if self._own == self._whole:
            new = asked.keys() - self._kept
        self._keep({key: prompt for key, prompt in asked.items() if key in new})

    def known(self, prompt: Prompt) -> bool:
        """Whether the model knows the prompt's answer."""
        if self._key(prompt) not in self._found:
            self.ask((prompt,))
        return self._found[self._key(prompt)]

    def _key(self, prompt: Prompt) -> str:
        return json.dumps(self._depends_on(prompt))

    def _depends_on(self, prompt: Prompt) -> dict[str, Any]:
        """What an answer depends on beside the model."""
        knowing = self._lens.knowing
        about: dict[str, Any] = {"prompt": prompt.id}
        about |= {} if knowing == EXACT else {"knowing": str(knowing)}
        return about | ({"accepted": [prompt.answer, *prompt.aliases]} if knowing.rule == "generated" else {})

    def _keep(self, new: Mapping[str, Prompt]) -> None:
        for key, prompt in new.items():
            self._facts.setdefault(prompt.fact_id, {})[prompt.kind] = self._found[key]
        if self._own is None or not new:
            return
        lines = []
        for key, prompt in new.items():
            about = {"fact": prompt.fact_id, "kind": prompt.kind, **self._depends_on(prompt), "model": self._model}
            lines.append(json.dumps({**about, "known": self._found[key]}, ensure_ascii=False))
        append_lines(self._own, lines)
        self._kept |= set(new)

    def _new_rows(self, path: Path) -> Iterable[dict[str, Any]]:
        """Each whole line of this model that was not read yet; others are passed over."""
        rows, self._read[path] = read_rows(path, self._read.get(path, 0))
        for row in rows:
            known, prompt = row.get("known"), row.get("prompt")
            if row.get("model") == self._model and isinstance(known, bool) and isinstance(prompt, str):
                yield row


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the answer of a line depends on beside the model."""
    return {name: row[name] for name in ("prompt", "knowing", "accepted") if name in row}
