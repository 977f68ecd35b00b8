"""Folders as earlier versions left them: one part per prompt, named by the prompt's id."""

from pathlib import Path

import spiritlens as sl


def one_prompt_parts(folder: Path) -> Path:
    """Split the parts of a run directory."""
    for path in sorted((folder / "parts").glob("*.nc")):
        part = sl.effects.load(path)
        path.unlink()
        for place, name in enumerate(part["prompt_id"].values.tolist()):
            one = part.isel(prompt=[place]).assign_coords(prompt=[0]).drop_attrs(deep=False)
            attributes = {k: v for k, v in part.attrs.items() if k not in ("worker", "seconds", "environment")}
            sl.effects.save(one.assign_attrs(attributes), path.with_name(f"{name}.nc"))
    return folder
