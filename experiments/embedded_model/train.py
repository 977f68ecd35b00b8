"""Train the embedded speech-text model from nothing but text: one command, about 90 minutes on 2 CPU cores.

    python -m experiments.embedded_model.train --out runs/embedded

Stages, each resumed or skipped when its result is there:

1. corpus: facts and word lists spoken by the training voices (`corpus/`);
2. teacher: a first unit encoder learns the phones of the corpus (`teacher/`);
3. student: a small HuBERT learns its units (`student/`, in the layout of SpiritLM's speech tokenizer);
4. units: the corpus as units (`units/`);
5. lm: the text pieces and the language model (`lm/`, with `curve.json` and `curve.html`);
6. export: the folder that `spiritlens.load(FOLDER)` takes (`model/`);
7. measure: the table of groups, modalities and voices (`measured.json`, `measured.md`).

flite's voices need Debian's `flite` (`apt-get install flite`); `--stages` runs some of the stages only. A second course
goes on from a finished model, with its unit encoder (teacher and student are left out):

    python -m experiments.embedded_model.train --out runs/second --preset second --seed 1 --start MODEL_FOLDER

The preset *few* is for the curve of carry-over: countries have none to six facts in both modalities.
"""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from tqdm import tqdm

from experiments.embedded_model.corpus import MEASURED_KINDS, make_corpus
from experiments.embedded_model.export import export_folder, untrained_ids
from experiments.embedded_model.language_model.curves import write_curve_page
from experiments.embedded_model.language_model.documents import Documents, TokenIds
from experiments.embedded_model.language_model.language_model import load_last, train_language_model
from experiments.embedded_model.language_model.monitoring import Watched, watched
from experiments.embedded_model.language_model.pieces import train_pieces
from experiments.embedded_model.language_model.unit_corpus import encode_corpus, read_encoded
from experiments.embedded_model.settings import PRESETS, Settings
from experiments.embedded_model.unit_encoder.encoder_training import train_encoder
from experiments.embedded_model.unit_encoder.hubert_student import UNIT_NAMES
from experiments.embedded_model.unit_encoder.student_training import train_student
from spiritlens.speech.encoders.loading import OFFICIAL_FOLDER

Stage = Literal["corpus", "teacher", "student", "units", "lm", "export", "measure"]
STAGES: tuple[Stage, ...] = ("corpus", "teacher", "student", "units", "lm", "export", "measure")


@dataclass
class Arguments:
    """Train the embedded speech-text model."""

    out: Annotated[Path, tyro.conf.arg(help="Folder of all results; give it again to resume.")]
    preset: Annotated[
        Literal["full", "more", "named", "second", "third", "few", "smoke"],
        tyro.conf.arg(help="smoke: every stage in seconds."),
    ] = "full"
    stages: Annotated[tuple[Stage, ...], tyro.conf.arg(help="Stages to run, in their order.")] = STAGES
    workers: Annotated[int, tyro.conf.arg(help="Processes that speak, or encode, at the same time.")] = 2
    threads: Annotated[int, tyro.conf.arg(help="Threads of torch.")] = 2
    seed: Annotated[int, tyro.conf.arg(help="Seed of the whole recipe.")] = 0
    encoder: Annotated[
        Path | None, tyro.conf.arg(help="Model folder whose unit encoder is taken; teacher and student are left out.")
    ] = None
    start: Annotated[
        Path | None, tyro.conf.arg(help="Finished model folder to go on from: its unit encoder and its weights.")
    ] = None


def train_and_keep(settings: Settings, out: Path, start: Path | None) -> None:
    """Stage lm."""
    documents, asked = prepare_documents(settings, out)
    train_language_model(settings, documents, asked, out / "lm", start)
    write_curve_page(out / "lm")


def prepare_documents(settings: Settings, out: Path) -> tuple[Documents, Watched]:
    """The text pieces (trained if they are not there), and what the language model reads and is asked."""
    pieces = out / "lm" / "tokenizer.model"
    if not pieces.exists():
        pieces.parent.mkdir(parents=True, exist_ok=True)
        pieces.write_bytes(train_pieces(settings.facts()))
    ids = TokenIds(pieces.read_bytes(), len(UNIT_NAMES))
    lines = read_encoded(out / "corpus", out / "units")
    training = [line for line in lines if line.line.kind not in MEASURED_KINDS]
    documents = Documents(settings.facts(), training, ids, settings.documents, settings.model.unit_noise, settings.seed)
    return documents, watched(settings.facts(), lines, ids)


def export(settings: Settings, out: Path) -> None:
    """Stage export: from the last checkpoint, which may be one of a run that is not finished."""
    tokenizer = (out / "lm" / "tokenizer.model").read_bytes()
    ids = TokenIds(tokenizer, len(UNIT_NAMES))
    model = load_last(settings, ids, out / "lm")
    untrained = untrained_ids(ids, settings.facts(), named=bool(settings.documents.named))
    export_folder(model, tokenizer, ids, untrained, out / "student", out / "model")


def measure(settings: Settings, out: Path) -> None:
    """Stage measure."""
    from experiments.embedded_model.measure import measure_folder

    measure_folder(out / "model", settings.facts(), settings.corpus.all_voices, out)


def main(arguments: Arguments) -> None:
    settings = replace(PRESETS[arguments.preset], seed=arguments.seed)
    torch.set_num_threads(arguments.threads)
    out = arguments.out
    work = {
        "corpus": lambda: make_corpus(settings, out / "corpus", arguments.workers),
        "teacher": lambda: train_encoder(settings, out / "corpus", out / "teacher"),
        "student": lambda: train_student(settings, out / "corpus", out / "teacher", out / "student"),
        "units": lambda: encode_corpus(settings, out / "corpus", out / "units", out / "student", arguments.workers),
        "lm": lambda: train_and_keep(settings, out, arguments.start),
        "export": lambda: export(settings, out),
        "measure": lambda: measure(settings, out),
    }
    encoder = arguments.encoder or arguments.start
    if encoder is not None:
        shutil.copytree(encoder / OFFICIAL_FOLDER, out / "student" / OFFICIAL_FOLDER, dirs_exist_ok=True)
    left_out = () if encoder is None else ("teacher", "student")
    for stage in STAGES:
        if stage in arguments.stages and stage not in left_out:
            start = time.monotonic()
            work[stage]()
            tqdm.write(f"{stage}: {(time.monotonic() - start) / 60:.1f} min")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
