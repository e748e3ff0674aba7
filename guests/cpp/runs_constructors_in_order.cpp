// Global objects are made before main and unmade after it, in reverse order; local statics at first use.
#include <cstdio>

struct Loud {
    explicit Loud(const char *name) : name(name) { std::printf("make %s\n", name); }
    ~Loud() { std::printf("unmake %s\n", name); }
    const char *name;
};

static Loud first("first");
static Loud second("second");

static void use() { static Loud lazy("lazy"); }

int main() {
    std::printf("main begins\n");
    use();
    use();
    std::printf("main ends\n");
}
