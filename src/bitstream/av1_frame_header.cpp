// SPDX-License-Identifier: MIT
#include "bitstream/av1_frame_header.h"

#include "bitstream/bit_reader.h"

// Clauses are those of the AV1 Bitstream & Decoding Process Specification.
namespace v4l2_request::bitstream {

namespace {

// Less is no frame header: 5.9.2 needs that much for quantiser, filters and segmentation alone. Clients that send none
// have the few bytes of a tile group's header here (5.11.1).
constexpr size_t shortestHeader = 7;

using Layout = Av1HeaderLayout;

// Every layout that is tried. Frame ids have the lengths that libaom gives them; others are not recognised.
template <typename Function>
void forEachLayout(Function&& function) {
    constexpr unsigned longestTime = 32;
    for (const uint8_t idBits : {0, 15})
        for (const bool model : {false, true})
            for (unsigned time = 0; time <= (model ? longestTime : 0); ++time)
                for (const bool screen : {true, false})
                    for (const bool mv : {true, false})
                        function(Layout{screen, mv, idBits, static_cast<uint8_t>(idBits ? 14 : 0),
                                        static_cast<uint8_t>(time), model});
}

// ref_frame_idx (5.9.2). Of frame_refs_short_signaling only two are coded, the others follow from what the decoder has.
bool sameReferences(BitReader& bits, const Av1KnownHeader& known, const Layout& layout) {
    const bool shortSignaling = known.orderHintBits > 0 && bits.flag();
    if (shortSignaling && (bits.bits(3) != known.referenceIndex[0] || bits.bits(3) != known.referenceIndex[3]))
        return false;
    for (const uint8_t index : known.referenceIndex) {
        if (!shortSignaling && bits.bits(3) != index)
            return false;
        bits.bits(layout.frameIdDeltaBits); // delta_frame_id_minus_1
    }
    return true;
}

// refresh_frame_flags of uncompressed_header() (5.9.2) in this layout, if all that is known comes out of it.
std::optional<uint8_t> match(std::span<const uint8_t> header, const Av1KnownHeader& known, const Layout& layout) {
    constexpr uint8_t key = 0, switchFrame = 3, primaryNone = 7, allFrames = 0xff;
    BitReader bits(header);
    if (bits.flag() || bits.bits(2) != known.frameType || bits.flag() != known.showFrame) // show_existing_frame
        return std::nullopt;
    if (known.showFrame)
        bits.bits(layout.presentationTimeBits);
    else if (bits.flag() != known.showableFrame)
        return std::nullopt;
    const bool refreshesAll = known.frameType == switchFrame || (known.frameType == key && known.showFrame);
    if (!refreshesAll && bits.flag() != known.errorResilient)
        return std::nullopt;
    if (bits.flag() != known.disableCdfUpdate ||
        (layout.screenContentCoded && bits.flag() != known.allowScreenContentTools))
        return std::nullopt;
    // On intra frames clients may have what is coded or what follows from it.
    if (known.allowScreenContentTools && layout.integerMvCoded && bits.flag() != known.forceIntegerMv && !known.intra())
        return std::nullopt;
    bits.bits(layout.frameIdBits); // current_frame_id
    if (known.frameType != switchFrame)
        bits.flag(); // frame_size_override_flag
    if (bits.bits(known.orderHintBits) != known.orderHint)
        return std::nullopt;
    const uint32_t primary = known.intra() || known.errorResilient ? primaryNone : bits.bits(3);
    if (primary != known.primaryReference)
        return std::nullopt;
    if (layout.removalTimes && bits.flag())
        return std::nullopt; // buffer_removal_time depends on the operating points
    const uint32_t refresh = refreshesAll ? allFrames : bits.bits(8);
    if (known.frameType == 2 && refresh == allFrames) // 6.8.2
        return std::nullopt;
    if ((!known.intra() || refresh != allFrames) && known.errorResilient)
        for (int i = 0; i < 8; ++i)
            bits.bits(known.orderHintBits); // ref_order_hint
    if (!known.intra() && !sameReferences(bits, known, layout))
        return std::nullopt;
    return bits.ok() ? std::optional(static_cast<uint8_t>(refresh)) : std::nullopt;
}

// The payload of the last frame or frame header OBU (5.3) before the tile data: the first OBU that ends behind the
// bytes has the tiles, and its header or the one before it is the frame's. Empty if these are no OBUs.
std::span<const uint8_t> lastHeader(std::span<const uint8_t> bytes) {
    constexpr uint32_t frameHeader = 3, tileGroup = 4, frame = 6;
    std::span<const uint8_t> found;
    while (bytes.size() >= 2) {
        BitReader bits(bytes);
        const bool forbidden = bits.flag();
        const uint32_t type = bits.bits(4);
        const bool extension = bits.flag();
        const bool hasSize = bits.flag();
        bits.bits(1);
        if (extension)
            bits.bits(8);
        uint64_t size = 0; // leb128 (4.10.5)
        bool more = hasSize;
        for (unsigned shift = 0; more && shift < 56; shift += 7) {
            more = bits.flag();
            size |= uint64_t{bits.bits(7)} << shift;
        }
        if (forbidden || !bits.ok() || more)
            return {};
        const auto payload = bytes.subspan(bits.position() / 8);
        const bool last = !hasSize || size > payload.size();
        if (type == frame || type == frameHeader)
            found = last ? payload : payload.first(size);
        if (last)
            return type == frame || type == tileGroup ? found : std::span<const uint8_t>();
        bytes = payload.subspan(size);
    }
    return {};
}

} // namespace

std::optional<uint8_t> findAv1RefreshFlags(std::span<const uint8_t> bytes, const Av1KnownHeader& known,
                                           std::optional<Layout>& layout) {
    for (const auto header : {bytes, lastHeader(bytes)}) {
        if (header.size() < shortestHeader)
            continue;
        if (layout)
            if (const auto flags = match(header, known, *layout))
                return flags;
        if (known.intra())
            continue;
        std::optional<uint8_t> found;
        std::optional<Layout> by;
        bool agree = true;
        forEachLayout([&](const Layout& tried) {
            const auto flags = match(header, known, tried);
            if (!flags)
                return;
            agree = agree && (!found || found == flags);
            if (!by)
                by = tried;
            found = flags;
        });
        if (found && agree) {
            layout = by;
            return found;
        }
    }
    return std::nullopt;
}

} // namespace v4l2_request::bitstream
