"""Corruptions, donors, interventions and generation written out with plain hooks on Hugging Face's model.

Random numbers are those of the contract: drawn on the CPU from (seed, prompt id, sample, purpose).
"""

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from plain_methods import BY_HEAD, Cells, measured, measured_each, metrics, recorded, roles_of, taken, traced, zeroed
from plain_passes import Edit, Edits, PlainModel, Point
from torch import Tensor

from spiritlens.prompts.prompt import Prompt


def stream(seed: int, prompt: Prompt, sample: int, purpose: str) -> torch.Generator:
    key = hashlib.sha256(f"{seed}|{prompt.id}|{sample}|{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))


def rows_of(prompt: Prompt, vocabulary: Any) -> list[int]:
    """The embedding rows of the subject's modality."""
    spoken = prompt.modalities[prompt.subject.first] == "speech"
    return list(vocabulary.unit_ids) if spoken else vocabulary.text_ids.tolist()


def embedding(plain: PlainModel) -> Tensor:
    weight: Tensor = plain.llama.model.embed_tokens.weight
    return weight


# ---- corruptions ----------------------------------------------------------------------------------------------------


def put_in(prompt: Prompt, values: Tensor) -> Edits:
    """Values ``[position d_model]`` as the subject's embeddings."""

    def edit(here: Tensor) -> Tensor:
        changed = here.clone()
        changed[0, list(prompt.subject.positions)] = values
        return changed

    return {("embed", 0): edit}


def noised(plain: PlainModel, prompt: Prompt, vocabulary: Any, sample: int, multiple: float = 1.0) -> Edits:
    """Gaussian noise of 3 standard deviations of the modality's rows (times a multiple) on the subject's embeddings."""
    w_e, ids = embedding(plain), prompt.tokens[0, list(prompt.subject.positions)]
    drawn = torch.randn((len(ids), w_e.shape[1]), generator=stream(0, prompt, sample, "noise"), dtype=torch.float32)
    scale = multiple * 3 * float(w_e[rows_of(prompt, vocabulary)].std())
    return put_in(prompt, w_e[ids] + (drawn * torch.tensor(scale, dtype=torch.float32)).double())


def averaged(plain: PlainModel, prompt: Prompt, vocabulary: Any) -> Edits:
    """The mean row of the modality in place of the subject's embeddings."""
    mean = embedding(plain)[rows_of(prompt, vocabulary)].mean(0)
    return put_in(prompt, mean.expand(len(prompt.subject.positions), -1))


def resampled(plain: PlainModel, prompt: Prompt, vocabulary: Any, sample: int) -> Edits:
    """A row of the modality, drawn for each of the subject's tokens."""
    rows = rows_of(prompt, vocabulary)
    places = [
        int(torch.randint(len(rows), (1,), generator=stream(0, prompt, sample, f"resample {order}")))
        for order in range(len(prompt.subject.positions))
    ]
    return put_in(prompt, embedding(plain)[[rows[place] for place in places]])


def replaced(plain: PlainModel, prompt: Prompt, other: Prompt) -> Edits:
    """The other's subject, of as many tokens, in place of the own one."""
    return put_in(prompt, embedding(plain)[other.tokens[0, list(other.subject.positions)]])


def traced_each(plain: PlainModel, prompt: Prompt, components: Sequence[str], corruptions: Sequence[Edits]) -> Cells:
    """Tracing under several draws of a corruption, ``[sample metric]``."""
    each = [traced(plain, prompt, components, 1, corruption=corruption) for corruption in corruptions]
    return {labels: np.stack([cells[labels] for cells in each]) for labels in each[0]}


def lost(plain: PlainModel, prompt: Prompt, vocabulary: Any, multiples: Sequence[float], samples: int) -> Cells:
    """The share of the answer's probability that noise takes away, at multiples of its scale."""
    clean, found = measured(plain, prompt, prompt.tokens, {})[1], Cells()
    for multiple in multiples:
        edits = [noised(plain, prompt, vocabulary, sample, multiple) for sample in range(samples)]
        noisy = np.mean([measured(plain, prompt, prompt.tokens, each)[1] for each in edits])
        found[(multiple,)] = float((clean - noisy) / clean)
    return found


def scales(plain: PlainModel, prompt: Prompt, vocabulary: Any) -> Cells:
    """3 standard deviations of the subject's own rows; of the other modality's, all of its rows."""
    w_e, spoken = embedding(plain), prompt.kind == "S2T"
    ids = {"text": vocabulary.text_ids.tolist(), "speech": list(vocabulary.unit_ids)}
    ids["speech" if spoken else "text"] = prompt.tokens[0, list(prompt.subject.positions)].tolist()
    return {(name,): 3 * float(w_e[rows].std()) for name, rows in ids.items()}


# ---- donors ---------------------------------------------------------------------------------------------------------


def given(
    plain: PlainModel, prompt: Prompt, donor: Prompt, components: Sequence[str], pooling: str, random: bool = False
) -> Cells:
    """A donor's values in the run without the subject, brought word by word."""
    source, own = recorded(plain, donor), recorded(plain, prompt, zeroed(prompt))
    cells: dict[Any, Edits] = {}
    for name, layer, (role, positions) in itertools.product(
        components, range(plain.n_layers), roles_of(prompt).items()
    ):
        here = own[name, layer].clone()
        for position in positions:
            values = _brought(source[name, layer][0], prompt, donor, position, pooling)
            if pooling == "norm_matched":
                norms = [each.norm(dim=-1, keepdim=True) for each in (own[name, layer][0, position], values)]
                values = values * (norms[0] / norms[1])
            here[0, position] = values
        cells[name, layer, role] = {**zeroed(prompt), (name, layer): taken(here, name, positions)}
    return measured_each(plain, prompt, prompt.tokens, cells)


def _brought(values: Tensor, prompt: Prompt, donor: Prompt, position: int, pooling: str) -> Tensor:
    """The donor's value for a position: of the tokens of the same word, or of the same role where there is none."""
    here, there = _word(prompt, prompt, position), _word(prompt, donor, position)
    if pooling in ("mean", "norm_matched"):
        return values[there].mean(0)
    if pooling == "last":
        return values[there[-1]]
    place = here.index(position)
    return values[there[place if pooling == "position" else place * len(there) // len(here)]]


def _word(prompt: Prompt, other: Prompt, position: int) -> list[int]:
    word, role = prompt.word_index[position], prompt.roles[position]
    return [at for at in range(len(other)) if other.word_index[at] == word and (word >= 0 or other.roles[at] == role)]


# ---- interventions --------------------------------------------------------------------------------------------------


def put(name: str, positions: Sequence[int], head: int | None, change: Callable[[Tensor], Tensor]) -> Edit:
    """What a change makes of the values ``[position …]`` that stand at the positions (and head)."""
    index = (0, list(positions)) if head is None or name not in BY_HEAD else (0, list(positions), head)

    def edit(here: Tensor) -> Tensor:
        changed = here.clone()
        changed[index] = change(here[index])
        return changed

    return edit


def last_logits(plain: PlainModel, prompt: Prompt, edits: Sequence[Edits]) -> Cells:
    """Logits after the prompt, one run a sample."""
    found = Cells()
    for sample, each in enumerate(edits):
        with torch.no_grad():
            logits = plain.run(prompt.tokens, each)[0][-1]
        found |= {(sample, token): float(value) for token, value in enumerate(logits)}
    return found


def pool(plain: PlainModel, prompt: Prompt, point: Point) -> Tensor:
    """The values of all tokens but the first."""
    return recorded(plain, prompt)[point][0, 1:]


def drawn(values: Tensor, prompt: Prompt, positions: Sequence[int], sample: int, label: str) -> Tensor:
    """One of the values for each position."""
    places = torch.randint(len(values), (len(positions),), generator=stream(0, prompt, sample, label))
    return values[places]


def continued(plain: PlainModel, prompt: Prompt, edits: Edits, vocabulary: Any, n_tokens: int) -> str:
    """The likeliest text after the prompt, one whole pass a token; what is changed is changed in each of them."""
    allowed = [place for place, family in enumerate(vocabulary.families_by_id) if family == "text"]
    allowed += [] if vocabulary.eos_id is None else [vocabulary.eos_id]
    ids, said = list(prompt.ids), list[int]()
    for _ in range(n_tokens):
        with torch.no_grad():
            logits = plain.run(torch.tensor([ids]), edits)[0][-1]
        token = allowed[int(logits[allowed].argmax())]
        if token == vocabulary.eos_id:
            break
        ids, said = [*ids, token], [*said, token]
    text: str = vocabulary.decode(said)
    return text.strip()


def likeliest(plain: PlainModel, prompt: Prompt, vocabulary: Any) -> int:
    """The likeliest text token after the prompt."""
    with torch.no_grad():
        logits = plain.run(prompt.tokens)[0][-1]
    ids: list[int] = vocabulary.text_ids.tolist()
    return max(ids, key=lambda token: float(logits[token]))


def scored(plain: PlainModel, prompt: Prompt, edits: Mapping[Point, Edit]) -> np.ndarray:
    """The two metrics of a run."""
    with torch.no_grad():
        return metrics(prompt, plain.run(prompt.tokens, edits)[0]).numpy()
