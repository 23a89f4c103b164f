// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// A recording as bytes (docs/recording.md): a head, then records of a kind, a length and a payload. Numbers are little
// endian, strings and lists have their length in 32 bits in front. Every record is a struct here, and its `fields`
// tells both how it is written and how it is read.
namespace v4l2_request::record {

inline constexpr std::array<uint8_t, 8> magic = {'V', '4', 'L', '2', 'R', 'E', 'C', '\n'};
inline constexpr uint32_t version = 1;
inline constexpr size_t headSize = 16;      // magic, version, a reserved zero
inline constexpr size_t recordHeadSize = 8; // kind, length

enum class Kind : uint32_t {
    About = 1,
    Opened = 2,
    Queued = 3,
    Ended = 4,
    Checksum = 5,
    Pixels = 6,
    Closed = 7,
    End = 8
};

using Blob = std::vector<uint8_t>;

// What the driver found on the machine, as text.
struct About {
    static constexpr Kind kind = Kind::About;
    std::string text;
    template <typename A>
    void fields(A& a) {
        a(text);
    }
};

// The format of a queue.
struct QueueFormat {
    uint32_t fourcc = 0, width = 0, height = 0;
    std::vector<uint32_t> sizeimage, bytesperline; // of each memory plane
    template <typename A>
    void fields(A& a) {
        a(fourcc), a(width), a(height), a(sizeimage), a(bytesperline);
    }
};

// A file handle of a device, with both queues running.
struct Opened {
    static constexpr Kind kind = Kind::Opened;
    uint32_t session = 0;
    uint64_t time = 0; // nanoseconds since the recording began
    std::string driver, model;
    uint32_t codec = 0; // fourcc of the OUTPUT format
    // What was asked for: coded size, depth, payload of the sequence control, and what CAPTURE buffers should be like.
    uint32_t width = 0, height = 0;
    uint32_t bitDepth = 8;
    Blob sequence;
    uint32_t frameWidth = 0, frameHeight = 0, pitch = 0;
    uint32_t firstBitstream = 0; // bytes of the first job
    QueueFormat output, capture;
    template <typename A>
    void fields(A& a) {
        a(session), a(time), a(driver), a(model), a(codec), a(width), a(height), a(bitDepth), a(sequence);
        a(frameWidth), a(frameHeight), a(pitch), a(firstBitstream), output.fields(a), capture.fields(a);
    }
};

struct Control {
    uint32_t id = 0;
    Blob payload;
    template <typename A>
    void fields(A& a) {
        a(id), a(payload);
    }
};

// One request: the controls and the OUTPUT buffer.
struct Job {
    std::vector<Control> controls;
    Blob bitstream;
    template <typename A>
    void fields(A& a) {
        a(controls), a(bitstream);
    }
};

// A picture that another one refers to, by its name: the timestamp.
struct Reference {
    uint64_t picture = 0;
    uint32_t flags = 0;
    static constexpr uint32_t read = 1, predictedFrom = 2;
    template <typename A>
    void fields(A& a) {
        a(picture), a(flags);
    }
};

// A picture, or a field of one, as it was queued.
struct Queued {
    static constexpr Kind kind = Kind::Queued;
    uint32_t session = 0;
    uint64_t picture = 0; // timestamp, nanoseconds
    uint64_t time = 0;
    uint32_t flags = 0;
    static constexpr uint32_t firstField = 1, secondField = 2, damaged = 4;
    uint32_t damageLasts = 0; // over so many pictures; all ones: for ever
    std::vector<Reference> references;
    std::vector<Job> jobs;
    template <typename A>
    void fields(A& a) {
        a(session), a(picture), a(time), a(flags), a(damageLasts), a(references), a(jobs);
    }
};

struct Ended {
    static constexpr Kind kind = Kind::Ended;
    uint32_t session = 0;
    uint64_t picture = 0;
    uint64_t time = 0;
    uint32_t flags = 0;
    // The device reported an error; damaged, by that or by what it is predicted from; never came; one field of two.
    static constexpr uint32_t error = 1, damaged = 2, lost = 4, half = 8;
    template <typename A>
    void fields(A& a) {
        a(session), a(picture), a(time), a(flags);
    }
};

// The picture as a client reads it, without any padding: NV12 or P010 of the coded size.
struct Checksum {
    static constexpr Kind kind = Kind::Checksum;
    uint32_t session = 0;
    uint64_t picture = 0;
    uint32_t fourcc = 0; // DRM's
    uint32_t width = 0, height = 0;
    uint64_t xxh64 = 0;
    uint32_t why = 0; // there is none
    static constexpr uint32_t busy = 1, unreadable = 2;
    template <typename A>
    void fields(A& a) {
        a(session), a(picture), a(fourcc), a(width), a(height), a(xxh64), a(why);
    }
};

struct Pixels {
    static constexpr Kind kind = Kind::Pixels;
    uint32_t session = 0;
    uint64_t picture = 0;
    Blob bytes; // of which the checksum is
    template <typename A>
    void fields(A& a) {
        a(session), a(picture), a(bytes);
    }
};

struct Closed {
    static constexpr Kind kind = Kind::Closed;
    uint32_t session = 0;
    uint64_t time = 0;
    template <typename A>
    void fields(A& a) {
        a(session), a(time);
    }
};

// The last record, unless the process ended before.
struct End {
    static constexpr Kind kind = Kind::End;
    uint32_t why = 0;
    static constexpr uint32_t complete = 0, tooSlow = 1;
    template <typename A>
    void fields(A& a) {
        a(why);
    }
};

// Writes fields.
class Encoder {
public:
    explicit Encoder(Blob& to) : to_(to) {}
    template <typename T>
    void operator()(const T& value) {
        if constexpr (std::is_integral_v<T>)
            for (size_t i = 0; i < sizeof(T); i++)
                to_.push_back(static_cast<uint8_t>(value >> 8 * i));
        else if constexpr (std::is_class_v<T> && !requires { value.size(); })
            const_cast<T&>(value).fields(*this); // which only reads
        else
            list(value);
    }

private:
    template <typename T>
    void list(const T& values) {
        (*this)(static_cast<uint32_t>(values.size()));
        if constexpr (sizeof(values[0]) == 1)
            to_.insert(to_.end(), values.begin(), values.end());
        else
            for (const auto& value : values)
                (*this)(value);
    }
    Blob& to_;
};

// Reads fields; what is not there is zero, and then good() is not.
class Decoder {
public:
    explicit Decoder(std::span<const uint8_t> from) : from_(from) {}
    bool good() const { return good_; }
    template <typename T>
    void operator()(T& value) {
        if constexpr (std::is_integral_v<T>) {
            const auto bytes = take(sizeof(T));
            value = 0;
            for (size_t i = 0; i < bytes.size(); i++)
                value = static_cast<T>(value | static_cast<T>(bytes[i]) << 8 * i);
        } else if constexpr (!requires { value.size(); }) {
            value.fields(*this);
        } else {
            list(value);
        }
    }

private:
    template <typename T>
    void list(T& values) {
        uint32_t count = 0;
        (*this)(count);
        if constexpr (sizeof(values[0]) == 1) {
            const auto bytes = take(count);
            values.assign(bytes.begin(), bytes.end());
        } else {
            for (uint32_t i = 0; i < count && good_; i++)
                (*this)(values.emplace_back());
        }
    }
    std::span<const uint8_t> take(size_t count) {
        good_ = good_ && count <= from_.size();
        if (!good_)
            return {};
        const auto taken = from_.first(count);
        from_ = from_.subspan(count);
        return taken;
    }
    std::span<const uint8_t> from_;
    bool good_ = true;
};

// A whole record.
template <typename Record>
Blob encode(const Record& record) {
    Blob bytes(recordHeadSize);
    Encoder encoder(bytes);
    encoder(record);
    Blob head;
    Encoder headEncoder(head);
    headEncoder(static_cast<uint32_t>(Record::kind));
    headEncoder(static_cast<uint32_t>(bytes.size() - recordHeadSize));
    std::copy(head.begin(), head.end(), bytes.begin());
    return bytes;
}

// The head of a file.
inline Blob encodeHead() {
    Blob head(magic.begin(), magic.end());
    Encoder encoder(head);
    encoder(version);
    encoder(uint32_t{0});
    return head;
}

// XXH64 (its published specification, XXH64 algorithm description), seed 0.
uint64_t xxh64(std::span<const uint8_t> bytes);

} // namespace v4l2_request::record
