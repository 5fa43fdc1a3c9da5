from libc.stdint cimport int64_t

cdef class EthernetPort:
    cdef readonly str interface
    cdef public int64_t rx_dropped
    cdef object _ethertype
    cdef tuple _lanes
    cdef readonly dict _prefixes
    cdef readonly object _receiving
    cdef object _sending
    cdef public object _xdp
    cdef bint _xdp_wanted
    cdef public int _xdp_attempts
    cdef public str _reason
    cdef public str _refusal
    cdef readonly object _opener
    cdef readonly bytes suffix
    cdef object _sender
    cdef object _receiver
