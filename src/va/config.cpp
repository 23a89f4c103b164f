// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>

#include "va/entry_points.h"

namespace v4l2_request::va {

namespace {

// The decoder that serves the profile.
tl::expected<decode::Offer, Status> findOffer(const Driver& driver, VAProfile profile, VAEntrypoint entrypoint) {
    const auto offer = decode::findOffer(driver.decoders, profile);
    if (!offer)
        return tl::unexpected(
            Status{VA_STATUS_ERROR_UNSUPPORTED_PROFILE, strprintf("no decoder serves profile %d", profile)});
    if (entrypoint != VAEntrypointVLD)
        return tl::unexpected(Status{VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT, strprintf("entrypoint %d", entrypoint)});
    return *offer;
}

std::vector<VAProfile> allProfiles(const Driver& driver) {
    std::vector<VAProfile> profiles;
    for (const decode::Decoder& decoder : driver.decoders)
        for (const codec::Profile& row : decoder.profiles)
            if (std::find(profiles.begin(), profiles.end(), row.va) == profiles.end())
                profiles.push_back(row.va);
    return profiles;
}

// What a profile of a decoder has. Whatever is not here is VA_ATTRIB_NOT_SUPPORTED.
std::map<VAConfigAttribType, uint32_t> attributesOf(const decode::Decoder& decoder, uint32_t rtFormats) {
    return {
        {VAConfigAttribRTFormat, rtFormats},
        {VAConfigAttribDecSliceMode, VA_DEC_SLICE_MODE_NORMAL},
        {VAConfigAttribMaxPictureWidth, decoder.sizes.maxWidth},
        {VAConfigAttribMaxPictureHeight, decoder.sizes.maxHeight},
    };
}

} // namespace

int profileCount(const Driver& driver) {
    return static_cast<int>(allProfiles(driver).size());
}

Status queryConfigProfiles(Driver& driver, VAProfile* profiles, int* count) {
    if (!profiles || !count)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the answer"};
    const auto all = allProfiles(driver);
    std::copy(all.begin(), all.end(), profiles);
    *count = static_cast<int>(all.size());
    return {};
}

Status queryConfigEntrypoints(Driver& driver, VAProfile profile, VAEntrypoint* entrypoints, int* count) {
    if (!entrypoints || !count)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the answer"};
    *count = 0;
    if (const auto offer = findOffer(driver, profile, VAEntrypointVLD); !offer)
        return offer.error();
    entrypoints[(*count)++] = VAEntrypointVLD;
    return {};
}

Status getConfigAttributes(Driver& driver, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttrib* attributes,
                           int count) {
    if (!attributes && count > 0)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no attributes"};
    const auto offer = findOffer(driver, profile, entrypoint);
    if (!offer)
        return offer.error();
    const auto known = attributesOf(offer->decoder, offer->profile.rtFormats);
    for (int i = 0; i < count; i++) {
        const auto found = known.find(attributes[i].type);
        attributes[i].value = found == known.end() ? VA_ATTRIB_NOT_SUPPORTED : found->second;
    }
    return {};
}

Status createConfig(Driver& driver, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttrib* attributes, int count,
                    VAConfigID* id) {
    if (!id || (!attributes && count > 0))
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no attributes, or no place for the id"};
    *id = VA_INVALID_ID;
    const auto offer = findOffer(driver, profile, entrypoint);
    if (!offer)
        return offer.error();
    const auto known = attributesOf(offer->decoder, offer->profile.rtFormats);
    uint32_t rtFormats = offer->profile.rtFormats;
    for (int i = 0; i < count; i++) {
        const auto& [type, value] = attributes[i];
        const auto found = known.find(type);
        // Clients ask for one RT format or hand back the whole mask: one format in common is enough.
        if (type == VAConfigAttribRTFormat && !(value & offer->profile.rtFormats))
            return {VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT, strprintf("RT format %#x with profile %d", value, profile)};
        if (type == VAConfigAttribRTFormat)
            rtFormats &= value;
        if (found == known.end() || (type == VAConfigAttribDecSliceMode && value != found->second))
            return {VA_STATUS_ERROR_INVALID_VALUE, strprintf("attribute %d cannot be %#x", type, value)};
    }
    *id = driver.configs.add(std::make_shared<Config>(Config{profile, rtFormats, offer->decoder}));
    driver.noteUse(offer->decoder);
    return {};
}

Status destroyConfig(Driver& driver, VAConfigID id) {
    if (!driver.configs.remove(id))
        return {VA_STATUS_ERROR_INVALID_CONFIG, strprintf("%#x is no config", id)};
    return {};
}

Status queryConfigAttributes(Driver& driver, VAConfigID id, VAProfile* profile, VAEntrypoint* entrypoint,
                             VAConfigAttrib* attributes, int* count) {
    const auto config = driver.configs.find(id);
    if (!config)
        return {VA_STATUS_ERROR_INVALID_CONFIG, strprintf("%#x is no config", id)};
    if (!profile || !entrypoint || !attributes || !count)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the answer"};
    *profile = config->profile;
    *entrypoint = VAEntrypointVLD;
    *count = 0;
    for (const auto& [type, value] : attributesOf(config->decoder, config->rtFormats))
        attributes[(*count)++] = {type, value};
    return {};
}

} // namespace v4l2_request::va
