// SPDX-License-Identifier: MIT
#include <algorithm>
#include <new>
#include <vector>

#include "record/about.h"
#include "record/recorder.h"
#include "va/entry_points.h"

// The C ABI: the one exported symbol, and the wrapper that every entry point passes through.
namespace v4l2_request::va {

namespace {

// The name of an entry point as a template argument.
template <size_t N>
struct Name {
    char text[N];
    constexpr Name(const char (&name)[N]) { std::copy_n(name, N, text); }
};

Driver& driverOf(VADriverContextP context) {
    return *static_cast<Driver*>(context->pDriverData);
}

// An entry point as libva calls it: exceptions end here, and whatever is not a success is logged with its reason.
template <Name name, auto function, typename... Arguments>
VAStatus enter(VADriverContextP context, Arguments... arguments) noexcept {
    try {
        Driver& driver = driverOf(context);
        const Status status = function(driver, arguments...);
        // A deadline that passes is an answer, not a fault.
        if (!status.ok() && status.code != VA_STATUS_ERROR_TIMEDOUT)
            driver.log.info(strprintf("%s: %s", name.text, status.reason.c_str()));
        return status.code;
    } catch (const std::bad_alloc&) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    } catch (...) {
        return VA_STATUS_ERROR_OPERATION_FAILED;
    }
}

template <Name name, auto function, typename... Arguments>
void bind(VAStatus (*&hook)(VADriverContextP, Arguments...)) {
    hook = enter<name, function, Arguments...>;
}

// libva calls some hooks without looking whether they are there, and refuses drivers that lack others.
template <Name name, typename... Arguments>
void refuse(VAStatus (*&hook)(VADriverContextP, Arguments...)) {
    hook = [](VADriverContextP context, Arguments...) noexcept -> VAStatus {
        try {
            driverOf(context).log.info(strprintf("%s is not implemented", name.text));
        } catch (...) { // the answer is the same without the log line
        }
        return VA_STATUS_ERROR_UNIMPLEMENTED;
    };
}

VAStatus terminate(VADriverContextP context) noexcept {
    const std::unique_ptr<Driver> driver(static_cast<Driver*>(std::exchange(context->pDriverData, nullptr)));
    try {
        driver->finish();
    } catch (...) { // what is left ends with the descriptors
    }
    return VA_STATUS_SUCCESS;
}

VAStatus queryNoSubpictureFormats(VADriverContextP, VAImageFormat*, unsigned*, unsigned* count) noexcept {
    if (!count)
        return VA_STATUS_ERROR_INVALID_PARAMETER;
    *count = 0;
    return VA_STATUS_SUCCESS;
}

#define BIND(hook, function) bind<#hook, &(function)>(vtable.hook)
#define REFUSE(hook) refuse<#hook>(vtable.hook)

// Hooks that are absent here are so on purpose: libva has its own answer for a null vaMapBuffer2, vaCopy,
// vaCreateBuffer2 and the like, and a stub would be worse.
void fillVtable(VADriverVTable& vtable) {
    vtable.vaTerminate = terminate;
    BIND(vaQueryConfigProfiles, queryConfigProfiles);
    BIND(vaQueryConfigEntrypoints, queryConfigEntrypoints);
    BIND(vaGetConfigAttributes, getConfigAttributes);
    BIND(vaCreateConfig, createConfig);
    BIND(vaDestroyConfig, destroyConfig);
    BIND(vaQueryConfigAttributes, queryConfigAttributes);
    BIND(vaQuerySurfaceAttributes, querySurfaceAttributes);

    BIND(vaCreateSurfaces, createSurfaces);
    BIND(vaCreateSurfaces2, createSurfaces2);
    BIND(vaDestroySurfaces, destroySurfaces);
    BIND(vaSyncSurface, syncSurface);
    BIND(vaSyncSurface2, syncSurface2);
    BIND(vaQuerySurfaceStatus, querySurfaceStatus);
    BIND(vaQuerySurfaceError, querySurfaceError);
    BIND(vaExportSurfaceHandle, exportSurfaceHandle);

    BIND(vaCreateContext, createContext);
    BIND(vaDestroyContext, destroyContext);
    BIND(vaBeginPicture, beginPicture);
    BIND(vaRenderPicture, renderPicture);
    BIND(vaEndPicture, endPicture);

    BIND(vaCreateBuffer, createBuffer);
    BIND(vaBufferSetNumElements, bufferSetNumElements);
    BIND(vaMapBuffer, mapBuffer);
    BIND(vaUnmapBuffer, unmapBuffer);
    BIND(vaDestroyBuffer, destroyBuffer);
    BIND(vaBufferInfo, bufferInfo);
    BIND(vaSyncBuffer, syncBuffer);
    BIND(vaAcquireBufferHandle, acquireBufferHandle);
    BIND(vaReleaseBufferHandle, releaseBufferHandle);

    BIND(vaQueryImageFormats, queryImageFormats);
    BIND(vaCreateImage, createImage);
    BIND(vaDeriveImage, deriveImage);
    BIND(vaDestroyImage, destroyImage);
    BIND(vaGetImage, getImage);
    BIND(vaPutImage, putImage);

    REFUSE(vaSetImagePalette);
    REFUSE(vaPutSurface);
    REFUSE(vaLockSurface);
    REFUSE(vaUnlockSurface);
    vtable.vaQuerySubpictureFormats = queryNoSubpictureFormats;
    REFUSE(vaCreateSubpicture);
    REFUSE(vaDestroySubpicture);
    REFUSE(vaSetSubpictureImage);
    REFUSE(vaSetSubpictureChromakey);
    REFUSE(vaSetSubpictureGlobalAlpha);
    REFUSE(vaAssociateSubpicture);
    REFUSE(vaDeassociateSubpicture);
    REFUSE(vaQueryDisplayAttributes);
    REFUSE(vaGetDisplayAttributes);
    REFUSE(vaSetDisplayAttributes);
}

#undef BIND
#undef REFUSE

VAStatus initialise(VADriverContextP context) {
    auto driver = std::make_unique<Driver>([context](Log::Level level, const char* line) {
        // libva's own callbacks pass the line on without looking whether the client has switched its handler off.
        const auto* display = static_cast<VADisplayContextP>(context->pDisplayContext);
        const bool isError = level == Log::Level::Error;
        if (display && (isError ? display->error_callback : display->info_callback))
            (isError ? context->error_callback : context->info_callback)(context, line);
    });
    decode::ProbeReport report = decode::probeDecoders();
    if (auto wish = record::wishOfEnvironment()) {
        const auto recorder =
            std::make_shared<record::Recorder>(std::move(*wish), record::describe(report), driver->log);
        for (decode::Decoder& decoder : report.decoders)
            decoder.observer = recorder;
    }
    driver->decoders = std::move(report.decoders);
    const bool useless = driver->decoders.empty();
    for (const std::string& note : report.notes())
        useless ? driver->log.error(note) : driver->log.info(note);
    if (useless) {
        driver->log.error("no stateless video decoder can be used on this machine");
        return VA_STATUS_ERROR_OPERATION_FAILED;
    }

    // The words before the version never change: lists of other projects name them (docs/releasing.md).
    driver->vendor = "V4L2 stateless decoders (" V4L2_REQUEST_VERSION "):";
    for (const decode::Decoder& decoder : driver->decoders)
        driver->vendor += std::string(" ") + decoder.codec->name + " on " + decoder.node.driver;
    context->str_vendor = driver->vendor.c_str();
    context->version_major = VA_MAJOR_VERSION;
    context->version_minor = VA_MINOR_VERSION;
    context->max_profiles = profileCount(*driver);
    context->max_entrypoints = 1;
    context->max_attributes = maxConfigAttributes;
    context->max_image_formats = imageFormatCount();
    context->max_subpic_formats = 1; // none, but libva refuses a driver that says so
    context->max_display_attributes = 0;
    fillVtable(*context->vtable);
    context->pDriverData = driver.release();
    return VA_STATUS_SUCCESS;
}

} // namespace

} // namespace v4l2_request::va

// libva tries its own minor version first and goes down to 0: this name is found by every libva 2.
// NOLINTNEXTLINE(bugprone-reserved-identifier): libva chose the name
extern "C" [[gnu::visibility("default")]] VAStatus __vaDriverInit_1_0(VADriverContextP context);

extern "C" VAStatus __vaDriverInit_1_0(VADriverContextP context) {
    try {
        return v4l2_request::va::initialise(context);
    } catch (const std::bad_alloc&) {
        return VA_STATUS_ERROR_ALLOCATION_FAILED;
    } catch (...) {
        return VA_STATUS_ERROR_OPERATION_FAILED;
    }
}
