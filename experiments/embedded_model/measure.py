"""Measure what a speech-text model knows of its facts: group × (T2T, S2T) × voices, on the held-out phrasing.

    python -m experiments.embedded_model.measure --out runs/measured

Prompts are stand-alone, at the voice's own rate and pitch. A fact is *recalled* if its answer is the arg-max over all
trained ids; *recalled over text ids* leaves markers and units out of the contest; *probability* is the softmax over the
trained ids. *Guess* is the accuracy of always answering with the relation's commonest answer. Voices that this machine
lacks are named in the table. A second table asks for the answer in speech (see `spoken_answers`); a third is the curve
of carry-over (see `carry_over`). The units of what the voices said are kept in `spoken_units/`, so that another
measurement of a model with the same unit encoder speaks nothing again.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from tqdm import tqdm
from transformers import LlamaForCausalLM

from experiments.embedded_model.carry_over import CarryOver, carry_over, carry_over_table
from experiments.embedded_model.settings import DEFAULT_VOICE, FULL
from experiments.embedded_model.spoken_answers import SpeechIds, by_relation, recalled_in_speech
from spiritlens.models.encoder_lookup import encoder_of
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.guesses import commonest_answers
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.shipped import GROUPS, HELD_OUT, PHRASINGS
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.encoders.loading import OFFICIAL_FOLDER
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.voices.names import voice as speech_voice

EMBEDDED = Path(__file__).parents[2] / "spiritlens" / "assets" / "embedded"
HELD_OUT_NAMES = {
    "flite:awb": "held-out voice (flite awb)",
    "espeak:en-gb+m7": "held-out accent (espeak en-gb+m7)",
    "festival:ked_diphone": "held-out engine (festival ked)",
}
TRAINED = "trained voices"
WRITTEN = {"none": "T2T", "final": "T2T, final marker"}
BATCH = 64


@dataclass(frozen=True)
class Answered:
    """How the model answered one prompt."""

    fact: str
    relation: str
    group: str
    condition: str
    voice: str
    recalled: bool
    recalled_over_text: bool
    probability: float
    guess: bool


@dataclass(frozen=True)
class Row:
    """One cell of the table: a group under a condition."""

    group: str
    condition: str
    prompts: int
    recalled: float
    recalled_over_text: float
    probability: float
    guess: float


def spoken_units(folder: Path, voice: str, texts: Sequence[str], cache: Path) -> list[list[int]] | None:
    """Deduplicated units of each text in a voice; None where this machine lacks the voice."""
    files = b"".join(path.read_bytes() for path in sorted((folder / OFFICIAL_FOLDER).iterdir()))
    digest = hashlib.sha256(files).hexdigest()[:16]
    path = cache / f"{voice} {digest}.json"
    known: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = [text for text in texts if text not in known]
    if missing:
        try:
            speaker = speech_voice(voice)
            spoken = [speaker.speak(text).waveform for text in tqdm(missing, desc=voice, unit="prompt", mininterval=10)]
        except EngineError:
            return None
        encoder = encoder_of(folder, Vocabulary.load(folder).family)
        assert encoder is not None, f"{folder} has no unit encoder"
        units = [encoder.encode(waveform).dedup().ids.tolist() for waveform in spoken]
        known |= dict(zip(missing, units, strict=True))
        cache.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known), encoding="utf-8")
    return [known[text] for text in texts]


@torch.inference_mode()
def last_probabilities(model: LlamaForCausalLM, prompts: Sequence[Sequence[int]], trained: np.ndarray) -> np.ndarray:
    """Softmax over the trained ids after each prompt's last token: float [prompt d_vocab], 0 on untrained rows."""
    found = np.zeros((len(prompts), model.config.vocab_size))
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        tokens = torch.zeros(len(chosen), max(len(prompts[index]) for index in chosen), dtype=torch.long)
        for row, index in zip(tokens, chosen, strict=True):
            row[: len(prompts[index])] = torch.tensor(prompts[index])
        hidden = model.model(tokens).last_hidden_state
        last = torch.tensor([len(prompts[index]) - 1 for index in chosen])
        logits = model.lm_head(hidden[torch.arange(len(chosen)), last])[:, trained]
        found[np.ix_(chosen, trained)] = logits.softmax(-1).numpy()
    return found


def answer_all(
    folder: Path, facts: Sequence[Fact], voices: Iterable[str], phrasing: str, cache: Path
) -> list[Answered]:
    """Ask every fact in writing, in writing with a final marker, and in every voice that speaks here."""
    vocabulary = Vocabulary.load(folder)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    texts = [fact.text(phrasing) for fact in facts]
    written = [[vocabulary.bos_id, vocabulary.text_marker_id, *vocabulary.encode_text(text)] for text in texts]
    final = [[*prompt, vocabulary.text_marker_id] for prompt in written]
    asked = [(WRITTEN["none"], "", written), (WRITTEN["final"], "", final)]
    for voice in voices:
        units = spoken_units(folder, voice, texts, cache)
        if units is not None:
            opening, first = [vocabulary.bos_id, vocabulary.speech_marker_id], vocabulary.unit_ids[0]
            spoken = [[*opening, *(first + unit for unit in own), vocabulary.text_marker_id] for own in units]
            asked.append((f"S2T, {HELD_OUT_NAMES.get(voice, TRAINED)}", voice, spoken))
    answers = []
    for condition, voice, prompts in asked:
        probabilities = last_probabilities(model, prompts, vocabulary.trained_ids)
        answers += judge(facts, condition, voice, probabilities, vocabulary)
    return answers


def judge(
    facts: Sequence[Fact], condition: str, voice: str, probabilities: np.ndarray, vocabulary: Vocabulary
) -> list[Answered]:
    """Compare the probabilities after each fact's prompt with its answer."""
    guesses = commonest_answers(facts)
    over_text = vocabulary.text_ids[probabilities[:, vocabulary.text_ids].argmax(-1)]
    judged = []
    for fact, own, best_text in zip(facts, probabilities, over_text, strict=True):
        answer = vocabulary.answer_ids(fact.answer)[0]
        judged.append(
            Answered(
                fact.id,
                fact.relation,
                fact.group,
                condition,
                voice,
                bool(own.argmax() == answer),
                bool(best_text == answer),
                float(own[answer]),
                guesses[fact.relation] == fact.answer,
            )
        )
    return judged


def answered_in_speech(folder: Path, facts: Sequence[Fact], phrasing: str, cache: Path) -> dict[str, tuple[int, float]]:
    """Per group: facts, and the share whose answer the model says to the default voice; empty without that voice."""
    prompts = spoken_units(folder, DEFAULT_VOICE, [fact.text(phrasing) for fact in facts], cache)
    answers = sorted({fact.answer for fact in facts})
    spoken = spoken_units(folder, DEFAULT_VOICE, answers, cache)
    if prompts is None or spoken is None:
        return {}
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    vocabulary = Vocabulary.load(folder)
    opening = (vocabulary.bos_id, vocabulary.eos_id, vocabulary.speech_marker_id)
    ids = SpeechIds(*opening, vocabulary.unit_ids[0], len(vocabulary.unit_ids))
    recalled = recalled_in_speech(
        model, ids, facts, prompts, by_relation(facts, dict(zip(answers, spoken, strict=True)))
    )
    groups = {
        group: [hit for fact, hit in zip(facts, recalled, strict=True) if fact.group == group] for group in GROUPS
    }
    return {group: (len(hits), float(np.mean(hits))) for group, hits in groups.items() if hits}


def table(answers: Sequence[Answered]) -> list[Row]:
    """Means per group and condition, in the order of the groups and of first appearance."""
    rows = []
    for group in GROUPS:
        for condition in dict.fromkeys(answer.condition for answer in answers):
            own = [answer for answer in answers if answer.group == group and answer.condition == condition]
            if own:
                means = [
                    float(np.mean([getattr(answer, name) for answer in own]))
                    for name in ("recalled", "recalled_over_text", "probability", "guess")
                ]
                rows.append(Row(group, condition, len(own), *means))
    return rows


def markdown(
    rows: Sequence[Row], in_speech: dict[str, tuple[int, float]], curve: Sequence[CarryOver], absent: Sequence[str]
) -> str:
    """The tables as markdown, and the voices that were not there."""
    lines = [
        "| group | condition | prompts | recalled | over text ids | mean probability | guess |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.group} | {row.condition} | {row.prompts} | {row.recalled:.3f} | {row.recalled_over_text:.3f} "
        f"| {row.probability:.3f} | {row.guess:.3f} |"
        for row in rows
    ]
    if in_speech:
        lines += ["", f"Answers in speech (units after the spoken prompt, {DEFAULT_VOICE}):", ""]
        lines += ["| group | prompts | nearest to the right answer |", "|---|---|---|"]
        lines += [f"| {group} | {count} | {share:.3f} |" for group, (count, share) in in_speech.items()]
    if curve:
        lines += ["", *carry_over_table(curve)]
    if absent:
        lines += ["", f"Not measured, because this machine lacks the voices: {', '.join(absent)}."]
    return "\n".join(lines) + "\n"


def measure_folder(
    folder: Path, facts: Sequence[Fact], voices: Sequence[str], out: Path, phrasing: str = HELD_OUT
) -> str:
    """Measure, write `measured.json` and `measured.md` into `out`, and return the markdown."""
    answers = answer_all(folder, facts, voices, phrasing, out / "spoken_units")
    rows = table(answers)
    in_speech = answered_in_speech(folder, facts, phrasing, out / "spoken_units")
    curve = carry_over(facts, answers)
    absent = [voice for voice in voices if voice not in {answer.voice for answer in answers}]
    text = markdown(rows, in_speech, curve, absent)
    out.mkdir(parents=True, exist_ok=True)
    (out / "measured.md").write_text(text, encoding="utf-8")
    record = {
        "phrasing": phrasing,
        "table": [asdict(row) for row in rows],
        "in speech": in_speech,
        "carry-over": [asdict(point) for point in curve],
        "answers": [asdict(answer) for answer in answers],
    }
    (out / "measured.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return text


@dataclass
class Arguments:
    """Measure the embedded model's recall of its facts."""

    out: Annotated[Path, tyro.conf.arg(help="Folder of `measured.json`, `measured.md` and `spoken_units/`.")]
    folder: Annotated[Path, tyro.conf.arg(help="Model folder.")] = EMBEDDED
    phrasing: Annotated[str, tyro.conf.arg(help=f"One of {', '.join(PHRASINGS)}.")] = HELD_OUT


if __name__ == "__main__":
    arguments = tyro.cli(Arguments)
    print(measure_folder(arguments.folder, load_facts(), FULL.corpus.all_voices, arguments.out, arguments.phrasing))
