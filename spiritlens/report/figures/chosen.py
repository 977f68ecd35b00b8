"""What a figure draws of a dataset: by default the first metric and every (or the first) component, as traced."""

import xarray as xr

from spiritlens.arguments import shown


def chosen(dataset: xr.Dataset, axis: str, wanted: str | None) -> str:
    """The wanted component or metric, by default the first; an unknown one is refused with the choices."""
    names = [str(name) for name in dataset[axis].values]
    if wanted is None:
        return names[0]
    if not isinstance(wanted, str) or wanted not in names:
        raise ValueError(f"{axis}={shown(wanted)} was not traced; choose from {', '.join(names)}")
    return wanted


def chosen_components(dataset: xr.Dataset, component: str | None) -> list[str]:
    """One component, or all that were traced."""
    if component is None:
        return [str(name) for name in dataset["component"].values]
    return [chosen(dataset, "component", component)]


def without_heads(dataset: xr.Dataset) -> xr.Dataset:
    """Effects or averages of whole components; those of heads are refused."""
    if "head" in dataset.dims:
        raise ValueError(
            "this dataset has heads: draw it with head_map(...), or choose one with effects.isel(head=...) first"
        )
    return dataset
