// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "record/control_fields.h"
#include "record/format.h"
#include "util/result.h"

// Controls for people: as text, compared, and changed field by field.
namespace v4l2_request::tools {

class ControlTable {
public:
    ControlTable() : fields_(record::controlFields()) {}

    // The kernel's name of a control, without its prefix, or its number.
    std::string name(uint32_t id) const;
    // A line for each field that is not zero; of flags, those that are set.
    std::string text(const record::Control& control) const;
    // A line for each field that is not the same in the two; both are of the same id.
    std::string differences(const record::Control& a, const record::Control& b) const;

    // A field that is to have another value: "H264_SPS.level_idc", "H264_DECODE_PARAMS.dpb[3].pic_num",
    // "MPEG2_PICTURE.f_code[0][1]", "VP8_FRAME.flags KEY_FRAME".
    struct Change {
        std::optional<size_t> job; // nothing: every job that has the control
        const record::ControlField* field = nullptr;
        size_t repeat = 0, element = 0;
        int64_t value = 0;
    };
    // From "FIELD=VALUE" or "JOB:FIELD=VALUE".
    Result<Change> parse(const std::string& text) const;
    // Whether the control has the field, and has it changed.
    static bool apply(const Change& change, record::Control& control);

private:
    struct Value {
        std::string name;
        std::string text;
        bool zero;
    };
    // All fields with their values.
    std::vector<Value> values(const record::Control& control) const;

    std::span<const record::ControlField> fields_;
};

} // namespace v4l2_request::tools
