"""Speech encoders by plain values, as family records name them.

``{"kind": "hubert", "layer": 11, "n_clusters": 500}`` is a HuBERT with its quantizer in the layout of the published
files, or a Hugging Face HuBERT folder with a file of centroids; ``{"kind": "spiritlm"}`` is SpiritLM's own package.

`ENCODERS` says all that the package knows of encoders: a further one is a module in this folder and a row here. An
encoder of your own needs no row: whatever has a `SpeechEncoder`'s parts is taken by ``load(..., encoder=...)``.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spiritlens.arguments import shown, told_keywords, whole
from spiritlens.files.weights import CheckpointError
from spiritlens.speech.encoders.protocol import SpeechEncoder

OFFICIAL_FOLDER = Path("speech_tokenizer") / "hubert_25hz"
OFFICIAL_MODEL, OFFICIAL_QUANTIZER = "mhubert_base_25hz.pt", "L11_quantizer_500.pt"
OFFICIAL_LAYER = 11
PUBLISHED = "mhubert_base_25hz"
"""The encoder whose files Meta publishes beside SpiritLM."""

Opening = Callable[[Mapping[str, Any], Path | None, Path | None, torch.dtype], SpeechEncoder]
"""Record, folder (None: the usual place), file of centroids (None: in the folder) and dtype make the encoder."""


@dataclass(frozen=True)
class EncoderLayout:
    """One way in which an encoder's files lie: `recognises` finds them in a folder, `open` reads them.

    `kind` is that of the records for it; `beside` is its folder within a checkpoint's, where it is looked for when the
    record's name is among `names` (none given: always). `files` says in words what is looked for.
    """

    kind: str
    beside: Path
    files: str
    recognises: Callable[[Path], bool]
    open: Opening
    names: tuple[str, ...] = ()

    def belongs(self, record: Mapping[str, Any]) -> bool:
        """Whether a checkpoint's encoder of this record may lie in this way."""
        return self.kind == record.get("kind") and (not self.names or record.get("name") in self.names)


@told_keywords
def load_encoder(
    record: Mapping[str, Any],
    folder: str | Path | None = None,
    centroids: str | Path | None = None,
    dtype: torch.dtype = torch.float32,
) -> SpeechEncoder:
    """The encoder that a family's record names, from the files of `folder` (None: the published files' usual place).

    `centroids` is the file of centroids of a Hugging Face HuBERT where that is not in its folder. Returns the encoder.
    Raises ValueError for another record, CheckpointError for files that are missing or do not fit it.
    """
    rows = [row for row in ENCODERS if isinstance(record, Mapping) and row.kind == record.get("kind")]
    if not rows:
        kinds = " or ".join(repr(kind) for kind in dict.fromkeys(row.kind for row in ENCODERS))
        raise ValueError(
            f"encoder {shown(record)} is unknown here; expected a record of kind {kinds}, as "
            "{'kind': 'hubert', 'layer': 11, 'n_clusters': 500}."
        )
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point or dtype.itemsize < 2:
        raise ValueError(
            f"dtype={shown(dtype)}: expected torch.float32, torch.bfloat16, torch.float16 or torch.float64"
        )
    place, means = _path("folder", folder), _path("centroids", centroids)
    row = next((row for row in rows if place is not None and row.recognises(place)), None)
    if row is None and place is not None:
        expected = ", or ".join(row.files for row in rows)
        raise FileNotFoundError(f"{place} holds no encoder of kind {record['kind']!r}; expected {expected} in it.")
    return (row or rows[-1]).open(record, place, means, dtype)


def _path(name: str, value: object) -> Path | None:
    if value is not None and not isinstance(value, (str, Path)):
        raise ValueError(f"{name}={shown(value)} ({type(value).__name__}): expected a path, or None")
    return None if value is None else Path(value)


def official_files(folder: str | Path | None = None) -> tuple[Path, Path]:
    """Paths of the published encoder and quantizer: in `folder`, or below ``$SPIRITLM_CHECKPOINTS_DIR``."""
    if folder is not None:
        places = [Path(folder), Path(folder) / OFFICIAL_FOLDER]
    elif "SPIRITLM_CHECKPOINTS_DIR" in os.environ:
        places = [Path(os.environ["SPIRITLM_CHECKPOINTS_DIR"]) / OFFICIAL_FOLDER]
    else:
        raise FileNotFoundError(
            "the published unit encoder is not found; set SPIRITLM_CHECKPOINTS_DIR to SpiritLM's checkpoints, or give "
            f"the folder that holds {OFFICIAL_MODEL} and {OFFICIAL_QUANTIZER}."
        )
    for place in places:
        if (place / OFFICIAL_MODEL).is_file() and (place / OFFICIAL_QUANTIZER).is_file():
            return place / OFFICIAL_MODEL, place / OFFICIAL_QUANTIZER
    raise FileNotFoundError(f"{OFFICIAL_MODEL} and {OFFICIAL_QUANTIZER} are not in {' or '.join(map(str, places))}.")


def has_official_files(folder: Path | None) -> bool:
    """Whether the published encoder's files are in a folder, or (None) in their usual place."""
    try:
        official_files(folder)
    except FileNotFoundError:
        return False
    return True


def _open_published(
    record: Mapping[str, Any], folder: Path | None, centroids: Path | None, dtype: torch.dtype
) -> SpeechEncoder:
    """The published unit encoder, or one whose files are like its own."""
    from spiritlens.speech.encoders.fairseq_files import check_layer, read_hubert
    from spiritlens.speech.encoders.hubert import HubertUnits
    from spiritlens.speech.encoders.quantizers import read_quantizer

    layer = whole("layer", record.get("layer", OFFICIAL_LAYER))
    if centroids is not None:
        raise ValueError(
            f"centroids={str(centroids)!r} go with a Hugging Face HuBERT, but {folder or 'the published encoder'} "
            "has no config.json and brings a quantizer of its own; give a Hugging Face folder, or leave centroids out."
        )
    model_path, quantizer_path = official_files(folder)
    checkpoint = read_hubert(model_path, dtype=dtype)
    check_layer(layer, checkpoint.model.config.num_hidden_layers, model_path)
    if not checkpoint.layer_norm_first:  # after the last layer kept, post-norm states are those of the whole model
        checkpoint = read_hubert(model_path, n_layers=layer, dtype=dtype)
    quantizer = read_quantizer(quantizer_path, checkpoint.model.config.hidden_size, dtype)
    _check_clusters(record, quantizer.n_units - 1, folder)  # all but the blank
    return HubertUnits(checkpoint, quantizer, layer, f"hubert {model_path.stem} layer {layer}")


def _open_kmeans(
    record: Mapping[str, Any], folder: Path | None, centroids: Path | None, dtype: torch.dtype
) -> SpeechEncoder:
    """K-means units of a Hugging Face HuBERT folder; the centroids are a file in it unless given."""
    from spiritlens.speech.centroids import read_centroids
    from spiritlens.speech.encoders.hubert import HubertUnits
    from spiritlens.speech.encoders.hugging_face_files import only_centroids, read_hubert_folder
    from spiritlens.speech.encoders.quantizers import KMeansQuantizer

    layer, place = whole("layer", record.get("layer", OFFICIAL_LAYER)), Path(folder or ".")
    checkpoint = read_hubert_folder(place, layer)
    checkpoint.model.to(dtype)
    path = centroids if centroids is not None else only_centroids(place)
    matrix = read_centroids(path)
    width = checkpoint.model.config.hidden_size
    if matrix.shape[1] != width:
        raise CheckpointError(
            f"{path} has centroids of {matrix.shape[1]} values; the encoder in {place} gives {width}."
        )
    _check_clusters(record, len(matrix), folder)
    return HubertUnits(checkpoint, KMeansQuantizer(matrix), layer, f"hubert {place.name} layer {layer} k-means")


def _open_package(
    record: Mapping[str, Any], folder: Path | None, centroids: Path | None, dtype: torch.dtype
) -> SpeechEncoder:
    """SpiritLM's own package, which knows where its files are."""
    from spiritlens.speech.encoders.official import load_official_units

    return load_official_units(record.get("flavour", "base"))


def _package_installed(folder: Path) -> bool:
    from spiritlens.speech.encoders.official import official_installed

    return official_installed()


def _check_clusters(record: Mapping[str, Any], found: int, folder: Path | None) -> None:
    counted = record.get("n_clusters")
    if counted is not None and whole("n_clusters", counted, at_least=1) != found:
        raise CheckpointError(
            f"{folder or 'the published encoder'} has {found} clusters; the family has {counted}. "
            "Encoder and model must be of one checkpoint."
        )


ENCODERS: tuple[EncoderLayout, ...] = (
    EncoderLayout(
        kind="hubert",
        beside=Path("speech_encoder"),
        files="config.json, weights and centroids of a Hugging Face HuBERT",
        recognises=lambda folder: (folder / "config.json").is_file(),
        open=_open_kmeans,
    ),
    EncoderLayout(
        kind="hubert",
        beside=OFFICIAL_FOLDER,
        files=f"{OFFICIAL_MODEL} and {OFFICIAL_QUANTIZER}",
        recognises=has_official_files,
        open=_open_published,
        names=(PUBLISHED, "embedded"),
    ),
    EncoderLayout(
        kind="spiritlm",
        beside=Path(),
        files="SpiritLM's package (installed)",
        recognises=_package_installed,
        open=_open_package,
    ),
)
"""The layouts that are looked for, in this order; the last of a kind is also what opens without a folder."""
