// SPDX-License-Identifier: MIT
#include "v4l2/media_device.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <fcntl.h>
#include <linux/media.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "os/folder.h"
#include "util/log.h"
#include "v4l2/ioctl.h"

namespace v4l2_request::v4l2 {

std::vector<std::string> listNodes(const std::string& prefix) {
    std::vector<std::pair<unsigned, std::string>> found;
    for (const std::string& name : os::namesIn("/dev")) {
        unsigned number = 0;
        if (!name.starts_with(prefix))
            continue;
        const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
        if (error == std::errc() && end == name.data() + name.size())
            found.emplace_back(number, "/dev/" + name);
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> paths;
    for (auto& [number, path] : found)
        paths.push_back(std::move(path));
    return paths;
}

namespace {

struct Topology {
    std::vector<media_v2_entity> entities;
    std::vector<media_v2_interface> interfaces;
    std::vector<media_v2_pad> pads;
    std::vector<media_v2_link> links;
};

template <typename T>
uint64_t pointerTo(std::vector<T>& elements) {
    return reinterpret_cast<uintptr_t>(elements.data());
}

// Asks twice, for the sizes and then for the contents, until the topology has not changed in between.
Result<Topology> readTopology(int fd) {
    for (int attempt = 0; attempt < 8; attempt++) {
        media_v2_topology sizes{};
        if (const int error = callIoctl(fd, MEDIA_IOC_G_TOPOLOGY, &sizes))
            return ioctlError("MEDIA_IOC_G_TOPOLOGY", error);
        Topology topology{
            .entities = std::vector<media_v2_entity>(sizes.num_entities),
            .interfaces = std::vector<media_v2_interface>(sizes.num_interfaces),
            .pads = std::vector<media_v2_pad>(sizes.num_pads),
            .links = std::vector<media_v2_link>(sizes.num_links),
        };
        media_v2_topology contents = sizes;
        contents.ptr_entities = pointerTo(topology.entities);
        contents.ptr_interfaces = pointerTo(topology.interfaces);
        contents.ptr_pads = pointerTo(topology.pads);
        contents.ptr_links = pointerTo(topology.links);
        const int error = callIoctl(fd, MEDIA_IOC_G_TOPOLOGY, &contents);
        if (error == ENOSPC || (!error && contents.topology_version != sizes.topology_version))
            continue;
        if (error)
            return ioctlError("MEDIA_IOC_G_TOPOLOGY", error);
        return topology;
    }
    return fail(ErrorKind::Device, "the media topology does not stop changing");
}

// An entity and those that share a data link with it.
std::set<uint32_t> neighbourhood(const Topology& topology, uint32_t entity) {
    const auto entityOfPad = [&](uint32_t id) {
        const auto pad = std::find_if(topology.pads.begin(), topology.pads.end(), [&](auto& p) { return p.id == id; });
        return pad == topology.pads.end() ? 0 : pad->entity_id;
    };
    std::set<uint32_t> neighbours{entity};
    for (const media_v2_link& link : topology.links) {
        if ((link.flags & MEDIA_LNK_FL_LINK_TYPE) != MEDIA_LNK_FL_DATA_LINK)
            continue;
        const uint32_t source = entityOfPad(link.source_id), sink = entityOfPad(link.sink_id);
        if (source == entity)
            neighbours.insert(sink);
        if (sink == entity)
            neighbours.insert(source);
    }
    return neighbours;
}

// The video devices whose interface is linked to one of these entities.
std::vector<dev_t> videoDevices(const Topology& topology, const std::set<uint32_t>& entities) {
    std::vector<dev_t> devices;
    for (const media_v2_interface& interface : topology.interfaces) {
        if (interface.intf_type != MEDIA_INTF_T_V4L_VIDEO)
            continue;
        const bool linked = std::any_of(topology.links.begin(), topology.links.end(), [&](const media_v2_link& link) {
            return (link.flags & MEDIA_LNK_FL_LINK_TYPE) == MEDIA_LNK_FL_INTERFACE_LINK &&
                   link.source_id == interface.id && entities.count(link.sink_id);
        });
        if (linked)
            devices.push_back(makedev(interface.devnode.major, interface.devnode.minor));
    }
    return devices;
}

// The nodes of video devices by device number, through /dev, not through sysfs: sandboxes hide the latter first.
using VideoNodes = std::map<dev_t, std::string>;

VideoNodes videoNodes() {
    VideoNodes nodes;
    for (std::string& path : listNodes("video")) {
        struct stat status {};
        if (::stat(path.c_str(), &status) == 0 && S_ISCHR(status.st_mode))
            nodes.try_emplace(status.st_rdev, std::move(path));
    }
    return nodes;
}

void readEntities(const Topology& topology, const VideoNodes& nodes, MediaDevice& media) {
    for (const media_v2_entity& entity : topology.entities) {
        MediaDevice::Entity& added = media.entities.emplace_back();
        added.name = fieldText(entity.name);
        added.function = entity.function;
        for (const dev_t device : videoDevices(topology, {entity.id}))
            if (const auto node = nodes.find(device); node != nodes.end())
                added.videoPaths.push_back(node->second);
        if (entity.function != MEDIA_ENT_F_PROC_VIDEO_DECODER)
            continue;
        for (const dev_t device : videoDevices(topology, neighbourhood(topology, entity.id))) {
            if (const auto node = nodes.find(device); node != nodes.end())
                media.decoders.push_back({media.path, node->second, media.driver, media.model});
            else
                media.faults.push_back(
                    strprintf("no node in /dev for its video device %u:%u", major(device), minor(device)));
        }
    }
    if (media.decoders.empty())
        media.faults.emplace_back("has no video decoder");
}

MediaDevice inspect(const std::string& path, const VideoNodes& nodes) {
    MediaDevice media{.path = path};
    const os::UniqueFd fd = os::openNode(path.c_str(), O_RDWR);
    if (!fd.valid()) {
        media.faults.push_back(std::string("cannot be opened: ") + std::strerror(errno));
        return media;
    }
    media_device_info info{};
    if (const int error = callIoctl(fd.get(), MEDIA_IOC_DEVICE_INFO, &info)) {
        media.faults.push_back(ioctlError("MEDIA_IOC_DEVICE_INFO", error).value().message);
        return media;
    }
    media.driver = fieldText(info.driver);
    media.model = fieldText(info.model);
    media.bus = fieldText(info.bus_info);
    media.driverVersion = info.driver_version;
    if (const auto topology = readTopology(fd.get()))
        readEntities(*topology, nodes, media);
    else
        media.faults.push_back(topology.error().message);
    return media;
}

} // namespace

std::vector<MediaDevice> findMediaDevices() {
    std::vector<MediaDevice> devices;
    const VideoNodes nodes = videoNodes();
    for (const std::string& path : listNodes("media"))
        devices.push_back(inspect(path, nodes));
    return devices;
}

Result<Request> Request::allocate(int mediaFd) {
    int fd = -1;
    if (const int error = callIoctl(mediaFd, MEDIA_IOC_REQUEST_ALLOC, &fd))
        return ioctlError("MEDIA_IOC_REQUEST_ALLOC", error);
    return Request(os::UniqueFd(fd));
}

Result<void> Request::queue() {
    if (const int error = callIoctl(fd_.get(), MEDIA_REQUEST_IOC_QUEUE, nullptr))
        return ioctlError("MEDIA_REQUEST_IOC_QUEUE", error);
    return {};
}

Result<void> Request::reinit() {
    if (const int error = callIoctl(fd_.get(), MEDIA_REQUEST_IOC_REINIT, nullptr))
        return ioctlError("MEDIA_REQUEST_IOC_REINIT", error);
    return {};
}

} // namespace v4l2_request::v4l2
