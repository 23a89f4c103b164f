// SPDX-License-Identifier: MIT
// What av1_frame_headers.tsv says of real streams: their flags found in their bytes, and their frames in slots of ours.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>

#include <gtest/gtest.h>

#include "bitstream/av1_frame_header.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec_fixture.h"
#include "ivf.h"

namespace v4l2_request::codec {
namespace {

struct Row {
    std::string file;
    bitstream::Av1KnownHeader header;
    uint8_t refresh = 0;
    bool unusual = false; // a layout that the parser does not try
};

std::vector<Row> readTable() {
    std::ifstream table(std::filesystem::path(__FILE__).parent_path() / "av1_frame_headers.tsv");
    std::vector<Row> rows;
    std::string line;
    std::getline(table, line); // names
    while (std::getline(table, line)) {
        std::istringstream cells(line);
        Row row;
        std::getline(cells, row.file, '\t');
        std::array<unsigned, 19> values{};
        for (unsigned& value : values)
            cells >> value;
        const auto small = [&](size_t at) { return static_cast<uint8_t>(values[at]); };
        row.header = {.frameType = small(0),
                      .showFrame = values[1] != 0,
                      .showableFrame = values[2] != 0,
                      .errorResilient = values[3] != 0,
                      .disableCdfUpdate = values[4] != 0,
                      .allowScreenContentTools = values[5] != 0,
                      .forceIntegerMv = values[6] != 0,
                      .orderHintBits = small(7),
                      .orderHint = small(8),
                      .primaryReference = small(9)};
        for (size_t i = 0; i < 7; ++i)
            row.header.referenceIndex[i] = small(10 + i);
        row.refresh = small(17);
        row.unusual = values[18] != 0;
        rows.push_back(std::move(row));
    }
    return rows;
}

// The payloads of the frame and frame header OBUs (5.3) of a stream, without those of show_existing_frame.
std::vector<std::vector<uint8_t>> frameHeaders(const std::string& name) {
    constexpr int frameHeader = 3, frame = 6;
    std::vector<std::vector<uint8_t>> headers;
    for (const auto& unit : test::ivfFrames("av1/" + name)) {
        for (size_t at = 0; at + 1 < unit.size();) {
            const int type = unit[at] >> 3 & 15;
            at += unit[at] & 4 ? 2 : 1;
            size_t size = 0;
            for (unsigned shift = 0;; shift += 7) {
                size |= size_t{unit[at] & 0x7fu} << shift;
                if (!(unit[at++] & 0x80))
                    break;
            }
            if ((type == frameHeader || type == frame) && !(unit[at] & 0x80))
                headers.emplace_back(unit.begin() + static_cast<ptrdiff_t>(at),
                                     unit.begin() + static_cast<ptrdiff_t>(at + size));
            at += size;
        }
    }
    return headers;
}

TEST(Av1HeaderOfStreams, AgreesWithAnotherParser) {
    std::string open;
    std::vector<std::vector<uint8_t>> headers;
    std::optional<bitstream::Av1HeaderLayout> layout;
    size_t at = 0, compared = 0, found = 0;
    for (const Row& row : readTable()) {
        if (row.file != open) {
            open = row.file;
            headers = frameHeaders(open);
            layout.reset();
            at = 0;
        }
        if (headers.empty())
            continue; // not here
        ASSERT_LT(at, headers.size()) << open;
        const auto& header = headers[at++];
        if (row.header.frameType == 3 || (row.header.frameType == 0 && row.header.showFrame))
            continue; // 5.9.2 says what they refresh
        const auto flags = findAv1RefreshFlags(header, row.header, layout);
        ++compared;
        found += flags.has_value();
        EXPECT_EQ(flags.value_or(row.refresh), row.refresh) << open << ", frame header " << at;
        // Seven equal references prove no layout.
        const auto& references = row.header.referenceIndex;
        const bool telling = std::ranges::adjacent_find(references, std::not_equal_to()) != references.end();
        EXPECT_TRUE(flags || row.unusual || !telling) << open << ", frame header " << at;
    }
    if (compared == 0)
        GTEST_SKIP() << "V4L2_REQUEST_VECTORS names no directory of streams";
    std::cout << found << " of " << compared << " found\n";
}

// The names of pictures are those of their frames: the surface of frame n is n + 100.
class Pictures : public References {
public:
    std::optional<uint64_t> timestamp(VASurfaceID surface) const override {
        const auto found = named.find(surface);
        return found == named.end() ? std::nullopt : std::optional(found->second);
    }
    uint64_t name() const override { return held.value_or(next); }

    std::map<VASurfaceID, uint64_t> named;
    uint64_t next = 2;
    std::optional<uint64_t> held; // the name of the picture that is being decided, if it is held
};

// A device that keeps probabilities by slot, as hantro does, fed by a client that has the stream's slots.
struct Playback {
    std::array<VASurfaceID, 8> map;
    Pictures pictures;
    std::any state;
    std::array<VASurfaceID, 8> saved{}; // whose probabilities the device has in each slot
    size_t loads = 0, wrong = 0, undecided = 0, twice = 0;

    bool readsAhead;

    explicit Playback(bool ahead) : readsAhead(ahead) { map.fill(VA_INVALID_SURFACE); }

    void job(const v4l2_ctrl_av1_frame& frame, VASurfaceID surface, VASurfaceID expected) {
        if (frame.primary_ref_frame != 7) {
            ++loads;
            wrong += saved[static_cast<size_t>(frame.ref_frame_idx[frame.primary_ref_frame])] != expected;
        }
        for (size_t i = 0; i < 8; ++i)
            if (frame.refresh_frame_flags >> i & 1)
                saved[i] = surface;
    }

    void feed(const Row& row, VASurfaceID surface, const std::vector<uint8_t>& header, const DeviceControls& device) {
        VADecPictureParameterBufferAV1 picture{};
        picture.current_frame = surface;
        picture.current_display_picture = VA_INVALID_SURFACE;
        picture.order_hint_bits_minus_1 = static_cast<uint8_t>(row.header.orderHintBits - 1);
        picture.seq_info_fields.fields.enable_order_hint = row.header.orderHintBits > 0;
        picture.seq_info_fields.fields.subsampling_x = picture.seq_info_fields.fields.subsampling_y = 1;
        picture.frame_width_minus1 = picture.frame_height_minus1 = 63;
        picture.tile_cols = picture.tile_rows = 1;
        picture.superres_scale_denominator = 8;
        picture.pic_info_fields.bits.uniform_tile_spacing_flag = 1;
        picture.pic_info_fields.bits.frame_type = row.header.frameType & 3u;
        picture.pic_info_fields.bits.show_frame = row.header.showFrame;
        picture.pic_info_fields.bits.showable_frame = row.header.showableFrame;
        picture.pic_info_fields.bits.error_resilient_mode = row.header.errorResilient;
        picture.pic_info_fields.bits.disable_cdf_update = row.header.disableCdfUpdate;
        picture.pic_info_fields.bits.allow_screen_content_tools = row.header.allowScreenContentTools;
        picture.pic_info_fields.bits.force_integer_mv = row.header.forceIntegerMv;
        picture.order_hint = row.header.orderHint;
        picture.primary_ref_frame = row.header.primaryReference;
        std::ranges::copy(row.header.referenceIndex, picture.ref_frame_idx);
        std::ranges::copy(map, picture.ref_frame_map);

        test::Client client;
        client.input.target = surface;
        client.input.width = client.input.height = 64;
        client.picture(picture);
        client.slice(VASliceParameterBufferAV1{}, {1, 2, 3});
        client.input.slices[0].before = header;
        if (undecided_)
            decide(client.input);
        const auto submission = av1Codec.build(client.input, pictures, device, state, state);
        ASSERT_TRUE(submission) << row.file << ": " << submission.error().message;
        const VASurfaceID primary = row.header.primaryReference == 7
                                        ? VA_INVALID_SURFACE
                                        : map[row.header.referenceIndex[row.header.primaryReference]];
        if (submission->undecided)
            undecided_ = Undecided{surface, primary};
        // Who reads each picture at once reads those that are shown.
        holds_ = readsAhead || !row.header.showFrame;
        undecided += submission->undecided;
        if (!submission->undecided || !holds_)
            job(submission->jobs[0].controls.get<Av1Frame>(), surface, primary);
        else
            kept_ = submission->jobs[0].controls.get<Av1Frame>();
        pictures.named[surface] = pictures.next++;
        for (size_t i = 0; i < 8; ++i)
            if (row.refresh >> i & 1)
                map[i] = surface;
    }

private:
    struct Undecided {
        VASurfaceID surface, primary;
    };

    void decide(const PictureInput& next) {
        const Undecided last = *std::exchange(undecided_, std::nullopt);
        if (holds_)
            pictures.held = pictures.named[last.surface];
        const auto decision = av1Codec.decide(next, pictures, state);
        pictures.held.reset();
        if (decision)
            job(decision->job.controls.get<Av1Frame>(), last.surface, last.primary);
        else if (holds_)
            job(kept_, last.surface, last.primary);
        if (!decision || holds_)
            return;
        ++twice;
        pictures.named[last.surface] = pictures.next++;
    }

    std::optional<Undecided> undecided_; // the frame before
    bool holds_ = false;                 // it
    v4l2_ctrl_av1_frame kept_{};         // of the frame that is held
};

struct Client {
    const char* name;
    bool headersSent, readsAhead;
};

// Every frame starts from the probabilities of the very picture that the stream says, whether the client sends headers
// or not, and whenever it reads its pictures.
TEST(Av1SlotsOfStreams, ProbabilitiesAreThoseOfTheStream) {
    DeviceControls device;
    device.set(Av1TileGroupEntry::id, {.elements = 512});
    for (const auto& client : {Client{"reads each picture at once", false, false}, Client{"reads ahead", false, true},
                               Client{"sends headers", true, false}}) {
        std::string open;
        std::vector<std::vector<uint8_t>> headers;
        std::optional<Playback> run;
        size_t loads = 0, twice = 0, undecided = 0, frames = 0, at = 0;
        VASurfaceID surface = 100;
        const auto close = [&] {
            if (!run)
                return;
            EXPECT_EQ(run->wrong, 0u) << open;
            loads += run->loads;
            twice += run->twice;
            undecided += run->undecided;
        };
        for (const Row& row : readTable()) {
            if (row.file != open) {
                close();
                open = row.file;
                run.emplace(client.readsAhead);
                headers = client.headersSent ? frameHeaders(open) : std::vector<std::vector<uint8_t>>();
                at = 0;
            }
            run->feed(row, surface++, at < headers.size() ? headers[at] : std::vector<uint8_t>(), device);
            if (HasFatalFailure())
                return;
            ++at;
            ++frames;
        }
        close();
        std::cout << "a client that " << client.name << ": " << frames << " frames, " << undecided << " undecided, "
                  << twice << " decoded twice, " << loads << " loads\n";
        EXPECT_GT(loads, 0u);
        if (client.readsAhead || (client.headersSent && !headers.empty())) {
            EXPECT_EQ(twice, 0u);
        } else if (!client.headersSent) {
            EXPECT_LT(twice, undecided); // those that are not shown wait
        }
    }
}

} // namespace
} // namespace v4l2_request::codec
