// SPDX-License-Identifier: MIT
//
// Test only: a dispatcher over plain memory in the place of the module, and libavcodec decoding the same stream itself.
#pragma once

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/dispatcher.h"
#include "core/picture_decoder.h"

namespace daedalus::test {

class MemoryBuffers final : public BufferSource {
public:
    std::map<uint64_t, std::vector<uint8_t>> memory;
    int open = 0; ///< accesses begun and not ended

    Result<std::span<uint8_t>> buffer(Piece piece, size_t bytes) override {
        const auto found = memory.find(piece.cookie);
        if (found == memory.end() || piece.index || found->second.size() < bytes)
            return fail(EINVAL, "no buffer %llu of %zu bytes", static_cast<unsigned long long>(piece.cookie), bytes);
        return std::span<uint8_t>(found->second);
    }
    Result<void> beginAccess(Piece, bool) override {
        ++open;
        return {};
    }
    Result<void> endAccess(Piece, bool) override {
        --open;
        return {};
    }
};

template <typename T>
Control makeControl(uint32_t id, const T& value) {
    Control control;
    control.id = id;
    const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
    control.payload.assign(bytes, bytes + sizeof(T));
    return control;
}

/// The folder of real streams: V4L2_REQUEST_VECTORS, or next to the checkout. Empty when there is none.
inline std::filesystem::path vectorsFolder() {
    if (const char* folder = std::getenv("V4L2_REQUEST_VECTORS"))
        return std::filesystem::is_directory(folder) ? folder : "";
    const auto beside = std::filesystem::path(__FILE__).parent_path() / "../../../shared/vectors";
    return std::filesystem::is_directory(beside) ? beside : std::filesystem::path();
}

inline std::vector<uint8_t> readFile(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A decoded picture as NV12 without padding.
struct Nv12 {
    unsigned width = 0, height = 0;
    std::vector<uint8_t> bytes;
    bool operator==(const Nv12&) const = default;
};

/// Decodes access units with libavcodec alone: their pictures by number of the access unit.
inline std::map<size_t, Nv12> decodeInSoftware(AVCodecID codec, const std::vector<std::span<const uint8_t>>& units) {
    std::map<size_t, Nv12> pictures;
    AvContext context(avcodec_alloc_context3(avcodec_find_decoder(codec)));
    context->thread_count = 1;
    context->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    context->flags2 |= AV_CODEC_FLAG2_SHOW_ALL;
    avcodec_open2(context.get(), avcodec_find_decoder(codec), nullptr);
    AvPacket packet(av_packet_alloc());
    AvFrame frame(av_frame_alloc());
    const auto drain = [&] {
        while (avcodec_receive_frame(context.get(), frame.get()) == 0) {
            Nv12 picture;
            picture.width = static_cast<unsigned>(frame->width);
            picture.height = static_cast<unsigned>(frame->height);
            for (int y = 0; y < frame->height; ++y)
                picture.bytes.insert(picture.bytes.end(), frame->data[0] + y * frame->linesize[0],
                                     frame->data[0] + y * frame->linesize[0] + frame->width);
            for (int y = 0; y < (frame->height + 1) / 2; ++y) {
                for (int x = 0; x < (frame->width + 1) / 2; ++x) {
                    for (int plane = 1; plane < 3; ++plane)
                        picture.bytes.push_back(frame->data[plane] ? frame->data[plane][y * frame->linesize[plane] + x]
                                                                   : 0x80);
                }
            }
            if (frame->pts != AV_NOPTS_VALUE)
                pictures.emplace(static_cast<size_t>(frame->pts), std::move(picture));
            av_frame_unref(frame.get());
        }
    };
    std::vector<uint8_t> padded;
    for (size_t i = 0; i < units.size(); ++i) {
        padded.assign(units[i].begin(), units[i].end());
        padded.resize(padded.size() + AV_INPUT_BUFFER_PADDING_SIZE, 0);
        packet->data = padded.data();
        packet->size = static_cast<int>(units[i].size());
        packet->pts = static_cast<int64_t>(i);
        packet->dts = packet->pts;
        avcodec_send_packet(context.get(), packet.get());
        drain();
    }
    avcodec_send_packet(context.get(), nullptr);
    drain();
    return pictures;
}

/// The part of an NV12 buffer that a crop rectangle shows.
inline Nv12 cropped(std::span<const uint8_t> buffer, const daedalus_format& format, unsigned left, unsigned top,
                    unsigned width, unsigned height) {
    Nv12 picture{width, height, {}};
    for (size_t y = 0; y < height; ++y) {
        const auto row = buffer.subspan((top + y) * format.bytesperline + left, width);
        picture.bytes.insert(picture.bytes.end(), row.begin(), row.end());
    }
    const size_t chroma = static_cast<size_t>(format.bytesperline) * format.height;
    for (size_t y = 0; y < (height + 1) / 2; ++y) {
        const auto row = buffer.subspan(chroma + (top / 2 + y) * format.bytesperline + left, (width + 1) / 2 * 2);
        picture.bytes.insert(picture.bytes.end(), row.begin(), row.end());
    }
    return picture;
}

/// What of a stream comes out as software decodes it, and where it first does not.
class Comparison {
public:
    explicit Comparison(std::map<size_t, Nv12> expected) : expected_(std::move(expected)) {}

    void failed(size_t frame, const Error& error) {
        if (errors_++ == 0)
            first_ += "frame " + std::to_string(frame) + ": " + error.message + "\n";
    }

    /// A frame that is complete; `pixels` gives it in a size. Software may have no such frame.
    template <typename Pixels>
    void decoded(size_t frame, const Pixels& pixels) {
        const auto found = expected_.find(frame);
        if (found == expected_.end())
            return;
        ++compared_;
        if (pixels(found->second.width, found->second.height) != found->second && different_++ == 0)
            first_ += "frame " + std::to_string(frame) + " differs\n";
    }

    void expectEqual() const {
        EXPECT_EQ(errors_, 0u) << first_;
        EXPECT_EQ(different_, 0u) << first_;
        EXPECT_GE(compared_ + 2, expected_.size());
    }
    size_t compared() const { return compared_; }

private:
    std::map<size_t, Nv12> expected_;
    size_t compared_ = 0, errors_ = 0, different_ = 0;
    std::string first_;
};

/// The name as googletest takes it.
inline std::string identifier(std::string name) {
    for (char& letter : name) {
        if (!std::isalnum(static_cast<unsigned char>(letter)))
            letter = '_';
    }
    return name;
}

} // namespace daedalus::test
