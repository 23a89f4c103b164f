# SPDX-License-Identifier: MIT
"""Sizes, pixel formats and controls: what the module takes and what it says instead."""
import struct

from case import *  # pylint: disable=wildcard-import,unused-wildcard-import


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
            given = given if LARGER else (176, 112)
            for request in (TRY_FMT, S_FMT):
                f = client.format(request, CAPTURE, width=asked[0], height=asked[1], pixelformat=NV12)
                self.assertEqual((f.width, f.height), given)
                self.assertEqual(f.sizeimage, f.plane[0].bytesperline * given[1] * 3 // 2)
        f = client.format(G_FMT, CAPTURE)
        self.assertEqual((f.width, f.height), (8192, 8192) if LARGER else (176, 112))
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
                                  (155, 'BB', 2, 8): False, (155, 'BB', 0, 10): False, (155, 'BB', 2, 12): False}),
                (AV1, AV1_SEQUENCE, {(6, 'B', 10): TEN_BIT != 'off', (6, 'B', 12): False, (4, 'BBB', 1, 0, 8): False,
                                     (8, 'HH', 4095, 2159): True}),
                (AV1, AV1_FRAME, {(1520, 'I', 64): True, (1520, 'I', 65): False,
                                  (1536, 'I', 63): True, (1536, 'I', 64): False})):
            if fourcc not in client.codecs():
                continue
            client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=fourcc)
            default = client.value(name)
            self.assertTrue(self.accepts(client, name, default))
            for (offset, form, *values), good in patches.items():
                data = bytearray(default)
                struct.pack_into(form, data, offset, *values)
                self.assertTrue((self.accepts if good else self.refuses)(client, name, data), (hex(name), offset, values))

    def test_film_grain_is_a_parameter(self):
        client = self.use(Client())
        if AV1 in client.codecs():
            self.assertEqual(refused(client.value, AV1_FILM_GRAIN), None if FILM_GRAIN else 'EINVAL')
