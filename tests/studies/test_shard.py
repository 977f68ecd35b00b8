"""Shards of a study make its traces; the whole then finds them done and writes what one process would."""

from pathlib import Path

import pytest

import spiritlens as sl
from spiritlens.analysis.tracing import causal_tracing
from spiritlens.effects.netcdf import differences
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.studies import kept_answers

SETTINGS = sl.studies.StudySettings(
    n_facts=2,
    n_token_maps=1,
    samples=1,
    components=("mlp_out",),
    floors=("control",),
    ceilings=("phrasing",),
    ask="all",
)


@pytest.mark.slow
def test_shards_and_the_whole_make_what_one_process_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lens, facts = sl.load(), [fact for fact in sl.load_facts() if fact.group == "both"][:4]
    one = sl.study(lens, tmp_path / "one", SETTINGS, facts)
    for number in (2, 1, 3):
        place = sl.effects.RunFolder(tmp_path / "shared", sl.effects.Shard(number, 3))
        reports = sl.studies.study_shard(lens, place, SETTINGS, facts)
    assert {report.folder.name for report in reports} == {"shared", "plain", "tokens", "control", "phrasing"}
    assert [report.waiting for report in reports] == [0] * 5
    assert not any(report.joined for report in reports)
    more_than_prompts = sl.effects.RunFolder(tmp_path / "shared", sl.effects.Shard(9, 9))
    assert sl.studies.study_shard(lens, more_than_prompts, SETTINGS, facts) == reports, "nothing falls to it"
    with pytest.raises(ValueError, match=r"the shard 3/3: spiritlens\.studies\.study_shard"):
        sl.study(lens, place, SETTINGS, facts)
    monkeypatch.setattr(causal_tracing, "trace_prompt", lambda *rest, **more: pytest.fail("a prompt was traced"))
    shared = sl.study(lens, tmp_path / "shared", SETTINGS, facts)
    for name in ("effects", "tokens", "plain"):
        found, expected = (getattr(each, name).assign_attrs(created="") for each in (shared, one))
        assert differences(expected, found) == []
    assert shared.findings == one.findings
    lines = [sorted((tmp_path / name / "answers.jsonl").read_text().splitlines()) for name in ("one", "shared")]
    assert lines[0] == lines[1]


def test_a_second_process_on_a_shard_is_told_before_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "known_prompts", lambda *rest: pytest.fail("a fact was asked"))
    shard = sl.effects.Shard(1, 2)
    run = RunDirectory(tmp_path)
    run.parts.mkdir()
    with run.at_work(shard), pytest.raises(ValueError, match="another process is at work on shard 1/2 of this run"):
        sl.studies.study_shard(sl.load(), sl.effects.RunFolder(tmp_path, shard), SETTINGS)
