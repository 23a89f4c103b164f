// SPDX-License-Identifier: MIT
//
// One fault of each kind that tests/check_lint.py has to see, or it sees nothing. Never compiled.
#include <memory>
#include <string>
#include <utility>

struct Node {
    int value;
    Node* next;
};

static Node* find(Node* list, int value) {
    while (list && list->value != value)
        list = list->next;
    return list;
}

int nullDereference(Node* list) {
    const Node* found = find(list, 3);
    return found ? 0 : found->value; // core.NullDereference
}

int deadStore(int number) {
    int twice = number * 2; // deadcode.DeadStores
    twice = 3;
    return twice;
}

int garbage(bool set) {
    int number;
    if (set)
        number = 1;
    return number + 1; // core.UndefinedBinaryOperatorResult
}

int leak(bool early) {
    int* memory = new int(3);
    if (early)
        return 1; // cplusplus.NewDeleteLeaks
    const int value = *memory;
    delete memory;
    return value;
}

int afterFree() {
    auto owned = std::make_unique<int>(3);
    const int* raw = owned.get();
    owned.reset();
    return *raw; // cplusplus.NewDelete
}

std::string afterMove(std::string text) {
    const std::string other = std::move(text);
    return text + other; // bugprone-use-after-move
}

int divide(int number) {
    int divisor = 0;
    if (number > 3)
        divisor = 1;
    return number / divisor; // core.DivideZero
}
