"""The command line: one verb each. `spiritlens --help` opens without torch; modules are imported when a verb runs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import tyro

from spiritlens.studies.settings import Protocol, SensitivitySettings, StudySettings
from spiritlens.studies.source import Dtype, Source
from spiritlens.studies.workers.settings import Workers

if TYPE_CHECKING:
    from spiritlens.prompts.facts.loaded import Facts

Listener = Literal["none", "whisper"]
Settings = TypeVar("Settings", StudySettings, SensitivitySettings)
NOTHING, ALONE = Source(), Workers()


def trace(
    settings: tyro.conf.OmitArgPrefixes[StudySettings],
    source: tyro.conf.OmitArgPrefixes[Source] = NOTHING,
    workers: tyro.conf.OmitArgPrefixes[Workers] = ALONE,
    out: Path = Path("runs/trace"),
    dry_run: bool = False,
    tflops: float = 1.0,
    protocol: Protocol = "own",
    shard: str | None = None,
    accept_versions: bool = False,
) -> None:
    """Trace facts that are written and spoken, compare the two, and write a page (the main job).

    Args:
        settings: How facts are asked and traced.
        source: Which model and facts.
        workers: Who shares the work.
        out: Folder of the results; the same command resumes an interrupted run.
        dry_run: Only say cells, token-layers, FLOPs, memory and hours, before anything runs.
        tflops: Rate in TFLOP/s that the machine sustains, for the hours of a dry run.
        protocol: 'seed' also runs the seed study's protocol on the same facts: those known in each modality, token by
            token, beside our own.
        shard: Make one share of several, such as 2/8; the same command without it then joins them. If left out, what
            torchrun or SLURM set.
        accept_versions: Go on with parts that other versions of packages made.
    """
    from spiritlens.effects.shards import RunFolder, parsed_shard, shard_of_environment

    mine, workers = shard_of_environment() if shard is None else parsed_shard(shard), workers.checked()
    settings, chosen = _begun(settings, source, out, tflops)
    if dry_run:
        from spiritlens.studies.cost import study_cost, study_memory

        costs = study_cost(source.load_lens(), settings, chosen, tflops=tflops, protocol=protocol)
        print(*(f"Maps {name}:\n{cost}" for name, cost in costs.items()), sep="\n")
        asked = len(chosen) if settings.ask == "all" else None
        print(f"All together:\n{study_memory(costs, twins=settings.twins, asked=asked)}")
        return

    from spiritlens.studies.workers.handing_over import hand_over
    from spiritlens.studies.workers.job import StudyJob

    place = RunFolder(out, mine, accept_versions)
    print(hand_over(StudyJob(source, place, settings, protocol, workers.threads), workers))


def sensitivity(
    settings: tyro.conf.OmitArgPrefixes[SensitivitySettings],
    source: tyro.conf.OmitArgPrefixes[Source] = NOTHING,
    out: Path = Path("runs/sensitivity"),
    recogniser: Listener = "none",
    dry_run: bool = False,
    tflops: float = 1.0,
    accept_versions: bool = False,
) -> None:
    """Make the table "what changes if": each choice of a study made in another way, and what it does to the maps.

    Args:
        settings: How the baseline is made.
        source: Which model and facts.
        out: Folder of the results; the same command resumes an interrupted run.
        recogniser: 'whisper' lets Whisper tiny.en listen, for the variant of facts that are heard without an error.
        dry_run: Only say cells, token-layers, FLOPs, memory and hours of each trace, before anything runs.
        tflops: Rate in TFLOP/s that the machine sustains, for the hours of a dry run.
        accept_versions: Go on with parts that other versions of packages made.
    """
    settings, chosen = _begun(settings, source, out, tflops)
    lens = source.load_lens()

    import spiritlens as sl

    if dry_run:
        costs = sl.studies.sensitivity_cost(lens, settings, chosen, tflops=tflops)
        hours = sum(cost.hours for cost in costs.values())
        print(*(f"{name}:\n{cost}" for name, cost in costs.items()), sep="\n")
        print(f"All together: {hours:.3g} hours at {tflops:g} TFLOP/s; other variants cost nothing more")
        print(sl.studies.study_memory(costs))
        return
    listener = sl.speech.Whisper() if recogniser == "whisper" else None
    place = sl.effects.RunFolder(out, accept_versions=accept_versions)
    print(sl.sensitivity(lens, place, settings, chosen, recogniser=listener))


def _begun(settings: Settings, source: Source, out: Path, tflops: float) -> "tuple[Settings, Facts]":
    """Checked settings and the facts; what was left out of a file is told."""
    from spiritlens.arguments import number
    from spiritlens.studies.settings import given_folder

    number("tflops", tflops, above=0)
    given_folder(out)
    facts = source.load_facts(settings.phrasing)
    if facts.left_out:
        print(facts)
    return settings.checked(facts), facts


def check(
    folder: tyro.conf.Positional[Path],
    speech: Path | None = None,
    device: str | None = None,
    dtype: Dtype | None = None,
) -> None:
    """Compare the converted model of a checkpoint folder with Hugging Face's, layer by layer; exit 1 where they differ.

    Args:
        folder: The checkpoint folder.
        speech: An audio file: compare the units of our encoder with those of the official package instead.
        device: Where the models run, such as cpu or cuda:1; the GPU where there is one if left out.
        dtype: Precision of the weights; the checkpoint's if left out.
    """
    import spiritlens as sl

    lens = Source(str(folder), device=device, dtype=dtype).load_lens()
    if speech is None:
        models = sl.selfcheck(lens)
        print(models)
        same = models.agrees
    else:
        from spiritlens.speech.encoders.official import compare_encoders, load_official_units

        official = load_official_units("expressive" if "expressive" in lens.family.name else "base")
        encoders = compare_encoders(lens.required_encoder(), official, sl.speech.read_waveform(speech))
        print(encoders)
        same = encoders.identical
    if not same:
        raise SystemExit(1)


def align(audio: tyro.conf.Positional[Path], text: tyro.conf.Positional[str]) -> None:
    """Find the words of a text in a recording, and print each with its start and end in seconds."""
    import spiritlens as sl

    for word in sl.speech.align(audio, text):
        print(f"{word.start:8.3f} {word.end:8.3f}  {word.word}")


def voices() -> None:
    """List the voices of this machine, and how to get the others."""
    import spiritlens as sl

    for info in sl.speech.available_voices():
        state = f"{info.engine} {info.version}" if info.available else f"not on this machine: {info.remedy}"
        print(f"{info.name:<28} {state}")


def rejoin(folder: tyro.conf.Positional[Path]) -> None:
    """Write the effects.nc of a results folder anew from its parts, as of one by version 0.1, which cut labels.

    Args:
        folder: A folder of results, such as the --out of a trace; one in it named tokens is rejoined with it.
    """
    import spiritlens as sl

    print(sl.effects.rejoin(folder))
    if (folder / "tokens" / "parts").is_dir():
        print(sl.effects.rejoin(folder / "tokens"))


def page(
    folder: tyro.conf.Positional[Path],
    other: tyro.conf.Positional[Path | None] = None,
    out: Path | None = None,
) -> None:
    """Make the page of a results folder anew, or one of two folders side by side; no model is loaded.

    Args:
        folder: A folder of results, such as the --out of a trace.
        other: A second one, of another model, voice or protocol: the averages of both on one page.
        out: Folder of the page; the folder itself if left out, or of two, one beside the first, named after both.
    """
    from spiritlens.report import page as pages

    made = pages.of_folder(folder, out) if other is None else pages.beside(folder, other, out)
    print(made)


def inspect(run: tyro.conf.Positional[Path]) -> None:
    """Tell what a run holds: prompts finished and waiting, failures by reason, workers, hours left.

    Args:
        run: A folder of results, such as the --out of a trace; those in it are told too.
    """
    import spiritlens as sl

    print(*sl.effects.inspect(run), sep="\n")


def verify(
    run: tyro.conf.Positional[Path],
    model: str | None = None,
    cells: int = 20,
    seed: int = 0,
    device: str | None = None,
    dtype: Dtype | None = None,
) -> None:
    """Check the files of a run and trace some of its cells anew; exit 1 where anything is wrong.

    Args:
        run: A folder of results, such as the --out of a trace; those in it are checked too.
        model: Checkpoint folder or name; the embedded model if left out.
        cells: How many random cells of each trace are made anew.
        seed: Which cells are drawn.
        device: Where the model runs, such as cpu or cuda:1; the GPU where there is one if left out.
        dtype: Precision of the weights; the checkpoint's if left out.
    """
    import spiritlens as sl

    lens = Source(model, device=device, dtype=dtype).load_lens()
    found = sl.tracing.verify(lens, run, cells=cells, seed=seed)
    print(*found, sep="\n")
    if any(one.wrong for one in found):
        raise SystemExit(1)


def merge(runs: tyro.conf.Positional[tuple[Path, ...]], out: Path) -> None:
    """Bring runs of one study, made on machines that share no disk, into one folder.

    Args:
        runs: Folders of the same command.
        out: The folder of all of them, new or one of them; the command of the runs, with this --out, finishes them.
    """
    import spiritlens as sl

    print(*sl.effects.merge(runs, out), sep="\n")


DESCRIPTION = (
    "Where and how a speech-text language model recalls facts, in writing and in speech. `spiritlens --version` prints "
    "the version."
)
COMMANDS: dict[str, Callable[..., None]] = {
    verb.__name__: verb
    for verb in (
        trace,
        sensitivity,
        check,
        align,
        voices,
        page,
        rejoin,
        inspect,
        verify,
        merge,
    )
}
"""The verbs, in the order of the help; the names are those of the functions."""
RESUMES = ("trace", "sensitivity")
"""Verbs whose same command goes on where it was interrupted."""


def main() -> None:
    """Run the command line; errors of the user, of files and of speech engines are one line, not a traceback."""
    from spiritlens.speech.engines.process import EngineError

    if sys.argv[1:] == ["--version"]:
        from spiritlens import __version__

        print(f"spiritlens {__version__}")
        return
    try:
        tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="spiritlens", description=DESCRIPTION)
    except KeyboardInterrupt:
        goes_on = "; the same command goes on" if sys.argv[1:2] and sys.argv[1] in RESUMES else ""
        print(f"\nspiritlens: interrupted{goes_on}", file=sys.stderr)
        raise SystemExit(130) from None
    except (ValueError, OSError, ImportError, EngineError) as error:
        raise SystemExit(f"spiritlens: {' '.join(str(error).split())}") from None
