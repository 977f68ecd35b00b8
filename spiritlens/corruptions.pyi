from spiritlens.runs.corruptions.control_span import control_span as control_span
from spiritlens.runs.corruptions.corruption import CorruptionRequest as CorruptionRequest
from spiritlens.runs.corruptions.knock_out import KnockOut as KnockOut
from spiritlens.runs.corruptions.noise import NoiseScale as NoiseScale
from spiritlens.runs.corruptions.noise import noise_scale as noise_scale
from spiritlens.runs.corruptions.replacement import Replacement as Replacement
