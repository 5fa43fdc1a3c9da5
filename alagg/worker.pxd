cimport cython
from libc.stdint cimport int64_t

from alagg.engine.endpoint cimport Endpoint
from alagg.engine.link cimport Link

cdef double _RETRY

@cython.final
cdef class PortSlot:
    cdef readonly object where
    cdef readonly bint is_udp
    cdef readonly str interface
    cdef public dict links
    cdef public object port
    cdef public int descriptor
    cdef public int index
    cdef public tuple told

cdef class Worker:
    cdef public object config
    cdef readonly object captures
    cdef public object injector
    cdef readonly object clock
    cdef public bint running
    cdef public object on_event
    cdef readonly dict slots
    cdef readonly dict remotes
    cdef public object crew
    cdef readonly int64_t strangers
    cdef readonly Endpoint endpoint
    cdef readonly object whereabouts
    cdef readonly object carried
    cdef readonly object _facts
    cdef dict _settings
    cdef public object _open_port
    cdef double _next_retry
    cdef double _busy_until
    cdef object _recent
    cdef public object _poll
    cdef dict _handlers

    cpdef double pause(self, double now) except? -1
    @cython.locals(now=double)
    cpdef step(self, double timeout)
    cdef _capture(self, capture, double now)
    @cython.locals(link=Link)
    cdef bint _receive(self, PortSlot slot, double now) except -1
    @cython.locals(endpoint=Endpoint, link=Link)
    cdef _write(self, double now)
    @cython.locals(slot=PortSlot)
    cdef _send(self, Link link, double now)
    cdef _reopen(self, double now)
    cpdef size_captures(self)
