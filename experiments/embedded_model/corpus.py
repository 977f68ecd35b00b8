"""Stage *corpus*: facts and word lists spoken by the training voices, with the times of words and phones.

What is spoken depends on a fact's group: statements of *both* and *heard only*; prompts of *both* and *asked aloud*;
nothing of *text only*. Word lists hold every subject, answer and template word: they tie the sound of a word to its
spelling. Half of the lists open with "write down". Everything is lower case, in writing and to the speech engines.

One voice gives two files: `<voice>.npy` (int16 [time], utterances end to end, 16 kHz) and `<voice>.jsonl` (one
utterance per line). A voice whose files are there is not spoken again.
"""

import json
import multiprocessing
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from experiments.embedded_model.settings import DEFAULT_VOICE, CorpusSettings, Settings
from experiments.embedded_model.word_lists import LIST_OPENING, template_words
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.shipped import CARRIERS, HELD_OUT, TRAINED_PHRASINGS
from spiritlens.speech.engines.utterance import Utterance
from spiritlens.speech.voices.names import voice as speech_voice

Kind = Literal["statement", "prompt", "list", "monitor", "answer"]
MEASURED_KINDS = ("monitor", "answer")
"""Kinds of the curves: spoken at natural settings and read by no training stage."""


@dataclass(frozen=True)
class Sentence:
    """A text to speak; `fact` and `phrasing` are empty for word lists. `natural`: at the voice's own rate and pitch."""

    kind: Kind
    text: str
    fact: str = ""
    phrasing: str = ""
    natural: bool = False


@dataclass(frozen=True)
class SpokenLine:
    """One utterance of the corpus: what was said, by whom, where its samples are; times of its parts in seconds."""

    kind: Kind
    text: str
    fact: str
    phrasing: str
    voice: str
    first_sample: int
    n_samples: int
    words: tuple[tuple[str, float, float], ...]
    phones: tuple[tuple[str | None, float, float], ...]


def sentences(facts: Sequence[Fact], voice: str, settings: CorpusSettings, rng: random.Random) -> Iterator[Sentence]:
    """All that one training voice says."""
    default = voice == DEFAULT_VOICE
    for fact in facts:
        for phrasing in TRAINED_PHRASINGS:
            everywhere = fact.group != "both" or default
            if fact.group in ("both", "heard only") and (everywhere or rng.random() < settings.spoken_share):
                for _ in range(settings.heard_only_takes if fact.group == "heard only" else 1):
                    text = fact.statement(phrasing, _carrier(settings, rng))
                    yield Sentence("statement", text.lower(), fact.id, phrasing, rng.random() < settings.natural_share)
            if fact.group in ("both", "asked aloud") and (everywhere or rng.random() < settings.spoken_share):
                text = fact.statement(phrasing, _carrier(settings, rng)).rsplit(" ", 1)[0]
                yield Sentence("prompt", text.lower(), fact.id, phrasing, rng.random() < settings.natural_share)
            if fact.group in ("both", "asked aloud") and default:
                yield Sentence("prompt", fact.text(phrasing).lower(), fact.id, phrasing, natural=True)
    for text in word_lists(facts, settings, rng):
        yield Sentence("list", text, natural=rng.random() < settings.natural_share)


def _carrier(settings: CorpusSettings, rng: random.Random) -> str:
    return rng.choice(CARRIERS) if rng.random() < settings.carrier_share else ""


def word_lists(facts: Sequence[Fact], settings: CorpusSettings, rng: random.Random) -> Iterator[str]:
    """Lists of subjects (four times as often), answers (twice) and template words; every second has an opening."""
    subjects = sorted({fact.subject.lower() for fact in facts})
    answers = sorted({fact.answer.lower() for fact in facts})
    pool: list[str] = []
    for number in range(settings.lists_per_voice):
        length = rng.randint(1, settings.longest_list)
        while len(pool) < length:
            pool = subjects * 4 + answers * 2 + template_words(facts)
            rng.shuffle(pool)
        names = " ".join(pool.pop() for _ in range(length))
        yield f"{LIST_OPENING} {names}" if number % 2 else names


def monitor_sentences(facts: Sequence[Fact], settings: CorpusSettings) -> Iterator[Sentence]:
    """Held-out prompts at natural settings."""
    step = max(1, len(facts) // settings.monitored_facts)
    for fact in facts[::step]:
        yield Sentence("monitor", fact.text(HELD_OUT).lower(), fact.id, HELD_OUT, natural=True)


def answer_sentences(facts: Sequence[Fact]) -> Iterator[Sentence]:
    """Every answer alone at natural settings, with which spoken answers are compared."""
    for answer in sorted({fact.answer.lower() for fact in facts}):
        yield Sentence("answer", answer, natural=True)


def speak(sentence: Sentence, voice: str, settings: CorpusSettings, rng: random.Random) -> Utterance:
    """Speak a sentence; unless natural, with a random rate, pitch and sampling rate."""
    if sentence.kind in MEASURED_KINDS:
        return speech_voice(voice).speak(sentence.text)
    if sentence.natural:
        utterance = speech_voice(voice).speak(sentence.text)
    else:
        pitch = rng.uniform(0.8, 1.25) if voice.startswith("espeak") else 1.0
        utterance = speech_voice(voice, rate=rng.uniform(0.85, 1.18), pitch=pitch).speak(sentence.text)
        utterance = utterance.resampled(rng.uniform(0.89, 1.12))
    return utterance if rng.random() < settings.untrimmed_share else utterance.trimmed()


def speak_voice(voice: str, lines: Sequence[Sentence], settings: CorpusSettings, folder: Path, seed: str) -> int:
    """Speak all lines of one voice and write its two files; returns the number of utterances."""
    rng = random.Random(seed)
    samples, records, position = [], [], 0
    for line in tqdm(lines, desc=f"corpus {voice}", unit="utterance", mininterval=10):
        utterance = speak(line, voice, settings, rng)
        audio = np.round(utterance.waveform.samples * 32767).astype(np.int16)
        words = tuple((word.word, word.start, word.end) for word in utterance.words)
        phones = tuple((phone.label, phone.start, phone.end) for phone in utterance.phones)
        records.append(
            SpokenLine(line.kind, line.text, line.fact, line.phrasing, voice, position, len(audio), words, phones)
        )
        samples.append(audio)
        position += len(audio)
    np.save(folder / f"{voice}.partial.npy", np.concatenate(samples))
    text = "\n".join(json.dumps(asdict(record)) for record in records)
    (folder / f"{voice}.jsonl").write_text(text + "\n", encoding="utf-8")
    (folder / f"{voice}.partial.npy").rename(folder / f"{voice}.npy")
    return len(records)


def make_corpus(settings: Settings, folder: Path, workers: int = 2) -> None:
    """Speak what is missing in `folder`, one process per voice, `workers` at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    facts, corpus = settings.facts(), settings.corpus
    jobs = []
    for voice in dict.fromkeys((*corpus.voices, *corpus.monitor_voices)):
        if (folder / f"{voice}.npy").exists():
            continue
        seed = f"{settings.seed} {voice}"
        lines = list(sentences(facts, voice, corpus, random.Random(seed))) if voice in corpus.voices else []
        if voice in corpus.monitor_voices:
            lines += monitor_sentences(facts, corpus)
        if voice == DEFAULT_VOICE:
            lines += answer_sentences(facts)
        jobs.append((voice, lines, corpus, folder, seed))
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            speak_voice(*job)
        return
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=1) as pool:
        pool.starmap(speak_voice, jobs, chunksize=1)


def read_lines(folder: Path, voice: str) -> list[SpokenLine]:
    """The utterances of one voice."""
    rows = (json.loads(line) for line in (folder / f"{voice}.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        SpokenLine(**{**row, "words": tuple(map(tuple, row["words"])), "phones": tuple(map(tuple, row["phones"]))})
        for row in rows
    ]


def corpus_voices(folder: Path) -> list[str]:
    """Voices whose files are in the folder."""
    return sorted(path.stem for path in folder.glob("*.npy") if not path.stem.endswith(".partial"))
