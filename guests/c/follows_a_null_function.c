// Calls through a null function pointer, which is an empty entry of the table.
void (*volatile function)(void);

__attribute__((noinline)) static void follow(void) { function(); }

int main(void) {
    follow();
    return 0;
}
