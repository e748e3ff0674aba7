// Formats and parses floating-point numbers, ordinary and odd.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    // No denormal among them: %a may print those in two ways.
    const double numbers[] = {0.0, -0.0, 0.1, 1.0 / 3.0, 1e300 * 10, 123456789.125, -1e-7, M_PI};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double x = numbers[i];
        printf("%g %.17g %a %e %.3f\n", x, x, x, x, x > 1e20 ? 1.0 : x);
        printf("%.12g %.12g %.12g %.12g\n", sin(x), exp(-fabs(x)), sqrt(fabs(x)), cbrt(x));
    }
    printf("%f %f %d\n", INFINITY, -INFINITY, isnan(NAN) != 0);
    const char *texts[] = {"1e-400", "0x1.8p3", "1.7976931348623157e308", "4.9e-324", "12abc", "-.5"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *end;
        double x = strtod(texts[i], &end);
        printf("%s = %.17g, rest [%s]\n", texts[i], x, end);
    }
    return 0;
}
