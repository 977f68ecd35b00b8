#!/bin/sh
# espeak-ng 1.52 (espeakng-loader 0.2.4): `espeak_SetVoiceByName` says EE_OK for a variant that does not exist.
#
# A voice may be named with a variant ("en-us+f2"). With a misspelt one ("en-us+nobody", "en-us+F2") the call returns 0, as
# for a right name, and the plain voice speaks: the samples are those of "en-us", so that a study of voices compares one
# voice with itself. An unknown language is refused (it returns an error). Remedy: compare with `espeak_ListVoices` of
# the variants before asking.
# Seen: en-us+f2 0, other samples; en-us+nobody 0, en-us's samples; en-us+F2 0, en-us's samples; zz-zz not 0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check espeakng-loader==0.2.4
cd "$folder"
cat >speak.py <<'PYTHON'
import ctypes
import hashlib
import sys

import espeakng_loader

library = ctypes.CDLL(espeakng_loader.get_library_path())
library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)  # 2: synchronous, samples to a callback
samples = []


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
def keep(wav, count, events):
    if wav and count > 0:
        samples.append(ctypes.string_at(wav, 2 * count))
    return 0


library.espeak_SetSynthCallback(keep)
code = library.espeak_SetVoiceByName(sys.argv[1].encode())
text = b"the capital of france"
library.espeak_Synth(text, len(text) + 1, 0, 1, 0, 1, None, None)
print(code, hashlib.sha256(b"".join(samples)).hexdigest()[:8])
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

found = {}
for name in ("en-us", "en-us+f2", "en-us+nobody", "en-us+F2", "zz-zz"):  # a process each: noise depends on what was said before
    code, digest = subprocess.run([sys.executable, "speak.py", name], capture_output=True, text=True, check=True).stdout.split()
    found[name] = int(code), digest
    print(f"{name:13} returns {code}, samples {digest}")
plain = found["en-us"][1]
assert found["en-us+f2"][0] == 0 and found["en-us+f2"][1] != plain, "the right variant speaks otherwise now"
for name in ("en-us+nobody", "en-us+F2"):
    assert found[name] == (0, plain), f"{name} is not taken for en-us any more"
assert found["zz-zz"][0] != 0, "an unknown language is taken now"
PYTHON
