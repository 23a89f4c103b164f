# SPDX-License-Identifier: MIT
"""Facts of VP8 and VP9 frames (the package facts), from an IVF file."""

import struct

from bits import BitReader
from facts.picture import Picture

HEADER = 80  # bytes, in which an uncompressed header of VP9 surely is up to what is read here
REFERENCES = 8


def frames_of(ivf):
    at = struct.unpack('<H', ivf[6:8])[0]
    while at + 12 <= len(ivf):
        size = struct.unpack('<I', ivf[at : at + 4])[0]
        yield ivf[at + 12 : at + 12 + size]
        at += 12 + size


class Growth:
    """Facts of frames' sizes, beside that of the first one."""

    def __init__(self):
        self.first, self.changed = None, False

    def facts(self, size):
        self.first = self.first or size
        self.changed |= size != self.first
        larger = size[0] > self.first[0] or size[1] > self.first[1]
        return (
            ({'size-changed'} if self.changed else set())
            | ({'grown'} if larger else set())
            | ({'small'} if min(size) < 48 else set())
        )


def read_vp8(ivf):
    """RFC 6386, 9.1: the frame tag, and of key frames sizes and scales."""
    pictures, size, growth = [], None, Growth()
    for frame in frames_of(ivf):
        if len(frame) < 10:
            continue
        key, facts = not frame[0] & 1, set()
        remade = bytearray(frame)
        remade[0] |= 0x10  # show_frame
        if key:
            width, height = struct.unpack('<HH', frame[6:10])
            size = width & 0x3FFF, height & 0x3FFF
            facts |= {'scaled'} if (width | height) >> 14 else set()
            remade[6:10] = struct.pack('<HH', *size)
        facts |= {'key' if key else 'inter'} | ({'hidden'} if not frame[0] & 0x10 else set())
        facts |= growth.facts(size) if size else set()
        pictures.append(Picture(facts, frame, remade=bytes(remade)))
    return pictures


def split_superframe(data):
    """VP9, annex B: the frames of a superframe, or the one that there is."""
    marker = data[-1] if data else 0
    count, bytes_each = (marker & 7) + 1, (marker >> 3 & 3) + 1
    index = data[-2 - count * bytes_each :]
    if marker & 0xE0 != 0xC0 or index[:1] != bytes([marker]):
        return [data]
    frames, at = [], 0
    for number in range(count):
        size = int.from_bytes(index[1 + number * bytes_each : 1 + (number + 1) * bytes_each], 'little')
        frames.append(data[at : at + size])
        at += size
    return frames


class Vp9:
    """The state that uncompressed headers need: sizes of the references."""

    def __init__(self):
        self.sizes, self.growth = [(0, 0)] * REFERENCES, Growth()

    def facts(self, frame):
        """uncompressed_header (6.2), up to the deltas of the loop filter. None of a frame that shows another."""
        reader = BitReader(frame[:HEADER])
        reader.u(2)
        profile = reader.u(1) | reader.u(1) << 1
        reader.u(1 if profile == 3 else 0)
        if reader.u(1):
            return None  # show_existing_frame
        key, shown, resilient = not reader.u(1), reader.u(1), reader.u(1)
        facts = {'key'} if key else set()
        facts |= set() if shown else {'hidden'}
        intra_only, refresh = 0, 0xFF
        if key:
            reader.u(24)
            self.color(reader, profile)
            size = self.size(reader)
        else:
            intra_only = 0 if shown else reader.u(1)
            reader.u(0 if resilient else 2)
            if intra_only:
                reader.u(24)
                if profile:
                    self.color(reader, profile)
                refresh, size = reader.u(8), self.size(reader)
            else:
                refresh, size = reader.u(8), self.inter_size(reader)
        facts |= {'intra'} if key or intra_only else {'inter'}
        self.sizes = [size if refresh >> slot & 1 else old for slot, old in enumerate(self.sizes)]
        reader.u(0 if resilient else 2)
        reader.u(2)  # frame_context_idx
        reader.u(6 + 3)
        facts |= set() if reader.u(1) else {'no-filter-deltas'}
        return facts | self.growth.facts(size)

    def color(self, reader, profile):
        """color_config (6.2.2)"""
        reader.u(1 if profile >= 2 else 0)
        if reader.u(3) != 7:
            reader.u(1 if profile in (0, 2) else 4)
        else:
            reader.u(0 if profile in (0, 2) else 1)

    def size(self, reader):
        """frame_size, render_size (6.2.3, 6.2.4)"""
        size = reader.u(16) + 1, reader.u(16) + 1
        reader.u(32 if reader.u(1) else 0)
        return size

    def inter_size(self, reader):
        """References, frame_size_with_refs (6.2.5), up to the interpolation filter."""
        slots = []
        for _ in range(3):
            slots.append(reader.u(3))
            reader.u(1)
        size = next((self.sizes[slot] for slot in slots if reader.u(1)), None)
        if size:
            reader.u(32 if reader.u(1) else 0)
        else:
            size = self.size(reader)
        reader.u(1)
        if not reader.u(1):
            reader.u(2)
        return size


def read_vp9(ivf):
    pictures, state = [], Vp9()
    for data in frames_of(ivf):
        for frame in split_superframe(data):
            facts = state.facts(frame) if frame else None
            if facts is not None:
                pictures.append(Picture(facts, frame))
    return pictures
