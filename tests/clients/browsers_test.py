#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Browsers on daedalus, under a compositor, looked at: decoder, pictures, seeks, sizes, tabs. By name, not in scripts/test.

    tests/clients/browsers_test.py [--browser firefox]... [--codec h264]...

Prints a line for each step, and ends with status 0 if all are right. Screenshots are in BUILD/pictures.
See docs/clients.md."""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import clients_test  # pylint: disable=wrong-import-position
import streams as library  # pylint: disable=wrong-import-position

ROOT, HERE = clients_test.ROOT, clients_test.HERE
USERLAND = 'forky-browsers'
# What each calls the decoder, if it does, and whether that is hardware.
DECODERS = {'chromium': ['VaapiVideoDecoder', 'true'], 'firefox': [None, 'true']}
FRAMES, RATE = 40, 10
SIZES = ((640, 360), (800, 480))  # Chromium leaves smaller ones to software
# Encoder, container, and what a page calls it.
CODECS = {
    'h264': ('libx264 -preset veryfast -profile:v high', 'mp4', 'video/mp4; codecs="avc1.640028"'),
    'vp9': ('libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8', 'webm', 'video/webm; codecs="vp9"'),
    'vp8': ('libvpx -b:v 1M -deadline realtime', 'webm', 'video/webm; codecs="vp8"'),
    'hevc': ('libx265 -preset ultrafast -tag:v hvc1 -x265-params bframes=0:log-level=none', 'mp4',
             'video/mp4; codecs="hvc1.1.6.L93.B0"'),
    'av1': ('libsvtav1 -preset 10 -svtav1-params enable-tf=0', 'mp4', 'video/mp4; codecs="av01.0.05M.08"'),
}
NO_SOFTWARE = ('hevc',)  # Chromium has none for it: there it plays a lossless copy
COPY = ('libvpx-vp9 -lossless 1 -cpu-used 8', 'webm', 'video/webm; codecs="vp9"')
FRAGMENTED = '-movflags frag_keyframe+empty_moov+default_base_moof'  # what MediaSource takes
# Chromium's two ways filter chroma differently: it has no edges. They also differ in colours unless those are named and
# are BT.601's: what EGL imports is taken for that, here at least.
SOFTENED = 'testsrc2=s={}x{}:r={},boxblur=lr=0:lp=0:cr=10:cp=2,format=yuv420p'
COLOURS = '-color_range tv -colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m'
MEAN, MOST = 2, 56  # levels of 255 between the screenshots: the next picture is farther away


def encode(source, encoder, container, path):
    if os.path.exists(path):
        return
    options = FRAGMENTED if container == 'mp4' else ''
    subprocess.run(['ffmpeg', '-v', 'error', '-nostdin', '-y', *source, '-g', '20', *COLOURS.split(), '-c:v', *encoder.split(),
                    *options.split(), '-f', container, path + '.part'], check=True, stderr=subprocess.DEVNULL)
    os.rename(path + '.part', path)


def make_clips(codecs):
    """4 s of each codec in each size, in the cache."""
    recipe = repr((library.ffmpeg_version(), CODECS, COPY, SIZES, FRAGMENTED, FRAMES, SOFTENED, COLOURS))
    folder = os.path.join(library.cache_dir(), f'browser-clips-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}')
    os.makedirs(folder, exist_ok=True)
    tasks = []
    for codec in codecs:
        encoder, container, kind = CODECS[codec]
        paths = [os.path.join(folder, f'{codec}-{width}.{container}') for width, _ in SIZES]
        for path, (width, height) in zip(paths, SIZES):
            source = f'-f lavfi -i {SOFTENED.format(width, height, RATE)} -frames:v {FRAMES}'
            encode(source.split(), encoder, container, path)
        task = {'codec': codec, 'path': paths[0], 'type': kind, 'parts': paths, 'sizes': SIZES}
        if codec in NO_SOFTWARE:
            copies = [path + '.webm' for path in paths]
            for path, copy in zip(paths, copies):
                encode(('-i', path), *COPY[:2], copy)
            task['in software'] = {'path': copies[0], 'type': COPY[2], 'parts': copies}
        tasks.append(task)
    return tasks


def run_guest(browser, options, tasks):
    """What each step with and without the driver said: {(run, step): what}."""
    with tempfile.TemporaryDirectory(prefix='browsers-', dir=library.cache_dir()) as folder:
        shutil.copy(os.path.join(options.build, clients_test.DRIVER), folder)
        jobs = os.path.join(folder, 'jobs.json')
        with open(jobs, 'w', encoding='utf-8') as file:
            json.dump({'browser': browser, 'driver': folder, 'pictures': options.pictures, 'tasks': tasks}, file)
        command = [os.path.join(ROOT, 'scripts/guest'), 'run', '--device', 'daedalus', '--rootfs', USERLAND, '--mem', '4G',
                   '--daedalus', os.path.join(options.build, 'daedalus'), '--timeout', '3000',
                   *[word for share in (library.cache_dir(), options.pictures) for word in ('--share', share)],
                   '--env', 'PYTHONDONTWRITEBYTECODE=1', '--', 'python3', os.path.join(HERE, 'browser_in_guest.py'), jobs]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors='replace') as guest:
            said = {}
            for line in guest.stdout:
                event = json.loads(line)
                said[event['run'], event['step']] = event
                if event['step'] != 'log':
                    print('  ' + ', '.join(f'{name} {value}' for name, value in event.items())[:300], flush=True)
    return said


def frames_of(step):
    return 2 * FRAMES if step.endswith(' sizes') else FRAMES


def judge_decoders(decoders, right):
    wrong = [decoder for decoder in decoders if decoder != right]
    return f'decoded by {wrong[0]}' if wrong else None


def judge_videos(step, hard, soft):
    """What is wrong with videos that were played and shown; None if nothing is."""
    if len(hard['decoders']) != len(hard['videos']):
        return f'{len(hard["decoders"])} decoders for {len(hard["videos"])} videos'
    for video in hard['videos']:
        if not video['ended'] or video['error'] or video['corrupted'] or video['decoded'] < frames_of(step):
            return f'not played to its end without a fault: {video}'
    if step.endswith(' sizes') and hard['videos'][0]['size'] != list(SIZES[1]):
        return f'the size stayed {hard["videos"][0]["size"]}'
    for one, other in zip(hard['shown'], soft['shown'] if soft else (), strict=True):
        if one['at'] != other['at']:
            return f'shows the picture of {one["at"]} s, software that of {other["at"]} s'
        if difference := looks_different(one['picture'], other['picture']):
            return f'at {one["at"]} s {difference}'
    return None


def looks_different(picture, other):
    apart = [abs(one - two) for one, two in zip(*map(clients_test.pixels, (picture, other)), strict=True)]
    mean, most = sum(apart) / len(apart), max(apart)
    print(f'  {os.path.basename(picture)}: {mean:.2f} levels from software on average, {most} at most')
    return f'{mean:.2f} levels from software on average, {most} at most' if mean > MEAN or most > MOST else None


def judge_again(hard):
    """A tab opened and closed: what is kept comes back to what it was in the first half."""
    kept = hard['kept']
    half = len(kept) // 2
    return f'descriptors are left open: {kept}' if min(kept[half:]) > max(kept[:half]) else None


def judge(browser, step, said):
    hard, soft = said.get(('hardware', step)), said.get(('software', step))
    for one in (hard, soft):
        if one and 'error' in one:
            return f'{one["run"]}: {one["error"]}'
    if not hard or (not soft and step not in ('two', 'again')):
        return 'never came'
    if wrong := judge_decoders(hard['decoders'], DECODERS[browser]):
        return wrong
    return judge_again(hard) if step == 'again' else judge_videos(step, hard, soft)


def judge_whole(said, pictures):
    """The process that decodes has lived all along, and the driver has decoded what was played."""
    begin, log = (said.get(('hardware', step)) for step in ('start', 'log'))
    if not begin or not log or ('software', 'log') not in said:
        return 'the browser or the guest has died'
    processes = {what['process'] for (run, _), what in said.items() if run == 'hardware' and 'process' in what}
    if len(processes) != 1:
        return f'{len(processes)} processes have decoded: one has died'
    decoded = log['calls'].get('vaEndPicture', 0)
    print(f'{begin["version"]}, {begin["renderer"]}: {decoded} pictures by the driver, failed calls: {log["failed"] or "none"}')
    if decoded < pictures:
        return f'the driver decoded {decoded} pictures of {pictures}'
    return 'the driver decoded for software' if said['software', 'log']['calls'].get('vaEndPicture') else None


def test(browser, options):
    """Whether all steps of one browser are right."""
    codecs = options.codec or list(CODECS)
    said = run_guest(browser, options, make_clips(codecs))
    steps = [*codecs, *(codec + ' sizes' for codec in codecs), 'two', 'again']
    if len(codecs) < 2:
        steps.remove('two')
    problems = {step: judge(browser, step, said) for step in steps}
    problems['whole'] = judge_whole(said, len(codecs) * 3 * FRAMES)
    for step, problem in problems.items():
        print(f'{browser}  {step:12}  {problem or "right"}')
    if options.log:
        print(said.get(('hardware', 'log'), {}).get('log'))
    right = sum(not problem for problem in problems.values())
    print(f'{browser}: {right} of {len(problems)} steps are right', flush=True)
    return right == len(problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--browser', action='append', choices=DECODERS, help='may be repeated')
    parser.add_argument('--codec', action='append', choices=CODECS, help='may be repeated')
    parser.add_argument('--build', default=os.environ.get('BUILD', os.path.join(ROOT, 'build')), metavar='DIR')
    parser.add_argument('--log', action='store_true', help='print what the browser said')
    options = parser.parse_args()
    options.build = os.path.realpath(options.build)
    options.pictures = os.path.join(options.build, 'pictures')
    os.makedirs(options.pictures, exist_ok=True)
    right = [test(browser, options) for browser in options.browser or DECODERS]
    return 0 if all(right) else 1


if __name__ == '__main__':
    sys.exit(main())
