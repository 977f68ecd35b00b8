#!/bin/sh
# torch 2.13.0 on processors with AMX: bfloat16 convolutions of small groups give other numbers than their own float64.
#
# A conv1d in bfloat16 whose groups have fewer than 16 channels, with a kernel as long as those that speech encoders use
# for positions (16 to 128), is wrong altogether where oneDNN takes its AMX kernels: no error, no warning. Groups of 16
# channels or more, short kernels, one group, float32, torch's own kernels (oneDNN switched off) and AVX-512 are right.
# HuBERT and wav2vec 2.0 have 48 or 64 channels a group; small models of the same layout (tests, distilled ones) have
# fewer, and hear something else in bfloat16.
# Seen (relative error against float64, kernel 16; rounding to bfloat16 is 0.002):
#   channels a group   4      8      12     16     48
#   AMX                1.03   1.15   1.15   0.002  0.002
#   AVX-512, or off    0.002  0.002  0.002  0.002  0.002
# Needs a processor with amx_bf16 (Sapphire Rapids and later); says so and ends with 2 on others.
set -eu
if ! grep -q amx_bf16 /proc/cpuinfo; then
  echo "this processor has no AMX: nothing to see here"
  exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/show.py" <<'PYTHON'
import sys

import torch


def error(width):
    """Relative error of a convolution of four groups of so many channels."""
    torch.manual_seed(0)
    weight = torch.randn(4 * width, width, 16, dtype=torch.bfloat16)
    states = torch.randn(1, 4 * width, 49, dtype=torch.bfloat16)
    exact, found = (
        torch.nn.functional.conv1d(states.to(kind), weight.to(kind), padding=8, groups=4).double()
        for kind in (torch.float64, torch.bfloat16)
    )
    return float((found - exact).norm() / exact.norm())


for width in (4, 8, 12, 16, 48):
    seen = error(width)
    print(sys.argv[1], width, f"{seen:.4f}")
    wrong = sys.argv[1] == "amx" and width < 16
    assert (seen > 0.5) == wrong and (wrong or seen < 0.01), "this has changed"
PYTHON
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy
"$folder/env/bin/python" "$folder/show.py" amx
ONEDNN_MAX_CPU_ISA=AVX512_CORE "$folder/env/bin/python" "$folder/show.py" avx512
