#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What comes out of the memory of boards: their pictures are filled with a pattern of which every byte is known
(docs/fakeboard.md), and the driver has to give the samples that it means in the board's format, converted here anew."""

import concurrent.futures
import dataclasses
import functools
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

JOB_LOG = '/sys/kernel/debug/fakeboard/log'  # whatever is written there, jobs count from 1 again
BOARDS_AT_A_TIME = 2


@functools.cache
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


@dataclasses.dataclass(frozen=True)
class Case:
    """A stream on a board; what its memory looks like: bytes of a row, rows of luma, and the function that converts it."""

    board: str
    fixture: str
    pitch: int
    rows: int
    convert: object
    size: tuple = (176, 144)
    hide: str = ''  # formats that the driver is not to see

    def command(self):
        return (f'HIDE_FORMATS={self.hide} LD_PRELOAD={BUILD}/tests/guest/hide_formats.so ' + FFMPEG.format(
            path=os.path.join(ROOT, 'fixtures', self.fixture), format='p010le' if '10' in self.fixture else 'nv12'))

    def wanted(self):
        """The hash of each job's picture."""
        # Tables of the decoder's own behind the picture are of no concern: rows of luma and chroma are all.
        size = self.pitch * (self.rows + (self.rows // 2 + 31) // 32 * 32)
        pictures = converted(self.convert, size, self.pitch, self.rows, self.size, frames(self.fixture))
        return {hashlib.md5(picture).hexdigest(): job for job, picture in enumerate(pictures, start=1)}


@functools.cache
def converted(convert, size, pitch, rows, visible, count):
    return [convert(pattern(job, size), pitch, rows, *visible) for job in range(1, count + 1)]


def frames(fixture):
    with open(os.path.join(ROOT, 'fixtures/fixtures.tsv'), encoding='utf-8') as file:
        return next(int(cells[4]) for cells in (line.split('\t') for line in file) if '/'.join(cells[:2]) == fixture)


# rkvdec: 176 pixels in rows for 192 (of whole 64 pixels), 240 bytes.
NV15 = [Case(board, 'hevc/main10.h265', 240, 144, nv15) for board in ('rk3399', 'rk3588', 'rk3576', 'rk3288')]
NV15 += [Case(board, 'h264/high10.h264', 240, 144, nv15) for board in ('rk3399', 'rk3588', 'rk3576')]
P010 = [Case('imx8mq', 'hevc/main10.h265', 352, 144, p010_rows)]
NV12 = [Case('h3', 'mpeg2/ipb.m2v', 176, 144, linear)]
# 176x144 in tiles of 32x32: 192x160, and 96 rows of chroma.
TILES_OF_CEDRUS = [Case('h3', fixture, 192, 160, tiled_nv12(32, 80), hide='NV12')
                   for fixture in ('mpeg2/ipb.m2v', 'h264/main-b.h264')]
# Tiles of 4x4: heights are whole multiples of 32 there.
TILES_OF_HANTRO = [Case('imx8mq', 'hevc/p.h265', 176, 160, tiled_nv12(4, 80), hide='NV12'),
                   Case('imx8mq', 'hevc/main10.h265', 220, 160, nv15_4l4, hide='P010')]


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Each board is started once, for all of its streams."""
        boards = {}
        for case in NV15 + P010 + NV12 + TILES_OF_CEDRUS + TILES_OF_HANTRO:
            boards.setdefault(case.board, []).append(case)
        with concurrent.futures.ThreadPoolExecutor(BOARDS_AT_A_TIME) as pool:
            cls.said = {case: said for cases in pool.map(cls.decode, *zip(*boards.items())) for case, said in cases}

    @staticmethod
    def decode(board, cases):
        done = subprocess.run(
            [os.path.join(ROOT, 'scripts/guest'), 'run', '--board', board, '--module-arg', 'stamp=0', '--module-arg',
             'pattern=1', '--timeout', '300', f'--env=LIBVA_DRIVERS_PATH={BUILD}/src',
             '--env=LIBVA_DRIVER_NAME=v4l2_request', '--', 'sh', '-c',
             '; '.join(f'echo anew >{JOB_LOG}; {case.command()} 2>&1; echo ----' for case in cases)],
            capture_output=True, text=True, check=False, cwd=ROOT)
        said = done.stdout.split('----\n')[:-1]
        return zip(cases, said if len(said) == len(cases) else [done.stdout + done.stderr] * len(cases))

    def check(self, cases):
        """Each picture that FFmpeg downloads is the pattern of one job, converted, and each job gives one."""
        for case in cases:
            with self.subTest(board=case.board, fixture=case.fixture):
                seen = re.findall(r'\b[0-9a-f]{32}$', self.said[case], re.MULTILINE)
                wanted = case.wanted()
                self.assertEqual(sorted(wanted.get(each, 0) for each in seen), [*range(1, len(wanted) + 1)], self.said[case])

    def test_nv15_of_rkvdec(self):
        self.check(NV15)

    def test_p010_of_hantro(self):
        self.check(P010)

    def test_nv12_of_cedrus(self):
        self.check(NV12)

    def test_tiles_of_cedrus(self):
        self.check(TILES_OF_CEDRUS)

    def test_tiles_of_hantro(self):
        self.check(TILES_OF_HANTRO)


if __name__ == '__main__':
    unittest.main(verbosity=2)
