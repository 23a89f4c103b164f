# SPDX-License-Identifier: MIT
"""What all cases share: a client, a daemon, a job from end to end."""
import os
import re
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
FILM_GRAIN = parameter('film_grain') == 'Y'
LARGER = parameter('larger') == 'Y'
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
