// The smallest program that everybody knows.
#include <iostream>

int main() { std::cout << "Hello from C++.\n"; }
