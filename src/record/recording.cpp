// SPDX-License-Identifier: MIT
#include "record/recording.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "util/log.h"

namespace v4l2_request::record {

namespace {

Result<Blob> readFile(const std::string& path) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
    if (!file)
        return fail(ErrorKind::Device, path + ": " + std::strerror(errno), errno);
    Blob bytes;
    constexpr size_t step = size_t{1} << 16;
    for (size_t got = step; got == step;) {
        const size_t before = bytes.size();
        bytes.resize(before + step);
        got = std::fread(bytes.data() + before, 1, step, file.get());
        bytes.resize(before + got);
    }
    return bytes;
}

template <typename Record>
bool read(std::span<const uint8_t> payload, Record& record) {
    Decoder decoder(payload);
    decoder(record);
    return decoder.good();
}

template <typename Record>
bool add(std::span<const uint8_t> payload, Recording& to) {
    Record record;
    const bool good = read(payload, record);
    to.events.emplace_back(std::move(record));
    return good;
}

bool addRecord(Kind kind, std::span<const uint8_t> payload, Recording& to) {
    switch (kind) {
    case Kind::About: {
        About about;
        const bool good = read(payload, about);
        to.about = std::move(about.text);
        return good;
    }
    case Kind::Opened: return add<Opened>(payload, to);
    case Kind::Queued: return add<Queued>(payload, to);
    case Kind::Ended: return add<Ended>(payload, to);
    case Kind::Checksum: return add<Checksum>(payload, to);
    case Kind::Pixels: return add<Pixels>(payload, to);
    case Kind::Closed: return add<Closed>(payload, to);
    case Kind::End: return read(payload, to.end.emplace());
    }
    return true;
}

} // namespace

Result<Recording> Recording::load(const std::string& path) {
    const auto bytes = readFile(path);
    if (!bytes)
        return tl::unexpected(bytes.error());
    std::span<const uint8_t> rest(*bytes);
    if (rest.size() < headSize || !std::equal(magic.begin(), magic.end(), rest.begin()))
        return fail(ErrorKind::InvalidParameter, path + " is no recording");
    uint32_t has = 0;
    Decoder head(rest.subspan(magic.size(), headSize - magic.size()));
    head(has);
    if (has != version)
        return fail(ErrorKind::Unsupported,
                    strprintf("%s is of version %u; this program reads %u", path.c_str(), has, version));
    rest = rest.subspan(headSize);
    Recording recording;
    while (!rest.empty()) {
        uint32_t kind = 0, length = 0;
        Decoder decoder(rest.first(std::min(recordHeadSize, rest.size())));
        decoder(kind);
        decoder(length);
        recording.cut = !decoder.good() || length > rest.size() - recordHeadSize;
        if (recording.cut)
            break;
        if (!addRecord(static_cast<Kind>(kind), rest.subspan(recordHeadSize, length), recording))
            return fail(ErrorKind::InvalidParameter, strprintf("%s: a record of kind %u is damaged, at byte %zu",
                                                               path.c_str(), kind, bytes->size() - rest.size()));
        rest = rest.subspan(recordHeadSize + length);
    }
    return recording;
}

} // namespace v4l2_request::record
