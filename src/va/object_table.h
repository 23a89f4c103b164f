// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <va/va.h>

#include "util/mutex.h"

namespace v4l2_request::va {

// The objects of one type that clients know by number. Each type has its own range of numbers, so that the id of a
// surface is never that of a buffer; a number is not used again before the range is exhausted, so that a stale id stays
// invalid. Lookups hand out shared ownership: an object that one thread destroys lives until the others are done with
// it.
//
// A number's slot is the number modulo the size of the table. A new object takes the next number whose slot is free;
// so a lookup is one comparison, and nothing is allocated for each object.
template <typename T, uint8_t Range, typename Pointer = std::shared_ptr<T>>
class ObjectTable {
public:
    VAGenericID add(Pointer object) {
        const std::lock_guard lock(mutex_);
        if (2 * count_ > mask_)
            grow();
        do
            last_ = last_ == maxNumber ? 1 : last_ + 1;
        while (slot(last_).object);
        Slot& free = slot(last_);
        free.id = base + last_;
        std::swap(free.object, object);
        count_++;
        return free.id;
    }
    // Null if there is no such object.
    Pointer find(VAGenericID id) const {
        const std::lock_guard lock(mutex_);
        const Slot& found = slot(id);
        return found.id == id ? found.object : nullptr;
    }
    bool contains(VAGenericID id) const {
        const std::lock_guard lock(mutex_);
        const Slot& found = slot(id);
        return found.id == id && found.object;
    }
    // Takes the object out; null if there is none.
    Pointer remove(VAGenericID id) {
        const std::lock_guard lock(mutex_);
        Slot& found = slot(id);
        if (found.id != id || !found.object)
            return nullptr;
        count_--;
        return std::exchange(found.object, nullptr);
    }
    std::vector<Pointer> all() const {
        const std::lock_guard lock(mutex_);
        std::vector<Pointer> all;
        for (const Slot& used : slots_)
            if (used.object)
                all.push_back(used.object);
        return all;
    }
    std::vector<Pointer> removeAll() {
        const std::lock_guard lock(mutex_);
        std::vector<Pointer> all;
        for (Slot& used : slots_)
            if (used.object)
                all.push_back(std::exchange(used.object, nullptr));
        count_ = 0;
        return all;
    }

private:
    struct Slot {
        VAGenericID id = 0;
        Pointer object;
    };
    static constexpr uint32_t base = uint32_t{Range} << 24;
    static constexpr uint32_t maxNumber = (1u << 24) - 1;

    // The base is a multiple of every size, so an id has the slot of its number.
    Slot& slot(uint32_t number) { return slots_[number & mask_]; }
    const Slot& slot(uint32_t number) const { return slots_[number & mask_]; }

    // Numbers whose slots differed in the smaller table differ in the larger one, too.
    void grow() {
        if (2 * slots_.size() > maxNumber)
            throw std::bad_alloc();
        std::vector<Slot> old(2 * slots_.size());
        old.swap(slots_);
        mask_ = static_cast<uint32_t>(slots_.size() - 1);
        for (Slot& moved : old)
            if (moved.object)
                slot(moved.id) = std::move(moved);
    }

    static constexpr uint32_t smallest = 16; // a power of two, as all sizes are
    mutable Mutex mutex_;
    std::vector<Slot> slots_ = std::vector<Slot>(smallest);
    uint32_t mask_ = smallest - 1; // size of the slots, less 1
    size_t count_ = 0;
    uint32_t last_ = 0;
};

} // namespace v4l2_request::va
