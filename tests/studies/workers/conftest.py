"""A study that is small enough to be made several times, made once by one process."""

import sys
from pathlib import Path

import pytest

import spiritlens as sl
from spiritlens.studies.source import Source
from spiritlens.studies.workers.job import StudyJob

sys.path.append(str(Path(__file__).parent))
from small_study import SETTINGS


@pytest.fixture(scope="session")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study."""
    folder = tmp_path_factory.mktemp("study") / "one"
    StudyJob(Source(), sl.effects.RunFolder(folder), SETTINGS)()
    return folder
