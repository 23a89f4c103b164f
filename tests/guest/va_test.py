#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver behind libva, in the guest: the suite of calls and decodings, leaks, and both under a memory checker.

BUILD names the build folder (default: build). Where the suite itself is built with a sanitizer it must run in the
host's userland: V4L2_REQUEST_SUITE_ROOTFS=host. V4L2_REQUEST_SLOW_TESTS=1 runs everything that takes minutes.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import unittest

import recordings
from in_guest import BUILD, DAEDALUS, DRIVER, ROOT, InTheGuest

SUITE = os.environ.get('V4L2_REQUEST_SUITE', os.path.join(BUILD, 'tests/guest/va_suite'))
LEAKS = os.path.join(os.path.dirname(SUITE), 'va_leaks')
ROOTFS = os.environ.get('V4L2_REQUEST_SUITE_ROOTFS', 'trixie')
SLOW = os.environ.get('V4L2_REQUEST_SLOW_TESTS', '') not in ('', '0')
STREAMS = ('mpeg2/ip.m2v', 'mpeg2/intra-matrix.m2v', 'h264/baseline.h264', 'h264/size-16x16.h264', 'h264/slices-mbs.h264')
# Real streams, where they are, for what no encoder at hand makes: pictures of single fields.
VECTORS = os.environ.get('V4L2_REQUEST_VECTORS', '')
FIELDS = [path for path in (os.path.join(VECTORS, 'h264/HCAFF1_HHI.264'),) if os.path.exists(path)]
RECORDED = ('mpeg2/frame-fields.m2v', 'h264/baseline-refs.h264', 'hevc/short-term-sets.h265', 'vp8/plain.ivf', 'vp8/altref.ivf', 'vp9/plain.ivf', 'vp9/golden-late.ivf', 'av1/altref.ivf', 'av1/tile-groups.ivf', 'av1/pyramid-full.ivf', *FIELDS)
SUPPRESSIONS = os.path.join(ROOT, 'tests/guest/va_suite/valgrind.supp')
VALGRIND = ('valgrind', '--error-exitcode=99', '--leak-check=full', '--errors-for-leak-kinds=definite',
            '--track-fds=no', f'--suppressions={SUPPRESSIONS}')
# One decode of each codec, and what reads and writes memory by the client's say-so.
SHORT = '*EveryPictureOfAStream*:*Imports*:*ImageParts*:*SmallPictureInLargeSurface*:*ManyElements*:*SliceSize*:*CutShort*:*PartsAre*/178x146'


def fixtures_md5():
    """What the pictures of each stream should be, as NV12, from the table of the fixtures."""
    with open(os.path.join(ROOT, 'fixtures/fixtures.tsv'), encoding='utf-8') as table:
        names = table.readline().rstrip('\n').split('\t')
        rows = [dict(zip(names, line.rstrip('\n').split('\t'))) for line in table]
    return {f"{row['codec']}/{row['file']}": row['md5_nv12'] for row in rows}


def expect(folder):
    """Decodes the streams in software, and makes sure that this is what the fixtures say."""
    right = fixtures_md5()
    for stream in STREAMS:
        pictures = subprocess.run(
            ['ffmpeg', '-v', 'error', '-i', os.path.join(ROOT, 'fixtures', stream), '-f', 'rawvideo', '-pix_fmt',
             'nv12', '-'], check=True, capture_output=True).stdout
        if hashlib.md5(pictures).hexdigest() != right[stream]:
            raise AssertionError(f'{stream} decodes to other pictures than fixtures.tsv says')
        with open(os.path.join(folder, os.path.basename(stream) + '.nv12'), 'wb') as file:
            file.write(pictures)


class Case(InTheGuest):
    needed = (SUITE, LEAKS)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not shutil.which('ffmpeg'):
            raise unittest.SkipTest('ffmpeg, which decodes what is expected, is not installed')
        cls.prepare()

    @classmethod
    def prepare(cls):
        expect(cls.folder)

    def guest(self, device, *command, options=(), env=(), **settings):
        return super().guest(
            device, *command, options=('--rootfs', ROOTFS, '--share', os.path.dirname(SUITE), *options),
            env={'VA_SUITE_FIXTURES': os.path.join(ROOT, 'fixtures'), 'VA_SUITE_EXPECTED': self.folder, **dict(env)}, **settings)

    def suite(self, device, *arguments, wrapper=(), **settings):
        """Runs the suite and tells what it did; whatever it skipped is counted with its reason."""
        result = self.guest(device, *wrapper, SUITE, *arguments, **settings)
        ran = re.search(r'(\d+) tests? from \d+ test suites? ran', result.stdout)
        reasons = re.findall(r'Skipped\n(.*)\n', result.stdout)
        summary = [f'{ran.group(1) if ran else "no"} tests on {device}']
        summary += [f'{reasons.count(reason)} skipped: {reason}' for reason in sorted(set(reasons))]
        print(f"{self.id().split('.', 1)[1]}: " + '; '.join(summary), flush=True)
        self.assertEqual(result.returncode, 0, '\n'.join(
            (result.stdout[-6000:], ''.join(result.stderr.splitlines(keepends=True)[-60:]))))
        self.assertTrue(ran and int(ran.group(1)) > 0, 'no test ran')
        return result


class Suite(Case):
    def test_payload_only(self):
        self.suite('visl')

    def test_true_pixels(self):
        self.suite('daedalus')

    def test_without_heaps(self):
        # The pictures are in the device's own memory then.
        self.suite('daedalus', '--gtest_filter=*/Decode*:*/Images*:*/Layouts*:*/Readers*:*/References*:*/Pool*',
                   wrapper=('sh', '-c', 'rm -r /dev/dma_heap && exec "$@"', 'sh'))

    def test_slow_device(self):
        # visl sleeps inside the client's own system call; only daedalus is slow as hardware is.
        self.suite('daedalus', '--gtest_filter=*Sync*:*OfDestroyedSurfaces*:*OfARequest*', env={'VA_SUITE_SLOW_MS': '100'},
                   options=('--daemon-arg=--delay-ms', '--daemon-arg=100'))

    def test_device_with_a_size_of_its_own(self):
        # Surfaces that were exported before, for another size, get a copy of the picture.
        self.suite('daedalus', '--gtest_filter=*Layouts*:*Imports*:*Readers*:Sizes.*', env={'VA_SUITE_LARGER': 'no'},
                   options=('--module-arg', 'larger=0'))

    def test_device_of_tiles_with_a_size_of_its_own(self):
        self.suite('daedalus', '--gtest_filter=*RefusedImages*', env={'VA_SUITE_LARGER': 'no'},
                   options=('--module-arg', 'larger=0', '--module-arg', 'eight_bit=mm21'))

    def test_failing_device(self):
        self.suite('daedalus', '--gtest_filter=*Faults*', env={'VA_SUITE_FAULTS': 'fails'},
                   options=('--daemon-arg=--fail-every', '--daemon-arg=5'))

    def test_hanging_device(self):
        self.suite('daedalus', '--gtest_filter=*Faults*/Mpeg2', env={'VA_SUITE_FAULTS': 'hangs'},
                   options=('--daemon-arg=--hang-after', '--daemon-arg=6', '--module-arg', 'timeout_ms=100'))

    def test_device_slower_than_the_driver_waits(self):
        # The driver stops the queues after 5 s without a sign of life; the kernel would give the job up after 7.
        if not SLOW:
            self.skipTest('waits for the time limits of the driver: V4L2_REQUEST_SLOW_TESTS=1')
        self.suite('daedalus', '--gtest_filter=*Faults*/Mpeg2', env={'VA_SUITE_FAULTS': 'hangs'}, timeout=600,
                   options=('--daemon-arg=--hang-after', '--daemon-arg=6', '--module-arg', 'timeout_ms=0'))

    def test_nothing_on_standard_output(self):
        result = self.guest('visl', LEAKS, '1', env={'LIBVA_MESSAGING_LEVEL': '0'})
        self.assertEqual((result.returncode, result.stdout), (0, ''), result.stderr)


class Faulty(Case):
    """A device that pauses, calls that fail, boards whose jobs fail: with what FFmpeg submits for streams of all codecs."""

    needed = (SUITE, recordings.RECORDER)

    @classmethod
    def prepare(cls):
        super().prepare()
        recordings.record(RECORDED, cls.folder, cls.folder, DAEDALUS, frames=48)

    def faulty(self, device, filters, **settings):
        env = {'VA_SUITE_RECORDINGS': self.folder, **settings.pop('env', {})}
        return self.suite(device, '--gtest_filter=' + filters, env=env, **settings)

    def test_pausing_device_of_slices(self):
        self.faulty('daedalus', 'Pauses.InTheMiddle*', env={'VA_SUITE_FAULTS': 'pauses'},
                    options=('--module-arg', 'slice_based=1', '--module-arg', 'timeout_ms=0'))

    def test_pausing_device_of_fields(self):
        self.faulty('daedalus', 'Pauses.BetweenFields', env={'VA_SUITE_FAULTS': 'pauses'}, options=('--module-arg', 'timeout_ms=0'))

    def test_failing_calls(self):
        self.faulty('daedalus', '*Recovery*:*References*:*Pool*')

    def test_rebuilt_contexts_and_av1(self):
        self.faulty('daedalus', '*RebuiltContexts*:Av1.*')

    def test_board_of_frames(self):
        self.faulty('rk3399', 'Boards*:*LostOnes*', kind='--board', env={'VA_SUITE_BOARD': 'rk3399'})

    def test_board_of_slices(self):
        self.faulty('h3', 'Boards*:*LostOnes*', kind='--board', env={'VA_SUITE_BOARD': 'h3'})


class Leaks(Case):
    def test_decode_and_destroy(self):
        cycles = '1000' if SLOW else '200'
        result = self.guest('visl', LEAKS, cycles, timeout=1200)
        print(f'{cycles} cycles, ' + '; '.join(line for line in result.stderr.splitlines() if 'before' in line))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_decode_and_destroy_with_true_pixels(self):
        result = self.guest('daedalus', LEAKS, '100', timeout=600)
        print('100 cycles, ' + '; '.join(line for line in result.stderr.splitlines() if 'before' in line))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class Checked(Case):
    """Under valgrind: reads and writes beyond what is allocated, decisions on what was never written, leaks."""

    def setUp(self):
        if ROOTFS != 'trixie':
            self.skipTest('a suite with a sanitizer does not run under valgrind')

    def test_decoding(self):
        self.suite('visl', f'--gtest_filter={SHORT}', wrapper=VALGRIND, timeout=600)

    def test_everything(self):
        if not SLOW:
            self.skipTest('takes minutes: V4L2_REQUEST_SLOW_TESTS=1')
        # Ten surfaces of every size, and the sweeps over every byte, are too slow there.
        self.suite('visl', '--gtest_filter=-*TenSurfaces*:*EveryByte*:*ManyMoreTargets*:*1920x1080', wrapper=VALGRIND,
                   timeout=3000)


class Sanitized(Case):
    """A driver built with -Db_sanitize=address,undefined -Db_lundef=false, named by V4L2_REQUEST_ASAN_DRIVER, below the
    ordinary suite. Runs in the host's userland, which has the sanitizers' libraries."""

    def test_everything(self):
        driver = os.environ.get('V4L2_REQUEST_ASAN_DRIVER')
        if not driver:
            self.skipTest('V4L2_REQUEST_ASAN_DRIVER names no driver with AddressSanitizer')
        library = subprocess.run(['gcc', '-print-file-name=libasan.so'], check=True, capture_output=True,
                                 text=True).stdout.strip()
        # Leaks are for valgrind and for va_leaks: LeakSanitizer needs ptrace.
        self.suite('visl', options=('--rootfs', 'host', '--share', os.path.dirname(driver)), env={
            'LD_PRELOAD': os.path.realpath(library), 'LIBVA_DRIVERS_PATH': os.path.dirname(driver),
            'ASAN_OPTIONS': 'detect_leaks=0', 'UBSAN_OPTIONS': 'halt_on_error=1'})


class Symbols(unittest.TestCase):
    def test_one_is_exported(self):
        if not os.path.exists(DRIVER):
            self.skipTest(f'{DRIVER} is not built')
        lines = subprocess.run(['nm', '-D', '--defined-only', DRIVER], check=True, capture_output=True,
                               text=True).stdout.splitlines()
        self.assertEqual([line.split()[-1] for line in lines], ['__vaDriverInit_1_0'])


if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0], '--verbose', *sys.argv[1:]])
