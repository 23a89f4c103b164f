// SPDX-License-Identifier: MIT
#pragma once

#include <map>

#include "recording_format.h"
#include "stream.h"

namespace va_suite {

// What an unmodified client submitted for a stream (faults/va_recorder.cpp), to be submitted again by a player, into
// any surfaces. A frame is what lands in one surface: one picture, or two fields.
class Recording final : public Stream {
public:
    explicit Recording(const std::string& path);

    const std::string path;

    size_t frameCount() const override { return frameCount_; }
    size_t frameOf(size_t picture) const override { return pictures_[picture].frame; }
    bool isSecondField(size_t picture) const {
        return picture > 0 && pictures_[picture].frame == pictures_[picture - 1].frame;
    }
    // The frames that a picture names: those it may be predicted from.
    std::vector<size_t> references(size_t picture) const;
    // Whether the client expects nothing of earlier pictures: it names none.
    bool isIntra(size_t picture) const { return references(picture).empty(); }
    // Whether a context that begins with this picture can be known to go on with the stream: the picture names another,
    // or no later one names what came before. MPEG-2's I pictures name none, even where the B pictures that come after
    // them, of an open GOP, are predicted from the picture before as well (ISO/IEC 13818-2, 6.3.8).
    bool tellsItsStream(size_t picture) const;
    // The most surfaces that hold a frame that is still needed, at any time.
    size_t poolSize() const;

    Picture picture(size_t index, std::span<const VASurfaceID> surfaces) const override;
    void redirectReferences(Picture&, VASurfaceID) const override;
    void resize(Picture&, unsigned, unsigned) const override;

private:
    struct Name { // a surface id in a buffer
        size_t buffer, offset;
        size_t frame;
    };
    struct Buffer {
        VABufferType type;
        unsigned elements;
        Bytes bytes;
    };
    struct Submitted {
        size_t frame;
        std::vector<Buffer> buffers;
        std::vector<Name> names;
    };

    static bool isField(int profile, const std::vector<Buffer>& buffers);
    void nameFrames(Submitted& picture, const std::map<VASurfaceID, size_t>& frames) const;

    std::vector<Submitted> pictures_;
    size_t frameCount_ = 0;
};

} // namespace va_suite
