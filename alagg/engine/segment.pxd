cimport cython
from libc.stdint cimport uint32_t, uint64_t

from alagg.engine cimport _octets as octets
from alagg.engine._octets cimport octets_in, octets_out

cdef int _TCP, _UDP, _FIN, _SYN, _RST, _PSH, _URG, _CWR

@cython.locals(
    p=octets_in, length=Py_ssize_t, protocol=int, tcp=Py_ssize_t, destination=Py_ssize_t, start=Py_ssize_t,
)
cpdef list cut(bytes packet, Py_ssize_t size, Py_ssize_t step=*)

@cython.locals(
    p=octets_in, length=Py_ssize_t, protocol=int, at=Py_ssize_t, destination=Py_ssize_t, head=bytearray, w=octets_out,
    v4=bint, pseudo=uint64_t, datagrams=list, begin=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t, checksum=uint32_t,
)
cpdef list cut_datagrams(bytes packet, Py_ssize_t step)

cdef void _set_length(octets_out w, bint v4, Py_ssize_t at, Py_ssize_t size, Py_ssize_t more) noexcept

@cython.locals(p=octets_in, length=Py_ssize_t, protocol=int, at=Py_ssize_t, destination=Py_ssize_t)
cpdef bytes complete(bytes packet)

@cython.locals(at=Py_ssize_t)
cdef (int, Py_ssize_t, Py_ssize_t) _locate(octets_in p, Py_ssize_t length) noexcept

@cython.locals(protocol=int, at=Py_ssize_t, destination=Py_ssize_t)
cdef (int, Py_ssize_t, Py_ssize_t) _locate_behind_extensions(octets_in p, Py_ssize_t length) noexcept

@cython.locals(size=Py_ssize_t, source=Py_ssize_t)
cdef uint32_t _pseudo_header(octets_in p, int protocol, Py_ssize_t destination) noexcept

@cython.locals(p=octets_in, length=Py_ssize_t, words=uint64_t, checksum=uint32_t, head=bytearray)
cdef bytes _completed(bytes packet, int protocol, Py_ssize_t at, Py_ssize_t destination, Py_ssize_t field)

@cython.locals(
    p=octets_in, length=Py_ssize_t, head=bytearray, w=octets_out, v4=bint, identification=uint32_t,
    sequence=uint32_t, flags=uint32_t, first_only=uint32_t, ip_words=uint64_t, tcp_words=uint64_t, words=uint64_t,
    segments=list, begin=Py_ssize_t, end=Py_ssize_t, now=uint32_t,
)
cdef list _segments(bytes packet, Py_ssize_t step, Py_ssize_t tcp, Py_ssize_t start, Py_ssize_t destination)

cdef void _clear(octets_out w, bint v4, Py_ssize_t tcp) noexcept
