#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of the fuzz targets, one good stream of a few pictures each: corpus/<target>/<name>."""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent


class Bits:
    def __init__(self):
        self.text = ""

    def bits(self, value, count):
        self.text += format(value, f"0{count}b") if count else ""
        return self

    def ue(self, value):
        code = format(value + 1, "b")
        self.text += "0" * (len(code) - 1) + code
        return self

    def se(self, value):
        return self.ue(2 * value - 1 if value > 0 else -2 * value)

    def data(self):
        text = self.text + "1" + "0" * (-(len(self.text) + 1) % 8)
        out = bytearray()
        for byte in (int(text[i:i + 8], 2) for i in range(0, len(text), 8)):
            if byte <= 3 and out[-2:] == b"\0\0":
                out.append(3)
            out.append(byte)
        return bytes(out) + b"\x5a" * 8


def h264_picture(surface, frame_idx, flags, top, bottom):
    return struct.pack("<IIIii16x", surface, frame_idx, flags, top, bottom)


NO_PICTURE = h264_picture(0xffffffff, 0, 1, 0, 0)


def h264_parameters(current, references, frame_num, seq, pic):
    """VAPictureParameterBufferH264"""
    refs = b"".join(references) + NO_PICTURE * (16 - len(references))
    return current + refs + struct.pack("<HHBBBxIBBHbbbbIHxx32x", 10, 8, 0, 0, 4, seq, 0, 0, 0, 0, 0, 0, 0, pic,
                                        frame_num)


def h264_slice(header, active=(0, 0)):
    size = len(header.text)
    data = header.data()
    head = struct.pack("<IIIHHBBBBBbBbbxxx", len(data), 0, 0, size, 0, 0, 0, active[0], active[1], 0, 0, 0, 0, 0)
    return head + struct.pack("<H", len(data)) + data


def start(ref_idc, idr, kind, frame_num, fields=None):
    header = Bits().bits(ref_idc, 3).bits(5 if idr else 1, 5).ue(0).ue(kind).ue(0).bits(frame_num, 4)
    if fields is not None:
        header.bits(fields, 1 if fields == 0 else 2)
    return header


SEQ = 1 | 1 << 4 | 1 << 6  # chroma_format_idc, frame_mbs_only_flag, direct_8x8_inference_flag
SHORT = 8


def h264_frames():
    """I, P with list modifications and marking, B with explicit weights."""
    first = h264_parameters(h264_picture(1, 0, 0, 65536, 65536), [], 0, SEQ, 0)
    yield b"\x81" + first + b"\x10" * 240 + h264_slice(start(3, True, 7, 0).ue(0).bits(0, 4).bits(0, 2).se(2))
    reference = h264_picture(1, 0, SHORT, 65536, 65536)
    second = h264_parameters(h264_picture(2, 1, 0, 65544, 65544), [reference], 1, SEQ, 1)
    header = start(2, False, 0, 1).bits(8, 4).bits(1, 1).ue(1).bits(1, 1).ue(0).ue(0).ue(3)
    header.bits(1, 1).ue(1).ue(0).ue(6).ue(0).ue(0).ue(1).se(-1)
    yield b"\x01" + second + h264_slice(header, (1, 0))
    other = h264_picture(2, 0, 16, 65544, 65544)
    third = h264_parameters(h264_picture(4, 2, 0, 65540, 65540), [other, reference], 2, SEQ, 1 << 2)
    header = start(0, False, 1, 2).bits(4, 4).bits(1, 1).bits(0, 1).bits(0, 2)
    header.ue(5).ue(4).bits(1, 1).se(3).se(-3).bits(0, 1).bits(0, 1).bits(1, 1).se(1).se(2).se(3).se(4).se(0)
    yield b"\x02" + third + h264_slice(header) + h264_slice(header)


def h264_fields():
    """A field pair and a P field of the next frame."""
    seq = 1 | 1 << 5 | 1 << 6
    field = 1 << 5
    seq_height = struct.pack("<H", 9)
    top = h264_parameters(h264_picture(1, 0, 2, 0, 0), [], 0, seq, field)
    bottom = h264_parameters(h264_picture(1, 0, 4, 0, 1), [h264_picture(1, 0, SHORT | 2, 0, 0)], 0, seq, field)
    pair = h264_picture(1, 0, SHORT, 0, 1)
    later = h264_parameters(h264_picture(2, 1, 2, 2, 0), [pair, h264_picture(3, 9, SHORT, 0, 0)], 1, seq, field)
    for parameters, header in ((top, start(3, True, 7, 0, 2).ue(0).bits(0, 4).bits(0, 2).se(0)),
                               (bottom, start(3, False, 0, 0, 3).bits(1, 4).bits(0, 3).se(0)),
                               (later, start(1, False, 0, 1, 2).bits(2, 4).bits(0, 3).se(0))):
        at = 17 * 36 + 2
        yield b"\x01" + parameters[:at] + seq_height + parameters[at + 2:] + h264_slice(header)


def mpeg2_picture(forward, backward, kind, extension):
    """VAPictureParameterBufferMPEG2"""
    return struct.pack("<HHIIiiI16x", 176, 144, forward, backward, kind, 0x1111, extension)


def mpeg2_slice(row):
    return struct.pack("<IIIIIIii16x", 6, 0, 0, 38, 0, row, 4, 0) + struct.pack("<H", 6) + \
        bytes((0, 0, 1, row + 1, 0x22, 0x80))


def mpeg2_frames():
    frame = 3 << 2 | 1 << 5 | 1 << 11 | 1 << 12
    none = 0xffffffff
    matrices = struct.pack("<iiii", 1, 1, 0, 0) + bytes(range(1, 65)) * 4 + bytes(16)
    yield b"\x91" + mpeg2_picture(none, none, 1, frame) + matrices + mpeg2_slice(0)
    yield b"\x22" + mpeg2_picture(1, none, 2, frame) + mpeg2_slice(0) + mpeg2_slice(8)
    yield b"\x41" + mpeg2_picture(none, 2, 3, frame) + mpeg2_slice(3)


def mpeg2_fields():
    none = 0xffffffff
    yield b"\x11" + mpeg2_picture(none, none, 1, 1 << 2 | 1 << 12) + mpeg2_slice(0)
    yield b"\x11" + mpeg2_picture(none, none, 2, 2 << 2) + mpeg2_slice(0)


def write(target, name, head, pictures):
    path = HERE / "corpus" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + b"".join(pictures))


def main():
    for flags, mode in ((0x16, "frame_based"), (0x15, "slice_based")):
        for name, pictures in (("frames", h264_frames()), ("fields", h264_fields())):
            write("fuzz_h264_build", f"{name}_{mode}", struct.pack("<BHH", flags, 176, 160), pictures)
    for name, pictures in (("frames", mpeg2_frames()), ("fields", mpeg2_fields())):
        write("fuzz_mpeg2_build", name, struct.pack("<BHH", 1, 176, 144), pictures)


if __name__ == "__main__":
    main()
