#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where the memory of pictures comes from: a dma-heap where there is one that the process may open and the device takes,
the device's own buffers otherwise, and v4l2-request-info says which and why. What clients read is the same either way."""

import json
import os
import re
import subprocess
import unittest

from in_guest import BUILD, ROOT, InTheGuest

TOOL = os.path.join(BUILD, 'src/v4l2-request-info')
STREAM = os.path.join(ROOT, 'fixtures/h264/main-b.h264')
NO_HEAP = 'rm /dev/dma_heap/system; '
OWN = "the device's own buffers: the CPU may read them slowly"
FFMPEG = 'ffmpeg -hide_banner -nostdin -v error {} -i {} -fps_mode passthrough -vf {}format=nv12 -f framemd5 -'
VAAPI = '-init_hw_device vaapi=va:/dev/dri/renderD128 -hwaccel vaapi -hwaccel_output_format vaapi'


class Heaps(InTheGuest):
    copied = (TOOL,)

    def memory(self, before='', device='rk3399', user='', arguments=()):
        """What each node of the device says of its memory."""
        tool = os.path.join(self.folder, os.path.basename(TOOL))
        done = self.guest(device, 'sh', '-c', f'{before}{user}{tool} --json',
                          kind='--device' if device in ('visl', 'daedalus') else '--board', timeout=120,
                          options=[word for argument in arguments for word in ('--module-arg', argument)])
        return [row['picture_memory'] for row in json.loads(done.stdout)['decoders'].values()]

    def source(self, *arguments, **settings):
        return {(row['source'], *row['refused']) for row in self.memory(*arguments, **settings)}

    def test_scattered_memory_for_a_device_with_an_iommu(self):
        self.assertEqual(self.source(), {('/dev/dma_heap/system',)})

    def test_contiguous_memory_for_a_device_without(self):
        ((source, refusal),) = self.source(arguments=('iommu=0', 'heap=linux,cma'))
        self.assertEqual(source, '/dev/dma_heap/linux,cma')
        self.assertRegex(refusal, r'^/dev/dma_heap/system: the device does not take its memory: VIDIOC_QBUF')

    def test_scattered_memory_for_a_device_that_takes_none(self):
        ((source, refusal),) = self.source(arguments=('iommu=0',))
        self.assertEqual(source, OWN)
        self.assertRegex(refusal, r'^/dev/dma_heap/system: the device does not take its memory: VIDIOC_QBUF')

    def test_a_machine_without_heaps(self):
        self.assertEqual(self.source('rm -r /dev/dma_heap; '), {(OWN,)})

    def test_a_user_who_may_not_open_the_heap(self):
        user = 'chmod 666 /dev/video* /dev/media*; setpriv --reuid 65534 --regid 65534 --clear-groups '
        self.assertEqual(self.source(user=user), {(OWN, '/dev/dma_heap/system: open: Permission denied')})

    def test_a_heap_that_gives_nothing(self):
        """Not a heap at all: whatever is there, the device's own buffers are left."""
        ((source, refusal),) = self.source('rm /dev/dma_heap/system; ln -s /dev/null /dev/dma_heap/system; ')
        self.assertEqual(source, OWN)
        self.assertRegex(refusal, r'^/dev/dma_heap/system: DMA_HEAP_IOCTL_ALLOC: ')

    def test_copies_are_measured(self):
        """Here both kinds are ordinary memory: the figures say only that something was copied."""
        for before in ('', NO_HEAP):
            for row in self.memory(before):
                self.assertGreater(float(row['speed_of_copies']), 0)
                self.assertGreater(float(row['speed_of_copies_from_own_buffers']), 0)

    def test_pictures_are_the_same(self):
        software = subprocess.run(FFMPEG.format('', STREAM, '').split(), capture_output=True, text=True, check=True).stdout
        frames = re.findall(r'^0,.*\b([0-9a-f]{32})$', software, re.MULTILINE)
        self.assertTrue(frames)
        command = FFMPEG.format(VAAPI, STREAM, 'hwdownload,')
        for before in ('', NO_HEAP):
            with self.subTest(before):
                done = self.guest('daedalus', 'sh', '-c', before + command)
                self.assertEqual(re.findall(r'^0,.*\b([0-9a-f]{32})$', done.stdout, re.MULTILINE), frames, done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
