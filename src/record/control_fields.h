// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace v4l2_request::record {

// One field of a control, as the compiler lays it out. A flags member has one for each flag; an array one for each of
// its rows, so that of [6][64] there are six.
struct ControlField {
    enum class Kind { Value, Flag, Reserved };
    const char* codec;
    const char* control;
    uint32_t id;       // of the control
    size_t structSize; // of one element of the control, bytes
    const char* name;  // CONTROL.member
    size_t offset;     // within the element
    size_t size;       // of a number
    size_t count;      // of numbers; 1 if it is no array
    bool isSigned;
    Kind kind;
    uint64_t mask;  // of a flag: its bit
    size_t repeats; // structs that follow one another, of which this is the first: "[0]" in its name
    size_t stride;  // from one to the next, bytes
};

// All fields of all controls of stateless decoders that the kernel headers know, in the order of the structs; every
// byte of a struct belongs to one field. control_fields.py makes the table from the headers, for every build anew.
std::span<const ControlField> controlFields();

} // namespace v4l2_request::record
