"""Stage *lm*: train the Llama-architecture language model on packed documents.

Next-token cross-entropy inside each document; text targets count 1, unit targets `unit_weight`. Hidden matrices are
trained by Muon (Jordan 2024), embeddings, unembedding and norms by AdamW; the learning rate warms up, stays, and falls
linearly. Step-based and seeded: the same settings give the same documents and (on the same kind of machine) the same
weights; a run that was cut off goes on from its last checkpoint.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from experiments.embedded_model.language_model.documents import Batch, Documents, TokenIds
from experiments.embedded_model.language_model.monitoring import Watched, recall
from experiments.embedded_model.settings import ModelSettings, Settings
from experiments.embedded_model.training.checkpoints import load_checkpoint, save_checkpoint
from experiments.embedded_model.training.optimising import descend, set_rates

EVERY_LOSS = 20  # steps between two points of the loss curve


@dataclass
class Losses:
    """Running means of the cross-entropy of text and of unit targets."""

    text: float = 0.0
    unit: float = 0.0
    count: int = 0

    def add(self, text: float, unit: float) -> None:
        """Add one step."""
        self.count += 1
        self.text += (text - self.text) / self.count
        self.unit += (unit - self.unit) / self.count


def llama_config(settings: ModelSettings, ids: TokenIds) -> LlamaConfig:
    """The configuration that is shipped as `config.json`."""
    return LlamaConfig(
        vocab_size=ids.size,
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        intermediate_size=settings.mlp_width,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        bos_token_id=ids.bos,
        eos_token_id=ids.eos,
        initializer_range=0.02,
        attn_implementation="eager",  # on a CPU its backward pass is faster than that of the fused kernel at this size
    )


def optimisers(model: LlamaForCausalLM, settings: ModelSettings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for all else; no weight decay on norms."""
    hidden = [value for name, value in model.named_parameters() if value.dim() == 2 and ".layers." in name]
    rows = [value for name, value in model.named_parameters() if value.dim() == 2 and ".layers." not in name]
    norms = [value for value in model.parameters() if value.dim() < 2]
    return [
        torch.optim.Muon(
            hidden, lr=settings.muon_rate, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(
            [{"params": rows, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}],
            lr=settings.adam_rate,
            betas=(0.9, 0.95),
        ),
    ]


def rate_share(step: int, settings: ModelSettings) -> float:
    """Learning rate at a step as a share of the full one."""
    remaining = (settings.steps - step) / (settings.steps * (1 - settings.flat_share))
    return min(1.0, (step + 1) / settings.warm_up) * max(settings.last_rate_share, min(1.0, remaining))


def losses_of_batch(model: LlamaForCausalLM, batch: Batch, ids: TokenIds) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the text targets and of the unit targets, each [target]."""
    length = batch.tokens.shape[1]
    same = batch.segments[:, :, None] == batch.segments[:, None, :]
    allowed = (same & torch.ones(length, length, dtype=torch.bool).tril())[:, None]
    mask = torch.zeros(allowed.shape, dtype=torch.bfloat16).masked_fill_(~allowed, torch.finfo(torch.bfloat16).min)
    targets = batch.tokens[:, 1:]
    inside = (batch.segments[:, 1:] == batch.segments[:, :-1]) & (batch.segments[:, 1:] > 0)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(batch.tokens, attention_mask=mask, position_ids=batch.positions).last_hidden_state
        logits = model.lm_head(hidden[:, :-1][inside])
    loss = functional.cross_entropy(logits.float(), targets[inside], reduction="none")
    is_unit = targets[inside] >= ids.first_unit
    return loss[~is_unit], loss[is_unit]


def train_language_model(
    settings: Settings, documents: Documents, watched: Watched, folder: Path, start: Path | None = None
) -> LlamaForCausalLM:
    """Train; write checkpoints and `curve.json` into `folder`; returns the model.

    `start`: folder of a finished model whose weights are the first ones; random ones without it.
    """
    own, ids = settings.model, documents.ids
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    model = LlamaForCausalLM(llama_config(own, ids))
    if start is not None:
        model.load_state_dict(LlamaForCausalLM.from_pretrained(start, dtype=torch.float32).state_dict())
    both = optimisers(model, own)
    checkpoint = folder / "checkpoint.pt"
    done, curve = load_checkpoint(checkpoint, model, both, documents.rng)
    running, tokens = Losses(), 0
    for step in tqdm(range(done, own.steps), desc="lm", unit="step", mininterval=10, initial=done, total=own.steps):
        share = rate_share(step, own)
        set_rates(both, (own.muon_rate * share, own.adam_rate * share))
        batch = documents.batch(own.batch, own.length)
        running.add(*_step(model, batch, both, own, ids))
        tokens += int((batch.segments > 0).sum())
        last = step + 1 == own.steps
        if (step + 1) % EVERY_LOSS == 0 or last:
            curve.append({"step": step + 1, "text loss": running.text, "unit loss": running.unit, "tokens": tokens})
            running, tokens = Losses(), 0
        if (step + 1) % own.evaluate_every == 0 or last:
            curve.append({"step": step + 1, "accuracy": recall(model, watched)})
            tqdm.write(json.dumps(curve[-1]))
        if (step + 1) % own.checkpoint_every == 0 or last:
            save_checkpoint(checkpoint, step + 1, curve, model, both, documents.rng)
            (folder / "curve.json").write_text(json.dumps(curve) + "\n", encoding="utf-8")
    return model


def _step(
    model: LlamaForCausalLM, batch: Batch, both: list[torch.optim.Optimizer], settings: ModelSettings, ids: TokenIds
) -> tuple[float, float]:
    """One optimiser step; returns the mean losses of text and of units."""
    text, unit = losses_of_batch(model, batch, ids)
    weight = settings.unit_weight
    loss = (text.sum() + weight * unit.sum()) / (len(text) + weight * len(unit))
    descend(loss, model, both)
    return text.mean().item(), unit.mean().item()


def load_last(settings: Settings, ids: TokenIds, folder: Path) -> LlamaForCausalLM:
    """The model of the last checkpoint."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        raise FileNotFoundError(f"no checkpoint at {path}; run the stage lm first")
    model = LlamaForCausalLM(llama_config(settings.model, ids))
    model.load_state_dict(torch.load(path, weights_only=True)["model"])
    return model.eval()
