"""What is wrong with an audio container, judged from its bytes before libsndfile reads it.

libsndfile reads a truncated wav or ogg silently short and answers "format not recognised" for everything it does not
know; a look at the container tells these cases apart. Formats: RIFF (size in bytes 4-8, little endian), Ogg (RFC 3533:
the last page of a stream carries flag 4), ISO base media (``ftyp`` in bytes 4-8), Matroska/WebM (EBML magic).
"""

LEAST_UNKNOWN_SIZE = 0x7FFF0000
"""Sizes from here on, and 0, are what streaming writers leave in a RIFF header because they cannot seek back."""


def container_problem(data: bytes) -> str:
    """What is wrong with `data` and the remedy ("is empty ..."), or "" where nothing is seen to be wrong."""
    if not data:
        return "is empty (0 bytes). Record or copy it again."
    if data[4:8] == b"ftyp":
        return "is an MP4/M4A file, which libsndfile does not read. Convert it: ffmpeg -i INPUT.m4a OUTPUT.wav"
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return "is a WebM/Matroska file, which libsndfile does not read. Convert it: ffmpeg -i INPUT.webm OUTPUT.wav"
    if data[:4] == b"RIFF":
        return _riff_problem(data)
    if data[:4] == b"FORM":
        return _aiff_problem(data)
    if data[:4] == b"OggS":
        return _ogg_problem(data)
    if _looks_like_text(data[:512]):
        return "is a text file, not audio. Name the audio file itself."
    return ""


def _riff_problem(data: bytes) -> str:
    """Compare the sizes that the header and the data chunk promise with what is there."""
    chunks = [(b"RIFF", 8, int.from_bytes(data[4:8], "little"))]
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        chunks.append((data[place : place + 4], place + 8, size))
        place += 8 + size + size % 2
    for name, start, size in chunks:
        unknown = size == 0 or size >= LEAST_UNKNOWN_SIZE
        if name in (b"RIFF", b"data") and not unknown and start + size > len(data) + 1:  # a padding byte may be missing
            return (
                f"is truncated: its {name.decode()} header promises {start + size} bytes, {len(data)} are there. "
                "Copy the file again."
            )
    return ""


def _aiff_problem(data: bytes) -> str:
    promised = 8 + int.from_bytes(data[4:8], "big")
    if promised > len(data) + 1:
        return f"is truncated: its header promises {promised} bytes, {len(data)} are there. Copy the file again."
    return ""


def _ogg_problem(data: bytes) -> str:
    last = data.rfind(b"OggS")
    header = data[last : last + 27]
    if len(header) == 27:
        segments = data[last + 27 : last + 27 + header[26]]
        complete = len(segments) == header[26] and last + 27 + len(segments) + sum(segments) <= len(data)
        if complete and header[5] & 4:
            return ""
    return "is truncated: its last Ogg page is missing. Copy the file again."


def _looks_like_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # a character cut at the end of the sample is still text
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n" for character in text)
