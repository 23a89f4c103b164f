#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of the VP8 and VP9 fuzz targets, one good stream of a few frames each: corpus/<target>/<name>."""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent


class Bools:
    """The encoder of RFC 6386, 7.3, with a number of any length."""

    def __init__(self):
        self.low, self.range, self.shifts = 0, 255, 0

    def put(self, value, probability=128):
        split = 1 + ((self.range - 1) * probability >> 8)
        self.low += split if value else 0
        self.range = self.range - split if value else split
        while self.range < 128:
            self.range, self.low, self.shifts = self.range * 2, self.low * 2, self.shifts + 1
        return self

    def number(self, value, count):
        for bit in range(count - 1, -1, -1):
            self.put(value >> bit & 1)
        return self

    def data(self):
        pad = -(self.shifts + 8) % 8 + 16
        return (self.low << pad).to_bytes((self.shifts + 8 + pad) // 8, "big")


class Bits:
    def __init__(self):
        self.text = ""

    def put(self, value, count):
        self.text += format(value, f"0{count}b")
        return self

    def data(self):
        text = self.text + "0" * (-len(self.text) % 8)
        return bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))


def sized(data):
    return struct.pack("<H", len(data)) + data


def vp8_frame(key, segments, partitions_log2, tag=False):
    coder = Bools().number(0, 2) if key else Bools()
    coder.put(segments)
    if segments:
        coder.number(0b110, 3)  # map and data, deltas
        for value, bits in ((5, 7), (0, 7), (9, 7), (1, 7), (3, 6), (0, 6), (0, 6), (60, 6)):
            coder.put(1).number(value, bits).put(value & 1)
        coder.put(1).number(99, 8).number(0, 2)
    coder.put(0).number(20, 6).number(2, 3).put(1).put(1).number(0, 8).number(partitions_log2, 2)
    coder.number(60, 7).put(1).number(3, 4).put(1).number(0, 4).number(0, 32)
    first = coder.data()
    count = 1 << partitions_log2
    data = first + b"\x04\0\0" * (count - 1) + b"\xaa" * 4 * count
    fields = (0 if key else 1) | segments << 4 | 2 << 8 | 1 << 11 | 1 << 15
    picture = struct.pack("<IIIIIII", 176, 144, 1, 2, 4, 0xffffffff, fields).ljust(160, b"\x01")
    parameters = struct.pack("<IIIIB3x9I16x", len(data), 0, 0, 80, count + 1, len(first) - 10, *([4] * 8))
    front = b""
    if tag:
        bits = (0 if key else 1) | 1 << 4 | len(first) << 5
        front = sized(struct.pack("<I", bits)[:3] + (b"\x9d\x01\x2a\xb0\x00\x90\x00" if key else b""))
    return bytes([0x70 | (4 if tag else 0)]) + picture[:PICTURE_VP8] + parameters + front + sized(data)


# sizeof(VAPictureParameterBufferVP8): 28 of numbers, 78 of bytes, the coder's state, padding, 16 reserved
PICTURE_VP8 = 28 + 3 + 4 + 8 + 4 + 7 + 38 + 3 + 1 + 16


def vp9_frame(key, extra=False):
    header = Bits().put(0b10, 2).put(0, 3).put(not key, 1).put(1, 1).put(0, 1)
    if key:
        header.put(0x498342, 24).put(2, 3).put(0, 1).put(175, 16).put(143, 16).put(0, 1)
    else:
        header.put(0, 2).put(1, 8)
        for i in (1, 2, 4):
            header.put(i, 3).put(i == 4, 1)
        header.put(1, 1).put(0, 1).put(1, 1).put(1, 1)  # size of a reference, precise vectors, switchable filter
    header.put(1, 1).put(0, 1).put(0, 2)
    header.put(20, 6).put(1, 3).put(3, 2).put(0b1000001, 7).put(0, 6)
    header.put(60, 8).put(0, 3)
    if extra:
        header.put(3, 2).put(1, 1).put(77, 8).put(0, 6).put(0, 1)  # map
        header.put(1, 1).put(1, 1).put(1, 1).put(40, 8).put(1, 1).put(0, 31)
    else:
        header.put(0, 1)
    header.put(0, 1)
    coder = Bools().put(0).number(0b111, 3)
    for i in range(2500):
        update = i % 97 == 5
        coder.put(update, 252)
        if update:
            coder.number(i % 16, 5)
    compressed = coder.data()
    header.put(len(compressed), 16)
    data = header.data() + compressed + b"\x55" * 20
    return struct.pack("<HH8B", 176, 144, 1, 2, 4, 5, 7, 8, 10, 11) + sized(data)


def write(target, name, *parts):
    path = HERE / "corpus" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))


def main():
    size = struct.pack("<HH", 176, 144)
    write("fuzz_vp8_build", "frames", size, vp8_frame(1, 0, 0), vp8_frame(0, 0, 0), vp8_frame(0, 1, 3))
    write("fuzz_vp8_build", "tags", size, vp8_frame(1, 1, 1, True), vp8_frame(0, 1, 0, True), vp8_frame(0, 0, 2, True))
    write("fuzz_vp9_build", "frames", vp9_frame(1), vp9_frame(0), vp9_frame(0))
    write("fuzz_vp9_build", "segments", vp9_frame(1, True), vp9_frame(0, True), vp9_frame(0))


if __name__ == "__main__":
    main()
