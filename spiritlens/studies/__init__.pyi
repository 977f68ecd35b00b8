from spiritlens.studies.settings import StudySettings as StudySettings
from spiritlens.studies.study import Study as Study
from spiritlens.studies.study import study_cost as study_cost
