cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcpy

from alagg.engine.crc cimport crc32c

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #include <arpa/inet.h>
    static inline uint32_t alagg_load32(const unsigned char *p) { uint32_t v; memcpy(&v, p, 4); return ntohl(v); }
    static inline uint16_t alagg_load16(const unsigned char *p) { uint16_t v; memcpy(&v, p, 2); return ntohs(v); }
    static inline void alagg_store32(unsigned char *p, uint32_t v) { v = htonl(v); memcpy(p, &v, 4); }
    static inline void alagg_store16(unsigned char *p, uint16_t v) { v = htons(v); memcpy(p, &v, 2); }
    """
    unsigned int alagg_load32(const unsigned char *p) noexcept nogil
    unsigned short alagg_load16(const unsigned char *p) noexcept nogil
    void alagg_store32(unsigned char *p, unsigned int v) noexcept nogil
    void alagg_store16(unsigned char *p, unsigned short v) noexcept nogil

cdef inline (long, long, long, long, long, long, long, long, long, long, long) _unpack(bytes data, Py_ssize_t offset):
    cdef const unsigned char *p = <const unsigned char *>data + offset
    return (p[0], p[1], alagg_load16(p + 2), alagg_load32(p + 4), alagg_load32(p + 8), alagg_load32(p + 12),
            p[16], p[17], p[18], p[19], alagg_load32(p + 20))

cdef inline bytes _pack(long version_type, long flags, long length, long epoch, long sequence, long link_sequence,
                        long lane, long link_id, long piece, long last_piece):
    cdef unsigned char p[20]
    p[0] = version_type
    p[1] = flags
    alagg_store16(p + 2, length)
    alagg_store32(p + 4, epoch)
    alagg_store32(p + 8, sequence)
    alagg_store32(p + 12, link_sequence)
    p[16] = lane
    p[17] = link_id
    p[18] = piece
    p[19] = last_piece
    return PyBytes_FromStringAndSize(<char *>p, 20)

cdef inline bytes _seal(bytes fields, long checksum):
    cdef unsigned char p[24]
    memcpy(p, <const unsigned char *>fields, 20)
    alagg_store32(p + 20, checksum)
    return PyBytes_FromStringAndSize(<char *>p, 24)

@cython.locals(fields=bytes)
cpdef bytes encode(long frame_type, long epoch, long lane, long sequence, long link_id, long link_sequence,
                   long piece, long last_piece, long payload_length, long payload_checksum)

@cython.locals(
    version_type=long, flags=long, length=long, epoch=long, sequence=long, link_sequence=long, lane=long, link_id=long,
    piece=long, last_piece=long, checksum=long, frame_type=long, start=Py_ssize_t, payload=bytes,
)
cpdef tuple decode(bytes data, Py_ssize_t offset=*)
