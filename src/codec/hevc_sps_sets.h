// SPDX-License-Identifier: MIT
#pragma once

#ifdef HAVE_UAPI_HEVC

#include <vector>

#include "codec/hevc_picture.h"
#include "codec/hevc_uapi.h"

// The reference picture sets of the sequence parameter set, for devices that are to be told them. VA-API has none of
// them, but a device needs no more than the set that a picture uses: that one is found again in the picture itself.
// Clauses are those of Rec. ITU-T H.265.
namespace v4l2_request::codec::hevc {

// What pictures have shown so far of the sets of their sequence.
struct SpsSets {
    std::vector<v4l2_ctrl_hevc_ext_sps_st_rps> shortTerm; // as many as there are, at least one; at most 64
    std::vector<bool> shortTermKnown;                     // which of them a picture has shown
    std::vector<v4l2_ctrl_hevc_ext_sps_lt_rps> longTerm;  // the same; at most 32
    std::vector<bool> longTermKnown;                      // which of them
    uint16_t serial = 0;                                  // of the contents of shortTerm
};

// Enters what the picture shows of the sets. Fails with Unsupported where the device would need to know more.
Result<void> learnShortTermSets(const Picture& picture, SpsSets& sets);
Result<void> learnLongTermSets(const Picture& picture, SpsSets& sets);

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
