// SPDX-License-Identifier: MIT
#include "tools/replay/controls.h"

#include <algorithm>
#include <charconv>

#include "util/log.h"

namespace v4l2_request::tools {

namespace {

using record::ControlField;

// Controls are in the byte order of the machine, which is little endian wherever there is such a decoder.
uint64_t load(const uint8_t* at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= uint64_t{at[i]} << 8 * i;
    return value;
}

void store(uint8_t* at, size_t size, uint64_t value) {
    for (size_t i = 0; i < size; i++)
        at[i] = static_cast<uint8_t>(value >> 8 * i);
}

std::string number(uint64_t value, const ControlField& field) {
    if (!field.isSigned)
        return std::to_string(value);
    const unsigned unused = 64 - 8 * static_cast<unsigned>(field.size);
    return std::to_string(static_cast<int64_t>(value << unused) >> unused);
}

// The name of one of the structs that follow one another.
std::string nameOf(const ControlField& field, size_t repeat) {
    std::string name = field.name;
    if (const size_t at = name.find("[0]"); field.repeats > 1 && at != std::string::npos)
        name.replace(at, 3, '[' + std::to_string(repeat) + ']');
    return name;
}

// What is in front of the index.
std::string_view arrayOf(const ControlField& field) {
    const std::string_view name = field.name;
    return name.substr(0, name.find('['));
}

std::string hex(const record::Blob& bytes) {
    std::string text;
    for (const uint8_t byte : bytes)
        text += strprintf("%02x", byte);
    return text;
}

std::optional<int64_t> parseNumber(std::string_view text) {
    const bool negative = text.starts_with('-');
    text.remove_prefix(negative);
    const bool hexadecimal = text.starts_with("0x");
    text.remove_prefix(hexadecimal ? 2 : 0);
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return static_cast<int64_t>(negative ? 0 - value : value);
}

} // namespace

std::string ControlTable::name(uint32_t id) const {
    const auto field = std::find_if(fields_.begin(), fields_.end(), [&](const auto& f) { return f.id == id; });
    return field == fields_.end() ? strprintf("%#x", id) : field->control;
}

std::vector<ControlTable::Value> ControlTable::values(const record::Control& control) const {
    std::vector<Value> values;
    const auto first = std::find_if(fields_.begin(), fields_.end(), [&](const auto& f) { return f.id == control.id; });
    if (first == fields_.end()) {
        const bool zero = std::all_of(control.payload.begin(), control.payload.end(), [](uint8_t b) { return !b; });
        values.push_back({name(control.id), hex(control.payload), zero});
        return values;
    }
    const size_t size = first->structSize, elements = control.payload.size() / size;
    const auto last = std::find_if(first, fields_.end(), [&](const auto& f) { return f.id != control.id; });
    const auto add = [&](const ControlField& field, size_t element, size_t repeat) {
        std::string fieldName = nameOf(field, repeat);
        if (elements > 1)
            fieldName.insert(std::string(field.control).size(), '[' + std::to_string(element) + ']');
        const uint8_t* at = control.payload.data() + element * size + field.offset + repeat * field.stride;
        std::string text;
        bool zero = true;
        for (size_t i = 0; i < field.count; i++) {
            uint64_t value = load(at + i * field.size, field.size);
            if (field.kind == ControlField::Kind::Flag)
                value = (value & field.mask) != 0;
            else if (field.mask)
                value &= field.mask;
            zero = zero && value == 0;
            text += (i ? " " : "") + number(value, field);
        }
        values.push_back({std::move(fieldName), std::move(text), zero});
    };
    for (size_t element = 0; element < elements; element++)
        for (auto field = first; field != last;) {
            // Structs that follow one another are shown one after the other.
            const auto end = field->repeats == 1 ? field + 1 : std::find_if(field, last, [&](const auto& other) {
                return other.repeats == 1 || arrayOf(other) != arrayOf(*field);
            });
            for (size_t repeat = 0; repeat < field->repeats; repeat++)
                for (auto member = field; member != end; ++member)
                    add(*member, element, repeat);
            field = end;
        }
    return values;
}

std::string ControlTable::text(const record::Control& control) const {
    std::string text;
    for (const Value& value : values(control))
        if (!value.zero)
            text += value.name + " = " + value.text + '\n';
    return text.empty() ? name(control.id) + ": all zero\n" : text;
}

std::string ControlTable::differences(const record::Control& a, const record::Control& b) const {
    if (a.payload.size() != b.payload.size())
        return strprintf("%s: %zu bytes, and %zu\n", name(a.id).c_str(), a.payload.size(), b.payload.size());
    const auto ours = values(a), theirs = values(b);
    std::string text;
    for (size_t i = 0; i < ours.size(); i++)
        if (ours[i].text != theirs[i].text)
            text += ours[i].name + ": " + ours[i].text + ", and " + theirs[i].text + '\n';
    return text;
}

Result<ControlTable::Change> ControlTable::parse(const std::string& text) const {
    Change change;
    std::string_view rest = text;
    if (const size_t colon = rest.find(':'); colon != std::string_view::npos) {
        const auto job = parseNumber(rest.substr(0, colon));
        if (!job || *job < 0)
            return fail(ErrorKind::InvalidParameter, text + ": what is in front of ':' is no job's number");
        change.job = static_cast<size_t>(*job);
        rest.remove_prefix(colon + 1);
    }
    const size_t equals = rest.find('=');
    const auto value = equals == std::string_view::npos ? std::nullopt : parseNumber(rest.substr(equals + 1));
    if (!value)
        return fail(ErrorKind::InvalidParameter, text + " is not FIELD=NUMBER");
    change.value = *value;
    const std::string_view wanted = rest.substr(0, equals);
    for (const ControlField& field : fields_)
        for (size_t repeat = 0; repeat < field.repeats; repeat++) {
            const std::string name = nameOf(field, repeat);
            if (!wanted.starts_with(name))
                continue;
            std::string_view index = wanted.substr(name.size());
            if (!index.empty() && (index.front() != '[' || index.back() != ']'))
                continue;
            const auto element =
                index.empty() ? std::optional<int64_t>(0) : parseNumber(index.substr(1, index.size() - 2));
            if (!element || *element < 0 || static_cast<size_t>(*element) >= field.count)
                continue;
            change.field = &field;
            change.repeat = repeat;
            change.element = static_cast<size_t>(*element);
            return change;
        }
    return fail(ErrorKind::InvalidParameter, std::string(wanted) + " is no field; --show names those of a job");
}

bool ControlTable::apply(const Change& change, record::Control& control) {
    const ControlField& field = *change.field;
    const size_t offset = field.offset + change.repeat * field.stride + change.element * field.size;
    if (control.id != field.id || offset + field.size > control.payload.size())
        return false;
    uint8_t* at = control.payload.data() + offset;
    const uint64_t before = load(at, field.size);
    auto value = static_cast<uint64_t>(change.value);
    if (field.kind == ControlField::Kind::Flag)
        value = change.value ? before | field.mask : before & ~field.mask;
    store(at, field.size, value);
    return true;
}

} // namespace v4l2_request::tools
