"""Holds libflite and its voices: ``python flite_child.py``; see `answering` for the protocol.

Answers carry the phone segments in time order, each with the index of its word in flite's Word relation (-1: pause).
Source: the public functions of flite 2.2 (cst_utterance.h, cst_relation.h, cst_item.h, cst_ffeatures).
"""

import ctypes
import os
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))
from answering import answer_requests, fail  # type: ignore[import-not-found]

VOICES = {"slt": "cmu_us_slt", "rms": "cmu_us_rms", "awb": "cmu_us_awb", "kal16": "cmu_us_kal16"}
POINTER = ctypes.c_void_p
TEXT = ctypes.c_char_p


class Wave(ctypes.Structure):
    _fields_ = [
        ("type", TEXT),
        ("sample_rate", ctypes.c_int),
        ("n_samples", ctypes.c_int),
        ("n_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "flite_synth_text": (POINTER, [TEXT, POINTER]),
    "utt_relation": (POINTER, [POINTER, TEXT]),
    "relation_head": (POINTER, [POINTER]),
    "item_next": (POINTER, [POINTER]),
    "item_feat_string": (TEXT, [POINTER, TEXT]),
    "item_feat_float": (ctypes.c_float, [POINTER, TEXT]),
    "ffeature_float": (ctypes.c_float, [POINTER, TEXT]),
    "utt_wave": (ctypes.POINTER(Wave), [POINTER]),
    "feat_set_float": (None, [POINTER, TEXT, ctypes.c_float]),
    "get_param_float": (ctypes.c_float, [POINTER, TEXT, ctypes.c_float]),
}


def load() -> tuple[Any, dict[str, int]]:
    """The library with its signatures, and the registered voices."""
    try:
        library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for name in ("usenglish", "cmulex"):
            ctypes.CDLL(f"libflite_{name}.so.1", mode=ctypes.RTLD_GLOBAL)
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        library.flite_init()
        voices = {}
        for short, full in VOICES.items():
            register = getattr(ctypes.CDLL(f"libflite_{full}.so.1", mode=ctypes.RTLD_GLOBAL), f"register_{full}")
            register.restype, register.argtypes = POINTER, [POINTER]
            voices[short] = register(None)
    except OSError as error:
        fail(f"flite's libraries do not load ({error}). Install them: apt-get install flite")
    return library, voices


def items(library: Any, utterance: int, relation: bytes) -> list[int]:
    """The items of a relation, in order."""
    found = []
    item = library.relation_head(library.utt_relation(utterance, relation))
    while item:
        found.append(item)
        item = library.item_next(item)
    return found


def speak(library: Any, voices: dict[str, int], request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Speak one request."""
    voice = voices[request["voice"]]
    features = ctypes.cast(voice + ctypes.sizeof(POINTER), ctypes.POINTER(POINTER))[0]  # cst_voice: name, features, ...
    library.feat_set_float(features, b"duration_stretch", 1 / request["rate"])
    if request["f0_mean"]:
        library.feat_set_float(features, b"int_f0_target_mean", request["f0_mean"])
    utterance = library.flite_synth_text(request["text"].encode(), voice)
    wave = library.utt_wave(utterance).contents
    segments = [
        (library.item_feat_string(item, b"name").decode(), library.item_feat_float(item, b"end"))
        for item in items(library, utterance, b"Segment")
    ]
    words = [
        (
            library.item_feat_string(item, b"name").decode(),
            library.ffeature_float(item, b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"),
            library.ffeature_float(item, b"R:SylStructure.daughtern.daughtern.R:Segment.end"),
        )
        for item in items(library, utterance, b"Word")
    ]
    data = ctypes.string_at(wave.samples, 2 * wave.n_samples)
    return {"rate": wave.sample_rate, "segments": segments, "words": words}, data


if __name__ == "__main__":
    library, voices = load()
    answer_requests({"version": "2.2", "voices": list(voices)}, lambda request: speak(library, voices, request))
