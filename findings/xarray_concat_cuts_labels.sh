#!/bin/sh
# xarray 2026.9.0 with h5netcdf 1.8.2: labels that were read from netCDF, concatenated and written again are cut.
#
# A string coordinate written from numpy text is read back with encoding {"dtype": "<U4"}: the width of the longest label
# of *that* file. `xr.concat` keeps the encoding of the first dataset, and `to_netcdf` obeys it: every longer label of the
# other datasets is cut to four letters, in the file only, without an error or a warning. In memory the joined dataset is
# whole. Two facts can fall together in this way ("bulgaria" and "bulgakov" both become "bulg").
# The scipy engine, from the same calls, writes whole labels (and warns about the name of a dimension).
# Remedy: `dataset.drop_encoding()` after reading, or before writing.
# Seen:
#   in memory   ['peru', 'bulgaria']
#   h5netcdf    ['peru', 'bulg']
#   scipy       ['peru', 'bulgaria']
#   dropped     ['peru', 'bulgaria']
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check xarray==2026.9.0 h5netcdf==1.8.2 h5py==3.16.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
import xarray as xr

warnings.filterwarnings("ignore")


def through_files(engine, prepare=lambda dataset: dataset):
    for name in ("peru", "bulgaria"):
        dataset = xr.Dataset({"effect": ("prompt", [1.0])}, {"fact": ("prompt", np.array([name]))})
        dataset.to_netcdf(f"{name}.nc", engine=engine)
    parts = [prepare(xr.load_dataset(f"{name}.nc", engine=engine)) for name in ("peru", "bulgaria")]
    joined = xr.concat(parts, dim="prompt")
    joined.to_netcdf("joined.nc", engine=engine)
    return joined["fact"].values.tolist(), xr.load_dataset("joined.nc", engine=engine)["fact"].values.tolist()


whole = ["peru", "bulgaria"]
memory, file = through_files("h5netcdf")
print("in memory  ", memory)
print("h5netcdf   ", file)
scipy = through_files("scipy")[1]
print("scipy      ", scipy)
dropped = through_files("h5netcdf", lambda dataset: dataset.drop_encoding())[1]
print("dropped    ", dropped)
assert memory == whole and scipy == whole and dropped == whole, "the rest of the finding has changed"
assert file == ["peru", "bulg"], f"labels are no longer cut: {file}"
PYTHON
