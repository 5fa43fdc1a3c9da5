cpdef long distance(long to, long origin) noexcept
