// SPDX-License-Identifier: MIT
#include "h264/marking.h"

#include <algorithm>

namespace daedalus::h264 {
namespace {

/// Does an operation of the stream name the entry of the DPB? In the numbering of the client (8.2.5.4.1, 8.2.5.4.2).
bool releases(const MemoryOperation& operation, const Picture& picture, const DpbPicture& entry) {
    if (operation.operation == 5)
        return true;
    const bool longTerm = operation.operation == 2;
    if ((operation.operation != 1 && !longTerm) || entry.longTerm != longTerm)
        return false;
    const int64_t number = longTerm ? int64_t{operation.longTermPicNum}
                                    : int64_t{picture.currPicNum()} - operation.differenceOfPicNumsMinus1 - 1;
    return (picture.isField() ? number >> 1 : number) == (longTerm ? entry.longTermFrameIdx : entry.frameNumWrap);
}

/// A full DPB and a reference picture on top: one must go, and only the stream says which (8.2.5.3, 8.2.5.4).
void releaseForRoom(const Picture& picture, const std::vector<Reference>& references, std::vector<bool>& kept) {
    const auto full = [&] { return std::count(kept.begin(), kept.end(), true) >= writtenMaxRefFrames; };
    for (const MemoryOperation& operation : picture.first.operations) {
        for (size_t i = 0; i < picture.dpb.size() && full(); ++i) {
            if (picture.resolved[i].reference >= 0 && releases(operation, picture, picture.dpb[i]))
                kept[static_cast<size_t>(picture.resolved[i].reference)] = false;
        }
    }
    while (full()) {
        // Sliding window, or a stream that breaks its own limits: the oldest short-term one, or any.
        size_t victim = references.size();
        for (size_t i = references.size(); i-- > 0;) {
            if (kept[i] && (victim == references.size() || references[i].longTermFrameIdx < 0))
                victim = i;
        }
        kept[victim] = false;
    }
}

/// CurrPicNum - picNumX - 1, in the written numbering.
uint32_t shortDifference(const Picture& picture, const Reference& reference, uint8_t parity) {
    const uint32_t frames = (picture.writtenFrameNum - reference.writtenFrameNum) & (writtenMaxFrameNum - 1);
    if (!picture.isField())
        return frames - 1;
    return parity == picture.structure ? 2 * frames - 1 : 2 * frames;
}

void release(Picture& picture, const std::vector<Reference>& references, size_t index) {
    const Reference& reference = references[index];
    for (const uint8_t parity : {uint8_t{top}, uint8_t{bottom}}) {
        if (picture.isField() && !(reference.fields & parity))
            continue;
        MemoryOperation operation;
        operation.operation = reference.longTermFrameIdx < 0 ? 1 : 2;
        if (operation.operation == 1)
            operation.differenceOfPicNumsMinus1 = shortDifference(picture, reference, parity);
        else
            operation.longTermPicNum = static_cast<uint32_t>(picture.numberOf(reference.longTermFrameIdx, parity));
        picture.marking.push_back(operation);
        if (!picture.isField())
            break;
    }
    picture.released.push_back(index);
}

/// Clause 8.2.5.4.3, the picture found in the client's numbering and named in the written one.
void makeLongTerm(Picture& picture, const std::vector<Reference>& references, const MemoryOperation& operation) {
    const int64_t picNum = int64_t{picture.currPicNum()} - (int64_t{operation.differenceOfPicNumsMinus1} + 1);
    for (size_t i = 0; i < picture.dpb.size(); ++i) {
        const DpbPicture& entry = picture.dpb[i];
        if (entry.longTerm || picture.resolved[i].reference < 0)
            continue;
        uint8_t parity = frame;
        if (!picture.isField()) {
            if (entry.frameNumWrap != picNum)
                continue;
        } else {
            if (picNum != 2 * int64_t{entry.frameNumWrap} + 1 && picNum != 2 * int64_t{entry.frameNumWrap})
                continue;
            parity = (picNum & 1) ? picture.structure : static_cast<uint8_t>(picture.structure ^ frame);
        }
        const auto index = static_cast<size_t>(picture.resolved[i].reference);
        MemoryOperation written = operation;
        written.differenceOfPicNumsMinus1 = shortDifference(picture, references[index], parity);
        picture.marking.push_back(written);
        picture.longTerms.emplace_back(index, static_cast<int>(operation.longTermFrameIdx));
        return;
    }
}

void chooseIdrMarking(Picture& picture) {
    if (!picture.first.longTermReference)
        return;
    picture.longTermFrameIdx = 0;
    if (picture.secondField)
        picture.marking.push_back({.operation = 6, .longTermFrameIdx = 0});
}

} // namespace

void chooseMarking(Picture& picture, const std::vector<Reference>& references) {
    if (!picture.isReference())
        return;
    picture.renumbers = std::any_of(picture.first.operations.begin(), picture.first.operations.end(),
                                    [](const MemoryOperation& operation) { return operation.operation == 5; });
    if (picture.first.idr)
        return chooseIdrMarking(picture);

    if (!picture.secondField) { // the first one has released what there was to release
        std::vector<bool> kept(references.size(), false);
        for (size_t i = 0; i < references.size(); ++i)
            kept[i] = references[i].timestamp == picture.timestamp;
        for (const Resolved& resolved : picture.resolved) {
            if (resolved.reference >= 0)
                kept[static_cast<size_t>(resolved.reference)] = true;
        }
        releaseForRoom(picture, references, kept);
        for (size_t i = 0; i < references.size(); ++i) {
            if (!kept[i])
                release(picture, references, i);
        }
    }
    for (const MemoryOperation& operation : picture.first.operations) {
        if (operation.operation == 6) {
            picture.longTermFrameIdx = static_cast<int>(operation.longTermFrameIdx);
            picture.marking.push_back(operation);
        }
        if (operation.operation == 3)
            makeLongTerm(picture, references, operation);
    }
}

void applyMarking(const Picture& picture, std::vector<Reference>& references) {
    if (picture.first.idr && !picture.secondField)
        references.clear();
    for (const auto& [index, longTermFrameIdx] : picture.longTerms) {
        for (Reference& reference : references) {
            if (reference.longTermFrameIdx == longTermFrameIdx && &reference != &references[index])
                reference.fields = 0; // Clause 8.2.5.4.3: the index changes hands.
        }
        references[index].longTermFrameIdx = longTermFrameIdx;
    }
    if (picture.longTermFrameIdx >= 0) {
        for (Reference& reference : references) {
            if (reference.longTermFrameIdx == picture.longTermFrameIdx && reference.timestamp != picture.timestamp)
                reference.fields = 0;
        }
    }
    for (const size_t index : picture.released)
        references[index].fields = 0;
    std::erase_if(references, [](const Reference& reference) { return reference.fields == 0; });
}

} // namespace daedalus::h264
