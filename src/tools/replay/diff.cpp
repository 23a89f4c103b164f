// SPDX-License-Identifier: MIT
#include "tools/replay/diff.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

#include "util/log.h"

namespace v4l2_request::tools {

namespace {

using record::Queued;

// What was queued, in order, and what came out.
struct Pictures {
    std::vector<const Queued*> queued;
    std::map<std::pair<uint32_t, uint64_t>, const record::Checksum*> checksums;

    explicit Pictures(const record::Recording& recording) {
        for (const auto& event : recording.events)
            if (const auto* picture = std::get_if<Queued>(&event))
                queued.push_back(picture);
            else if (const auto* checksum = std::get_if<record::Checksum>(&event))
                checksums[{checksum->session, checksum->picture}] = checksum;
    }
    const record::Checksum* checksumOf(const Queued& picture) const {
        const auto found = checksums.find({picture.session, picture.picture});
        return found == checksums.end() || found->second->why ? nullptr : found->second;
    }
};

std::string compareJobs(const record::Job& a, const record::Job& b, const ControlTable& table) {
    std::string text;
    for (size_t i = 0; i < std::max(a.controls.size(), b.controls.size()); i++) {
        if (i >= a.controls.size() || i >= b.controls.size() || a.controls[i].id != b.controls[i].id) {
            const auto names = [&](const record::Job& job) {
                std::string list;
                for (const record::Control& control : job.controls)
                    list += ' ' + table.name(control.id);
                return list;
            };
            return text + "controls" + names(a) + ", and" + names(b) + '\n';
        }
        if (a.controls[i].payload != b.controls[i].payload)
            text += table.differences(a.controls[i], b.controls[i]);
    }
    if (a.bitstream != b.bitstream) {
        const auto [left, right] =
            std::mismatch(a.bitstream.begin(), a.bitstream.end(), b.bitstream.begin(), b.bitstream.end());
        text += strprintf("bitstream: %zu bytes, and %zu, equal up to byte %td\n", a.bitstream.size(),
                          b.bitstream.size(), left - a.bitstream.begin());
    }
    return text;
}

std::set<std::pair<uint64_t, uint32_t>> referencesOf(const Queued& picture) {
    std::set<std::pair<uint64_t, uint32_t>> references;
    for (const record::Reference& reference : picture.references)
        references.emplace(reference.picture, reference.flags);
    return references;
}

std::string comparePictures(const Queued& a, const Queued& b, const ControlTable& table) {
    std::string text;
    if (a.picture != b.picture)
        text += strprintf("name: %llu, and %llu\n", static_cast<unsigned long long>(a.picture / 1000),
                          static_cast<unsigned long long>(b.picture / 1000));
    if (a.flags != b.flags)
        text += strprintf("flags: %#x, and %#x\n", a.flags, b.flags);
    // Their order is that in which clients name them.
    if (referencesOf(a) != referencesOf(b))
        text += "other references\n";
    if (a.jobs.size() != b.jobs.size())
        return text + strprintf("jobs: %zu, and %zu\n", a.jobs.size(), b.jobs.size());
    for (size_t i = 0; i < a.jobs.size(); i++)
        text += compareJobs(a.jobs[i], b.jobs[i], table);
    return text;
}

void printIndented(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
        const size_t end = text.find('\n', at);
        std::printf("  %s\n", text.substr(at, end - at).c_str());
        at = end == std::string::npos ? text.size() : end + 1;
    }
}

} // namespace

bool compareRecordings(const record::Recording& a, const record::Recording& b, const ControlTable& table,
                       bool pictures) {
    const Pictures ours(a), theirs(b);
    const size_t common = std::min(ours.queued.size(), theirs.queued.size());
    size_t different = 0, compared = 0, job = 0;
    constexpr size_t shown = 20;
    for (size_t i = 0; i < common; i++) {
        const Queued &left = *ours.queued[i], &right = *theirs.queued[i];
        std::string text = comparePictures(left, right, table);
        const record::Checksum *before = ours.checksumOf(left), *after = theirs.checksumOf(right);
        if (pictures && before && after) {
            compared++;
            if (before->xxh64 != after->xxh64)
                text += "other pixels\n";
        }
        if (!text.empty() && different++ < shown) {
            std::printf("picture %llu, session %u, job %zu:\n", static_cast<unsigned long long>(left.picture / 1000),
                        left.session, job);
            printIndented(text);
        }
        job += left.jobs.size();
    }
    if (ours.queued.size() != theirs.queued.size())
        std::printf("%zu pictures, and %zu\n", ours.queued.size(), theirs.queued.size());
    std::printf("%zu pictures of %zu jobs: %zu equal, %zu different; %zu checksums compared\n", common, job,
                common - different, different, compared);
    return !different && ours.queued.size() == theirs.queued.size();
}

} // namespace v4l2_request::tools
