# SPDX-License-Identifier: MIT
"""An application of Qt Multimedia: plays a file, maps each picture as it comes, and compares it with software's.

qt_frames.py PATH. Qt leaves pictures out when it is late: those that come must be the stream's, in order."""

import glob
import hashlib
import os
import stat
import subprocess
import sys

# Encoders are not asked for: FFmpeg's for QSV takes each display for one of PCI, which vkms is not, and crashes.
os.environ.update({'QT_QPA_PLATFORM': 'offscreen', 'QT_MEDIA_BACKEND': 'ffmpeg', 'QT_FFMPEG_DECODING_HW_DEVICE_TYPES': 'vaapi',
                   'QT_FFMPEG_ENCODING_HW_DEVICE_TYPES': ','})
from PyQt6.QtCore import QCoreApplication, QUrl  # pylint: disable=wrong-import-position
from PyQt6.QtGui import QGuiApplication  # pylint: disable=wrong-import-position
from PyQt6.QtMultimedia import QMediaPlayer, QVideoFrame, QVideoFrameFormat, QVideoSink  # pylint: disable=wrong-import-position


def show_a_display():
    """Qt leaves it to FFmpeg to find a node, which passes vgem over by its name: vkms' node takes its place."""
    subprocess.run(['modprobe', 'vkms'], check=True)
    device = next(path for path in glob.glob('/sys/class/drm/card?') if 'vkms' in os.path.realpath(path))
    with open(device + '/dev', encoding='ascii') as file:
        number = os.makedev(*map(int, file.read().split(':')))
    os.mknod('/dev/dri/for-qt', 0o666 | stat.S_IFCHR, number)
    os.rename('/dev/dri/for-qt', '/dev/dri/renderD128')


def software(path, width, height):
    """The hashes of all pictures as NV12."""
    command = ['ffmpeg', '-v', 'error', '-nostdin', '-i', path, '-f', 'rawvideo', '-pix_fmt', 'nv12', '-']
    data, size = subprocess.run(command, check=True, capture_output=True).stdout, width * height * 3 // 2
    return [hashlib.md5(data[at : at + size]).hexdigest() for at in range(0, len(data), size)]


def rows(frame, plane, width, height):
    stride, data = frame.bytesPerLine(plane), frame.bits(plane).asstring(frame.mappedBytes(plane))
    return b''.join(data[at * stride : at * stride + width] for at in range(height))


def main():
    show_a_display()
    application, player, sink = QGuiApplication(sys.argv), QMediaPlayer(), QVideoSink()
    seen, formats = [], set()

    def show(frame):
        if not frame.isValid() or not frame.map(QVideoFrame.MapMode.ReadOnly):
            return
        width, height = frame.width(), frame.height()
        formats.add(frame.surfaceFormat().pixelFormat())
        pixels = rows(frame, 0, width, height) + rows(frame, 1, width, height // 2)
        seen.append((width, height, hashlib.md5(pixels).hexdigest()))
        frame.unmap()

    sink.videoFrameChanged.connect(show)
    player.setVideoOutput(sink)
    player.errorOccurred.connect(lambda error, text: print('error:', error, text, flush=True))
    player.mediaStatusChanged.connect(
        lambda status: status == QMediaPlayer.MediaStatus.EndOfMedia and QCoreApplication.quit())
    player.setSource(QUrl.fromLocalFile(sys.argv[1]))
    player.play()
    application.exec()
    if formats != {QVideoFrameFormat.PixelFormat.Format_NV12} or len({one[:2] for one in seen}) != 1:
        sys.exit(f'error: {formats} of {len(seen)} pictures')
    right, at = software(sys.argv[1], *seen[0][:2]), 0
    for _, _, picture in seen:
        if picture not in right[max(at - 1, 0):]:
            sys.exit(f'error: a picture after {at} is not the stream\'s')
        at = right.index(picture) + 1
    print(f'{len(seen)} of {len(right)} pictures, all right')


if __name__ == '__main__':
    main()
