cimport cython

from alagg.engine.sequence cimport distance

cdef long HALF
cdef long MASK

@cython.final
cdef class Window:
    cdef public long epoch
    cdef public long highest
    cdef public long size
    cdef public double last_time
    cdef public long run
    cdef public long passed
    cdef public long expected
    cdef public long out_of_order
    cdef public long discarded
    cdef long _first
    cdef long _mask
    cdef bytearray _seen

    @cython.locals(ahead=long)
    cpdef bint covers(self, long sequence) noexcept
    @cython.locals(ahead=long, slot=long)
    cpdef bint accept(self, long sequence) except -1
    @cython.locals(start=long, count=long, tail=long)
    cdef _forget(self, long ahead)
    cdef _reach_back(self, long sequence)

@cython.final
cdef class Recovery:
    cdef public long rogue
    cdef public long resets
    cdef long _size
    cdef readonly Window _current
    cdef list _aside
    cdef dict _retired

    @cython.locals(window=Window)
    cpdef int accept(self, long epoch, long sequence, double now) except -1
    cpdef bint is_current(self, long epoch) noexcept
    @cython.locals(window=Window)
    cdef int _accept_aside(self, Window current, long epoch, long sequence, double now) except -1
    cdef int _accept_in(self, Window window, Window current, long sequence, double now) except -1
    cdef _retire(self, Window window)
