# SPDX-License-Identifier: MIT
"""What a person sees: plays a stream in a window to its last picture and reads the screen.

window.py WIDTH HEIGHT PICTURE COMMAND...: COMMAND is a player that shows the stream at the left top of an X display and
holds the last picture; a line of its output says when it is there (LAST). The screen is saved as PICTURE, and its hash
printed as FFmpeg's framemd5 does."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

LAST = re.compile(r'video EOF reached')
SETTLED = 2
PATIENCE = 100  # seconds


def start_screen(width, height):
    """An X server of our own, on a display that it finds itself."""
    os.makedirs('/tmp/.X11-unix', mode=0o1777, exist_ok=True)
    reading, writing = os.pipe()
    command = ['Xvfb', '-displayfd', str(writing), '-screen', '0', f'{width}x{height}x24', '-nolisten', 'tcp']
    server = subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as answer:
        return server, ':' + answer.readline().strip()


def read_screen(display, width, height, picture):
    """The pixels of the screen, and a picture of them."""
    grab = ['ffmpeg', '-v', 'error', '-nostdin', '-y', '-f', 'x11grab', '-draw_mouse', '0', '-video_size',
            f'{width}x{height}', '-i', display, '-frames:v', '1']
    subprocess.run([*grab, '-update', '1', picture], check=True)
    return subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-i', picture, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
                          check=True, capture_output=True).stdout


def settled(look):
    """What is to be seen when it no longer changes: a picture that is decoded has still to be drawn."""
    seen, since, start = look(), time.monotonic(), time.monotonic()
    while time.monotonic() - since < SETTLED or len(set(seen)) == 1:
        if time.monotonic() - start > PATIENCE:
            sys.exit('error: the screen stays empty, or never comes to rest')
        time.sleep(0.2)
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def main():
    width, height, picture, *command = sys.argv[1:]
    width, height = int(width), int(height)
    server, display = start_screen(width, height)
    with tempfile.TemporaryDirectory() as home, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
            env={**os.environ, 'DISPLAY': display, 'HOME': home}) as player:
        shown = threading.Event()

        def listen():
            for line in player.stdout:
                sys.stderr.write(line)
                if LAST.search(line):
                    shown.set()

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            if not shown.wait(PATIENCE):
                sys.exit('error: the last picture never came')
            pixels = settled(lambda: read_screen(display, width, height, picture))
            print(f'0, 0, 0, 1, {len(pixels)}, {hashlib.md5(pixels).hexdigest()}', flush=True)
        finally:
            player.terminate()
            listener.join()
            server.terminate()
            server.wait()


if __name__ == '__main__':
    main()
