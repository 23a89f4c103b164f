# SPDX-License-Identifier: MIT
"""Pictures that come in several jobs."""
import contextlib

from case import *  # pylint: disable=wildcard-import,unused-wildcard-import


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
