// SPDX-License-Identifier: MIT
#pragma once

#ifdef HAVE_UAPI_HEVC

#include "codec/hevc_picture.h"

// The reference picture set of an HEVC picture as the controls name it, and what stands in for pictures of it that are
// not there. Clauses are those of Rec. ITU-T H.265.
namespace v4l2_request::codec::hevc {

// In a list of indices: no picture.
inline constexpr uint8_t noPicture = 0xff;

// Indices are into `entries`.
struct Dpb {
    explicit Dpb(std::pmr::memory_resource* memory)
        : entries(memory), stCurrBefore(memory), stCurrAfter(memory), ltCurr(memory) {
        entries.reserve(most);
        stCurrBefore.reserve(most);
        stCurrAfter.reserve(most);
    }
    static constexpr size_t most = 15;

    std::pmr::vector<v4l2_hevc_dpb_entry> entries; // `most` at most
    std::array<uint8_t, most> indexOf{};           // of each of VA-API's ReferenceFrames
    std::array<bool, most> missing{};              // of these: another picture stands in
    std::pmr::vector<uint8_t> stCurrBefore;        // 8.3.2: closest first
    std::pmr::vector<uint8_t> stCurrAfter;         // closest first
    std::pmr::vector<uint8_t> ltCurr;              // in the order of the slice header
};

// How the device finds the picture of an entry.
enum class FoundBy { Timestamp, OrderCount };

Result<Dpb> buildDpb(const Picture& picture, VASurfaceID target, const References& references, FoundBy foundBy,
                     std::pmr::memory_resource* memory);

// Adds the surfaces that the picture is predicted from. False if one of them is not what it was coded with.
bool findPrediction(const Picture& picture, const Dpb& dpb, std::pmr::vector<VASurfaceID>& from);

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
