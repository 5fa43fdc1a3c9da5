cimport cython
from libc.stdint cimport int64_t

from alagg.engine.lane cimport Lane
from alagg.engine.link cimport Link
from alagg.engine.monitor cimport Monitor
from alagg.engine.receiver cimport Receiver
from alagg.engine.sender cimport Sender

cdef double TICK, WAKE, QUIET

cdef class Peer:
    cdef public object settings
    cdef readonly dict links
    cdef readonly dict monitors
    cdef public list events
    cdef public double due
    cdef public double scheduled
    cdef readonly Sender sender
    cdef readonly Receiver receiver
    cdef readonly object dialogue
    cdef object _node
    cdef object _local
    cdef dict _used_ids
    cdef double _next_probe
    cdef public dict resting
    cdef bint _has_backups
    cdef double _next_tick
    cdef bint _idle
    cdef double _next_wake
    cdef readonly object _latent
    cdef dict _states
    cdef dict _told
    cdef dict _refusals_told
    cdef int64_t _moved
    cdef double _next_report
    cdef int64_t _reported
    cdef object _admission

    cpdef handle_timer(self, double now)
    @cython.locals(moved=int64_t, monitor=Monitor)
    cpdef wake(self, double now)
    cpdef hear(self, double now)
    @cython.locals(next_probe=double, earliest=double, idle=bint, link=Link, monitor=Monitor)
    cdef _probe(self, double now)
    cpdef list take_events(self)
    @cython.locals(lane=Lane)
    cdef _tick(self, double now)
    cdef _check_redundancy(self, double now)
    cdef _tell_refusals(self, double now)
    cdef _watch(self, Link link, double now)
