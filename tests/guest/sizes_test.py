#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""VP8 whose key frames come in two sizes, through FFmpeg, which keeps context and surfaces for the smaller one: on a device
that does not write small pictures into large surfaces (the clients' tests have it on one that does), and on visl."""

import os
import subprocess
import sys
import unittest

import memory_test as ffmpeg

sys.dont_write_bytecode = True
sys.path += [os.path.join(ffmpeg.ROOT, 'tests/clients'), os.path.join(ffmpeg.ROOT, 'scripts/lib')]
import clips  # pylint: disable=wrong-import-position

PICTURES = '-fps_mode passthrough -noautoscale -f framemd5 -'


class Sizes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stream = os.path.join(clips.make(os.path.join(ffmpeg.ROOT, 'fixtures')), 'vp8/joined.ivf')
        command = f'ffmpeg -v error -i {cls.stream} -pix_fmt nv12 {PICTURES}'
        cls.expected = ffmpeg.frames(subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout)

    def decode(self, *device):
        """The frames of each path."""
        script = '; echo ----; '.join(f'{ffmpeg.CLIENT} -i {self.stream} -vf {filters.format("nv12")} {PICTURES}'
                                      for filters in ffmpeg.PATHS.values())
        done = subprocess.run(
            [os.path.join(ffmpeg.ROOT, 'scripts/guest'), 'run', *device, '--timeout', '120', '--share',
             os.path.dirname(self.stream), f'--env=LIBVA_DRIVERS_PATH={ffmpeg.BUILD}/src',
             '--env=LIBVA_DRIVER_NAME=v4l2_request', '--', 'sh', '-ec', script],
            capture_output=True, text=True, check=False, cwd=ffmpeg.ROOT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return dict(zip(ffmpeg.PATHS, map(ffmpeg.frames, done.stdout.split('\n----\n'))))

    def test_chosen_by_the_device(self):
        self.assertEqual(self.decode('--device', 'daedalus', '--daedalus', ffmpeg.DAEDALUS, '--module-arg', 'larger=0'),
                         dict.fromkeys(ffmpeg.PATHS, self.expected))

    def test_without_pixels(self):
        self.assertEqual({path: len(frames) for path, frames in self.decode('--device', 'visl').items()},
                         dict.fromkeys(ffmpeg.PATHS, len(self.expected)))


if __name__ == '__main__':
    unittest.main(verbosity=2)
