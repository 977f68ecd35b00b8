"""One module an area; each has ``cases(bench)``. A new module here is a new area."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator

from frame import Bench, Odd

AREAS: dict[str, Callable[[Bench], Iterator[Odd]]] = {
    module.name: importlib.import_module(f"areas.{module.name}").cases
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)
}
