"""The lens: a speech-text model, its vocabulary and its ears in one value. `spiritlens.models.loading` makes it.

    text = lens.text("The capital of France is", subject="France", answer="Paris")
    spoken = lens.speak("The capital of France is", subject="France", answer="Paris")

``lens.model`` is a TransformerLens `HookedTransformer` with raw weights, free for any use; ``lens.backend`` is what
the toolkit itself goes through (`spiritlens.models.protocol.LensModel`). Prompts are plain values
that know nothing of a lens.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformer_lens import HookedTransformer

from spiritlens.arguments import number, shown, told_keywords, written
from spiritlens.environment import plain_torch
from spiritlens.models.encoder_lookup import encode_streams
from spiritlens.models.hooked_transformer.conversion import attach_tokenizer
from spiritlens.models.hooked_transformer.fingerprint import fingerprint, user_hooks
from spiritlens.models.hooked_transformer.generation import AnswerModality, continue_prompt
from spiritlens.models.hooked_transformer.hooked import HookedLensModel
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.building import build
from spiritlens.prompts.building.build import FinalMarker, Origin, Question, Segment
from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.building.streams import check_unit_rate
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.families import Family
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.audio.waveform import AudioSource, Waveform, read_waveform
from spiritlens.speech.encoders.protocol import SpeechEncoder
from spiritlens.speech.units import UnitStream
from spiritlens.speech.word_files.choice import Missing, WordChoice
from spiritlens.speech.word_files.sources import WordsSource, chosen_words
from spiritlens.speech.words import WordInterval

if TYPE_CHECKING:
    from spiritlens.speech.engines.utterance import Utterance, Voice


@dataclass(frozen=True, eq=False)
class Lens:
    """A speech-text model ready to be looked into.

    ``folder`` is where its checkpoint lies, where there is one. ``memory_budget`` is how many bytes of activations the
    methods may keep at once (None: a share of what is free); ``dataclasses.replace(lens, memory_budget=…)`` sets it.
    """

    model: HookedTransformer
    vocabulary: Vocabulary
    encoder: SpeechEncoder | None = None
    name: str = ""
    folder: Path | None = None
    memory_budget: int | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.model, "hook_dict") or not isinstance(self.vocabulary, Vocabulary):
            raise ValueError(
                f"Lens({shown(self.model, 40)}, {shown(self.vocabulary, 40)}): expected a HookedTransformer and its "
                "Vocabulary; spiritlens.load(...) makes both from a checkpoint"
            )
        rows = self.model.cfg.d_vocab
        if self.vocabulary.size != rows:
            raise ValueError(
                f"the vocabulary counts {self.vocabulary.size} rows, the model embeds {rows}: use those of one "
                "checkpoint"
            )
        if self.model.tokenizer is not self.vocabulary.tokenizer:
            attach_tokenizer(self.model, self.vocabulary.tokenizer)

    @cached_property
    def backend(self) -> LensModel:
        """The model through the toolkit's protocol."""
        return HookedLensModel(self.model)

    @property
    def family(self) -> Family:
        """How the model writes speech into its vocabulary."""
        return self.vocabulary.family

    @property
    def id(self) -> str:
        """A hash of settings and weights as they are now, as it is written into results; taken anew each time."""
        return fingerprint(self.model)

    @property
    def hooks(self) -> tuple[str, ...]:
        """Hooks of your own that the model carries now, by place and function; results name them."""
        return user_hooks(self.model)

    @property
    def n_layers(self) -> int:
        return self.backend.n_layers

    @property
    def n_heads(self) -> int:
        return self.backend.n_heads

    @property
    def device(self) -> torch.device:
        return self.backend.device

    @property
    def dtype(self) -> torch.dtype:
        return self.backend.dtype

    # Prompts

    @told_keywords
    def text(
        self,
        text: str,
        subject: str,
        answer: str,
        foil: str | None = None,
        *,
        marker: FinalMarker = "none",
        occurrence: int | None = None,
        examples: Sequence[tuple[Segment, str]] = (),
        fact_id: str = "",
        relation: str = "",
        phrasing: str = "",
        voice: str = "",
        group: str = "",
        audio: str = "",
    ) -> Prompt:
        """A written prompt (T2T); ``marker="final"`` ends it with the text marker that a spoken one ends with.

        ``occurrence`` says which one is meant, from 0, where the subject occurs several times; ``examples`` are solved
        (segment, answer) pairs that stand before; the others say where the prompt comes from.
        """
        question = Question(subject, answer, foil, occurrence, examples)
        origin = Origin(fact_id, relation, phrasing, voice, group, audio)
        return build.build_prompt(self.vocabulary, [TextSegment(text)], question, origin, marker)

    @told_keywords
    @plain_torch
    def speak(
        self,
        text: str,
        subject: str,
        answer: str,
        foil: str | None = None,
        *,
        voice: "str | Voice | None" = None,
        rate: float = 1.0,
        pitch: float = 1.0,
        occurrence: int | None = None,
        examples: Sequence[tuple[Segment, str]] = (),
        fact_id: str = "",
        relation: str = "",
        phrasing: str = "",
        group: str = "",
        audio: str = "",
    ) -> Prompt:
        """The text spoken by a synthetic voice (the default one, a name, or a `Voice`) as a spoken prompt (S2T).

        Where the voice's engine is not installed, a text that ships with the package is taken from there.
        """
        written("text", text)
        rate, pitch = number("rate", rate, above=0, below=math.inf), number("pitch", pitch, above=0, below=math.inf)
        if voice is not None and not isinstance(voice, str) and not callable(getattr(voice, "speak", None)):
            raise ValueError(
                f"voice={shown(voice)}: expected a voice's name (`spiritlens voices` lists them) or a Voice"
            )
        question = Question(subject, answer, foil, occurrence, examples)
        origin = Origin(fact_id, relation, phrasing, "", group, audio)
        self._can_ask(question)
        utterance = _spoken(text, voice, rate, pitch)
        origin = replace(origin, voice=utterance.voice)
        return self._encoded(utterance.waveform, utterance.words, question, origin, utterance.text)

    @told_keywords
    @plain_torch
    def audio(
        self,
        source: AudioSource,
        subject: str,
        answer: str,
        foil: str | None = None,
        *,
        words: WordsSource | None = None,
        text: str | None = None,
        tier: str | None = None,
        speaker: str | Sequence[str] | None = None,
        channel: str | int | None = None,
        recording: str | None = None,
        missing: Missing = "refuse",
        occurrence: int | None = None,
        examples: Sequence[tuple[Segment, str]] = (),
        fact_id: str = "",
        relation: str = "",
        phrasing: str = "",
        voice: str = "",
        group: str = "",
        audio: str = "",
    ) -> Prompt:
        """Recorded speech as a prompt: whatever `read_waveform` takes, or a `Waveform` as it is, with its words.

        ``words`` are intervals or (word, start, end) in seconds, or a file of them in any format of `read_words`, of
        which ``tier``, ``speaker``, ``channel``, ``recording`` and ``missing`` choose as there; with ``text`` alone
        the words are found in the audio by forced alignment (needs the ``align`` extra).
        """
        choice = WordChoice(tier, speaker, channel, recording, missing)
        if (words is None) == (text is None):
            given = "both" if words is not None else "neither"
            raise ValueError(f"audio needs either words= (with their times) or text= (to be aligned); {given} is given")
        if text is not None:
            written("text", text)
        question = Question(subject, answer, foil, occurrence, examples)
        origin = Origin(fact_id, relation, phrasing, voice, group, audio)
        self._can_ask(question)
        waveform = source if isinstance(source, Waveform) else read_waveform(source)
        found = _words(waveform, words, text, choice)
        return self._encoded(waveform, found, question, origin, text or "")

    @told_keywords
    def prompt(
        self,
        segments: Sequence[Segment],
        subject: str,
        answer: str,
        foil: str | None = None,
        *,
        marker: FinalMarker = "none",
        occurrence: int | None = None,
        examples: Sequence[tuple[Segment, str]] = (),
        fact_id: str = "",
        relation: str = "",
        phrasing: str = "",
        voice: str = "",
        group: str = "",
        audio: str = "",
    ) -> Prompt:
        """A prompt of text and speech segments (`TextSegment`, `SpeechSegment`) in order."""
        question = Question(subject, answer, foil, occurrence, examples)
        origin = Origin(fact_id, relation, phrasing, voice, group, audio)
        return build.build_prompt(self.vocabulary, segments, question, origin, marker)

    @plain_torch
    def encode(self, source: AudioSource) -> UnitStream:
        """The units of audio as the model reads them: deduplicated where its family is."""
        waveform = source if isinstance(source, Waveform) else read_waveform(source)
        units = self.required_encoder().encode(waveform)
        check_unit_rate(self.family, "unit", units.rate)
        return units.dedup() if self.family.deduplicate else units

    # Answers

    @told_keywords
    def generate(
        self,
        prompt: Prompt | str,
        max_new_tokens: int = 20,
        modality: AnswerModality = "text",
        temperature: float = 0.0,
    ) -> str:
        """The model's continuation in one modality; the likeliest one at temperature 0 (see `generation`)."""
        from spiritlens.models.given import given_prompt

        if isinstance(prompt, Prompt):
            given_prompt(self, prompt)
        return continue_prompt(self.model, self.vocabulary, prompt, max_new_tokens, modality, temperature)

    def required_encoder(self) -> SpeechEncoder:
        """The speech encoder; where the lens has none, an error that says what to do."""
        if self.encoder is None:
            raise ValueError(
                f"{self!r} has no speech encoder, so that it cannot hear; put the encoder's files into the "
                "checkpoint's folder, pass encoder= to load, or give units by prompt([SpeechSegment(units, words)])"
            )
        return self.encoder

    def _can_ask(self, question: Question) -> None:
        """Before anything is spoken or read: the lens hears, and its vocabulary has the answer and the foil."""
        self.required_encoder()
        build.answers(self.vocabulary, question)

    def _encoded(
        self, waveform: Waveform, words: Sequence[WordInterval], question: Question, origin: Origin, text: str
    ) -> Prompt:
        streams = encode_streams(self.required_encoder(), self.family, waveform)
        segment = SpeechSegment(streams.pop("unit"), words, waveform, streams, text=text)
        prompt = build.build_prompt(self.vocabulary, [segment], question, origin)
        return replace(
            prompt, encoder=(str(getattr(self.required_encoder(), "digest", "")) or self.required_encoder().name)[:16]
        )

    def __repr__(self) -> str:
        backend = self.backend
        kind = str(self.dtype).removeprefix("torch.")
        return (
            f"Lens({self.name or 'unnamed'}: family {self.family.name}, {backend.n_layers} layers × {backend.n_heads} "
            f"heads, d_model {backend.d_model}, {backend.d_vocab} rows, {kind} on {self.device})"
        )


def _spoken(text: str, voice: "str | Voice | None", rate: float, pitch: float) -> "Utterance":
    """The utterance of a voice, through the cache where the voice is a name, or the shipped one without its engine."""
    from spiritlens.speech.voices.cached import CachedVoice
    from spiritlens.speech.voices.names import DEFAULT_VOICE, EngineError
    from spiritlens.speech.voices.names import voice as find_voice
    from spiritlens.speech.voices.shared_words import split_shared_words
    from spiritlens.speech.voices.shipped import shipped_texts, shipped_utterance

    named = voice if voice is not None else DEFAULT_VOICE
    try:
        speaker = CachedVoice(find_voice(named)) if isinstance(named, str) else named
        utterance = speaker.speak(text, rate=rate, pitch=pitch)
    except EngineError as error:
        name = named if isinstance(named, str) else named.name
        shipped = shipped_utterance(text, name) if rate == pitch == 1 else None
        if shipped is None:
            texts = "; ".join(shipped_texts(name)) or "none"
            raise EngineError(f"{error} Shipped in this voice: {texts}.") from error
        return shipped
    with suppress(ValueError):  # words that cannot be told apart stay together; a subject among them is refused
        utterance = split_shared_words(utterance, speaker)
    return utterance


def _words(
    waveform: Waveform, words: WordsSource | None, text: str | None, choice: WordChoice
) -> Sequence[WordInterval]:
    if text is not None:
        if choice.given:
            raise ValueError(f"{' and '.join(choice.given)} choose among given words=; with text= leave them out")
        from spiritlens.speech.alignment.forced import align

        return align(waveform, text)
    return chosen_words(words if words is not None else (), choice, waveform.duration)
