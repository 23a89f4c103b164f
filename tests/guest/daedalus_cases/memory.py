# SPDX-License-Identifier: MIT
"""Buffers: imported and exported, replaced, and left behind."""
import errno
import mmap
import os
import struct

from case import *  # pylint: disable=wildcard-import,unused-wildcard-import


class Memory(Case):
    def borrow(self, client, kind, index):
        """A dma-buf that outlives its exporter."""
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
