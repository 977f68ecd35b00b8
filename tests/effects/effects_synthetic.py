"""Synthetic effects datasets with a known answer: a bump over layers at the subject, a late one at the end."""

from typing import Any

import numpy as np
import xarray as xr
from made_datasets import made_effects

from spiritlens.effects.schema import Status
from spiritlens.terms import ROLES

ANSWERS = ("paris", "rome", "oslo", "lima", "cairo", "tokyo", "delhi", "quito")
SUBJECTS = ("france", "italy", "norway", "peru", "egypt", "japan", "india", "ecuador")


def bump(n_layers: int, peak: float, width: float = 1.5) -> np.ndarray:
    """Gaussian bump over layers [layer], height 1."""
    return np.exp(-0.5 * ((np.arange(n_layers) - peak) / width) ** 2)


def role_profile(n_layers: int, peak: float) -> np.ndarray:
    """[role layer]: the subject recalls around `peak`, the last word and the final marker read it out late."""
    profile = np.zeros((len(ROLES), n_layers))
    profile[ROLES.index("subject")] = bump(n_layers, peak)
    profile[ROLES.index("after subject")] = 0.3 * bump(n_layers, peak + 1)
    profile[ROLES.index("last word")] = 0.8 * bump(n_layers, n_layers - 1.0)
    profile[ROLES.index("final marker")] = 0.4 * bump(n_layers, n_layers - 1.0)
    return profile


def role_effects(
    n_facts: int = 8,
    n_layers: int = 8,
    samples: int = 2,
    seed: int = 0,
    peaks: dict[str, float] | None = None,
    noise: float = 0.02,
    components: tuple[str, ...] = ("resid_pre", "mlp_out"),
    phrasings: int = 1,
    **attributes: Any,
) -> xr.Dataset:
    """at="role": T2T and S2T prompt of each fact; the planted subject peak of each modality is `peaks[modality]`."""
    rng = np.random.default_rng(seed)
    peaks = peaks or {"T2T": 2.0, "S2T": 2.0}
    rows = [(fact, kind, phrase) for fact in range(n_facts) for kind in peaks for phrase in range(phrasings)]
    n = len(rows)
    clean = np.stack([rng.uniform(0.8, 0.95, n), rng.uniform(8, 9, n)], axis=1)
    corrupted = np.stack([rng.uniform(0.05, 0.15, (n, samples)), rng.uniform(1, 2, (n, samples))], axis=2)
    total = clean[:, None, :] - corrupted
    fact_gain = rng.normal(1, 0.1, n_facts)
    shape = np.stack(
        [role_profile(n_layers, peaks[kind]) * fact_gain[fact] for fact, kind, _ in rows]
    )  # [prompt role layer]
    share = 0.9 * np.stack([shape] * len(components), axis=1).swapaxes(2, 3)  # [prompt component layer role]
    noise_term = rng.normal(0, noise, (*share.shape, samples))
    restored = corrupted[:, None, None, None] + (share[..., None] + noise_term)[..., None] * total[:, None, None, None]
    status = np.zeros(share.shape, dtype=np.int8)
    n_tokens = np.tile(np.array([1, 1, 2, 3, 2, 1, 1]), (n, 1))
    for index, (_, kind, _) in enumerate(rows):
        for role in ("modality marker", "final marker") if kind == "T2T" else ():
            status[index, :, :, ROLES.index(role)] = Status.ABSENT
            restored[index, :, :, ROLES.index(role)] = np.nan
            n_tokens[index, ROLES.index(role)] = 0
        for role in ("bos", "before subject"):
            status[index, :, :, ROLES.index(role)] = Status.EXACT
            restored[index, :, :, ROLES.index(role)] = corrupted[index]
    return made_effects(
        clean=clean,
        corrupted=corrupted,
        restored=restored,
        status=status,
        noise_floor=np.full(clean.shape, 1e-9),
        components=components,
        layers=range(n_layers),
        metrics={"probability": 1, "logit": 1},
        prompts=prompt_columns(rows),
        sites={"role": ROLES, "n_tokens": n_tokens},
        at="role",
        attributes={
            "window": 3,
            "noise_scale_text": 0.3,
            "noise_scale_speech": 0.4,
            "noise_law": "gaussian",
            **attributes,
        },
    )


def prompt_columns(rows: list[tuple[int, str, int]]) -> dict[str, list[Any]]:
    """Per-prompt coordinates for rows of (fact, modality, phrasing)."""
    return {
        "prompt_id": [f"{fact}-{kind}-{phrase}" for fact, kind, phrase in rows],
        "fact_id": [f"capital/{fact}" for fact, _, _ in rows],
        "relation": ["capital" if fact % 2 else "city" for fact, _, _ in rows],
        "modality": [kind for _, kind, _ in rows],
        "phrasing": [str(phrase) for _, _, phrase in rows],
        "voice": ["espeak:en-us" if kind == "S2T" else "" for _, kind, _ in rows],
        "group": ["both" for _ in rows],
        "subject": [SUBJECTS[fact % len(SUBJECTS)] + (str(fact // 8) if fact >= 8 else "") for fact, _, _ in rows],
        "answer": [ANSWERS[fact % len(ANSWERS)] for fact, _, _ in rows],
        "known": [1] * len(rows),
    }


TEXT_TOKENS = (
    # token, family, modality, role, part, word, word_index, start, end
    ("<s>", "bos", "none", "bos", "none", "", -1, np.nan, np.nan),
    ("the", "text", "text", "before subject", "none", "the", 0, np.nan, np.nan),
    ("capital", "text", "text", "before subject", "none", "capital", 1, np.nan, np.nan),
    ("of", "text", "text", "before subject", "none", "of", 2, np.nan, np.nan),
    ("fr", "text", "text", "subject", "first", "france", 3, np.nan, np.nan),
    ("an", "text", "text", "subject", "middle", "france", 3, np.nan, np.nan),
    ("ce", "text", "text", "subject", "last", "france", 3, np.nan, np.nan),
    ("is", "text", "text", "last word", "none", "is", 4, np.nan, np.nan),
)
SPEECH_TOKENS = (
    ("<s>", "bos", "none", "bos", "none", "", -1, np.nan, np.nan),
    ("[Speech]", "marker", "none", "modality marker", "none", "", -1, np.nan, np.nan),
    ("[Hu3]", "unit", "speech", "before subject", "none", "the", 0, 0.0, 0.12),
    ("[Hu7]", "unit", "speech", "before subject", "none", "capital", 1, 0.12, 0.44),
    ("[Hu9]", "unit", "speech", "before subject", "none", "of", 2, 0.44, 0.56),
    ("[Hu1]", "unit", "speech", "subject", "first", "france", 3, 0.56, 0.72),
    ("[Hu4]", "unit", "speech", "subject", "middle", "france", 3, 0.72, 0.80),
    ("[Hu2]", "unit", "speech", "subject", "last", "france", 3, 0.80, 1.0),
    ("[Hu5]", "unit", "speech", "last word", "none", "is", 4, 1.0, 1.16),
    ("[Text]", "marker", "none", "final marker", "none", "", -1, np.nan, np.nan),
)


def token_effects(
    n_facts: int = 3, n_layers: int = 6, samples: int = 2, seed: int = 0, **attributes: Any
) -> xr.Dataset:
    """at="token": one T2T and one S2T prompt of each fact, padded to the longer one."""
    rng = np.random.default_rng(seed)
    rows = [(fact, kind, 0) for fact in range(n_facts) for kind in ("T2T", "S2T")]
    n, length = len(rows), len(SPEECH_TOKENS)
    tokens = [TEXT_TOKENS if kind == "T2T" else SPEECH_TOKENS for _, kind, _ in rows]
    clean, corrupted = np.full((n, 1), 0.9), rng.uniform(0.05, 0.15, (n, samples, 1))
    restored = np.full((n, 1, n_layers, length, samples, 1), np.nan)
    status = np.full(restored.shape[:4], Status.ABSENT, dtype=np.int8)
    for index, line in enumerate(tokens):
        subject_end = max(place for place, token in enumerate(line) if token[3] == "subject")
        subject_start = min(place for place, token in enumerate(line) if token[3] == "subject")
        for place in range(len(line)):
            exact = place < subject_start
            status[index, 0, :, place] = Status.EXACT if exact else Status.MEASURED
            peak = 2.0 if place <= subject_end else n_layers - 1.0
            height = 0.0 if exact else 0.9 if place == subject_end or place == len(line) - 1 else -0.1
            share = height * bump(n_layers, peak)[:, None, None]
            restored[index, 0, :, place] = corrupted[index] + share * (clean[index] - corrupted[index])
    fields = ("token", "token_family", "token_modality", "role", "part", "word", "word_index", "start", "end")
    padding = ("", "", "none", "", "none", "", -1, np.nan, np.nan)
    padded = [[*line, *[padding] * (length - len(line))] for line in tokens]
    return made_effects(
        clean=clean,
        corrupted=corrupted,
        restored=restored,
        status=status,
        noise_floor=np.full((n, 1), 1e-9),
        components=("resid_pre",),
        layers=range(n_layers),
        metrics={"probability": 1},
        prompts=prompt_columns(rows),
        sites={name: [[token[place] for token in line] for line in padded] for place, name in enumerate(fields)},
        at="token",
        attributes=attributes,
    )
