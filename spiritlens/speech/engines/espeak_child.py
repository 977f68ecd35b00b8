"""Holds libespeak-ng: ``python espeak_child.py LIBRARY [DATA]``; see `answering` for the protocol.

Events come with the sample at which they happen: words (character position in the text) and phonemes (mnemonics).
Source: speak_lib.h of espeak-ng.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))
from answering import answer_requests, fail  # type: ignore[import-not-found]

SYNCHRONOUS, PHONEME_EVENTS = 2, 1
WORD, PHONEME, END = 1, 7, 6
RATE_PARAMETER, PITCH_PARAMETER = 1, 3
UTF8 = 1


class Identifier(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", Identifier),
    ]


class VoiceRecord(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),  # entries of a priority byte and a text, ended by a zero
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))

samples: list[bytes] = []
events: list[tuple[str, Any, int]] = []


def collect(wave: Any, n_samples: int, event: Any) -> int:
    """espeak-ng's callback: keep samples and events."""
    if wave and n_samples > 0:
        samples.append(ctypes.string_at(wave, 2 * n_samples))
    index = 0
    while event[index].type != 0:
        item = event[index]
        if item.type == WORD:
            events.append(("word", item.text_position - 1, item.sample))
        elif item.type == PHONEME:
            name = bytes(item.id.string).split(b"\0")[0].decode("utf-8", "ignore")
            events.append(("phone", name, item.sample))
        index += 1
    return 0


def listed(library: Any, kind: bytes | None) -> list[tuple[list[str], str]]:
    """The engine's own list of its voices, or (``variant``) of its variants: languages and file of each."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(VoiceRecord))
    wanted = VoiceRecord()
    name = ctypes.create_string_buffer(kind) if kind else None
    if name is not None:
        wanted.languages = ctypes.addressof(name)
    found = library.espeak_ListVoices(ctypes.byref(wanted) if name is not None else None)
    records = []
    index = 0
    while found[index]:
        record = found[index].contents
        records.append((languages_of(record.languages), record.identifier.decode("utf-8", "replace")))
        index += 1
    return records


def languages_of(address: int) -> list[str]:
    """The languages of a voice's record."""
    languages = []
    while ctypes.string_at(address, 1) != b"\0":
        name = ctypes.string_at(address + 1)
        languages.append(name.decode("utf-8", "replace"))
        address += len(name) + 2
    return languages


def seeder(library: Any) -> Callable[[], None]:
    """Fixes the noise of breathy variants (+f2, +f3, +whisper): 1.52 seeds it by the clock, 1.51 leaves it to libc."""
    if hasattr(library, "espeak_ng_SetRandSeed"):
        return lambda: library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    return lambda: ctypes.CDLL(None).srand(1)


def main() -> None:
    """Load the library and answer requests."""
    try:
        library = ctypes.CDLL(sys.argv[1])
    except OSError as error:
        fail(f"espeak-ng's library {sys.argv[1]} does not load: {error}")
    data = sys.argv[2].encode() if len(sys.argv) > 2 else None
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, data, PHONEME_EVENTS)
    if rate <= 0:
        fail(f"espeak-ng does not find its data in {sys.argv[2:] or 'the default folder'}.")
    seed = seeder(library)
    library.espeak_Info.restype = ctypes.c_char_p
    version = library.espeak_Info(None).decode()
    callback = Callback(collect)
    library.espeak_SetSynthCallback(callback)

    def speak(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        if library.espeak_SetVoiceByName(request["voice"].encode()) != 0:
            raise ValueError(f"espeak-ng {version} has no voice {request['voice']!r}")
        library.espeak_SetParameter(RATE_PARAMETER, request["words_per_minute"], 0)
        library.espeak_SetParameter(PITCH_PARAMETER, request["pitch"], 0)
        text = request["text"].encode() + b"\0"
        seed()
        library.espeak_Synth(
            ctypes.c_char_p(text),
            ctypes.c_size_t(len(text)),
            ctypes.c_uint(0),
            1,
            ctypes.c_uint(0),
            ctypes.c_uint(UTF8),
            None,
            None,
        )
        return {"rate": rate, "events": events}, b"".join(samples)

    voices = [record for record in listed(library, None) if not record[1].startswith(("mb/", "mb\\"))]
    hello = {
        "version": version,
        "rate": rate,
        "languages": sorted({language for languages, _ in voices for language in languages}),
        "variants": sorted({file.replace("\\", "/").rpartition("/")[2] for _, file in listed(library, b"variant")}),
    }
    answer_requests(hello, speak)


if __name__ == "__main__":
    main()
