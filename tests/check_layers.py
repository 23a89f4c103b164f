#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the direction of includes in the driver and in the daemon: a folder may use those listed for it, and no other. In
modules of the kernel it holds the direction of calls between files.

The picture of the layers in docs/architecture.md is made of the includes that there are; it must be the present one:

    check_layers.py --picture    writes it there
"""
import pathlib
import re
import sys

# folder: what it may include besides itself. Arrows point down only; codec and v4l2 do not know each other.
DRIVER = {
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
# Each codec stands on the core, and knows no other.
DAEMON = {"core": set(), **{codec: {"core"} for codec in ("av1", "h264", "hevc", "mpeg2", "vp8", "vp9")}}
TREES = {"src": DRIVER, "daedalus/daemon": DAEMON}
# Modules of the kernel: a header names the module's files from top to bottom, and each calls only those below it.
MODULES = {"daedalus/kernel/daedalus.h": "daedalus_", "boards/kernel/fakeboard.h": "fb_"}
LISTED = re.compile(r"^ \*   (\w+\.c)\s", re.M)
DEFINED = re.compile(r"^(?!static\b|extern\b|struct \w+ \{|module_|MODULE_)(\w[^;={(:]*)(?:\((\w+))?", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# The kernel's video API stays where it is spoken; the client's API stays above it.
SYSTEM = {"linux/videodev2.h": {"tools", "v4l2", "format", "codec"}, "linux/media.h": {"tools", "v4l2"},
          "va/va_backend.h": {"va"}, "libyuv.h": {"readback"}}


def faults(files, allowed=DRIVER):
    """files: pairs (path below the tree, text). Yields a line per include that points the wrong way."""
    for path, text in files:
        layer = path.parts[0]
        if layer not in allowed:
            yield f"{path}: '{layer}' is no layer"
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, name = match.groups()
            if kind == '"':
                target = name.split("/")[0] if "/" in name else layer
                if target != layer and target not in allowed[layer]:
                    yield f"{path}:{number}: {layer} must not include {name}"
            elif allowed is DRIVER and layer not in SYSTEM.get(name, {layer}):
                yield f"{path}:{number}: {layer} must not include <{name}>"


def upward(order, files, prefix=""):
    """order: names of files, the uppermost first; files: their texts by name; prefix: of
    the module's symbols. Yields a line per use that points up."""
    code = {name: re.sub(r"/\*.*?\*/", "", text, flags=re.S) for name, text in files.items()}
    yield from (f"{name} is not in the list" for name in sorted(files.keys() - set(order)))
    homes = {}
    for name, text in code.items():
        for declared, argument in DEFINED.findall(text):
            made_by_macro = re.match(r"DEFINE_|LIST_HEAD", declared)
            for symbol in [argument] if made_by_macro else declared.split(","):
                homes[re.findall(r"\w+", symbol)[-1]] = name
    homes = {symbol: home for symbol, home in homes.items() if symbol.startswith(prefix)}
    for place, name in enumerate(order):
        for symbol in sorted(set(re.findall(r"\w+", code.get(name, "")))):
            if homes.get(symbol, name) in order[:place]:
                yield f"{name} uses {symbol} of {homes[symbol]}, which is above it"


def picture(files):
    """The arrows between folders as a graph of Mermaid's, without those that follow from others."""
    arrows = {}
    for path, text in files:
        for match in map(INCLUDE.match, text.splitlines()):
            if match and match[1] == '"' and "/" in match[2] and (target := match[2].split("/")[0]) != path.parts[0]:
                arrows.setdefault(path.parts[0], set()).add(target)

    def below(layer):
        return set().union(*(below(other) | {other} for other in arrows.get(layer, ())))

    lines = [f"    {layer} --> {target}" for layer in sorted(arrows) for target in sorted(arrows[layer])
             if not any(target in below(other) for other in arrows[layer])]
    return "\n".join(["```mermaid", "graph TD", *lines, "```"])


def check_picture(path, wanted, write):
    """Whether the document has the picture; with `write`, it has it afterwards."""
    text = path.read_text()
    present = re.search(r"```mermaid\n.*?```", text, re.S)[0]
    if write:
        path.write_text(text.replace(present, wanted))
    return write or present == wanted


def self_test():
    bad = [("codec/x.cpp", '#include "v4l2/device.h"'), ("v4l2/x.cpp", '#include "codec/codec.h"'),
           ("os/x.h", '#include "decode/stream.h"'), ("va/x.cpp", "#include <linux/videodev2.h>"),
           ("new/x.h", "")]
    for path, text in bad:
        if not list(faults([(pathlib.PurePath(path), text)])):
            sys.exit(f"the check did not see the fault in {path}: {text}")
    module = {"top.c": "int top(void)\n{\n\tlow(&lock);\n}\n", "low.c": "LIST_HEAD(all);\nvoid low(void *x)\n{\n}\n"}
    if list(upward(["top.c", "low.c"], module)) or len(list(upward(["low.c", "top.c"], module))) != 1:
        sys.exit("the check does not see which way calls point")
    good = [("va/x.cpp", '#include "decode/stream.h"\n#include <va/va_backend.h>')]
    if list(faults([(pathlib.PurePath(path), text) for path, text in good])):
        sys.exit("the check sees a fault where there is none")


def main():
    self_test()
    root = pathlib.Path(__file__).resolve().parent.parent
    count, found = 0, []
    for tree, allowed in TREES.items():
        # Not main.cpp and its like, which put the folders together.
        files = sorted(path for path in (root / tree).glob("*/**/*") if path.suffix in (".h", ".cpp"))
        read = [(path.relative_to(root / tree), path.read_text()) for path in files]
        found += faults(read, allowed)
        count += len(files)
        if tree == "src" and not check_picture(root / "docs/architecture.md", picture(read), "--picture" in sys.argv):
            found.append("docs/architecture.md has another picture of the layers: tests/check_layers.py --picture")
    for header, prefix in MODULES.items():
        texts = {path.name: path.read_text() for path in (root / header).parent.glob("*.c")}
        found += upward(LISTED.findall((root / header).read_text()), texts, prefix)
        count += len(texts)
    print("\n".join(found) or f"{count} files, every include and every call points down")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
