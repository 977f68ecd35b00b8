from spiritlens.analysis.tracing.cost import estimate_cost as estimate_cost
from spiritlens.analysis.tracing.dose import dose_curve as dose_curve
from spiritlens.analysis.tracing.dose import match_dose as match_dose
from spiritlens.analysis.tracing.first_look import first_look as first_look
from spiritlens.analysis.tracing.rome import rome as rome
from spiritlens.analysis.tracing.verifying import verify as verify
