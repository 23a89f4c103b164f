# SPDX-License-Identifier: MIT
"""Changes to the uncompressed headers of VP9 frames (VP9 bitstream specification, 6.2) in an IVF file."""

import struct

IVF_HEADER, IVF_FRAME = 32, 12


def with_bits(data, at, count, value):
    """The data with `count` bits from bit `at` on replaced."""
    whole = int.from_bytes(data, 'big')
    shift = len(data) * 8 - at - count
    mask = ((1 << count) - 1) << shift
    return (whole & ~mask | value << shift).to_bytes(len(data), 'big')


def golden_late(data, late=44):
    """Frames before number `late`, but for the key frame, are predicted from the frame before only and replace only that; the golden
    frame of the later ones is the key frame, which no header has named meanwhile. For streams without hidden frames,
    error resilience and compound prediction."""
    out, at, number = data[:IVF_HEADER], IVF_HEADER, 0
    while at < len(data):
        size = struct.unpack_from('<I', data, at)[0]
        header, frame = data[at:at + IVF_FRAME], data[at + IVF_FRAME:at + IVF_FRAME + size]
        # frame_marker, 2 profile bits, show_existing_frame, frame_type, show_frame, error_resilient_mode, reset_frame_context (2)
        if number and frame[0] != 0b10000110:
            raise ValueError(f'frame {number} begins with {frame[0]:#x}')
        if 0 < number < late:
            frame = with_bits(frame, 10, 8, 0b1)  # refresh_frame_flags
            for reference in range(3):
                frame = with_bits(frame, 18 + 4 * reference, 3, 0)  # ref_frame_idx
        out += header + frame
        at, number = at + IVF_FRAME + size, number + 1
    return out
