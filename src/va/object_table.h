// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <va/va.h>

namespace v4l2_request::va {

// The objects of one type that clients know by number. Each type has its own range of numbers, so that the id of a
// surface is never that of a buffer; a number is not used again before the range is exhausted, so that a stale id stays
// invalid. Lookups hand out shared ownership: an object that one thread destroys lives until the others are done with
// it.
template <typename T, uint8_t Range>
class ObjectTable {
public:
    VAGenericID add(std::shared_ptr<T> object) {
        const std::lock_guard lock(mutex_);
        do
            last_ = last_ % maxNumber + 1;
        while (objects_.count(base + last_));
        if (spare_.empty()) {
            objects_.emplace(base + last_, std::move(object));
        } else {
            auto& node = spare_.back();
            node.key() = base + last_;
            node.mapped() = std::move(object);
            objects_.insert(std::move(node));
            spare_.pop_back();
        }
        return base + last_;
    }
    // Null if there is no such object.
    std::shared_ptr<T> find(VAGenericID id) const {
        const std::lock_guard lock(mutex_);
        const auto found = objects_.find(id);
        return found == objects_.end() ? nullptr : found->second;
    }
    // Takes the object out; null if there is none.
    std::shared_ptr<T> remove(VAGenericID id) {
        const std::lock_guard lock(mutex_);
        auto node = objects_.extract(id);
        if (!node)
            return nullptr;
        auto object = std::move(node.mapped());
        constexpr size_t most = 64; // more than the buffers of nearly every picture
        if (spare_.size() < most)
            spare_.push_back(std::move(node));
        return object;
    }
    std::vector<std::shared_ptr<T>> all() const {
        const std::lock_guard lock(mutex_);
        std::vector<std::shared_ptr<T>> all;
        for (const auto& [id, object] : objects_)
            all.push_back(object);
        return all;
    }
    std::vector<std::shared_ptr<T>> removeAll() {
        const std::lock_guard lock(mutex_);
        std::vector<std::shared_ptr<T>> all;
        for (auto& [id, object] : objects_)
            all.push_back(std::move(object));
        objects_.clear();
        return all;
    }

private:
    static constexpr uint32_t base = uint32_t{Range} << 24;
    static constexpr uint32_t maxNumber = (1u << 24) - 1;

    mutable std::mutex mutex_;
    std::map<VAGenericID, std::shared_ptr<T>> objects_;
    std::vector<typename decltype(objects_)::node_type> spare_; // clients make and destroy buffers for every picture
    uint32_t last_ = 0;
};

} // namespace v4l2_request::va
