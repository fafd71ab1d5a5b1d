/**
 * Keys at rest, as files.
 *
 * <h2>Layout</h2>
 *
 * <pre>
 * &lt;data&gt;/vault/                       0700
 *   head                              the vault's id and a check value
 *   pin                               the PIN verifier and its back-off
 *   secrets/&lt;instance&gt;/&lt;name&gt;         one secret each; both names are 32 hex digits of a keyed hash
 *   buckets/&lt;space&gt;                   the secrets of a space's buckets; the name is 32 hex digits of a keyed hash
 * &lt;state&gt;/devices/&lt;vault id&gt;.key      the device key, 32 random bytes, unless systemd hands one in
 * </pre>
 *
 * Files have mode 0600 and are replaced atomically: temporary file, fsync, rename, fsync of the directory. Those of buckets
 * are written in place, slot by slot, so that what is destroyed is overwritten where it was.
 *
 * <h2>Keys</h2>
 *
 * root = HKDF-Extract(salt = vault id, device key); every other key = HKDF-Expand(root, {@code "parley-vault-1/" purpose},
 * 32), with the purposes {@code check}, {@code pin}, {@code names}, {@code secret/} instance and {@code buckets/} space. HKDF is that of SHA-256;
 * sealing is XChaCha20-Poly1305 with a random nonce of 24 bytes, stored before the ciphertext.
 *
 * <h2>Formats, version 1; numbers are big-endian</h2>
 *
 * <pre>
 * head    "PVH1" id[16] nonce[24] seal(check key, "parley"; aad = "PVH1" id)
 * pin     "PVP1" nonce[24] seal(pin key, record; aad = "PVP1" id)
 *         record = set u8, salt[16], memory KiB u32, passes u8, lanes u8, verifier[32], failures u32, retry at u64 ms
 * secret  "PVS1" flags u8, length of sealed name u16, nonce[24] seal(secret key, name; aad = "PVS1" flags 'n' instance),
 *         nonce[24] seal(secret key, body; aad = "PVS1" flags 'v' u16 instance, u16 name)
 *         body = value                                         if flags = 0
 *         body = salt[16], memory KiB u32, passes u8, lanes u8, if flags = 1
 *                nonce[24] seal(HKDF-Extract(Argon2id(passphrase), secret key), value; same aad)
 *         body = key[32], then as above with that key            if flags = 2: taken over from another vault,
 *                                                                inner aad as if flags = 1
 * buckets 128 bytes for the head, then 128 for each slot, numbered from 0; zeros to their ends
 *         head = "PVB1" id[16] nonce[24] seal(buckets key, "buckets"; aad = "PVB1" id)
 *         slot = state u8, serial u64, nonce[24] seal(buckets key, body; aad = "PVB1" id, slot u64, state, serial)
 *         body = bucket u64, secret[32]                        if state = 1, live
 *         body = nothing                                       if state = 2, the secret of that serial was destroyed
 * </pre>
 *
 * The id of a file of buckets is random, and a serial is given to one secret only. A secret is forced to disk before a
 * transaction that uses it commits, and overwritten after the one that shreds its bucket has committed. A slot whose secret
 * was destroyed is used again with a higher serial, so what names a lower one than its slot has is known to be gone. A slot
 * that does not open, and a serial that its slot has not reached yet, are a loss and no absence; see {@link
 * im.parley.vault.internal.Buckets} for how an older copy of a file is noticed.
 *
 * <p>The tag of the outer layer tells tampering from a wrong passphrase, which only the inner one can refuse.
 */
@org.jspecify.annotations.NullMarked
package im.parley.vault.internal;
