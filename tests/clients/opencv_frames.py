# SPDX-License-Identifier: MIT
"""An application of OpenCV: a capture in hardware, five at a time in threads, and more of them after a fork.

opencv_frames.py PATH: prints what was seen, a line for each way. OpenCV makes BGR of all pictures, of NV12 with other
filters for chroma than of software's planes: compared are grey pictures, which may be apart by a level on average."""

import os
import sys
import threading

# OpenCV by itself takes no VA-API driver but Intel's, and that for some codecs only. It reads this when it is loaded.
os.environ['OPENCV_FFMPEG_CAPTURE_OPTIONS'] = 'hw_decoders_vaapi;vaapi|hw_disable_decoders;none'
import cv2  # pylint: disable=wrong-import-position

THREADS = 5
APART = 1.0


def capture(path, way):
    """All pictures, and the way that decoded them."""
    device = () if way == cv2.VIDEO_ACCELERATION_NONE else (cv2.CAP_PROP_HW_DEVICE, 0)
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_HW_ACCELERATION, way, *device])
    found, pictures = video.get(cv2.CAP_PROP_HW_ACCELERATION), []
    while True:
        there, picture = video.read()
        if not there:
            return found, pictures
        pictures.append(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))


def compare(path, right):
    """What a capture in hardware makes."""
    way, pictures = capture(path, cv2.VIDEO_ACCELERATION_VAAPI)
    if way != cv2.VIDEO_ACCELERATION_VAAPI:
        return 'in software'
    if len(pictures) != len(right):
        return f'{len(pictures)} pictures of {len(right)}'
    apart = max(cv2.absdiff(one, other).mean() for one, other in zip(pictures, right))
    return f'{len(pictures)} pictures' if apart < APART else f'{apart:.2f} levels apart'


def main():
    path = sys.argv[1]
    cv2.setNumThreads(1)  # those of OpenCV's own pool do not outlive a fork
    _, right = capture(path, cv2.VIDEO_ACCELERATION_NONE)
    print('alone:', compare(path, right), flush=True)
    said = []
    threads = [threading.Thread(target=lambda: said.append(compare(path, right))) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f'{THREADS} threads:', ', '.join(sorted(set(said))), flush=True)
    used = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_HW_ACCELERATION, cv2.VIDEO_ACCELERATION_VAAPI,
                                                   cv2.CAP_PROP_HW_DEVICE, 0])
    used.read()
    child = os.fork()
    if not child:
        print('the child:', compare(path, right), flush=True)
        os._exit(0)  # as multiprocessing does: FFmpeg would wait for threads that a fork does not copy
    _, status = os.waitpid(child, 0)
    rest = 1 + sum(iter(lambda: used.read()[0], False))
    print(f'the parent after it: {rest} pictures, the child\'s status {status}', flush=True)


if __name__ == '__main__':
    main()
