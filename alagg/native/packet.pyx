# cython: auto_pickle=False, autotestdict=False
"""AF_PACKET in batches: many frames with one system call, during which other threads may run."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from cpython.list cimport PyList_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memset


cdef extern from "sys/uio.h" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len


cdef extern from "sys/socket.h" nogil:
    cdef struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    cdef struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    int MSG_DONTWAIT
    int sendmmsg(int fd, mmsghdr *messages, unsigned int count, int flags)
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags, void *timeout)


DEF SEND_BATCH = 256   # frames of one sendmmsg
DEF PIECES = 3         # of a frame: prefix, header, payload
DEF RECEIVE_BATCH = 64


@cython.final
cdef class Sender:
    """Sends frames on one socket."""

    cdef int _descriptor
    cdef bytes _prefix
    cdef mmsghdr _messages[SEND_BATCH]
    cdef iovec _vectors[PIECES * SEND_BATCH]

    def __cinit__(self, sock, bytes prefix not None):
        cdef Py_ssize_t index
        self._descriptor = sock.fileno()
        self._prefix = prefix
        memset(self._messages, 0, sizeof(self._messages))
        for index in range(SEND_BATCH):
            self._vectors[PIECES * index].iov_base = PyBytes_AS_STRING(prefix)
            self._vectors[PIECES * index].iov_len = PyBytes_GET_SIZE(prefix)
            self._messages[index].msg_hdr.msg_iov = &self._vectors[PIECES * index]
            self._messages[index].msg_hdr.msg_iovlen = PIECES

    def send(self, headers, payloads):
        return self._send(list(headers), list(payloads))

    cdef Py_ssize_t _send(self, list headers, list payloads) except -1:
        cdef Py_ssize_t total = PyList_GET_SIZE(headers)
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t count
        cdef int sent
        if PyList_GET_SIZE(payloads) != total:
            raise ValueError("as many payloads as headers")
        while done < total:
            count = self._fill(headers, payloads, done, total)
            with nogil:
                sent = sendmmsg(self._descriptor, self._messages, <unsigned int> count, MSG_DONTWAIT)
            if sent > 0:
                done += sent
            elif errno != EINTR:
                # EAGAIN: the socket's send buffer waits in the interface's queue; ENOBUFS: that queue dropped it.
                if done == 0 and errno != EAGAIN and errno != ENOBUFS:
                    PyErr_SetFromErrno(OSError)
                break
        return done

    cdef Py_ssize_t _fill(self, list headers, list payloads, Py_ssize_t start, Py_ssize_t total) except -1:
        """Point the messages at the frames from `start` on; the lists keep the bytes alive during the call."""
        cdef Py_ssize_t count = min(total - start, SEND_BATCH)
        cdef Py_ssize_t index
        for index in range(count):
            self._point(PIECES * index + 1, headers[start + index])
            self._point(PIECES * index + 2, payloads[start + index])
        return count

    cdef int _point(self, Py_ssize_t place, bytes data) except -1:
        if data is None:
            raise TypeError("a frame is made of bytes")
        self._vectors[place].iov_base = PyBytes_AS_STRING(data)
        self._vectors[place].iov_len = PyBytes_GET_SIZE(data)
        return 0


@cython.final
cdef class Receiver:
    """Receives frames of at most `size` bytes on one socket."""

    cdef int _descriptor
    cdef unsigned char *_buffers
    cdef mmsghdr _messages[RECEIVE_BATCH]
    cdef iovec _vectors[RECEIVE_BATCH]

    def __cinit__(self, sock, Py_ssize_t size):
        cdef Py_ssize_t index
        if not 0 < size <= 1 << 20:
            raise ValueError("a frame has 1 byte to 1 MiB")
        self._descriptor = sock.fileno()
        # Pages that no frame ever reaches stay untouched, so room for the largest frame costs no memory.
        self._buffers = <unsigned char *> malloc(RECEIVE_BATCH * size)
        if self._buffers == NULL:
            raise MemoryError
        memset(self._messages, 0, sizeof(self._messages))
        for index in range(RECEIVE_BATCH):
            self._vectors[index].iov_base = self._buffers + index * size
            self._vectors[index].iov_len = size
            self._messages[index].msg_hdr.msg_iov = &self._vectors[index]
            self._messages[index].msg_hdr.msg_iovlen = 1

    def __dealloc__(self):
        free(self._buffers)

    def receive(self):
        cdef int count
        cdef Py_ssize_t index
        cdef list frames = []
        with nogil:
            count = recvmmsg(self._descriptor, self._messages, RECEIVE_BATCH, MSG_DONTWAIT, NULL)
        if count < 0:
            if errno != EAGAIN and errno != EINTR:
                PyErr_SetFromErrno(OSError)
            return frames
        for index in range(count):
            frames.append(
                PyBytes_FromStringAndSize(<char *> self._vectors[index].iov_base, self._messages[index].msg_len)
            )
        return frames
