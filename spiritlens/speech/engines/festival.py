"""festival: the diphone voice ``ked``, as an engine held out from training (for measurement only).

festival is run once per utterance (0.3-0.5 s) on a Scheme script that saves the wave and prints segments and words with
their times. Debian packages: festival, festvox-kdlpc16k (or festvox-kallpc16k).
"""

import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from spiritlens.arguments import number
from spiritlens.speech.engines.assembling import join_phones, spans_by_letters, waveform_of, word_intervals
from spiritlens.speech.engines.flite import flite_phone
from spiritlens.speech.engines.phones import Phone
from spiritlens.speech.engines.plain_text import UnspeakableError, ascii_word, plain_text
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.engines.utterance import Utterance, voice_name

VOICES = ("ked_diphone", "kal_diphone")
REMEDY = "apt-get install festival festvox-kdlpc16k festvox-kallpc16k"

PROGRAM = """
(voice_{voice})
(Parameter.set 'Duration_Stretch {stretch:.4f})
(set! utt (utt.synth (eval (list 'Utterance 'Text "{text}"))))
(utt.save.wave utt "{wav}" 'riff)
(mapcar (lambda (item) (format t "segment %s %f\\n" (item.name item) (item.feat item "end")))
        (utt.relation.items utt 'Segment))
(mapcar (lambda (item) (format t "word %s %f %f\\n" (item.name item)
          (item.feat item "R:SylStructure.daughter1.daughter1.R:Segment.p.end")
          (item.feat item "R:SylStructure.daughtern.daughtern.R:Segment.end")))
        (utt.relation.items utt 'Word))
"""


@dataclass(frozen=True)
class FestivalVoice:
    """A voice of festival, by the name of its Scheme function without ``voice_``; only the rate can be changed."""

    short_name: str
    rate: float = 1.0
    pitch: float = 1.0

    def __post_init__(self) -> None:
        if self.short_name not in VOICES:
            raise ValueError(f"festival voice {self.short_name!r} is not known; expected one of {', '.join(VOICES)}.")
        rate, pitch = number("rate", self.rate), number("pitch", self.pitch)
        if pitch != 1.0 or not 0.3 <= rate <= 3:
            raise ValueError(
                f"rate {rate} and pitch {pitch}: festival takes rates of 0.3 to 3 and leaves the pitch at 1."
            )
        object.__setattr__(self, "rate", rate)

    @property
    def name(self) -> str:
        """Full name."""
        return voice_name("festival", self.short_name, self.rate, self.pitch)

    @property
    def engine(self) -> str:
        """Engine and version."""
        return f"festival {festival_version()}"

    def speak(self, text: str) -> Utterance:
        """Speak `text`; the words are those spoken (numbers written out)."""
        plain = plain_text(text)
        given = [ascii_word(word) for word in plain.words]
        said = " ".join(word + mark for word, mark in zip(given, plain.marks, strict=True))
        lines, samples, sample_rate = self._run(said, 1 / self.rate)
        audio = waveform_of(samples, sample_rate, self.name)
        segments = [(line[1], float(line[2])) for line in lines if line[0] == "segment"]
        starts = [0.0, *(end for _, end in segments[:-1])]
        phones = [Phone(flite_phone(name), start, end) for start, (name, end) in zip(starts, segments, strict=True)]
        spoken = [(line[1], float(line[2]), float(line[3])) for line in lines if line[0] == "word"]
        spans = spans_by_letters(given, spoken, audio.duration)
        if spans is None:
            raise UnspeakableError(
                f"{self.engine} said {[word for word, *_ in spoken]} for {text!r}; write the words as they sound."
            )
        words = word_intervals(plain.words, range(len(plain.words)), spans)
        return Utterance(audio, text, words, join_phones(phones, audio.duration), self.name, self.engine)

    def _run(self, text: str, stretch: float) -> tuple[list[list[str]], np.ndarray, int]:
        festival_version()
        with tempfile.TemporaryDirectory() as folder:
            wav, script = Path(folder) / "spoken.wav", Path(folder) / "speak.scm"
            quoted = text.replace("\\", "").replace('"', "")
            script.write_text(PROGRAM.format(voice=self.short_name, stretch=stretch, text=quoted, wav=wav))
            done = subprocess.run(["festival", "-b", str(script)], capture_output=True, text=True, check=False)
            if done.returncode != 0 or not wav.exists():
                raise EngineError(f"festival failed on {text!r}: {done.stderr.strip()[-200:]}")
            samples, rate = soundfile.read(wav, dtype="int16")
        return [line.split() for line in done.stdout.splitlines() if line], samples, rate


@functools.cache
def festival_version() -> str:
    """The version of the festival on this machine; an error that says how to get it where there is none."""
    if shutil.which("festival") is None:
        raise EngineError(f"festival is not installed. Get it: {REMEDY}")
    said = subprocess.run(["festival", "--version"], capture_output=True, text=True, check=False).stdout
    return next((word for word in said.replace(":", " ").split() if word[0].isdigit()), "unknown")
