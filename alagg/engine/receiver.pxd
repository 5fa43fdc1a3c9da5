cimport cython
from libc.stdint cimport int64_t

from alagg.engine.addresses cimport Admission
from alagg.engine.fragment cimport Piece
from alagg.engine.header cimport parse
from alagg.engine.lane cimport Lane, Track
from alagg.engine.link cimport Link
from alagg.engine.recovery cimport Recovery, Stream
from alagg.engine.reorder cimport Reorder
from alagg.engine.sequence cimport distance

cdef int DATA, PROBE, CONTROL, COOKIE_SIZE, SIZE, DISCARDED, TOOK_OVER

@cython.final
cdef class Receiver:
    cdef public list packets
    cdef public list controls
    cdef public dict lanes
    cdef public int64_t frames
    cdef public int64_t data_frames
    cdef public int64_t probes
    cdef public int64_t replies
    cdef public int64_t control_frames
    cdef public int64_t bad_cookie
    cdef public int64_t delivered
    cdef public dict refused
    cdef public dict refused_last
    cdef public list reset_lanes
    cdef Admission _admission
    cdef dict _monitors
    cdef int64_t _window
    cdef object _timeout
    cdef double _live_time
    cdef object _secret
    cdef object _store
    cdef double _least

    @cython.locals(
        lane=Lane, size=int64_t, intact=int64_t, index=Py_ssize_t, payload=bytes, frame_type=int, epoch=int64_t,
        number=int, sequence=int64_t, link_id=int, link_sequence=int64_t, piece=int, last_piece=int, length=int,
        content=int64_t,
    )
    cpdef receive(self, Link link, bytes headers, list payloads, double now)
    @cython.locals(lane=Lane, deadline=double)
    cpdef double deadline(self) except? -1
    cpdef bint is_live(self, Link link, double now) except -1
    cdef _control(self, Lane lane, Link link, int frame_type, int64_t epoch, int link_id, int64_t link_sequence,
                  bytes payload, double now)
    cdef Lane _new_lane(self, int number)
    @cython.locals(verdict=int, recovery=Recovery, stream=Stream, track=Track)
    cdef _data(self, Lane lane, Link link, int64_t epoch, int64_t sequence, int link_id, int64_t link_sequence,
               int piece, int last_piece, bytes payload, int64_t fingerprint, double now)
    @cython.locals(current=Stream)
    cdef _finish(self, Lane lane, double now)
    @cython.locals(link=Link, track=Track)
    cdef _give_up_passed(self, Lane lane, Reorder reorder, double now)
    @cython.locals(packet=bytes)
    cdef _deliver(self, Lane lane, double now)
    @cython.locals(reason=str)
    cdef _admit(self, bytes packet, double now)
