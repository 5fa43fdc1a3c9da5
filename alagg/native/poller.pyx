# cython: auto_pickle=False, autotestdict=False
"""ppoll(2): waits for descriptors with a limit in nanoseconds, where poll(2) knows only whole milliseconds."""

cimport cython
from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EINTR, errno
from libc.string cimport memmove
from libc.stdlib cimport free, realloc
from posix.time cimport timespec


cdef extern from *:
    """
    #include <poll.h>
    #include <sys/prctl.h>
    /* A kernel that refuses leaves us with its usual slack, 50 us. */
    static inline void alagg_set_timer_slack(size_t nanoseconds)
    {
        (void) prctl(PR_SET_TIMERSLACK, nanoseconds, (size_t) 0, (size_t) 0, (size_t) 0);
    }
    """
    cdef struct pollfd:
        int fd
        short events
        short revents
    int POLLIN
    int ppoll(pollfd *entries, size_t count, const timespec *limit, const void *signals) nogil
    void alagg_set_timer_slack(size_t nanoseconds)


DEF TIMER_SLACK = 1000     # nanoseconds
DEF LONGEST = 1000000000.  # seconds: more is for ever


@cython.final
cdef class Poller:
    """Waits for descriptors that are readable, have failed, or have been hung up."""

    cdef pollfd *_entries
    cdef Py_ssize_t _count
    cdef Py_ssize_t _room
    cdef bint _waiting

    def __cinit__(self):
        alagg_set_timer_slack(TIMER_SLACK)

    def __dealloc__(self):
        free(self._entries)

    def register(self, int descriptor):
        cdef Py_ssize_t room
        cdef void *moved
        self._refuse_while_waiting()
        if descriptor < 0:
            raise ValueError("a descriptor is not negative")
        if self._find(descriptor) >= 0:
            return
        if self._count == self._room:
            room = 2 * self._room + 8
            moved = realloc(self._entries, room * sizeof(pollfd))
            if moved == NULL:
                raise MemoryError
            self._entries, self._room = <pollfd *> moved, room
        self._entries[self._count].fd = descriptor
        self._entries[self._count].events = <short> POLLIN
        self._count += 1

    def unregister(self, int descriptor):
        self._refuse_while_waiting()
        cdef Py_ssize_t place = self._find(descriptor)
        if place < 0:
            raise KeyError(descriptor)
        self._count -= 1
        memmove(&self._entries[place], &self._entries[place + 1], (self._count - place) * sizeof(pollfd))

    def poll(self, double seconds):
        cdef timespec limit
        cdef timespec *until = NULL
        cdef int ready
        cdef Py_ssize_t index
        cdef list descriptors = []
        if seconds != seconds:
            raise ValueError("not a time")
        self._refuse_while_waiting()
        if seconds < LONGEST:
            seconds = max(seconds, 0.)
            limit.tv_sec = <int> seconds
            limit.tv_nsec = <int> ((seconds - <int> seconds) * 1e9)
            until = &limit
        self._waiting = True
        with nogil:
            ready = ppoll(self._entries, <size_t> self._count, until, NULL)
        self._waiting = False
        if ready < 0 and errno != EINTR:
            PyErr_SetFromErrno(OSError)
        if ready > 0:
            for index in range(self._count):
                if self._entries[index].revents:
                    descriptors.append(self._entries[index].fd)
        return descriptors

    cdef Py_ssize_t _find(self, int descriptor) noexcept:
        """Give a descriptor's place; -1 for none."""
        cdef Py_ssize_t index
        for index in range(self._count):
            if self._entries[index].fd == descriptor:
                return index
        return -1

    cdef int _refuse_while_waiting(self) except -1:
        """The kernel looks at the entries while another thread is in `poll`: they must stay where they are."""
        if self._waiting:
            raise RuntimeError("another thread is polling")
        return 0
