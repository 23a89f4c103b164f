// SPDX-License-Identifier: MIT
#pragma once

#include <any>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <va/va.h>

#include "codec/control_batch.h"
#include "util/result.h"

#if !VA_CHECK_VERSION(1, 18, 0) // clients may know what these headers do not
inline constexpr auto VAProfileH264High10 = static_cast<VAProfile>(36);
#endif

// A codec turns the VA buffers of one picture into requests for a stateless decoder. Everything here is pure: no file
// descriptor, no clock, no global, no log. What must survive from picture to picture lives in an explicit state value.
namespace v4l2_request::codec {

using Bytes = std::span<const uint8_t>;

// One slice: its VASliceParameterBuffer* and exactly the bytes that belong to it. The va layer has applied
// slice_data_offset and slice_data_size and checked them against the buffer, so a builder never reads outside.
struct Slice {
    Bytes parameters;
    Bytes data;
    Bytes before; // what the client's buffer has in front of the data: empty, a header, or other slices
};

// All that the client sent between vaBeginPicture and vaEndPicture, in whatever order it came.
// Each span holds at least the struct size that the codec names in Codec, or is empty if the client sent none.
struct PictureInput {
    VAProfile profile = VAProfileNone;
    VASurfaceID target = VA_INVALID_SURFACE;
    uint32_t width = 0; // of the context, pixels
    uint32_t height = 0;
    Bytes picture;     // VAPictureParameterBuffer*
    Bytes iqMatrix;    // VAIQMatrixBuffer*
    Bytes probability; // VAProbabilityDataBufferVP8
    std::vector<Slice> slices;
    // For what is made of the picture, up to its submission: it has all gone before the next picture comes.
    std::pmr::memory_resource* memory = std::pmr::get_default_resource();
};

// Answers which decoded pictures the device still has.
class References {
public:
    virtual ~References() = default;
    // The timestamp (nanoseconds) that names the surface's picture in the CAPTURE queue: the device reads it. Nothing
    // if the surface does not exist, was never decoded into, is being decoded into for the first time right now, or if
    // the queue has lost its picture.
    virtual std::optional<uint64_t> timestamp(VASurfaceID surface) const = 0;
    // The same for a picture that the job only names. It must stay in the queue, as later pictures may read it, but its
    // own surface may be decoded into again before the job is done.
    virtual std::optional<uint64_t> listed(VASurfaceID surface) const { return timestamp(surface); }
    // The picture that was decoded last, in decoding order, and is still there, without the target's own: it stands in
    // where nothing of what the client names is there. Nothing if there is none.
    virtual std::optional<uint64_t> latest() const { return std::nullopt; }

    // The name that the picture will have when it is queued.
    virtual uint64_t name() const { return 0; }
};

// What the device says of its codec controls.
class DeviceControls {
public:
    struct Info {
        uint32_t elements = 1; // arrays: the most elements it takes
        int64_t value = 0;     // menus: the item in force
    };
    bool has(uint32_t id) const { return find(id) != nullptr; }
    uint32_t elements(uint32_t id) const {
        const Info* info = find(id);
        return info ? info->elements : 0;
    }
    std::optional<int64_t> menu(uint32_t id) const {
        const Info* info = find(id);
        return info ? std::optional(info->value) : std::nullopt;
    }
    void set(uint32_t id, Info info) {
        std::erase_if(controls_, [id](const auto& control) { return control.first == id; });
        controls_.emplace_back(id, info);
    }

private:
    const Info* find(uint32_t id) const {
        for (const auto& [known, info] : controls_)
            if (known == id)
                return &info;
        return nullptr;
    }

    std::vector<std::pair<uint32_t, Info>> controls_; // a handful
};

// The bytes of one OUTPUT buffer as a list of pieces, so that they are copied once: into the OUTPUT buffer itself.
class Bitstream {
public:
    explicit Bitstream(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : pieces_(memory), owned_(memory) {}
    Bitstream(Bitstream&&) = default;
    Bitstream& operator=(Bitstream&&) = delete; // into other memory, the bytes would move

    // For so many pieces.
    void reserve(size_t pieces) { pieces_.reserve(pieces); }
    // Borrows: the bytes must live until the picture is submitted.
    void append(Bytes bytes) {
        if (pieces_.empty())
            pieces_.reserve(2); // a start code and a slice
        pieces_.push_back(bytes);
        size_ += bytes.size();
    }
    // Keeps its own copy: for bytes that the builder makes, such as frame tags.
    void appendCopy(Bytes bytes) { append(owned_.emplace_back(bytes.begin(), bytes.end())); }
    size_t size() const { return size_; }
    std::span<const Bytes> pieces() const { return pieces_; }

private:
    std::pmr::vector<Bytes> pieces_;
    std::pmr::vector<std::pmr::vector<uint8_t>> owned_; // their bytes stay where they are when they move
    size_t size_ = 0;
};

// One request: one OUTPUT buffer and the controls that go with it.
struct Job {
    explicit Job(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : controls(memory), bitstream(memory) {}
    explicit Job(Bitstream&& bytes, std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : controls(memory), bitstream(std::move(bytes)) {}

    ControlBatch controls;
    Bitstream bitstream;
};

// What the next picture tells of one that was undecided (Submission::undecided): that it has to be decoded like this.
struct Decision {
    VASurfaceID surface; // that the picture was submitted for
    Job job;             // the same but for what was open, and right also where the other has been decoded already
};

// A picture as the device wants it: one job (frame based) or one per slice (slice based), in decoding order.
struct Submission {
    explicit Submission(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : jobs(memory), predictedFrom(memory) {}

    std::pmr::vector<Job> jobs;
    // A field picture: the first of its frame, or the second, whose first was submitted to the same target just before.
    bool firstField = false;
    bool secondField = false;
    // The coded size as the bitstream's sequence has it, pixels: the resolution of the OUTPUT format.
    uint32_t codedWidth = 0;
    uint32_t codedHeight = 0;
    uint8_t bitDepth = 8; // of its samples

    // A picture that this one is predicted from is missing, and another stands in, or none: it is damaged, whatever the
    // device says.
    bool damaged = false;
    // The surfaces that it is predicted from, without those that are only kept for later pictures: it is damaged if one
    // of them is. Empty for a picture that stands on its own.
    std::pmr::vector<VASurfaceID> predictedFrom;
    // Damage is inherited over so many pictures at most; 0: for ever. A sequence that refreshes itself bit by bit says
    // when it will be whole again (H.264 D.2.8, H.265 D.3.8: recovery points).
    uint32_t damageLasts = 0;

    // Its one job is right but for what only the next picture tells, and may wait for that. If it cannot wait, and the
    // next picture decides otherwise, it is decoded again.
    bool undecided = false;
    // Film grain: the surface that shows the picture; the target is what later pictures refer to.
    VASurfaceID display = VA_INVALID_SURFACE;
    // What the device does not do for that surface, in words: it writes the target, and the display surface shows the
    // same.
    const char* lacking = nullptr;
};

// A VA profile as the kernel names it. A device that has the codec's profile control is asked whether it lists the
// item.
struct Profile {
    VAProfile va;
    uint32_t rtFormats; // VA_RT_FORMAT_*: all that its pictures can have
    int64_t menuItem;   // of Codec::profileControl
};

// How one codec is decoded: one row of registry.cpp.
struct Codec {
    const char* name;
    uint32_t fourcc; // of the OUTPUT queue
    std::span<const Profile> profiles;
    uint32_t profileControl;                     // V4L2_CID_MPEG_VIDEO_*_PROFILE
    std::span<const uint32_t> requiredControls;  // a device that lacks one cannot be driven
    std::span<const uint32_t> optionalControls;  // probed, and sent where the device has them
    uint32_t sequenceControl;                    // set on the device before CAPTURE is negotiated (0: none)
    size_t pictureSize, iqMatrixSize, sliceSize; // of the VA parameter structs, bytes
    size_t probabilitySize;
    // A slice may reach past the end of its buffer and is then cut off there: VP8, where some clients count the frame
    // tag in front of slice_data_offset as part of slice_data_size. In other codecs that is an error of the client.
    bool clampSliceData = false;
    // A picture is coded in whole units, and a surface may have the size of what is shown of it: less than one unit
    // smaller. Interlaced pictures have rows of two macroblocks.
    uint32_t unitWidth = 64;
    uint32_t unitHeight = 64;

    // The payload of the sequence control for pictures of this size and depth, where no stream has said more yet: a
    // device may give its CAPTURE format only when it knows the depth. Null for a codec that has 8 bits only.
    std::vector<std::byte> (*anySequence)(uint32_t width, uint32_t height, uint8_t bitDepth) = nullptr;

    // Whether the state is what the headers of a stream have said, and so holds also where the device has not got a
    // picture. Not in AV1: there it is what the device has in its slots.
    bool headersOutliveLoss = true;

    // Builds the requests of one picture. `before` is empty for the first picture of a stream; `after` is set where a
    // picture is built, and the next one's `before` if the submission reached the device, or was lost on the way
    // (headersOutliveLoss). What it had is overwritten, so that its memory is used again; both may be one. A picture
    // that cannot be represented is an error, never half filled: InvalidParameter (the client's buffers are not what
    // va.h says), Unsupported (VA-API or the device cannot carry it, nor the pictures after it), Decoding (the
    // bitstream of this picture contradicts itself: it is damaged, and the stream goes on).
    Result<Submission> (*build)(const PictureInput& input, const References& references, const DeviceControls& device,
                                const std::any& before, std::any& after);
    // What the next picture decides of the undecided one before it; nothing if that is right as it is. It will have the
    // name that `references` say: its own, or a new one if it is decoded again. Null where no picture is undecided.
    std::optional<Decision> (*decide)(const PictureInput& next, const References& references,
                                      std::any& state) = nullptr;
};

// Every codec of this driver.
std::span<const Codec* const> registry();

} // namespace v4l2_request::codec
