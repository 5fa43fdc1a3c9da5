cimport cython
from libc.stdint cimport int64_t

from alagg.engine.held cimport Held
from alagg.engine.reorder cimport Reorder
from alagg.engine.ring cimport Ring
from alagg.engine.seen cimport Seen
from alagg.engine.sequence cimport extend

cdef int _DISCARDED, _ROGUE, _PASSED, _PASSED_ASIDE, _TOOK_OVER, _TRIAL_FRAMES, _ASIDE
cdef int64_t _REACH
cdef int _COPY, _NEW
cdef double _SILENCE, _SECONDS

@cython.final
cdef class Stream:
    cdef readonly int64_t epoch
    cdef public int64_t highest
    cdef public double last_time
    cdef public int64_t run
    cdef public int64_t passed
    cdef public int64_t expected
    cdef public int64_t out_of_order
    cdef readonly Reorder reorder
    cdef public Ring ring
    cdef public int64_t strange
    cdef int64_t _first

    cpdef bint covers(self, int64_t epoch, int64_t sequence) noexcept
    cpdef accept(self, int64_t number)

@cython.final
cdef class Recovery:
    cdef public int64_t rogue
    cdef public int64_t resets
    cdef public int64_t discarded
    cdef public Stream stream
    cdef readonly Stream current
    cdef readonly list aside
    cdef public list retired
    cdef public object timeout
    cdef int64_t _size
    cdef Held _store
    cdef Seen _strange
    cdef dict _retired

    @cython.locals(stream=Stream, ahead=int64_t, number=int64_t)
    cpdef int accept(self, int64_t epoch, int64_t sequence, double now, int64_t fingerprint=*) except -1
    cpdef tick(self)
    cpdef bint is_current(self, int64_t epoch) noexcept
    @cython.locals(found=int)
    cdef bint _is_new(self, Stream stream, Ring ring, int64_t sequence, int64_t number, int64_t ahead,
                      int64_t fingerprint, double now) except -1
    @cython.locals(stream=Stream)
    cdef int _accept_strange(self, int64_t epoch, int64_t sequence, double now, int64_t fingerprint) except -1
    @cython.locals(stream=Stream, current=Stream)
    cdef int _accept_aside(self, int64_t epoch, int64_t sequence, double now) except -1
    @cython.locals(stream=Stream)
    cdef Stream _find(self, int64_t epoch, int64_t sequence, double now)
    @cython.locals(other=Stream)
    cdef _take_over(self, Stream stream, double now)
    cdef _retire(self, Stream stream)

@cython.final
cdef class Strict:
    cdef public int64_t highest
    cdef int64_t _mask
    cdef bytearray _seen

    @cython.locals(mask=int64_t, passed_over=int64_t)
    cpdef int accept(self, int64_t number) except -1
