#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""daedalus_v4l2, the kernel's half of daedalus, without the daemon: in the guest, with what the kernel says meanwhile.

GUEST_CONFIG=scripts/guest.d/debug.config runs the same on a kernel that watches locks and memory.
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

CHECKOUT = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
GUEST = os.path.join(CHECKOUT, 'scripts/guest')
SOURCE = os.path.join(CHECKOUT, 'daedalus/kernel')
CASES = os.path.join(CHECKOUT, 'tests/guest/daedalus_cases')

# What the module may say, and the kernel about it; what User-mode Linux says of its own lines is no business of ours.
EXPECTED = re.compile(r'loading out-of-tree module taints kernel|epollctl add err fd|callbacks suppressed'
                      r'|nobody has /dev/daedalus open|the daemon has not answered in time'
                      r'|daedalus: codecs: "|probe with driver daedalus failed with error -22')


def path(what):
    return subprocess.run([GUEST, 'path', what], check=True, capture_output=True, text=True).stdout.rstrip('\n')


def setUpModule():
    """Each kernel has a module of its own, and one that another test uses is left alone."""
    global BUILD, BUILD_LOG  # pylint: disable=global-variable-undefined
    BUILD = os.path.join(CHECKOUT, 'build/daedalus-kernel-test', os.path.basename(os.path.dirname(path('kernel-dir'))))
    shutil.rmtree(BUILD, ignore_errors=True)
    result = subprocess.run([GUEST, 'module', SOURCE, BUILD + '/kernel'], capture_output=True, text=True, check=False)
    BUILD_LOG = result.stdout + result.stderr
    if result.returncode:
        raise RuntimeError(BUILD_LOG)


class Case(unittest.TestCase):
    def run_guest(self, *command, arguments=(), options=(), timeout=600):
        """Returns the result of the command and what the kernel said from the loading of the module on."""
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, 'dmesg')
            result = subprocess.run(
                [GUEST, 'run', '--device', 'daedalus', '--daedalus', BUILD, '--no-daemon', '--dmesg', log,
                 '--timeout', str(timeout), *(f'--module-arg={argument}' for argument in arguments), *options,
                 '--', *command], capture_output=True, text=True, check=False)
            with open(log, errors='replace') as file:
                said = file.read()
        return result, said[said.find('daedalus_v4l2: loading'):].splitlines()

    def assert_quiet(self, said, expected=EXPECTED):
        self.assertEqual([line for line in said if not expected.search(line)], [])


class Source(Case):
    def test_no_warnings(self):
        self.assertNotRegex(BUILD_LOG, '(?i)warning')

    def test_kernel_style(self):
        """kzalloc_obj() is newer than some of the kernels that the module is for, and which one it is for has to be asked."""
        files = [os.path.join(SOURCE, name) for name in os.listdir(SOURCE) if name.endswith(('.c', '.h'))]
        result = subprocess.run([os.path.join(path('kernel-dir'), 'scripts/checkpatch.pl'), '--no-tree', '--terse',
                                 '--no-summary', '--max-line-length=120', '--ignore=ALLOC_WITH_SIZEOF,LINUX_VERSION_CODE,CONSTANT_COMPARISON', '-f', *files],
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.stdout, '')


class Compliance(Case):
    def comply(self, *arguments):
        result, said = self.run_guest('v4l2-compliance', '-m', '/dev/media0', arguments=arguments)
        verdict = result.stdout.splitlines()[-1]
        self.assertRegex(verdict, r'^Grand Total .* Failed: 0, Warnings: 0$', result.stdout)
        self.assertGreaterEqual(int(re.search(r'Succeeded: (\d+)', verdict)[1]), 57)
        self.assert_quiet(said)

    def test_frame_based(self):
        self.comply()

    def test_slice_based(self):
        self.comply('slice_based=1', 'ten_bit=nv15')

    def test_other_order_of_codecs(self):
        self.comply('codecs=av1,hevc,vp9,vp8,h264,mpeg2', 'slice_based=1', 'ten_bit=off', 'eight_bit=mm21', 'film_grain=0')


class Behaviour(Case):
    def run_cases(self, *arguments, files=()):
        """files: of the cases, all by default; the parameters of the module reach no further than those named below."""
        options = ['--rootfs', 'host']
        # On User-mode Linux, KASAN takes the borders of a module that is gone for those of the next one.
        if not os.environ.get('GUEST_CONFIG'):
            options.append(f'--env=DAEDALUS_MODULE={BUILD}/kernel/daedalus_v4l2.ko')
        result, said = self.run_guest('python3', CASES, *files, arguments=('timeout_ms=1000', *arguments), options=options)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assert_quiet(said)

    def test_frame_based(self):
        self.run_cases()

    def test_slice_based(self):
        self.run_cases('slice_based=1', 'ten_bit=nv15', 'larger=0', files=('formats', 'jobs', 'slices'))

    def test_slice_based_faults(self):
        self.run_cases('slice_based=1', files=('faults',))

    def test_other_order_of_codecs(self):
        self.run_cases('codecs=hevc,vp9,vp8,h264,mpeg2,av1', 'ten_bit=off', 'film_grain=0', files=('formats', 'jobs'))

    def test_idle_module_goes_without_a_trace(self):
        _, before = self.run_guest('true')
        result, after = self.run_guest('rmmod', 'daedalus_v4l2', options=('--rootfs', 'host'))
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        for said in before, after:
            self.assert_quiet(said, re.compile('taints kernel|epollctl'))


class Clients(Case):
    def test_gstreamer_ends_without_a_daemon(self):
        for stream, parser, decoder in (('h264/main.h264', 'h264parse', 'v4l2slh264dec'),
                                        ('mpeg2/ipb.m2v', 'mpegvideoparse', 'v4l2slmpeg2dec')):
            result, said = self.run_guest(
                'timeout', '60', 'gst-launch-1.0', '--no-fault', '-q', 'filesrc',
                f'location={CHECKOUT}/fixtures/{stream}', '!', parser, '!', decoder, '!', 'fakesink')
            self.assertNotEqual(result.returncode, 124, 'it hangs')
            self.assertTrue(any('nobody has /dev/daedalus open' in line for line in said), said)
            self.assert_quiet(said)


if __name__ == '__main__':
    unittest.main(verbosity=2)
