#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of fuzz_hevc_build, good streams of a few pictures each: corpus/fuzz_hevc_build/<name>."""
import struct

from make_corpus import Bits, write

BEFORE, AFTER, LONG_TERM = 0x10, 0x20, 0x48
PCM, SCALING, WEIGHTED, TILES, SYNC = 1 << 3, 1 << 4, 1 << 11, 1 << 14, 1 << 15
LISTS, LONG_TERMS, MVP, DEPENDENT = 1 << 0, 1 << 1, 1 << 2, 1 << 5


def picture(surface, poc, flags=0):
    return struct.pack("<IiI16x", surface, poc, flags)


def parameters(poc, references=(), pic=0, parsing=0, columns=(1,), rows=(1,), sets=1, set_bits=0):
    """VAPictureParameterBufferHEVC: 128x128 in coding tree blocks of 16x16."""
    frames = b"".join(picture(*r) for r in references) + picture(0xffffffff, 0, 1) * (15 - len(references))
    sizes = struct.pack("<19H", *(c - 1 for c in columns), *[0] * (19 - len(columns))) + \
        struct.pack("<21H", *(r - 1 for r in rows), *[0] * (21 - len(rows)))
    return picture(70, poc) + frames + struct.pack(
        "<HHI13BbBbbBBB", 128, 128, 1 | pic, 4, 0, 0, 7, 7, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        len(columns) - 1, len(rows) - 1) + sizes + struct.pack(
        "<I5BbbBI32x", parsing, 4, sets, 2 if parsing & LONG_TERMS else 0, 0, 0, 0, 0, 0, set_bits)


def start(kind, slice_type, address=0, dependent=None):
    header = Bits().bits(kind << 9 | 1, 16).bits(address == 0, 1)
    if kind >= 16:
        header.bits(0, 1)
    header.ue(0)
    if address:
        if dependent is not None:
            header.bits(dependent, 1)
        header.bits(address, 6)
    return header if dependent else header.ue(slice_type)


def segment(header, address=0, lists=()):
    header.bits(1, 1)
    header.bits(0, -len(header.text) % 8)
    size = len(header.text) // 8
    data = header.bits(0x5a5a5a, 24).data()
    entries = bytes(lists) + b"\xff" * (30 - len(lists))
    return struct.pack("<BH", size, address) + entries + struct.pack("<H", len(data)) + data


def inter():
    yield b"\x02" + parameters(0, parsing=DEPENDENT) + segment(start(19, 2).se(0)) + \
        segment(start(19, 2, 9, 0).se(-4), 9)
    explicit = Bits().ue(1).ue(1).ue(3).bits(1, 1).ue(3).bits(1, 1)
    header = start(1, 0).bits(4, 8).bits(0, 1).bits(0, 1)
    header.text += explicit.text
    header.bits(0, 1).bits(0, 2).bits(1, 1).ue(0).se(2)
    yield b"\x01" + parameters(4, [(1, 0, BEFORE), (2, 8, AFTER)], parsing=LISTS, sets=1,
                               set_bits=len(explicit.text) + 1) + segment(header, lists=[0] + [0xff] * 14 + [1])
    header = start(1, 1).bits(6, 8).bits(1, 1).ue(1).ue(1).bits(0, 1).bits(0, 1).bits(9, 8).bits(1, 1).bits(0, 1)
    header.bits(1, 1).ue(2).bits(1, 1).bits(2, 2).bits(0, 2).bits(1, 2).ue(0).se(0)
    references = [(4, 260, BEFORE), (5, 7, LONG_TERM), (7, 9, LONG_TERM)]
    yield b"\x01" + parameters(262, references, parsing=LISTS | LONG_TERMS) + \
        segment(header, lists=[2, 0, 1])


def partitions():
    header = start(19, 2).se(0).ue(3).ue(9).bits(5, 10).bits(6, 10).bits(7, 10)
    yield b"\x01" + parameters(0, pic=TILES, columns=(3, 5), rows=(4, 4)) + segment(header)
    header = start(19, 2).se(0).ue(2).ue(9).bits(5, 10).bits(6, 10)
    yield b"\x42" + parameters(0, pic=SYNC | PCM, parsing=DEPENDENT) + segment(header) + \
        segment(start(19, 2, 40, 1).ue(0), 40)
    weights = Bits().ue(5).se(1).bits(1, 1).bits(1, 1).se(3).se(-7).se(1).se(2).se(-1).se(9)
    header = start(1, 1).bits(4, 8).bits(1, 1).bits(0, 1)
    header.text += weights.text
    yield b"\x81" + parameters(4, [(1, 0, BEFORE)], pic=WEIGHTED | SCALING) + bytes(range(1, 251)) * 4 + bytes(16) + \
        segment(header.ue(0).se(0), lists=[0])


def main():
    for flags, mode in ((7, "frame_based"), (12, "slice_based")):
        for name, pictures in (("inter", inter()), ("partitions", partitions())):
            write("fuzz_hevc_build", f"{name}_{mode}", struct.pack("<BHH", flags, 128, 128), pictures)


if __name__ == "__main__":
    main()
