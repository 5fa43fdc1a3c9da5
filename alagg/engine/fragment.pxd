cimport cython
from libc.stdint cimport int64_t

from alagg.engine.held cimport Held

cdef double _PARTIAL_TIMEOUT
cdef int64_t _MAX_WAYS, _MAX_BYTES, _MAX_PACKET, _MAX_PARTIAL, _MAX_DONE, MASK

@cython.final
cdef class Piece:
    cdef readonly int64_t epoch
    cdef readonly int64_t sequence
    cdef readonly int64_t number
    cdef readonly int64_t last
    cdef readonly bytes payload

@cython.final
cdef class _Partial:
    cdef readonly double since
    cdef readonly dict pieces
    cdef readonly int64_t ways
    cdef public int64_t new
    cdef readonly int64_t size
    cdef public bint given

    @cython.locals(others=list, ways=int64_t)
    cdef bint add(self, Piece piece) except -1
    cdef list packets(self, Piece piece)

cdef class Rejoiner:
    cdef public int64_t joined
    cdef public int64_t again
    cdef public int64_t incomplete
    cdef public int64_t inconsistent
    cdef readonly object _partials
    cdef object _done
    cdef int64_t _bytes
    cdef Held _store

    @cython.locals(partial=_Partial)
    cpdef list join(self, Piece piece, double now)
    cdef _Partial _begin(self, tuple key, double now)
    @cython.locals(first=bint)
    cdef list _complete(self, tuple key, _Partial partial, Piece piece)
    cpdef double deadline(self) except? -1
    cpdef expire(self, double now)
    @cython.locals(partial=_Partial)
    cdef _give_up(self, tuple key)
    cdef _forget(self, tuple key)
    cdef _count_off(self, _Partial partial)

@cython.locals(keys=list, partial=_Partial)
cdef list _outlived(object partials, double now)
