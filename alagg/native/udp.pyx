# cython: auto_pickle=False, autotestdict=False
"""UDP in batches: frames of one size leave as one super-datagram (UDP_SEGMENT), and may come as one (UDP_GRO)."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_SetFromErrno
from cpython.list cimport PyList_GET_SIZE
from libc.errno cimport (
    EACCES, EAGAIN, ECONNREFUSED, EHOSTUNREACH, EINTR, EINVAL, EIO, EMSGSIZE, ENETUNREACH, ENOBUFS, ENOPROTOOPT,
    EOPNOTSUPP, EPROTO, errno,
)
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset


cdef extern from *:
    """
    #include <errno.h>
    #include <netinet/in.h>
    #include <string.h>
    #include <sys/socket.h>

    #ifndef UDP_SEGMENT
    #define UDP_SEGMENT 103
    #endif
    #ifndef UDP_GRO
    #define UDP_GRO 104
    #endif
    #define ALAGG_CONTROL 128

    struct alagg_pktinfo { int index; unsigned int spec_dst, address; };
    struct alagg_pktinfo6 { unsigned char address[16]; unsigned int index; };

    /* Append a control message; the room suffices for one of each kind. */
    static inline size_t alagg_put(unsigned char *control, size_t at, int level, int kind, const void *value, size_t size)
    {
        struct cmsghdr *head = (struct cmsghdr *) (control + at);
        memset(head, 0, CMSG_SPACE(size));
        head->cmsg_level = level;
        head->cmsg_type = kind;
        head->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(head), value, size);
        return at + CMSG_SPACE(size);
    }

    /* Write what a datagram needs: the size of its segments (0 for one), its traffic class, its interface. */
    static inline size_t alagg_control(unsigned char *control, int ipv4, int segment, int traffic, int way)
    {
        size_t at = 0;
        if (traffic)
            at = alagg_put(control, at, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? 1 : 67, &traffic, sizeof traffic);
        if (way && ipv4) {
            struct alagg_pktinfo info = {way, 0, 0};
            at = alagg_put(control, at, IPPROTO_IP, 8, &info, sizeof info);
        } else if (way) {
            struct alagg_pktinfo6 info = {{0}, (unsigned int) way};
            at = alagg_put(control, at, IPPROTO_IPV6, 50, &info, sizeof info);
        }
        if (segment) {
            unsigned short size = (unsigned short) segment;
            at = alagg_put(control, at, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
        }
        return at;
    }

    /* Read the size of the segments of a merged datagram, 0 for one alone, and the interface's index. */
    static inline void alagg_told(struct msghdr *message, int *segment, int *way)
    {
        struct cmsghdr *head;
        *segment = *way = 0;
        for (head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
            if (head->cmsg_level == IPPROTO_UDP && head->cmsg_type == UDP_GRO)
                memcpy(segment, CMSG_DATA(head), sizeof *segment);
            else if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == 8)
                memcpy(way, CMSG_DATA(head), sizeof *way);
            else if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == 50)
                memcpy(way, CMSG_DATA(head) + 16, sizeof *way);
        }
    }

    static inline int alagg_is_ipv4(const char *remote, Py_ssize_t size)
    {
        static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        return size == 16 || memcmp(remote + 8, mapped, 12) == 0;
    }
    """
    int EHOSTDOWN, ENONET
    size_t alagg_control(unsigned char *control, bint ipv4, int segment, int traffic, int way) noexcept
    void alagg_told(msghdr *message, int *segment, int *way) noexcept
    bint alagg_is_ipv4(const char *remote, Py_ssize_t size) noexcept


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


DEF BATCH = 256        # frames of one sendmmsg
DEF SEGMENTS = 64      # frames of one super-datagram (UDP_MAX_SEGMENTS of older kernels)
DEF LARGEST = 65000    # bytes of the largest super-datagram
DEF RETRIES = 3        # attempts for one datagram: an ICMP error for another one is told by the next call
DEF DATAGRAMS = 16     # datagrams of one recvmmsg
DEF SIZE = 24          # bytes of the Alagg header, as it is received
DEF MAX_HEADER = 64    # bytes of the largest one that is sent
DEF CONTROL = 128      # bytes of the control messages of a datagram
DEF NAME = 28          # bytes of the largest address


cdef bint _is_told(int number) noexcept:
    """Say whether the kernel tells of an ICMP error by this; nothing is wrong with the socket."""
    return number in (
        ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EHOSTDOWN, ENOPROTOOPT, EACCES, EPROTO, EOPNOTSUPP, ENONET,
    )


@cython.final
cdef class Sender:
    """Sends frames on one socket."""

    cdef readonly int64_t too_big
    cdef int _descriptor
    cdef int _mask
    cdef int _segments
    cdef mmsghdr _messages[BATCH]
    cdef int _counts[BATCH]
    cdef iovec _vectors[2 * BATCH]
    cdef unsigned char _controls[BATCH][CONTROL]

    def __cinit__(self, sock, int mask=0):
        self._descriptor = sock.fileno()
        self._mask = mask
        self._segments = SEGMENTS
        memset(self._messages, 0, sizeof(self._messages))

    def send(self, bytes remote not None, bytearray headers not None, list payloads not None, int way=0):
        cdef Py_ssize_t total = PyList_GET_SIZE(payloads)
        cdef Py_ssize_t stride = PyByteArray_GET_SIZE(headers) // total if total else SIZE
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t single = 0
        cdef Py_ssize_t until = 0
        cdef int64_t big = 0
        cdef int count, sent, index
        cdef int attempts = 0
        if PyBytes_GET_SIZE(remote) not in (16, NAME) or PyByteArray_GET_SIZE(headers) != total * stride:
            raise ValueError("a socket address, and an Alagg header for each payload")
        if not SIZE <= stride <= MAX_HEADER:
            raise ValueError("an Alagg header for each payload has 24 to 64 bytes")
        while done < total:
            count = self._fill(remote, headers, stride, payloads, done, total, 1 if done < single else self._segments, way)
            with nogil:
                sent = sendmmsg(self._descriptor, self._messages, <unsigned int> count, MSG_DONTWAIT)
            if sent > 0:
                for index in range(sent):
                    done += self._counts[index]
                attempts = 0
            elif errno == EINTR:
                continue
            elif self._counts[0] > 1 and (errno == EINVAL or errno == EMSGSIZE or errno == EIO):
                single = until = done + self._counts[0]
                big = self.too_big
            elif attempts + 1 < RETRIES and _is_told(errno):
                attempts += 1
            elif self._counts[0] == 1 and errno == EMSGSIZE:
                self.too_big += 1
                done += 1
                attempts = 0
            else:
                # EAGAIN: the socket's send buffer waits in the interface's queue; ENOBUFS: that queue dropped it.
                if done == 0 and errno != EAGAIN and errno != ENOBUFS:
                    PyErr_SetFromErrno(OSError)
                break
            if until and done >= until:
                if self.too_big == big:
                    self._segments = 1  # it was not their size: this kernel, or this way, does not cut
                until = 0
        return done

    cdef int _fill(
        self, bytes remote, bytearray headers, Py_ssize_t stride, list payloads, Py_ssize_t start, Py_ssize_t total,
        int segments, int way,
    ) except -1:
        """Point messages at the frames from `start` on; the list keeps the payloads alive during the call."""
        cdef Py_ssize_t count = min(total - start, BATCH)
        cdef char *header = PyByteArray_AS_STRING(headers) + start * stride
        cdef bint ipv4 = alagg_is_ipv4(PyBytes_AS_STRING(remote), PyBytes_GET_SIZE(remote))
        cdef Py_ssize_t index
        cdef Py_ssize_t first = 0
        cdef int messages = 0
        cdef bytes payload
        cdef msghdr *message
        for index in range(count):
            payload = payloads[start + index]
            if payload is None:
                raise TypeError("a frame is made of bytes")
            self._vectors[2 * index].iov_base = header + index * stride
            self._vectors[2 * index].iov_len = stride
            self._vectors[2 * index + 1].iov_base = PyBytes_AS_STRING(payload)
            self._vectors[2 * index + 1].iov_len = PyBytes_GET_SIZE(payload)
        while first < count:
            message = &self._messages[messages].msg_hdr
            self._counts[messages] = self._group(message, first, count, segments, ipv4, way, messages)
            message.msg_name = PyBytes_AS_STRING(remote)
            message.msg_namelen = <unsigned int> PyBytes_GET_SIZE(remote)
            message.msg_iov = &self._vectors[2 * first]
            message.msg_iovlen = 2 * self._counts[messages]
            first += self._counts[messages]
            messages += 1
        return messages

    cdef int _group(
        self, msghdr *message, Py_ssize_t first, Py_ssize_t count, int segments, bint ipv4, int way, int number
    ) noexcept:
        """Give how many frames leave together: of one size, the last one maybe shorter, and of one traffic class."""
        cdef size_t size = self._vectors[2 * first].iov_len + self._vectors[2 * first + 1].iov_len
        cdef size_t total = size
        cdef size_t length = size
        cdef Py_ssize_t index = first + 1
        cdef int traffic = self._traffic(first, 0) & self._mask
        while index < count and index - first < segments and length == size:
            length = self._vectors[2 * index].iov_len + self._vectors[2 * index + 1].iov_len
            if length > size or total + length > LARGEST:
                break
            if self._mask and self._traffic(index, traffic) & self._mask != traffic:
                break
            total += length
            index += 1
        message.msg_control = self._controls[number]
        message.msg_controllen = alagg_control(
            self._controls[number], ipv4, <int> size if index - first > 1 else 0, traffic, way
        )
        return <int> (index - first)

    cdef int _traffic(self, Py_ssize_t index, int otherwise) noexcept:
        """Give the traffic class of the packet in a frame; of later pieces, which do not show it, `otherwise`."""
        cdef const unsigned char *header = <const unsigned char *> self._vectors[2 * index].iov_base
        cdef const unsigned char *packet = <const unsigned char *> self._vectors[2 * index + 1].iov_base
        if header[0] & 0x0F != 1 or self._vectors[2 * index + 1].iov_len < 2:
            return 0
        if header[13]:
            return otherwise
        if packet[0] >> 4 == 4:
            return packet[1]
        return (packet[0] & 0x0F) << 4 | packet[1] >> 4 if packet[0] >> 4 == 6 else 0


@cython.final
cdef class Receiver:
    """Receives frames on one socket."""

    cdef public list ways
    cdef int _descriptor
    cdef Py_ssize_t _size
    cdef unsigned char *_data
    cdef mmsghdr _messages[DATAGRAMS]
    cdef iovec _vectors[DATAGRAMS]
    cdef unsigned char _names[DATAGRAMS][NAME]
    cdef unsigned char _controls[DATAGRAMS][2 * CONTROL]

    def __cinit__(self, sock, Py_ssize_t size=65536):
        cdef Py_ssize_t index
        if not 0 < size <= 1 << 20:
            raise ValueError("a datagram has 1 byte to 1 MiB")
        self.ways = []
        self._descriptor = sock.fileno()
        self._size = size
        # Pages that no datagram ever reaches stay untouched, so room for the largest ones costs no memory.
        self._data = <unsigned char *> malloc(DATAGRAMS * size)
        if self._data == NULL:
            raise MemoryError
        memset(self._messages, 0, sizeof(self._messages))
        for index in range(DATAGRAMS):
            self._vectors[index].iov_base = self._data + index * size
            self._vectors[index].iov_len = size
            self._messages[index].msg_hdr.msg_iov = &self._vectors[index]
            self._messages[index].msg_hdr.msg_iovlen = 1
            self._messages[index].msg_hdr.msg_name = self._names[index]
            self._messages[index].msg_hdr.msg_control = self._controls[index]

    def __dealloc__(self):
        free(self._data)

    def receive(self):
        cdef int count, index
        self.ways = []
        for index in range(DATAGRAMS):
            self._messages[index].msg_hdr.msg_namelen = NAME
            self._messages[index].msg_hdr.msg_controllen = 2 * CONTROL
        with nogil:
            count = recvmmsg(self._descriptor, self._messages, DATAGRAMS, MSG_DONTWAIT, NULL)
        if count < 0:
            if errno != EAGAIN and errno != EINTR and not _is_told(errno):
                PyErr_SetFromErrno(OSError)
            return []
        return self._arrivals(count)

    cdef list _arrivals(self, int count):
        """Give what was read: a new arrival begins wherever the source, or the interface, changes."""
        cdef list arrivals = []
        cdef list ways = []
        cdef int segments[DATAGRAMS]
        cdef int found[DATAGRAMS]
        cdef int start = 0
        cdef int end
        for end in range(count):
            alagg_told(&self._messages[end].msg_hdr, &segments[end], &found[end])
        while start < count:
            end = start + 1
            while end < count and found[end] == found[start] and self._is_same(start, end):
                end += 1
            arrivals.append(self._arrival(start, end, segments))
            ways.append(found[start])
            start = end
        self.ways = ways
        return arrivals

    cdef bint _is_same(self, int one, int other) noexcept:
        cdef unsigned int size = self._messages[one].msg_hdr.msg_namelen
        return size == self._messages[other].msg_hdr.msg_namelen and not memcmp(
            self._names[one], self._names[other], size
        )

    cdef tuple _arrival(self, int start, int end, int *segments):
        cdef bytes remote = PyBytes_FromStringAndSize(
            <char *> self._names[start], self._messages[start].msg_hdr.msg_namelen
        )
        cdef Py_ssize_t total = 0
        cdef Py_ssize_t length, at, size
        cdef int index
        for index in range(start, end):
            length = self._messages[index].msg_len
            total += self._frames(length, segments[index])
        cdef bytes headers = PyBytes_FromStringAndSize(NULL, total * SIZE)
        cdef char *header = PyBytes_AS_STRING(headers)
        cdef char *data
        cdef list payloads = []
        for index in range(start, end):
            length = self._messages[index].msg_len
            data = <char *> self._vectors[index].iov_base
            at = 0
            for _ in range(self._frames(length, segments[index])):
                size = min(segments[index] if segments[index] > 0 else length, length - at)
                if size < SIZE:
                    memset(header, 0, SIZE)
                    payloads.append(None)
                else:
                    memcpy(header, data + at, SIZE)
                    payloads.append(PyBytes_FromStringAndSize(data + at + SIZE, size - SIZE))
                header += SIZE
                at += size
        return remote, headers, payloads

    cdef Py_ssize_t _frames(self, Py_ssize_t length, int segment) noexcept:
        """Give how many frames a datagram holds."""
        return (length + segment - 1) // segment if 0 < segment < length else 1
