"""A voice that gives sound alone gets its words from the aligner."""

from dataclasses import replace

from spiritlens.speech.voices.aligned import AlignedVoice
from spiritlens.speech.voices.names import voice


class Wordless:
    """The default voice without its words and phones."""

    name, engine = "wordless:one", "wordless 1.0"

    def speak(self, text):
        return replace(voice().speak(text), words=(), phones=(), voice=self.name, engine=self.engine)


def test_words_are_placed_where_the_engine_itself_has_them():
    aligned, true = AlignedVoice(Wordless()), voice().speak("she was born in 1984")
    utterance = aligned.speak("she was born in 1984")
    assert (utterance.voice, utterance.engine) == (aligned.name, aligned.engine) == ("wordless:one", "wordless 1.0")
    assert [word.word for word in utterance.words] == ["she", "was", "born", "in", "nineteen", "eighty", "four"]
    off = [abs(found.start - word.start) for found, word in zip(utterance.words, true.words, strict=True)]
    assert sorted(off)[3] < 0.05, off
