// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/control_ids.h"
#include "record/control_fields.h"
#include "record/recording.h"
#include "tools/replay/controls.h"

namespace v4l2_request::record {
namespace {

using testing::HasSubstr;

// Values of the reference implementation.
TEST(Xxh64, IsWhatItsSpecificationSays) {
    Blob bytes(101);
    std::iota(bytes.begin(), bytes.end(), uint8_t{0});
    EXPECT_EQ(xxh64({}), 0xef46db3751d8e999u);
    EXPECT_EQ(xxh64(Blob{'a', 'b', 'c'}), 0x44bc2cf5ad770999u);
    EXPECT_EQ(xxh64(std::span(bytes).first(64)), 0xf7c67301db6713f0u);
    EXPECT_EQ(xxh64(bytes), 0xe99038495f85381eu);
}

class File : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "recording.XXXXXX").string();
        const int fd = ::mkstemp(name.data());
        ASSERT_GE(fd, 0);
        ::close(fd);
        path_ = name;
        bytes_ = encodeHead();
    }
    void TearDown() override { std::filesystem::remove(path_); }

    template <typename Record>
    void add(const Record& record) {
        const Blob bytes = encode(record);
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
    Result<Recording> load() const {
        std::ofstream(path_, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes_.data()), static_cast<std::streamsize>(bytes_.size()));
        return Recording::load(path_);
    }

    std::string path_;
    Blob bytes_;
};

Queued queued() {
    return {.session = 1,
            .picture = 5000,
            .time = uint64_t{1} << 40,
            .flags = Queued::firstField,
            .damageLasts = UINT32_MAX,
            .references = {{.picture = 3000, .flags = Reference::read}},
            .jobs = {{.controls = {{.id = 7, .payload = {1, 2, 3}}}, .bitstream = {9, 8}}, {}}};
}

TEST_F(File, IsReadAsItWasWritten) {
    add(About{"kernel: none\n"});
    add(Opened{
        .session = 1, .driver = "d", .codec = 3, .output = {.fourcc = 1, .sizeimage = {2, 3}, .bytesperline = {4, 5}}});
    add(queued());
    add(Ended{.session = 1, .picture = 5000, .time = 2, .flags = Ended::damaged});
    add(End{});
    const auto recording = load();
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_EQ(recording->about, "kernel: none\n");
    EXPECT_FALSE(recording->cut);
    ASSERT_TRUE(recording->end);
    ASSERT_EQ(recording->events.size(), 3u);
    const auto& opened = std::get<Opened>(recording->events[0]);
    EXPECT_EQ(opened.driver, "d");
    EXPECT_EQ(opened.output.bytesperline, (std::vector<uint32_t>{4, 5}));
    const auto& picture = std::get<Queued>(recording->events[1]);
    EXPECT_EQ(picture.time, uint64_t{1} << 40);
    ASSERT_EQ(picture.jobs.size(), 2u);
    EXPECT_EQ(picture.jobs[0].controls[0].payload, (Blob{1, 2, 3}));
    EXPECT_EQ(picture.jobs[0].bitstream, (Blob{9, 8}));
    EXPECT_EQ(picture.references[0].picture, 3000u);
    EXPECT_EQ(std::get<Ended>(recording->events[2]).flags, uint32_t{Ended::damaged});
}

// Wherever the process ended: all whole records are there.
TEST_F(File, ThatIsCutOffHasItsWholeRecords) {
    add(queued());
    const size_t one = bytes_.size();
    add(queued());
    const Blob whole = bytes_;
    for (size_t size = headSize; size < whole.size(); size++) {
        bytes_.assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
        const auto recording = load();
        ASSERT_TRUE(recording) << size;
        EXPECT_EQ(recording->events.size(), size < one ? 0u : 1u) << size;
        EXPECT_EQ(recording->cut, size != headSize && size != one) << size;
        EXPECT_FALSE(recording->end);
    }
}

TEST_F(File, OfAnotherKindIsRefused) {
    bytes_[8] = 2;
    EXPECT_THAT(load().error().message, HasSubstr("version 2"));
    bytes_[0] = 'X';
    EXPECT_THAT(load().error().message, HasSubstr("no recording"));
    bytes_.resize(4);
    EXPECT_THAT(load().error().message, HasSubstr("no recording"));
}

// Any byte of a record may be anything: it is read, or refused, and no memory is asked for that the file does not have.
TEST_F(File, WithWrongBytesIsReadOrRefused) {
    add(queued());
    const Blob whole = bytes_;
    size_t refused = 0;
    for (size_t at = headSize; at < whole.size(); at++)
        for (const uint8_t value : {0x00, 0x7f, 0xff}) {
            bytes_ = whole;
            bytes_[at] = value;
            refused += !load();
        }
    EXPECT_GT(refused, 0u);
}

TEST_F(File, MayHaveRecordsThatNobodyKnows) {
    add(End{});
    bytes_[headSize] = 99;
    add(queued());
    const auto recording = load();
    ASSERT_TRUE(recording);
    EXPECT_EQ(recording->events.size(), 1u);
    EXPECT_FALSE(recording->end);
}

// No name is there twice, and no field ends behind its struct. That every byte is described, control_fields.py sees to.
TEST(ControlFields, AreAllThereOnce) {
    std::set<std::string> names;
    for (const ControlField& field : controlFields()) {
        EXPECT_TRUE(names.insert(field.name).second) << field.name;
        EXPECT_LE(field.offset + (field.repeats - 1) * field.stride + field.size * field.count, field.structSize)
            << field.name;
    }
    EXPECT_TRUE(names.contains("H264_DECODE_PARAMS.dpb[0].pic_num"));
}

class Controls : public testing::Test {
protected:
    template <typename C>
    static Control controlOf(const typename C::Payload& payload) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(&payload);
        return {.id = C::id, .payload = Blob(bytes, bytes + sizeof(payload))};
    }
    tools::ControlTable table_;
};

TEST_F(Controls, AreShownByTheirFields) {
    v4l2_ctrl_h264_decode_params params{.idr_pic_id = 3, .flags = V4L2_H264_DECODE_PARAM_FLAG_IDR_PIC};
    params.dpb[2].top_field_order_cnt = -4;
    const std::string text = table_.text(controlOf<codec::H264DecodeParams>(params));
    EXPECT_EQ(text, "H264_DECODE_PARAMS.dpb[2].top_field_order_cnt = -4\n"
                    "H264_DECODE_PARAMS.idr_pic_id = 3\n"
                    "H264_DECODE_PARAMS.flags IDR_PIC = 1\n");
}

TEST_F(Controls, AreComparedByTheirFields) {
    const auto a = controlOf<codec::Mpeg2Picture>({.f_code = {{1, 2}, {3, 4}}});
    const auto b = controlOf<codec::Mpeg2Picture>({.f_code = {{1, 2}, {3, 5}}});
    EXPECT_EQ(table_.differences(a, b), "MPEG2_PICTURE.f_code[1]: 3 4, and 3 5\n");
    EXPECT_EQ(table_.differences(a, a), "");
}

TEST_F(Controls, AreChangedByTheirFields) {
    auto control = controlOf<codec::H264DecodeParams>({});
    for (const char* change : {"H264_DECODE_PARAMS.dpb[15].pic_num=7", "H264_DECODE_PARAMS.flags BFRAME=1",
                               "H264_DECODE_PARAMS.top_field_order_cnt=-2"}) {
        const auto parsed = table_.parse(change);
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_FALSE(parsed->job);
        EXPECT_TRUE(tools::ControlTable::apply(*parsed, control));
    }
    v4l2_ctrl_h264_decode_params params{};
    std::memcpy(&params, control.payload.data(), sizeof(params));
    EXPECT_EQ(params.dpb[15].pic_num, 7u);
    EXPECT_EQ(params.flags, uint32_t{V4L2_H264_DECODE_PARAM_FLAG_BFRAME});
    EXPECT_EQ(params.top_field_order_cnt, -2);
    const auto element = table_.parse("12:MPEG2_PICTURE.f_code[1][0]=0x9");
    ASSERT_TRUE(element) << element.error().message;
    EXPECT_EQ(element->job, 12u);
    EXPECT_FALSE(tools::ControlTable::apply(*element, control)); // another control
    auto mpeg2 = controlOf<codec::Mpeg2Picture>({});
    EXPECT_TRUE(tools::ControlTable::apply(*element, mpeg2));
    EXPECT_EQ(table_.text(mpeg2), "MPEG2_PICTURE.f_code[1] = 9 0\n");
}

TEST_F(Controls, ThatDoNotExistAreRefused) {
    for (const char* change :
         {"", "=", "H264_SPS.level_idc", "H264_SPS.level_idc=x", "H264_SPS.nothing=1", "x:H264_SPS.level_idc=1",
          "H264_DECODE_PARAMS.dpb[16].pic_num=1", "MPEG2_PICTURE.f_code[1][2]=1"})
        EXPECT_FALSE(table_.parse(change)) << change;
}

} // namespace
} // namespace v4l2_request::record
