"""Hard subjects: each is found in speech where it is found in writing, and is the words that were said for it."""

import pytest

import spiritlens as sl
from spiritlens.prompts.building.phrases import phrase_in_text, spoken_members
from spiritlens.speech.engines.plain_text import plain_text

SUBJECTS = [
    ("Apollo 11 landed on the", "Apollo 11", "Apollo eleven"),
    ("The capital of the U.S. is", "U.S.", "U S"),
    ("Spider-Man lives in", "Spider-Man", "Spider Man"),
    ("AT&T is based in", "AT&T", "AT and T"),
    (".NET is made by", ".NET", "dot NET"),
    ("Rome\u200b is in", "Rome", "Rome"),
    ("Mr. Bean is played by", "Mr. Bean", "mister Bean"),
    ("J.R.R. Tolkien was born in", "J.R.R. Tolkien", "J R R Tolkien"),
    ("Washington, D.C. is the capital of", "Washington, D.C.", "Washington D C"),
    ("Washington, D.C. is the capital of", "Washington", "Washington"),
    ("1917 was directed by", "1917", "nineteen seventeen"),
    ("C++ was created by", "C++", "C plus plus"),
    ("C# was created by", "C#", "C sharp"),
    ("France's capital is", "France", "France's"),
    ("France’s capital is", "France's", "France's"),
    ("The players' cup is in", "players", "players"),
    ("AT&T's seat is in", "AT&T", "AT and T's"),
    ("Henry VIII's wife was", "Henry VIII", "Henry eight's"),
    ("Louis XIV was king of", "Louis XIV", "Louis fourteen"),
    ("Xi Jinping was born in", "Xi Jinping", "Xi Jinping"),
    ("Malcolm X was born in", "Malcolm X", "Malcolm X"),
    ("iPhone 4s is made by", "iPhone 4s", "iPhone four s"),
    ("Windows 8.1 is made by", "Windows 8.1", "Windows eight point one"),
    ("B-29 Superfortress is made by", "B-29 Superfortress", "B twenty nine Superfortress"),
    ("Audible.com is owned by", "Audible.com", "Audible dot com"),
    ("X11.app, made by", "X11.app", "X eleven dot app"),
    ("Law & Order debuted on", "Law & Order", "Law and Order"),
    ("Smith & Wesson's seat is in", "Smith & Wesson", "Smith and Wesson's"),
    ("Sir Francis Baring, 1st Baronet, died in", "Sir Francis Baring, 1st Baronet", "Sir Francis Baring first Baronet"),
    ("Bandai Co., Ltd. is owned by", "Bandai Co., Ltd.", "Bandai Co Ltd"),
    ("The Stadium (San Siro) is in", "Stadium (San Siro)", "Stadium San Siro"),
    ("The Federation (Ontario Section)'s leader is", "Federation (Ontario Section)", "Federation Ontario Section's"),
    ("Côte d'Ivoire borders", "Côte d'Ivoire", "Côte d'Ivoire"),
    ("Co\u0302te d’Ivoire borders", "Côte d'Ivoire", "Côte d'Ivoire"),
    ("São Tomé is in", "São Tomé", "São Tomé"),
    ("Kyōto Prefecture is in", "Kyōto Prefecture", "Kyōto Prefecture"),
    ("The brother of O’Brien is", "O'Brien", "O'Brien"),
    ("D'Qwell Jackson plays", "D'Qwell Jackson", "D'Qwell Jackson"),
    ("Howlin' Wolf plays", "Howlin' Wolf", "Howlin Wolf"),
    ("Giovanni di Bicci de' Medici was born in", "Giovanni di Bicci de' Medici", "Giovanni di Bicci de Medici"),
    ("“Il Postino: The Postman” was filmed in", "Il Postino: The Postman", "Il Postino The Postman"),
    ("Saint-Louis-de-Kent, Canada is in", "Saint-Louis-de-Kent, Canada", "Saint Louis de Kent Canada"),
    ("J-pop comes from", "J-pop", "J pop"),
    ("Yahoo was founded by", "Yahoo!", "Yahoo"),
    ("Yahoo! was founded by", "Yahoo", "Yahoo"),
    ("Martin Luther King, Jr. was born in", "Martin Luther King Jr", "Martin Luther King Jr"),
    ("St. Louis is located in", "St Louis", "St Louis"),
    ("Die Straße ist in", "STRASSE", "Straße"),
    ("The 1980s were", "1980s", "nineteen eighties"),
    ("The 2005 Australian Open was won by", "2005 Australian Open", "two thousand five Australian Open"),
    ("The war of 1939–45 began in", "war of 1939-45", "war of nineteen thirty nine to forty five"),
    ("The war of 1939–45 began in", "1939", "nineteen thirty nine"),
    ("A $5 bill shows", "$5 bill", "five dollars bill"),
    ("$1.5 million is the price of", "$1.5 million", "one point five million dollars"),
    ("The square of -1 is", "square of -1", "square of minus one"),
    ("3/4 of it is", "3/4", "three quarters"),
    ("½ of it is", "½", "one half"),
    ("50% of it is", "50%", "fifty per cent"),
    ("20 °C is the same as", "20 °C", "twenty degrees Celsius"),
    ("10:30 is the time of", "10:30", "ten thirty"),
    ("No. 5 is made by", "No. 5", "No five"),
    ("New\u00a0York lies in", "New York", "New York"),
    ("AC/DC comes from", "AC/DC", "AC slash DC"),
    ("CO₂ is made of", "CO₂", "CO two"),
    ("1,000,000 people live in", "1,000,000 people", "one million people"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "subject", "words"), SUBJECTS)
def test_hard_subjects_are_the_words_said_for_them(text, subject, words):
    assert len(phrase_in_text(text, subject)) == 1
    plain = plain_text(text)
    (((first, end),), halves) = spoken_members(text, plain.characters, subject)
    assert list(plain.words[first:end]) == words.split()
    assert halves == []


@pytest.fixture(scope="module")
def lens():
    return sl.load()


@pytest.mark.parametrize(("text", "subject", "words"), SUBJECTS[:12])
def test_units_of_a_spoken_subject_are_those_of_its_words(lens, text, subject, words):
    lens.text(text, subject=subject, answer="Paris")
    prompt = lens.speak(text, subject=subject, answer="Paris")
    assert prompt.subject.name == words
    covered = sorted({prompt.word_index[position] for position in prompt.subject} - {-1})
    assert [prompt.words[number] for number in covered] == words.split()
    outside = set(range(len(prompt.ids))) - set(prompt.subject.positions)
    assert not {prompt.word_index[position] for position in outside} & set(covered)


def test_a_recording_with_its_text_finds_the_subject_too(lens):
    pytest.importorskip("pocketsphinx")
    spoken = sl.speech.voice().speak("Apollo 11 landed on the")
    prompt = lens.audio(spoken.waveform, subject="Apollo 11", answer="moon", text="Apollo 11 landed on the")
    assert prompt.subject.name == "Apollo eleven"
    given = lens.audio(spoken.waveform, subject="Apollo 11", answer="moon", words=spoken.words)
    assert given.subject.name == "Apollo eleven"


def test_each_voice_of_a_sentence_has_an_id_of_its_own(lens):
    names = ["espeak:en-us", "espeak:en-us+m1", "espeak:en-us+m2", "espeak:en-us+f1", "espeak:en-us+f2", "espeak:en-gb"]
    asked = ("The capital of France is", "France", "Paris")
    assert len({lens.speak(*asked, voice=name).id for name in names}) == len(names)
    paced = [
        sl.speech.voice(),
        sl.speech.voice(rate=1.2),
        sl.speech.voice(rate=0.8),
        sl.speech.voice(pitch=1.2),
        sl.speech.voice(rate=1.2, pitch=1.2),
    ]
    prompts = [lens.speak(*asked, voice=voice) for voice in paced]
    assert [prompt.voice for prompt in prompts][1::3] == ["espeak:en-us rate 1.2", "espeak:en-us rate 1.2 pitch 1.2"]
    assert len({prompt.id for prompt in prompts}) == len(paced)
