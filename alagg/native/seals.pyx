# cython: auto_pickle=False, autotestdict=False
"""Frames sealed and opened by libcrypto, a batch at a time, during which other threads may run."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset


cdef extern from "openssl/evp.h" nogil:
    ctypedef struct EVP_CIPHER_CTX:
        pass
    ctypedef struct EVP_CIPHER:
        pass
    ctypedef struct ENGINE:
        pass
    EVP_CIPHER_CTX *EVP_CIPHER_CTX_new()
    void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *context)
    const EVP_CIPHER *EVP_aes_256_gcm()
    const EVP_CIPHER *EVP_aes_256_ecb()
    const EVP_CIPHER *EVP_chacha20_poly1305()
    int EVP_EncryptInit_ex(EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, ENGINE *engine, const uint8_t *key,
                           const uint8_t *iv)
    int EVP_DecryptInit_ex(EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, ENGINE *engine, const uint8_t *key,
                           const uint8_t *iv)
    int EVP_EncryptUpdate(EVP_CIPHER_CTX *context, uint8_t *out, int *written, const uint8_t *data, int size)
    int EVP_DecryptUpdate(EVP_CIPHER_CTX *context, uint8_t *out, int *written, const uint8_t *data, int size)
    int EVP_EncryptFinal_ex(EVP_CIPHER_CTX *context, uint8_t *out, int *written)
    int EVP_DecryptFinal_ex(EVP_CIPHER_CTX *context, uint8_t *out, int *written)
    int EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX *context, int kind, int size, void *value)
    int EVP_CIPHER_CTX_set_padding(EVP_CIPHER_CTX *context, int padding)
    int EVP_CTRL_AEAD_GET_TAG
    int EVP_CTRL_AEAD_SET_TAG

cdef extern from "openssl/crypto.h" nogil:
    int CRYPTO_memcmp(const void *one, const void *other, size_t size)

DEF SIZE = 24      # bytes of a header, as the ports see it
DEF EQUAL = 15     # bytes of it that are equal in all copies
DEF FIELDS = 20    # bytes of it without the tag
DEF REST = 4       # bytes of a copy's tag that stand in what the ports take for the payload
DEF TAG = 16       # bytes of a packet's tag
DEF GROWTH = 20    # bytes by which a payload grows
DEF BATCH = 64     # frames that are worked on at once
DEF BLOCK = 16     # bytes of a block of AES


cdef struct Frame:
    const uint8_t *header
    const uint8_t *text
    uint8_t *out
    int size
    bint good


@cython.final
cdef class Seal:
    """Seals and opens the frames of one lane, direction and generation."""

    cdef EVP_CIPHER_CTX *_seals
    cdef EVP_CIPHER_CTX *_opens
    cdef EVP_CIPHER_CTX *_blocks
    cdef uint8_t _iv[12]
    cdef uint8_t _last[BLOCK]  # what the last block of what a copy's tag covers is xored with (RFC 4493, 2.3: K2)

    def __cinit__(self, int cipher, keys):
        cdef bytes key = keys[0], iv = keys[1], link_key = keys[2]
        cdef const EVP_CIPHER *chosen = EVP_aes_256_gcm() if cipher == 1 else EVP_chacha20_poly1305()
        if (cipher != 1 and cipher != 2) or len(key) != 32 or len(iv) != 12 or len(link_key) != 32:
            raise ValueError("not a cipher with its keys")
        memcpy(self._iv, PyBytes_AS_STRING(iv), 12)
        self._seals, self._opens, self._blocks = EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_new()
        if (
            self._seals == NULL or self._opens == NULL or self._blocks == NULL
            or EVP_EncryptInit_ex(self._seals, chosen, NULL, <const uint8_t *>PyBytes_AS_STRING(key), self._iv) != 1
            or EVP_DecryptInit_ex(self._opens, chosen, NULL, <const uint8_t *>PyBytes_AS_STRING(key), self._iv) != 1
            or EVP_EncryptInit_ex(
                self._blocks, EVP_aes_256_ecb(), NULL, <const uint8_t *>PyBytes_AS_STRING(link_key), NULL) != 1
            or EVP_CIPHER_CTX_set_padding(self._blocks, 0) != 1
        ):
            raise MemoryError("libcrypto has refused the cipher")
        self._make_last()

    def __dealloc__(self):
        EVP_CIPHER_CTX_free(self._seals)
        EVP_CIPHER_CTX_free(self._opens)
        EVP_CIPHER_CTX_free(self._blocks)

    def seal(self, headers, list payloads):
        cdef Frame frames[BATCH]
        cdef const uint8_t *head = _head(headers, len(payloads))
        cdef list sealed = []
        cdef bytes payload, text
        cdef Py_ssize_t first, index, count
        cdef bint good
        for first in range(0, len(payloads), BATCH):
            count = min(<Py_ssize_t>BATCH, len(payloads) - first)
            for index in range(count):
                payload = payloads[first + index]
                text = PyBytes_FromStringAndSize(NULL, TAG + PyBytes_GET_SIZE(payload))
                sealed.append(text)
                frames[index].header = head + SIZE * (first + index)
                frames[index].text = <const uint8_t *>PyBytes_AS_STRING(payload)
                frames[index].out = <uint8_t *>PyBytes_AS_STRING(text)
                frames[index].size = <int>PyBytes_GET_SIZE(payload)
            with nogil:
                good = self._seal(frames, count)
            if not good:
                raise MemoryError("libcrypto has refused to seal")
        return sealed

    def finish(self, bytearray headers, list sealed):
        cdef Frame frames[BATCH]
        cdef uint8_t tags[BATCH * BLOCK]
        cdef uint8_t *head = <uint8_t *>_head(headers, len(sealed))
        cdef list payloads = []
        cdef bytes text, payload
        cdef char *place
        cdef Py_ssize_t first, index, count
        for first in range(0, len(sealed), BATCH):
            count = min(<Py_ssize_t>BATCH, len(sealed) - first)
            for index in range(count):
                text = sealed[first + index]
                if PyBytes_GET_SIZE(text) < TAG:
                    raise ValueError("nothing that was sealed")
                frames[index].header = head + SIZE * (first + index)
                frames[index].text = <const uint8_t *>PyBytes_AS_STRING(text)
            if not self._tag(frames, count, tags):
                raise MemoryError("libcrypto has refused to seal")
            for index in range(count):
                text = sealed[first + index]
                memcpy(head + SIZE * (first + index) + FIELDS, tags + BLOCK * index, SIZE - FIELDS)
                payload = PyBytes_FromStringAndSize(NULL, REST + PyBytes_GET_SIZE(text))
                place = PyBytes_AS_STRING(payload)
                memcpy(place, tags + BLOCK * index + SIZE - FIELDS, REST)
                memcpy(place + REST, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
                payloads.append(payload)
        return payloads

    def vouch(self, bytes headers, list places, list payloads):
        cdef Frame frames[BATCH]
        cdef uint8_t tags[BATCH * BLOCK]
        cdef list found = []
        cdef bytes payload
        cdef Py_ssize_t first, index, count
        cdef const uint8_t *text
        cdef bint good
        _check(headers, places, payloads)
        for first in range(0, len(places), BATCH):
            count = min(<Py_ssize_t>BATCH, len(places) - first)
            for index in range(count):
                payload = payloads[first + index]
                frames[index].header = <const uint8_t *>PyBytes_AS_STRING(headers) + SIZE * <Py_ssize_t>places[first + index]
                frames[index].good = PyBytes_GET_SIZE(payload) >= GROWTH
                # What is too short is compared with nothing; some bytes must stand there all the same.
                frames[index].text = frames[index].header
                if frames[index].good:
                    frames[index].text = <const uint8_t *>PyBytes_AS_STRING(payload) + REST
            if not self._tag(frames, count, tags):
                raise MemoryError("libcrypto has refused to open")
            for index in range(count):
                text = frames[index].text
                good = frames[index].good
                good = good and CRYPTO_memcmp(frames[index].header + FIELDS, tags + BLOCK * index, SIZE - FIELDS) == 0
                good = good and CRYPTO_memcmp(text - REST, tags + BLOCK * index + SIZE - FIELDS, REST) == 0
                found.append(good)
        return found

    def open(self, bytes headers, list places, list payloads):
        cdef Frame frames[BATCH]
        cdef list opened = []
        cdef list texts
        cdef bytes payload, text
        cdef Py_ssize_t first, index, count
        cdef const uint8_t *head
        _check(headers, places, payloads)
        for first in range(0, len(places), BATCH):
            count = min(<Py_ssize_t>BATCH, len(places) - first)
            texts = []
            for index in range(count):
                payload = payloads[first + index]
                head = <const uint8_t *>PyBytes_AS_STRING(headers) + SIZE * <Py_ssize_t>places[first + index]
                frames[index].header = head
                frames[index].size = head[2] << 8 | head[3]
                frames[index].good = PyBytes_GET_SIZE(payload) >= GROWTH + frames[index].size
                text = PyBytes_FromStringAndSize(NULL, frames[index].size if frames[index].good else 0)
                texts.append(text)
                frames[index].text = <const uint8_t *>PyBytes_AS_STRING(payload) + REST
                frames[index].out = <uint8_t *>PyBytes_AS_STRING(text)
            with nogil:
                self._open(frames, count)
            for index in range(count):
                opened.append(texts[index] if frames[index].good else None)
        return opened

    cdef bint _seal(self, Frame *frames, Py_ssize_t count) noexcept nogil:
        cdef uint8_t nonce[12]
        cdef Py_ssize_t index
        cdef int written
        cdef Frame *frame
        for index in range(count):
            frame = &frames[index]
            self._nonce(nonce, frame.header)
            if (
                EVP_EncryptInit_ex(self._seals, NULL, NULL, NULL, nonce) != 1
                or EVP_EncryptUpdate(self._seals, NULL, &written, frame.header, EQUAL) != 1
                or EVP_EncryptUpdate(self._seals, frame.out + TAG, &written, frame.text, frame.size) != 1
                or EVP_EncryptFinal_ex(self._seals, frame.out + TAG + frame.size, &written) != 1
                or EVP_CIPHER_CTX_ctrl(self._seals, EVP_CTRL_AEAD_GET_TAG, TAG, frame.out) != 1
            ):
                return False
        return True

    cdef void _open(self, Frame *frames, Py_ssize_t count) noexcept nogil:
        cdef uint8_t nonce[12]
        cdef Py_ssize_t index
        cdef int written
        cdef Frame *frame
        for index in range(count):
            frame = &frames[index]
            if not frame.good:
                continue
            self._nonce(nonce, frame.header)
            frame.good = (
                EVP_DecryptInit_ex(self._opens, NULL, NULL, NULL, nonce) == 1
                and EVP_CIPHER_CTX_ctrl(self._opens, EVP_CTRL_AEAD_SET_TAG, TAG, <void *>frame.text) == 1
                and EVP_DecryptUpdate(self._opens, NULL, &written, frame.header, EQUAL) == 1
                and EVP_DecryptUpdate(self._opens, frame.out, &written, frame.text + TAG, frame.size) == 1
                and EVP_DecryptFinal_ex(self._opens, frame.out + frame.size, &written) == 1
            )

    cdef void _nonce(self, uint8_t *nonce, const uint8_t *header) noexcept nogil:
        memcpy(nonce, self._iv, 12)
        nonce[3] ^= header[0] & 0x0F
        nonce[8] ^= header[8]
        nonce[9] ^= header[9]
        nonce[10] ^= header[10]
        nonce[11] ^= header[11]

    cdef bint _tag(self, Frame *frames, Py_ssize_t count, uint8_t *tags) noexcept nogil:
        """Compute AES-CMAC over 20 bytes of each header and the 16 bytes at each text: three blocks, abreast."""
        cdef Py_ssize_t index
        cdef int written
        for index in range(count):
            memcpy(tags + BLOCK * index, frames[index].header, BLOCK)
        if EVP_EncryptUpdate(self._blocks, tags, &written, tags, <int>count * BLOCK) != 1:
            return False
        for index in range(count):
            _xor(tags + BLOCK * index, frames[index].header + BLOCK, FIELDS - BLOCK)
            _xor(tags + BLOCK * index + FIELDS - BLOCK, frames[index].text, 2 * BLOCK - FIELDS)
        if EVP_EncryptUpdate(self._blocks, tags, &written, tags, <int>count * BLOCK) != 1:
            return False
        for index in range(count):
            _xor(tags + BLOCK * index, frames[index].text + 2 * BLOCK - FIELDS, FIELDS - BLOCK)
            tags[BLOCK * index + FIELDS - BLOCK] ^= 0x80
            _xor(tags + BLOCK * index, self._last, BLOCK)
        return EVP_EncryptUpdate(self._blocks, tags, &written, tags, <int>count * BLOCK) == 1

    cdef _make_last(self):
        cdef int written, again, carry, index
        memset(self._last, 0, BLOCK)
        if EVP_EncryptUpdate(self._blocks, self._last, &written, self._last, BLOCK) != 1:
            raise MemoryError("libcrypto has refused the cipher")
        for again in range(2):
            carry = self._last[0] >> 7
            for index in range(BLOCK - 1):
                self._last[index] = (self._last[index] << 1 | self._last[index + 1] >> 7) & 0xFF
            self._last[BLOCK - 1] = (self._last[BLOCK - 1] << 1 ^ (0x87 if carry else 0)) & 0xFF


cdef inline void _xor(uint8_t *into, const uint8_t *other, int size) noexcept nogil:
    cdef int index
    for index in range(size):
        into[index] ^= other[index]


cdef const uint8_t *_head(headers, Py_ssize_t count) except NULL:
    """Give where the headers begin; there must be enough of them."""
    cdef Py_ssize_t size
    cdef const uint8_t *head
    if isinstance(headers, bytearray):
        head, size = <const uint8_t *>PyByteArray_AS_STRING(headers), PyByteArray_GET_SIZE(headers)
    else:
        head, size = <const uint8_t *>PyBytes_AS_STRING(<bytes?>headers), PyBytes_GET_SIZE(headers)
    if size < SIZE * count:
        raise ValueError("there are fewer headers than payloads")
    return head


cdef _check(bytes headers, list places, list payloads):
    cdef Py_ssize_t place
    if len(places) != len(payloads):
        raise ValueError("there are not as many places as payloads")
    for place in places:
        if place < 0 or PyBytes_GET_SIZE(headers) < SIZE * (place + 1):
            raise ValueError("there are fewer headers than places")
