cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from alagg.engine.crc cimport crc32c, extend

cdef int _VERSION, _FIRST_TYPE, _LAST_TYPE, _SIZE

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

cdef inline (int, int, int, int64_t, int64_t, int, int, int, int, int64_t, int64_t) _unpack(
        bytes data, Py_ssize_t offset):
    cdef const unsigned char *p = <const unsigned char *>data + offset
    return (p[0], p[1], alagg_load16(p + 2), alagg_load32(p + 4), alagg_load32(p + 8), p[12], p[13], p[14], p[15],
            alagg_load32(p + 16), alagg_load32(p + 20))

cdef struct Fields:
    unsigned char octets[20]

cdef inline Fields _pack(int version_type, int flags_key, int length, int64_t epoch, int64_t sequence, int lane,
                         int piece, int last_piece, int link_id, int64_t link_sequence) noexcept:
    cdef Fields fields
    cdef unsigned char *p = fields.octets
    p[0] = version_type
    p[1] = flags_key
    alagg_store16(p + 2, length)
    alagg_store32(p + 4, <uint32_t>epoch)
    alagg_store32(p + 8, <uint32_t>sequence)
    p[12] = lane
    p[13] = piece
    p[14] = last_piece
    p[15] = link_id
    alagg_store32(p + 16, <uint32_t>link_sequence)
    return fields

cdef inline int64_t _checksum(int64_t payload_checksum, Fields fields) noexcept:
    return extend(payload_checksum, fields.octets, 20)

cdef inline int64_t _verified(int64_t content, bytes headers, Py_ssize_t at) noexcept:
    return extend(content, <const unsigned char *>headers + at, 20)

cdef inline void _store(bytearray headers, Py_ssize_t at, Fields fields, int64_t checksum) noexcept:
    cdef unsigned char *p = <unsigned char *>PyByteArray_AS_STRING(headers) + at
    memcpy(p, fields.octets, 20)
    alagg_store32(p + 20, <uint32_t>checksum)

@cython.locals(fields=Fields)
cpdef write(bytearray headers, Py_ssize_t at, int frame_type, int64_t epoch, int lane, int64_t sequence, int link_id,
            int64_t link_sequence, int piece, int last_piece, int payload_length, int64_t payload_checksum)

@cython.locals(
    version_type=int, flags_key=int, length=int, epoch=int64_t, sequence=int64_t, link_sequence=int64_t, lane=int,
    link_id=int, piece=int, last_piece=int, checksum=int64_t, frame_type=int,
    content=int64_t,
)
cpdef (int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t) parse(
        bytes headers, Py_ssize_t at, bytes payload) except *

cpdef tuple decode(bytes data, Py_ssize_t offset=*)
