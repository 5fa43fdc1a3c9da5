cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.string cimport memcpy

from alagg.engine.crc cimport extend

cdef int _VERSION, _FIRST_TYPE, _LAST_TYPE

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

cdef struct Fields:
    unsigned char octets[20]

cdef inline Fields _pack(long version_type, long flags, long length, long epoch, long sequence, long link_sequence,
                         long lane, long link_id, long piece, long last_piece) noexcept:
    cdef Fields fields
    cdef unsigned char *p = fields.octets
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
    return fields

cdef inline long _checksum(long payload_checksum, Fields fields) noexcept:
    return extend(payload_checksum, fields.octets, 20)

cdef inline long _verified(bytes payload, Py_ssize_t length, bytes headers, Py_ssize_t at) noexcept:
    return extend(extend(0, <const unsigned char *>payload, length), <const unsigned char *>headers + at, 20)

cdef inline void _store(bytearray headers, Py_ssize_t at, Fields fields, long checksum) noexcept:
    cdef unsigned char *p = <unsigned char *>PyByteArray_AS_STRING(headers) + at
    memcpy(p, fields.octets, 20)
    alagg_store32(p + 20, checksum)

@cython.locals(fields=Fields)
cpdef write(bytearray headers, Py_ssize_t at, long frame_type, long epoch, long lane, long sequence, long link_id,
            long link_sequence, long piece, long last_piece, long payload_length, long payload_checksum)

@cython.locals(
    version_type=long, flags=long, length=long, epoch=long, sequence=long, link_sequence=long, lane=long, link_id=long,
    piece=long, last_piece=long, checksum=long, frame_type=long,
)
cpdef (long, long, long, long, long, long, long, long, long) parse(bytes headers, Py_ssize_t at, bytes payload) except *

cpdef tuple decode(bytes data, Py_ssize_t offset=*)
