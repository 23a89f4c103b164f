# SPDX-License-Identifier: MIT
"""Everything at once, everything a thousand times, and the module taken away."""
import contextlib
import mmap
import os
import subprocess
import threading
import time

from case import *  # pylint: disable=wildcard-import,unused-wildcard-import


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
