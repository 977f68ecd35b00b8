"""The families that are known, one record each, and how a folder's is found.

A further family is a further record in `FAMILIES`, not further code, and a record of your own is taken by
``load(..., family=...)``; `spiritlens.prompts.vocabulary.vocabulary` reads the ids from the tokenizer and checks them
against the record.

Sources, read in the official packages: SpiritLM (arXiv 2402.05755), SIMS (arXiv 2504.02398, slamkit), SpeechGPT (arXiv
2305.11000), Spire (arXiv 2503.10620), USTM and USDM (arXiv 2402.05706, naver-ai/usdm), Ichigo (arXiv 2410.15316,
janhq/ichigo), AnyGPT (arXiv 2402.12226, OpenMOSS/AnyGPT). The embedded model is this project's own.
"""

from collections.abc import Collection
from dataclasses import replace

from spiritlens.arguments import shown
from spiritlens.prompts.vocabulary.family import Family, Stream

TEXT_ONLY = Family(name="text-only", marker_policy="none", text_space=False)

SPIRITLM_BASE = Family(
    name="spiritlm-base",
    text_open="[Text]",
    speech_open="[Speech]",
    unit_template="[Hu{}]",
    beginning="always",  # SpiritLM's package writes it whatever the tokenizer's files say
    n_units=501,  # 500 clusters and the quantizer's blank, which is left in an utterance of blanks only
    order_rate=24.99,
    rows=32512,
    encoder={"kind": "hubert", "name": "mhubert_base_25hz", "layer": 11, "n_clusters": 500},
)

SPIRITLM_EXPRESSIVE = SPIRITLM_BASE.replace(
    name="spiritlm-expressive",
    rows=32768,
    extra_streams=(
        Stream("style", "[St{}]", 100, rate=1.0, deduplicate=False),
        Stream("pitch", "[Pi{}]", 64, rate=12.5, deduplicate=True),
    ),
    encoder={"kind": "spiritlm", "name": "spiritlm_expressive (official package)", "flavour": "expressive"},
)

EMBEDDED = Family(
    name="embedded",
    text_open="[Text]",
    speech_open="[Speech]",
    unit_template="[Hu{}]",
    n_units=42,  # 41 phone classes and the quantizer's blank, which never comes out
    space_after_bos="none",
    text_case="lower",
    recognition="record",  # its strings are SpiritLM's
    encoder={"kind": "hubert", "name": "embedded", "layer": 3, "n_clusters": 41},
)

SIMS_LLAMA = Family(
    name="sims-llama",
    text_open="<text>",
    speech_open="<speech>",
    unit_template="<Un{}>",
    n_units=500,
    marker_policy="always",
    encoder={"kind": "hubert", "name": "mhubert-base-25hz", "layer": 11, "n_clusters": 500},
)

SIMS_QWEN = SIMS_LLAMA.replace(
    name="sims-qwen",  # SIMS-7B; Qwen 2.5's own added tokens that no file calls special
    further_tokens=(
        *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
        *("<|repo_name|>", "<|file_sep|>"),
    ),
)

SPEECHGPT_META = (
    "You are an AI assistant whose name is SpeechGPT.\n- SpeechGPT is a intrinsic cross-modal conversational "
    "language model that is developed by Fudan University.  SpeechGPT can understand and communicate fluently with "
    "human through speech or text chosen by the user.\n- It can perceive cross-modal inputs and "
    "generate cross-modal outputs.\n"
)
"""The instruction with which the official prompts begin."""

SPEECHGPT = Family(
    name="speechgpt",
    speech_open="<sosp>",
    speech_close="<eosp>",
    unit_template="<{}>",
    n_units=1000,
    unit_rate=50.0,
    order_rate=50.0,
    marker_policy="none",
    written_turn=(  # officially a blank follows; here it is the answer's own
        f"{SPEECHGPT_META}[Human]: ",
        " <eoh>. [SpeechGPT]:",
    ),
    spoken_turn=(f"{SPEECHGPT_META}[Human]: ", " <eoh>. [SpeechGPT]:"),
    encoder={"kind": "hubert", "name": "mhubert_base_vp_en_es_fr_it3", "layer": 11, "n_clusters": 1000},
)

SPEECHGPT_COM = SPEECHGPT.replace(
    name="speechgpt-com",
    recognition="record",  # its strings are SpeechGPT's
    answers="after_transcript",
    transcript_turn=(" ", "; [ta]"),
)

SPIRE = Family(
    name="spire",
    unit_template="{:c}",  # unit i is the character of the private use area with code point 0xF0000 + i
    unit_offset=0xF0000,
    n_units=5000,
    unit_rate=50.0,
    order_rate=50.0,
    marker_policy="none",
    text_space=False,
    spoken_turn=("Speech: ", "\nEnglish:"),
    answers="after_transcript",  # its formula asks for what was said
    transcript_turn=(" ", ""),
    encoder={"kind": "hubert", "name": "hubert_large_ll60k", "layer": 22, "n_clusters": 5000},
)

USTM = Family(
    name="ustm",
    text_open="<|continue|>",  # stands between speech and text that go on with one another, whichever comes first
    speech_open="<|continue|>",
    transcript_open="<|correspond|>",  # between speech and text that say the same
    marker_policy="between",
    unit_template="<|unit{}|>",
    n_units=10_000,
    unit_rate=50.0,
    order_rate=50.0,
    deduplicate=False,
    text_space=False,
    transcript_turn=("<|correspond|>", ""),
    rows=42003,
    encoder={"kind": "external", "name": "xlsr2_1b_v2 layer 35, 10,000 clusters", "package": "seamless_communication"},
)

USDM_OPENING = (
    "Below is a conversation between the user and the agent. Each turn includes the user's speech and its "
    "corresponding transcript, along with the agent's response text and the corresponding speech.\n\n### User\n"
)

USDM = USTM.replace(
    name="usdm",
    recognition="record",  # its strings are USTM's
    text_open=None,
    speech_open=None,
    marker_policy="none",
    text_case="lower_words",
    answer_form="bare",
    written_turn=(USDM_OPENING, "\n### Agent\n"),  # officially there is no written turn: the spoken one without speech
    spoken_turn=(USDM_OPENING, "<|correspond|>"),
    answers="after_transcript",
    transcript_turn=("", "\n### Agent\n"),
    further_tokens=("<|continue|>",),
    rows=None,
)

ICHIGO_TURN = (
    "<|start_header_id|>user<|end_header_id|>\n\n",
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
)

ICHIGO = Family(
    name="ichigo",
    speech_open="<|sound_start|>",
    speech_close="<|sound_end|>",
    unit_template="<|sound_{:04d}|>",
    n_units=513,
    unit_rate=25.0,
    deduplicate=False,
    marker_policy="none",
    text_space=False,
    answer_form="bare",
    written_turn=ICHIGO_TURN,
    spoken_turn=ICHIGO_TURN,
    further_tokens=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    encoder={"kind": "external", "name": "WhisperVQ (whisper-vq-stoks-v3-7lang-fixed)", "package": "whisperspeech"},
)

ANYGPT = Family(
    name="anygpt",
    speech_open="<sosp>",
    speech_close="<eosp>",
    unit_template="<🗣️{}>",
    n_units=1024,
    unit_rate=50.0,
    order_rate=50.0,
    deduplicate=False,
    marker_policy="none",
    text_space=False,
    written_turn=("[Human]: ", "<eoh> [MMGPT]:"),
    spoken_turn=("[Human]: ", "<eoh> [MMGPT]:"),
    answers="after_transcript",  # the base model's training pairs speech with its transcript
    transcript_turn=(" ", ""),
    further_tokens=(
        *("[Human]", "[MMGPT]", "<eoh>", "<eos>"),
        *("<👀{}>", "<soim>", "<eoim>", "<🎶{}>", "<somu>", "<eomu>"),
    ),
    encoder={"kind": "external", "name": "SpeechTokenizer, first of its quantizers", "package": "speechtokenizer"},
)

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        SPIRITLM_BASE,
        SPIRITLM_EXPRESSIVE,
        EMBEDDED,
        SIMS_LLAMA,
        SIMS_QWEN,
        SPEECHGPT,
        SPEECHGPT_COM,
        SPIRE,
        USTM,
        USDM,
        ICHIGO,
        ANYGPT,
        TEXT_ONLY,
    )
}
"""The families that are known, by name; another model is another `Family` value, given as ``load(…, family=mine)``."""


def family_named(name: str) -> Family:
    """The record of that name."""
    if not isinstance(name, str) or name not in FAMILIES:
        raise ValueError(f"unknown family '{name}': use one of {', '.join(FAMILIES)}, or make a Family record")
    return FAMILIES[name]


def given_family(family: object) -> Family | None:
    """The family given, or None; the name of one is refused with the call that gives its record."""
    if family is None or isinstance(family, Family):
        return family
    named = f"family_named({family!r})" if isinstance(family, str) else "family_named(...)"
    raise ValueError(
        f"family={shown(family)} ({type(family).__name__}): expected a Family record; "
        f"give spiritlens.prompts.vocabulary.families.{named}, or leave it out"
    )


def family_of_strings(strings: Collection[str]) -> Family:
    """The family whose markers and units are among a vocabulary's token strings; ``text-only`` where none's are.

    Units are counted, so that a small checkpoint in a family's format is of that family; a vocabulary with some of a
    family's strings and not the others is refused. Families of more streams, or of more further tokens, are looked for
    first, because their strings hold those of the others.
    """
    known = frozenset(strings)
    by_strings = [family for family in FAMILIES.values() if family.has_speech and family.recognition == "strings"]
    by_strings.sort(key=lambda family: -len(family.all_streams()))
    for family in sorted(by_strings, key=lambda family: (-len(family.all_streams()), -len(family.further_tokens))):
        further = (string for string in family.further_tokens if "{}" not in string)
        needed = (*family.markers, *(stream.unit(0) for stream in family.all_streams()), *further)
        if known.issuperset(needed):
            counted = {stream.name: _count(stream, known) for stream in family.all_streams()}
            streams = tuple(replace(stream, count=counted[stream.name]) for stream in family.extra_streams)
            return family.replace(n_units=counted["unit"], extra_streams=streams)
    for family in by_strings:
        signs = (*family.markers, family.stream("unit").unit(0), family.stream("unit").unit(family.n_units - 1))
        there = [sign for sign in signs if sign in known]
        if len(there) > 1:  # one alone may be an ordinary piece
            absent = [sign for sign in signs if sign not in known]
            raise ValueError(
                f"the vocabulary has {there} of family '{family.name}' but not {absent}; use the checkpoint's own "
                "tokenizer files, or name the family (family=)"
            )
    return TEXT_ONLY


def _count(stream: Stream, known: frozenset[str]) -> int:
    """How many units from 0 on a vocabulary has; the record's number where it has the last (gaps are found later)."""
    number = stream.count if stream.unit(stream.count - 1) in known else 0
    while stream.unit(number) in known:
        number += 1
    return number
