"""What lies in the bytes of an audio file, judged before libsndfile reads it.

libsndfile reads a truncated file silently short, the first of several recordings alone, an MP3 to the length that it
guesses, and answers "format not recognised" for all that it does not know. A look at the container keeps these cases
apart: `contents_of` gives the parts to decode one after the other, what is left over, or what is wrong.

Formats: containers of chunks (`chunked`), Ogg (`ogg`), MPEG audio (`mpeg`), FLAC (here). What libsndfile knows beyond
them is passed on as it is.
"""

from itertools import pairwise

from spiritlens.speech.audio.chunked import chunked_contents
from spiritlens.speech.audio.contents import Contents, SoundPart
from spiritlens.speech.audio.mpeg import is_mpeg, mpeg_contents, tag_size
from spiritlens.speech.audio.ogg import ogg_contents

UNREAD = (
    (4, b"ftyp", "an MP4/M4A file", "m4a"),
    (0, b"\x1a\x45\xdf\xa3", "a WebM/Matroska file", "webm"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file", "wma"),
    (0, b"#!AMR", "an AMR file", "amr"),
    (0, b"MAC ", "a Monkey's Audio file", "ape"),
    (0, b"wvpk", "a WavPack file", "wv"),
    (0, b"TTA1", "a TTA file", "tta"),
    (0, b"ajkg", "a Shorten file", "shn"),
    (0, b"DSD ", "a DSD file", "dsf"),
    (0, b"FLV\x01", "a Flash video", "flv"),
    (0, b"FWS", "a Flash file", "swf"),
    (0, b"\0\0\x01\xba", "an MPEG video", "mpg"),
)
"""Sound that libsndfile does not read: place and bytes that show it, what it is, its ending."""

NO_AUDIO = (
    (b"PK\x03\x04", "is a zip archive. Unpack it and name a file of it."),
    (b"\x1f\x8b", "is compressed by gzip. Unpack it first: gunzip FILE"),
    (b"BZh", "is compressed by bzip2. Unpack it first: bunzip2 FILE"),
    (b"\xfd7zXZ", "is compressed by xz. Unpack it first: unxz FILE"),
    (b"MThd", "is a MIDI file: notes, no sound. Name a recording."),
    (b"\x89PNG", "is a picture. Name the audio file."),
    (b"\xff\xd8\xff", "is a picture. Name the audio file."),
    (b"%PDF", "is a PDF document. Name the audio file."),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself. Fetch it: git lfs pull"),
)
FLAC_START = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
"""The mark of a FLAC stream and the header of its first block, which is the only one or is followed by others."""
FLAC_COUNT = (1 << 36) - 1
"""The bits of a FLAC stream's number of samples."""


def contents_of(data: bytes) -> Contents:
    """The parts of `data` that libsndfile decodes one after the other, and what else is to be said of it."""
    if problem := _no_audio(data):
        return Contents.refused(problem)
    if (chunked := chunked_contents(data)) is not None:
        return chunked
    if data[:4] == b"OggS":
        return ogg_contents(data)
    if data[:3] == b"ID3":
        sound = data[_tags_size(data) :]
        return _flac_contents(sound) if sound[:4] == b"fLaC" else mpeg_contents(data)
    if data[:4] == b"fLaC":
        return _flac_contents(data)
    if is_mpeg(data):
        return mpeg_contents(data)
    if _looks_like_text(data[:512]):
        kind = "a web page" if data.lstrip()[:1] == b"<" else "a text file"
        return Contents.refused(f"is {kind}, not audio. Name the audio file itself.")
    return Contents.of(data)


def _no_audio(data: bytes) -> str:
    if not data:
        return "is empty (0 bytes). Record or copy it again."
    for place, mark, kind, ending in UNREAD:
        if data[place : place + len(mark)] == mark:
            return f"is {kind}, which libsndfile does not read. Convert it: ffmpeg -i INPUT.{ending} OUTPUT.wav"
    if data[0] == 0xFF and len(data) > 1 and data[1] & 0xF6 == 0xF0:
        return "is an AAC stream, which libsndfile does not read. Convert it: ffmpeg -i INPUT.aac OUTPUT.wav"
    return next((problem for mark, problem in NO_AUDIO if data.startswith(mark)), "")


def _tags_size(data: bytes) -> int:
    place = 0
    while data[place : place + 3] == b"ID3" and (tag := tag_size(data, place)):
        place += tag
    return place


def _flac_contents(data: bytes) -> Contents:
    """FLAC streams that were put one after the other, each as a part."""
    starts = [0]
    while (place := min((at for mark in FLAC_START if (at := data.find(mark, starts[-1] + 4)) > 0), default=0)) > 0:
        starts.append(place)
    return Contents(tuple(_flac_part(data[start:end]) for start, end in pairwise([*starts, len(data)])))


def _flac_part(data: bytes) -> SoundPart:
    """A stream whose stated number of samples (36 bits of its first block) is left open, so that it is read on."""
    stated = int.from_bytes(data[21:26], "big") & FLAC_COUNT
    if not stated:
        return SoundPart(data)
    left_open = (int.from_bytes(data[21:26], "big") & ~FLAC_COUNT).to_bytes(5, "big")
    return SoundPart(data[:21] + left_open + data[26:], stated)


def _looks_like_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # a character cut at the end of the sample is still text
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n" for character in text)
