#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What comes out of the memory of boards: their pictures are filled with a pattern of which every byte is known
(docs/fakeboard.md), and the driver has to give the samples that it means in the board's format, converted here anew."""

import hashlib
import os
import re
import struct
import subprocess
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
BUILD = os.path.realpath(os.environ.get('BUILD', os.path.join(ROOT, 'build')))
FFMPEG = ('ffmpeg -v error -hwaccel vaapi -hwaccel_output_format vaapi -vaapi_device /dev/dri/renderD128 -i {path} '
          '-fps_mode passthrough -vf hwdownload,format={format} -f framemd5 -')


def pattern(job, size):
    words = ((i + job * 0x01000193) * 0x9E3779B1 & 0xFFFFFFFF for i in range(size // 4))
    return struct.pack(f'<{size // 4}I', *(word ^ word >> 15 for word in words))


def p010(samples):
    return struct.pack(f'<{len(samples)}H', *(sample << 6 for sample in samples))


def nv15(memory, pitch, rows, width, height):
    """rkvdec: rows of packed samples; a row is one large little-endian number. Chroma follows `rows` rows of luma."""
    def row(start):
        number = int.from_bytes(memory[start:start + pitch], 'little')
        return p010([number >> 10 * column & 0x3ff for column in range(width)])
    return b''.join([row(at * pitch) for at in range(height)] +
                    [row((rows + at) * pitch) for at in range(height // 2)])


def tiles(memory, pitch, tile_width, tile_height, first_row, rows):
    """Rows of bytes out of tiles that follow one another."""
    across, base = pitch // tile_width, first_row * pitch
    result = []
    for y in range(rows):
        starts = (base + ((y // tile_height) * across + n) * tile_width * tile_height + y % tile_height * tile_width
                  for n in range(across))
        result.append(b''.join(memory[start:start + tile_width] for start in starts))
    return result


def tiled_nv12(edge, chroma_rows):
    def convert(memory, pitch, rows, width, height):
        luma = tiles(memory, pitch, edge, edge, 0, height)
        chroma = tiles(memory, pitch, edge, edge, rows, chroma_rows)[:height // 2]
        return b''.join(row[:width] for row in luma + chroma)
    return convert


def nv15_4l4(memory, pitch, rows, width, height):
    """Four samples of a row of a tile are 5 bytes, so a tile is as wide; the next tile goes on where it ends."""
    lines = tiles(memory, pitch, 5, 4, 0, height) + tiles(memory, pitch, 5, 4, rows, height // 2)
    return b''.join(p010([int.from_bytes(line, 'little') >> 10 * column & 0x3ff for column in range(width)])
                    for line in lines)


def linear(memory, pitch, rows, width, height):
    """Rows as they are: `width` in bytes."""
    return b''.join(memory[at * pitch:at * pitch + width] for at in [*range(height), *range(rows, rows + height // 2)])


def p010_rows(memory, pitch, rows, width, height):
    return linear(memory, pitch, rows, 2 * width, height)


class Formats(unittest.TestCase):
    def check(self, board, fixture, picture_format, width, height, pitch, rows, convert, hide=''):
        """Each picture that FFmpeg downloads is the pattern of one job, converted, and each job gives one."""
        path = os.path.join(ROOT, 'fixtures', fixture)
        with open(os.path.join(ROOT, 'fixtures/fixtures.tsv'), encoding='utf-8') as file:
            count = next(int(cells[4]) for cells in (line.split('\t') for line in file) if '/'.join(cells[:2]) == fixture)
        done = subprocess.run(
            [os.path.join(ROOT, 'scripts/guest'), 'run', '--board', board, '--module-arg', 'stamp=0', '--module-arg',
             'pattern=1', '--timeout', '120', f'--env=LIBVA_DRIVERS_PATH={BUILD}/src',
             '--env=LIBVA_DRIVER_NAME=v4l2_request', f'--env=HIDE_FORMATS={hide}', '--', 'sh', '-c',
             f'LD_PRELOAD={BUILD}/tests/guest/hide_formats.so ' + FFMPEG.format(path=path, format=picture_format)],
            capture_output=True, text=True, check=False, cwd=ROOT)
        seen = re.findall(r'\b[0-9a-f]{32}$', done.stdout, re.MULTILINE)
        # Tables of the decoder's own behind the picture are of no concern: rows of luma and chroma are all.
        size = pitch * (rows + (rows // 2 + 31) // 32 * 32)
        wanted = {hashlib.md5(convert(pattern(job, size), pitch, rows, width, height)).hexdigest(): job
                  for job in range(1, count + 1)}
        self.assertEqual(len(seen), count, done.stdout + done.stderr)
        self.assertEqual(sorted(wanted.get(each, 0) for each in seen), list(range(1, count + 1)))

    def test_nv15_of_rkvdec(self):
        """176 pixels in rows for 192 (of whole 64 pixels): 240 bytes."""
        for board in 'rk3399', 'rk3588', 'rk3576', 'rk3288':
            with self.subTest(board):
                self.check(board, 'hevc/main10.h265', 'p010le', 176, 144, 240, 144, nv15)
        self.check('rk3399', 'h264/high10.h264', 'p010le', 176, 144, 240, 144, nv15)

    def test_p010_of_hantro(self):
        self.check('imx8mq', 'hevc/main10.h265', 'p010le', 176, 144, 352, 144, p010_rows)

    def test_nv12_of_cedrus(self):
        self.check('h3', 'mpeg2/ipb.m2v', 'nv12', 176, 144, 176, 144, linear)

    def test_tiles_of_cedrus(self):
        """176x144 in tiles of 32x32: 192x160, and 96 rows of chroma."""
        for codec in 'mpeg2/ipb.m2v', 'h264/main-b.h264':
            with self.subTest(codec):
                self.check('h3', codec, 'nv12', 176, 144, 192, 160, tiled_nv12(32, 80), 'NV12')

    def test_tiles_of_hantro(self):
        """176x144 of 8 and of 10 bits in tiles of 4x4: heights are whole multiples of 32 there."""
        self.check('imx8mq', 'hevc/p.h265', 'nv12', 176, 144, 176, 160, tiled_nv12(4, 80), 'NV12')
        self.check('imx8mq', 'hevc/main10.h265', 'p010le', 176, 144, 220, 160, nv15_4l4, 'P010')


if __name__ == '__main__':
    unittest.main(verbosity=2)
