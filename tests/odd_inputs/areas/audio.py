"""Sound of every kind: files (whole, cut, joined, mislabelled), arrays, data sets and folders, unit streams, caches."""

import io
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile
import torch
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.speech.audio.resampling import resample
from spiritlens.speech.recordings import Recording
from spiritlens.speech.units import UnitStream

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)).astype(np.float32)
"""A second of 440 Hz at 16 kHz."""


def encoded(samples: np.ndarray = TONE, rate: int = 16000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype or soundfile.default_subtype(kind))
    return buffer.getvalue()


def put(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


class Signs:
    """A speech encoder: a unit per 40 ms, 1 where its first sample is positive."""

    name, rate, n_units, digest = "signs", 25.0, 2, ""

    def encode(self, waveform: sl.speech.Waveform) -> UnitStream:
        return UnitStream.from_frames((waveform.samples[: len(waveform) // 640 * 640 : 640] > 0).astype(int))


class Decoder:
    """What newer `datasets` give for a row of audio."""

    def __init__(self, data: Any, rate: Any) -> None:
        self.data, self.rate = data, rate

    def get_all_samples(self) -> Any:
        if self.data is None:
            raise RuntimeError("no audio stream")
        return SimpleNamespace(data=self.data, sample_rate=self.rate)


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _sources(bench)
    yield from _arrays()
    yield from _broken_files()
    yield from _whole_files()
    yield from _waveforms(bench)
    yield from _hearing(bench)
    yield from _folders(bench)
    yield from _data_sets(bench)
    yield from _encoding(bench)
    yield from _units(bench)


def _same(found: sl.speech.Waveform, tolerance: float = 5e-5) -> bool:
    return len(found) == len(TONE) and bool(np.abs(found.samples - TONE).max() <= tolerance)


def _sources(bench: Bench) -> Iterator[Odd]:
    read, wav = sl.speech.read_waveform, encoded()
    path = bench.file("tone.wav", wav)
    for value in (None, 3, 1.5, object(), {1, 2}):
        yield error("read_waveform", f"{type(value).__name__}", lambda value=value: read(value), "expected a path")
    yield error("read_waveform", "an empty text", lambda: read(""), "''", "no path")
    yield error("read_waveform", "a NUL in a path", lambda: read("a\0.wav"), "no path")
    yield error("read_waveform", "a path of bytes in a PathLike", lambda: read(os.fspath(path) + "/x.wav"), "no such")
    yield error("read_waveform", "a name too long", lambda: read("a" * 5000 + ".wav"), "cannot be opened")
    yield error("read_waveform", "an address", lambda: read("http://localhost/a.wav"), "address", "download")
    yield error("read_waveform", "a folder", lambda: read(bench.folder()), "is a folder")
    yield error("read_waveform", "a device", lambda: read("/dev/zero"), "/dev/zero", "device")
    yield error("read_waveform", "a file that is missing", lambda: read("none.wav"), "none.wav", "no such audio file")
    for kind in (bytearray, memoryview):
        yield result("read_waveform", kind.__name__, lambda kind=kind: read(kind(wav)), _same)
    yield result("read_waveform", "an open file", lambda: read(path.open("rb")), _same)
    yield error("read_waveform", "a file opened as text", lambda: read(path.open(encoding="latin-1")), "text", "'rb'")
    yield error("read_waveform", "a file opened to write", lambda: read((bench.folder() / "w").open("wb")), "cannot be")
    yield error("read_waveform", "a closed file", lambda: read(_closed(wav)), "closed", "open it anew")
    yield error("read_waveform", "a file at its end", lambda: read(_at_end(wav)), "0 bytes", "seek(0)")
    yield error("read_waveform", "an open SoundFile", lambda: read(soundfile.SoundFile(path)), "not bytes", "Waveform(")
    yield error("read_waveform", "another resampler", lambda: read(wav, "linear"), "resampler='linear'", "soxr")
    yield error("read_waveform", "no resampler", lambda: read(wav, None), "resampler=None", "windowed sinc")
    yield result(
        "read_waveform", "a Waveform at 8 kHz", lambda: read(sl.speech.Waveform(TONE[::2], 8000)), _sounds_as_tone
    )


def _closed(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.close()
    return file


def _at_end(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.read()
    return file


def _sounds_as_tone(found: sl.speech.Waveform) -> bool:
    return len(found) == 16000 and bool(np.abs(found.samples - TONE)[500:-500].max() < 1e-2)


def _arrays() -> Iterator[Odd]:
    def row(array: Any, rate: Any = 16000) -> Any:
        return lambda: sl.speech.read_waveform({"path": None, "array": array, "sampling_rate": rate})

    given = "Waveform(samples, rate)"
    for value in (TONE, torch.tensor(TONE), TONE.tolist(), (TONE, 16000)):
        yield error(
            "read_waveform", type(value).__name__, lambda value=value: sl.speech.read_waveform(value), "rate", given
        )
    steps = np.round(TONE * 32767).astype(np.int16)
    yield result("read_waveform", "an array with its rate", row(TONE), _same)
    yield result("read_waveform", "a tensor with its rate", row(torch.tensor(TONE)), _same)
    yield result("read_waveform", "floats with their rate", row(TONE.tolist()), _same)
    yield result("read_waveform", "float64, big-endian", row(TONE.astype(">f8")), _same)
    yield result("read_waveform", "16-bit integers", row(steps), _same)
    yield result("read_waveform", "32-bit integers", row(steps.astype(np.int32) << 16), _same)
    yield result(
        "read_waveform", "8-bit integers", row(np.round(TONE * 127 + 128).astype(np.uint8)), lambda w: _same(w, 0.02)
    )
    stereo = np.stack([TONE, TONE])
    yield result("read_waveform", "stereo [channel time]", row(stereo), _same)
    yield result("read_waveform", "stereo [time channel]", row(stereo.T), _same)
    yield error("read_waveform", "64-bit integers", row(steps.astype(np.int64)), "int64", "int16")
    yield error("read_waveform", "texts", row(["a", "b"]), "str", "floats in [-1, 1]")
    yield error("read_waveform", "rows of other lengths", row([[0.1], [0.1, 0.2]]), "array", given)
    yield error("read_waveform", "a gradient", row(torch.tensor(TONE).requires_grad_()), "array", given)
    yield error("read_waveform", "bfloat16", row(torch.tensor(TONE).bfloat16()), "array", given)
    yield error("read_waveform", "a square array", row(np.zeros((100, 100))), "(100, 100)", "time")
    yield error("read_waveform", "NaN", row(np.where(TONE > 0.4, np.nan, TONE)), "NaN")
    yield error("read_waveform", "integers as floats", row(steps.astype(float)), "32768")
    yield error("read_waveform", "an empty array", row([]), "no samples")
    yield error("read_waveform", "silence", row(np.zeros(16000)), "silence")
    yield error("read_waveform", "no rate", row(TONE, None), "sampling_rate", given)
    yield error("read_waveform", "a rate as text", row(TONE, "16000"), "'16000'", "768000")
    yield error(
        "read_waveform", "another mapping", lambda: sl.speech.read_waveform({"audio": 1}), "audio: 1", "sampling_rate"
    )
    yield error(
        "read_waveform", "no path and no bytes", lambda: sl.speech.read_waveform({"bytes": None, "path": None}), "path"
    )
    yield result(
        "read_waveform", "a decoder", lambda: sl.speech.read_waveform(Decoder(torch.tensor(stereo), 16000)), _same
    )
    yield error(
        "read_waveform", "a decoder that fails", lambda: sl.speech.read_waveform(Decoder(None, 1)), "Decoder", "stream"
    )
    yield error(
        "read_waveform", "a decoder at 0 Hz", lambda: sl.speech.read_waveform(Decoder(TONE, 0)), "rate is 0", "1000"
    )


def _broken_files() -> Iterator[Odd]:
    def bad(what: str, data: bytes, *names: str) -> Odd:
        return error("read_waveform", what, lambda: sl.speech.read_waveform(data), *names)

    for kind in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU", "SVX", "NIST"):
        whole = encoded(kind=kind)
        yield bad(f"{kind} cut at 60 %", whole[: len(whole) * 6 // 10], "truncated", "promises")
    for kind in ("FLAC", "OGG", "MP3"):
        whole = encoded(kind=kind)
        yield bad(
            f"{kind} cut at 60 %",
            whole[: len(whole) * 6 // 10],
            "audio bytes",
            "cannot be read" if kind == "FLAC" else "truncated",
        )
    wav, flac, ogg = encoded(), encoded(kind="FLAC"), encoded(np.tile(TONE, 8), kind="OGG")
    for rate in (0, 1, 999, 768001, 2**31 - 1):
        yield bad(f"{rate} Hz", put(wav, 24, struct.pack("<I", rate)), f"{rate}" if rate else "0 Hz")
    yield bad("a header alone", encoded(TONE[:0]), "no samples")
    yield bad("FLAC that promises more", put(flac, 22, struct.pack(">I", 50000)), "50000", "16000")
    yield bad("damage within FLAC", put(flac, len(flac) // 2, bytes(200)), "cannot be read")
    pages = [place for place in range(len(ogg)) if ogg[place : place + 4] == b"OggS"]
    middle = len(pages) // 2
    yield bad("Ogg without a page", ogg[: pages[middle]] + ogg[pages[middle + 1] :], "pages", "missing")
    yield bad("Ogg with a damaged page", put(ogg, pages[middle] + 200, b"\xaa\x55\xaa\x55"), "page 2", "checksum")
    yield bad("Ogg with a damaged last page", put(ogg, pages[-1] + 200, b"\xaa\x55\xaa\x55"), "damaged", "checksum")
    yield bad("links at two rates", ogg + encoded(TONE, 22050, "OGG"), "16000 and 22050 Hz")
    yield bad("a joined file that is cut", wav + wav[:9000], "number 2", "truncated")
    for what, start in (
        ("M4A", b"\0\0\0\x20ftypM4A "),
        ("WebM", b"\x1a\x45\xdf\xa3"),
        ("AMR", b"#!AMR\n"),
        ("AAC", b"\xff\xf1"),
    ):
        yield bad(what, start + bytes(500), "ffmpeg")
    for what, start, word in (
        ("zip", b"PK\x03\x04", "Unpack"),
        ("PNG", b"\x89PNG", "picture"),
        ("MIDI", b"MThd", "notes"),
    ):
        yield bad(what, start + bytes(500), word)
    yield bad("a web page", b"<!DOCTYPE html><html>not found</html>", "web page")
    yield bad("a Git LFS pointer", b"version https://git-lfs.example/spec/v1\noid sha256:0\n", "git lfs pull")
    yield bad("noise", np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes(), "cannot be read")
    yield bad("zeros", bytes(5000), "cannot be read")


def _whole_files() -> Iterator[Odd]:
    def good(what: str, data: bytes, length: int = 16000) -> Odd:
        return result("read_waveform", what, lambda: sl.speech.read_waveform(data), lambda found: len(found) == length)

    wav, flac, ogg = encoded(), encoded(kind="FLAC"), encoded(kind="OGG")
    unknown = b"\xff" * 4
    yield good("WAV of size 0", put(wav, 40, bytes(4)))
    yield good("WAV of unknown size", put(put(wav, 40, unknown), 4, unknown))
    yield good("WAV whose outer size is the file's", put(wav, 4, struct.pack("<I", len(wav))))
    yield good("WAV with a list behind", wav + b"LIST" + struct.pack("<I", 10) + b"INFOISFTxx")
    yield good("WAV with a list that is cut", wav + b"LIST" + struct.pack("<I", 1000) + b"INFOISFTxx")
    yield good("two WAVs in one file", wav + wav, 32000)
    yield good("AU of unknown size", put(encoded(kind="AU"), 8, unknown))
    caf = encoded(kind="CAF")
    yield good("CAF of unknown size", put(caf, caf.find(b"data") + 4, unknown * 2))
    yield good("FLAC of unknown length", put(flac, 21, bytes([flac[21] & 0xF0, 0, 0, 0, 0])))
    yield good("FLAC that promises less", put(flac, 22, struct.pack(">I", 9000)))
    yield good("FLAC after a tag", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + flac)
    yield good("a chain of Vorbis and Opus", ogg + encoded(kind="OGG", subtype="OPUS"), 32000)
    yield good("joined MP3", encoded(kind="MP3") * 2, 32000)
    yield good("MP3 between tags", b"ID3\x04\0\0\0\0\x07\x68" + bytes(1000) + encoded(kind="MP3") + b"TAG" + bytes(125))
    for subtype in ("GSM610", "MS_ADPCM", "G721_32", "ALAW"):
        yield good(f"WAV of {subtype}", encoded(TONE[:15999], subtype=subtype), 15999)
    yield good("255 channels", encoded(np.stack([TONE] * 255, axis=1)))


def _waveforms(bench: Bench) -> Iterator[Odd]:
    for value in (float("nan"), float("inf"), True, 16000.5, 16000.0, "16000", None, 0, -16000, 1, 2**31 - 1):
        yield error(
            "Waveform", f"rate {value!r}", lambda value=value: sl.speech.Waveform(TONE, value), "rate is", "768000"
        )
    yield result(
        "Waveform", "numpy's rate", lambda: sl.speech.Waveform(TONE, np.int64(8000)), lambda w: type(w.rate) is int
    )
    yield error("Waveform", "two axes", lambda: sl.speech.Waveform(TONE[None]), "(1, 16000)", "one axis")
    yield error("Waveform", "None", lambda: sl.speech.Waveform(None), "object", "floats in [-1, 1]")
    yield error("Waveform", "complex", lambda: sl.speech.Waveform(TONE.astype(complex)), "complex", "floats")
    yield error("Waveform", "too large for float32", lambda: sl.speech.Waveform(np.array([1e300])), "infinity")
    yield error("Waveform", "clipped", lambda: sl.speech.Waveform(3 * TONE), "1.5", "Divide")
    yield error(
        "Waveform", "a source that is a path", lambda: sl.speech.Waveform(TONE, 16000, Path("a")), "source", "text"
    )
    yield result("Waveform", "an array that is changed later", _changed_later, lambda found: found == (0.0, True))
    wave = sl.speech.Waveform(TONE)
    for start, end in ((0.5, 0.5), (-1, 0.5), (0.5, 9)):
        yield error("Waveform.slice", f"{start}-{end}", lambda s=start, e=end: wave.slice(s, e), "lies outside")
    for start in (float("nan"), "0", None):
        yield error("Waveform.slice", f"{start!r}", lambda start=start: wave.slice(start, 1), "start=", "number")
    yield error("Waveform.write", "as mp3", lambda: wave.write(bench.folder() / "a.mp3"), "a.mp3", "a.wav")
    yield error("Waveform.write", "another subtype", lambda: wave.write("a.wav", "PCM_24"), "subtype='PCM_24'", "FLOAT")
    yield error("Waveform.write", "no samples", lambda: sl.speech.Waveform(TONE[:0]).write("a.wav"), "no samples")
    folder = bench.folder()
    yield result(
        "Waveform.write",
        "float, read back",
        lambda: sl.speech.read_waveform(wave.write(folder / "a.wav", "FLOAT")),
        lambda found: np.array_equal(found.samples, TONE),
    )
    yield error(
        "resample", "a windowed sinc of odd rates", lambda: resample(TONE, 44101, 16000, "windowed sinc"), "soxr"
    )


def _changed_later() -> tuple[float, bool]:
    given = np.zeros(3, np.float32)
    wave = sl.speech.Waveform(given)
    given[0] = 0.5
    return float(wave.samples[0]), given.flags.writeable


def _hearing(bench: Bench) -> Iterator[Odd]:
    said = {"words": [("a", 0.1, 0.5), ("b", 0.5, 0.9)], "subject": "a", "answer": "Paris"}
    lens = bench.lens
    yield error("lens.audio", "an array", lambda: lens.audio(TONE, **said), "Waveform(samples, rate)")
    yield error("lens.audio", "None", lambda: lens.audio(None, **said), "expected a path")
    yield error("lens.audio", "a file that is missing", lambda: lens.audio("none.wav", **said), "none.wav", "no such")
    yield error(
        "lens.audio", "another rate", lambda: lens.audio(sl.speech.Waveform(TONE, 8000), **said), "8000", "16000"
    )
    array = {"array": TONE, "sampling_rate": 16000}
    yield result("lens.audio", "an array with its rate", lambda: lens.audio(array, **said), lambda p: p.kind == "S2T")
    yield error("lens.hear", "a list", lambda: lens.encode(TONE.tolist()), "Waveform(samples, rate)")
    yield error("lens.hear", "10 ms", lambda: lens.encode(sl.speech.Waveform(TONE[:160])), "10.0 ms", "longer")
    yield error("lens.hear", "silence", lambda: lens.encode(sl.speech.Waveform(np.zeros(16000))), "silence")
    yield result("lens.hear", "an open file", lambda: lens.encode(io.BytesIO(encoded())), lambda units: len(units) > 0)
    fast = UnitStream.from_frames(np.arange(50), 50.0)
    segment = sl.SpeechSegment(fast, [sl.speech.WordInterval("a", 0.1, 0.5)])
    yield error("lens.prompt", "units at 50 Hz", lambda: lens.prompt([segment], "a", "Paris"), "50 frames", "25")


def _folders(bench: Bench) -> Iterator[Odd]:
    read, wav = sl.speech.recordings_of_folder, encoded()

    def folder(**files: bytes | str) -> Path:
        made = bench.folder()
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (made / name.replace("_", ".")).write_bytes(data)
        return made

    for value in (None, 3, "nowhere", b"x"):
        yield error("recordings_of_folder", f"{value!r}", lambda value=value: read(value), "no such folder")
    yield error("recordings_of_folder", "no sound in it", lambda: read(folder(a_txt="a")), "no recordings", ".wav")
    names = ("a_aif", "b_oga", "c_WAVE", "d_au", "e_caf", "f_w64", "g_m4a", "h_sph", "i_opus")
    yield result(
        "recordings_of_folder",
        "many endings",
        lambda: read(folder(**dict.fromkeys(names, wav))),
        lambda found: len(found) == len(names),
    )
    for what, text, words in (
        ("no file_name", "path,text\na.wav,x\n", ("file_name", "path, text")),
        ("a row of three cells", "file_name,text\na.wav,x,y\n", ("row 1", "3 cells")),
        ("a column twice", "file_name,text,text\na.wav,x,y\n", ("same name", "text")),
        ("an open quote", 'file_name,text\na.wav,"x\n', ("not CSV",)),
        ("no rows", "file_name,text\n", ("no recordings",)),
    ):
        table = text
        yield error("recordings_of_folder", what, lambda t=table: read(folder(a_wav=wav, metadata_csv=t)), *words)
    yield result(
        "recordings_of_folder",
        "a row without a name",
        lambda: read(folder(a_wav=wav, metadata_csv="file_name,text\na.wav,x\n,y\n")),
        lambda found: [one.name for one in found] == ["a.wav", "row 2"] and found[1].audio is None,
    )
    yield error(
        "recordings_of_folder",
        "a name that is a number",
        lambda: read(folder(metadata_jsonl='{"file_name": 5}')),
        *("row 1", "file_name 5"),
    )
    latin = "file_name,text\na.wav,é\n".encode("latin-1")
    yield error("recordings_of_folder", "another encoding", lambda: read(folder(metadata_csv=latin)), "UTF-8")
    yield error(
        "recordings_of_folder", "JSON that is none", lambda: read(folder(metadata_jsonl="{a")), "line 1", "JSON"
    )
    yield error(
        "recordings_of_folder", "JSON of a list", lambda: read(folder(metadata_jsonl="[1]")), "line 1", "file_name"
    )
    both = {"metadata_csv": "file_name\na.wav\n", "metadata_jsonl": json.dumps({"file_name": "a.wav"})}
    yield error("recordings_of_folder", "two tables", lambda: read(folder(**both)), "keep the one")


def _data_sets(bench: Bench) -> Iterator[Odd]:
    from datasets import Audio, Dataset, DatasetDict

    def of(data: Any, column: str | None = "audio") -> list[Recording]:
        return list(sl.speech.recordings_of_dataset(data, column))

    def lengths(data: Any) -> Any:
        return lambda: [len(recording.waveform()) for recording in of(data)]

    path = str(bench.file("tone.wav", encoded()))
    rows = Dataset.from_dict({"audio": [path, None], "text": ["a", "b"]})
    for value in (None, "rows.csv", 3):
        yield error("recordings_of_dataset", f"{value!r}", lambda value=value: of(value), "no data set")
    yield error("recordings_of_dataset", "splits", lambda: of(DatasetDict(train=rows)), "train", "dataset[NAME]")
    yield error(
        "recordings_of_dataset", "pandas, another column", lambda: of(rows.to_pandas(), "x"), "'x'", "audio, text"
    )
    yield error("recordings_of_dataset", "no column of sound", lambda: of([{"text": "a"}], None), "holds sound", "text")
    twice = [{"a": "a.wav", "b": "b.wav"}]
    yield error("recordings_of_dataset", "two columns of sound", lambda: of(twice, None), "a, b", "name the one")
    yield error("recordings_of_dataset", "another column", lambda: of(rows, "sound"), "'sound'", "audio, text")
    streamed = rows.to_iterable_dataset().map(lambda row: row)
    yield error("recordings_of_dataset", "streamed, another column", lambda: of(streamed, "x"), "'x'", "audio, text")
    yield error("recordings_of_dataset", "no audio", lambda: of(rows)[1].waveform(), "row 1", "no audio")
    for what, data in (
        ("paths", rows.select([0])),
        ("streamed paths", rows.select([0]).to_iterable_dataset().map(lambda row: row)),
        ("audio to be decoded", rows.select([0]).cast_column("audio", Audio())),
        ("a table of pandas", rows.select([0]).to_pandas()),
        ("bytes", Dataset.from_dict({"audio": [{"bytes": encoded(), "path": None}]})),
        ("arrays in rows", [{"audio": {"array": TONE, "sampling_rate": 16000}}]),
        ("a decoder in a row", [{"audio": Decoder(TONE, 16000)}]),
    ):
        yield result("recordings_of_dataset", what, lengths(data), lambda found: found == [16000])
    yield error("recordings_of_dataset", "rows that are none", lambda: of([1]), "row 0", "it is 1")
    missing = [{"audio": "none.wav"}]
    yield error("recordings_of_dataset", "a file that is missing", lambda: of(missing)[0].waveform(), "none.wav")
    away = [{"audio": f"zip://a.wav::{path}"}]
    yield error("recordings_of_dataset", "an address", lambda: of(away)[0].waveform(), "cannot be opened")


def _encoding(bench: Bench) -> Iterator[Odd]:
    recordings = [Recording("a", encoded(), {}), Recording("b", None, {}), Recording("c", b"", {})]

    def run(given: Any = recordings, encoder: Any = None, **options: Any) -> Any:
        return lambda: list(sl.speech.encode_recordings(encoder or Signs(), given, **{"progress": "none", **options}))

    yield result(
        "encode_recordings",
        "two of three are broken",
        run(broken="report"),
        lambda done: [bool(one.problem) for one in done] == [False, True, True],
    )
    yield error("encode_recordings", "broken audio", run(), "b has no audio")
    yield error("encode_recordings", "another way", run(broken="skip"), "broken='skip'", "report")
    yield error("encode_recordings", "progress as a bool", run(progress=False), "progress=False", "bar")
    yield error("encode_recordings", "one recording", run(recordings[0]), "expected several")
    yield error("encode_recordings", "None", run(None), "recordings=None")
    yield error("encode_recordings", "paths", run(["a.wav"]), "'a.wav'", "Recording(")
    yield error("encode_recordings", "no encoder", run(encoder="hubert"), "encoder='hubert'")
    cached = sl.speech.CachedEncoder(Signs(), bench.folder())
    yield error("CachedEncoder", "no encoder", lambda: sl.speech.CachedEncoder(None), "encoder=None")
    yield error("CachedEncoder", "no folder", lambda: sl.speech.CachedEncoder(Signs(), None), "folder=None")
    yield error("CachedEncoder", "a path to encode", lambda: cached.encode("a.wav"), "'a.wav'", "read_waveform")
    yield error("CachedEncoder", "an array to encode", lambda: cached.encode(TONE), "Waveform", "read_waveform")
    yield result("CachedEncoder", "a folder as text", lambda: _cached_in_text(bench), lambda found: found == (25, 25))


def _cached_in_text(bench: Bench) -> tuple[int, int]:
    cached = sl.speech.CachedEncoder(Signs(), str(bench.folder()))  # type: ignore[arg-type]
    return len(cached.encode(sl.speech.Waveform(TONE))), len(cached.encode(sl.speech.Waveform(TONE)))


def _units(bench: Bench) -> Iterator[Odd]:
    def stream(**changes: Any) -> Any:
        good = {"ids": [1, 2], "starts": [0.0, 0.04], "ends": [0.04, 0.08], "frames": [1, 1], "rate": 25.0}
        return lambda: UnitStream(**{**good, **changes})

    for rate in (float("nan"), float("inf"), True, "25", None, 0, -25):
        yield error("UnitStream", f"rate {rate!r}", stream(rate=rate), "rate", "number > 0")
    yield error("UnitStream", "NaN times", stream(starts=[0.0, float("nan")]), "starts", "NaN")
    yield error("UnitStream", "times as texts", stream(ends=["a", "b"]), "ends", "seconds")
    yield error("UnitStream", "no ids", stream(ids=None), "ids", "one axis")
    yield error("UnitStream", "bool ids", stream(ids=[True, False]), "ids are bool", "integers")
    yield error("UnitStream", "frames of another rate", stream(frames=[40, 40]), "80 frames", "rate of the encoder")
    yield error("UnitStream.from_frames", "None", lambda: UnitStream.from_frames(None), "ids are")
    yield error("UnitStream.from_frames", "a number", lambda: UnitStream.from_frames(5), "ids are", "list of unit ids")
    yield error("UnitStream.from_frames", "floats", lambda: UnitStream.from_frames([1.5]), "float64", "integers")
    yield error("UnitStream.from_frames", "an endless offset", lambda: UnitStream.from_frames([1], 25, 1e999), "offset")
    units = UnitStream.from_frames([1, 2, 3])
    yield error("UnitStream.slice_time", "nothing", lambda: units.slice_time(0.1, 0.1), "0.1-0.1", "start < end")
    for start in (float("nan"), "0", None):
        yield error("UnitStream.slice_time", f"{start!r}", lambda s=start: units.slice_time(s, 1), "start=", "number")
    yield error("UnitStream", "backwards", lambda: units[::-1], "backwards")
    yield result("UnitStream", "an empty one", lambda: UnitStream.from_frames([]), lambda found: found.duration == 0)
