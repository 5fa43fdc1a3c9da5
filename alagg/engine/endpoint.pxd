cimport cython

from alagg.engine.addresses cimport same_destination
from alagg.engine.receiver cimport Receiver

cdef int SIZE

cdef class Endpoint:
    cdef readonly object settings
    cdef readonly dict peers
    cdef public long no_peer
    cdef tuple _local
    cdef dict _peer_of
    cdef dict _touched
    cdef double _deadline
    cdef object _routes

    @cython.locals(groups=dict, group=list, previous=bytes, packet=bytes)
    cpdef send(self, list packets, double now)
    @cython.locals(receiver=Receiver)
    cpdef receive(self, object link, bytes headers, list payloads, double now)
    cpdef double deadline(self) except? -1
    cpdef handle_timer(self, double now)
