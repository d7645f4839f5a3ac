/* Elements that are loaded and stored at once. */
template <class T, int N> struct alignas(sizeof(T) * N) Vector {
  T at[N];
};

inline bool is_aligned(const void *address, int bytes) { return (unsigned long)address % bytes == 0; }
