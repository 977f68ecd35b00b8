"""Corruptions, donors, interventions, knock-outs by other tokens and readings, written out with plain hooks on Hugging
Face's model: one pass a sample and cell.

Random numbers are drawn here by the rule that the toolkit tells: a generator for each seed, prompt, sample and purpose.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from plain_methods import Cells, gradients, measured, metrics, recorded, roles_of, states, taken
from plain_passes import Edit, Edits, PlainModel, Point, read_out
from torch import Tensor

from spiritlens.prompts.prompt import Prompt

Disturbed = Callable[[PlainModel, Prompt, int], Tensor]
"""From a prompt and the number of a sample to embeddings ``[1 pos d_model]``."""


def stream(prompt: Prompt, sample: int, purpose: str, seed: int = 0) -> torch.Generator:
    key = hashlib.sha256(f"{seed}|{prompt.id}|{sample}|{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))


def one_of(count: int, drawn: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=drawn))


# ---- corruptions ----------------------------------------------------------------------------------------------------


def embedded(plain: PlainModel, ids: Sequence[int]) -> Tensor:
    return plain.llama.model.embed_tokens.weight[list(ids)][None]


def put_in(plain: PlainModel, prompt: Prompt, rows: Tensor) -> Tensor:
    """The prompt's embeddings with rows ``[position d_model]`` at the subject."""
    found = embedded(plain, prompt.ids).clone()
    found[0, list(prompt.subject.positions)] = rows
    return found


def deviation(plain: PlainModel, ids: Sequence[int]) -> float:
    return 3 * float(embedded(plain, ids).std())


def noised(ids_of: Callable[[str], Sequence[int]], multiple: float = 1.0) -> Disturbed:
    """Gaussian noise on the subject, three standard deviations of its modality's rows."""

    def disturbed(plain: PlainModel, prompt: Prompt, sample: int) -> Tensor:
        where = list(prompt.subject.positions)
        own = embedded(plain, [prompt.ids[position] for position in where])[0]
        drawn = torch.randn(own.shape, generator=stream(prompt, sample, "noise"), dtype=torch.float32)
        by = [multiple * deviation(plain, ids_of(prompt.modalities[position])) for position in where]
        return put_in(plain, prompt, own + drawn * torch.tensor(by)[:, None])

    return disturbed


def knocked(ids_of: Callable[[str], Sequence[int]], kind: str) -> Disturbed:
    """The subject's embeddings zero, its modality's mean row, or some of its rows."""

    def disturbed(plain: PlainModel, prompt: Prompt, sample: int) -> Tensor:
        rows = []
        for order, position in enumerate(prompt.subject.positions):
            pool = embedded(plain, ids_of(prompt.modalities[position]))[0]
            choice = one_of(len(pool), stream(prompt, sample, f"resample {order}")) if kind == "resample" else 0
            rows.append({"zero": 0 * pool[0], "mean": pool.mean(0), "resample": pool[choice]}[kind])
        return put_in(plain, prompt, torch.stack(rows))

    return disturbed


def replaced(ids: Callable[[Prompt, int], Sequence[int]]) -> Disturbed:
    """Other ids in the subject's place."""
    return lambda plain, prompt, sample: put_in(plain, prompt, embedded(plain, ids(prompt, sample))[0])


def instead(embeddings: Tensor) -> Edits:
    return {("embed", 0): lambda value: torch.cat([embeddings, value[:, embeddings.shape[1] :]], dim=1)}


def traced(
    plain: PlainModel,
    prompt: Prompt,
    disturbed: Disturbed,
    components: Sequence[str],
    samples: int = 1,
    sever: str | None = None,
) -> Cells:
    """Clean values put back into each corrupted run, where every later output of the severed kind is held."""
    clean, found = recorded(plain, prompt), Cells()
    bases = [instead(disturbed(plain, prompt, sample)) for sample in range(samples)]
    corrupted = [recorded(plain, prompt, base) for base in bases]
    for name, layer, (role, positions) in itertools.product(
        components, range(plain.n_layers), roles_of(prompt).items()
    ):
        values = []
        for base, held in zip(bases, corrupted, strict=True):
            edits = {**base, (name, layer): taken(clean[name, layer], name, positions)}
            if sever is not None:
                for later in range(layer + (name in ("mlp_out", "resid_post")), plain.n_layers):
                    edits[sever, later] = taken(held[sever, later], sever, positions)
            values.append(measured(plain, prompt, prompt.tokens, edits))
        found[name, layer, role] = np.stack(values)
    return found


def doses(
    plain: PlainModel, prompt: Prompt, ids_of: Callable[[str], Sequence[int]], multiples: Sequence[float]
) -> Cells:
    """The share of the probability that noise of each multiple takes away, two samples."""
    clean, found = float(measured(plain, prompt, prompt.tokens, {})[1]), Cells()
    for multiple in multiples:
        disturbed = noised(ids_of, multiple)
        runs = [instead(disturbed(plain, prompt, sample)) for sample in range(2)]
        mean = np.mean([measured(plain, prompt, prompt.tokens, edits)[1] for edits in runs])
        found[(multiple,)] = (clean - mean) / clean
    return found


def estimated(plain: PlainModel, prompt: Prompt, disturbed: Disturbed, components: Sequence[str], relp: bool) -> Cells:
    """First-order effects on the logit difference: gradients of the corrupted run, or RelP's of the clean one."""
    edits = instead(disturbed(plain, prompt, 0))
    clean, corrupted = recorded(plain, prompt), recorded(plain, prompt, edits)
    points = list(itertools.product(components, range(plain.n_layers)))
    plain.linear = relp
    try:
        slopes = gradients(plain, prompt, prompt.tokens, points, None if relp else edits["embed", 0])[0]
    finally:
        plain.linear = False
    found = Cells()
    for point, slope in zip(points, slopes, strict=True):
        products = ((clean[point] - corrupted[point]) * slope)[0].sum(-1)
        for role, positions in roles_of(prompt).items():
            found[*point, role] = float(products[positions].sum())
    return found


# ---- donors ---------------------------------------------------------------------------------------------------------


def groups(prompt: Prompt) -> list[list[int]]:
    """Positions of each word and of each token that belongs to none, in order."""
    found: dict[object, list[int]] = {}
    for position, word in enumerate(prompt.word_index):
        found.setdefault(("alone", position) if word < 0 else word, []).append(position)
    return list(found.values())


def brought(source: Tensor, own: Tensor, prompt: Prompt, donor: Prompt, pooling: str) -> Tensor:
    """The donor's values ``[1 donor_pos …]`` at the prompt's positions, word by word."""
    result = own.clone()
    for here, there in zip(groups(prompt), groups(donor), strict=True):
        mean = source[0, there].mean(0)
        for place, position in enumerate(here):
            if pooling == "last":
                value = source[0, there[-1]]
            elif pooling == "broadcast":
                value = source[0, there[place * len(there) // len(here)]]
            else:
                value = mean
            if pooling == "norm_matched":
                value = mean * own[0, position].norm(dim=-1, keepdim=True) / mean.norm(dim=-1, keepdim=True)
            result[0, position] = value
    return result


def carried(
    plain: PlainModel, prompt: Prompt, donor: Prompt, disturbed: Disturbed, components: Sequence[str], pooling: str
) -> Cells:
    """The donor's values in the run of the prompt whose subject is corrupted."""
    base = instead(disturbed(plain, prompt, 0))
    source, own, found = recorded(plain, donor), recorded(plain, prompt, base), Cells()
    for name, layer, (role, positions) in itertools.product(
        components, range(plain.n_layers), roles_of(prompt).items()
    ):
        values = brought(source[name, layer], own[name, layer], prompt, donor, pooling)
        edits = {**base, (name, layer): taken(values, name, positions)}
        found[name, layer, role] = measured(plain, prompt, prompt.tokens, edits)
    return found


# ---- runs with interventions ----------------------------------------------------------------------------------------


def run(plain: PlainModel, prompt: Prompt, edits: Sequence[Edits]) -> Cells:
    """Logits ``[pos d_vocab]`` and metrics of one run for each sample."""
    found = Cells()
    for sample, each in enumerate(edits):
        with torch.no_grad():
            logits = plain.run(prompt.tokens, each)[0]
        found["logits", sample] = logits.numpy()
        found["metrics", sample] = metrics(prompt, logits).numpy()
    return found


def put(name: str, positions: Sequence[int], value: Tensor, head: int | None = None) -> Edit:
    """One value ``[width]`` (or with a head axis) at every position."""

    def edit(activation: Tensor) -> Tensor:
        source = activation.clone()
        for position in positions:
            source[0, position] = value
        return taken(source, name, positions, head)(activation)

    return edit


def tokens_of(plain: PlainModel, prompts: Iterable[Prompt], point: Point) -> Tensor:
    """The component at every token of the prompts but the first ``[token …]``."""
    return torch.cat([recorded(plain, prompt)[point][0, 1:] for prompt in prompts])


def resampled(
    plain: PlainModel, prompt: Prompt, references: Sequence[Prompt], point: Point, where: Sequence[int], label: str
) -> list[Edits]:
    """Two samples of tokens of the references at the positions."""
    pool = tokens_of(plain, references, point)
    found: list[Edits] = []
    for sample in range(2):
        places = torch.randint(len(pool), (len(where),), generator=stream(prompt, sample, label)).tolist()
        source = recorded(plain, prompt)[point].clone()
        source[0, list(where)] = pool[places]
        found.append({point: taken(source, point[0], where)})
    return found


def continued(
    plain: PlainModel, prompt: Prompt, edits: Edits, allowed: Sequence[int], end: int | None, n: int
) -> list[int]:
    """The likeliest allowed token, again and again, the whole sequence run anew each time."""
    ids = list(prompt.ids)
    for _ in range(n):
        with torch.no_grad():
            last = plain.run(torch.tensor([ids]), edits)[0][-1]
        ids.append(allowed[int(last[list(allowed)].argmax())])
        if ids[-1] == end:
            return ids[len(prompt) : -1]
    return ids[len(prompt) :]


# ---- knock-outs by tokens of other prompts --------------------------------------------------------------------------


def kinds(prompt: Prompt) -> list[tuple[str, str]]:
    """Role and modality of each token; of a marker the kind of its prompt."""
    return [
        (role, prompt.kind if modality == "none" else modality)
        for role, modality in zip(prompt.roles, prompt.modalities, strict=True)
    ]


def stand_ins(
    plain: PlainModel, prompt: Prompt, references: Sequence[Prompt], positions: Sequence[int], kind: str, sample: int
) -> dict[int, Tensor]:
    """By layer, z ``[1 pos head d_head]`` with that of reference tokens like each at the positions."""
    runs = [recorded(plain, other) for other in references]
    own, found = recorded(plain, prompt), {}
    for layer in range(plain.n_layers):
        values = own["z", layer].clone()
        for position in positions:
            alike = [
                seen["z", layer][0, place]
                for other, seen in zip(references, runs, strict=True)
                for place, each in enumerate(kinds(other))
                if each == kinds(prompt)[position]
            ]
            chosen = one_of(len(alike), stream(prompt, sample, f"resample z {position}"))
            values[0, position] = torch.stack(alike).mean(0) if kind == "mean" else alike[chosen]
        found[layer] = values
    return found


def silenced(
    plain: PlainModel,
    prompt: Prompt,
    references: Sequence[Prompt],
    spans: dict[str, list[int]],
    kind: str,
    samples: int,
) -> Cells:
    """Each head's z that of other prompts' tokens, at the positions of each span."""
    every = sorted({position for positions in spans.values() for position in positions})
    values = [stand_ins(plain, prompt, references, every, kind, sample) for sample in range(samples)]
    found = Cells()
    for layer, (span, positions), head in itertools.product(range(plain.n_layers), spans.items(), range(plain.n_heads)):
        edits = [{("z", layer): taken(each[layer], "z", positions, head)} for each in values]
        found[layer, span, head] = np.stack([measured(plain, prompt, prompt.tokens, each) for each in edits])
    return found


# ---- readings -------------------------------------------------------------------------------------------------------


def watched(plain: PlainModel, prompt: Prompt) -> Cells:
    """What each detector sees: the mean attention to the place that it looks for, over tokens that have one."""
    seen, words, ids, found = recorded(plain, prompt), prompt.word_index, prompt.ids, Cells()
    every = range(len(prompt))

    def before(query: int) -> list[int]:
        """The last token of the word before the query's."""
        if words[query] < 0:
            return []
        ends = [place for place in range(query) if words[place] >= 0 and words[place] != words[query]]
        return ends[-1:]

    places = {
        "previous_token": lambda query: [query - 1] if query else [],
        "duplicate": lambda query: [key for key in range(query) if ids[key] == ids[query]],
        "induction": lambda query: [key + 1 for key in range(query) if ids[key] == ids[query]],
        "word_start": lambda query: [key for key in (words.index(words[query]),) if words[query] >= 0 and key < query],
        "previous_word_end": before,
        "beginning": lambda query: [0] if query else [],
    }
    for layer, head, name in itertools.product(range(plain.n_layers), range(plain.n_heads), places):
        pattern = seen["pattern", layer][0, head]
        paid = [float(pattern[query, keys].sum()) for query in every if (keys := places[name](query))]
        if paid:
            found[layer, head, name] = np.mean(paid)
    return found


def written_from(plain: PlainModel, prompt: Prompt) -> Cells:
    """What each head writes towards the answer's logit, by the token that it read."""
    seen, norm = recorded(plain, prompt), plain.llama.model.norm
    final = seen["resid_post", plain.n_layers - 1][0, -1]
    reading = (
        norm.weight
        * plain.llama.lm_head.weight[prompt.answer_ids[0]]
        / (final.pow(2).mean() + norm.variance_epsilon).sqrt()
    )
    found = Cells()
    for layer, head in itertools.product(range(plain.n_layers), range(plain.n_heads)):
        columns = slice(head * plain.d_head, (head + 1) * plain.d_head)
        out = plain.layers[layer].self_attn.o_proj.weight[:, columns].T @ reading
        of_group = head // (plain.n_heads // plain.n_kv_heads)
        for position in range(len(prompt)):
            value = seen["v", layer][0, position, of_group]
            found[layer, head, position] = float(seen["pattern", layer][0, head, -1, position] * (value @ out))
    return found


def transcribed(
    plain: PlainModel, prompt: Prompt, text_ids: Sequence[int], first_of: Callable[[str], int], top: int
) -> Cells:
    """The first state in which each spoken word's first text token is among the top, and its best rank and state."""
    logits, found = read_out(plain, states(plain, prompt))[..., list(text_ids)], Cells()
    for index, word in enumerate(prompt.words):
        spoken = [p for p, of in enumerate(prompt.word_index) if of == index and prompt.modalities[p] == "speech"]
        if not spoken:
            continue
        column = list(text_ids).index(first_of(word))
        ranks = [int((state[spoken] >= state[spoken, column][:, None]).sum(-1).min()) for state in logits]
        reached = [state for state, rank in enumerate(ranks) if rank <= top]
        found[index, "layer"] = reached[0] if reached else -1
        found[index, "best_rank"] = min(ranks)
        found[index, "best_layer"] = ranks.index(min(ranks))
    return found


def likeliest(plain: PlainModel, prompts: Sequence[Prompt], text_ids: Sequence[int]) -> list[int]:
    """The likeliest text token after each prompt."""
    with torch.no_grad():
        last = [plain.run(prompt.tokens)[0][-1, list(text_ids)] for prompt in prompts]
    return [text_ids[int(each.argmax())] for each in last]


def known(plain: PlainModel, prompts: Sequence[Prompt], text_ids: Sequence[int]) -> list[bool]:
    """Whether the likeliest text token is the answer."""
    said = likeliest(plain, prompts, text_ids)
    return [token == prompt.answer_ids[0] for token, prompt in zip(said, prompts, strict=True)]
