cimport cython
from libc.stdint cimport int64_t

from alagg.engine.addresses cimport same_destination
from alagg.engine.link cimport Link
from alagg.engine.peer cimport Peer
from alagg.engine.receiver cimport Receiver
from alagg.engine.sender cimport Sender

cdef int SIZE, _PEERS_AT_ONCE

cdef class Endpoint:
    cdef readonly object settings
    cdef readonly dict peers
    cdef public int64_t no_peer
    cdef tuple _local
    cdef dict _peer_of
    cdef dict _touched
    cdef list _timers
    cdef int64_t _pushed
    cdef object _routes
    cdef list _left

    @cython.locals(first=bytes, packet=bytes, groups=dict, group=list, previous=bytes)
    cpdef send(self, list packets, double now)
    @cython.locals(sender=Sender)
    cdef _send(self, Peer peer, list packets, double now)
    @cython.locals(peer=Peer, receiver=Receiver, due=double)
    cpdef receive(self, Link link, bytes headers, list payloads, double now)
    @cython.locals(peer=Peer, sender=Sender, least=Py_ssize_t)
    cdef Py_ssize_t _least_room(self) except -1
    cpdef double deadline(self) except? -1
    @cython.locals(peer=Peer, due=double)
    cpdef handle_timer(self, double now)
    cdef _schedule(self, Peer peer)
    cpdef bint is_quiet(self) noexcept
    @cython.locals(peer=Peer, sender=Sender, link=Link, links=list)
    cpdef list queued_links(self)
    @cython.locals(peer=Peer, sender=Sender)
    cpdef settle(self)
    @cython.locals(peer=Peer, packets=list, receiver=Receiver)
    cpdef list take_packets(self)
    @cython.locals(peer=Peer, events=list, receiver=Receiver)
    cpdef list take_events(self)
