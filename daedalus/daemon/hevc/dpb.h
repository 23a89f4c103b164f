// SPDX-License-Identifier: MIT
//
// What libavcodec holds of an HEVC stream, and what DECODE_PARAMS names of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/references.h"
#include "hevc/slice_writer.h"

namespace daedalus::hevc {

/// A picture that libavcodec holds as reference.
struct Reference {
    uint64_t timestamp = 0;
    int32_t poc = 0; ///< as the controls had it
    int32_t writtenPoc = 0;
};

/// What DECODE_PARAMS comes to for one picture.
struct PictureReferences {
    WrittenPicture written;
    std::vector<Reference> kept; ///< held after it, itself left out
    Damage damage;               ///< pictures that it predicts from are damaged, or missing, and grey then
};

class Dpb {
public:
    /// Finds what the DPB of the control names, and the reference picture set to write. An entry that names nothing is
    /// damage, once a slice may predict from it; one that contradicts the picture that it names is an error. `first` is
    /// the header of the first slice.
    Result<PictureReferences> resolve(const Job& job, const DecodeParams& params, const SliceHeader& first) const;

    /// A picture is being decoded into the buffer.
    void begin(const daedalus_buffer& capture) { holds_.overwrite(capture.cookie); }
    /// It is decoded, libavcodec holds it and what it has kept.
    void decoded(const daedalus_buffer& capture, uint64_t timestamp, int32_t poc, PictureReferences references);
    void forgetBuffer(uint64_t cookie) { holds_.forget(cookie); }
    /// libavcodec begins anew. What buffers hold stays known.
    void clear() { references_.clear(); }

private:
    References holds_;
    std::vector<Reference> references_; ///< in decoding order
};

} // namespace daedalus::hevc
