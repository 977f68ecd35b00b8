"""The spoken sets that are in use, each as a small file in its layout, loaded as the docs' table says.

Layouts: the sets' own pages and public code that reads them (columns of UltraEval-Audio's sets, slamkit's metrics).
Every fact that is loaded becomes a spoken prompt of the embedded model with its sound's units.
"""

import json

import pytest
from clips import CAPITALS, clip, question, said, timed

import spiritlens as sl
from spiritlens.models.fact_prompts import spoken_prompts

COUNTRIES = tuple(CAPITALS)[:3]


@pytest.fixture(scope="module")
def lens():
    return sl.load()


def audio(country, ending="wav", rate=16000):
    return {"bytes": clip(question(country), ending, rate), "path": f"{country}.{ending}"}


def parquet(rows, path):
    from datasets import Dataset

    Dataset.from_list(rows).to_parquet(str(path))
    return path


def all_become_prompts(lens, facts):
    made = spoken_prompts(lens, facts, progress="none")
    assert made.left_out.counts == {}
    assert [prompt.fact_id for prompt in made.spoken] == [fact.id for fact in facts]
    assert [prompt.answer for prompt in made.written] == [fact.answer for fact in facts]
    for fact, prompt in zip(facts, made.spoken, strict=True):
        own = lens.audio(said(fact.text()).waveform, answer=fact.answer, text=fact.text())
        assert prompt.kind == "S2T"
        assert abs(len(prompt) - len(own)) <= 0.2 * len(own), "coding a sound changes some units, not the sound"
    return made


def test_fixie_llama_questions(lens, tmp_path):
    rows = [{"question": question(c), "answer": CAPITALS[c], "audio": audio(c, "mp3", 24000)} for c in COUNTRIES]
    facts = sl.load_facts(parquet(rows, tmp_path / "test.parquet"), {"subject": None})
    assert [(fact.answer, fact.subject) for fact in facts] == [("Paris", ""), ("Berlin", ""), ("Madrid", "")]
    all_become_prompts(lens, facts)


def test_ultraeval_llama_questions(lens, tmp_path):
    rows = [{"Questions": question(c), "Answer": CAPITALS[c], "audio": audio(c, "wav", 24000)} for c in COUNTRIES]
    path = parquet(rows, tmp_path / "test.parquet")
    all_become_prompts(lens, sl.load_facts(path, {"prompt": "Questions", "answer": "Answer", "subject": None}))
    with pytest.raises(
        ValueError, match="no column holds the subject or the prompt; its columns are Questions, Answer"
    ):
        sl.load_facts(path)


def test_ultraeval_web_questions_and_triavia_qa(lens, tmp_path):
    rows = [{"url": "x", "question": question(c), "answers": [CAPITALS[c], "x"], "audio": audio(c)} for c in COUNTRIES]
    facts = sl.load_facts(parquet(rows, tmp_path / "web.parquet"), {"subject": None})
    assert facts[0].accepted == ("Paris", "x")
    all_become_prompts(lens, facts)
    rows = [{"question": question(c), "answer": CAPITALS[c], "audio": audio(c)} for c in COUNTRIES]
    all_become_prompts(lens, sl.load_facts(parquet(rows, tmp_path / "trivia.parquet"), {"subject": None}))


def test_fixie_trivia_qa_audio(lens, tmp_path):
    def answer(country):
        name = CAPITALS[country]
        return {
            "aliases": [name, f"City of {name}"],
            "normalized_aliases": [name.lower()],
            "type": "Entity",
            "value": name,
        }

    rows = [
        {
            "question_id": f"tc_{n}",
            "question": f"{question(c)}?",
            "answer": answer(c),
            "question_audio": audio(c, "mp3", 48000),
        }
        for n, c in enumerate(COUNTRIES)
    ]
    facts = sl.load_facts(parquet(rows, tmp_path / "validation.parquet"), {"subject": None})
    assert [fact.id for fact in facts] == ["tc_0", "tc_1", "tc_2"]
    assert facts[0].accepted == ("Paris", "City of Paris")
    all_become_prompts(lens, facts)


def test_mistral_triviaqa_speech_is_paired_by_id(lens, tmp_path):
    questions = [
        {"question_id": f"tc_{n}", "question": question(c), "answer": {"value": CAPITALS[c], "aliases": []}}
        for n, c in enumerate(CAPITALS)
    ]
    (tmp_path / "trivia.jsonl").write_text("\n".join(map(json.dumps, questions)))
    sounds = [{"question_id": f"tc_{n}", "audio": audio(c, "opus", 24000)} for n, c in enumerate(CAPITALS) if n != 1]
    sounds[-1]["audio"] = {"bytes": None, "path": None}
    sounds.append({"question_id": "tc_99", "audio": audio("France")})
    facts = sl.load_facts(tmp_path / "trivia.jsonl", {"subject": None})
    paired = sl.prompts.with_sounds(facts, parquet(sounds[::-1], tmp_path / "speech.parquet"))
    assert [fact.id for fact in paired] == ["tc_0", "tc_2"]
    assert paired.left_out.counts == {"no sound": 3, "a sound of no fact": 1}
    made = all_become_prompts(lens, paired)
    assert [prompt.answer for prompt in made.spoken] == ["Paris", "Madrid"]


def test_heysquad_human(lens):
    from datasets import Audio, Dataset

    rows = [
        {
            "id": f"57_{n}",
            "question": question(c),
            "context": "a long passage",
            "transcription": "what it the capital",
            "answers": [{"answer_start": 3, "text": CAPITALS[c]}, {"answer_start": 9, "text": CAPITALS[c]}]
            if n
            else [],
            "is_impossible": n == 0,
            "plausible_answers": None,
            "audio": audio(c, "flac", 44100),
        }
        for n, c in enumerate(CAPITALS)
    ]
    data = Dataset.from_list(rows).cast_column("audio", Audio())
    facts = sl.load_facts(data, {"subject": None})
    assert [fact.answer for fact in facts] == ["Berlin", "Madrid", "Rome"]
    assert facts.left_out.counts == {"no answer": 1}
    assert {type(fact.sounds[0].audio).__name__ for fact in facts} == {"RowAudio"}, "the sound stays on disk"
    all_become_prompts(lens, facts)
    all_become_prompts(lens, sl.load_facts(data.to_iterable_dataset(), {"subject": None}))


def test_spoken_squad_in_text_and_audio_of_passages(tmp_path):
    from datasets import Dataset

    from spiritlens.speech.recordings import recordings_of_dataset

    qas = [
        {"id": f"57_{c}", "question": question(c), "answers": [{"text": CAPITALS[c], "answer_start": 1}]}
        for c in COUNTRIES
    ]
    record = {"version": "1.1", "data": [{"title": "Capitals", "paragraphs": [{"context": "paris", "qas": qas}, {}]}]}
    (tmp_path / "spoken_train-v1.1.json").write_text(json.dumps(record))
    facts = sl.load_facts(tmp_path / "spoken_train-v1.1.json", {"subject": None, "tags": ["title"]})
    assert (facts[0].id, facts[0].answer, facts[0].tags["title"]) == ("57_France", "Paris", "Capitals")
    assert facts.left_out.counts == {"the row cannot be read": 1}
    passages = [{"context": audio("France"), "instruction": question("Spain"), "answer": "Madrid"}]
    (recording,) = recordings_of_dataset(Dataset.from_list(passages))
    assert recording.columns["instruction"] == question("Spain")
    assert recording.waveform().duration > 0.5


def test_voxeval_has_a_folder_for_each_voice(lens, tmp_path):
    facts = [
        sl.Fact(f"geography_4o/{n}", "geography", c, CAPITALS[c], "", {"first": "What is the capital of {subject}"})
        for n, c in enumerate(COUNTRIES)
    ]
    for voice in ("alloy", "noise"):
        for n, c in enumerate(COUNTRIES[: 3 if voice == "alloy" else 2]):
            path = tmp_path / "test" / voice / "geography_4o" / f"{n}.mp3"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(clip(question(c), "mp3", 24000))
    paired = sl.prompts.with_sounds(facts, tmp_path / "test", names="{voice}/{id}")
    assert [[sound.voice for sound in fact.sounds] for fact in paired] == [["alloy", "noise"]] * 2 + [["alloy"]]
    made = spoken_prompts(lens, paired, progress="none")
    assert [prompt.voice for prompt in made.spoken] == ["alloy", "noise", "alloy", "noise", "alloy"]
    assert len(made.written) == 3
    assert {prompt.subject.name for prompt in made.spoken} == set(COUNTRIES)


def test_words_with_their_times_from_columns_and_files(lens, tmp_path):
    from datasets import Dataset

    structs = {
        c: [dict(zip(("word", "start", "end"), one, strict=True)) for one in timed(question(c))] for c in COUNTRIES
    }
    rows = [
        {
            "subject": c,
            "question": question(c),
            "answer": CAPITALS[c],
            "clip": audio(c, "flac", 48000),
            "aligned": structs[c],
            "tokens": [one["word"] for one in structs[c]],
            "from": [one["start"] for one in structs[c]],
            "to": [one["end"] for one in structs[c]],
            "whisper": json.dumps({"segments": [{"words": structs[c]}]}),
        }
        for c in COUNTRIES
    ]
    data = Dataset.from_list(rows)
    wanted = [lens.audio(said(question(c)).waveform, c, CAPITALS[c], words=timed(question(c))) for c in COUNTRIES]
    for columns in ({"words": "aligned"}, {"words": "tokens", "starts": "from", "ends": "to"}, {"words": "whisper"}):
        for source in (data, data.to_pandas(), rows):
            made = spoken_prompts(lens, sl.load_facts(source, columns), progress="none")
            assert made.left_out.counts == {}
            assert [prompt.words for prompt in made.spoken] == [prompt.words for prompt in wanted]
            assert [prompt.subject.name for prompt in made.spoken] == list(COUNTRIES)
    for c in COUNTRIES:
        (tmp_path / f"{c}.mp3").write_bytes(clip(question(c), "mp3", 44100))
    ctm = "".join(
        f"{c} 1 {w['start']:.2f} {w['end'] - w['start']:.2f} {w['word']}\n" for c in COUNTRIES for w in structs[c]
    )
    (tmp_path / "all.ctm").write_text(ctm)
    facts = [
        sl.Fact(c, "capital", c, CAPITALS[c], "", {"first": "What is the capital of {subject}"}) for c in COUNTRIES
    ]
    made = spoken_prompts(lens, sl.prompts.with_sounds(facts, tmp_path, words=tmp_path / "all.ctm"), progress="none")
    assert [prompt.words for prompt in made.spoken] == [prompt.words for prompt in wanted]
    (tmp_path / "France.ctm").write_text("".join(ctm.splitlines(True)[: len(structs["France"])]))
    row = "France.mp3,France,Paris,What is the capital of France"
    (tmp_path / "metadata.csv").write_text(f"file_name,subject,answer,question\n{row}\n")
    (tmp_path / "Spain.mp3").unlink()
    with pytest.warns(UserWarning, match=r"does not name 1 of the sound files"):
        (fact,) = sl.load_facts(tmp_path)
    assert fact.sounds[0].words == tmp_path / "France.ctm", "the file of words beside the sound"
    assert spoken_prompts(lens, [fact], progress="none").spoken[0].words == wanted[0].words


def test_cross_modal_triples(lens, tmp_path):
    for n, country in enumerate(COUNTRIES):
        texts = {
            "mutual": f"the capital of {country} is".lower(),
            "correct": CAPITALS[country].lower(),
            "incorrect": "rome",
        }
        for part, text in texts.items():
            (tmp_path / f"{n}_{part}.txt").write_text(text)
            (tmp_path / f"{n}_{part}.wav").write_bytes(clip(text))
    (tmp_path / "2_mutual.wav").unlink()
    facts = sl.load_facts(tmp_path)
    assert facts.layout == "slamkit's triples"
    assert [(fact.answer, fact.foil, fact.subject) for fact in facts] == [("paris", "rome", ""), ("berlin", "rome", "")]
    assert facts.left_out.counts == {"the row cannot be read": 1}
    assert "the triple 2: its mutual sound is missing" in facts.left_out.rows[0].detail
    made = all_become_prompts(lens, facts)
    assert all(prompt.foil_ids for prompt in made.prompts)


def test_a_folder_that_was_spoken_here(lens, tmp_path):
    facts = sl.load_facts()[:2]
    sl.prompts.speak(
        facts, ["espeak:en-us", "espeak:en-us+f2"], tmp_path, phrasings=("first", "held out"), progress="none"
    )
    loaded = sl.load_facts(tmp_path)
    assert [fact.id for fact in loaded] == [fact.id for fact in facts]
    assert [list(fact.templates) for fact in loaded] == [["first", "held out"]] * 2
    assert loaded.left_out.counts == {}
    made = spoken_prompts(lens, loaded, progress="none")
    assert len(made.spoken) == 8
    assert len(made.written) == 4
    for prompt in made.spoken:
        fact = next(one for one in facts if one.id == prompt.fact_id)
        own = lens.speak(fact.text(prompt.phrasing), fact.subject, fact.answer, fact.foil or None, voice=prompt.voice)
        assert prompt.ids == own.ids, "recorded and read back, it is the prompt that is spoken here"
        assert prompt.subject.positions == own.subject.positions
