#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes av1_frame_headers.tsv: what FFmpeg's trace_headers reads in the frame headers of real streams.

    make_av1_frame_headers.py FOLDER/av1/*.ivf > av1_frame_headers.tsv"""
import os
import re
import subprocess
import sys

VALUE = re.compile(r'\] *\d+ +([\w\[\]]+) .*= (-?\d+)$')
KEY, INTER, INTRA_ONLY, SWITCH = range(4)
COLUMNS = ('file', 'frame_type', 'show_frame', 'showable_frame', 'error_resilient_mode', 'disable_cdf_update',
           'allow_screen_content_tools', 'force_integer_mv', 'order_hint_bits', 'order_hint', 'primary_ref_frame',
           'ref_frame_idx', 'refresh_frame_flags', 'unusual')  # fmt: skip


def headers(path):
    """The syntax elements of each frame header, with those of the sequence header before it."""
    command = ['ffmpeg', '-nostdin', '-i', path, '-c', 'copy', '-bsf:v', 'trace_headers', '-f', 'null', '-']
    text = subprocess.run(command, capture_output=True, text=True, errors='replace', check=True).stderr
    sequence, current, kind = {}, {}, None
    for line in text.splitlines() + ['] OBU header']:
        if line.endswith(('] OBU header', '] Tile Group', '] Tile List', '] Metadata')):
            if kind == 'Sequence Header':
                sequence = current
            elif kind == 'Frame Header' and not current.get('show_existing_frame'):
                yield sequence | current
            kind, current = None, {}
        elif line.endswith(('] Sequence Header', '] Frame Header', '] Frame')):
            kind, current = 'Frame Header' if line.endswith(('] Frame Header', '] Frame')) else 'Sequence Header', {}
        elif found := VALUE.search(line):
            current[found[1]] = int(found[2])


def unusual(header):
    """What the driver's parser does not try: buffer_removal_time, and frame ids of other lengths than libaom's."""
    lengths = header.get('additional_frame_id_length_minus_1', 0), header.get('delta_frame_id_length_minus_2', 12)
    return header.get('buffer_removal_time_present_flag') or lengths != (0, 12)


def row(name, header):
    kind = header['frame_type']
    shown = header['show_frame']
    resilient = 1 if kind == SWITCH or (kind == KEY and shown) else header['error_resilient_mode']
    intra = kind in (KEY, INTRA_ONLY)
    tools = header.get('allow_screen_content_tools', header.get('seq_force_screen_content_tools', 0))
    short = header.get('frame_refs_short_signaling')
    references = [header.get(f'ref_frame_idx[{i}]', 0) for i in range(7)]
    if short:
        references[0], references[3] = header['last_frame_idx'], header['golden_frame_idx']
    return (name, kind, shown, header.get('showable_frame', int(kind != KEY)), resilient, header['disable_cdf_update'], tools,
            header.get('force_integer_mv', 0) if tools else 0,
            header['order_hint_bits_minus_1'] + 1 if header.get('enable_order_hint') else 0, header.get('order_hint', 0),
            7 if intra or resilient else header['primary_ref_frame'], ' '.join(map(str, references)),
            255 if kind == SWITCH or (kind == KEY and shown) else header['refresh_frame_flags'],
            int(unusual(header)))  # fmt: skip


def main():
    print('\t'.join(COLUMNS))
    for path in sys.argv[1:]:
        for header in headers(path):
            if 'frame_type' in header:
                print('\t'.join(map(str, row(os.path.basename(path), header))))


if __name__ == '__main__':
    main()
