// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <memory>

#include "bitstream/av1_frame_header.h"
#include "codec/av1_frame.h"
#include "codec/av1_slots.h"
#include "codec/av1_tiles.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec/parameters.h"

// AV1. Clauses are those of the AV1 Bitstream & Decoding Process Specification.
//
// VA-API carries nearly all of a frame header as the decoder derives it. What it lacks is derived here (av1_frame,
// av1_tiles), but for refresh_frame_flags: those are ours to choose (av1_slots.h), unless eight pictures are alive when
// the frame comes, because then its slot is that of a picture which only the next frame's map shows to be dead. Such a
// frame is undecided: submitted so that it goes into no slot, and into the one that turned out to be free if the next
// frame's map still names it.
namespace v4l2_request::codec {

namespace {

using Picture = VADecPictureParameterBufferAV1;

// A frame that is in no slot, and all that it takes to decode it again.
struct Unsaved {
    VASurfaceID surface = VA_INVALID_SURFACE;
    uint8_t orderHint = 0;
    ControlBatch controls;
    v4l2_ctrl_av1_frame frame{};
    std::vector<uint8_t> data;
};

// What outlives a frame.
struct Av1State {
    Av1Slots slots;
    std::shared_ptr<const Unsaved> unsaved; // the frame before this one
    std::optional<bitstream::Av1HeaderLayout> layout;
    uint32_t tools = 0; // of all frames so far
    uint32_t width = 0; // of the frame before, and so of all pictures in the queue
    uint32_t height = 0;
};

// A frame as its parts, all checked against each other.
struct Frame {
    Picture picture;
    v4l2_ctrl_av1_frame control;
    Bytes header; // in front of its tiles
    uint32_t width;
    uint32_t height;

    bool intra() const { return isAv1Intra(picture); }
};

// All but the tiles, to where it stays: it is large.
Result<void> takeFrame(const PictureInput& input, Frame& frame) {
    if (input.picture.size() < sizeof(Picture))
        return fail(ErrorKind::InvalidParameter, "AV1: no picture parameters, or too short ones");
    const Picture& picture = frame.picture = readParameters<Picture>(input.picture);
    if (auto checked = checkAv1Picture(picture); !checked)
        return checked;
    if (picture.current_frame != input.target)
        return fail(ErrorKind::InvalidParameter,
                    "AV1: current_frame is not the surface that the picture was begun with");
    frame.control = fillAv1Frame(picture);
    frame.width = picture.frame_width_minus1 + 1u;
    frame.height = picture.frame_height_minus1 + 1u;
    return fillAv1TileInfo(picture, frame.control.tile_info);
}

Result<Av1Tiles> takeTiles(const PictureInput& input, const DeviceControls& device, Frame& frame) {
    v4l2_av1_tile_info& info = frame.control.tile_info;
    auto tiles = joinAv1Tiles(input, info.tile_cols, info.tile_rows);
    if (tiles && tiles->entries.size() > device.elements(Av1TileGroupEntry::id))
        return fail(ErrorKind::Unsupported, "AV1: more tiles than the device takes");
    if (tiles) {
        info.tile_size_bytes = tiles->sizeBytes;
        frame.header = tiles->header;
    }
    return tiles;
}

Av1Slots::Map readMap(const Picture& picture, const References& references) {
    Av1Slots::Map map;
    for (size_t i = 0; i < map.size(); ++i)
        if (const VASurfaceID surface = picture.ref_frame_map[i];
            surface != VA_INVALID_SURFACE && surface != picture.current_frame)
            map[i] = references.listed(surface);
    return map;
}

// The slots of the seven references. A stream that was joined in its middle may name pictures that never were, and not
// use them: a client that knows so names no surface, and another picture takes their place. What a client does name is
// missed. Only the one whose probabilities the frame goes on with has to be there.
Result<std::array<size_t, 7>> findReferences(const Frame& frame, const References& references, const Av1Slots& slots,
                                             const Av1Slots::Map& map, Submission& submission) {
    const Picture& picture = frame.picture;
    std::array<std::optional<size_t>, 7> found;
    for (size_t i = 0; i < found.size(); ++i) {
        const uint8_t index = picture.ref_frame_idx[i];
        const VASurfaceID surface = picture.ref_frame_map[index];
        if (map[index] && references.timestamp(surface))
            found[i] = slots.find(*map[index], index);
        if (found[i])
            submission.predictedFrom.push_back(surface);
        else if (surface != VA_INVALID_SURFACE)
            submission.damaged = true;
    }
    if (picture.primary_ref_frame < found.size() && !found[picture.primary_ref_frame])
        return fail(submission.damaged ? ErrorKind::Decoding : ErrorKind::InvalidParameter,
                    "AV1: the frame goes on with the probabilities of one that is not there");
    const auto any = std::ranges::find_if(found, [](const auto& slot) { return slot.has_value(); });
    std::optional<size_t> standIn = any == found.end() ? std::nullopt : *any;
    if (const auto latest = standIn ? std::nullopt : references.latest())
        standIn = slots.find(*latest, 0);
    if (!standIn)
        return fail(ErrorKind::InvalidParameter, "AV1: none of the pictures that the frame refers to is there");
    std::array<size_t, 7> all{};
    std::ranges::transform(found, all.begin(), [&](const auto& slot) { return slot.value_or(*standIn); });
    return all;
}

// What follows from the references and their order (5.9.2, 5.9.22). All have the size of the frame: the prediction can
// scale (7.11.3.3), but the kernel's CAPTURE queues hold pictures of one size.
Result<void> fillReferences(Frame& frame, const References& references, const Av1State& state, const Av1Slots::Map& map,
                            Submission& submission) {
    const Picture& picture = frame.picture;
    if (state.width != frame.width || state.height != frame.height)
        return fail(ErrorKind::Unsupported, "AV1: the frame has another size than the pictures that it refers to");
    const auto found = findReferences(frame, references, state.slots, map, submission);
    if (!found)
        return tl::unexpected(found.error());
    std::array<uint8_t, 7> hints{};
    for (size_t i = 0; i < hints.size(); ++i) {
        const size_t slot = (*found)[i];
        hints[i] = state.slots[slot].orderHint;
        frame.control.ref_frame_idx[i] = static_cast<int8_t>(slot);
        frame.control.order_hints[i + 1] = hints[i];
    }
    if (const auto skip = av1SkipModeFrames(picture, hints)) {
        frame.control.flags |= V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED;
        std::ranges::copy(*skip, frame.control.skip_mode_frame);
    } else if (picture.mode_control_fields.bits.skip_mode_present) {
        return fail(ErrorKind::InvalidParameter, "AV1: skip mode without references for it");
    }
    return {};
}

// refresh_frame_flags as the stream has them, where that is known.
std::optional<uint8_t> streamFlags(const Frame& frame, std::optional<bitstream::Av1HeaderLayout>& layout) {
    constexpr uint8_t allFrames = 0xff;
    const auto& info = frame.picture.pic_info_fields.bits;
    if (info.frame_type == V4L2_AV1_SWITCH_FRAME || (info.frame_type == V4L2_AV1_KEY_FRAME && info.show_frame))
        return allFrames; // 5.9.2
    bitstream::Av1KnownHeader known{
        .frameType = static_cast<uint8_t>(info.frame_type),
        .showFrame = info.show_frame != 0,
        .showableFrame = info.showable_frame != 0,
        .errorResilient = info.error_resilient_mode != 0,
        .disableCdfUpdate = info.disable_cdf_update != 0,
        .allowScreenContentTools = info.allow_screen_content_tools != 0,
        .forceIntegerMv = info.force_integer_mv != 0,
        .orderHintBits = static_cast<uint8_t>(
            frame.picture.seq_info_fields.fields.enable_order_hint ? frame.picture.order_hint_bits_minus_1 + 1 : 0),
        .orderHint = frame.picture.order_hint,
        .primaryReference = frame.picture.primary_ref_frame,
    };
    std::ranges::copy(frame.picture.ref_frame_idx, known.referenceIndex.begin());
    return bitstream::findAv1RefreshFlags(frame.header, known, layout);
}

// Into which slots the frame goes; nothing if only the next one will tell.
std::optional<uint8_t> chooseSlots(const Frame& frame, const Av1Slots::Map& map, Av1State& state) {
    if (const auto flags = streamFlags(frame, state.layout)) {
        const uint8_t mask = state.slots.refresh(*flags, map);
        return mask || !*flags ? std::optional(mask) : std::nullopt;
    }
    const auto slot = state.slots.findFree(map);
    return slot ? std::optional(static_cast<uint8_t>(1u << *slot)) : std::nullopt;
}

std::shared_ptr<const Unsaved> keepUnsaved(const Frame& frame, const Job& job) {
    auto unsaved = std::make_shared<Unsaved>(Unsaved{.surface = frame.picture.current_frame,
                                                     .orderHint = frame.picture.order_hint,
                                                     .controls = job.controls,
                                                     .frame = frame.control});
    for (const Bytes piece : job.bitstream.pieces())
        unsaved->data.insert(unsaved->data.end(), piece.begin(), piece.end());
    return unsaved;
}

// Where the picture is seen, if that is not where it is decoded.
void fillDisplay(const Frame& frame, const DeviceControls& device, Submission& submission) {
    const Picture& picture = frame.picture;
    if (!picture.film_grain_info.film_grain_info_fields.bits.apply_grain ||
        picture.current_display_picture == VA_INVALID_SURFACE ||
        picture.current_display_picture == picture.current_frame)
        return;
    submission.display = picture.current_display_picture;
    submission.lacking = device.has(Av1FilmGrain::id) ? nullptr : "film grain";
}

Result<Submission> build(const PictureInput& input, const References& references, const DeviceControls& device,
                         const std::any& before, std::any& after) {
    auto state = stateOf<Av1State>(before);
    Frame frame;
    if (auto taken = takeFrame(input, frame); !taken)
        return tl::unexpected(std::move(taken).error());
    auto tiles = takeTiles(input, device, frame);
    if (!tiles)
        return tl::unexpected(std::move(tiles).error());

    Submission submission(input.memory);
    submission.codedWidth = frame.width;
    submission.codedHeight = frame.height;
    submission.bitDepth = frame.picture.bit_depth_idx ? 10 : 8;
    const Av1Slots::Map map = readMap(frame.picture, references);
    if (!frame.intra())
        if (auto filled = fillReferences(frame, references, state, map, submission); !filled)
            return tl::unexpected(filled.error());
    for (size_t i = 0; i < Av1Slots::count; ++i)
        frame.control.reference_frame_ts[i] = state.slots[i].timestamp;
    const auto mask = chooseSlots(frame, map, state);
    frame.control.refresh_frame_flags = mask.value_or(0);
    fillDisplay(frame, device, submission);

    state.tools |= usedAv1Tools(frame.picture);
    Job& job = submission.jobs.emplace_back(std::move(tiles->bitstream), input.memory);
    job.controls.add<Av1Sequence>(fillAv1Sequence(frame.picture, state.tools, std::max(frame.width, input.width),
                                                  std::max(frame.height, input.height)));
    job.controls.addArray<Av1TileGroupEntry>(tiles->entries);
    if (device.has(Av1FilmGrain::id))
        job.controls.add<Av1FilmGrain>(fillAv1FilmGrain(frame.picture));

    const Av1Slots::Slot slot{.timestamp = references.name(), .orderHint = frame.picture.order_hint};
    submission.undecided = !mask;
    state.unsaved = mask ? nullptr : keepUnsaved(frame, job);
    if (mask)
        state.slots.store(*mask, slot);
    job.controls.add<Av1Frame>(frame.control);
    state.width = frame.width;
    state.height = frame.height;
    keepState(after, state);
    return submission;
}

// The frame before is in no slot. If the next one's map names it, it has to be: now there is one that is free.
std::optional<Decision> decide(const PictureInput& next, const References& references, std::any& keptState) {
    auto* state = std::any_cast<Av1State>(&keptState);
    const auto unsaved = state ? std::exchange(state->unsaved, nullptr) : nullptr;
    if (!unsaved || next.picture.size() < sizeof(Picture))
        return std::nullopt;
    const auto picture = readParameters<Picture>(next.picture);
    const Av1Slots::Map map = readMap(picture, references);
    const auto* const named = std::ranges::find(picture.ref_frame_map, unsaved->surface);
    if (named == std::end(picture.ref_frame_map) || !map[static_cast<size_t>(named - picture.ref_frame_map)])
        return std::nullopt;
    const auto slot = state->slots.findFree(map);
    if (!slot)
        return std::nullopt; // not with a map of eight
    v4l2_ctrl_av1_frame frame = unsaved->frame;
    frame.refresh_frame_flags = static_cast<uint8_t>(1u << *slot);
    state->slots.store(frame.refresh_frame_flags, {.timestamp = references.name(), .orderHint = unsaved->orderHint});
    Decision decision{.surface = unsaved->surface, .job = Job{}};
    decision.job.controls = unsaved->controls;
    decision.job.controls.add<Av1Frame>(frame);
    decision.job.bitstream.appendCopy(unsaved->data);
    return decision;
}

// One profile of both depths. A device may have either.
constexpr std::array profiles{
    Profile{VAProfileAV1Profile0, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_AV1_PROFILE_MAIN},
    Profile{VAProfileAV1Profile0, VA_RT_FORMAT_YUV420_10, V4L2_MPEG_VIDEO_AV1_PROFILE_MAIN},
};

std::vector<std::byte> anySequence(uint32_t width, uint32_t height, uint8_t bitDepth) {
    return bytesOf(v4l2_ctrl_av1_sequence{
        .flags = V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_X | V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_Y,
        .bit_depth = bitDepth,
        .max_frame_width_minus_1 = static_cast<uint16_t>(width - 1),
        .max_frame_height_minus_1 = static_cast<uint16_t>(height - 1),
    });
}

constexpr std::array requiredControls{Av1Sequence::id, Av1Frame::id, Av1TileGroupEntry::id};
constexpr std::array optionalControls{Av1FilmGrain::id};

} // namespace

constinit const Codec av1Codec{
    .name = "AV1",
    .fourcc = V4L2_PIX_FMT_AV1_FRAME,
    .profiles = profiles,
    .profileControl = V4L2_CID_MPEG_VIDEO_AV1_PROFILE,
    .requiredControls = requiredControls,
    .optionalControls = optionalControls,
    .sequenceControl = Av1Sequence::id, // the bit depth decides the CAPTURE format
    .pictureSize = sizeof(Picture),
    .iqMatrixSize = 0,
    .sliceSize = sizeof(VASliceParameterBufferAV1),
    .probabilitySize = 0,
    .anySequence = anySequence,
    .headersOutliveLoss = false,
    .build = build,
    .decide = decide,
};

} // namespace v4l2_request::codec
