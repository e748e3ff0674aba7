/* What a program may ask the enclave that it runs in to say of it: the import module `twine`. See docs/guest.md.
 *
 * Every function returns an errno of WASI; 0 is success. Where a function writes an answer of unknown length, it sets
 * `*needed` to that length; if the answer is longer than its place it returns ERANGE and writes nothing else. */

#ifndef TWINE_H
#define TWINE_H

#include <stddef.h>
#include <stdint.h>

#define TWINE_IMPORT(name) __attribute__((import_module("twine"), import_name(name)))

/* Most bytes of `data`: 64 KiB. More: E2BIG. */
#define TWINE_DATA_MAX 65536

/* Bytes of evidence that no machine of today exceeds, and that no evidence ever exceeds. */
#define TWINE_EVIDENCE_USUAL 8192
#define TWINE_EVIDENCE_MAX 65536

/* Most bytes of a message from one enclave to another. */
#define TWINE_MESSAGE_MAX 1024

/* Which enclave this is to others of its machine (TARGETINFO). */
typedef struct {
    uint8_t bytes[512];
} twine_target_t;

/* A program in another enclave of this machine, by the processor's word. Believe `module` and `user` only if `mrenclave`, or
 * `mrsigner` with `isv_prod_id` and `isv_svn`, is a runtime that you know: another program's enclave can claim anything. */
typedef struct {
    uint8_t mrenclave[32];
    uint8_t mrsigner[32];
    uint8_t config_id[64]; /* SHA-512 of its launch document */
    uint8_t module[32];    /* SHA-256 of its compiled module */
    uint8_t user[32];      /* SHA-256 of the data that it chose */
    uint64_t attributes;   /* bit 1: its memory is open to debuggers */
    uint64_t xfrm;
    uint32_t misc_select;
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn; /* version of its launch document */
    uint8_t reserved[6];
} twine_peer_t;

_Static_assert(sizeof(twine_target_t) == 512, "docs/guest.md");
_Static_assert(sizeof(twine_peer_t) == 224, "docs/guest.md");

/* Evidence for anybody elsewhere that this program chose `data`: a quote. ENOTSUP: this machine has none. EIO: the host did
 * not bring one. */
TWINE_IMPORT("evidence_get")
int twine_evidence_get(const void *data, size_t data_len, void *to, size_t to_len, size_t *needed);

/* Which enclave this is: for a program in another one that wants to speak to this one. */
TWINE_IMPORT("report_target_get")
int twine_report_target_get(twine_target_t *to);

/* A message to the enclave `target` that this program chose `data`. EINVAL: `target` cannot be an enclave. */
TWINE_IMPORT("report_get")
int twine_report_get(const twine_target_t *target, const void *data, size_t data_len, void *to, size_t to_len, size_t *needed);

/* Checks a message that was made for this enclave, and says by whom. EBADMSG: it is no message. EACCES: it was not made for
 * this enclave by an enclave of this machine, or was changed. */
TWINE_IMPORT("report_verify")
int twine_report_verify(const void *message, size_t message_len, twine_peer_t *to);

#endif
