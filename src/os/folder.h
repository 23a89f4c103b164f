// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <dirent.h>

namespace v4l2_request::os {

// The names in a folder, in no order; none if it cannot be read. Not by std::filesystem: libstdc++ ends the process
// where its iterator finds no memory.
inline std::vector<std::string> namesIn(const char* path) {
    struct Close {
        void operator()(DIR* folder) const { ::closedir(folder); }
    };
    std::vector<std::string> names;
    const std::unique_ptr<DIR, Close> folder(::opendir(path));
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr)
        if (const std::string name = entry->d_name; name != "." && name != "..")
            names.push_back(name);
    return names;
}

} // namespace v4l2_request::os
