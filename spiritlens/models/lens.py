"""The lens: a speech-text model, its vocabulary and its speech encoder in one value. `spiritlens.models.loading`
makes it from files, `Lens.of` from a model of TransformerLens's and its tokenizer.

    text = lens.text("The capital of France is", subject="France", answer="Paris")
    spoken = lens.speak("The capital of France is", subject="France", answer="Paris")

``lens.model`` is a TransformerLens `HookedTransformer` or `TransformerBridge` with raw weights, free for any use;
``lens.backend`` is what the toolkit itself goes through (`spiritlens.models.protocol.LensModel`). Prompts are plain
values that know nothing of a lens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from spiritlens.arguments import check_choice, listed, shown, told_keywords, whole, written
from spiritlens.environment import plain_torch
from spiritlens.models.backends import backend_of
from spiritlens.models.encoder_lookup import encode_streams, encoder_remedy
from spiritlens.models.protocol import LensModel
from spiritlens.models.speaking import aligned, spoken
from spiritlens.prompts.building.build import FinalMarker, answers, build_prompt
from spiritlens.prompts.building.given_units import UnitSource, UnitSubject, given_units, unit_segment
from spiritlens.prompts.building.question import Question, Transcript
from spiritlens.prompts.building.segments import Segment, SpeechSegment, TextSegment
from spiritlens.prompts.building.streams import check_unit_rate
from spiritlens.prompts.given import prompt_of
from spiritlens.prompts.knowing import EXACT, Knowing, given_knowing
from spiritlens.prompts.origin import Origin, given_origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.prompts.vocabulary.given_tokenizer import vocabulary_of
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.audio.waveform import AudioSource, Waveform, read_waveform
from spiritlens.speech.encoders.protocol import SpeechEncoder, identity
from spiritlens.speech.units import UnitStream
from spiritlens.speech.word_files.sources import WordsSource, read_words
from spiritlens.speech.words import WordInterval
from spiritlens.terms import AnswerModality

if TYPE_CHECKING:
    from spiritlens.speech.engines.utterance import Voice


@dataclass(frozen=True, eq=False)
class Lens:
    """A speech-text model ready to be looked into.

    ``folder`` is where its checkpoint lies, where there is one. ``memory_budget`` is how many bytes of activations the
    methods may keep at once (None: a share of the machine's memory), ``knowing`` the rule by which results say whether
    a fact is known (`spiritlens.prompts.knowing`), ``transcript`` how spoken prompts are built where the call does not
    say it: ``forced`` for models that write one first. ``processes`` is how many prompts are measured at once on a CPU,
    each in a forked process of one thread (`spiritlens.runs.side_by_side`; None: as many as torch has threads in a
    study, else one). ``dataclasses.replace(lens, memory_budget=…)`` sets one of them.
    """

    model: nn.Module
    vocabulary: Vocabulary
    encoder: SpeechEncoder | None = None
    name: str = ""
    folder: Path | None = None
    memory_budget: int | None = None
    knowing: Knowing = EXACT
    transcript: Transcript = "none"
    processes: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.vocabulary, Vocabulary):
            raise ValueError(
                f"vocabulary={shown(self.vocabulary, 40)}: expected the model's Vocabulary; spiritlens.load(...) makes "
                "both from a checkpoint"
            )
        given_knowing(self.knowing)
        if self.processes is not None:
            whole("processes", self.processes, at_least=1)
        check_choice("transcript", self.transcript, Transcript)
        rows = self.backend.d_vocab
        if self.vocabulary.size != rows:
            raise ValueError(
                f"the vocabulary counts {self.vocabulary.size} rows, the model embeds {rows}: use those of one "
                "checkpoint"
            )
        if getattr(self.model, "tokenizer", None) is not self.vocabulary.tokenizer:
            backend_of(self.model).attach_tokenizer(self.model, self.vocabulary.tokenizer)

    @classmethod
    @told_keywords
    def of(
        cls,
        model: nn.Module,
        tokenizer: Any,
        *,
        family: Family | None = None,
        encoder: SpeechEncoder | None = None,
        name: str = "",
    ) -> "Lens":
        """A lens on a `HookedTransformer` or a `TransformerBridge` that is there already, with its fast tokenizer.

        The family is known by the tokenizer's strings (text only where there are no units) unless given. Which models
        and weights are taken: `accepting` in the backend's folder of `spiritlens.models`. The model is shared and gets
        the tokenizer; nothing else in it is changed.
        """
        row = backend_of(model)
        vocabulary = vocabulary_of(tokenizer, family, row.opened(row.accepted(model)).d_vocab)
        own = str(getattr(getattr(model, "cfg", None), "model_name", "") or "")
        return cls(model, vocabulary, encoder, name or ("" if own == "custom" else own))

    @cached_property
    def backend(self) -> LensModel:
        """The model through the toolkit's protocol."""
        return backend_of(self.model).opened(self.model)

    @property
    def family(self) -> Family:
        """How the model writes speech into its vocabulary."""
        return self.vocabulary.family

    @property
    def id(self) -> str:
        """A hash of settings and weights as they are now, as it is written into results; taken anew each time."""
        return backend_of(self.model).fingerprint(self.model)

    @property
    def hooks(self) -> tuple[str, ...]:
        """Hooks of your own that the model carries now, by place and function; results name them."""
        return backend_of(self.model).user_hooks(self.model)

    @property
    def n_layers(self) -> int:
        """Blocks of the model."""
        return self.backend.n_layers

    @property
    def n_heads(self) -> int:
        """Query heads of a layer."""
        return self.backend.n_heads

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.backend.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights."""
        return self.backend.dtype

    # Prompts

    @told_keywords
    def text(
        self,
        text: str,
        subject: str | None = None,
        answer: str | None = None,
        foil: str | None = None,
        *,
        marker: FinalMarker = "none",
        occurrence: int | None = None,
        examples: Sequence[tuple[Segment, str]] = (),
        origin: Origin = Origin(),
    ) -> Prompt:
        """A written prompt (T2T); ``marker="final"`` ends it with the text marker that a spoken one ends with.

        Methods that corrupt need a subject, those that score an answer; lenses and attention need neither.
        ``occurrence`` says which one is meant, from 0, where the subject occurs several times; ``examples`` are solved
        (segment, answer) pairs that stand before; ``origin`` says where the prompt comes from.
        """
        question = Question(subject, answer, foil, occurrence, examples)
        return build_prompt(self.vocabulary, [TextSegment(text)], question, origin, marker)

    @told_keywords
    @plain_torch
    def speak(
        self,
        text: str,
        subject: str | None = None,
        answer: str | None = None,
        foil: str | None = None,
        *,
        voice: "str | Voice | None" = None,
        transcript: Transcript | None = None,
        occurrence: int | None = None,
        examples: Sequence[tuple[Segment, str]] = (),
        origin: Origin = Origin(),
    ) -> Prompt:
        """The text spoken by a synthetic voice (the default one, a name, or a `Voice`) as a spoken prompt (S2T).

        ``voice=sl.speech.voice(name, rate=1.2, pitch=0.9)`` speaks faster and lower; any object with a `Voice`'s parts
        speaks. ``transcript="forced"`` writes the text after the speech, for models that write one before they answer.

        Where the voice's engine is not installed, a text that ships with the package is taken from there.
        """
        written("text", text)
        if voice is not None and not isinstance(voice, str) and not callable(getattr(voice, "speak", None)):
            raise ValueError(
                f"voice={shown(voice)}: expected a voice's name (`spiritlens voices` lists them) or a Voice"
            )
        question = Question(subject, answer, foil, occurrence, examples, transcript or self.transcript)
        self._can_ask(question)
        origin, utterance = given_origin(origin), spoken(text, voice)
        origin = replace(origin, voice=utterance.voice)
        return self._encoded(utterance.waveform, utterance.words, question, origin, utterance.text)

    @told_keywords
    @plain_torch
    def audio(
        self,
        source: AudioSource,
        subject: str | None = None,
        answer: str | None = None,
        foil: str | None = None,
        *,
        words: WordsSource | None = None,
        text: str | None = None,
        occurrence: int | None = None,
        examples: Sequence[tuple[Segment, str]] = (),
        origin: Origin = Origin(),
    ) -> Prompt:
        """Recorded speech as a prompt: whatever `read_waveform` takes, or a `Waveform` as it is, with its words.

        ``words`` are intervals or (word, start, end) in seconds, or a file of them in any format of `read_words`, which
        chooses among several tiers, speakers, channels or recordings: ``words=sl.speech.read_words(path, tier=…)``.
        With ``text`` alone the words are found in the audio by forced alignment (needs the ``align`` extra); with both,
        a subject is found in the text where these are its words ("Apollo 11": Apollo eleven).
        """
        if words is None and text is None:
            raise ValueError("audio needs words= (with their times) or text= (to be aligned); neither is given")
        if text is not None:
            written("text", text)
        question = Question(subject, answer, foil, occurrence, examples, self.transcript)
        self._can_ask(question)
        origin = given_origin(origin)
        waveform = source if isinstance(source, Waveform) else read_waveform(source)
        found = aligned(waveform, text or "") if words is None else read_words(words, duration=waveform.duration)
        return self._encoded(waveform, found, question, origin, text or "")

    @told_keywords
    @plain_torch
    def units(
        self,
        units: UnitSource,
        subject: UnitSubject | None = None,
        answer: str | None = None,
        foil: str | None = None,
        *,
        words: WordsSource | None = None,
        text: str = "",
        transcript: Transcript | None = None,
        occurrence: int | None = None,
        origin: Origin = Origin(),
    ) -> Prompt:
        """Units that an encoder made elsewhere as a spoken prompt: a string of them, numbers, or a `UnitStream`.

        The subject is words of ``words`` (as `audio` takes them, in seconds of the units' times), or a span of the
        units, ``(first, past the last)`` or ``(name, first, past the last)``. Numbers and strings have times where the
        family merges no runs, or where runs are still there; merged ones have none, and so have the prompt's tokens
        (`spiritlens.prompts.building.given_units`). ``text`` is what was said, for a transcript that is forced.
        """
        given = given_units(self.vocabulary, units)
        found = () if words is None else read_words(words, duration=float(given.stream.ends[-1]))
        segment, name = unit_segment(given, subject, found, text)
        question = Question(name, answer, foil, occurrence, transcript=transcript or self.transcript)
        return given.dated(build_prompt(self.vocabulary, [segment], question, origin))

    @told_keywords
    def prompt(
        self,
        segments: Sequence[Segment],
        subject: str | None = None,
        answer: str | None = None,
        foil: str | None = None,
        *,
        marker: FinalMarker = "none",
        transcript: Transcript | None = None,
        occurrence: int | None = None,
        examples: Sequence[tuple[Segment, str]] = (),
        origin: Origin = Origin(),
    ) -> Prompt:
        """A prompt of segments (`TextSegment`, `SpeechSegment`) in order; ``transcript`` as in `speak`."""
        segments = listed("segments", segments, of=(TextSegment, SpeechSegment))
        heard = any(isinstance(segment, SpeechSegment) for segment in segments)
        forced = transcript or (self.transcript if heard else "none")
        question = Question(subject, answer, foil, occurrence, examples, forced)
        return build_prompt(self.vocabulary, segments, question, origin, marker)

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
        seed: int = 0,
    ) -> str:
        """The model's continuation of a prompt, or of a text as `text` writes it, in one modality.

        At temperature 0 it is the likeliest one, above it one drawn from ``seed``. `spiritlens.generate` takes
        interventions as well.
        """
        if isinstance(prompt, Prompt):
            prompt_of(self.vocabulary, prompt)
        answered = backend_of(self.model).continue_prompts
        return answered(self.model, self.vocabulary, (prompt,), max_new_tokens, modality, temperature, seed)[0]

    def continuations(self, prompts: Sequence[Prompt], max_new_tokens: int) -> tuple[str, ...]:
        """The likeliest written continuation of each prompt, in their order; those of one length run together."""
        answered = backend_of(self.model).continue_prompts
        return answered(self.model, self.vocabulary, prompts, max_new_tokens, "text")

    def required_encoder(self) -> SpeechEncoder:
        """The speech encoder; where the lens has none, an error that says what to do."""
        if self.encoder is None:
            raise ValueError(
                f"{self!r} has no speech encoder, which spoken prompts need; {encoder_remedy(self.family)}"
            )
        return self.encoder

    def _can_ask(self, question: Question) -> None:
        """Before anything is spoken or read: there is an encoder, and the vocabulary has the answer and the foil."""
        self.required_encoder()
        answers(self.vocabulary, question)

    def _encoded(
        self, waveform: Waveform, words: Sequence[WordInterval], question: Question, origin: Origin, text: str
    ) -> Prompt:
        streams = encode_streams(self.required_encoder(), self.family, waveform)
        segment = SpeechSegment(streams.pop("unit"), words, waveform, streams, text=text)
        prompt = build_prompt(self.vocabulary, [segment], question, origin)
        return replace(prompt, encoder=identity(self.required_encoder())[:16])

    def __repr__(self) -> str:
        backend = self.backend
        kind = str(self.dtype).removeprefix("torch.")
        return (
            f"Lens({self.name or 'unnamed'}: family {self.family.name}, {backend.n_layers} layers × {backend.n_heads} "
            f"heads, d_model {backend.d_model}, {backend.d_vocab} rows, {kind} on {self.device})"
        )
