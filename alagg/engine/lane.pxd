cimport cython
from libc.stdint cimport int64_t

from alagg.engine.fragment cimport Rejoiner
from alagg.engine.link cimport Link
from alagg.engine.recovery cimport Recovery, Stream
from alagg.engine.reorder cimport Reorder
from alagg.engine.sequence cimport extend

cdef int64_t _SAMPLE_MASK, _SAMPLES, HALF, MASK, _TRACK_JUMP
cdef double SILENCE, _SAMPLE_INTERVAL

@cython.final
cdef class Track:
    cdef readonly int64_t epoch
    cdef readonly int link_id
    cdef public int64_t passed
    cdef public int64_t received
    cdef public int64_t received_bytes
    cdef public int64_t expected
    cdef public int64_t reordered
    cdef public bint reordering
    cdef public double last_time
    cdef readonly int64_t highest
    cdef readonly object missing
    cdef object _history

    @cython.locals(number=int64_t, ahead=int64_t)
    cpdef frame(self, int64_t link_sequence, int64_t size, double now)
    @cython.locals(ahead=int64_t)
    cpdef packet(self, int64_t sequence)
    cdef _found(self, int64_t number)

@cython.final
cdef class Lane:
    cdef readonly int number
    cdef readonly Recovery recovery
    cdef readonly Rejoiner rejoiner
    cdef public dict tracks
    cdef public list out
    cdef Link _link
    cdef Track _track
    cdef dict _samples
    cdef double _next_sample

    @cython.locals(track=Track)
    cpdef Track track(self, Link link, int64_t epoch, int link_id, int64_t link_sequence, int64_t size, double now)
    cdef bint _is_outlived(self, Track track, int64_t epoch) except -1
    cpdef first_copy(self, int64_t sequence, double now)
    cpdef later_copy(self, int64_t sequence, double now)
    cpdef take_over(self)
    cpdef release_retired(self)
    @cython.locals(stream=Stream, deadline=double)
    cpdef double deadline(self) except? -1
