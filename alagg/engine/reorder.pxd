cimport cython

from alagg.engine.sequence cimport distance

cdef long HALF
cdef long MASK

cdef class Lateness:
    cdef public object mean
    cdef public double deviation

    cpdef sample(self, double seconds)

cdef class _Arrival:
    cdef double time
    cdef long top

@cython.final
cdef class Reorder:
    cdef public Lateness lateness
    cdef public long late
    cdef public long given_up
    cdef public long overflows
    cdef public long held
    cdef public object fixed
    cdef bint _started
    cdef long _next
    cdef list _slots
    cdef long _bytes
    cdef readonly object _arrivals
    cdef _Arrival _latest
    cdef double _gap_since

    @cython.locals(ahead=long)
    cpdef push(self, long sequence, object item, double now, list out)
    cpdef bint awaits(self, long sequence) noexcept
    cpdef passed_by_all(self, long sequence, double now, list out)
    @cython.locals(arrival=_Arrival)
    cpdef double deadline(self) except? -1
    @cython.locals(timeout=double, arrival=_Arrival)
    cpdef expire(self, double now, list out)
    cdef _hold(self, long sequence, object item, long ahead, double now, list out)
    @cython.locals(arrival=_Arrival)
    cdef _arrived(self, long sequence, double now)
    cdef _make_room(self, long sequence, double now, list out)
    @cython.locals(sequence=long)
    cdef _skip_gap(self, double now, list out)
    cdef _fill(self, double now, list out)
    @cython.locals(sequence=long, slots=list)
    cdef _release(self, list out)
    @cython.locals(arrival=_Arrival)
    cdef _gap_moved(self, double now)
    @cython.locals(arrival=_Arrival)
    cdef _forget_released(self)
    cdef _late(self)
