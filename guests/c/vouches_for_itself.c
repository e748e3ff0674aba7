/* Has its enclave vouch for what its arguments say, and checks other enclaves. Everything is in hexadecimal.
 *
 *   evidence DATA           prints evidence
 *   target                  prints which enclave this is
 *   report TARGET DATA      prints a message to that enclave
 *   verify MESSAGE          prints who made it
 *   misuse                  passes what no program should
 *
 * An errno is printed as a word, and is the exit code. */

#include "../twine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t answer[TWINE_EVIDENCE_MAX];

static size_t from_hex(const char *text, uint8_t **bytes) {
    size_t len = strlen(text) / 2;
    *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned value;
        sscanf(text + 2 * i, "%2x", &value);
        (*bytes)[i] = (uint8_t)value;
    }
    return len;
}

static void print_hex(const char *name, const void *bytes, size_t len) {
    printf("%s ", name);
    for (size_t i = 0; i < len; i++)
        printf("%02x", ((const uint8_t *)bytes)[i]);
    printf("\n");
}

static int fail(int code) {
    printf("%s\n", code == EACCES ? "EACCES" : code == EBADMSG ? "EBADMSG" : code == EINVAL ? "EINVAL"
                   : code == EIO ? "EIO" : code == ENOTSUP ? "ENOTSUP" : code == ERANGE ? "ERANGE"
                   : code == E2BIG ? "E2BIG" : code == EFAULT ? "EFAULT" : "?");
    return code;
}

static int print_answer(int code, size_t needed) {
    if (code)
        return fail(code);
    print_hex("answer", answer, needed);
    return 0;
}

static int verify(const uint8_t *message, size_t len) {
    twine_peer_t peer;
    int code = twine_report_verify(message, len, &peer);
    if (code)
        return fail(code);
    print_hex("mrenclave", peer.mrenclave, sizeof peer.mrenclave);
    print_hex("mrsigner", peer.mrsigner, sizeof peer.mrsigner);
    print_hex("config-id", peer.config_id, sizeof peer.config_id);
    print_hex("module", peer.module, sizeof peer.module);
    print_hex("user", peer.user, sizeof peer.user);
    printf("debug %d svn %d version %d\n", (int)(peer.attributes >> 1 & 1), peer.isv_svn, peer.config_svn);
    return 0;
}

/* Addresses and lengths outside memory, places that are too short, data that is too long. */
static int misuse(void) {
    static uint8_t data[TWINE_DATA_MAX + 1];
    static twine_target_t target;
    size_t needed = 7;
    uint8_t *outside = (uint8_t *)(__builtin_wasm_memory_size(0) << 16) - 8;
    size_t all = (size_t)-1;
    fail(twine_evidence_get(data, sizeof data, answer, sizeof answer, &needed));
    fail(twine_evidence_get(outside, 9, answer, sizeof answer, &needed));
    fail(twine_evidence_get(data, 1, outside, 9, &needed));
    fail(twine_evidence_get(data, 1, answer, all, &needed));
    fail(twine_evidence_get(data, 1, answer, sizeof answer, (size_t *)(outside + 5)));
    fail(twine_report_target_get((twine_target_t *)outside));
    fail(twine_report_get((twine_target_t *)outside, data, 1, answer, sizeof answer, &needed));
    fail(twine_report_get(&target, data, sizeof data, answer, sizeof answer, &needed));
    fail(twine_report_get(&target, data, 1, answer, 10, &needed));
    printf("needed %d\n", (int)needed);
    target.bytes[511] = 1; /* reserved: the processor would fault */
    fail(twine_report_get(&target, data, 1, answer, sizeof answer, &needed));
    fail(twine_report_verify(outside, 9, (twine_peer_t *)answer));
    fail(twine_report_verify(data, 10, (twine_peer_t *)outside));
    fail(twine_report_verify(data, sizeof data, (twine_peer_t *)answer));
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    uint8_t *first, *second;
    size_t needed = 0;
    if (!strcmp(what, "evidence") && argc == 3) {
        size_t len = from_hex(argv[2], &first);
        return print_answer(twine_evidence_get(first, len, answer, sizeof answer, &needed), needed);
    }
    if (!strcmp(what, "target")) {
        twine_target_t target;
        int code = twine_report_target_get(&target);
        memcpy(answer, &target, sizeof target);
        return print_answer(code, sizeof target);
    }
    if (!strcmp(what, "report") && argc == 4) {
        if (from_hex(argv[2], &first) != sizeof(twine_target_t))
            return 1;
        size_t len = from_hex(argv[3], &second);
        return print_answer(
            twine_report_get((twine_target_t *)first, second, len, answer, sizeof answer, &needed), needed);
    }
    if (!strcmp(what, "verify") && argc == 3) {
        size_t len = from_hex(argv[2], &first);
        return verify(first, len);
    }
    return !strcmp(what, "misuse") ? misuse() : 1;
}
