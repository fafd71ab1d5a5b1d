/* One line "secret message aux" in, one line "secret message aux pubkey signature peer shared" out, by libsecp256k1:
 * the x-only key, the BIP-340 signature, and the x coordinate of secret * peer, where peer is the key of the message
 * taken as a secret. */
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <stdio.h>
#include <string.h>

static int x_only(unsigned char *out, const unsigned char *x, const unsigned char *y, void *data) {
    (void)y;
    (void)data;
    memcpy(out, x, 32);
    return 1;
}

static void in(const char *text, unsigned char *out) {
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        sscanf(text + 2 * i, "%2x", &byte);
        out[i] = (unsigned char)byte;
    }
}

static void out(const unsigned char *bytes, int length) {
    for (int i = 0; i < length; i++) {
        printf("%02x", bytes[i]);
    }
}

int main(void) {
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    char secret_text[65], message_text[65], aux_text[65];
    while (scanf("%64s %64s %64s", secret_text, message_text, aux_text) == 3) {
        unsigned char secret[32], message[32], aux[32], xonly[32], peer[32], signature[64], shared[32];
        in(secret_text, secret);
        in(message_text, message);
        in(aux_text, aux);
        secp256k1_keypair own, other;
        secp256k1_xonly_pubkey key;
        secp256k1_pubkey point;
        if (!secp256k1_keypair_create(context, &own, secret) || !secp256k1_keypair_create(context, &other, message)
            || !secp256k1_keypair_xonly_pub(context, &key, NULL, &own)
            || !secp256k1_schnorrsig_sign32(context, signature, message, &own, aux)
            || !secp256k1_schnorrsig_verify(context, signature, message, 32, &key)
            || !secp256k1_xonly_pubkey_serialize(context, xonly, &key)
            || !secp256k1_keypair_xonly_pub(context, &key, NULL, &other)
            || !secp256k1_xonly_pubkey_serialize(context, peer, &key)) {
            return 1;
        }
        unsigned char compressed[33];
        compressed[0] = 2;
        memcpy(compressed + 1, peer, 32);
        if (!secp256k1_ec_pubkey_parse(context, &point, compressed, 33)
            || !secp256k1_ecdh(context, shared, &point, secret, x_only, NULL)) {
            return 1;
        }
        printf("%s %s %s ", secret_text, message_text, aux_text);
        out(xonly, 32);
        printf(" ");
        out(signature, 64);
        printf(" ");
        out(peer, 32);
        printf(" ");
        out(shared, 32);
        printf("\n");
    }
    secp256k1_context_destroy(context);
    return 0;
}
