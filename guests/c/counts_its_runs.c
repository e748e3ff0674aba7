// Counts in a file how often it has run, prints the number, and then ends as its second argument says. It never syncs:
// whether that survives depends on how it ends, and on what the file lies on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments) {
    if (count != 3) {
        return 2;
    }
    unsigned runs = 0;
    FILE *file = fopen(arguments[1], "r");
    if (file) {
        fscanf(file, "%u", &runs);
        fclose(file);
    }
    file = fopen(arguments[1], "w");
    if (!file || fprintf(file, "%u\n", ++runs) < 0 || fclose(file) != 0) {
        perror(arguments[1]);
        return 1;
    }
    printf("run %u\n", runs);
    fflush(stdout);
    if (strcmp(arguments[2], "aborts") == 0) {
        abort();
    }
    return 0;
}
