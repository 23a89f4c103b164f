#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What clients get of a device whose pictures are not plain NV12, on every path: copied, mapped, exported. Pictures of 10
bits as P010, which all paths take, and packed; of 8 bits in tiles, in two pieces of memory: those can only be copied. What
cannot be is refused, and the stream after it is decoded."""

import concurrent.futures
import functools
import os
import re
import subprocess
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
BUILD = os.path.realpath(os.environ.get('BUILD', os.path.join(ROOT, 'build')))
DAEDALUS = os.environ.get('DAEDALUS_BUILD', os.path.join(BUILD, 'daedalus'))
TEN, EIGHT = ('hevc/main10.h265', 'p010le'), ('hevc/p.h265', 'nv12')
CLIENT = ('ffmpeg -hide_banner -nostdin -v verbose -init_hw_device drm=drm:/dev/dri/renderD128 -init_hw_device vaapi=va@drm '
          '-hwaccel vaapi -hwaccel_device va -hwaccel_output_format vaapi')
PATHS = {
    'copy': 'hwdownload,format={}',
    'map': 'hwmap=mode=read+direct,format={}',
    'export': 'hwmap=derive_device=drm:mode=read,format=drm_prime,hwmap=mode=read,format={}',
}

# How the module lays pictures out, the stream that shows it, and the paths that are tried.
MEMORY = {'ten_bit=p010': (TEN, PATHS), 'ten_bit=nv15': (TEN, PATHS), 'ten_bit=off': (TEN, ('copy',)), 'eight_bit=mm21': (EIGHT, PATHS)}
GUESTS_AT_A_TIME = 2


def command(client, stream, filters):
    name, pixels = stream
    return f'{client} -i {ROOT}/fixtures/{name} -fps_mode passthrough -vf {filters.format(pixels)} -f framemd5 -'


def frames(text):
    return re.findall(r'^0,.*\b([0-9a-f]{32})$', text, re.MULTILINE)


@functools.cache
def software(stream):
    done = subprocess.run(command('ffmpeg -v error', stream, 'format={}').split(), capture_output=True, text=True, check=True)
    return frames(done.stdout)


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Each kind of memory is asked of the module once, for all paths. seen: by memory and path, what FFmpeg gets of a
        stream, and what it says; a copied one of 8 bits after it has to be right."""
        with concurrent.futures.ThreadPoolExecutor(GUESTS_AT_A_TIME) as pool:
            cls.seen = {key: value for seen in pool.map(cls.decode, MEMORY) for key, value in seen.items()}

    @staticmethod
    def decode(memory):
        stream, paths = MEMORY[memory]
        script = '; echo ----; '.join(command(CLIENT, each, PATHS[way]) + ' 2>/tmp/said; cat /tmp/said; echo'
                                      for path in paths for each, way in ((stream, path), (EIGHT, 'copy')))
        done = subprocess.run(
            [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--daedalus', DAEDALUS, '--module-arg',
             memory, '--timeout', '300', f'--env=LIBVA_DRIVERS_PATH={BUILD}/src',
             '--env=LIBVA_DRIVER_NAME=v4l2_request', '--', 'sh', '-c', script],
            capture_output=True, text=True, check=False, cwd=ROOT)
        said = done.stdout.split('\n----\n')
        if len(said) != 2 * len(paths):
            raise AssertionError(done.stdout + done.stderr)
        right = software(EIGHT)
        for path, text in zip(paths, said[1::2]):
            if frames(text) != right:
                raise AssertionError(f'{memory}, {path}: the stream of 8 bits after it is wrong\n{text}')
        return {(memory, path): (frames(text), text) for path, text in zip(paths, said[::2])}

    def check_copies_only(self, memory, refusals):
        self.assertEqual(self.seen[memory, 'copy'][0], software(MEMORY[memory][0]))
        for path, said in refusals.items():
            with self.subTest(path):
                seen, log = self.seen[memory, path]
                self.assertEqual(seen, [])
                self.assertIn(said, log)

    def test_p010(self):
        for path in PATHS:
            with self.subTest(path):
                self.assertEqual(self.seen['ten_bit=p010', path][0], software(TEN))

    def test_packed(self):
        self.check_copies_only('ten_bit=nv15', {
            'map': 'vaDeriveImage: the memory of the surface, NV15, can only be read by vaGetImage',
            'export': 'vaExportSurfaceHandle: DRM has no name for NV15 in separate layers'})

    def test_tiles_in_two_pieces(self):
        self.check_copies_only('eight_bit=mm21', {
            'map': 'vaDeriveImage: the memory of the surface, MM21, can only be read by vaGetImage',
            'export': 'vaExportSurfaceHandle: DRM has no name for MM21'})

    def test_without_ten_bits(self):
        """Declined, with the reason in the log."""
        seen, log = self.seen['ten_bit=off', 'copy']
        self.assertEqual(seen, [])
        self.assertRegex(log, r'VAProfile 18, is left out: the device does not list it')


if __name__ == '__main__':
    unittest.main(verbosity=2)
