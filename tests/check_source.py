#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every tracked text file: SPDX line, no tabs or trailing blanks where they do not belong, clang-format."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NEEDS_SPDX = {".h", ".cpp", ".c", ".dts", ".dtsi", ".py", ".sh", ".build", ".cfg"}
SCRIPT = re.compile(rb"^#!")
KERNEL = ("daedalus/kernel", "boards/kernel")
TABS_BELONG = {*KERNEL, "boards/dts", "Makefile", "packaging/debian/rules"}


def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / name.decode() for name in names.split(b"\0") if name and (ROOT / name.decode()).is_file()]


def faults(path):
    data = path.read_bytes()
    name = str(path.relative_to(ROOT))
    if b"\0" in data[:4096] or name.startswith("fixtures/") or "corpus" in name:
        return
    script = bool(SCRIPT.match(data))
    if (path.suffix in NEEDS_SPDX or script) and b"SPDX-License-Identifier" not in data[:400]:
        yield f"{name}: no SPDX line"
    if data and not data.endswith(b"\n"):
        yield f"{name}: no line feed at the end"
    tabs = any(part in name for part in TABS_BELONG) or path.suffix in {".tsv"} or name == "include/daedalus_protocol.h"
    if path.suffix in NEEDS_SPDX or script:
        for number, line in enumerate(data.split(b"\n"), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: blanks at the end of the line"
            if b"\t" in line and not tabs and not line.strip().startswith(b"#"):
                yield f"{name}:{number}: a tab"


def unformatted(paths):
    """C++ files that clang-format would write differently; the kernel has a style of its own."""
    if not shutil.which("clang-format"):
        sys.exit("clang-format is not installed")
    files = [p for p in paths if p.suffix in (".cpp", ".h") and not any(k in str(p) for k in KERNEL)
             and p.name != "daedalus_protocol.h"]
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, files)], capture_output=True, text=True)
    return [line.replace(f"{ROOT}/", "") for line in result.stderr.splitlines() if "error:" in line]


def main():
    paths = tracked()
    found = [fault for path in paths for fault in faults(path)] + unformatted(paths)
    print("\n".join(found) or f"{len(paths)} files are as they should be")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
