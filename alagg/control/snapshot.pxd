cimport cython
from libc.stdint cimport int64_t

from alagg.engine.fragment cimport Rejoiner
from alagg.engine.lane cimport Lane
from alagg.engine.link cimport Link
from alagg.engine.monitor cimport Monitor
from alagg.engine.peer cimport Peer
from alagg.engine.receiver cimport Receiver
from alagg.engine.recovery cimport Stream
from alagg.engine.reorder cimport Reorder
from alagg.engine.sender cimport Sender

cdef int _MAX_KNOWN
cdef object _REFUSED

cdef dict _peer(Peer peer, double now)
@cython.locals(receiver=Receiver)
cdef dict _refused(Peer peer, double now)
cdef list _texts(tuple networks)
@cython.locals(sender=Sender)
cdef dict _tx(Peer peer)
@cython.locals(receiver=Receiver)
cdef dict _rx(Peer peer)
@cython.locals(lane=Lane, total=dict)
cdef dict _recovered(lanes)
@cython.locals(
    lane=Lane, stream=Stream, order=Reorder, held=int64_t, late=int64_t, given_up=int64_t, alone=int64_t,
    overflows=int64_t, crowded=int64_t, timeout=double,
)
cdef dict _reordered(lanes)
@cython.locals(lane=Lane, rejoiner=Rejoiner, joined=int64_t, again=int64_t, waiting=int64_t, incomplete=int64_t,
               inconsistent=int64_t)
cdef dict _rejoined(lanes)
cdef dict _strangers(whereabouts)
@cython.locals(link=Link, monitor=Monitor)
cdef dict _link(Peer peer, config, port, whereabouts)
cdef dict _udp(config, bytes remote)
cdef dict _malformed(Link link)
