cimport cython

from alagg.engine.addresses cimport same_destination
from alagg.engine.link cimport Link
from alagg.engine.peer cimport Peer
from alagg.engine.receiver cimport Receiver
from alagg.engine.sender cimport Sender

cdef int SIZE

cdef class Endpoint:
    cdef readonly object settings
    cdef readonly dict peers
    cdef public long no_peer
    cdef tuple _local
    cdef dict _peer_of
    cdef dict _touched
    cdef double _deadline
    cdef object _routes

    @cython.locals(first=bytes, packet=bytes, groups=dict, group=list, previous=bytes)
    cpdef send(self, list packets, double now)
    @cython.locals(sender=Sender)
    cdef _send(self, Peer peer, list packets, double now)
    @cython.locals(peer=Peer, receiver=Receiver, due=double)
    cpdef receive(self, Link link, bytes headers, list payloads, double now)
    cpdef double deadline(self) except? -1
    @cython.locals(peer=Peer, deadline=double)
    cpdef handle_timer(self, double now)
    cpdef bint is_quiet(self) noexcept
    @cython.locals(peer=Peer, sender=Sender, link=Link, links=list)
    cpdef list queued_links(self)
    @cython.locals(peer=Peer, sender=Sender)
    cpdef settle(self)
    @cython.locals(peer=Peer, packets=list, receiver=Receiver)
    cpdef list take_packets(self)
    @cython.locals(peer=Peer, events=list, receiver=Receiver)
    cpdef list take_events(self)
