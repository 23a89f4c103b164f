// SPDX-License-Identifier: MIT
#pragma once

#include <any>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "codec/codec.h"

// What every builder does with the VA parameter buffers.
namespace v4l2_request::codec {

// A copy of a VA parameter struct: the bytes come from a client's buffer and need not be aligned. The caller has
// checked that there are enough of them.
template <typename T>
T readParameters(Bytes bytes) {
    static_assert(std::is_trivially_copyable_v<T>);
    T parameters;
    std::memcpy(&parameters, bytes.data(), sizeof(parameters));
    return parameters;
}

// What the pictures before have left.
template <typename State>
State stateOf(const std::any& kept) {
    const auto* state = std::any_cast<State>(&kept);
    return state ? *state : State{};
}

// Once nothing can fail any more: a picture that is refused leaves all as it was. Takes the state.
template <typename State>
void keepState(std::any& kept, State& state) {
    if (auto* before = std::any_cast<State>(&kept))
        *before = std::move(state);
    else
        kept = std::move(state);
}

// A slice as its NAL unit has it. The last byte of a NAL unit is never zero (H.264 7.4.1, H.265 7.4.2.1): zeros behind
// it are trailing_zero_8bits of the byte stream (annex B), which some clients count in.
inline Bytes withoutTrailingZeros(Bytes nal) {
    while (!nal.empty() && nal.back() == 0)
        nal = nal.first(nal.size() - 1);
    return nal;
}

// The fault of a picture that cannot be used as it was coded: if its headers make no sense, it is the picture that is
// damaged, and the stream goes on.
inline Error damagedPicture(Error fault) {
    if (fault.kind == ErrorKind::InvalidParameter)
        fault.kind = ErrorKind::Decoding;
    return fault;
}

// So many jobs, which all carry these controls: one that fails cannot leave the next with those of another picture.
inline void addJobs(Submission& submission, ControlBatch controls, size_t count) {
    const auto memory = submission.jobs.get_allocator().resource();
    submission.jobs.reserve(count);
    for (size_t i = 1; i < count; ++i)
        submission.jobs.emplace_back(memory).controls = controls;
    submission.jobs.emplace_back(memory).controls = std::move(controls);
}

} // namespace v4l2_request::codec
