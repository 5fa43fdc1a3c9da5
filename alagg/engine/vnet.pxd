cimport cython
from libc.stdint cimport uint32_t

from alagg.engine cimport _octets as octets
from alagg.engine._octets cimport octets_in
from alagg.engine.segment cimport cut, cut_datagrams

cdef int _NEEDS_CSUM, _KIND, _TCPV4, _TCPV6, _UDP_L4

@cython.locals(flags=int, kind=int, step=int, start=int, offset=int, pieces=list)
cpdef list finish(bytes packet, bytes header, Py_ssize_t size)

@cython.locals(p=octets_in, length=Py_ssize_t, checksum=uint32_t, head=bytearray)
cdef bytes _summed(bytes packet, Py_ssize_t start, Py_ssize_t field)
