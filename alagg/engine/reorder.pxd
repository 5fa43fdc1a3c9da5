cimport cython
from libc.stdint cimport int64_t

from alagg.engine.held cimport Held
from alagg.engine.sequence cimport extend

cdef int64_t _OVERHEAD
cdef int64_t _SLOTS, _MAX_BYTES, _DOUBT, _BELIEVED
cdef double _FRESH

cdef double _MIN_TIMEOUT, _MAX_TIMEOUT, _WATCH_INTERVAL
cdef int64_t _WATCHED

cdef class Lateness:
    cdef public object mean
    cdef public double deviation

    cpdef sample(self, double seconds)

cdef class _Arrival:
    cdef double time
    cdef int64_t top
    cdef list numbers

@cython.final
cdef class Reorder:
    cdef public Lateness lateness
    cdef public int64_t late
    cdef public int64_t given_up
    cdef public int64_t alone
    cdef public int64_t crowded
    cdef public int64_t overflows
    cdef public int64_t held
    cdef public object fixed
    cdef public double least
    cdef bint _started
    cdef int64_t _next
    cdef double _advanced
    cdef dict _items
    cdef list _numbers
    cdef int64_t _bytes
    cdef Held _store
    cdef readonly object _arrivals
    cdef _Arrival _latest
    cdef double _gap_since
    cdef object _gaps
    cdef int64_t _highest
    cdef dict _watched
    cdef double _next_watch

    cpdef int64_t ahead(self, int64_t sequence) noexcept
    @cython.locals(number=int64_t, ahead=int64_t)
    cpdef push(self, int64_t sequence, object item, double now, list out)
    cpdef bint awaits(self, int64_t sequence) noexcept
    @cython.locals(number=int64_t)
    cpdef passed_by_all(self, int64_t sequence, double now, list out)
    @cython.locals(arrival=_Arrival)
    cpdef double deadline(self) except? -1
    @cython.locals(timeout=double, arrival=_Arrival)
    cpdef expire(self, double now, list out)
    @cython.locals(others=list)
    cdef _hold(self, int64_t number, object item, double now, list out)
    cdef _watch(self, int64_t number, double now)
    @cython.locals(arrival=_Arrival)
    cdef _arrived(self, int64_t number, double now)
    cdef bint _goes_on(self, _Arrival arrival, double now, double timeout) except -1
    @cython.locals(before=int64_t)
    cdef _release_alone(self, _Arrival arrival, list out)
    cdef _make_room(self, int64_t number, double now, list out)
    cdef int64_t _lowest(self) except? -1
    @cython.locals(number=int64_t)
    cdef _skip_gap(self, double now, list out)
    @cython.locals(before=int64_t)
    cdef _fill(self, double now, list out)
    @cython.locals(number=int64_t)
    cdef _release(self, list out)
    cdef _take(self, int64_t number, list out)
    @cython.locals(arrival=_Arrival)
    cdef _gap_moved(self, double now)
    @cython.locals(arrival=_Arrival)
    cdef _forget_released(self)
    cdef _late(self, int64_t number, double now)
