// SPDX-License-Identifier: MIT
//
// Real MPEG-2 streams, walked into controls and decoded from them, against libavcodec decoding the stream itself.
#include <algorithm>
#include <optional>

#include <gtest/gtest.h>

#include "core/bit_reader.h"
#include "daedalus_bench.h"

namespace daedalus::test {
namespace {

constexpr uint64_t noReference = ~uint64_t{0};

struct Picture {
    size_t frame = 0;
    bool secondField = false;
    v4l2_ctrl_mpeg2_sequence sequence{};
    v4l2_ctrl_mpeg2_quantisation quantisation{};
    v4l2_ctrl_mpeg2_picture control{};
    std::vector<uint8_t> slices;
    bool droppedBySoftware = false; ///< a B picture with no reference before it, of an open group
};

struct Walked {
    std::vector<Picture> pictures;
    std::vector<std::span<const uint8_t>> accessUnits; ///< one per frame
};

constexpr uint8_t defaultIntra[64] = {8,  16, 16, 19, 16, 19, 22, 22, 22, 22, 22, 22, 26, 24, 26, 27,
                                      27, 27, 26, 26, 26, 26, 27, 27, 27, 29, 29, 29, 34, 34, 34, 29,
                                      29, 29, 27, 27, 29, 29, 32, 32, 34, 34, 37, 38, 37, 35, 35, 34,
                                      35, 38, 38, 40, 40, 40, 48, 48, 46, 46, 56, 56, 58, 69, 69, 83};

uint64_t timestampOf(size_t frame) {
    return (frame + 1) * 1000;
}

void readMatrices(BitReader& r, v4l2_ctrl_mpeg2_quantisation& q, bool defaults) {
    if (defaults) {
        std::copy(std::begin(defaultIntra), std::end(defaultIntra), q.intra_quantiser_matrix);
        std::fill(std::begin(q.non_intra_quantiser_matrix), std::end(q.non_intra_quantiser_matrix), uint8_t{16});
    }
    for (auto* matrix : {&q.intra_quantiser_matrix, &q.non_intra_quantiser_matrix}) {
        if (r.flag()) {
            for (uint8_t& value : *matrix)
                value = static_cast<uint8_t>(r.bits(8));
        }
    }
}

Walked walk(std::span<const uint8_t> bytes) {
    Walked walked;
    v4l2_ctrl_mpeg2_sequence sequence{};
    v4l2_ctrl_mpeg2_quantisation quantisation{};
    Picture picture;
    bool open = false, halfOpen = false, closedGroup = false;
    uint8_t firstStructure = 0;
    size_t frames = 0, unitBegin = 0;
    std::optional<size_t> headersBegin;
    std::optional<size_t> older, newer;

    std::vector<size_t> codes;
    for (size_t i = 0; i + 4 <= bytes.size(); ++i) {
        if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1)
            codes.push_back(i);
    }
    codes.push_back(bytes.size());

    const auto closeUnit = [&](size_t end) {
        walked.accessUnits.push_back(bytes.subspan(unitBegin, end - unitBegin));
        unitBegin = end;
    };
    const auto endPicture = [&] {
        if (!open)
            return;
        open = false;
        v4l2_ctrl_mpeg2_picture& control = picture.control;
        const bool field = control.picture_structure != V4L2_MPEG2_PIC_FRAME;
        const bool isB = control.picture_coding_type == V4L2_MPEG2_PIC_CODING_TYPE_B;
        picture.secondField = field && halfOpen && firstStructure + control.picture_structure == V4L2_MPEG2_PIC_FRAME;
        if (!picture.secondField) {
            if (frames > 0)
                closeUnit(*headersBegin);
            ++frames;
            if (!isB) {
                older = newer;
                newer = frames - 1;
            }
        }
        headersBegin.reset();
        picture.frame = frames - 1;
        picture.sequence = sequence;
        picture.quantisation = quantisation;
        const auto ts = [](const std::optional<size_t>& frame) { return frame ? timestampOf(*frame) : noReference; };
        control.forward_ref_ts = control.picture_coding_type == V4L2_MPEG2_PIC_CODING_TYPE_I ? noReference : ts(older);
        control.backward_ref_ts = isB ? ts(newer) : noReference;
        picture.droppedBySoftware = isB && !older && !closedGroup;
        halfOpen = field && !picture.secondField;
        firstStructure = control.picture_structure;
        walked.pictures.push_back(std::move(picture));
        picture = {};
    };

    for (size_t i = 0; i + 1 < codes.size(); ++i) {
        const size_t at = codes[i];
        const auto unit = bytes.subspan(at, codes[i + 1] - at);
        const uint8_t code = unit[3];
        BitReader r(unit.subspan(4));
        if (code >= 1 && code <= 0xaf) {
            picture.slices.insert(picture.slices.end(), unit.begin(), unit.end());
            continue;
        }
        if (code == 0xb3 || code == 0xb8 || code == 0) {
            endPicture();
            if (!headersBegin)
                headersBegin = at;
        }
        if (code == 0xb3) {
            sequence = {};
            sequence.horizontal_size = static_cast<uint16_t>(r.bits(12));
            sequence.vertical_size = static_cast<uint16_t>(r.bits(12));
            r.bits(8);
            r.bits(18 + 1 + 10 + 1); // bit rate, marker, VBV, constrained_parameters_flag
            readMatrices(r, quantisation, true);
        } else if (code == 0xb8) {
            r.bits(25);
            closedGroup = r.flag();
        } else if (code == 0) {
            open = true;
            r.bits(10);
            picture.control.picture_coding_type = static_cast<uint8_t>(r.bits(3));
        } else if (code == 0xb5) {
            const uint32_t id = r.bits(4);
            if (id == 1) {
                sequence.profile_and_level_indication = static_cast<uint16_t>(r.bits(8));
                if (r.flag())
                    sequence.flags = V4L2_MPEG2_SEQ_FLAG_PROGRESSIVE;
                sequence.chroma_format = static_cast<uint8_t>(r.bits(2));
                sequence.horizontal_size = static_cast<uint16_t>(sequence.horizontal_size | r.bits(2) << 12);
                sequence.vertical_size = static_cast<uint16_t>(sequence.vertical_size | r.bits(2) << 12);
            } else if (id == 3) {
                readMatrices(r, quantisation, false);
            } else if (id == 8) {
                v4l2_ctrl_mpeg2_picture& control = picture.control;
                for (auto& direction : control.f_code) {
                    for (uint8_t& f : direction)
                        f = static_cast<uint8_t>(r.bits(4));
                }
                control.intra_dc_precision = static_cast<uint8_t>(r.bits(2));
                control.picture_structure = static_cast<uint8_t>(r.bits(2));
                for (const uint32_t flag :
                     {V4L2_MPEG2_PIC_FLAG_TOP_FIELD_FIRST, V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT,
                      V4L2_MPEG2_PIC_FLAG_CONCEALMENT_MV, V4L2_MPEG2_PIC_FLAG_Q_SCALE_TYPE,
                      V4L2_MPEG2_PIC_FLAG_INTRA_VLC, V4L2_MPEG2_PIC_FLAG_ALT_SCAN, V4L2_MPEG2_PIC_FLAG_REPEAT_FIRST})
                    control.flags |= r.flag() ? flag : 0;
                r.flag(); // chroma_420_type
                control.flags |= r.flag() ? V4L2_MPEG2_PIC_FLAG_PROGRESSIVE : 0;
            }
        }
    }
    endPicture();
    closeUnit(bytes.size());
    return walked;
}

std::vector<std::string> files() {
    std::vector<std::string> all;
    const auto folder = vectorsFolder();
    if (folder.empty() || !std::filesystem::is_directory(folder / "mpeg2"))
        return all;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "mpeg2")) {
        const std::string extension = entry.path().extension();
        if (extension == ".m2v" || extension == ".mpeg2" || extension == ".bs") // the others are containers
            all.push_back(entry.path().filename());
    }
    std::sort(all.begin(), all.end());
    return all;
}

class Mpeg2Streams : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Mpeg2Streams);

TEST_P(Mpeg2Streams, PixelsEqualSoftware) {
    const auto bytes = readFile(vectorsFolder() / "mpeg2" / GetParam());
    const Walked walked = walk(bytes);
    ASSERT_FALSE(walked.pictures.empty());
    if (walked.pictures.front().sequence.chroma_format != 1)
        GTEST_SKIP() << "not 4:2:0";
    Comparison comparison(decodeInSoftware(AV_CODEC_ID_MPEG2VIDEO, walked.accessUnits));

    MemoryBuffers buffers;
    Dispatcher dispatcher(buffers);
    constexpr size_t pool = 8;
    std::map<uint64_t, size_t> frameIn;
    for (size_t i = 0; i < walked.pictures.size(); ++i) {
        const Picture& picture = walked.pictures[i];
        const bool more = i + 1 < walked.pictures.size() && walked.pictures[i + 1].frame == picture.frame;
        Job job;
        job.header.instance = 1;
        job.header.timestamp = timestampOf(picture.frame);
        job.header.codec = V4L2_PIX_FMT_MPEG2_SLICE;
        job.header.flags = more ? DAEDALUS_JOB_HOLD_CAPTURE : 0;
        daedalus_format& format = job.header.format;
        format.fourcc = V4L2_PIX_FMT_NV12;
        format.width = (picture.sequence.horizontal_size + 15u) & ~15u;
        format.height = (picture.sequence.vertical_size + 31u) & ~31u;
        format.bytesperline = format.width + 32;
        format.sizeimage = format.bytesperline * format.height * 3 / 2;

        const auto used = [&](uint64_t cookie) {
            const auto found = frameIn.find(cookie);
            return found != frameIn.end() && (timestampOf(found->second) == picture.control.forward_ref_ts ||
                                              timestampOf(found->second) == picture.control.backward_ref_ts ||
                                              found->second + pool / 2 > picture.frame);
        };
        uint64_t capture = 0;
        for (const auto& [cookie, frame] : frameIn) {
            if (frame == picture.frame)
                capture = cookie;
        }
        for (uint64_t cookie = 100; capture == 0; ++cookie) {
            if (!used(cookie))
                capture = cookie;
        }
        frameIn[capture] = picture.frame;
        if (!picture.secondField)
            buffers.memory[capture].assign(format.sizeimage, 0x11);
        for (const auto& [cookie, frame] : frameIn) {
            if (cookie != capture)
                job.frames.push_back({timestampOf(frame), cookie, 0, 0});
        }
        job.header.capture = {capture, format.sizeimage, 0};
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_MPEG2_SEQUENCE, picture.sequence));
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_MPEG2_PICTURE, picture.control));
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_MPEG2_QUANTISATION, picture.quantisation));
        buffers.memory[1] = picture.slices;
        job.header.output = {1, static_cast<uint32_t>(picture.slices.size()), 0};

        const auto done = dispatcher.run(job);
        if (picture.droppedBySoftware)
            continue;
        if (!done)
            comparison.failed(picture.frame, done.error());
        else if (!more)
            comparison.decoded(picture.frame, [&](unsigned width, unsigned height) {
                return cropped(buffers.memory[capture], format, 0, 0, width, height);
            });
    }
    comparison.expectEqual();
}

std::string nameOf(const testing::TestParamInfo<std::string>& test) {
    return identifier(test.param);
}

INSTANTIATE_TEST_SUITE_P(Vectors, Mpeg2Streams, testing::ValuesIn(files()), nameOf);

} // namespace
} // namespace daedalus::test
