# SPDX-License-Identifier: MIT
"""What daedalus does wrong when it is told to."""
import fcntl
import mmap
import os
import select
import struct
import threading
import time

from case import *  # pylint: disable=wildcard-import,unused-wildcard-import

UNBIND, BIND = ('/sys/bus/platform/drivers/daedalus/' + name for name in ('unbind', 'bind'))
SYNC_READ, SYNC_WRITE, SYNC_END = 1, 2, 4
MIB = 1 << 20


def sync(fd, flags):
    fcntl.ioctl(fd, DMA_BUF_SYNC, struct.pack('Q', flags))


def switch(name):
    with open(name, 'w') as file:
        file.write('daedalus')


class Faults(Case):
    def set(self, **values):
        for name, value in values.items():
            self.addCleanup(set_parameter, name, parameter(name))
            set_parameter(name, value)

    def picture(self, client, daemon, errors):
        """A picture of as many jobs as there are errors: which OUTPUT buffers failed, whether CAPTURE did, the jobs."""
        client.queue_capture(0)
        jobs = []
        for index, error in enumerate(errors):
            client.submit(index, MS, flags=FLAG_HOLD if index < len(errors) - 1 else 0)
            if job := daemon.read():
                jobs.append(job)
                daemon.complete(job, error=error)
        return [client.dequeue(OUTPUT).failed for _ in errors], client.dequeue(CAPTURE).failed, jobs


class Errors(Faults):
    def test_as_mem2mem_has_them(self):
        client, daemon = self.client(outputs=3), self.daemon()
        self.assertEqual(self.picture(client, daemon, (5, 0, 0))[:2], ([True, False, True], True))
        self.set(errors='m2m')
        self.assertEqual(parameter('errors'), 'm2m')
        self.assertEqual(self.picture(client, daemon, (5, 0, 0))[:2], ([True, False, False], False))
        outputs, capture, jobs = self.picture(client, daemon, (0, 0, 5))
        self.assertEqual((outputs, capture), ([False, False, True], True))
        self.assertTrue(all(job.flags & JOB_LENIENT for job in jobs))

    def test_as_mem2mem_has_them_where_a_picture_is_given_back_early(self):
        self.set(errors='m2m')
        client, daemon = self.client(outputs=1), self.daemon()
        client.queue_capture(0)
        client.submit(0, MS, flags=FLAG_HOLD)
        daemon.complete(daemon.read_job(), error=5)
        client.flush()
        self.assertFalse(client.dequeue(CAPTURE).failed)

    def test_no_other_mode(self):
        self.assertEqual(refused(set_parameter, 'errors', 'kind'), 'EINVAL')
        self.assertEqual(parameter('errors'), 'strict')

    def test_one_job_of_a_picture(self):
        client, daemon = self.client(outputs=3), self.daemon()
        self.set(errors='m2m')
        for number in (1, 2, 3):
            self.set(fail_job=number)
            outputs, capture, jobs = self.picture(client, daemon, (0, 0, 0))
            self.assertEqual(outputs, [index + 1 == number for index in range(3)])
            self.assertEqual((capture, len(jobs)), (number == 3, 2))

    def test_one_job_of_some_pictures(self):
        client, daemon = self.client(), self.daemon()
        self.set(fail_job=1, fail_picture=3)
        failed = [self.picture(client, daemon, (0,))[1] for _ in range(9)]
        self.assertEqual((sum(failed), failed[:6]), (3, failed[3:]))

    def test_a_picture_that_is_begun_anew_is_counted_anew(self):
        client, daemon = self.client(), self.daemon()
        self.set(fail_job=2)
        for _ in range(3):
            self.assertEqual(self.picture(client, daemon, (0,))[0], [False])


class Late(Faults):
    def test_streamoff_that_waits(self):
        client, daemon = self.client(), self.daemon()
        self.set(streamoff_waits=1)
        client.queue_capture(0)
        request = client.submit(0, MS)
        job = daemon.read_job()
        later = threading.Timer(0.3, daemon.complete, (job,))
        later.start()
        start = time.monotonic()
        client.stream(False)
        self.assertGreater(time.monotonic() - start, 0.2)
        later.join()
        self.assertTrue(is_complete(request))

    def test_streamoff_that_waits_ends_with_the_jobs_time(self):
        client, daemon = self.client(), self.daemon()
        self.set(streamoff_waits=1)
        client.queue_capture(0)
        client.submit(0, MS)
        daemon.read_job()
        start = time.monotonic()
        client.stream(False)
        self.assertAlmostEqual(time.monotonic() - start, TIMEOUT, delta=TIMEOUT / 2)


class Shortage(Faults):
    def create(self, client, count):
        form = client.format(G_FMT, CAPTURE)
        return client.ioctl(CREATE_BUFS, CreateBuffers(count=count, memory=MMAP, format=form)).count

    def test_few_capture_buffers(self):
        self.set(capture_limit=3)
        client = self.use(Client())
        client.format(S_FMT, OUTPUT, width=64, height=64, pixelformat=MPEG2)
        self.assertEqual(client.buffers(CAPTURE, 8).count, 3)
        self.assertEqual(refused(self.create, client, 1), 'ENOBUFS')
        self.assertEqual(client.buffers(OUTPUT, 8).count, 8)
        client.buffers(CAPTURE, 0)
        self.assertEqual((self.create(client, 2), self.create(client, 2)), (2, 1))
        self.assertEqual(refused(self.create, client, 1), 'ENOBUFS')
        self.set(capture_limit=0)
        self.assertEqual(self.create(client, 8), 8)

    def test_little_memory(self):
        self.set(memory_mb=2)
        client = self.use(Client())
        client.format(S_FMT, OUTPUT, width=512, height=512, pixelformat=MPEG2)  # 384 KiB a picture
        self.assertEqual(self.create(client, 8), 5)
        self.assertEqual(refused(self.create, client, 1), 'ENOMEM')
        self.assertEqual(refused(client.buffers, OUTPUT, 1), 'ENOMEM')
        fd = client.export(CAPTURE, 0)
        client.buffers(CAPTURE, 0)
        self.assertEqual(self.create(client, 8), 4)  # the one that was exported still lives
        os.close(fd)
        time.sleep(0.1)
        self.assertEqual(self.create(client, 8), 1)

    def test_memory_that_is_short_works(self):
        self.set(memory_mb=2)
        owner, daemon, client = self.client(), self.daemon(), self.client(capture_memory=DMABUF)
        fd = owner.export(CAPTURE, 0)
        client.queue_capture(0, DMABUF, m=fd)
        client.submit(0, MS)
        daemon.complete(daemon.read_job(), pattern=0x31)
        self.assertFalse(client.dequeue(CAPTURE, DMABUF).failed)
        with mmap.mmap(fd, 6144) as data:
            self.assertEqual(data[:6144], b'1' * 6144)
        os.close(fd)


class Incoherent(Faults):
    def start(self):
        self.set(incoherent=1)
        client, daemon = self.client(), self.forked()
        fd = client.export(CAPTURE, 0)
        self.addCleanup(os.close, fd)
        return client, daemon, fd

    def forked(self):
        """A daemon in a process of its own: this one's views are those of a client."""
        orders, answers = os.pipe(), os.pipe()
        child = os.fork()
        if not child:
            os.close(orders[1])
            try:
                with Daemon() as daemon:
                    os.write(answers[1], b'r')
                    while pattern := os.read(orders[0], 1):
                        job = daemon.read_job()
                        seen = daemon.memory(job.capture.cookie)[:1]
                        daemon.complete(job, pattern=pattern[0])
                        os.write(answers[1], seen)
            finally:
                os._exit(0)
        self.addCleanup(os.waitpid, child, 0)
        self.addCleanup(os.close, orders[1])
        self.assertEqual(os.read(answers[0], 1), b'r')

        def decode(client, pattern, memory=MMAP, **queue):
            client.queue_capture(0, memory, **queue)
            client.submit(0, MS)
            os.write(orders[1], bytes([pattern]))
            seen = os.read(answers[0], 1)[0]
            self.assertFalse(client.dequeue(CAPTURE, memory, seconds=1).failed)
            client.dequeue(OUTPUT)
            return seen
        return decode

    def test_a_view_is_old_until_it_is_refreshed(self):
        client, decode, fd = self.start()
        with mmap.mmap(fd, 6144) as view:
            for pattern in (0x41, 0x42):
                old = view[:6144]
                decode(client, pattern)
                self.assertEqual(view[:6144], old)
                sync(fd, SYNC_READ)
                self.assertEqual(view[:6144], bytes([pattern]) * 6144)
                sync(fd, SYNC_READ | SYNC_END)
        with client.map(CAPTURE, 0) as data:  # V4L2's own mappings need nothing
            self.assertEqual(data[:6144], b'B' * 6144)

    def test_what_is_written_counts_at_the_end(self):
        client, decode, fd = self.start()
        decode(client, 0x50)
        with mmap.mmap(fd, 6144) as view:
            sync(fd, SYNC_WRITE)
            view[0] = 0x51
            self.assertEqual(decode(client, 0x50), 0x50)
            sync(fd, SYNC_WRITE | SYNC_END)
            self.assertEqual(decode(client, 0x52), 0x51)

    def test_another_device_sees_the_pixels(self):
        client, decode, fd = self.start()
        decode(client, 0x60)
        other = self.client(capture_memory=DMABUF)
        self.assertEqual(decode(other, 0x61, DMABUF, m=fd), 0x60)
        self.assertEqual(decode(client, 0x62), 0x61)


class Removal(Faults):
    """The device goes while it is in use, and all that is left can be closed."""

    def setUp(self):
        self.addCleanup(switch, BIND)

    def test_with_jobs_of_all_kinds(self):
        client, daemon = self.client(outputs=3), self.daemon()
        requests = []
        for index in range(3):
            client.queue_capture(index)
            requests.append(client.submit(index, (index + 1) * MS, controls=mpeg2_controls()))
        daemon.read_job()
        fd = client.export(CAPTURE, 0)
        memory = client.map(CAPTURE, 1)
        switch(UNBIND)
        self.assertTrue(all(is_complete(request, 1) for request in requests))
        for call in (lambda: client.dequeue(CAPTURE), lambda: client.queue_capture(3), client.stream, client.request,
                     lambda: client.buffers(OUTPUT, 0)):
            self.assertIn(refused(call), ('ENODEV', 'EIO'))
        poll = select.poll()
        poll.register(client.fd, select.POLLIN)
        self.assertTrue(poll.poll(0)[0][1] & select.POLLERR)
        self.assertEqual(os.read(daemon.fd, MESSAGE_MAX), b'')
        self.assertEqual(refused(os.write, daemon.fd, struct.pack('QII', 1, 0, 0)), 'ENOENT')
        with mmap.mmap(fd, 6144) as data:
            self.assertEqual(len(data[:]), 6144)
        os.close(fd)
        memory.close()
        client.close()
        daemon.close()

    def test_whoever_waits_is_woken(self):
        client, woken = self.client(), []
        poll = select.poll()
        poll.register(client.fd, select.POLLIN)
        waiting = threading.Thread(target=lambda: woken.extend(poll.poll(5000)))
        waiting.start()
        time.sleep(0.2)
        start = time.monotonic()
        switch(UNBIND)
        waiting.join()
        self.assertLess(time.monotonic() - start, 2)
        self.assertTrue(woken and woken[0][1] & select.POLLERR)

    def test_requests_may_be_closed_last(self):
        client = self.client()
        client.queue_capture(0)
        requests = [client.submit(0, MS), client.request()]
        kept = [os.dup(request) for request in requests]
        switch(UNBIND)
        client.close()
        for request in kept:
            self.assertIn(is_complete(request), (True, False))
            os.close(request)

    def test_a_new_device_works(self):
        old_client, old_daemon = self.client(), self.daemon()
        switch(UNBIND)
        switch(BIND)
        daemon = self.daemon()
        self.decode(self.client(), daemon, 0, MS, pattern=3)
        old_client.close()
        old_daemon.close()
        self.decode(self.client(), daemon, 0, MS, pattern=4)
        switch(UNBIND)  # setUp() will have it bound again

    def test_while_clients_decode(self):
        for _ in range(5):
            client, daemon, errors = self.client(), self.daemon(), []

            def serve(daemon=daemon):
                while ready(daemon.fd, select.POLLIN, 5):
                    data = os.read(daemon.fd, MESSAGE_MAX)
                    if not data:
                        return
                    if struct.unpack_from('I', data)[0] == JOB:
                        refused(daemon.complete, Job(data))

            def play(client=client, errors=errors):
                try:
                    for step in range(10**6):
                        client.queue_capture(0)
                        client.submit(0, (step + 1) * MS)
                        while not client.dequeue(CAPTURE, seconds=1):
                            pass
                        client.dequeue(OUTPUT, seconds=1)
                        os.close(client.fds.pop())
                except OSError as error:
                    errors.append(error.errno)

            threads = [threading.Thread(target=serve), threading.Thread(target=play)]
            for thread in threads:
                thread.start()
            time.sleep(0.2)
            switch(UNBIND)
            for thread in threads:
                thread.join()
            self.assertEqual(len(errors), 1)
            client.close()
            daemon.close()
            switch(BIND)
        switch(UNBIND)
