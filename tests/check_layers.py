#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the direction of includes in src/: a layer may use the ones listed for it, and nothing else.

With --self-test it makes sure that it can fail.
"""
import pathlib
import re
import sys

# layer: what it may include besides itself. Arrows point down only; codec and v4l2 do not know each other.
ALLOWED = {
    "tools": {"record", "decode", "codec", "bitstream", "v4l2", "format", "os", "util"},
    "va": {"record", "decode", "codec", "format", "readback", "os", "util"},
    "record": {"decode", "codec", "v4l2", "format", "readback", "os", "util"},
    "decode": {"codec", "v4l2", "format", "readback", "os", "util"},
    "codec": {"bitstream", "util"},
    "bitstream": {"util"},
    "readback": {"format", "util"},
    "format": set(),
    "v4l2": {"os", "util"},
    "os": {"util"},
    "util": set(),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# The kernel's video API stays where it is spoken; the client's API stays above it.
SYSTEM = {"linux/videodev2.h": {"tools", "v4l2", "format", "codec"}, "linux/media.h": {"tools", "v4l2"},
          "va/va_backend.h": {"va"}, "libyuv.h": {"readback"}}


def faults(files):
    """files: pairs (path below src, text). Yields a line per include that points the wrong way."""
    for path, text in files:
        layer = path.parts[0]
        if layer not in ALLOWED:
            yield f"{path}: '{layer}' is no layer"
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, name = match.groups()
            if kind == '"':
                target = name.split("/")[0] if "/" in name else layer
                if target != layer and target not in ALLOWED[layer]:
                    yield f"{path}:{number}: {layer} must not include {name}"
            elif layer not in SYSTEM.get(name, {layer}):
                yield f"{path}:{number}: {layer} must not include <{name}>"


def self_test():
    bad = [("codec/x.cpp", '#include "v4l2/device.h"'), ("v4l2/x.cpp", '#include "codec/codec.h"'),
           ("os/x.h", '#include "decode/stream.h"'), ("va/x.cpp", "#include <linux/videodev2.h>"),
           ("new/x.h", "")]
    for path, text in bad:
        if not list(faults([(pathlib.PurePath(path), text)])):
            sys.exit(f"the check did not see the fault in {path}: {text}")
    good = [("va/x.cpp", '#include "decode/stream.h"\n#include <va/va_backend.h>')]
    if list(faults([(pathlib.PurePath(path), text) for path, text in good])):
        sys.exit("the check sees a fault where there is none")


def main():
    self_test()
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    files = sorted(path for path in root.rglob("*") if path.suffix in (".h", ".cpp"))
    found = list(faults((path.relative_to(root), path.read_text()) for path in files))
    print("\n".join(found) or f"{len(files)} files, every include points down")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
