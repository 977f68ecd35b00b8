from spiritlens.studies.cells import FourCells as FourCells
from spiritlens.studies.cells import KnownCell as KnownCell
from spiritlens.studies.seed import SeedStudy as SeedStudy
from spiritlens.studies.settings import StudySettings as StudySettings
from spiritlens.studies.study import Study as Study
from spiritlens.studies.study import study_cost as study_cost
