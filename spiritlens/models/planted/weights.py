"""Circuits written by hand into the weights of a model of Llama architecture: their truth is known.

The fact machine (RMSNorm, rotary attention, gated SiLU MLP; every weight not named here is zero):

1. *Embedding.* Every token has a constant. A subject has a first and a last half (text: two pieces; speech: three units
   each), and each piece or unit carries the code of its half, small beside the flag that says where it stands: OPEN,
   or on the subject's last token END TEXT or END SPEECH. Rows of one kind have equal norms, so that swapping a
   subject moves no norm.
2. *Merge head* (layer 1, head 0): END positions attend evenly to the subject's positions and write the mean of their
   codes into the *merged* directions. All other positions attend to the beginning-of-sequence token and write
   nothing.
3. *Fact MLP* (layer 2; in ``fact machine, speech later`` layer 5 for speech): one neuron per known subject fires at
   END where both merged codes are present, and writes the *attribute*.
4. *Mover head* (layer 6, head 1): markers (READ) attend to END and copy attribute → *answer*. Head 2 of the same
   layer attends alike but copies into directions that nothing reads. Without a subject in sight both attend to the
   beginning.
5. *Unembedding* reads the answer directions; READ feeds the answer ``unknown``, which wins when no answer is written.

In the pairs, heads 1 and 3 of layer 6 both copy (into one direction, so that it holds 0, 1 or 2), and an MLP in layer
7 writes the answer when at least one copy (``or pair``) or both copies (``and pair``) have arrived; nothing else
writes the answer.

Rotary attention is made blind to position by a huge base: scores live in the slowest pair of dimensions, which turns by
less than 1e-10 per token. The SiLU gates are scaled so that an open gate is linear to 1e-6 and a closed one below 1e-6.

Axes and names: weights as in TransformerLens (``W_Q [head d_model d_head]`` …). Source: own construction; the idea of
models whose circuit is known is that of Lindner et al. 2023 (Tracr) and Gupta et al. 2024 (InterpBench).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from spiritlens.arguments import shown
from spiritlens.models.backend_row import BackendName
from spiritlens.models.backends import maker
from spiritlens.models.checkpoints.llama import LAYER_TENSORS, LlamaLike, architecture

CircuitName = Literal["fact machine", "fact machine, speech later", "or pair", "and pair"]
CIRCUITS: tuple[CircuitName, ...] = get_args(CircuitName)

N_LAYERS, N_HEADS, D_MODEL, D_HEAD, D_MLP = 8, 4, 128, 16, 32
MERGE_LAYER, FACT_LAYER, LATE_FACT_LAYER, MOVER_LAYER, GATE_LAYER = 1, 2, 5, 6, 7
MERGE_HEAD, MOVER_HEAD, DECOY_HEAD, SECOND_MOVER_HEAD = 0, 1, 2, 3

CONSTANT, FLAG, CODE, READ = 0.25, 1.0, 0.08, 3.0
"""Sizes of the embedding's entries: the code is small beside the flags, so that noise wipes out who it is, not where
it stands."""
MERGED, ATTRIBUTE, COPY, ANSWER = 0.1, 1.0, 1.0, 2.0
"""Sizes of what the merge head (per half), the fact MLP, a mover head (pairs) and the answer's writer add to the
residual."""
SHARPNESS = 40.0
"""Attention score, and open gate, of a clean run."""
OUT_OF_REACH = 20.0
"""Threshold, in merged codes, of a fact neuron at the end of a subject in the modality that it does not serve."""

FactModality = Literal["text", "speech"]


@dataclass(frozen=True)
class TokenKinds:
    """What the embedding rows of a vocabulary stand for: ids by kind, as plain values.

    ``pieces`` maps the id of each token of a subject to what it stands for.
    """

    n_rows: int
    bos: int
    markers: tuple[int, ...]
    answers: tuple[int, ...]
    unknown: int
    pieces: Mapping[int, "SubjectPiece"]
    known: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """(first code, last code) → index into ``answers``; other pairs are subjects without a fact."""

    @property
    def n_codes(self) -> int:
        return 1 + max(piece.code for piece in self.pieces.values())


@dataclass(frozen=True)
class SubjectPiece:
    """A token of a subject: its half (0 first, 1 last), the half's code, its modality, and whether it ends the
    subject."""

    half: Literal[0, 1]
    code: int
    modality: FactModality
    place: Literal["open", "end"]


class Directions:
    """Named, disjoint basis directions of the residual stream."""

    FLAGS = ("constant", "sink", "read", "open", "end text", "end speech")

    def __init__(self, n_codes: int, n_answers: int) -> None:
        sizes = {
            **dict.fromkeys(self.FLAGS, 1),
            "code": 2 * n_codes,
            "merged": 2 * n_codes,
            "attribute": n_answers,
            "copy": n_answers,
            "decoy": n_answers,
            "answer": n_answers,
        }
        if sum(sizes.values()) > D_MODEL:
            raise ValueError(
                f"{sum(sizes.values())} directions do not fit into d_model {D_MODEL}; use fewer subjects or answers"
            )
        self._slices: dict[str, slice] = {}
        start = 0
        for name, size in sizes.items():
            self._slices[name] = slice(start, start + size)
            start += size

    def __getitem__(self, name: str) -> slice:
        return self._slices[name]

    def flag(self, name: str) -> int:
        return int(self._slices[name].start)


def build_circuit(
    name: CircuitName, kinds: TokenKinds, dtype: torch.dtype = torch.float64, backend: BackendName | None = None
) -> Any:
    """The circuit `name` on a vocabulary of these token kinds, as a model of the backend's on the CPU."""
    if name not in CIRCUITS:
        raise ValueError(f"no planted circuit {name!r}; there are {', '.join(map(repr, CIRCUITS))}")
    if dtype not in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        raise ValueError(f"dtype={shown(dtype)}: expected torch.float64, float32, bfloat16 or float16")
    weights = _no_weights(kinds.n_rows, dtype)
    directions = Directions(kinds.n_codes, len(kinds.answers))
    _write_embedding(weights, kinds, directions)
    _write_merge_head(weights, directions)
    if name == "fact machine, speech later":
        _write_fact_mlp(weights, kinds, directions, FACT_LAYER, ("text",))
        _write_fact_mlp(weights, kinds, directions, LATE_FACT_LAYER, ("speech",))
    else:
        _write_fact_mlp(weights, kinds, directions, FACT_LAYER, ("text", "speech"))
    _write_mover_head(weights, directions, DECOY_HEAD, "decoy", ANSWER)
    if name in ("or pair", "and pair"):
        for head in (MOVER_HEAD, SECOND_MOVER_HEAD):
            _write_mover_head(weights, directions, head, "copy", COPY)
        _write_pair_gate(weights, directions, "or" if name == "or pair" else "and", len(kinds.answers))
    else:
        _write_mover_head(weights, directions, MOVER_HEAD, "answer", ANSWER)
    _write_unembedding(weights, kinds, directions)
    return maker(backend).converted(_by_checkpoint_names(weights), _shape(kinds.n_rows), dtype, name=name)


def _shape(n_rows: int) -> LlamaLike:
    """The circuits' shape, as a configuration of Hugging Face's."""
    found: LlamaLike = architecture("llama").config(
        num_hidden_layers=N_LAYERS,
        hidden_size=D_MODEL,
        num_attention_heads=N_HEADS,
        num_key_value_heads=N_HEADS,
        head_dim=D_HEAD,
        intermediate_size=D_MLP,
        vocab_size=n_rows,
        max_position_embeddings=512,
        rms_norm_eps=1e-6,
        tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 1e14},
    )
    return found


def _no_weights(n_rows: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Weights of nothing by TransformerLens's names and axes: zeros, the norms' gains ones."""
    head, width = (N_HEADS, D_MODEL, D_HEAD), (D_MODEL, D_MLP)
    shapes: dict[str, tuple[int, ...]] = {"embed.W_E": (n_rows, D_MODEL), "unembed.W_U": (D_MODEL, n_rows)}
    for layer in range(N_LAYERS):
        shapes |= {f"blocks.{layer}.attn.{matrix}": head for matrix in ("W_Q", "W_K", "W_V")}
        shapes[f"blocks.{layer}.attn.W_O"] = (N_HEADS, D_HEAD, D_MODEL)
        shapes |= {f"blocks.{layer}.mlp.{matrix}": width for matrix in ("W_gate", "W_in")}
        shapes[f"blocks.{layer}.mlp.W_out"] = (D_MLP, D_MODEL)
        shapes |= {f"blocks.{layer}.{norm}.w": (D_MODEL,) for norm in ("ln1", "ln2")}
    shapes["ln_final.w"] = (D_MODEL,)
    return {key: torch.full(shape, float(key.endswith(".w")), dtype=dtype) for key, shape in shapes.items()}


def _by_checkpoint_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights by Hugging Face's names and axes."""
    found = {"model.embed_tokens.weight": weights["embed.W_E"], "lm_head.weight": weights["unembed.W_U"].T}
    found["model.norm.weight"] = weights["ln_final.w"]
    for layer in range(N_LAYERS):
        for source, target in LAYER_TENSORS.items():
            weight = weights[f"blocks.{layer}.{target}"]
            if target in ("attn.W_Q", "attn.W_K", "attn.W_V"):
                weight = weight.transpose(1, 2).flatten(0, 1)
            elif target == "attn.W_O":
                weight = weight.flatten(0, 1).T
            elif target.startswith("mlp."):
                weight = weight.T
            found[f"model.layers.{layer}.{source}"] = weight
    return {name: weight.contiguous() for name, weight in found.items()}


def _scale(*squares: float) -> float:
    """RMSNorm's factor for a residual row with this sum of squares: √(d_model / Σ x²)."""
    return float((D_MODEL / sum(squares)) ** 0.5)


PIECE_SQUARES = CONSTANT**2 + CODE**2 + FLAG**2
"""Sum of squares of a subject token's row: constant, code and one flag."""
MERGED_SQUARES = PIECE_SQUARES + 2 * MERGED**2
READ_SQUARES = CONSTANT**2 + READ**2


def _write_embedding(weights: dict[str, Tensor], kinds: TokenKinds, directions: Directions) -> None:
    embedding = weights["embed.W_E"]
    embedding[:, directions.flag("constant")] = CONSTANT
    embedding[kinds.bos, directions.flag("sink")] = FLAG
    for marker in kinds.markers:
        embedding[marker, directions.flag("read")] = READ
    for token, piece in kinds.pieces.items():
        embedding[token, directions.flag("open" if piece.place == "open" else f"end {piece.modality}")] = FLAG
        embedding[token, directions["code"].start + piece.half * kinds.n_codes + piece.code] = CODE


def _write_attention(
    weights: dict[str, Tensor],
    directions: Directions,
    layer: int,
    head: int,
    *,
    query: tuple[str, ...],
    query_row: tuple[float, float],
    key: tuple[str, ...],
    key_row: tuple[float, float],
) -> None:
    """Score SHARPNESS between a clean query flag and a clean key flag; from a constant to BOS half as much in the
    query's row.

    A row is (size of the flag, sum of squares of the residual there). The two scores live in the two dimensions of the
    slowest rotary pair.
    """
    content, sink = D_HEAD // 2 - 1, D_HEAD - 1
    query_size, query_squares = query_row
    key_size, key_squares = key_row
    to_query, to_key = (weights[f"blocks.{layer}.attn.{matrix}"][head] for matrix in ("W_Q", "W_K"))
    for flag in query:
        to_query[directions.flag(flag), content] = D_HEAD**0.5 * SHARPNESS / (_scale(query_squares) * query_size)
    for flag in key:
        to_key[directions.flag(flag), content] = 1 / (_scale(key_squares) * key_size)
    to_query[directions.flag("constant"), sink] = D_HEAD**0.5 * SHARPNESS / 2 / (_scale(query_squares) * CONSTANT)
    to_key[directions.flag("sink"), sink] = 1 / (_scale(CONSTANT**2 + FLAG**2) * FLAG)


def _write_merge_head(weights: dict[str, Tensor], directions: Directions) -> None:
    row = (FLAG, PIECE_SQUARES)
    ends = ("end text", "end speech")
    _write_attention(
        weights, directions, MERGE_LAYER, MERGE_HEAD, query=ends, query_row=row, key=("open", *ends), key_row=row
    )
    mean_code = _scale(PIECE_SQUARES) * CODE / 2  # half of a subject's tokens carry each code
    _write_values(weights, directions, MERGE_LAYER, MERGE_HEAD, "code", "merged", MERGED / mean_code)


def _write_values(
    weights: dict[str, Tensor], directions: Directions, layer: int, head: int, source: str, target: str, gain: float
) -> None:
    """Values read `source`; the output writes it into `target`, times `gain`."""
    n = directions[source].stop - directions[source].start
    identity = torch.eye(n, dtype=weights["embed.W_E"].dtype)
    weights[f"blocks.{layer}.attn.W_V"][head, directions[source], :n] = identity
    weights[f"blocks.{layer}.attn.W_O"][head, :n, directions[target]] = identity * gain


def _write_fact_mlp(
    weights: dict[str, Tensor],
    kinds: TokenKinds,
    directions: Directions,
    layer: int,
    modalities: tuple[FactModality, ...],
) -> None:
    """One neuron per known subject: gate = gain · (merged codes present − 1.5), closed at −gain/2, open at +gain/2;
    times END = 1.

    At the END of another modality the threshold is far out of reach.
    """
    factor = _scale(MERGED_SQUARES)
    gain = 2 * SHARPNESS  # an open gate is gain · (2 − 1.5) = SHARPNESS
    gate, up, down = (weights[f"blocks.{layer}.mlp.{matrix}"] for matrix in ("W_gate", "W_in", "W_out"))
    start = directions["merged"].start
    for neuron, ((first, last), answer) in enumerate(kinds.known.items()):
        for half, code in enumerate((first, last)):
            gate[start + half * kinds.n_codes + code, neuron] = gain / (factor * MERGED)
        for modality in get_args(FactModality):
            threshold = 1.5 if modality in modalities else OUT_OF_REACH
            gate[directions.flag(f"end {modality}"), neuron] = -gain * threshold / (factor * FLAG)
        for modality in modalities:
            up[directions.flag(f"end {modality}"), neuron] = 1 / (factor * FLAG)
        down[neuron, directions["attribute"].start + answer] = ATTRIBUTE / SHARPNESS


def _write_mover_head(weights: dict[str, Tensor], directions: Directions, head: int, target: str, size: float) -> None:
    squares = MERGED_SQUARES + ATTRIBUTE**2
    _write_attention(
        weights,
        directions,
        MOVER_LAYER,
        head,
        query=("read",),
        query_row=(READ, READ_SQUARES),
        key=("end text", "end speech"),
        key_row=(FLAG, squares),
    )
    _write_values(weights, directions, MOVER_LAYER, head, "attribute", target, size / (_scale(squares) * ATTRIBUTE))


def _write_pair_gate(
    weights: dict[str, Tensor], directions: Directions, rule: Literal["or", "and"], n_answers: int
) -> None:
    """Neurons of the copies x ∈ {0, 1, 2} at markers: or = ramp(x − 1/4) − ramp(x − 3/4), and = ramp(x − 3/2).

    READ sets the threshold, so that the norm cancels in the comparison; with x = 1 … 2 the norm moves the size by a
    tenth.
    """
    gate, up, down = (weights[f"blocks.{GATE_LAYER}.mlp.{matrix}"] for matrix in ("W_gate", "W_in", "W_out"))
    ramps = ((0.25, 1.0), (0.75, -1.0)) if rule == "or" else ((1.5, 1.0),)
    factor = _scale(READ_SQUARES + 4 * COPY**2)
    gain = 8 * SHARPNESS / factor
    for row, (threshold, sign) in enumerate(ramps):
        for answer in range(n_answers):
            neuron = row * n_answers + answer
            gate[directions["copy"].start + answer, neuron] = gain
            gate[directions.flag("read"), neuron] = -gain * threshold * COPY / READ
            up[directions.flag("read"), neuron] = 1 / (factor * READ)
            down[neuron, directions["answer"].start + answer] = sign * ANSWER / (0.5 * COPY * factor * gain)


def _write_unembedding(weights: dict[str, Tensor], kinds: TokenKinds, directions: Directions) -> None:
    factor = _scale(READ_SQUARES + ANSWER**2)
    for index, token in enumerate(kinds.answers):
        weights["unembed.W_U"][directions["answer"].start + index, token] = 30.0 / (factor * ANSWER)
    weights["unembed.W_U"][directions.flag("read"), kinds.unknown] = 12.0 / (factor * READ)
