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
template <typename T, uint8_t Range>
class ObjectTable {
public:
    VAGenericID add(std::shared_ptr<T> object) {
        const std::lock_guard lock(mutex_);
        if (2 * (count_ + 1) > slots_.size())
            grow();
        do
            last_ = last_ % maxNumber + 1;
        while (slot(last_).object);
        slot(last_) = {base + last_, std::move(object)};
        count_++;
        return base + last_;
    }
    // Null if there is no such object.
    std::shared_ptr<T> find(VAGenericID id) const {
        const std::lock_guard lock(mutex_);
        const Slot& found = slot(id - base);
        return found.id == id ? found.object : nullptr;
    }
    bool contains(VAGenericID id) const {
        const std::lock_guard lock(mutex_);
        const Slot& found = slot(id - base);
        return found.id == id && found.object;
    }
    // Takes the object out; null if there is none.
    std::shared_ptr<T> remove(VAGenericID id) {
        const std::lock_guard lock(mutex_);
        Slot& found = slot(id - base);
        if (found.id != id || !found.object)
            return nullptr;
        count_--;
        return std::move(found.object);
    }
    std::vector<std::shared_ptr<T>> all() const {
        const std::lock_guard lock(mutex_);
        std::vector<std::shared_ptr<T>> all;
        for (const Slot& used : slots_)
            if (used.object)
                all.push_back(used.object);
        return all;
    }
    std::vector<std::shared_ptr<T>> removeAll() {
        const std::lock_guard lock(mutex_);
        std::vector<std::shared_ptr<T>> all;
        for (Slot& used : slots_)
            if (used.object)
                all.push_back(std::move(used.object));
        count_ = 0;
        return all;
    }

private:
    struct Slot {
        VAGenericID id = 0;
        std::shared_ptr<T> object;
    };
    static constexpr uint32_t base = uint32_t{Range} << 24;
    static constexpr uint32_t maxNumber = (1u << 24) - 1;

    Slot& slot(uint32_t number) { return slots_[number & (slots_.size() - 1)]; }
    const Slot& slot(uint32_t number) const { return slots_[number & (slots_.size() - 1)]; }

    // Numbers whose slots differed in the smaller table differ in the larger one, too.
    void grow() {
        if (2 * slots_.size() > maxNumber)
            throw std::bad_alloc();
        std::vector<Slot> old(2 * slots_.size());
        old.swap(slots_);
        for (Slot& moved : old)
            if (moved.object)
                slot(moved.id) = std::move(moved);
    }

    mutable Mutex mutex_;
    std::vector<Slot> slots_ = std::vector<Slot>(16); // a power of two
    size_t count_ = 0;
    uint32_t last_ = 0;
};

} // namespace v4l2_request::va
