# SPDX-License-Identifier: MIT
"""An application of GStreamer: decodes, maps each buffer as it comes, and prints the hash of its visible part.

gst_frames.py PIPELINE MEMORY [SECONDS]: PIPELINE ends in a decoder, MEMORY is what it is to put out: SystemMemory,
VAMemory, DMABuf. With SECONDS it decodes the first picture and seeks there. Lines are those of FFmpeg's framemd5."""

import hashlib
import sys

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstVideo', '1.0')
from gi.repository import Gst, GstVideo  # pylint: disable=wrong-import-position


def tight(data, width, height, offsets, strides):
    """NV12 without padding."""
    rows = [data[at : at + width] for at in range(offsets[0], offsets[0] + height * strides[0], strides[0])]
    chroma = (width + 1) // 2 * 2
    end = offsets[1] + (height + 1) // 2 * strides[1]
    return b''.join(rows + [data[at : at + chroma] for at in range(offsets[1], end, strides[1])])


def read(buffer, caps):
    """The pixels of one buffer, where its meta data says that they are."""
    structure = caps.get_structure(0)
    layout = GstVideo.buffer_get_video_meta(buffer) or GstVideo.VideoInfo.new_from_caps(caps)
    mapped, view = buffer.map(Gst.MapFlags.READ)
    if not mapped:
        raise RuntimeError('a buffer cannot be mapped')
    try:
        return tight(bytes(view.data), structure.get_value('width'), structure.get_value('height'), layout.offset,
                     layout.stride)
    finally:
        buffer.unmap(view)


def main():
    Gst.init(None)
    description, memory, *seek = sys.argv[1:]
    # A sink that takes buffers as they are: others do not say that they know strides, and then get no DMABuf.
    pipeline = Gst.parse_launch(f'{description} ! video/x-raw(memory:{memory}) ! fakevideosink name=sink sync=false')
    count, failures = 0, []

    def show(pad, info):
        nonlocal count
        try:
            frame = read(info.get_buffer(), pad.get_current_caps())
            print(f'0, {count}, {count}, 1, {len(frame)}, {hashlib.md5(frame).hexdigest()}', flush=True)
            count += 1
        except Exception as failure:  # pylint: disable=broad-except  # GStreamer's thread: nobody would see it
            failures.append(repr(failure))
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name('sink').get_static_pad('sink').add_probe(Gst.PadProbeType.BUFFER, show)
    if seek:
        pipeline.set_state(Gst.State.PAUSED)
        pipeline.get_state(Gst.CLOCK_TIME_NONE)
        pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH, int(float(seek[0]) * Gst.SECOND))
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.ERROR | Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        failures += map(str, message.parse_error())
    if failures:
        raise SystemExit('error: ' + ' '.join(failures))


if __name__ == '__main__':
    main()
