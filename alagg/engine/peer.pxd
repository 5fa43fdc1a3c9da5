cimport cython

from alagg.engine.link cimport Link
from alagg.engine.monitor cimport Monitor
from alagg.engine.receiver cimport Lane, Receiver
from alagg.engine.sender cimport Sender

cdef class Peer:
    cdef public object settings
    cdef readonly dict links
    cdef readonly dict monitors
    cdef public list events
    cdef public double due
    cdef readonly Sender sender
    cdef readonly Receiver receiver
    cdef object _node
    cdef object _local
    cdef long _next_id
    cdef double _next_probe
    cdef double _next_tick
    cdef object _latent
    cdef dict _states
    cdef object _admission

    cpdef handle_timer(self, double now)
    @cython.locals(next_probe=double, link=Link, monitor=Monitor)
    cdef _probe(self, double now)
    cpdef list take_events(self)
    @cython.locals(lane=Lane)
    cdef _tick(self, double now)
    cdef _check_redundancy(self, double now)
    cdef _watch(self, Link link, Monitor monitor, double now)
