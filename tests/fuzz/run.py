#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the libFuzzer targets of the codec builders with clang's sanitizers and runs each for a bounded time.

    run.py OUT [SECONDS]    OUT holds the objects between runs; new inputs go there and not into the committed corpus
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SANITIZERS = '-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'.split()
SKIPPED = 77
COMPILER = [*(['ccache'] if shutil.which('ccache') else []), 'clang++']


def flags():
    libraries = subprocess.run(['pkg-config', '--cflags', 'libva', 'libdrm'], check=True, capture_output=True, text=True)
    return ['-std=c++20', '-O1', '-g', '-DHAVE_UAPI_HEVC', '-DHAVE_UAPI_VP9', f'-I{ROOT}/src', f'-I{HERE}',
            *libraries.stdout.split()]


def compile_one(source, out, kind):
    """Compiles what is older than any header; returns the object."""
    built = out / (source.stem + '.o')
    newest = max(path.stat().st_mtime for path in [source, *ROOT.glob('src/*/*.h'), *HERE.glob('*.h')])
    if not built.exists() or built.stat().st_mtime < newest:
        subprocess.run([*COMPILER, *flags(), *SANITIZERS, f'-fsanitize={kind}', '-c', str(source), '-o', str(built)],
                       check=True)
    return str(built)


def run(target, objects, out, seconds):
    """Links the target and lets it look for faults; returns the finished process."""
    program, found = out / target.stem, out / f'{target.stem}.corpus'
    subprocess.run(['clang++', *SANITIZERS, '-fsanitize=fuzzer', *objects, '-o', str(program)], check=True)
    found.mkdir(exist_ok=True)
    return subprocess.run([program, f'-max_total_time={seconds}', '-max_len=16384', '-timeout=5', '-rss_limit_mb=1024',
                           f'-artifact_prefix={out}/', found, HERE / 'corpus' / target.stem],
                          capture_output=True, text=True, errors='replace', check=False)


def main():
    if not shutil.which('clang++'):
        print('skipped: clang is not installed')
        sys.exit(SKIPPED)
    out = pathlib.Path(sys.argv[1])
    seconds = sys.argv[2] if len(sys.argv) > 2 else '8'
    out.mkdir(parents=True, exist_ok=True)
    sources = [*ROOT.glob('src/codec/*.cpp'), *ROOT.glob('src/bitstream/*.cpp')]
    targets = sorted(HERE.glob('fuzz_*.cpp'))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda source: compile_one(source, out, 'fuzzer-no-link'), sources))
        mains = list(pool.map(lambda source: compile_one(source, out, 'fuzzer'), targets))
        runs = list(pool.map(lambda target, main_object: run(target, [main_object, *objects], out, seconds), targets, mains))
    failed = []
    for target, done in zip(targets, runs):
        count = re.search(r'Done (\d+) runs', done.stderr)
        print(f'{target.stem}: {count[1] if count else "no"} runs, exit {done.returncode}', flush=True)
        if done.returncode:
            failed.append(target.stem)
            print(done.stderr[-4000:])
    sys.exit(f'failed: {", ".join(failed)}' if failed else 0)


if __name__ == '__main__':
    main()
