cimport cython

from alagg.engine.addresses cimport Admission
from alagg.engine.fragment cimport Piece, Rejoiner
from alagg.engine.header cimport parse
from alagg.engine.link cimport Link
from alagg.engine.recovery cimport Recovery
from alagg.engine.reorder cimport Reorder
from alagg.engine.sequence cimport distance

cdef int DATA
cdef int PROBE
cdef int COOKIE_SIZE
cdef int SIZE
cdef long SAMPLE_MASK
cdef int DISCARDED
cdef int ROGUE
cdef int PASSED
cdef int TOOK_OVER
cdef long HALF
cdef long MASK

@cython.final
cdef class Track:
    cdef public long epoch
    cdef public long passed
    cdef public long received
    cdef public long expected
    cdef public long reordered
    cdef public bint reordering
    cdef long _highest
    cdef object _history

    @cython.locals(ahead=long)
    cpdef frame(self, long link_sequence)
    @cython.locals(ahead=long)
    cpdef packet(self, long sequence)

@cython.final
cdef class Lane:
    cdef readonly long number
    cdef readonly Recovery recovery
    cdef readonly Reorder reorder
    cdef readonly Rejoiner rejoiner
    cdef public dict tracks
    cdef public list out
    cdef Link _link
    cdef Track _track
    cdef dict _samples
    cdef double _next_sample

    @cython.locals(track=Track)
    cpdef Track track(self, Link link, long epoch, long link_sequence)
    cpdef first_copy(self, long sequence, double now)
    cpdef later_copy(self, long sequence, double now)

@cython.final
cdef class Receiver:
    cdef public list packets
    cdef public dict lanes
    cdef public long frames
    cdef public long probes
    cdef public long replies
    cdef public long bad_cookie
    cdef public long unknown_lane
    cdef public long delivered
    cdef public long pieces_joined
    cdef public dict refused
    cdef public list reset_lanes
    cdef Admission _admission
    cdef dict _monitors
    cdef long _window
    cdef object _timeout
    cdef double _live_time

    @cython.locals(
        lane=Lane, size=long, intact=long, index=Py_ssize_t, payload=bytes, frame_type=long, epoch=long, number=long,
        sequence=long, link_sequence=long, piece=long, last_piece=long, length=long,
    )
    cpdef receive(self, Link link, bytes headers, list payloads, double now)
    @cython.locals(lane=Lane, deadline=double)
    cpdef double deadline(self) except? -1
    cdef _control(self, Lane lane, Link link, long frame_type, long epoch, long link_sequence, bytes cookie, double now)
    cdef Lane _new_lane(self, long number)
    @cython.locals(verdict=int)
    cdef _data(self, Lane lane, Link link, long epoch, long sequence, long link_sequence, long piece, long last_piece,
               bytes payload, double now)
    cdef _finish(self, Lane lane, double now)
    @cython.locals(link=Link, track=Track)
    cdef _give_up_passed(self, Lane lane, double now)
    @cython.locals(packet=bytes, reason=str)
    cdef _deliver(self, Lane lane, double now)
