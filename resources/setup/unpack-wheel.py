"""Unpacks from a wheel what a native addon links and loads: shared libraries, headers, and CUDA's compiler parts.

Usage: unpack-wheel.py WHEEL FOLDER. Python, because whoever has pip has it, and a bare machine has no unzip.
"""

import os
import stat
import sys
import zipfile

KEPT = (
    "tensorflow/include/",
    "tensorflow/libtensorflow_cc.so.2",
    "tensorflow/libtensorflow_framework.so.2",
    "nvidia/",
)
# Headers, documents and static libraries of CUDA: the addon calls TensorFlow, never CUDA itself.
DROPPED = ("/include/", ".py", ".a", ".h", ".hpp")


def is_kept(name: str) -> bool:
    if not name.startswith(KEPT):
        return False
    return name.startswith("tensorflow/") or not any(part in name if part.startswith("/") else name.endswith(part) for part in DROPPED)


def main(wheel: str, folder: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if not is_kept(entry.filename):
                continue
            path = archive.extract(entry, folder)
            mode = entry.external_attr >> 16
            if mode & stat.S_IXUSR:  # zipfile forgets permissions; ptxas must stay a program.
                os.chmod(path, 0o755)


main(sys.argv[1], sys.argv[2])
