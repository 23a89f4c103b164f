# SPDX-License-Identifier: MIT
"""What the daemon is told of a job, and what the client gets of its answer; which pictures are references."""
import fcntl
import struct

from case import *  # pylint: disable=wildcard-import,unused-wildcard-import


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
