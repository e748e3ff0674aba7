// Prints the environment in its order, and one variable by its name.
#include <stdio.h>
#include <stdlib.h>

extern char **environ;

int main(void) {
    for (char **variable = environ; *variable; variable++) {
        printf("%s\n", *variable);
    }
    const char *colour = getenv("COLOUR");
    printf("colour: %s\n", colour ? colour : "none");
    return 0;
}
