// SPDX-License-Identifier: MIT
#include "daedalus_h264_stream.h"

#include <algorithm>
#include <cstring>

#include "core/bit_reader.h"
#include "core/nal.h"
#include "daedalus_h264_sets.h"

namespace daedalus::test {
namespace {

using h264::MemoryOperation;
using h264::SliceHeader;

/// A frame of the DPB that is or was a reference, clause 8.2.5.
struct Frame {
    size_t number = 0;
    uint8_t decoded = 0; ///< fields, 1 top, 2 bottom
    uint8_t shortTerm = 0;
    uint8_t longTerm = 0;
    int frameNum = 0;
    int longTermFrameIdx = 0;
    int32_t poc[2] = {0, 0};
    bool nonExisting = false;
};

class Walker {
public:
    explicit Walker(std::span<const uint8_t> bytes) : bytes_(bytes) {}

    Stream run() {
        for (const auto nal : splitAnnexB(bytes_)) {
            const unsigned type = nal[0] & 0x1f;
            if (type >= 6 && type <= 9) {
                endPicture();
                if (!accessUnitBegin_)
                    accessUnitBegin_ = startOf(nal.data());
            }
            if (type == 7) {
                SpsInfo sps = readSps(unescape(nal));
                sps_[sps.control.seq_parameter_set_id] = sps;
            } else if (type == 8) {
                PpsInfo pps = readPps(unescape(nal));
                pps_[pps.control.pic_parameter_set_id] = pps;
            } else if (type == 1 || type == 5) {
                slice(nal);
            } else if (type >= 2 && type <= 4) {
                stream_.refused = "data partitioning";
            }
            if (!stream_.refused.empty())
                return std::move(stream_);
        }
        endPicture();
        closeAccessUnit(bytes_.data() + bytes_.size());
        return std::move(stream_);
    }

private:
    void slice(std::span<const uint8_t> nal) {
        const auto rbsp = unescape(nal);
        BitReader peek(rbsp);
        peek.bits(8);
        peek.ue();
        peek.ue();
        const auto pps = pps_.find(static_cast<uint8_t>(peek.ue()));
        if (pps == pps_.end() || !sps_.contains(pps->second.control.seq_parameter_set_id)) {
            stream_.refused = "slice without parameter sets";
            return;
        }
        const SpsInfo& sps = sps_[pps->second.control.seq_parameter_set_id];
        Lists lists;
        if (!completePps(pps->second, sps, lists)) {
            stream_.refused = "slice groups";
            return;
        }
        auto parsed = h264::parseSlice(rbsp, sps.control, pps->second.control);
        if (!parsed) {
            stream_.refused = parsed.error().message;
            return;
        }
        if (open_ && isNewPicture(parsed->header))
            endPicture();
        if (!open_)
            beginPicture(*parsed, sps, pps->second.control, lists, nal.data());
        stream_.pictures.back().slices.push_back({nal, *parsed});
    }

    /// Clause 7.4.1.2.4
    bool isNewPicture(const SliceHeader& header) const {
        return header.frameNum != current_.frameNum || header.ppsId != current_.ppsId ||
               header.fieldPic != current_.fieldPic || header.bottomField != current_.bottomField ||
               (header.nalRefIdc == 0) != (current_.nalRefIdc == 0) || header.idr != current_.idr ||
               (header.idr && header.idrPicId != current_.idrPicId) || header.pocLsb != current_.pocLsb ||
               header.deltaPocBottom != current_.deltaPocBottom || header.deltaPoc != current_.deltaPoc;
    }

    uint8_t structure() const { return !current_.fieldPic ? 3 : current_.bottomField ? 2 : 1; }

    void beginPicture(const h264::ParsedSlice& parsed, const SpsInfo& sps, const v4l2_ctrl_h264_pps& pps,
                      const Lists& lists, const uint8_t* at) {
        const SliceHeader& header = parsed.header;
        current_ = header;
        maxFrameNum_ = h264::maxFrameNum(sps.control);
        control_ = sps.control;
        open_ = true;

        // Clause 7.4.1.2.4: the second field of the frame before?
        second_ = halfOpen_ && header.fieldPic && cur_.decoded != structure() && (cur_.decoded | structure()) == 3 &&
                  cur_.frameNum == static_cast<int>(header.frameNum) && (!header.idr || curIdr_) &&
                  (curRef_ || header.nalRefIdc == 0);
        if (!second_) {
            if (frames_ > 0)
                closeAccessUnit(accessUnitBegin_ ? accessUnitBegin_ : startOf(at));
            gaps(header);
            cur_ = {};
            cur_.number = frames_++;
            cur_.frameNum = static_cast<int>(header.frameNum);
        }
        accessUnitBegin_ = nullptr;
        curIdr_ = header.idr;
        curRef_ = header.nalRefIdc != 0;
        orderCounts(header);

        StreamPicture picture;
        picture.frame = cur_.number;
        picture.secondField = second_;
        picture.sps = sps.control;
        picture.pps = pps;
        picture.cropLeft = sps.cropLeft;
        picture.cropTop = sps.cropTop;
        for (size_t i = 0; i < 6; ++i) {
            for (size_t j = 0; j < 16; ++j)
                picture.scaling.scaling_list_4x4[i][scan4x4[j]] = lists.four[i][j];
            for (size_t j = 0; j < 64; ++j)
                picture.scaling.scaling_list_8x8[i][scan8x8[j]] = lists.eight[i][j];
        }
        v4l2_ctrl_h264_decode_params& params = picture.params;
        params.nal_ref_idc = header.nalRefIdc;
        params.frame_num = static_cast<uint16_t>(header.frameNum);
        params.top_field_order_cnt = structure() & 1 ? cur_.poc[0] : 0;
        params.bottom_field_order_cnt = structure() & 2 ? cur_.poc[1] : 0;
        params.idr_pic_id = static_cast<uint16_t>(header.idrPicId);
        params.pic_order_cnt_lsb = static_cast<uint16_t>(header.pocLsb);
        params.delta_pic_order_cnt_bottom = header.deltaPocBottom;
        params.delta_pic_order_cnt0 = header.deltaPoc[0];
        params.delta_pic_order_cnt1 = header.deltaPoc[1];
        params.dec_ref_pic_marking_bit_size = static_cast<uint32_t>(parsed.sizes.markingBits);
        params.pic_order_cnt_bit_size = static_cast<uint32_t>(parsed.sizes.pocBits);
        params.flags = (header.idr ? V4L2_H264_DECODE_PARAM_FLAG_IDR_PIC : 0u) |
                       (header.fieldPic ? V4L2_H264_DECODE_PARAM_FLAG_FIELD_PIC : 0u) |
                       (header.bottomField ? V4L2_H264_DECODE_PARAM_FLAG_BOTTOM_FIELD : 0u);
        size_t index = 0;
        for (const Frame& frame : dpb_) {
            if (!(frame.shortTerm | frame.longTerm) || index == V4L2_H264_NUM_DPB_ENTRIES)
                continue;
            v4l2_h264_dpb_entry& entry = params.dpb[index++];
            const bool isLong = frame.longTerm != 0;
            entry.reference_ts = frame.nonExisting ? 0 : timestampOf(frame.number);
            entry.frame_num = static_cast<uint16_t>(isLong ? frame.longTermFrameIdx : frame.frameNum);
            entry.pic_num = static_cast<uint32_t>(isLong ? frame.longTermFrameIdx : wrap(frame));
            entry.fields = frame.shortTerm | frame.longTerm;
            entry.top_field_order_cnt = entry.fields & 1 ? frame.poc[0] : 0;
            entry.bottom_field_order_cnt = entry.fields & 2 ? frame.poc[1] : 0;
            entry.flags = V4L2_H264_DPB_ENTRY_FLAG_VALID | V4L2_H264_DPB_ENTRY_FLAG_ACTIVE |
                          (isLong ? V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM : 0u);
            if (!frame.nonExisting)
                picture.references.push_back(frame.number);
        }
        stream_.pictures.push_back(std::move(picture));
    }

    int wrap(const Frame& frame) const {
        return frame.frameNum > static_cast<int>(current_.frameNum) ? frame.frameNum - maxFrameNum_ : frame.frameNum;
    }

    /// Clause 8.2.5.2
    void gaps(const SliceHeader& header) {
        if (header.idr || !(control_.flags & V4L2_H264_SPS_FLAG_GAPS_IN_FRAME_NUM_VALUE_ALLOWED))
            return;
        const int frameNum = static_cast<int>(header.frameNum);
        if (frameNum == prevRefFrameNum_)
            return;
        int missing = (prevRefFrameNum_ + 1) % maxFrameNum_;
        for (; missing != frameNum; missing = (missing + 1) % maxFrameNum_) {
            current_.frameNum = static_cast<uint32_t>(missing);
            slidingWindow();
            Frame frame;
            frame.frameNum = missing;
            frame.shortTerm = 3;
            frame.nonExisting = true;
            dpb_.push_back(frame);
            prevRefFrameNum_ = missing;
            prevFrameNum_ = missing;
        }
        current_.frameNum = header.frameNum;
    }

    /// Clause 8.2.1
    void orderCounts(const SliceHeader& header) {
        int32_t topCount = 0, bottomCount = 0;
        const int frameNum = static_cast<int>(header.frameNum);
        int frameNumOffset = 0;
        if (control_.pic_order_cnt_type != 0 && !header.idr) {
            const int previous = prevMmco5_ ? 0 : prevFrameNumOffset_;
            frameNumOffset = (prevMmco5_ ? 0 : prevFrameNum_) > frameNum ? previous + maxFrameNum_ : previous;
        }
        if (control_.pic_order_cnt_type == 0) {
            const int maxLsb = 1 << (control_.log2_max_pic_order_cnt_lsb_minus4 + 4);
            if (header.idr)
                prevPocMsb_ = prevPocLsb_ = 0;
            const int lsb = static_cast<int>(header.pocLsb);
            int msb = prevPocMsb_;
            if (lsb < prevPocLsb_ && prevPocLsb_ - lsb >= maxLsb / 2)
                msb += maxLsb;
            else if (lsb > prevPocLsb_ && lsb - prevPocLsb_ > maxLsb / 2)
                msb -= maxLsb;
            topCount = msb + lsb;
            bottomCount = header.fieldPic ? msb + lsb : topCount + header.deltaPocBottom;
            pocMsb_ = msb;
        } else if (control_.pic_order_cnt_type == 1) {
            const int cycle = control_.num_ref_frames_in_pic_order_cnt_cycle;
            int absFrameNum = cycle ? frameNumOffset + frameNum : 0;
            if (header.nalRefIdc == 0 && absFrameNum > 0)
                --absFrameNum;
            int64_t expected = 0;
            if (absFrameNum > 0) {
                int64_t perCycle = 0;
                for (int i = 0; i < cycle; ++i)
                    perCycle += control_.offset_for_ref_frame[i];
                expected = (absFrameNum - 1) / cycle * perCycle;
                for (int i = 0; i <= (absFrameNum - 1) % cycle; ++i)
                    expected += control_.offset_for_ref_frame[i];
            }
            if (header.nalRefIdc == 0)
                expected += control_.offset_for_non_ref_pic;
            topCount = static_cast<int32_t>(expected + header.deltaPoc[0]);
            if (!header.fieldPic)
                bottomCount = topCount + control_.offset_for_top_to_bottom_field + header.deltaPoc[1];
            else
                bottomCount =
                    static_cast<int32_t>(expected + control_.offset_for_top_to_bottom_field + header.deltaPoc[0]);
        } else {
            int count = header.idr ? 0 : 2 * (frameNumOffset + frameNum) - (header.nalRefIdc == 0 ? 1 : 0);
            topCount = bottomCount = count;
        }
        if (structure() & 1)
            cur_.poc[0] = topCount;
        if (structure() & 2)
            cur_.poc[1] = bottomCount;
        frameNumOffset_ = frameNumOffset;
    }

    void slidingWindow() {
        const auto used = [](const Frame& frame) { return (frame.shortTerm | frame.longTerm) != 0; };
        while (true) {
            const auto count = std::count_if(dpb_.begin(), dpb_.end(), used);
            if (count < std::max<int>(control_.max_num_ref_frames, 1))
                return;
            auto oldest = dpb_.end();
            for (auto frame = dpb_.begin(); frame != dpb_.end(); ++frame) {
                if (frame->shortTerm && (oldest == dpb_.end() || wrap(*frame) < wrap(*oldest)))
                    oldest = frame;
            }
            if (oldest == dpb_.end())
                return;
            dpb_.erase(oldest);
        }
    }

    void apply(const MemoryOperation& operation) {
        const bool field = current_.fieldPic;
        const int currPicNum = static_cast<int>(field ? 2 * current_.frameNum + 1 : current_.frameNum);
        const auto fieldsOf = [&](int number) -> uint8_t {
            return !field ? 3 : (number & 1) ? structure() : static_cast<uint8_t>(3 ^ structure());
        };
        const auto indexOf = [&](int number) { return field ? number >> 1 : number; };
        switch (operation.operation) {
        case 1:
        case 3: {
            const int number = currPicNum - static_cast<int>(operation.differenceOfPicNumsMinus1 + 1);
            for (Frame& frame : dpb_) {
                if (!frame.shortTerm || wrap(frame) != indexOf(number))
                    continue;
                const uint8_t fields = fieldsOf(number) & frame.shortTerm;
                if (operation.operation == 3) {
                    const int index = static_cast<int>(operation.longTermFrameIdx);
                    for (Frame& other : dpb_) {
                        if (&other != &frame && other.longTerm && other.longTermFrameIdx == index)
                            other.longTerm = 0;
                    }
                    frame.longTerm |= fields;
                    frame.longTermFrameIdx = index;
                }
                frame.shortTerm = static_cast<uint8_t>(frame.shortTerm & ~fields);
                break;
            }
            break;
        }
        case 2:
            for (Frame& frame : dpb_) {
                const int number = static_cast<int>(operation.longTermPicNum);
                if (frame.longTerm && frame.longTermFrameIdx == indexOf(number))
                    frame.longTerm = static_cast<uint8_t>(frame.longTerm & ~fieldsOf(number));
            }
            break;
        case 4:
            for (Frame& frame : dpb_) {
                if (frame.longTermFrameIdx >= static_cast<int>(operation.maxLongTermFrameIdxPlus1))
                    frame.longTerm = 0;
            }
            break;
        case 5:
            dpb_.clear();
            mmco5_ = true;
            break;
        case 6:
            for (Frame& frame : dpb_) {
                if (frame.number != cur_.number && frame.longTerm &&
                    frame.longTermFrameIdx == static_cast<int>(operation.longTermFrameIdx))
                    frame.longTerm = 0;
            }
            curLongTermIdx_ = static_cast<int>(operation.longTermFrameIdx);
            break;
        default: break;
        }
    }

    /// Clause 8.2.5, and what the next picture needs to know of this one.
    void endPicture() {
        if (!open_)
            return;
        open_ = false;
        mmco5_ = false;
        curLongTermIdx_ = -1;
        cur_.decoded |= structure();
        if (curRef_) {
            auto mine = std::find_if(dpb_.begin(), dpb_.end(), [&](const Frame& frame) {
                return !frame.nonExisting && frame.number == cur_.number && (frame.shortTerm | frame.longTerm);
            });
            const bool firstIsShort = second_ && mine != dpb_.end() && mine->shortTerm;
            if (current_.idr) {
                if (!second_)
                    dpb_.clear();
                if (current_.longTermReference)
                    curLongTermIdx_ = 0;
            } else if (current_.adaptiveMarking) {
                for (const MemoryOperation& operation : current_.operations)
                    apply(operation);
            } else if (!firstIsShort) {
                slidingWindow();
            }
            if (mmco5_) {
                const int32_t base = structure() == 3   ? std::min(cur_.poc[0], cur_.poc[1])
                                     : structure() == 1 ? cur_.poc[0]
                                                        : cur_.poc[1];
                for (int32_t& count : cur_.poc)
                    count -= base;
                cur_.frameNum = 0;
            }
            mine = std::find_if(dpb_.begin(), dpb_.end(),
                                [&](const Frame& frame) { return !frame.nonExisting && frame.number == cur_.number; });
            if (!second_ || mine == dpb_.end()) {
                cur_.shortTerm = cur_.longTerm = 0;
                dpb_.push_back(cur_);
                mine = std::prev(dpb_.end());
            }
            mine->decoded = cur_.decoded;
            mine->frameNum = cur_.frameNum;
            mine->poc[0] = cur_.poc[0];
            mine->poc[1] = cur_.poc[1];
            if (curLongTermIdx_ >= 0) {
                mine->longTerm |= structure();
                mine->longTermFrameIdx = curLongTermIdx_;
            } else {
                mine->shortTerm |= structure();
            }
            std::erase_if(dpb_, [](const Frame& frame) { return !(frame.shortTerm | frame.longTerm); });

            prevPocMsb_ = mmco5_ ? 0 : pocMsb_;
            prevPocLsb_ = mmco5_ ? (structure() == 2 ? 0 : cur_.poc[0]) : static_cast<int>(current_.pocLsb);
            prevRefFrameNum_ = mmco5_ ? 0 : static_cast<int>(current_.frameNum);
        }
        prevFrameNum_ = mmco5_ ? 0 : static_cast<int>(current_.frameNum);
        prevFrameNumOffset_ = frameNumOffset_;
        prevMmco5_ = mmco5_;
        halfOpen_ = current_.fieldPic && !second_;
    }

    /// Where the start code before this NAL unit begins.
    const uint8_t* startOf(const uint8_t* nal) const {
        return nal - (nal - bytes_.data() >= 4 && nal[-4] == 0 ? 4 : 3);
    }

    void closeAccessUnit(const uint8_t* end) {
        const uint8_t* begin = stream_.accessUnits.empty()
                                   ? bytes_.data()
                                   : stream_.accessUnits.back().data() + stream_.accessUnits.back().size();
        if (end > begin)
            stream_.accessUnits.emplace_back(begin, static_cast<size_t>(end - begin));
    }

    std::span<const uint8_t> bytes_;
    const uint8_t* accessUnitBegin_ = nullptr; ///< of the next one, once something of it was seen
    Stream stream_;
    std::map<uint8_t, SpsInfo> sps_;
    std::map<uint8_t, PpsInfo> pps_;

    bool open_ = false;
    SliceHeader current_;
    v4l2_ctrl_h264_sps control_{};
    int maxFrameNum_ = 16;
    Frame cur_;
    bool second_ = false, halfOpen_ = false, curIdr_ = false, curRef_ = false, mmco5_ = false;
    int curLongTermIdx_ = -1;
    size_t frames_ = 0;
    std::vector<Frame> dpb_;

    int pocMsb_ = 0, prevPocMsb_ = 0, prevPocLsb_ = 0;
    int frameNumOffset_ = 0, prevFrameNumOffset_ = 0, prevFrameNum_ = 0, prevRefFrameNum_ = 0;
    bool prevMmco5_ = false;
};

} // namespace

Stream walk(std::span<const uint8_t> bytes) {
    return Walker(bytes).run();
}

} // namespace daedalus::test
