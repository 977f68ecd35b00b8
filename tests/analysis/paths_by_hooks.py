"""Path patching by plain hooks: an independent algorithm of four passes, in float64."""

import torch
from either_kind import run_hooked
from random_llamas import opened

from spiritlens.analysis.paths.path_values import path_values
from spiritlens.analysis.paths.paths import Held
from spiritlens.analysis.paths.recording import record_pair

TOLERANCE = 1e-10


L = 3


CLEAN = torch.tensor([[1, 17, 5, 33, 8, 21, 40, 9]])


CORRUPTED = torch.tensor([[1, 17, 11, 2, 8, 21, 40, 9]])


def score(logits: torch.Tensor) -> torch.Tensor:
    """Two numbers per row ``[row metric]`` of logits ``[row readout d_vocab]``."""
    return torch.stack([logits.softmax(-1)[:, :, 11].sum(1), (logits[:, :, 4] - logits[:, :, 30]).sum(1)], dim=-1)


@torch.no_grad()
def four_passes(llama, senders, groups, positions, frozen, norms):
    """``[group sender metric]`` by Wang et al.'s algorithm, written with nothing but hooks: base CLEAN, source
    CORRUPTED, one third pass a sender and one fourth pass a group, with a row for each sender."""
    _, base = llama.run_with_cache(CLEAN)
    _, source = llama.run_with_cache(CORRUPTED)
    each = [third_pass(llama, base, source, sender, positions, frozen) for sender in senders]
    streams = {name: torch.cat([of_sender[name] for of_sender in each]) for name in each[0]}
    return torch.stack([fourth_pass(llama, base, streams, group, norms) for group in groups])


def third_pass(llama, base, source, sender, positions, frozen):
    """The sender from the source run, frozen nodes held: the streams that receivers read."""
    name = {
        "z": f"blocks.{sender.layer}.attn.hook_z",
        "mlp_out": f"blocks.{sender.layer}.hook_mlp_out",
        "embed": "hook_embed",
    }
    written = name[sender.component]

    def put_sender(x, hook):
        x = x.clone()
        if sender.head < 0:
            x[:, positions] = source[written][:, positions]
        else:
            x[:, positions, sender.head] = source[written][:, positions, sender.head]
        return x

    def hold_all_but_sender(x, hook):
        x = base[hook.name].clone()
        return put_sender(x, hook) if hook.name == written else x

    hooks = []
    for layer in range(L):
        if frozen != "nothing":
            hooks.append((f"blocks.{layer}.attn.hook_z", hold_all_but_sender))
        if frozen == "heads+mlps":
            hooks.append((f"blocks.{layer}.hook_mlp_out", hold_all_but_sender))
    if frozen == "nothing" or sender.component == "embed" or (frozen == "heads" and sender.component == "mlp_out"):
        hooks.append((written, put_sender))
    streams = {}

    def remember(name):
        return name, lambda x, hook: streams.__setitem__(name, x.clone())

    reads = [remember(f"blocks.{layer}.hook_{part}") for layer in range(L) for part in ("resid_pre", "resid_mid")]
    reads.append(remember(f"blocks.{L - 1}.hook_resid_post"))
    with llama.hooks(fwd_hooks=reads):
        run_hooked(llama, CLEAN, hooks)
    return streams


def fourth_pass(llama, base, streams, group, norms):
    """``[row metric]`` when the receivers read the rows of the streams; everything after them runs."""
    model = opened(llama)
    final, inputs = [], {}
    for receiver in group:
        if receiver.component == "logits":
            stream = streams[f"blocks.{L - 1}.hook_resid_post"]
            scale = norm_scale(model, base[f"blocks.{L - 1}.hook_resid_post"] if norms == "frozen" else stream)
            return score(((stream / scale * model.norm_gain("ln_final")) @ model.w_u)[:, -1:])
        part, norm = ("resid_mid", "ln2") if receiver.component == "mlp_in" else ("resid_pre", "ln1")
        hook = f"blocks.{receiver.layer}.hook_{part}"
        scale = norm_scale(model, base[hook] if norms == "frozen" else streams[hook])
        normed = streams[hook] / scale * model.norm_gain(norm, receiver.layer)
        if receiver.component == "mlp_in":
            inputs[f"blocks.{receiver.layer}.hook_mlp_out", None] = llama.blocks[receiver.layer].mlp(normed)
        else:
            letter = receiver.component[0]
            linear = getattr(model.attention_weights(receiver.layer), letter)
            made = torch.nn.functional.linear(normed, linear.weight, linear.bias).unflatten(-1, (-1, model.d_head))
            inputs[f"blocks.{receiver.layer}.attn.hook_{letter}", receiver.head] = made[:, :, receiver.head]
    for (hook, head), value in inputs.items():

        def put(x, hook, head=head, value=value):
            x = x.clone()
            if head is None:
                return value.clone()
            x[:, :, head] = value
            return x

        final.append((hook, put))
    rows = len(streams["blocks.0.hook_resid_pre"])
    return score(run_hooked(llama, CLEAN.repeat(rows, 1), final)[:, -1:])


def norm_scale(model, x):
    return (x.pow(2).mean(-1, keepdim=True) + model.eps).sqrt()


def values(llama, senders, groups, positions, frozen="heads+mlps", norms="recomputed", budget=None):
    model = opened(llama)
    recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), groups, 1)
    found = path_values(
        recorded, senders, groups, positions, held=Held(frozen, norms), score=score, memory_budget=budget
    )
    return found


def pick(circuit):
    """A written and a spoken prompt, with their counterfactuals."""
    chosen = [circuit.prompts[0], circuit.prompts[len(circuit.prompts) // 2 + 3]]
    return chosen, [circuit.counterfactual(prompt) for prompt in chosen]
