# SPDX-License-Identifier: MIT
"""Pictures for the report: of each stream the first that differs, as each side has it, and the difference; of a stream that is
as it should be, one. Streams that differ are recorded on the way."""

import base64
import os
import shutil
import subprocess

from sweep import verdict as judge

WIDTH = 240  # of a picture in the report, pixels
FFMPEG = ['ffmpeg', '-nostdin', '-v', 'error', '-y']
SIDES = {'libva': 'libva', 'kdirect': 'kernel-direct', 'sw': 'software'}


def first_difference(stream):
    """The number of the first frame that is not the same on all sides; 0 if all are."""
    sides = [result['frames'] for result in stream.results.values() if result['frames']]
    for number in range(max(map(len, sides), default=0)):
        if len({side[number] if number < len(side) else None for side in sides}) > 1:
            return number
    return 0


def jpeg(path, *inputs, graph):
    """One picture, made of y4m files, as bytes; none if that fails."""
    words = [word for each in inputs for word in ('-i', each)]
    scale = f'scale=w=min(iw\\,{WIDTH}):h=-2:flags=neighbor'
    done = subprocess.run([*FFMPEG, *words, '-filter_complex', f'{graph}{scale}', '-frames:v', '1', '-q:v', '4', path],
                          capture_output=True, check=False)
    if done.returncode or not os.path.exists(path):
        return None
    with open(path, 'rb') as file:
        return 'data:image/jpeg;base64,' + base64.b64encode(file.read()).decode()


def read(path):
    """The pixels of a y4m file of one picture; headers say the same in different words."""
    with open(path, 'rb') as file:
        return file.read().split(b'FRAME\n', 1)[-1]


def software(stream, number, out):
    subprocess.run([*FFMPEG, '-noautorotate', '-i', stream.path, '-map', '0:v:0', '-fps_mode', 'passthrough', '-vf', f'select=eq(n\\,{number})',
                    '-frames:v', '1', '-pix_fmt', 'yuv420p', '-f', 'yuv4mpegpipe', out], capture_output=True, check=False)


def take(options, streams, rows, folder, make_place):
    """By stream ("CODEC/FILE"): {"frame": number, "pictures": [(words, data URL)], "recording": name of a file or None, "same":
    whether all sides have the same this time}."""
    verdicts = {f"{row['codec']}/{row['file']}": row['verdict'] for row in rows}
    tasks, wanted = [], {}
    for stream in streams:
        good = verdicts.get(stream.key()) in judge.GOOD
        if stream.expect != 'decode' and good:
            continue
        number, key = first_difference(stream), stream.key().replace('/', '_')
        columns = [column for column in ('libva', 'kdirect') if stream.results.get(column, {}).get('frames')]
        files = {column: os.path.join(folder, f'{key}-{column}-picture.y4m') for column in columns[: 1 if good else 2]}
        recording = os.path.join(folder, f'{key}.rec') if options.record and not good else None
        wanted[stream.key()] = (stream, number, good, files, recording)
        for column, out in files.items():
            tasks.append({'id': f'{key}-{column}-picture', 'codec': stream.codec, 'column': column, 'client': options.libva,
                          'path': stream.given[column], 'format': stream.format, 'mismatch': stream.mismatch, 'convert': False,
                          'picture': number, 'out': out, 'recording': recording if column == 'libva' else None})
    if tasks:
        make_place(options, folder).run(tasks, lambda task, result: None)
    return {key: strip_of(*each, options, folder) for key, each in wanted.items()}


def strip_of(stream, number, good, files, recording, options, folder):
    files = {column: path for column, path in files.items() if os.path.exists(path) and os.path.getsize(path)}
    if not good and 'sw' in options.columns:
        files['sw'] = os.path.join(folder, stream.key().replace('/', '_') + '-sw-picture.y4m')
        software(stream, number, files['sw'])
    pictures = [(SIDES[column] if not good else 'all sides', jpeg(path + '.jpg', path, graph='')) for column, path in files.items()]
    if not good and {'libva', 'sw'} <= set(files):
        graph = '[0][1]blend=all_mode=difference,lutyuv=y=min(255\\,val*8):u=128:v=128,'
        pictures.append(('difference of libva and software, 8 times', jpeg(files['libva'] + '.d.jpg', files['libva'], files['sw'], graph=graph)))
    contents = [read(path) for path in files.values()]
    kept = None
    if recording and os.path.exists(recording):
        os.makedirs(options.record, exist_ok=True)
        kept = os.path.basename(recording)
        shutil.copy(recording, os.path.join(options.record, kept))
    return {'frame': number, 'pictures': [picture for picture in pictures if picture[1]], 'recording': kept,
            'same': len(set(contents)) == 1}
