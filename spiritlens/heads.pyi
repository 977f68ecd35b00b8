from spiritlens.analysis.heads.attention_mass import attention_mass as attention_mass
from spiritlens.analysis.heads.attention_mass import detectors as detectors
from spiritlens.comparison.head_ranking import compare_rankings as compare_rankings
from spiritlens.comparison.head_ranking import overlap as overlap
from spiritlens.comparison.head_ranking import rank as rank
