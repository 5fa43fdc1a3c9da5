cimport cython

from alagg.engine.sequence cimport distance

cdef long HALF
cdef long MASK

cdef class Lateness:
    cdef public object mean
    cdef public double deviation

    cpdef sample(self, double seconds)

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
    cdef double _gap_since

    @cython.locals(sequence=long, ahead=long)
    cpdef push(self, tuple item, double now, list out)
    cpdef passed_by_all(self, long sequence, double now, list out)
    cdef _hold(self, tuple item, long ahead, double now, list out)
    cdef _make_room(self, tuple item, double now, list out)
    @cython.locals(sequence=long)
    cdef _skip_gap(self, double now, list out)
    cdef _fill(self, double now, list out)
    @cython.locals(sequence=long, slots=list, item=tuple, payload=bytes)
    cdef _release(self, list out)
    cdef _gap_moved(self, double now)
    cdef _forget_released(self)
    cdef _late(self)
