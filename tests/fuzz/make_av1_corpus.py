#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of the AV1 fuzz target, one good stream of a few frames each: corpus/<target>/<name>."""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
SIZE = 1160  # of VADecPictureParameterBufferAV1 (va_dec_av1.h) where pointers have eight bytes
INVALID = 0xFFFFFFFF
# Field -> offset and type.
FIELDS = {
    'order_hint_bits_minus_1': (1, '<B'),
    'bit_depth_idx': (2, '<B'),
    'seq_info_fields': (4, '<I'),
    'current_display_picture': (12, '<I'),
    'frame_width_minus1': (32, '<H'),
    'frame_height_minus1': (34, '<H'),
    'ref_frame_map': (40, '<8I'),
    'ref_frame_idx': (72, '<7B'),
    'primary_ref_frame': (79, '<B'),
    'order_hint': (80, '<B'),
    'seg_info': (84, '<I'),
    'film_grain_info': (240, '<IHB14B14B'),
    'tile_cols': (416, '<B'),
    'tile_rows': (417, '<B'),
    'pic_info_fields': (676, '<I'),
    'superres_scale_denominator': (680, '<B'),
    'mode_control_fields': (708, '<I'),
}
SEQUENCE = 0x3080  # order hints, 4:2:0
SHOWN, UNIFORM, INTER, SUPERRES = 1 << 2, 1 << 14, 1, 1 << 9
REFERENCE_SELECT = 1 << 9


def frame(target, tiles=(1, 1), **fields):
    """One frame of 352x288: as fuzz_av1_build.cpp reads it."""
    columns, rows = tiles
    values = {
        'order_hint_bits_minus_1': 6,
        'seq_info_fields': SEQUENCE,
        'current_display_picture': INVALID,
        'frame_width_minus1': 351,
        'frame_height_minus1': 287,
        'ref_frame_map': (INVALID,) * 8,
        'primary_ref_frame': 7,
        'tile_cols': columns,
        'tile_rows': rows,
        'pic_info_fields': SHOWN | UNIFORM,
        'superres_scale_denominator': 8,
    } | fields
    parameters = bytearray(SIZE)
    for name, value in values.items():
        offset, kind = FIELDS[name]
        struct.pack_into(kind, parameters, offset, *(value if isinstance(value, tuple) else (value,)))
    data = b''
    for at in range(columns * rows):
        tile = b'\x00\x27' + bytes([at]) * 40
        data += bytes([at // columns, at % columns]) + struct.pack('<H', len(tile)) + tile + b'\x02'
    return bytes([target, columns * rows]) + bytes(parameters) + data


def inter(target, order_hint, surfaces, **fields):
    return frame(
        target,
        **{
            'pic_info_fields': SHOWN | UNIFORM | INTER,
            'order_hint': order_hint,
            'ref_frame_map': tuple(surfaces),
            'primary_ref_frame': 0,
            **fields,
        },
    )


def write(name, *frames):
    path = HERE / 'corpus' / 'fuzz_av1_build' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack('<HH', 352, 288) + b''.join(frames))


def main():
    write('frames', frame(1), inter(2, 1, [1] * 8), inter(3, 2, [1, 2] + [1] * 6, mode_control_fields=REFERENCE_SELECT))
    write(
        'tiles',
        frame(1, (3, 2)),
        inter(2, 1, [1] * 8, tiles=(6, 5)),
        inter(3, 2, [1] * 8, pic_info_fields=SHOWN | UNIFORM | INTER | SUPERRES, superres_scale_denominator=16),
    )
    write(
        'grain',
        frame(1, current_display_picture=9, film_grain_info=(1, 77, 2, 1, 200, *(0,) * 12, 9, 9, *(0,) * 12)),
        frame(2, bit_depth_idx=1),
    )
    alive = [1] * 8
    full = [frame(1)]
    for at in range(1, 11):
        full.append(inter(1 + at, at, alive, ref_frame_idx=(0, 1, 2, 3, 4, 5, 6)))
        alive[at % 8] = 1 + at
    write('full', *full)


if __name__ == '__main__':
    main()
