// Containers, algorithms, strings, formatting, virtual calls, templates and smart pointers of the standard library.
#include <algorithm>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
};

struct Circle final : Shape {
    explicit Circle(double radius) : radius(radius) {}
    double area() const override { return 3.141592653589793 * radius * radius; }
    double radius;
};

struct Square final : Shape {
    explicit Square(double side) : side(side) {}
    double area() const override { return side * side; }
    double side;
};

int main() {
    std::vector<std::unique_ptr<Shape>> shapes;
    for (int i = 1; i <= 5; i++) {
        shapes.push_back(std::make_unique<Circle>(i * 0.5));
        shapes.push_back(std::make_unique<Square>(i));
    }
    double area = std::accumulate(shapes.begin(), shapes.end(), 0.0,
                                  [](double sum, const auto &shape) { return sum + shape->area(); });
    std::cout << std::fixed << std::setprecision(9) << area << '\n';

    std::map<std::string, int> words;
    std::istringstream text("the quick brown fox jumps over the lazy dog and the fox sleeps");
    for (std::string word; text >> word;) {
        words[word]++;
    }
    for (const auto &[word, count] : words) {
        std::cout << std::setw(6) << word << ' ' << count << '\n';
    }

    // The standard fixes this generator bit by bit, but not the distributions.
    std::mt19937_64 random(42);
    std::vector<std::uint64_t> numbers(10000);
    std::generate(numbers.begin(), numbers.end(), std::ref(random));
    std::sort(numbers.begin(), numbers.end());
    std::set<std::uint64_t> distinct(numbers.begin(), numbers.end());
    std::cout << std::hex << numbers.front() << ' ' << numbers[5000] << ' ' << std::dec << distinct.size() << '\n';

    std::unordered_map<int, std::string> squares;
    for (int i = 0; i < 1000; i++) {
        squares[i] = std::to_string(i * i);
    }
    std::variant<int, std::string> either = squares.at(31);
    std::optional<int> nothing;
    std::cout << std::get<std::string>(either) << ' ' << nothing.value_or(-1) << '\n';
    return 0;
}
