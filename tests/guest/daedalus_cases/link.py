# SPDX-License-Identifier: MIT
"""The character device, and daemons that are not there, go, or hang."""
import errno
import fcntl
import os
import signal
import struct
import threading
import time

from case import *  # pylint: disable=wildcard-import,unused-wildcard-import


class Link(Case):
    def test_version(self):
        daemon, value = self.daemon(), u32()
        fcntl.ioctl(daemon.fd, IOC_VERSION, value)
        self.assertEqual(value.value, 4)
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
