// SPDX-License-Identifier: MIT
//
// Prints every field of every control (src/record/control_fields.h): what scripts/mutation-proof corrupts, one after
// the other. A line, separated by tabs:
//
//   codec, control, id (hexadecimal), field, offset, size of an element, elements, kind, mask (hexadecimal)
//
// Kinds are "value", "flag" (mask: its bit) and "reserved", which holds nothing. Of structs that follow one another in
// a control, the first has to do: the others are of other pictures, not other fields.
#include <cinttypes>
#include <cstdio>

#include "record/control_fields.h"

int main() {
    using v4l2_request::record::ControlField;
    constexpr const char* kinds[] = {"value", "flag", "reserved"};
    for (const ControlField& field : v4l2_request::record::controlFields())
        std::printf("%s\t%s\t%" PRIx32 "\t%s\t%zu\t%zu\t%zu\t%s\t%" PRIx64 "\n", field.codec, field.control, field.id,
                    field.name, field.offset, field.size, field.count, kinds[static_cast<size_t>(field.kind)],
                    field.mask);
    return 0;
}
