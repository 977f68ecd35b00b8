"""Spoken words read out of the states that write them."""

from dataclasses import replace

from spiritlens.analysis.lenses.implicit_transcription import implicit_transcription
from spiritlens.analysis.lenses.logit_lens import logit_lens


def test_a_word_is_transcribed_from_the_state_that_writes_it(machine):
    """A hook writes the text token of 'colour' into the units of that word from block 3 on: the table finds state 4."""
    lens, prompt = machine.lens, machine.speech("marlo")
    target = lens.vocabulary.answer_ids("red")[0]
    word = prompt.span("colour").positions
    direction = lens.backend.w_u[:, target] * 50

    def write(mlp_out):
        changed = mlp_out.clone()
        changed[:, list(word)] += direction
        return changed

    assert implicit_transcription(lens, [prompt], top=1)["layer"].isna().all()
    relabelled = replace(prompt, words=tuple("red" if w == "colour" else w for w in prompt.words))
    with lens.backend.hooked([("blocks.3.hook_mlp_out", write)]):
        table = implicit_transcription(lens, [relabelled], top=1)
    row = table.loc[table.word == "red"].iloc[0]
    assert (row["layer"], row["best_rank"], row["token"]) == (4, 1, "▁red")
    assert row["positions"] == word
    assert set(table["word"]) == {"the", "red", "of", "marlo", "is"}


def test_written_words_are_not_transcribed(machine):
    assert len(implicit_transcription(machine.lens, [machine.prompts[0]])) == 0


def test_a_folder_of_the_logit_lens_serves_both(machine, tmp_path, monkeypatch):
    prompts = [machine.prompts[13], machine.speech("marlo")]
    table = implicit_transcription(machine.lens, prompts, top=3, progress="none")
    states = logit_lens(machine.lens, prompts, top=3, folder=tmp_path, progress="none")
    best = [states["rank"].values[0][:, list(where)].min() for where in table["positions"][:5]]
    assert table["best_rank"].tolist()[:5] == best
    monkeypatch.setattr(type(machine.lens.backend), "cache", None)  # nothing is run again
    kept = implicit_transcription(machine.lens, prompts, top=3, folder=tmp_path, progress="none")
    assert kept.equals(table)
