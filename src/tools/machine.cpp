// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <drm.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "os/unique_fd.h"
#include "tools/report.h"
#include "util/log.h"
#include "v4l2/ioctl.h"

namespace v4l2_request::tools {

namespace {

// The variables that decide which driver a client gets, and what it hears of it.
constexpr const char* variables[] = {"LIBVA_DRIVER_NAME", "LIBVA_DRIVERS_PATH",         "LIBVA_MESSAGING_LEVEL",
                                     "V4L2_REQUEST_LOG",  "GST_VA_ALL_DRIVERS",         "MOZ_DISABLE_RDD_SANDBOX",
                                     "XDG_SESSION_TYPE",  "MOZ_DISABLE_CONTENT_SANDBOX"};

// A property of the device tree: strings, each with a zero behind it.
Json deviceTreeStrings(const char* property) {
    std::ifstream file(std::string("/proc/device-tree/") + property, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    Json strings = Json::array();
    std::istringstream stream(bytes);
    for (std::string text; std::getline(stream, text, '\0');)
        strings.push_back(text);
    return strings;
}

std::string groupName(gid_t id) {
    const group* entry = ::getgrgid(id);
    return entry ? entry->gr_name : std::to_string(id);
}

std::string userName(uid_t id) {
    const passwd* entry = ::getpwuid(id);
    return entry ? entry->pw_name : std::to_string(id);
}

// The groups of this process; not its name, which is nobody's business.
Json groups() {
    std::vector<gid_t> ids(static_cast<size_t>(std::max(0, ::getgroups(0, nullptr))));
    const int count = ::getgroups(static_cast<int>(ids.size()), ids.data());
    ids.resize(static_cast<size_t>(std::max(0, count)));
    ids.push_back(::getegid());
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    Json names = Json::array();
    for (const gid_t id : ids)
        names.push_back(groupName(id));
    return names;
}

// The kernel's driver behind a DRM node, which libva's name for the VA driver is made of.
std::string drmDriver(const std::string& path, std::string& fault) {
    const os::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd.valid()) {
        fault = std::string("cannot be opened: ") + std::strerror(errno);
        return {};
    }
    char name[64]{};
    drm_version version{};
    version.name = name;
    version.name_len = sizeof(name) - 1;
    if (const int error = v4l2::callIoctl(fd.get(), DRM_IOCTL_VERSION, &version)) {
        fault = std::string("DRM_IOCTL_VERSION: ") + std::strerror(error);
        return {};
    }
    return v4l2::fieldText(name);
}

} // namespace

std::string versionName(uint32_t version) {
    return strprintf("%u.%u.%u", version >> 16, version >> 8 & 0xff, version & 0xff);
}

std::string describeAccess(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status))
        return std::strerror(errno);
    return strprintf("%s:%s %04o", userName(status.st_uid).c_str(), groupName(status.st_gid).c_str(),
                     status.st_mode & 07777) +
           (::access(path.c_str(), R_OK | W_OK) ? std::string(": ") + std::strerror(errno) : "");
}

Json describeMachine() {
    utsname names{};
    ::uname(&names);
    Json environment = Json::object();
    for (const char* variable : variables)
        if (const char* value = std::getenv(variable))
            environment[variable] = value;
    return {{"kernel", strprintf("%s %s %s", names.sysname, names.release, names.machine)},
            {"kernel_build", names.version},
            {"model", deviceTreeStrings("model")},
            {"compatible", deviceTreeStrings("compatible")},
            {"groups", groups()},
            {"root", ::geteuid() == 0},
            {"environment", environment}};
}

Json describeDrmNodes() {
    std::vector<std::string> paths;
    std::error_code error;
    for (std::filesystem::directory_iterator entry("/dev/dri", error), end; !error && entry != end;
         entry.increment(error))
        if (!entry->is_directory(error))
            paths.push_back(entry->path());
    std::sort(paths.begin(), paths.end());
    Json nodes = Json::object();
    for (const std::string& path : paths) {
        std::string fault;
        const std::string driver = drmDriver(path, fault);
        nodes[path] = {{"driver", driver}, {"access", describeAccess(path)}};
        if (!fault.empty())
            nodes[path]["fault"] = fault;
    }
    return nodes;
}

} // namespace v4l2_request::tools
