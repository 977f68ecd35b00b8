"""Files of equal sounds are equal, and other programs read them."""

import io

import numpy as np
import soundfile

from spiritlens.report.page.ogg import checksum, with_one_number


def encoded() -> bytes:
    buffer = io.BytesIO()
    tone = (0.3 * np.sin(np.arange(8000) / 20)).astype(np.float32)
    soundfile.write(buffer, tone, 16_000, format="OGG", subtype="OPUS")
    return buffer.getvalue()


def test_a_page_is_counted_as_an_encoder_counts_it() -> None:
    page = encoded()[:47]
    assert page[:4] == b"OggS"
    assert page[26:28] == b"\x01\x13", "one segment of 19 bytes"
    bare = page[:22] + bytes(4) + page[26:]
    assert checksum(bare) == int.from_bytes(page[22:26], "little")


def test_equal_sounds_are_equal_bytes_and_read_as_before() -> None:
    first, second = encoded(), encoded()
    assert first != second, "an encoder draws the number of a stream"
    assert with_one_number(first) == with_one_number(second) == with_one_number(with_one_number(first))
    here, rate = soundfile.read(io.BytesIO(with_one_number(first)))
    there, _ = soundfile.read(io.BytesIO(first))
    assert rate == 16_000
    np.testing.assert_array_equal(here, there)
