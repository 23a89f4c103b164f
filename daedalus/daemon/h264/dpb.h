// SPDX-License-Identifier: MIT
//
// What libavcodec holds of an H.264 stream, in the numbering that is written for it, and what DECODE_PARAMS names of
// it.
#pragma once

#include <vector>

#include "core/references.h"
#include "h264/picture.h"

namespace daedalus::h264 {

class Dpb {
public:
    /// Gives a new picture (with its controls, `first` and `structure`) its numbers, resolves its DPB and chooses its
    /// marking. An entry that names nothing is an error only once a list uses it; an entry that contradicts the picture
    /// that it names is one at once.
    Result<void> begin(const Job& job, Picture& picture);

    /// The picture is decoded: libavcodec has marked its references, and holds it if it is one.
    void decoded(const Picture& picture);

    const std::vector<Reference>& references() const { return references_; }
    /// Does libavcodec hold nothing that such a picture could be predicted from?
    bool lacksReferences(uint8_t structure) const;
    /// libavcodec has decoded a frame of no colour (h264_own_pictures.h), and holds nothing else.
    void greyDecoded();
    /// Is it the second field of the frame whose first was decoded last? Then nothing may come between them.
    bool isSecondField(uint64_t timestamp, uint8_t structure) const;
    uint32_t nextFrameNum() const { return nextFrameNum_; }
    uint32_t nextIdrPicId() const { return nextIdrPicId_; }
    /// Of the picture decoded last.
    int32_t lastOrderCount() const { return lastOrderCount_; }
    void forgetBuffer(uint64_t cookie) { holds_.forget(cookie); }
    /// libavcodec begins anew. What buffers hold stays known.
    void clear();

private:
    void number(Picture& picture);
    Result<void> resolve(const Job& job, Picture& picture) const;
    Result<Resolved> resolveEntry(const Job& job, const Picture& picture, DpbPicture& entry) const;
    Result<void> chooseOrderCounts(Picture& picture) const;
    void addReference(const Picture& picture);

    References holds_;
    std::vector<Reference> references_; ///< in decoding order
    uint32_t nextFrameNum_ = 0;
    uint32_t nextIdrPicId_ = 0;
    int32_t lastOrderCount_ = 0;

    /// The field decoded last, if its frame lacks the other one.
    struct {
        bool open = false;
        uint64_t timestamp = 0;
        uint8_t structure = 0;
        uint32_t writtenFrameNum = 0;
        int32_t pocOffset = 0;
    } firstField_;
};

} // namespace daedalus::h264
