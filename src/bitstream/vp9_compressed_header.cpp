// SPDX-License-Identifier: MIT
#include "bitstream/vp9_compressed_header.h"

#include <algorithm>

#include "bitstream/bool_decoder.h"

namespace v4l2_request::bitstream {

namespace {

// 6.3.5: distances in the order of their likelihood. Twenty coarse steps come first, all other values follow; the last
// code is a second one for the largest of them.
constexpr std::array<uint8_t, 255> makeInvMapTable() {
    std::array<uint8_t, 255> table{};
    size_t n = 0;
    for (unsigned value = 7; value <= 254; value += 13)
        table[n++] = static_cast<uint8_t>(value);
    for (unsigned value = 1; value <= 253; ++value)
        if (value % 13 != 7)
            table[n++] = static_cast<uint8_t>(value);
    table[n] = 253;
    return table;
}
constexpr auto invMapTable = makeInvMapTable();
static_assert(invMapTable[19] == 254 && invMapTable[20] == 1 && invMapTable[253] == 253 && invMapTable[254] == 253);

constexpr unsigned updateProbability = 252; // of "no update": 6.3.3, 6.3.17

enum TxMode : uint8_t { Only4x4, Allow8x8, Allow16x16, Allow32x32, TxModeSelect };
enum ReferenceMode : uint8_t { Single, Compound, ReferenceModeSelect };

class Parser {
public:
    Parser(std::span<const uint8_t> data, const Vp9UncompressedHeader& frame, Vp9CompressedHeader& header)
        : coder_(data), frame_(frame), header_(header) {}

    Result<void> parse() {
        if (coder_.flag()) // 9.2.1
            return fail(ErrorKind::InvalidParameter, "VP9: the marker of the compressed header is set");
        compressedHeader();
        if (!coder_.ok())
            return fail(ErrorKind::InvalidParameter, "VP9: the compressed header is too short");
        return {};
    }

private:
    void compressedHeader();
    void readTxMode();
    void readCoefficients();
    void readReferenceMode();
    void readMv();
    uint8_t distance();

    // All that a table has, one after another.
    template <typename Table>
    static std::span<uint8_t> entriesOf(Table& table) {
        return {reinterpret_cast<uint8_t*>(&table), sizeof(table)};
    }
    // Each is preceded by a bool that says whether it is there.
    template <typename Read>
    void readUpdates(std::span<uint8_t> probabilities, Read read) {
        while (!probabilities.empty()) {
            const size_t left = coder_.falses<updateProbability>(probabilities.size());
            probabilities = probabilities.subspan(left);
            if (probabilities.empty())
                return;
            probabilities.front() = read();
            probabilities = probabilities.subspan(1);
        }
    }
    // 6.3.3, diff_update_prob()
    void update(std::span<uint8_t> probabilities) {
        readUpdates(probabilities, [this] { return distance(); });
    }
    template <typename Table>
    void update(Table& table) {
        update(entriesOf(table));
    }
    // 6.3.17, update_mv_prob()
    template <typename Table>
    void updateMv(Table& table) {
        readUpdates(entriesOf(table), [this] { return static_cast<uint8_t>(coder_.literal(7) << 1 | 1); });
    }

    BoolDecoder coder_;
    const Vp9UncompressedHeader& frame_;
    Vp9CompressedHeader& header_;
};

// 6.3
void Parser::compressedHeader() {
    readTxMode();
    if (header_.txMode == TxModeSelect) { // 6.3.2
        update(header_.tx8);
        update(header_.tx16);
        update(header_.tx32);
    }
    readCoefficients();
    update(header_.skip);
    if (frame_.isIntra())
        return;
    update(header_.interMode);
    if (frame_.interpolationFilter == Vp9InterpolationFilter::Switchable)
        update(header_.interpolationFilter);
    update(header_.isInter);
    readReferenceMode();
    update(header_.yMode);
    update(header_.partition);
    readMv();
}

// 6.3.1
void Parser::readTxMode() {
    if (frame_.lossless())
        return;
    header_.txMode = static_cast<uint8_t>(coder_.literal(2));
    if (header_.txMode == Allow32x32)
        header_.txMode = coder_.flag() ? TxModeSelect : Allow32x32;
}

// 6.3.4, decode_term_subexp(), and the mapping of 6.3.5
uint8_t Parser::distance() {
    if (!coder_.flag())
        return invMapTable[coder_.literal(4)];
    if (!coder_.flag())
        return invMapTable[coder_.literal(4) + 16];
    if (!coder_.flag())
        return invMapTable[coder_.literal(5) + 32];
    const uint32_t value = coder_.literal(7);
    if (value < 65)
        return invMapTable[value + 64];
    return invMapTable[(value << 1) - 1 + coder_.literal(1)];
}

// 6.3.7. The first band has three contexts, the others six.
void Parser::readCoefficients() {
    const size_t largest = std::min<size_t>(header_.txMode, Allow32x32); // tx_mode_to_biggest_tx_size
    for (size_t size = 0; size <= largest; ++size) {
        if (!coder_.flag()) // update_probs
            continue;
        for (auto& plane : header_.coefficients[size])
            for (auto& reference : plane) {
                const auto entries = entriesOf(reference), first = entriesOf(reference[0]);
                update(first.first(first.size() / 2));
                update(entries.subspan(first.size()));
            }
    }
}

// 6.3.12 and 6.3.13. Compound prediction takes two references on different sides of the frame.
void Parser::readReferenceMode() {
    const auto& bias = frame_.referenceSignBias;
    if ((bias[1] != bias[0] || bias[2] != bias[0]) && coder_.flag())
        header_.referenceMode = coder_.flag() ? ReferenceModeSelect : Compound;
    if (header_.referenceMode == ReferenceModeSelect)
        update(header_.compoundMode);
    if (header_.referenceMode != Compound)
        update(header_.singleReference);
    if (header_.referenceMode != Single)
        update(header_.compoundReference);
}

// 6.3.16
void Parser::readMv() {
    updateMv(header_.mvJoint);
    for (size_t i = 0; i < 2; ++i) {
        updateMv(header_.mvSign[i]);
        updateMv(header_.mvClass[i]);
        updateMv(header_.mvClass0Bit[i]);
        updateMv(header_.mvBits[i]);
    }
    for (size_t i = 0; i < 2; ++i) {
        updateMv(header_.mvClass0Fraction[i]);
        updateMv(header_.mvFraction[i]);
    }
    if (!frame_.allowHighPrecisionMv)
        return;
    for (size_t i = 0; i < 2; ++i) {
        updateMv(header_.mvClass0HighPrecision[i]);
        updateMv(header_.mvHighPrecision[i]);
    }
}

} // namespace

Result<void> parseVp9CompressedHeader(std::span<const uint8_t> data, const Vp9UncompressedHeader& frame,
                                      Vp9CompressedHeader& header) {
    header = {};
    return Parser(data, frame, header).parse();
}

} // namespace v4l2_request::bitstream
