// Deriche's recursive filter on a grey image: along the rows, then along the columns, each forward and backward.
#include <math.h>

#include "polybench.h"

enum { W = BY_SIZE(64, 192, 720, 4096), H = BY_SIZE(64, 128, 480, 2160) };

static void fill(float in[W][H]) {
    for (int i = 0; i < W; i++)
        for (int j = 0; j < H; j++) in[i][j] = (float)((313 * i + 991 * j) % 65536) / 65535.0f;
}

KERNEL deriche(float alpha, float in[W][H], float out[W][H], float forward[W][H], float backward[W][H]) {
    float k = (1 - expf(-alpha)) * (1 - expf(-alpha)) / (1 + 2 * alpha * expf(-alpha) - expf(2 * alpha));
    float a1 = k, a2 = k * expf(-alpha) * (alpha - 1), a3 = k * expf(-alpha) * (alpha + 1), a4 = -k * expf(-2 * alpha);
    float b1 = powf(2, -alpha), b2 = -expf(-2 * alpha);
    float scale = 1;
    for (int i = 0; i < W; i++) {
        float y1 = 0, y2 = 0, x1 = 0;
        for (int j = 0; j < H; j++) {
            forward[i][j] = a1 * in[i][j] + a2 * x1 + b1 * y1 + b2 * y2;
            x1 = in[i][j];
            y2 = y1;
            y1 = forward[i][j];
        }
    }
    for (int i = 0; i < W; i++) {
        float y1 = 0, y2 = 0, x1 = 0, x2 = 0;
        for (int j = H - 1; j >= 0; j--) {
            backward[i][j] = a3 * x1 + a4 * x2 + b1 * y1 + b2 * y2;
            x2 = x1;
            x1 = in[i][j];
            y2 = y1;
            y1 = backward[i][j];
        }
    }
    for (int i = 0; i < W; i++)
        for (int j = 0; j < H; j++) out[i][j] = scale * (forward[i][j] + backward[i][j]);
    for (int j = 0; j < H; j++) {
        float y1 = 0, y2 = 0, x1 = 0;
        for (int i = 0; i < W; i++) {
            forward[i][j] = a1 * out[i][j] + a2 * x1 + b1 * y1 + b2 * y2;
            x1 = out[i][j];
            y2 = y1;
            y1 = forward[i][j];
        }
    }
    for (int j = 0; j < H; j++) {
        float y1 = 0, y2 = 0, x1 = 0, x2 = 0;
        for (int i = W - 1; i >= 0; i--) {
            backward[i][j] = a3 * x1 + a4 * x2 + b1 * y1 + b2 * y2;
            x2 = x1;
            x1 = out[i][j];
            y2 = y1;
            y1 = backward[i][j];
        }
    }
    for (int i = 0; i < W; i++)
        for (int j = 0; j < H; j++) out[i][j] = scale * (forward[i][j] + backward[i][j]);
}

int main(int argc, char **argv) {
    float(*in)[H] = array(sizeof(float[W][H]));
    float(*out)[H] = array(sizeof(float[W][H]));
    float(*forward)[H] = array(sizeof(float[W][H]));
    float(*backward)[H] = array(sizeof(float[W][H]));
    for (int round = rounds(argc, argv); round > 0; round--) {
        fill(in);
        TIME(deriche(0.25f, in, out, forward, backward));
    }
    SHOW("imgOut", *out, W * H);
}
