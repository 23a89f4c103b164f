// SPDX-License-Identifier: MIT
#include "core/job.h"

namespace daedalus {
namespace {

template <typename T>
bool take(std::span<const uint8_t>& bytes, T& value) {
    if (bytes.size() < sizeof(T))
        return false;
    std::memcpy(&value, bytes.data(), sizeof(T));
    bytes = bytes.subspan(sizeof(T));
    return true;
}

Result<Message> parseJob(std::span<const uint8_t> bytes) {
    Job job;
    if (!take(bytes, job.header))
        return fail(EBADMSG, "job message of %zu bytes is shorter than its header", bytes.size());

    if (job.header.frame_count > bytes.size() / sizeof(daedalus_frame))
        return fail(EBADMSG, "frame_count %u does not fit the message", job.header.frame_count);
    job.frames.resize(job.header.frame_count);
    for (daedalus_frame& frame : job.frames)
        take(bytes, frame);

    for (uint32_t i = 0; i < job.header.control_count; ++i) {
        daedalus_control header{};
        if (!take(bytes, header))
            return fail(EBADMSG, "control %u of %u lies past the message", i, job.header.control_count);
        const size_t padded = (static_cast<size_t>(header.size) + 7) & ~size_t{7};
        if (padded > bytes.size())
            return fail(EBADMSG, "payload of control 0x%x (%u bytes) lies past the message", header.id, header.size);
        Control control;
        control.id = header.id;
        control.payload.assign(bytes.begin(), bytes.begin() + header.size);
        job.controls.push_back(std::move(control));
        bytes = bytes.subspan(padded);
    }
    return job;
}

Result<Message> parseFinish(std::span<const uint8_t> bytes) {
    daedalus_finish finish{};
    if (!take(bytes, finish))
        return fail(EBADMSG, "finish message of %zu bytes", bytes.size());
    return Finish{finish.header.cookie, finish.instance, finish.capture};
}

} // namespace

const Control* Job::find(uint32_t id) const {
    for (const Control& control : controls) {
        if (control.id == id)
            return &control;
    }
    return nullptr;
}

Result<Message> parseMessage(std::span<const uint8_t> bytes) {
    std::span<const uint8_t> rest = bytes;
    daedalus_header header{};
    if (!take(rest, header))
        return fail(EBADMSG, "message of %zu bytes is shorter than its header", bytes.size());
    if (header.size < sizeof(header) || header.size > bytes.size())
        return fail(EBADMSG, "message says %u bytes, %zu were read", header.size, bytes.size());
    bytes = bytes.first(header.size);

    switch (header.type) {
    case DAEDALUS_MESSAGE_JOB: return parseJob(bytes);
    case DAEDALUS_MESSAGE_INSTANCE_GONE: return InstanceGone{header.cookie};
    case DAEDALUS_MESSAGE_BUFFER_GONE: return BufferGone{header.cookie};
    case DAEDALUS_MESSAGE_FINISH: return parseFinish(bytes);
    default: return fail(EBADMSG, "unknown message type %u", header.type);
    }
}

std::string fourccName(uint32_t fourcc) {
    std::string name;
    for (unsigned shift = 0; shift < 32; shift += 8) {
        const auto letter = static_cast<char>((fourcc >> shift) & 0xff);
        name += letter >= ' ' && letter <= '~' ? letter : '?';
    }
    return name;
}

} // namespace daedalus
