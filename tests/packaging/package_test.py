#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian packages as a user gets them: what is in them, and in the guest installed, used without any variable, purged.

    scripts/package deb trixie && tests/packaging/package_test.py [trixie|bookworm]

By name, not in scripts/test. BUILD names the build folder with daedalus (default: build)."""

import glob
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
BUILD = os.path.realpath(os.environ.get('BUILD', os.path.join(ROOT, 'build')))
DAEDALUS = os.environ.get('DAEDALUS_BUILD', os.path.join(BUILD, 'daedalus'))
SUITE = 'trixie'
NAMES = ('panfrost', 'panthor', 'lima', 'etnaviv', 'v3d', 'vc4', 'rockchip', 'sun4i-drm', 'mediatek', 'mxsfb-drm', 'imx-dcss', 'vkms')
STREAM = os.path.join(ROOT, 'fixtures/h264/high-all.h264')

# What is printed: the files of the system, then marks between which each step speaks.
IN_GUEST = r'''
files() { find / -xdev ! -path '/var/log/*' ! -path '/var/lib/dpkg/*-old' ! -path '/var/lib/dpkg/lock*' \
    ! -path '/var/lib/dpkg/triggers/*' ! -path '/tmp/*' ! -path '/run/*' | sort; }
env | grep -E 'LIBVA|GST_VA' && exit 9
files >/tmp/before
dpkg -i PACKAGES >&2
modprobe vkms
echo vainfo; vainfo --display drm --device /dev/dri/card1 2>&1 | cat
echo info; v4l2-request-info | sed -n 1,3p
echo hardware
ffmpeg -v error -nostdin -init_hw_device vaapi=v:/dev/dri/card1 -hwaccel vaapi -hwaccel_device v -hwaccel_output_format vaapi \
    -i STREAM -vf hwdownload,format=nv12 -f framemd5 -
echo software
ffmpeg -v error -nostdin -i STREAM -pix_fmt nv12 -f framemd5 -
dpkg --purge v4l2-request-va-driver-links v4l2-request-tools v4l2-request-va-driver >&2
files >/tmp/after
echo left
diff /tmp/before /tmp/after || true
echo end
'''


def packages():
    """The packages of this suite for this machine, by name."""
    machine = subprocess.run(['dpkg', '--print-architecture'], check=True, capture_output=True, text=True).stdout.strip()
    found = glob.glob(os.path.join(ROOT, f'build/packages/{SUITE}-{machine}/*.deb'))
    return {os.path.basename(path).split('_')[0]: path for path in found if 'dbgsym' not in path}


def field(path, name):
    return subprocess.run(['dpkg-deb', '--field', path, name], check=True, capture_output=True, text=True).stdout.strip()


class Packages(unittest.TestCase):
    def setUp(self):
        self.packages = packages()
        self.assertEqual(set(self.packages), {'v4l2-request-va-driver', 'v4l2-request-va-driver-links', 'v4l2-request-tools'},
                         f'run "scripts/package deb {SUITE}" first')

    def contents(self, name):
        lines = subprocess.run(['dpkg-deb', '--contents', self.packages[name]], check=True, capture_output=True, text=True).stdout
        return [line.split(None, 5)[5] for line in lines.splitlines() if not line.startswith('d')]

    def test_what_is_in_them(self):
        names = [os.path.basename(path) for path in self.contents('v4l2-request-va-driver')]
        self.assertIn('v4l2_request_drv_video.so', names)
        self.assertEqual([name for name in names if name.endswith('.so')], ['v4l2_request_drv_video.so'])
        links = [path for path in self.contents('v4l2-request-va-driver-links') if ' -> ' in path]
        self.assertEqual(sorted(os.path.basename(path.split(' -> ')[0]) for path in links),
                         sorted(f'{name}_drv_video.so' for name in NAMES))
        self.assertEqual({path.split(' -> ')[1] for path in links}, {'v4l2_request_drv_video.so'})
        names = [os.path.basename(path) for path in self.contents('v4l2-request-tools')]
        self.assertIn('v4l2-request-info', names)
        self.assertIn('v4l2-request-info.1.gz', names)
        self.assertIn('v4l2-request-replay', names)
        self.assertIn('v4l2-request-replay.1.gz', names)

    def test_what_they_say_of_others(self):
        driver = self.packages['v4l2-request-va-driver']
        self.assertEqual(field(driver, 'Provides'), 'va-driver')
        self.assertEqual(field(driver, 'Conflicts'), 'libva-v4l2-request')
        self.assertIn('libyuv (= ', field(driver, 'Static-Built-Using'))
        self.assertNotIn('libyuv', field(driver, 'Depends'))

    def test_installed_used_and_purged(self):
        script = IN_GUEST.replace('PACKAGES', ' '.join(self.packages.values())).replace('STREAM', STREAM)
        result = subprocess.run(
            [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--daedalus', DAEDALUS, '--rootfs', SUITE,
             '--', 'sh', '-ec', script],
            capture_output=True, text=True, check=False, timeout=600)
        said = re.split(r'^(vainfo|info|hardware|software|left|end)\n', result.stdout, flags=re.MULTILINE)
        parts = dict(zip(said[1::2], said[2::2]))
        self.assertIn('end', parts, result.stdout + result.stderr)
        self.assertIn('vkms_drv_video.so', parts['vainfo'] + result.stderr)
        self.assertIn('Driver version: V4L2 stateless decoders (', parts['vainfo'])
        self.assertIn('VAProfileH264High', parts['vainfo'])
        frames = [[line.split(',')[-1].strip() for line in parts[name].splitlines() if line and line[0] != '#']
                  for name in ('hardware', 'software')]
        self.assertTrue(frames[0])
        self.assertEqual(frames[0], frames[1])
        print(f'{SUITE}: {len(frames[0])} frames equal software, without any variable', file=sys.stderr)
        self.assertEqual(parts['left'], '')


if __name__ == '__main__':
    if len(sys.argv) > 1 and sys.argv[1] in ('bookworm', 'trixie'):
        SUITE = sys.argv.pop(1)
    unittest.main(verbosity=2)
