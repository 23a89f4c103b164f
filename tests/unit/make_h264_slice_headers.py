#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes h264_slice_headers.tsv: what FFmpeg's bit stream filter trace_headers reads in slices of Annex B streams.

Usage: make_h264_slice_headers.py STREAM... >h264_slice_headers.tsv
With SLICES=N in the environment, up to N slices of each stream, spread evenly; without, all of them.
"""
import os
import re
import subprocess
import sys

ELEMENT = re.compile(r"\] (\d+) +(\S+) +([01]*) = (-?\d+)$")
FIRST_MARKING = ("no_output_of_prior_pics_flag", "adaptive_ref_pic_marking_mode_flag")
CONTEXT = ("chroma_format_idc", "separate_colour_plane_flag", "log2_max_frame_num_minus4", "frame_mbs_only_flag",
           "pic_order_cnt_type", "log2_max_pic_order_cnt_lsb_minus4", "delta_pic_order_always_zero_flag",
           "bottom_field_pic_order_in_frame_present_flag", "weighted_pred_flag", "weighted_bipred_idc",
           "entropy_coding_mode_flag", "deblocking_filter_control_present_flag", "redundant_pic_cnt_present_flag",
           "num_ref_idx_l0_default_active_minus1", "num_ref_idx_l1_default_active_minus1")
PLAIN = ("nal_ref_idc", "nal_unit_type", "first_mb_in_slice", "slice_type", "pic_parameter_set_id", "frame_num",
         "field_pic_flag", "bottom_field_flag", "idr_pic_id", "pic_order_cnt_lsb", "delta_pic_order_cnt_bottom",
         "delta_pic_order_cnt[0]", "delta_pic_order_cnt[1]", "redundant_pic_cnt", "direct_spatial_mv_pred_flag",
         "num_ref_idx_active_override_flag", "cabac_init_idc", "slice_qp_delta", "disable_deblocking_filter_idc",
         "slice_alpha_c0_offset_div2", "slice_beta_offset_div2")
DERIVED = ("l0_active", "l1_active", "weights", "poc_bits", "marking_bits", "header_bits")


def units(stream):
    """The parameter sets and slice headers of a stream: (kind, [(position, name, length, value)])."""
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "trace", "-i", stream, "-map", "0:v", "-c", "copy",
               "-bsf:v", "trace_headers", "-f", "null", "-"]
    trace = subprocess.run(command, capture_output=True, text=True, errors="replace").stderr
    # What precedes the first packet is the extradata, which an Annex B stream repeats.
    kind, elements, packets = None, [], False
    for line in trace.splitlines():
        if "[trace_headers" not in line:
            continue
        line = line[line.index("[trace_headers"):]
        text = line.split("] ", 1)[-1]
        found = ELEMENT.search(line)
        if found:
            elements.append((int(found[1]), found[2], len(found[3]), int(found[4])))
            continue
        if text.startswith("Packet:"):
            packets = True
        if kind and packets:
            yield kind, elements
        kind, elements = (text, []) if text in ("Sequence Parameter Set", "Picture Parameter Set", "Slice Header") \
            else (None, [])
    if kind:
        yield kind, elements


def weights(values, active, context):
    """One number for all weights of 7.3.3.2, inferred ones included (7.4.3.2)."""
    total = 0
    for lst in (0, 1):
        for i in range(active[lst]):
            flag = values.get(f"luma_weight_l{lst}_flag[{i}]", 0)
            weight = values[f"luma_weight_l{lst}[{i}]"] if flag else 1 << values["luma_log2_weight_denom"]
            total += (i + 1) * (3 * weight + values.get(f"luma_offset_l{lst}[{i}]", 0) * 5 * (lst + 1))
            if context["chroma_format_idc"] == 0:
                continue
            flag = values.get(f"chroma_weight_l{lst}_flag[{i}]", 0)
            for j in (0, 1):
                weight = values[f"chroma_weight_l{lst}[{i}][{j}]"] if flag \
                    else 1 << values["chroma_log2_weight_denom"]
                total += (i + 1) * (7 * weight + values.get(f"chroma_offset_l{lst}[{i}][{j}]", 0) * 11 * (j + lst + 1))
    return total


def slice_row(elements, sets):
    # slice_data() starts with the alignment for CABAC (7.3.4).
    elements = [element for element in elements if element[1] != "cabac_alignment_one_bit"]
    names = [name for _, name, _, _ in elements]
    values = {name: value for _, name, _, value in elements}
    pps = sets["Picture Parameter Set", values["pic_parameter_set_id"]]
    context = dict(sets["Sequence Parameter Set", pps["seq_parameter_set_id"]])
    context.setdefault("chroma_format_idc", 1)
    context.update(pps)
    slice_type = values["slice_type"] % 5
    active = [0, 0]
    for lst in range({0: 1, 1: 2}.get(slice_type, 0)):
        minus1 = values.get(f"num_ref_idx_l{lst}_active_minus1", context[f"num_ref_idx_l{lst}_default_active_minus1"])
        active[lst] = minus1 + 1
    size = {name: length for _, name, length, _ in elements}
    marking = next((i for i, name in enumerate(names) if name in FIRST_MARKING), None)
    after = next(i for i, name in enumerate(names) if name in ("cabac_init_idc", "slice_qp_delta"))
    last = elements[-1]
    derived = (active[0], active[1],
               weights(values, active, context) if "luma_log2_weight_denom" in values else 0,
               sum(size.get(name, 0) for name in ("pic_order_cnt_lsb", "delta_pic_order_cnt_bottom",
                                                  "delta_pic_order_cnt[0]", "delta_pic_order_cnt[1]")),
               elements[after][0] - elements[marking][0] if marking is not None else 0,
               last[0] + last[2])
    return [context.get(name, 0) for name in CONTEXT] + [values.get(name, 0) for name in PLAIN] + list(derived)


def main():
    wanted = int(os.environ.get("SLICES", "0"))
    print("file", "slice", *CONTEXT, *PLAIN, *DERIVED, sep="\t")
    for stream in sys.argv[1:]:
        sets, rows = {}, []
        for kind, elements in units(stream):
            if kind == "Slice Header":
                rows.append(slice_row(elements, sets))
                continue
            values = {name: value for _, name, _, value in elements}
            key = "seq_parameter_set_id" if kind.startswith("Sequence") else "pic_parameter_set_id"
            sets[kind, values[key]] = values
        step = max(1, len(rows) // wanted) if wanted else 1
        for number in range(0, len(rows), step)[:wanted or None]:
            print(os.path.basename(stream), number, *rows[number], sep="\t")


if __name__ == "__main__":
    main()
