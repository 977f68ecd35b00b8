"""`load`: a lens on the embedded model, a checkpoint folder, a name, a hub id, or a loaded model of Hugging Face's.

    lens = load()
    lens = load("spirit-lm-base-7b", dtype=torch.bfloat16)

Weights stay in the memory that they were read into, whichever of TransformerLens's kinds of model they become
(`spiritlens.models.backends`); vocabulary, family and speech encoder are found in the checkpoint's folder.
"""

from pathlib import Path
from typing import Literal, TypeAlias

import torch
from transformers import PreTrainedModel

from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.environment import plain_torch
from spiritlens.models.backend_row import BackendName, Maker
from spiritlens.models.backends import maker
from spiritlens.models.checkpoints.checkpoint import WEIGHT_KINDS, find_checkpoint, read_checkpoint
from spiritlens.models.checkpoints.llama import MODELS, owned
from spiritlens.models.embedded import embedded_folder
from spiritlens.models.encoder_lookup import encoder_of
from spiritlens.models.lens import Lens
from spiritlens.prompts.vocabulary.families import given_family
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.prompts.vocabulary.given_tokenizer import refuse_unnamed_rows
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.encoders.protocol import SpeechEncoder, given_encoder

NormForm: TypeAlias = Literal["raw", "folded"]
"""``raw``: norms keep their gains, hooks show what Hugging Face computes. ``folded``: gains multiplied into the
matrices that read the norm, as circuit analyses like it; nothing is ever centred."""


@told_keywords
@plain_torch
def load(
    source: str | Path | PreTrainedModel | None = None,
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    norms: NormForm = "raw",
    *,
    tokenizer: str | Path | None = None,
    family: Family | None = None,
    encoder: SpeechEncoder | None = None,
    backend: BackendName | None = None,
) -> Lens:
    """A lens on a model: the embedded one, a checkpoint folder, a name, a hub id, or a loaded model of Hugging Face's.

    ``dtype`` None keeps the checkpoint's (the embedded model: float32); ``device`` None takes the GPU where there is
    one. ``tokenizer`` is the folder of the tokenizer's files where that is another; ``family`` and ``encoder`` are
    found in the folder unless given. A loaded model (`LlamaForCausalLM`, `MistralForCausalLM`, `Qwen2ForCausalLM`)
    shares its memory with the lens, so dtype and device are its own.

    ``backend`` is the kind of TransformerLens's models that ``lens.model`` is: ``"hooked_transformer"`` (the default
    where the installed version has it, up to 3.9) or ``"bridge"``, a `TransformerBridge` on Hugging Face's model, which
    wraps a loaded model in place. Results are the same to rounding. Returns a `Lens`. Raises CheckpointError for files
    that are missing, damaged or differ from their config, UnsupportedModel for a model that TransformerLens cannot
    compute exactly, ValueError for other arguments.
    """
    check_choice("norms", norms, NormForm)
    making = maker(backend)
    given_family(family)
    if encoder is not None:
        given_encoder(encoder)
    _check_device(device)
    if isinstance(source, MODELS):
        return _lens_of_llama(source, dtype, device, norms, tokenizer, family, encoder, making)
    wanted = _dtype(dtype) or (torch.float32 if source is None else None)
    folder = embedded_folder() if source is None else find_checkpoint(source)
    checkpoint = read_checkpoint(folder, wanted, device or ("cuda" if torch.cuda.is_available() else "cpu"))
    place = folder if tokenizer is None else _tokenizer_folder(tokenizer)
    vocabulary = _vocabulary(place, family, checkpoint.config.vocab_size)
    weights = checkpoint.weights
    if norms == "folded" and "lm_head.weight" not in weights:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    name = "embedded" if source is None else folder.name
    model = making.converted(weights, checkpoint.config, name=name)
    if norms == "folded":
        making.folded(model)
    return Lens(model, vocabulary, encoder or encoder_of(folder, vocabulary.family), name, folder)


def _lens_of_llama(
    llama: PreTrainedModel,
    dtype: torch.dtype | str | None,
    device: torch.device | str | None,
    norms: NormForm,
    tokenizer: str | Path | None,
    family: Family | None,
    encoder: SpeechEncoder | None,
    making: Maker,
) -> Lens:
    """A lens on a loaded model's own memory; with folded norms on a copy, for folding writes.

    It has a folder, which `selfcheck` reads the reference from, only where the model names the one it was loaded from.
    """
    if type(llama.model.embed_tokens) is not torch.nn.Embedding:
        raise ValueError(
            f"the {type(llama).__name__} given is wrapped by a TransformerBridge already: give the bridge and its "
            "tokenizer to Lens.of(bridge, tokenizer)"
        )
    held = llama.model.embed_tokens.weight
    wanted = _dtype(dtype)
    if wanted not in (None, held.dtype):
        raise ValueError(
            f"dtype={wanted}: the model given is {held.dtype} and shares its memory with the lens; load it in that "
            f"dtype ({type(llama).__name__}.from_pretrained(folder, dtype={wanted})), or give its folder to load(). "
            "Converting a loaded one would round its rotary frequencies"
        )
    if device is not None and not is_on(held.device, torch.device(device)):
        raise ValueError(
            f"device={str(device)!r}: the model given is on {held.device} and shares its memory with the lens; move it "
            f"before (model.to({str(device)!r})), or give its folder to load()"
        )
    origin = llama.config._name_or_path
    if tokenizer is None and not (origin and Path(origin).is_dir()):
        raise ValueError(
            f"a loaded {type(llama).__name__} brings no tokenizer: give its folder by load(model, tokenizer=...)"
        )
    place = Path(origin) if tokenizer is None else _tokenizer_folder(tokenizer)
    vocabulary = _vocabulary(place, family, llama.config.vocab_size)
    name = place.name
    if norms == "raw":
        model = making.shared(llama, name)
    else:
        model = making.folded(making.converted(owned(llama.state_dict()), llama.config, held.dtype, name))
    folder = place if tokenizer is None else None
    return Lens(model, vocabulary, encoder or encoder_of(place, vocabulary.family), name, folder)


def is_on(held: torch.device, asked: torch.device) -> bool:
    """Whether a model held on one device is where it is asked for; ``cuda`` without a number is any GPU."""
    return asked.type == held.type and asked.index in (None, held.index or 0)


def _tokenizer_folder(tokenizer: str | Path) -> Path:
    if not isinstance(tokenizer, (str, Path)):
        raise ValueError(f"tokenizer={shown(tokenizer)}: expected the folder of the tokenizer's files")
    folder = Path(tokenizer).expanduser()
    if not folder.is_dir():
        raise ValueError(f"tokenizer={str(tokenizer)!r} is no folder; give the folder of the tokenizer's files")
    return folder


def _vocabulary(folder: str | Path, family: Family | None, rows: int) -> Vocabulary:
    """The folder's vocabulary, of a family with speech unless another is asked for."""
    vocabulary = Vocabulary.load(folder, family, size=rows)
    if family is None:
        refuse_unnamed_rows(vocabulary, str(folder))
    return vocabulary


def _dtype(dtype: object) -> torch.dtype | None:
    """The dtype asked for, one of those that weights are held in here."""
    named = dtype.removeprefix("torch.") if isinstance(dtype, str) else ""
    found = getattr(torch, named, None) if named else dtype
    if found is None and dtype is None:
        return None
    if isinstance(found, torch.dtype) and found in WEIGHT_KINDS:
        return found
    why = "holds no weights here" if isinstance(found, torch.dtype) else "is unknown"
    raise ValueError(f"dtype {shown(dtype)} {why}; use float32, bfloat16, float16 or float64")


def _check_device(device: object) -> None:
    """Refuse a device that torch does not know, or that this machine has not."""
    if device is None:
        return
    try:
        asked = torch.device(device)  # type: ignore[call-overload]
    except (RuntimeError, TypeError):
        raise ValueError(f"device={shown(device)}: expected 'cpu', 'cuda', 'cuda:1' or another of torch's") from None
    counted = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    there = counted.get(asked.type, 0)
    if (asked.index or 0) >= there:
        known = ", ".join(f"{kind} ({number})" for kind, number in counted.items() if number)
        raise ValueError(f"device={shown(device)}: this machine has none such for torch; it has {known}")
