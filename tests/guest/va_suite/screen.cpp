// SPDX-License-Identifier: MIT
#include "screen.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <drm.h>
#include <drm_fourcc.h>
#include <drm_mode.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace va_suite {

namespace {

template <typename T>
void call(int fd, unsigned long request, T& argument, const char* what) {
    int result;
    do
        result = ::ioctl(fd, request, &argument);
    while (result < 0 && errno == EINTR);
    if (result < 0)
        throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}
#define CALL(request, argument) call(fd_, request, argument, #request)

uint64_t address(const void* pointer) {
    return reinterpret_cast<uintptr_t>(pointer);
}

int openVkms() {
    for (const auto& entry : std::filesystem::directory_iterator("/dev/dri")) {
        if (entry.path().filename().string().rfind("card", 0) != 0)
            continue;
        const int fd = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
        char name[8] = {};
        drm_version version{};
        version.name = name;
        version.name_len = sizeof(name) - 1;
        if (fd >= 0 && ::ioctl(fd, DRM_IOCTL_VERSION, &version) == 0 && std::strcmp(name, "vkms") == 0)
            return fd;
        if (fd >= 0)
            ::close(fd);
    }
    return -1;
}

} // namespace

Screen::Screen() : fd_(openVkms()) {
    if (fd_ < 0 && std::system("modprobe vkms") == 0) // NOLINT(concurrency-mt-unsafe): before anything else runs
        fd_ = openVkms();
    if (fd_ < 0)
        throw std::runtime_error("there is no vkms");
    for (const uint64_t capability :
         {DRM_CLIENT_CAP_UNIVERSAL_PLANES, DRM_CLIENT_CAP_ATOMIC, DRM_CLIENT_CAP_WRITEBACK_CONNECTORS}) {
        drm_set_client_cap cap{capability, 1};
        CALL(DRM_IOCTL_SET_CLIENT_CAP, cap);
    }
    findPipeline();
    makeWriteback();
}

Screen::~Screen() {
    if (pixels_)
        ::munmap(pixels_, size_);
    ::close(fd_); // and with it all objects
}

std::map<uint32_t, uint64_t> Screen::valuesOf(uint32_t object, uint32_t type) const {
    drm_mode_obj_get_properties query{};
    query.obj_id = object;
    query.obj_type = type;
    CALL(DRM_IOCTL_MODE_OBJ_GETPROPERTIES, query);
    std::vector<uint32_t> ids(query.count_props);
    std::vector<uint64_t> values(query.count_props);
    query.props_ptr = address(ids.data());
    query.prop_values_ptr = address(values.data());
    CALL(DRM_IOCTL_MODE_OBJ_GETPROPERTIES, query);
    std::map<uint32_t, uint64_t> valueOfId;
    for (size_t i = 0; i < ids.size(); i++)
        valueOfId[ids[i]] = values[i];
    return valueOfId;
}

Screen::Properties Screen::propertiesOf(uint32_t object, uint32_t type) const {
    Properties properties;
    for (const auto& [id, value] : valuesOf(object, type)) {
        drm_mode_get_property property{};
        property.prop_id = id;
        CALL(DRM_IOCTL_MODE_GETPROPERTY, property);
        properties[property.name] = id;
    }
    return properties;
}

// The one CRTC, its primary plane, and the connector that writes back, with its smallest mode.
void Screen::findPipeline() {
    drm_mode_card_res resources{};
    CALL(DRM_IOCTL_MODE_GETRESOURCES, resources);
    std::vector<uint32_t> crtcs(resources.count_crtcs), connectors(resources.count_connectors);
    drm_mode_card_res again{};
    again.count_crtcs = resources.count_crtcs;
    again.count_connectors = resources.count_connectors;
    again.crtc_id_ptr = address(crtcs.data());
    again.connector_id_ptr = address(connectors.data());
    CALL(DRM_IOCTL_MODE_GETRESOURCES, again);
    crtc_ = crtcs.at(0);

    drm_mode_modeinfo best{};
    for (const uint32_t id : connectors) {
        drm_mode_get_connector query{};
        query.connector_id = id;
        CALL(DRM_IOCTL_MODE_GETCONNECTOR, query);
        if (query.connector_type != DRM_MODE_CONNECTOR_WRITEBACK)
            continue;
        connector_ = id;
        std::vector<drm_mode_modeinfo> modes(query.count_modes);
        drm_mode_get_connector full{};
        full.connector_id = id;
        full.count_modes = query.count_modes;
        full.modes_ptr = address(modes.data());
        CALL(DRM_IOCTL_MODE_GETCONNECTOR, full);
        for (const drm_mode_modeinfo& mode : modes)
            if (!best.hdisplay || mode.hdisplay < best.hdisplay)
                best = mode;
    }
    if (!connector_ || !best.hdisplay)
        throw std::runtime_error("vkms has no connector that writes back");
    width_ = best.hdisplay;
    height_ = best.vdisplay;
    drm_mode_create_blob blob{};
    blob.data = address(&best);
    blob.length = sizeof(best);
    CALL(DRM_IOCTL_MODE_CREATEPROPBLOB, blob);
    mode_ = blob.blob_id;

    drm_mode_get_plane_res planes{};
    CALL(DRM_IOCTL_MODE_GETPLANERESOURCES, planes);
    std::vector<uint32_t> ids(planes.count_planes);
    planes.plane_id_ptr = address(ids.data());
    CALL(DRM_IOCTL_MODE_GETPLANERESOURCES, planes);
    constexpr uint64_t primary = 1; // DRM_PLANE_TYPE_PRIMARY
    for (const uint32_t id : ids)
        if (!plane_ &&
            valuesOf(id, DRM_MODE_OBJECT_PLANE).at(propertiesOf(id, DRM_MODE_OBJECT_PLANE).at("type")) == primary)
            plane_ = id;
}

void Screen::makeWriteback() {
    drm_mode_create_dumb dumb{};
    dumb.width = width_;
    dumb.height = height_;
    dumb.bpp = 32;
    CALL(DRM_IOCTL_MODE_CREATE_DUMB, dumb);
    handle_ = dumb.handle;
    pitch_ = dumb.pitch;
    size_ = dumb.size;
    drm_mode_fb_cmd2 framebuffer{};
    framebuffer.width = width_;
    framebuffer.height = height_;
    framebuffer.pixel_format = DRM_FORMAT_XRGB8888;
    framebuffer.handles[0] = handle_;
    framebuffer.pitches[0] = pitch_;
    CALL(DRM_IOCTL_MODE_ADDFB2, framebuffer);
    framebuffer_ = framebuffer.fb_id;
    drm_mode_map_dumb map{};
    map.handle = handle_;
    CALL(DRM_IOCTL_MODE_MAP_DUMB, map);
    void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_, static_cast<off_t>(map.offset));
    if (mapped == MAP_FAILED)
        throw std::runtime_error("what is written back cannot be mapped");
    pixels_ = static_cast<uint8_t*>(mapped);
}

// Shows the framebuffer in the upper left corner, and waits until the screen is written back.
void Screen::commit(uint32_t framebuffer, uint32_t width, uint32_t height) {
    int fence = -1;
    struct Setting {
        const char* name;
        uint64_t value;
    };
    struct Object {
        uint32_t id, type;
        std::vector<Setting> settings;
    };
    const std::vector<Object> objects{
        {connector_,
         DRM_MODE_OBJECT_CONNECTOR,
         {{"CRTC_ID", crtc_}, {"WRITEBACK_FB_ID", framebuffer_}, {"WRITEBACK_OUT_FENCE_PTR", address(&fence)}}},
        {crtc_, DRM_MODE_OBJECT_CRTC, {{"MODE_ID", mode_}, {"ACTIVE", 1}}},
        {plane_,
         DRM_MODE_OBJECT_PLANE,
         {{"FB_ID", framebuffer},
          {"CRTC_ID", crtc_},
          {"SRC_X", 0},
          {"SRC_Y", 0},
          {"SRC_W", uint64_t{width} << 16},
          {"SRC_H", uint64_t{height} << 16},
          {"CRTC_X", 0},
          {"CRTC_Y", 0},
          {"CRTC_W", width},
          {"CRTC_H", height}}},
    };
    std::vector<uint32_t> ids, counts, properties;
    std::vector<uint64_t> values;
    for (const Object& object : objects) {
        const Properties names = propertiesOf(object.id, object.type);
        ids.push_back(object.id);
        counts.push_back(static_cast<uint32_t>(object.settings.size()));
        for (const Setting& setting : object.settings) {
            properties.push_back(names.at(setting.name));
            values.push_back(setting.value);
        }
    }
    drm_mode_atomic atomic{};
    atomic.flags = DRM_MODE_ATOMIC_ALLOW_MODESET;
    atomic.count_objs = static_cast<uint32_t>(ids.size());
    atomic.objs_ptr = address(ids.data());
    atomic.count_props_ptr = address(counts.data());
    atomic.props_ptr = address(properties.data());
    atomic.prop_values_ptr = address(values.data());
    CALL(DRM_IOCTL_MODE_ATOMIC, atomic);
    pollfd done{.fd = fence, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&done, 1, 10000);
    ::close(fence);
    if (ready != 1)
        throw std::runtime_error("the screen is not written back");
}

std::vector<uint32_t> Screen::show(const VADRMPRIMESurfaceDescriptor& picture) {
    drm_prime_handle import{};
    import.fd = picture.objects[0].fd;
    CALL(DRM_IOCTL_PRIME_FD_TO_HANDLE, import);
    drm_mode_fb_cmd2 framebuffer{};
    framebuffer.width = picture.width;
    framebuffer.height = picture.height;
    framebuffer.pixel_format = picture.layers[0].drm_format;
    for (uint32_t i = 0; i < picture.layers[0].num_planes; i++) {
        framebuffer.handles[i] = import.handle;
        framebuffer.offsets[i] = picture.layers[0].offset[i];
        framebuffer.pitches[i] = picture.layers[0].pitch[i];
    }
    CALL(DRM_IOCTL_MODE_ADDFB2, framebuffer);
    commit(framebuffer.fb_id, picture.width, picture.height);
    std::vector<uint32_t> seen;
    for (uint32_t y = 0; y < picture.height; y++) {
        const auto* row = reinterpret_cast<const uint32_t*>(pixels_ + size_t{y} * pitch_);
        seen.insert(seen.end(), row, row + picture.width);
    }
    CALL(DRM_IOCTL_MODE_RMFB, framebuffer.fb_id);
    drm_gem_close close{};
    close.handle = import.handle;
    CALL(DRM_IOCTL_GEM_CLOSE, close);
    return seen;
}

} // namespace va_suite
