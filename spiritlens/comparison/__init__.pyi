from spiritlens.comparison.covariate import difference_by as difference_by
from spiritlens.comparison.margins import Margins as Margins
from spiritlens.comparison.references import References as References
from spiritlens.comparison.rules import Rules as Rules
from spiritlens.comparison.saving import load as load
from spiritlens.comparison.saving import save as save
