# SPDX-License-Identifier: MIT
"""Recordings of what an unmodified FFmpeg submits through libva for a stream, and what software makes of the stream. For programs of
the guest that submit the same again (tests/guest/va_suite/recording.h)."""

import os
import subprocess
import zlib

from in_guest import BUILD, ROOT

RECORDER = os.path.join(BUILD, 'tests/guest/va_recorder.so')
RECORD = ('VA_RECORDING={out}.part LD_PRELOAD={recorder} timeout 60 ffmpeg -nostdin -v error -threads 1 -hwaccel vaapi '
          '-hwaccel_output_format vaapi -vaapi_device /dev/dri/renderD128 -i {stream} -fps_mode passthrough -frames:v {frames} -f null - '
          '&& mv {out}.part {out} || echo "no recording of {stream}"')


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


def expect(stream, path, frames):
    """Writes the size of the pictures and a CRC-32 of each as tight NV12, as software decodes them."""
    size = run('ffprobe', '-v', 'error', '-select_streams', 'v:0', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', stream)
    width, height = map(int, size.decode().strip().strip(',').split(',')[:2])
    pixels = run('ffmpeg', '-v', 'error', '-i', stream, '-fps_mode', 'passthrough', '-frames:v', str(frames), '-f', 'rawvideo', '-pix_fmt',
                 'nv12', '-')
    each = width * height + (width + 1) // 2 * 2 * ((height + 1) // 2)
    with open(path, 'w', encoding='ascii') as file:
        print(width, height, file=file)
        for at in range(0, len(pixels), each):
            print(f'{zlib.crc32(pixels[at:at + each]):08x}', file=file)


def name_of(stream):
    return os.path.basename(os.path.dirname(stream)) + '-' + os.path.basename(stream)


def record(streams, folder, driver_folder, daedalus, frames=40):
    """Makes FOLDER/CODEC-FILE.rec and .crc of each stream (paths below fixtures/, or of their own), in one guest."""
    script = []
    for stream in streams:
        path = os.path.join(ROOT, 'fixtures', stream)
        out = os.path.join(folder, name_of(path))
        expect(path, out + '.crc', frames)
        script.append(RECORD.format(out=out + '.rec', recorder=RECORDER, stream=path, frames=frames))
    shares = {os.path.dirname(os.path.join(ROOT, 'fixtures', stream)) for stream in streams}
    done = subprocess.run(
        [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--daedalus', daedalus, '--share', folder, '--share',
         driver_folder, *(word for share in sorted(shares) for word in ('--share', share)), '--env', f'LIBVA_DRIVERS_PATH={driver_folder}', '--env', 'LIBVA_DRIVER_NAME=v4l2_request',
         '--timeout', '600', '--', 'sh', '-c', '\n'.join(script)], check=False, capture_output=True, text=True, errors='replace')
    missing = [stream for stream in streams if not os.path.exists(os.path.join(folder, name_of(os.path.join(ROOT, 'fixtures', stream)) + '.rec'))]
    if done.returncode or missing:
        raise AssertionError(f'no recording of {missing}: {done.stdout}{done.stderr}')
