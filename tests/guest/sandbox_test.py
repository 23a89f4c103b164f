#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver where a browser's decoding process has it: a model of Firefox's rules (faults/sandbox.cpp), as they are and with
the two changes that stateless decoders ask for (docs/clients.md). BUILD names the build folder (default: build)."""

import os
import subprocess
import unittest

import memory_test as ffmpeg

NODE = '/dev/dri/renderD128'
STREAMS = ('mpeg2/ipb.m2v', 'h264/high-all.h264', 'hevc/pyramid-layers.h265', 'vp8/altref.ivf', 'vp9/altref.ivf',
           'av1/all-intra.ivf')
PICTURES = '-fps_mode passthrough -f framemd5 -'


class Sandbox(unittest.TestCase):
    def run_in_guest(self, script, changes):
        """What a script says whose programs are in the sandbox, with these changes to its rules."""
        preload = os.path.join(ffmpeg.BUILD, 'tests/guest/sandbox.so')
        return subprocess.run(
            [os.path.join(ffmpeg.ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--daedalus', ffmpeg.DAEDALUS,
             '--timeout', '240', f'--env=LIBVA_DRIVERS_PATH={ffmpeg.BUILD}/src', '--env=LIBVA_DRIVER_NAME=v4l2_request',
             f'--env=SANDBOX={changes}', '--', 'sh', '-ec', script.replace('INSIDE', f'env LD_PRELOAD={preload}')],
            capture_output=True, text=True, check=False, cwd=ffmpeg.ROOT)

    def test_with_both_changes_everything_decodes(self):
        lines = [f'INSIDE {ffmpeg.CLIENT} -i fixtures/{name} -vf hwdownload,format=nv12 {PICTURES}; echo ----; '
                 f'ffmpeg -v error -i fixtures/{name} -pix_fmt nv12 {PICTURES}; echo ----' for name in STREAMS]
        done = self.run_in_guest('; '.join(lines), 'media,request')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        frames = list(map(ffmpeg.frames, done.stdout.split('----\n')))
        for at, name in enumerate(STREAMS):
            with self.subTest(name):
                self.assertTrue(frames[2 * at])
                self.assertEqual(frames[2 * at], frames[2 * at + 1])
        self.assertNotIn('denied: ioctl', done.stderr)

    def test_without_one_the_driver_says_at_once_what_it_lacks(self):
        for changes, reason in (('', r'/dev/media\d+.*Permission denied'), ('request', r'/dev/media\d+.*Permission denied'),
                                ('media', r'Function not implemented')):
            with self.subTest(changes):
                done = self.run_in_guest(f'INSIDE vainfo --display drm --device {NODE}', changes)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stdout + done.stderr, 'no stateless video decoder can be used')
                self.assertRegex(done.stdout + done.stderr, reason)


if __name__ == '__main__':
    unittest.main(verbosity=2)
