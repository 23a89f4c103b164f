#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints what FFmpeg's software decoder says of each frame of a file, in the order in which they are shown, as JSON: a list
of [number of its packet in the file, whether it is damaged, whether it can be decoded without any other], and how many
packets there are.

Needs python3-av, which is for Debian's own Python."""

import json
import sys

import av
from av.error import FFmpegError


def read(path):
    frames, packets = [], 0
    with av.open(path) as file:
        video = file.streams.video[0]
        video.thread_type = 'NONE'
        for packet in file.demux(video):
            if packet.size:  # times become numbers, by which frames tell their packets
                packet.pts = packet.dts = packets
                packets += 1
            try:
                for frame in packet.decode():
                    frames.append((packets - 1 if frame.pts is None else frame.pts, bool(frame.is_corrupt), bool(frame.key_frame)))
            except FFmpegError:
                pass  # as a player goes on
    return frames, packets


if __name__ == '__main__':
    av.logging.set_level(av.logging.PANIC)
    print(json.dumps(read(sys.argv[1])))
