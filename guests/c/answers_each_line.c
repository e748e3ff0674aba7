// Answers each line of input before it reads the next: a conversation deadlocks if anything is held back.
#include <stdio.h>

int main(void) {
    char line[256];
    setvbuf(stdin, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        printf("you said: %s", line);
        fflush(stdout);
    }
    return 0;
}
