// SPDX-License-Identifier: MIT
#include "tools/replay/player.h"

#include <algorithm>
#include <cstdio>

#include "record/pixels.h"
#include "tools/replay/comparison_picture.h"
#include "tools/replay/hevc_slices.h"

namespace v4l2_request::tools {

namespace {

void print(const std::string& line) {
    std::printf("%s\n", line.c_str());
}

} // namespace

Player::Player(const record::Recording& recording, const decode::ProbeReport& machine, Options options)
    : recording_(recording), machine_(machine), options_(std::move(options)),
      log_([](Log::Level, const char* line) { std::fputs(line, stderr); }) {
    size_t job = 0;
    for (size_t i = 0; i < recording.events.size(); i++) {
        const auto& event = recording.events[i];
        if (const auto* queued = std::get_if<record::Queued>(&event)) {
            Known& known = known_[{queued->session, queued->picture}];
            if (!known.lastUse)
                known.firstJob = job;
            known.lastUse = i;
            for (const record::Reference& reference : queued->references)
                known_[{queued->session, reference.picture}].lastUse = i;
            job += queued->jobs.size();
        } else if (const auto* ended = std::get_if<record::Ended>(&event)) {
            Known& known = known_[{ended->session, ended->picture}];
            known.ended = ended;
            known.lastUse = std::max(known.lastUse, i);
        } else if (const auto* checksum = std::get_if<record::Checksum>(&event)) {
            known_[{checksum->session, checksum->picture}].checksum = checksum;
        } else if (const auto* pixels = std::get_if<record::Pixels>(&event)) {
            known_[{pixels->session, pixels->picture}].pixels = pixels;
        }
    }
}

Player::Result Player::play() {
    for (event_ = 0; event_ < recording_.events.size(); event_++)
        std::visit([&](const auto& event) { play(event); }, recording_.events[event_]);
    for (auto& [number, playing] : playing_)
        if (playing.session)
            playing.session->drain(); // of a recording that was cut off
    return result_;
}

// Of several nodes that decode the codec, the one that takes the largest pictures, as the driver does.
const decode::Decoder* Player::choose(uint32_t codec) const {
    const decode::Decoder* best = nullptr;
    const auto size = [](const decode::Decoder& decoder) {
        return uint64_t{decoder.sizes.maxWidth} * decoder.sizes.maxHeight;
    };
    for (const decode::Decoder& decoder : machine_.decoders)
        if (decoder.codec->fourcc == codec && (options_.device.empty() || decoder.node.videoPath == options_.device) &&
            (!best || size(decoder) > size(*best)))
            best = &decoder;
    return best;
}

void Player::play(const record::Opened& opened) {
    Playing& playing = playing_[opened.session];
    playing = {.decoder = choose(opened.codec),
               .session = nullptr,
               .frames = {},
               .width = opened.width,
               .height = opened.height};
    if (!playing.decoder)
        return print(strprintf("session %u: no decoder here for %s", opened.session, fourccName(opened.codec).c_str()));
    decode::StreamFormat wanted{.width = opened.width,
                                .height = opened.height,
                                .bitDepth = static_cast<uint8_t>(opened.bitDepth),
                                .sequence = {},
                                .frameWidth = opened.frameWidth,
                                .frameHeight = opened.frameHeight,
                                .pitch = opened.pitch};
    const auto sequence = std::as_bytes(std::span(opened.sequence));
    wanted.sequence.assign(sequence.begin(), sequence.end());
    auto session = decode::Session::open(*playing.decoder, wanted, opened.firstBitstream, log_);
    if (!session)
        return print(strprintf("session %u: %s", opened.session, session.error().message.c_str()));
    playing.session = std::move(*session);
    print(strprintf("session %u: %s %ux%u, recorded on %s, played on %s", opened.session, playing.decoder->codec->name,
                    opened.width, opened.height, opened.driver.c_str(), playing.decoder->node.driver.c_str()));
}

codec::Job Player::makeJob(const record::Job& from, const decode::Decoder& decoder) {
    codec::Job job;
    for (const record::Control& control : from.controls) {
        if (!decoder.controls.has(control.id)) {
            if (!std::exchange(leftOut_[control.id], true))
                print(strprintf("control %#x is left out: this device does not have it", control.id));
            continue;
        }
        record::Control changed = control;
        for (const ControlTable::Change& change : options_.changes)
            if (!change.job || *change.job == result_.jobs)
                ControlTable::apply(change, changed);
        if (!job.controls.addBytes(control.id, std::as_bytes(std::span(changed.payload))))
            print(strprintf("job %zu has more controls than any codec", result_.jobs));
    }
    job.bitstream.append(from.bitstream);
    if (decoder.codec->fourcc == V4L2_PIX_FMT_HEVC_SLICE)
        for (const record::Control& made : readHevcSlices(from))
            if (decoder.controls.has(made.id) && job.controls.find(made.id).empty())
                (void)job.controls.addBytes(made.id, std::as_bytes(std::span(made.payload)));
    result_.jobs++;
    return job;
}

void Player::play(const record::Queued& queued) {
    Playing& playing = playing_[queued.session];
    std::vector<codec::Job> jobs;
    if (!playing.session) {
        result_.jobs += queued.jobs.size();
        return refuse(queued, "there is no session");
    }
    for (const record::Job& job : queued.jobs)
        jobs.push_back(makeJob(job, *playing.decoder));
    auto& frame = playing.frames[queued.picture];
    const bool secondField = (queued.flags & record::Queued::secondField) && frame;
    if (!secondField) {
        auto memory = playing.session->memory().get();
        if (!memory)
            return refuse(queued, memory.error().message);
        frame = std::make_shared<decode::Frame>(std::move(*memory), playing.session, queued.picture);
    }
    std::vector<decode::Reference> references;
    decode::Work work{.target = frame,
                      .jobs = jobs,
                      .references = {},
                      .firstField = (queued.flags & record::Queued::firstField) != 0,
                      .secondField = secondField,
                      .damaged = (queued.flags & record::Queued::damaged) != 0,
                      .damageLasts = queued.damageLasts};
    for (const record::Reference& reference : queued.references)
        if (const auto found = playing.frames.find(reference.picture); found != playing.frames.end())
            references.push_back({.surface = VA_INVALID_SURFACE,
                                  .frame = found->second,
                                  .read = (reference.flags & record::Reference::read) != 0,
                                  .predictedFrom = (reference.flags & record::Reference::predictedFrom) != 0});
    work.references = references;
    if (playing.decoder->observer)
        playing.decoder->observer->beforePicture();
    if (auto submitted = playing.session->submit(work); !submitted) {
        playing.frames.erase(queued.picture);
        refuse(queued, submitted.error().message);
    }
    forget(playing, queued.session);
}

void Player::play(const record::Ended& ended) {
    Playing& playing = playing_[ended.session];
    const auto frame = playing.frames.find(ended.picture);
    if (frame == playing.frames.end())
        return;
    if (auto waited = playing.session->wait(*frame->second, os::Deadline::never()); !waited)
        print(waited.error().message);
    if (!(ended.flags & record::Ended::half)) {
        const Name name{ended.session, ended.picture};
        check(name, known_[name], playing);
    }
    forget(playing, ended.session);
}

void Player::play(const record::Closed& closed) {
    playing_.erase(closed.session);
}

// Pictures that nothing later refers to.
void Player::forget(Playing& playing, uint32_t session) {
    std::erase_if(playing.frames, [&](const auto& entry) { return known_[{session, entry.first}].lastUse <= event_; });
}

void Player::refuse(const record::Queued& queued, const std::string& why) {
    result_.refused++;
    print(strprintf("picture %llu, session %u, job %zu: not taken: %s",
                    static_cast<unsigned long long>(queued.picture / 1000), queued.session,
                    known_[{queued.session, queued.picture}].firstJob, why.c_str()));
}

void Player::check(const Name& name, const Known& known, const Playing& playing) {
    result_.pictures++;
    if (!options_.compare)
        return;
    const record::Checksum* recorded = known.checksum;
    const auto frame = playing.frames.at(name.second);
    const bool damagedThere = known.ended->flags & record::Ended::damaged;
    std::string difference;
    if (frame->damaged() != damagedThere)
        difference = frame->damaged() ? ", damaged here" : ", damaged in the recording";
    if (recorded && !recorded->why) {
        record::Blob pixels;
        const auto& memory = frame->memory();
        if (const auto view = decode::FrameMemory::view(memory, decode::FrameMemory::Access::Read))
            pixels = record::tightPixels(view->bytes(), view->layout(), recorded->width, recorded->height);
        const PixelFormat& format = *findByVa(memory->layout().format->va);
        if (format.drm != recorded->fourcc)
            difference += strprintf(", %s here", format.name);
        else if (record::xxh64(pixels) != recorded->xxh64) {
            difference += ", other pixels";
            if (known.pixels && known.pixels->bytes.size() == pixels.size()) {
                const Pair pair{format, recorded->width, recorded->height, known.pixels->bytes, pixels};
                const Difference where = compare(pair);
                difference +=
                    strprintf(", %zu of %zu blocks, from (%u, %u) on", where.blocks, where.ofBlocks, where.x, where.y);
                if (!options_.pictures.empty()) {
                    const std::string path = strprintf("%s/session%u-picture%llu.png", options_.pictures.c_str(),
                                                       name.first, static_cast<unsigned long long>(name.second / 1000));
                    if (auto written = writePng(pair, path); !written)
                        print(written.error().message);
                    else
                        difference += ", " + path;
                }
            }
        }
    } else if (difference.empty()) {
        result_.unknown++;
        return;
    }
    if (difference.empty()) {
        result_.equal++;
        return;
    }
    result_.different++;
    print(strprintf("picture %llu, session %u, job %zu%s", static_cast<unsigned long long>(name.second / 1000),
                    name.first, known.firstJob, difference.c_str()));
}

} // namespace v4l2_request::tools
