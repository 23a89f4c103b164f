// SPDX-License-Identifier: MIT
#include <algorithm>

#include "tools/report.h"

namespace v4l2_request::tools {

namespace {

constexpr size_t lineWidth = 100;

bool isScalar(const Json& value) {
    return !value.is_structured() || value.empty() || (value.is_array() && value.size() == 1 && isScalar(value[0]));
}

// A value without parts, or of one, as one piece of text; control characters of strange devices do not reach the
// terminal.
std::string scalar(const Json& value) {
    if (value.is_array() && value.size() == 1)
        return scalar(value[0]);
    if (value.is_boolean())
        return value.get<bool>() ? "yes" : "no";
    if (value.empty() && !value.is_string())
        return "none";
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
    return text.empty() ? "(empty)" : text;
}

// Several values in one line, if they can be told apart there: "a, b" and "x 1, y 2".
std::optional<std::string> inOneLine(const Json& value) {
    std::string line;
    for (const auto& [name, part] : value.items()) {
        const std::string text = isScalar(part) ? scalar(part) : "";
        if (text.empty() || text.find(',') != std::string::npos)
            return std::nullopt;
        line += line.empty() ? "" : ", ";
        if (value.is_object())
            line += name + " ";
        line += text;
        if (line.size() > lineWidth)
            return std::nullopt;
    }
    return line;
}

void write(std::string& text, const Json& value, const std::string& indent) {
    for (const auto& [name, part] : value.items()) {
        text += indent;
        text += value.is_object() ? name + ":" : "-";
        if (isScalar(part))
            text += " " + scalar(part) + "\n";
        else if (const auto line = inOneLine(part))
            text += " " + *line + "\n";
        else {
            text += "\n";
            write(text, part, indent + "  ");
        }
    }
}

} // namespace

std::string toText(const Json& report) {
    // There and back: what the kernel says need not be UTF-8, and dump() alone replaces what is not.
    const Json clean = Json::parse(report.dump(-1, ' ', false, Json::error_handler_t::replace));
    std::string text;
    write(text, clean, "");
    return text;
}

} // namespace v4l2_request::tools
