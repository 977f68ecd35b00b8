from spiritlens.prompts.building.question import Question as Question
from spiritlens.prompts.facts.foils import drawn_foils as drawn_foils
from spiritlens.prompts.knowing import Knowing as Knowing
from spiritlens.prompts.spans import Span as Span
from spiritlens.prompts.vocabulary.families import FAMILIES as FAMILIES
from spiritlens.prompts.vocabulary.families import Family as Family
from spiritlens.prompts.vocabulary.families import Stream as Stream
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary as Vocabulary
