# SPDX-License-Identifier: MIT
"""Runs in the guest: plays each stream with unmodified clients, in hardware and in software. Prints a line for each:
stream, client, pictures, pictures of software, and what is wrong with it, "-" if nothing is, "no verdict: ..." where the
client's own parser ended it. usage: damage_clients.py FILE

FILE has a line "NAME PATH CLEAN TAIL" for each stream: the last TAIL pictures must be those of software on the clean one.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile

NODE = '/dev/dri/renderD128'
HARDWARE = ('-init_hw_device', f'drm=d:{NODE}', '-init_hw_device', 'vaapi=v@d', '-hwaccel', 'vaapi', '-hwaccel_device', 'v',
            '-hwaccel_output_format', 'vaapi')
GSTREAMER = {'h264': 'h264parse ! vah264dec', 'hevc': 'h265parse ! vah265dec', 'mpeg2': 'mpegvideoparse ! vampeg2dec',
             'vp8': 'ivfparse ! vavp8dec', 'vp9': 'ivfparse ! vp9parse ! vavp9dec', 'av1': 'ivfparse ! av1parse ! vaav1dec'}
# What ends a client before the driver has a part in it.
NO_VERDICT = 'no verdict: '
PICTURE = 352 * 288 * 3 // 2


def run(*command):
    try:
        done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return 'no end in 300 s', '', ''
    text = (done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace'))
    return (f'exit status {done.returncode}' if done.returncode else ''), *text


def ffmpeg(path, hardware):
    fault, out, _ = run('ffmpeg', '-v', 'error', '-nostdin', *(HARDWARE if hardware else ()), '-i', path, '-map', '0:v:0',
                        *(('-vf', 'hwdownload,format=nv12') if hardware else ()), '-fps_mode', 'passthrough', '-pix_fmt', 'nv12',
                        '-f', 'framemd5', '-')
    return fault, [line.split(',')[-1].strip() for line in out.splitlines() if line and line[0] != '#']


def gstreamer(path):
    elements = GSTREAMER[re.match(r'[a-z0-9]+', os.path.basename(path)).group()].split()
    with tempfile.NamedTemporaryFile() as raw:
        fault, _, said = run('gst-launch-1.0', '-q', 'filesrc', f'location={path}', '!', *elements, '!',
                        'video/x-raw,format=NV12', '!', 'filesink', f'location={raw.name}')
        data = open(raw.name, 'rb').read()
    if fault and 'gst_base_parse_handle_buffer: assertion failed' in said:
        fault = f"{NO_VERDICT}GStreamer's parser ended the process"
    return fault, [hashlib.md5(data[at:at + PICTURE]).hexdigest() for at in range(0, len(data), PICTURE)]


def mpv(path):
    fault, out, err = run('mpv', '--no-config', '--no-audio', '--hwdec=vaapi-copy', '--hwdec-codecs=all', f'--vaapi-device={NODE}',
                          '--vo=null', '--untimed', '--msg-level=all=v', path)
    said = out + err
    modes = re.findall(r'Using (hardware|software) decoding', said)
    if not fault and (not modes or modes[-1] != 'hardware' or re.search('falling back', said, re.IGNORECASE)):
        fault = 'leaves the hardware'
        # FFmpeg reads AV1's headers itself, and gives no driver what it cannot read. Three such packets in a row are enough for mpv.
        if said.count('av1: Failed to read packet') >= said.count('Error while decoding frame (hardware decoding)') > 0:
            fault = f"{NO_VERDICT}FFmpeg's parser could not read three packets in a row"
    return fault


def main(listed):
    clean = {}
    for line in open(listed, encoding='utf-8'):
        name, path, original, tail = line.split()
        tail = int(tail)
        if original not in clean:
            clean[original] = ffmpeg(original, False)[1]
        expected = clean[original][-tail:]
        _, software = ffmpeg(path, False)

        def report(client, fault, pictures=None, fewest=0, in_order=list):
            if not fault and pictures is not None and in_order(pictures[-tail:]) != in_order(expected):
                fault = 'other pictures after the next random access point'
            # Where software gives up a picture that it finds broken while it decodes, a device has written it.
            if not fault and pictures is not None and len(pictures) < fewest:
                fault = 'fewer pictures than software'
            print(name, client, '-' if pictures is None else len(pictures), len(software), fault or '-', sep='\t', flush=True)

        report('FFmpeg', *ffmpeg(path, True), len(software))
        report('mpv', mpv(path))
        if os.environ.get('GST_VA_ALL_DRIVERS'):
            # Behind a picture that was lost, GStreamer gives those of MPEG-2 out in another order, straight on the kernel as well.
            report('GStreamer', *gstreamer(path), in_order=sorted if path.endswith('.m2v') else list)


main(sys.argv[1])
