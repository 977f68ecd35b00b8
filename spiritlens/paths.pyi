from spiritlens.analysis.paths.nodes import Receiver as Receiver
from spiritlens.analysis.paths.nodes import Sender as Sender
from spiritlens.analysis.paths.paths import Paths as Paths
