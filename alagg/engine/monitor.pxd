from libc.stdint cimport int64_t

from alagg.engine.link cimport Link

cdef int COOKIE_SIZE, SMALLEST, PROBE, PROBE_REPLY, SIZE, _MISSES, _PROOFS, _HASTE, _PENDING, _REPLIES_PER_SECOND
cdef double _FLAPS, _DAMPING, _MAX_DAMPING, _BASE_PERIOD, _OVERDUE, _FIRST_PATIENCE, _IDLE_AFTER, _IDLE_INTERVAL, _JITTER, _BEATS
cdef double _RARELY, _PROMPT

cdef class Monitor:
    cdef readonly Link link
    cdef readonly object rtt
    cdef readonly double rtt_deviation
    cdef readonly int64_t probes_ignored
    cdef readonly int64_t stray_replies
    cdef public double next_time
    cdef readonly object path_mtu
    cdef readonly str wants
    cdef readonly dict holds
    cdef int64_t _epoch
    cdef int _lane
    cdef double _interval
    cdef double _pace
    cdef double _busy_at
    cdef double _asked
    cdef readonly bint is_idle
    cdef bytes _secret
    cdef int64_t _number
    cdef readonly dict _sent
    cdef dict _pings
    cdef double _last_answer
    cdef int64_t _proofs
    cdef int64_t _needed
    cdef double _wary_until
    cdef readonly double damping
    cdef object _returns
    cdef list _bases
    cdef double _base_since
    cdef int64_t _replies
    cdef double _replies_since

    cpdef busy(self, double now)
    cpdef hurry(self, double now)
    cpdef probe(self, double now)
    cpdef port_changed(self, double now)
    cpdef note(self, str state, str why)
    cpdef hold(self, str state, str why, double now)
    cpdef answer(self, bytes cookie, double now)
    cpdef answered(self, bytes cookie, double now)
    cdef _pong(self, bytes cookie, double now)
    cdef bytes _cookie(self)
    cdef _beat(self, double now)
    cdef _ask(self, Py_ssize_t size, double now)
    cdef _measure(self, double rtt, double now)
    cdef _prove(self, Py_ssize_t size, double now)
    cdef _return(self, double now)
    cdef int64_t _count(self, double now) except -1
    cdef _judge(self, double now)
    cdef _happen(self, str event, double now)
    cdef _turn(self, str state, double now)
    cdef str _words(self, str state, double now)
    cdef str _wary_words(self, double now)
