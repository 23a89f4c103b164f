#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kernel's half of daedalus, from both ends: run in the guest by daedalus_kernel_test.py, on the module as loaded."""
import contextlib
import fcntl
import mmap
import os
import re
import signal
import struct
import subprocess
import threading
import time
import unittest

from daedalus_v4l2 import *  # pylint: disable=wildcard-import,unused-wildcard-import



def parameter(name):
    with open(f'/sys/module/daedalus_v4l2/parameters/{name}') as file:
        return file.read().strip()


def set_parameter(name, value):
    with open(f'/sys/module/daedalus_v4l2/parameters/{name}', 'w') as file:
        file.write(str(value))


MS = 10**6  # of a timestamp
TIMEOUT = int(parameter('timeout_ms')) / 1000
TEN_BIT = parameter('ten_bit')
MODULE = os.environ.get('DAEDALUS_MODULE')  # to load it again


def dma_bufs():
    """How many dma-bufs there are in the whole kernel."""
    with open('/sys/kernel/debug/dma_buf/bufinfo') as file:
        return int(re.search(r'Total (\d+) objects', file.read())[1])


def eventually(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Case(unittest.TestCase):
    """Every test leaves the machine as it found it, but for its own client and daemon, which end with it."""

    def client(self, **setup):
        return self.use(Client()).setup(**setup)

    def daemon(self):
        return self.use(Daemon())

    def use(self, context):
        self.addCleanup(context.close)
        return context

    def decode(self, client, daemon, capture, timestamp, output=0, pattern=0, error=0, **submit):
        """One job from end to end; returns it and both buffers."""
        client.queue_capture(capture)
        request = client.submit(output, timestamp, **submit)
        job = daemon.read_job()
        daemon.complete(job, error=error, pattern=pattern)
        self.assertTrue(is_complete(request))
        picture, bitstream = client.dequeue(CAPTURE), client.dequeue(OUTPUT)
        self.assertEqual((picture.index, bitstream.index), (capture, output))
        self.assertEqual((picture.timestamp, bitstream.timestamp), (timestamp, timestamp))
        self.assertEqual((picture.failed, bitstream.failed), (bool(error), bool(error)))
        return job, picture, bitstream

    def assert_fails(self, client, request, seconds=0.0):
        """The job that runs ends with errors, within a time, and the request completes."""
        picture, bitstream = client.dequeue(CAPTURE, seconds=seconds), client.dequeue(OUTPUT)
        self.assertTrue(picture and picture.failed)
        self.assertTrue(bitstream and bitstream.failed)
        self.assertTrue(is_complete(request))


class Formats(Case):
    def test_output_is_aligned_and_bounded(self):
        client = self.use(Client())
        for asked, given in (((1, 1), (16, 16)), ((17, 33), (32, 48)), ((1920, 1080), (1920, 1088)),
                             ((9999, 9999), (8192, 8192))):
            f = client.format(S_FMT, OUTPUT, width=asked[0], height=asked[1], pixelformat=MPEG2)
            self.assertEqual((f.width, f.height, f.num_planes), (*given, 1))

    def test_capture_follows_output(self):
        client = self.use(Client())
        client.format(S_FMT, OUTPUT, width=176, height=100, pixelformat=H264)
        for request in (G_FMT, TRY_FMT, S_FMT):
            f = client.format(request, CAPTURE, width=64, height=48, pixelformat=0x32315559)
            self.assertEqual((f.width, f.height, f.pixelformat, f.num_planes), (176, 112, NV12, 1))
            self.assertEqual((f.plane[0].bytesperline, f.sizeimage), (192, 192 * 112 * 3 // 2))

    def test_capture_can_be_larger_than_output(self):
        client = self.use(Client())
        client.format(S_FMT, OUTPUT, width=176, height=100, pixelformat=H264)
        for asked, given in (((640, 100), (640, 112)), ((64, 479), (176, 480)), ((9999, 9999), (8192, 8192))):
            for request in (TRY_FMT, S_FMT):
                f = client.format(request, CAPTURE, width=asked[0], height=asked[1], pixelformat=NV12)
                self.assertEqual((f.width, f.height), given)
                self.assertEqual(f.sizeimage, f.plane[0].bytesperline * given[1] * 3 // 2)
        f = client.format(G_FMT, CAPTURE)
        self.assertEqual((f.width, f.height), (8192, 8192))
        client.format(S_FMT, OUTPUT, width=176, height=100, pixelformat=H264)  # and all is as it was
        f = client.format(G_FMT, CAPTURE)
        self.assertEqual((f.width, f.height), (176, 112))

    def test_capture_follows_the_depth(self):
        client = self.use(Client())
        client.format(S_FMT, OUTPUT, width=176, height=100, pixelformat=H264)
        eight, ten = h264_sps(), h264_sps(depth=10)
        if TEN_BIT == 'off':
            self.assertEqual(refused(client.controls, {H264_SPS: ten}), 'EINVAL')
            return
        fourcc, stride = {'p010': (0x30313050, 384), 'nv15': (0x3531564e, 256)}[TEN_BIT]
        for sps, expected in ((ten, (fourcc, stride)), (eight, (NV12, 192)), (ten, (fourcc, stride))):
            client.controls({H264_SPS: sps})
            for request in (G_FMT, TRY_FMT, S_FMT):
                f = client.format(request, CAPTURE, width=64, height=48, pixelformat=NV12)
                self.assertEqual((f.pixelformat, f.plane[0].bytesperline), expected)
                self.assertEqual((f.width, f.height, f.sizeimage), (176, 112, expected[1] * 112 * 3 // 2))
        # each codec has a depth of its own, and OUTPUT's format leaves it alone
        client.format(S_FMT, OUTPUT, width=176, height=100, pixelformat=MPEG2)
        self.assertEqual(client.format(G_FMT, CAPTURE).pixelformat, NV12)
        client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=H264)
        self.assertEqual(client.format(G_FMT, CAPTURE).pixelformat, fourcc)
        # buffers for one depth are none for another
        client.buffers(CAPTURE, 1)
        self.assertEqual(refused(client.controls, {H264_SPS: eight}), 'EBUSY')
        client.controls({H264_SPS: h264_sps(2, 2, depth=10)})
        self.assertEqual(client.format(G_FMT, CAPTURE).pixelformat, fourcc)

    def test_bitstream_room(self):
        client = self.use(Client())

        def room(width, height, wish=0):
            return client.format(TRY_FMT, OUTPUT, width=width, height=height, pixelformat=MPEG2, sizeimage=wish).sizeimage

        self.assertEqual(room(64, 64), 65536)
        self.assertEqual(room(1920, 1088), 1920 * 1088 * 3 // 2)
        self.assertEqual(room(64, 64, 5 << 20), 5 << 20)
        self.assertEqual(room(1920, 1088, 1000), 1920 * 1088 * 3 // 2)
        self.assertEqual(room(64, 64, 0xffffffff), 256 << 20)

    def test_an_unknown_codec_becomes_the_first(self):
        client = self.use(Client())
        f = client.format(TRY_FMT, OUTPUT, width=64, height=64, pixelformat=0x31305641)
        self.assertEqual(f.pixelformat, client.codecs()[0])

    def test_colors_go_from_output_to_capture(self):
        client, colors = self.use(Client()), {'colorspace': 10, 'ycbcr_enc': 6, 'quantization': 2, 'xfer_func': 7}
        tried = client.format(TRY_FMT, OUTPUT, width=64, height=64, pixelformat=H264, **colors)
        self.assertEqual(tried.colors, (10, 6, 2, 7))
        self.assertNotEqual(client.format(G_FMT, CAPTURE).colors, (10, 6, 2, 7))
        client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=H264, **colors)
        for request in (G_FMT, TRY_FMT, S_FMT):
            self.assertEqual(client.format(request, CAPTURE, colorspace=1, quantization=1).colors, (10, 6, 2, 7))

    def test_frame_sizes(self):
        client = self.use(Client())
        sizes = client.ioctl(ENUM_FRAMESIZES, FrameSizes(pixel_format=H264))
        self.assertEqual((sizes.type, sizes.min_width, sizes.max_width, sizes.step_width), (2, 1, 8192, 1))
        self.assertEqual((sizes.min_height, sizes.max_height, sizes.step_height), (1, 8192, 1))
        self.assertEqual(refused(client.ioctl, ENUM_FRAMESIZES, FrameSizes(pixel_format=H264, index=1)), 'EINVAL')
        self.assertEqual(refused(client.ioctl, ENUM_FRAMESIZES, FrameSizes(pixel_format=NV12)), 'EINVAL')

    def test_when_a_format_is_fixed(self):
        client = self.use(Client())

        def set_output(fourcc=MPEG2, width=64):
            return refused(client.format, S_FMT, OUTPUT, width=width, height=64, pixelformat=fourcc)

        self.assertIsNone(set_output())
        client.buffers(OUTPUT, 1)
        self.assertIsNone(set_output(width=128))  # dynamic resolution change keeps the bitstream buffers
        self.assertEqual(set_output(H264), 'EBUSY')
        client.stream(kinds=[OUTPUT])
        self.assertEqual(set_output(width=64), 'EBUSY')
        client.stream(False, kinds=[OUTPUT])
        self.assertIsNone(set_output(width=64))
        client.buffers(CAPTURE, 1)
        self.assertEqual(set_output(), 'EBUSY')
        self.assertEqual(refused(client.format, S_FMT, CAPTURE), 'EBUSY')
        client.buffers(CAPTURE, 0)
        self.assertIsNone(set_output())
        client.buffers(OUTPUT, 0)
        self.assertIsNone(set_output(H264))

    def test_small_bitstream_buffers_stay_of_use_after_a_larger_format(self):
        client, daemon = self.use(Client()), self.daemon()
        client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=MPEG2)
        client.buffers(OUTPUT, 1)
        client.format(S_FMT, OUTPUT, width=640, height=480, pixelformat=MPEG2)
        client.buffers(CAPTURE, 1)
        client.stream()
        self.decode(client, daemon, 0, MS)

    def test_create_bufs_takes_larger_not_smaller(self):
        client = self.use(Client())
        for kind in (OUTPUT, CAPTURE):
            f = client.format(G_FMT, kind)
            f.plane[0].sizeimage += 4096
            client.ioctl(CREATE_BUFS, CreateBuffers(count=1, memory=MMAP, format=f))
            f.plane[0].sizeimage -= 4097
            self.assertEqual(refused(client.ioctl, CREATE_BUFS, CreateBuffers(count=1, memory=MMAP, format=f)), 'EINVAL')

    def test_capabilities(self):
        client = self.use(Client())
        output, capture = client.buffers(OUTPUT, 0).capabilities, client.buffers(CAPTURE, 0).capabilities
        for name in ('mmap', 'dmabuf', 'remove'):
            self.assertTrue(output & capture & CAP_SUPPORTS[name], name)
        self.assertEqual(output & CAP_SUPPORTS['requests'], CAP_SUPPORTS['requests'])
        self.assertEqual(output & CAP_SUPPORTS['hold'], CAP_SUPPORTS['hold'])


class Validation(Case):
    def refuses(self, client, name, value):
        return [refused(client.controls, {name: value}, ioctl=ioctl) for ioctl in (TRY_EXT_CTRLS, S_EXT_CTRLS)] + \
            [refused(client.controls, {name: value}, request=client.request())] == ['EINVAL'] * 3

    def accepts(self, client, name, value):
        return [refused(client.controls, {name: value}, ioctl=ioctl) for ioctl in (TRY_EXT_CTRLS, S_EXT_CTRLS)] + \
            [refused(client.controls, {name: value}, request=client.request())] == [None] * 3

    def test_h264_sps(self):
        client = self.use(Client())
        client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=H264)
        self.assertTrue(self.accepts(client, H264_SPS, h264_sps(4, 4)))
        self.assertTrue(self.accepts(client, H264_SPS, h264_sps(4, 2, flags=0)))  # two fields
        self.assertTrue(self.accepts(client, H264_SPS, h264_sps(chroma_format=0)))
        for fault in (h264_sps(5, 4), h264_sps(4, 5), h264_sps(4, 3, flags=0), h264_sps(chroma_format=2),
                      h264_sps(chroma_format=3), h264_sps(depth=9), h264_sps(depth=12)):
            self.assertTrue(self.refuses(client, H264_SPS, fault))

    def test_mpeg2_sequence(self):
        client = self.use(Client())
        client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=MPEG2)
        for size, chroma, good in (((64, 64), 1, True), ((60, 50), 1, True), ((65, 64), 1, False), ((64, 65), 1, False),
                                   ((64, 64), 2, False), ((64, 64), 0, False)):
            value = struct.pack('HHIHBB', *size, 0, 0, chroma, 0)
            self.assertTrue((self.accepts if good else self.refuses)(client, MPEG2_SEQUENCE, value), (size, chroma))

    def test_codecs_that_wait_for_the_daemon(self):
        client = self.use(Client())
        for fourcc, name, patches in (
                (HEVC, HEVC_SPS, {(2, 'HH', 64, 64): True, (2, 'HH', 65, 64): False, (2, 'HH', 64, 65): False,
                                  (6, 'BB', 2, 0): False, (6, 'BB', 0, 1): False, (6, 'BB', 4, 4): False,
                                  (6, 'BB', 2, 2): TEN_BIT != 'off', (24, 'B', 0): False, (24, 'B', 2): False}),
                (VP8, VP8_FRAME, {(1148, 'HH', 64, 64): True, (1148, 'HH', 65, 64): False, (1148, 'HH', 64, 65): False}),
                (VP9, VP9_FRAME, {(120, 'HH', 63, 63): True, (120, 'HH', 64, 63): False, (120, 'HH', 63, 64): False,
                                  (155, 'BB', 2, 10): TEN_BIT != 'off', (155, 'BB', 1, 8): False,
                                  (155, 'BB', 2, 8): False, (155, 'BB', 0, 10): False, (155, 'BB', 2, 12): False})):
            if fourcc not in client.codecs():
                continue
            client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=fourcc)
            default = client.value(name)
            self.assertTrue(self.accepts(client, name, default))
            for (offset, form, *values), good in patches.items():
                data = bytearray(default)
                struct.pack_into(form, data, offset, *values)
                self.assertTrue((self.accepts if good else self.refuses)(client, name, data), (hex(name), offset, values))


class Jobs(Case):
    def test_what_a_job_says(self):
        client, daemon = self.client(width=176, height=100), self.daemon()
        controls = mpeg2_controls(176, 100, forward=5 * MS)
        client.queue_capture(2)
        client.submit(1, 7 * MS, payload=b'0123456789', controls=controls)
        job = daemon.read_job()
        self.assertEqual((job.timestamp, job.codec, job.flags), (7 * MS, MPEG2, 0))
        self.assertEqual((job.coded_width, job.coded_height), (176, 112))
        f = job.header.format
        self.assertEqual((f.fourcc, f.width, f.height, f.bytesperline, f.sizeimage), (NV12, 176, 112, 192, 32256))
        self.assertEqual((job.output.bytes, job.output.index), (10, 1))
        self.assertEqual((job.capture.bytes, job.capture.index), (32256, 2))
        self.assertEqual(job.controls, controls)
        self.assertEqual(daemon.memory(job.output.cookie)[:10], b'0123456789')
        self.assertEqual(len({job.cookie, job.instance, job.output.cookie, job.capture.cookie, 0}), 5)

    def test_controls_stay_until_they_are_set_again(self):
        client, daemon = self.client(), self.daemon()
        first, second = mpeg2_controls(), {MPEG2_PICTURE: mpeg2_controls(forward=3 * MS)[MPEG2_PICTURE]}
        self.decode(client, daemon, 0, 1 * MS, controls=first)
        job, *_ = self.decode(client, daemon, 1, 2 * MS, controls=second)
        self.assertEqual(job.controls, first | second)
        job, *_ = self.decode(client, daemon, 2, 3 * MS)
        self.assertEqual(job.controls, first | second)

    def test_a_codec_gets_its_own_controls(self):
        client, daemon = self.client(fourcc=H264), self.daemon()
        sps = h264_sps()
        job, *_ = self.decode(client, daemon, 0, MS, controls={H264_SPS: sps})
        self.assertEqual(job.controls[H264_SPS], sps)
        mode = job.controls[H264_DECODE_MODE]
        self.assertEqual(mode, job.controls[H264_START_CODE])
        always = {H264_SPS, H264_PPS, H264_SCALING_MATRIX, H264_DECODE_PARAMS, H264_DECODE_MODE, H264_START_CODE}
        slices = {H264_SLICE_PARAMS, H264_PRED_WEIGHTS}
        self.assertEqual(set(job.controls), always | (set() if mode == struct.pack('I', 1) else slices))

    def test_arrays_have_the_size_that_was_set(self):
        client, daemon = self.use(Client()), self.daemon()
        if HEVC not in client.codecs():
            self.skipTest('no codec with arrays')
        client.setup(fourcc=HEVC)
        size = client.ioctl(QUERY_EXT_CTRL, QueryControl(id=HEVC_SLICE_PARAMS)).elem_size
        for slices, entries in ((3, 5), (600, 10240), (1, 1)):
            offsets = struct.pack(f'{entries}I', *range(entries))
            job, *_ = self.decode(client, daemon, 0, MS, controls={HEVC_SLICE_PARAMS: bytes(size * slices),
                                                                   HEVC_ENTRY_POINT_OFFSETS: offsets})
            self.assertEqual(len(job.controls[HEVC_SLICE_PARAMS]), size * slices)
            self.assertEqual(job.controls[HEVC_ENTRY_POINT_OFFSETS], offsets)
        self.assertEqual(refused(client.controls, {HEVC_SLICE_PARAMS: bytes(size * 601)}), 'ENOSPC')

    def test_damage_is_done_to_one_control_only(self):
        client, daemon, controls = self.client(), self.daemon(), mpeg2_controls()

        def damage(line):
            with open('/sys/kernel/debug/daedalus/mutate', 'w') as file:
                file.write(line)

        self.addCleanup(damage, '\n')
        damage(f'{MPEG2_PICTURE:x} 3 ff01 1\n')
        picture = bytearray(controls[MPEG2_PICTURE])
        for index in range(2):
            job, *_ = self.decode(client, daemon, index, (index + 1) * MS, controls=controls)
            self.assertEqual(job.controls, controls | {MPEG2_PICTURE: bytes(picture)})
            picture[3:5] = picture[3] ^ 0xff, picture[4] ^ 1

    def test_the_mode_is_the_one_that_was_chosen(self):
        slices = parameter('slice_based') == 'Y'
        client = self.use(Client())
        for name in (H264_DECODE_MODE, H264_START_CODE):
            self.assertIsNone(refused(client.controls, {name: int(not slices)}))
            self.assertIn(refused(client.controls, {name: int(slices)}), ('EINVAL', 'ERANGE'))

    def test_pixels_arrive(self):
        client, daemon = self.client(), self.daemon()
        _, picture, _ = self.decode(client, daemon, 1, MS, pattern=0xa5)
        with client.map(CAPTURE, 1) as data:
            self.assertEqual(data[:64 * 64 * 3 // 2], b'\xa5' * (64 * 64 * 3 // 2))
        self.assertEqual(picture.plane.bytesused, 64 * 64 * 3 // 2)

    def test_sequences(self):
        client, daemon = self.client(), self.daemon()
        for round_ in range(2):
            for index in range(3):
                _, picture, bitstream = self.decode(client, daemon, index, (index + 1) * MS)
                self.assertEqual((picture.sequence, bitstream.sequence), (index, index), round_)
            client.stream(False)
            client.stream()

    def test_an_error_of_the_daemon(self):
        client, daemon = self.client(), self.daemon()
        self.decode(client, daemon, 0, MS, error=22)
        self.decode(client, daemon, 1, 2 * MS)

    def test_requests_are_needed(self):
        client = self.client()
        bare = client.buffer(OUTPUT, 0, bytesused=8)
        self.assertEqual(refused(client.ioctl, QBUF, bare), 'EBADR')
        empty = client.request()
        self.assertEqual(refused(fcntl.ioctl, empty, REQUEST_QUEUE), 'ENOENT')
        request = client.request()
        for index in range(2):
            client.ioctl(QBUF, client.buffer(OUTPUT, index, bytesused=8, request_fd=request, flags=FLAG_REQUEST_FD))
        self.assertEqual(refused(fcntl.ioctl, request, REQUEST_QUEUE), 'EINVAL')

    def test_a_request_serves_again(self):
        client, daemon = self.client(), self.daemon()
        request = client.request()
        for timestamp in (MS, 2 * MS):
            self.decode(client, daemon, 0, timestamp, request=request, controls=mpeg2_controls())
            fcntl.ioctl(request, REQUEST_REINIT)

    def test_a_data_offset_is_refused(self):
        client = self.client()
        self.assertEqual(refused(client.submit, 0, MS, payload=b'\0' * 16, data_offset=8), 'EINVAL')

    def test_two_clients(self):
        daemon = self.daemon()
        clients = [self.client() for _ in range(2)]
        for client in clients:
            client.queue_capture(0)
            client.submit(0, MS)
        jobs = []
        for _ in clients:
            jobs.append(daemon.read_job())
            self.assertIsNone(daemon.read())  # one at a time, as hardware has it
            daemon.complete(jobs[-1])
        self.assertNotEqual(jobs[0].instance, jobs[1].instance)
        for client in clients:
            self.assertFalse(client.dequeue(CAPTURE, seconds=1).failed)


class References(Case):
    def frames(self, client, daemon, capture, timestamp=99 * MS):
        job, *_ = self.decode(client, daemon, capture, timestamp)
        return {frame.timestamp: (frame.index, frame.error) for frame in job.frames}

    def test_pictures_that_were_decoded(self):
        client, daemon = self.client(), self.daemon()
        first, *_ = self.decode(client, daemon, 0, 1 * MS)
        self.assertEqual(first.frames, [])
        self.decode(client, daemon, 1, 2 * MS, error=5)
        job, *_ = self.decode(client, daemon, 2, 3 * MS)
        self.assertEqual([(f.timestamp, f.index, f.error) for f in job.frames], [(1 * MS, 0, 0), (2 * MS, 1, 1)])
        self.assertEqual(job.frames[0].cookie, first.capture.cookie)

    def test_one_that_the_client_has_queued_again_is_none(self):
        client, daemon = self.client(), self.daemon()
        for index in range(2):
            self.decode(client, daemon, index, (index + 1) * MS)
        client.queue_capture(3)
        client.queue_capture(0)
        client.submit(0, 3 * MS)
        job = daemon.read_job()
        self.assertEqual([f.timestamp for f in job.frames], [2 * MS])
        daemon.complete(job)

    def test_one_that_is_done_but_not_dequeued_is_one(self):
        client, daemon = self.client(), self.daemon()
        for index in range(2):
            client.queue_capture(index)
        client.submit(0, 1 * MS)
        client.submit(1, 2 * MS)
        daemon.complete(daemon.read_job())
        self.assertEqual([f.timestamp for f in daemon.read_job().frames], [1 * MS])

    def test_streamoff_forgets(self):
        client, daemon = self.client(), self.daemon()
        self.decode(client, daemon, 0, 1 * MS)
        client.stream(False, kinds=[OUTPUT])
        client.stream(True, kinds=[OUTPUT])
        self.assertEqual(self.frames(client, daemon, 1, 2 * MS), {1 * MS: (0, 0)})
        client.stream(False, kinds=[CAPTURE])
        client.stream(True, kinds=[CAPTURE])
        self.assertEqual(self.frames(client, daemon, 2), {})

    def test_clients_do_not_see_each_other(self):
        one, other, daemon = self.client(), self.client(), self.daemon()
        self.decode(one, daemon, 0, 1 * MS)
        self.assertEqual(self.frames(other, daemon, 0), {})

    def test_removed_buffers_are_none(self):
        client, daemon = self.client(), self.daemon()
        for index in range(2):
            self.decode(client, daemon, index, (index + 1) * MS)
        client.ioctl(REMOVE_BUFS, RemoveBuffers(index=0, count=1, type=CAPTURE))
        self.assertEqual(self.frames(client, daemon, 2), {2 * MS: (1, 0)})


class Memory(Case):
    def borrow(self, client, kind, index):
        """A dma-buf that outlives whoever exported it."""
        fd = client.export(kind, index)
        self.addCleanup(os.close, fd)
        return fd

    def test_imported_dma_bufs(self):
        owner, daemon = self.client(captures=2), self.daemon()
        client = self.client(output_memory=DMABUF, capture_memory=DMABUF)
        output, capture = self.borrow(owner, OUTPUT, 0), self.borrow(owner, CAPTURE, 0)
        with owner.map(OUTPUT, 0) as data:
            data[:4] = b'bits'
        client.queue_capture(0, DMABUF, m=capture)
        client.submit(0, MS, payload=b'bits', memory=DMABUF, m=output, length=65536)
        job = daemon.read_job()
        self.assertEqual(daemon.memory(job.output.cookie)[:4], b'bits')
        daemon.complete(job, pattern=0x77)
        self.assertFalse(client.dequeue(CAPTURE, DMABUF).failed)
        with owner.map(CAPTURE, 0) as data:
            self.assertEqual(data[:6144], b'\x77' * 6144)

    def test_memory_from_elsewhere(self):
        daemon, client = self.daemon(), self.client(output_memory=DMABUF, capture_memory=DMABUF)
        output, capture = heap_memory(65536), heap_memory(6144)
        self.addCleanup(os.close, output)
        self.addCleanup(os.close, capture)
        with mmap.mmap(output, 65536) as data:
            data[:4] = b'bits'
        client.queue_capture(0, DMABUF, m=capture)
        client.submit(0, MS, payload=b'bits', memory=DMABUF, m=output, length=65536)
        job = daemon.read_job()
        self.assertEqual(daemon.memory(job.output.cookie)[:4], b'bits')
        for _ in range(5):
            os.close(daemon.fd_of(job.capture.cookie))
        self.assertEqual(dma_bufs(), 2)
        daemon.complete(job, pattern=0x66)
        self.assertFalse(client.dequeue(CAPTURE, DMABUF).failed)
        with mmap.mmap(capture, 6144) as data:
            self.assertEqual(data[:6144], b'\x66' * 6144)

    def test_memory_that_is_too_small_is_refused(self):
        client = self.client(output_memory=DMABUF, capture_memory=DMABUF)
        small = heap_memory(4096)
        self.addCleanup(os.close, small)
        self.assertEqual(refused(client.queue_capture, 0, DMABUF, m=small), 'EINVAL')
        self.assertEqual(refused(client.submit, 0, MS, memory=DMABUF, m=small, length=4096), 'EINVAL')

    def test_new_memory_is_a_new_buffer(self):
        owner, daemon, client = self.client(captures=2), self.daemon(), self.client(capture_memory=DMABUF)
        fds = [self.borrow(owner, CAPTURE, index) for index in range(2)]
        cookies = []
        for step, fd in enumerate((fds[0], fds[0], fds[1], fds[0])):
            client.queue_capture(0, DMABUF, m=fd)
            client.submit(0, (step + 1) * MS)
            job = daemon.read_job()
            self.assertEqual(job.frames, [])
            cookies.append(job.capture.cookie)
            daemon.complete(job)
            client.dequeue(CAPTURE, DMABUF)
            client.dequeue(OUTPUT)
        self.assertEqual(cookies[0], cookies[1])
        self.assertEqual(len(set(cookies)), 3)

    def test_replaced_memory_is_no_reference(self):
        owner, daemon, client = self.client(captures=2), self.daemon(), self.client(capture_memory=DMABUF)
        fds = [self.borrow(owner, CAPTURE, index) for index in range(2)]
        client.queue_capture(0, DMABUF, m=fds[0])
        client.submit(0, MS)
        first = daemon.read_job()
        daemon.complete(first)
        client.dequeue(CAPTURE, DMABUF), client.dequeue(OUTPUT)
        client.queue_capture(1, DMABUF, m=fds[1])
        client.queue_capture(0, DMABUF, m=fds[1])
        client.submit(0, 2 * MS)
        messages = daemon.read_all()
        self.assertEqual([(m.type, m.cookie) for m in messages[:-1]], [(BUFFER_GONE, first.capture.cookie)])
        self.assertEqual(messages[-1].frames, [])

    def test_an_export_that_cannot_be_written_is_refused_for_pictures(self):
        owner, client = self.client(captures=1), self.client(capture_memory=DMABUF)
        fd = owner.export(CAPTURE, 0, flags=os.O_CLOEXEC)
        self.addCleanup(os.close, fd)
        self.assertEqual(refused(client.queue_capture, 0, DMABUF, m=fd), 'EACCES')

    def test_what_is_gone_is_told_once(self):
        client, daemon = self.client(), self.daemon()
        job, *_ = self.decode(client, daemon, 0, MS)
        self.decode(client, daemon, 1, 2 * MS)
        client.stream(False)
        self.assertEqual(daemon.read_all(), [])
        client.buffers(CAPTURE, 0)
        gone = [(message.type, message.cookie) for message in daemon.read_all()]
        self.assertEqual(len(gone), 2)  # the other two were never spoken of
        self.assertIn((BUFFER_GONE, job.capture.cookie), gone)
        client.close()
        gone = [(message.type, message.cookie) for message in daemon.read_all()]
        self.assertEqual(gone, [(BUFFER_GONE, job.output.cookie), (INSTANCE_GONE, job.instance)])

    def test_new_memory_that_was_never_used_is_not_told(self):
        owner, daemon, client = self.client(captures=2), self.daemon(), self.client(capture_memory=DMABUF)
        fds = [self.borrow(owner, CAPTURE, index) for index in range(2)]
        client.queue_capture(0, DMABUF, m=fds[0])
        client.submit(0, MS)
        job = daemon.read_job()
        daemon.complete(job)
        client.dequeue(CAPTURE, DMABUF)
        client.queue_capture(0, DMABUF, m=fds[1])
        client.close()
        gone = [(message.type, message.cookie) for message in daemon.read_all()]
        self.assertEqual(gone, [(BUFFER_GONE, job.capture.cookie), (BUFFER_GONE, job.output.cookie),
                                (INSTANCE_GONE, job.instance)])

    def test_nothing_is_told_to_a_daemon_that_does_not_know(self):
        client, daemon = self.client(), self.daemon()
        self.decode(client, daemon, 0, MS)
        daemon.close()
        other = self.daemon()
        client.close()
        self.assertEqual(other.read_all(), [])

    def test_a_cookie_that_is_gone_names_nothing(self):
        client, daemon = self.client(), self.daemon()
        job, *_ = self.decode(client, daemon, 0, MS)
        self.assertEqual(refused(daemon.fd_of, job.instance), 'ENOENT')
        self.assertEqual(refused(daemon.fd_of, 0), 'ENOENT')
        client.close()
        self.assertEqual(refused(daemon.fd_of, job.capture.cookie), 'ENOENT')

    def test_an_answer_that_cannot_be_given_leaks_nothing(self):
        client, daemon = self.client(), self.daemon()
        job, *_ = self.decode(client, daemon, 0, MS)
        before = dma_bufs()
        libc = ctypes.CDLL(None, use_errno=True)
        page = mmap.mmap(-1, mmap.PAGESIZE)
        page[:16] = struct.pack('QiI', job.capture.cookie, -1, 0)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        self.assertEqual(libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ), 0)
        self.assertEqual(libc.ioctl(daemon.fd, ctypes.c_ulong(IOC_GET_BUFFER), ctypes.c_void_p(address)), -1)
        self.assertEqual(errno.errorcode[ctypes.get_errno()], 'EFAULT')
        self.assertTrue(eventually(lambda: dma_bufs() == before))

    def test_memory_outlives_its_queue(self):
        client, daemon = self.client(), self.daemon()
        fd = self.borrow(client, CAPTURE, 0)
        job, *_ = self.decode(client, daemon, 0, MS, pattern=0x5a)
        client.close()
        daemon.memory(job.capture.cookie)[0] = 0x5b
        with mmap.mmap(fd, 6144) as data:
            self.assertEqual(data[:6144], b'\x5b' + b'\x5a' * 6143)

    def test_a_client_may_go_while_the_daemon_writes(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS)
        job = daemon.read_job()
        memory = daemon.memory(job.capture.cookie)
        client.close()
        memory[:6144] = b'\1' * 6144
        self.assertEqual(refused(daemon.complete, job), 'ENOENT')


class Slices(Case):
    def test_slices_share_a_picture(self):
        client, daemon = self.client(outputs=4), self.daemon()
        client.queue_capture(0)
        client.queue_capture(1)
        seen = []
        for index, hold in enumerate((True, True, False)):
            client.submit(index, MS, flags=FLAG_HOLD if hold else 0)
            job = daemon.read_job()
            seen.append((job.capture.index, job.flags, job.frames))
            daemon.complete(job, pattern=index)
            self.assertEqual(client.dequeue(CAPTURE) is None, hold)
        self.assertIsNone(daemon.read())  # the daemon knows that the picture is whole
        self.assertEqual(seen, [(0, JOB_HOLD, []), (0, JOB_HOLD | JOB_CONTINUES, []), (0, JOB_CONTINUES, [])])
        client.submit(3, 2 * MS)
        job = daemon.read_job()
        self.assertEqual((job.capture.index, job.flags, job.frames[0].timestamp), (1, 0, MS))
        daemon.complete(job)
        self.assertEqual([client.dequeue(OUTPUT).sequence for _ in range(4)], [0, 1, 2, 3])
        self.assertEqual(client.dequeue(CAPTURE).sequence, 1)

    def test_another_timestamp_ends_a_picture(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.queue_capture(1)
        client.submit(0, MS, flags=FLAG_HOLD)
        daemon.complete(daemon.read_job())
        client.submit(1, 2 * MS)
        job = daemon.read_job()
        self.assertEqual((job.flags, job.capture.index, [f.timestamp for f in job.frames]), (0, 1, [MS]))
        with daemon.finishing():
            picture = client.dequeue(CAPTURE)
        self.assertEqual((picture.index, picture.timestamp, picture.failed), (0, MS, False))

    def test_a_flush_ends_a_picture(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS, flags=FLAG_HOLD)
        job = daemon.read_job()
        daemon.complete(job)
        self.assertIsNone(client.dequeue(CAPTURE))
        client.flush()
        with daemon.finishing(pattern=7) as asked:
            picture = client.dequeue(CAPTURE)
        self.assertFalse(picture.failed)
        self.assertEqual([(each.type, each.instance, each.capture) for each in asked],
                         [(FINISH, job.instance, job.capture.cookie)])
        with client.map(CAPTURE, 0) as data:
            self.assertEqual(data[:6144], b'\7' * 6144)

    def test_a_flush_while_a_slice_is_decoded(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS, flags=FLAG_HOLD)
        job = daemon.read_job()
        client.flush()
        daemon.complete(job)
        with daemon.finishing() as asked:
            self.assertFalse(client.dequeue(CAPTURE).failed)
        self.assertEqual([each.type for each in asked], [FINISH])

    def test_a_picture_that_cannot_be_finished_is_broken(self):
        for timestamp, error in ((MS, 5), (2 * MS, None)):
            client, daemon = self.client(), self.daemon()
            client.queue_capture(0)
            client.submit(0, timestamp, flags=FLAG_HOLD)
            daemon.complete(daemon.read_job())
            client.flush()
            with daemon.finishing(error=error) if error else contextlib.nullcontext():
                self.assertTrue(client.dequeue(CAPTURE).failed)
            client.close()
            daemon.close()

    def test_a_bad_slice_spoils_a_picture_that_is_flushed(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS, flags=FLAG_HOLD)
        daemon.complete(daemon.read_job(), error=5)
        client.flush()
        self.assertTrue(client.dequeue(CAPTURE).failed)
        self.assertIsNone(daemon.read())

    def test_streamoff_does_not_ask_for_what_is_held(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS, flags=FLAG_HOLD)
        daemon.complete(daemon.read_job())
        client.flush()
        client.stream(False)
        self.assertIsNone(daemon.read())

    def test_a_bad_slice_spoils_the_picture(self):
        client, daemon = self.client(outputs=3), self.daemon()
        client.queue_capture(0)
        for index, error in enumerate((5, 0, 0)):
            client.submit(index, MS, flags=FLAG_HOLD if index < 2 else 0)
            daemon.complete(daemon.read_job(), error=error)
        self.assertTrue(client.dequeue(CAPTURE).failed)
        self.assertEqual([client.dequeue(OUTPUT).failed for _ in range(3)], [True, False, True])

    def test_the_same_timestamp_again_is_a_new_picture(self):
        client, daemon = self.client(), self.daemon()
        for _ in range(2):
            job, *_ = self.decode(client, daemon, 0, MS)
            self.assertEqual(job.flags, 0)


class Link(Case):
    def test_version(self):
        daemon, value = self.daemon(), u32()
        fcntl.ioctl(daemon.fd, IOC_VERSION, value)
        self.assertEqual(value.value, 3)
        self.assertEqual(refused(fcntl.ioctl, daemon.fd, number(0, 'D', 99, 0)), 'ENOTTY')

    def test_one_daemon_at_a_time(self):
        daemon = self.daemon()
        self.assertEqual(refused(Daemon), 'EBUSY')
        daemon.close()
        self.assertIsNone(refused(self.daemon))

    def test_a_read_that_is_too_small_loses_nothing(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS, controls=mpeg2_controls())
        for room in (0, 16, ctypes.sizeof(JobHeader)):
            self.assertEqual(refused(daemon.read, room=room), 'EMSGSIZE')
        job = daemon.read_job()
        self.assertEqual(job.controls, mpeg2_controls())
        daemon.complete(job)
        self.assertFalse(client.dequeue(CAPTURE).failed)

    def test_a_read_to_nowhere_loses_nothing(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS)
        libc = ctypes.CDLL(None, use_errno=True)
        self.assertEqual(libc.read(daemon.fd, ctypes.c_void_p(8), ctypes.c_size_t(MESSAGE_MAX)), -1)
        self.assertEqual(errno.errorcode[ctypes.get_errno()], 'EFAULT')
        daemon.complete(daemon.read_job())
        self.assertFalse(client.dequeue(CAPTURE).failed)

    def test_reading_waits_if_it_may(self):
        client, daemon = self.client(), self.daemon()
        self.assertEqual(refused(os.read, daemon.fd, MESSAGE_MAX), 'EAGAIN')
        os.set_blocking(daemon.fd, True)
        client.queue_capture(0)
        later = threading.Timer(0.2, client.submit, (0, MS))
        later.start()
        job = Job(os.read(daemon.fd, MESSAGE_MAX))
        later.join()
        self.assertEqual(job.timestamp, MS)

    def test_completions_that_are_none(self):
        client, daemon = self.client(), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS)
        job = daemon.read_job()
        for size in (0, 8, 15, 17, 32):
            self.assertEqual(refused(os.write, daemon.fd, bytes(size)), 'EINVAL')
        self.assertEqual(refused(os.write, daemon.fd, struct.pack('QII', job.cookie, 0, 1)), 'EINVAL')
        for cookie in (0, job.instance, job.cookie + 1, 1 << 63):
            self.assertEqual(refused(os.write, daemon.fd, struct.pack('QII', cookie, 0, 0)), 'ENOENT')
        daemon.complete(job)
        self.assertEqual(refused(daemon.complete, job), 'ENOENT')
        self.assertFalse(client.dequeue(CAPTURE).failed)


class Trouble(Case):
    def start(self, client, capture=0, output=0, timestamp=MS):
        client.queue_capture(capture)
        return client.submit(output, timestamp, controls=mpeg2_controls())

    def test_no_daemon(self):
        client = self.client()
        for step in range(3):
            request = self.start(client, timestamp=(step + 1) * MS)
            self.assert_fails(client, request)
            fcntl.ioctl(request, REQUEST_REINIT)
        self.decode(client, self.daemon(), 1, 9 * MS)

    def test_a_daemon_that_goes(self):
        client, daemon = self.client(), self.daemon()
        for was_read in (False, True):
            request = self.start(client)
            if was_read:
                daemon.read_job()
            self.assertFalse(is_complete(request))
            daemon.close()
            self.assert_fails(client, request)
            daemon = self.daemon()
        self.decode(client, daemon, 1, 9 * MS)

    def test_a_daemon_that_is_killed(self):
        client = self.client()
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            daemon = Daemon()
            os.write(write_end, b'x')
            daemon.memory(daemon.read_job().capture.cookie)
            os.write(write_end, b'y')
            signal.pause()
        os.read(read_end, 1)
        request = self.start(client)
        os.read(read_end, 1)
        os.kill(child, signal.SIGKILL)
        self.assert_fails(client, request, seconds=TIMEOUT / 2)
        os.waitpid(child, 0)
        self.decode(client, self.daemon(), 1, 9 * MS)

    def test_a_daemon_that_hangs(self):
        client, daemon = self.client(), self.daemon()
        for was_read in (True, False):
            request, started = self.start(client), time.monotonic()
            job = daemon.read_job() if was_read else None
            self.assert_fails(client, request, seconds=3 * TIMEOUT)
            self.assertAlmostEqual(time.monotonic() - started, TIMEOUT, delta=TIMEOUT / 2)
            if was_read:
                self.assertEqual(refused(daemon.complete, job), 'ENOENT')
            self.assertIsNone(daemon.read())  # a job that is over is not handed out
        self.decode(client, daemon, 1, 9 * MS)

    def test_each_job_has_its_own_time(self):
        client, daemon = self.client(), self.daemon()
        for index in range(4):
            request = self.start(client, timestamp=(index + 1) * MS)
            job = daemon.read_job()
            time.sleep(TIMEOUT * 0.6)
            daemon.complete(job)
            self.assertFalse(client.dequeue(CAPTURE).failed or client.dequeue(OUTPUT).failed)
            self.assertTrue(is_complete(request))

    def test_without_a_timeout(self):
        self.addCleanup(set_parameter, 'timeout_ms', parameter('timeout_ms'))
        set_parameter('timeout_ms', 0)
        client, daemon = self.client(), self.daemon()
        request = self.start(client)
        job = daemon.read_job()
        self.assertFalse(is_complete(request, 3 * TIMEOUT))
        daemon.complete(job)
        self.assertTrue(is_complete(request, 1))
        self.assertFalse(client.dequeue(CAPTURE).failed)

    def test_streamoff_does_not_wait(self):
        for kinds in ([OUTPUT], [CAPTURE], [CAPTURE, OUTPUT]):
            client, daemon = self.client(), self.daemon()
            request = self.start(client)
            job, started = daemon.read_job(), time.monotonic()
            client.stream(False, kinds=kinds)
            self.assertLess(time.monotonic() - started, TIMEOUT / 2)
            self.assertTrue(is_complete(request))
            self.assertEqual(refused(daemon.complete, job), 'ENOENT')
            client.stream(False)
            client.stream()
            self.decode(client, daemon, 1, 9 * MS)
            self.doCleanups()

    def test_close_does_not_wait(self):
        client, daemon = self.client(), self.daemon()
        self.start(client)
        job, started = daemon.read_job(), time.monotonic()
        client.close()
        self.assertLess(time.monotonic() - started, TIMEOUT / 2)
        self.assertEqual(refused(daemon.complete, job), 'ENOENT')
        self.decode(self.client(), daemon, 1, 9 * MS)

    def test_streamoff_returns_what_waits(self):
        client, daemon = self.client(outputs=3), self.daemon()
        requests = [self.start(client, index, index, (index + 1) * MS) for index in range(3)]
        daemon.read_job()
        client.stream(False)
        self.assertTrue(all(map(is_complete, requests)))
        self.assertIsNone(daemon.read())

    def test_streamoff_before_it_began(self):
        client = self.use(Client())
        client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=MPEG2)
        client.buffers(OUTPUT, 1)
        request = client.submit(0, MS, controls=mpeg2_controls())
        self.assertFalse(is_complete(request))
        client.stream(False, kinds=[OUTPUT])
        self.assertTrue(is_complete(request))

    def test_another_client_goes_on(self):
        hanging, working, daemon = self.client(), self.client(), self.daemon()
        self.start(hanging)
        daemon.read_job()
        working.queue_capture(0)
        request = working.submit(0, 2 * MS)
        hanging.close()
        daemon.complete(daemon.read_job())
        self.assertTrue(is_complete(request, 1))
        self.assertFalse(working.dequeue(CAPTURE).failed)


class Stress(Case):
    """Nothing that is asserted here matters as much as what the kernel prints meanwhile."""

    def test_everything_at_once(self):
        rounds, ends = int(os.environ.get('DAEDALUS_ROUNDS', 60)), threading.Event()

        def clients(seed):
            for step in range(rounds):
                with Client() as client:
                    client.setup(captures=3)
                    for index in range(3):
                        client.queue_capture(index)
                    for index in range(2):
                        client.submit(index, (index + 1) * MS, controls=mpeg2_controls(),
                                      flags=FLAG_HOLD if (seed + step) % 3 == 0 else 0)
                    if step % 2:
                        client.dequeue(CAPTURE, seconds=0.02)
                    if step % 3 == 0:
                        client.stream(False, kinds=[CAPTURE if step % 2 else OUTPUT])
                    if step % 5 == 0:
                        with contextlib.suppress(OSError):
                            client.buffers(CAPTURE, 0)

        def daemons():
            while not ends.is_set():
                with Daemon() as daemon:
                    for _ in range(7):
                        message = daemon.read(0.02)
                        if message and message.type == JOB:
                            with contextlib.suppress(OSError):
                                daemon.complete(message, pattern=1)

        threads = [threading.Thread(target=clients, args=[seed]) for seed in range(4)]
        daemon = threading.Thread(target=daemons)
        for thread in (daemon, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        ends.set()
        daemon.join()
        self.assertEqual(dma_bufs(), 0)

    def test_nothing_leaks(self):
        def cycle(daemon, step):
            with Client() as client:
                client.setup(width=320, height=240, outputs=1, captures=1)
                client.queue_capture(0)
                client.submit(0, MS, controls=mpeg2_controls(320, 240))
                job = daemon.read_job()
                fds = [daemon.fd_of(job.capture.cookie), daemon.fd_of(job.output.cookie), client.export(CAPTURE, 0)]
                if step % 4 != 0:
                    daemon.complete(job)
                for fd in fds:
                    os.close(fd)

        def vmalloc_used():
            with open('/proc/meminfo') as file:
                return next(int(line.split()[1]) for line in file if line.startswith('MemAvailable'))

        with Daemon() as daemon:
            for step in range(100):
                cycle(daemon, step)
            before = vmalloc_used()
            for step in range(int(os.environ.get('DAEDALUS_CYCLES', 1000))):
                cycle(daemon, step)
            daemon.read_all()
        self.assertEqual(dma_bufs(), 0)
        # One buffer of each cycle would be more than 200 MB.
        self.assertLess(before - vmalloc_used(), 40 * 1024)


class Unload(Case):
    """Last, as it takes the module away."""

    def unload(self):
        return subprocess.run(['rmmod', 'daedalus_v4l2'], capture_output=True, text=True, check=False)

    def load(self, *arguments):
        return subprocess.run(['insmod', MODULE, *arguments], capture_output=True, text=True, check=False)

    def test_unload_waits_for_files_and_leaves_nothing(self):
        for context in (Daemon, Client):
            with context():
                self.assertIn('in use', self.unload().stderr)
        client, daemon = self.client(), self.daemon()
        fd = client.export(CAPTURE, 0)
        self.decode(client, daemon, 0, MS, pattern=9)
        self.doCleanups()
        time.sleep(0.2)
        self.assertEqual(self.unload().stderr, '')
        with mmap.mmap(fd, 6144) as data:
            self.assertEqual(data[:6144], b'\t' * 6144)
        self.assertEqual(dma_bufs(), 1)
        os.close(fd)
        self.assertTrue(eventually(lambda: dma_bufs() == 0))
        self.assertFalse(os.path.exists('/dev/daedalus') or os.path.exists('/sys/devices/platform/daedalus'))
        if not MODULE:
            return
        for names in ('nonsense', 'h264,h264', '', 'h264,'):
            self.assertNotEqual(self.load(f'codecs={names}').returncode, 0)
        for names in ('h264', 'vp9,hevc,vp8,mpeg2,h264'):
            self.assertEqual(self.load(f'codecs={names}').stderr, '')
            self.assertEqual(self.use(Client()).format(G_FMT, OUTPUT).pixelformat,
                             {'h': H264, 'v': 0x46395056}[names[0]])
            self.doCleanups()
            self.assertEqual(self.unload().stderr, '')


def load_tests(loader, *_):
    """In the order of this file."""
    cases = (Formats, Validation, Jobs, References, Memory, Slices, Link, Trouble, Stress, Unload)
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, cases))


if __name__ == '__main__':
    unittest.main(verbosity=2)
