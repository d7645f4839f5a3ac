// A stand-in for cuDNN over the software driver: it checks descriptors, their order and life, and the memory for work,
// waits for the stream, and computes what the documented functions compute. What it supports is less than cuDNN does.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <set>
#include <vector>

extern "C" {
typedef uint64_t Address;
int cuStreamSynchronize(void *stream);
int cuMemcpyDtoH_v2(void *target, Address source, size_t bytes);
int cuMemcpyHtoD_v2(Address target, const void *source, size_t bytes);

char standin_calls[1 << 16];       // what was computed, and by which algorithm and math, for tests to read
char standin_wrong[4096];          // what was wrong with calls
int standin_live;                  // descriptors that were made and not destroyed
int standin_descriptors;           // as many as were made
int standin_fails;                 // what convolutions return, for tests to set
int standin_create_fails;          // what cudnnCreate returns
int standin_proposes = 1;          // whether there are any algorithms
long standin_scratch = 1000;       // bytes that the fastest algorithms want
}

enum { SUCCESS = 0, BAD_PARAM = 2000, NOT_SUPPORTED = 3000, EXECUTION_FAILED = 5000 };
enum Kind { HANDLE = 0xd11, TENSOR, FILTERS, CONVOLUTION };

struct Object {
  Kind kind;
  bool set = false;
  int type = -1, format = -1, math = -1, groups = 1, mode = -1, computed = -1;
  std::vector<int> sizes, strides, low, dilation; // a convolution's strides are those of its filters
  void *stream = nullptr;
};

static std::set<const void *> live;

enum { OF_BFLOAT = 9 };
static bool is_type(int type) { return (type >= 0 && type <= 2) || type == OF_BFLOAT; }
static bool is_narrow(int type) { return type == 2 || type == OF_BFLOAT; }

static int wrong(const char *function, const char *what) {
  char line[200];
  std::snprintf(line, sizeof(line), "%s: %s; ", function, what);
  std::strncat(standin_wrong, line, sizeof(standin_wrong) - std::strlen(standin_wrong) - 1);
  return BAD_PARAM;
}

// An object that is there, of its kind, and set if it must be.
static Object *found(const char *function, const void *pointer, Kind kind, bool set = true) {
  if (!pointer || !live.count(pointer)) return wrong(function, pointer ? "a destroyed object" : "NULL"), nullptr;
  Object *object = (Object *)pointer;
  if (object->kind != kind) return wrong(function, "an object of another kind"), nullptr;
  if (set && !object->set) return wrong(function, "a descriptor that was not set"), nullptr;
  return object;
}

static int make(void **made, Kind kind) {
  Object *object = new Object;
  object->kind = kind;
  live.insert(object);
  *made = object;
  if (kind != HANDLE) ++standin_live, ++standin_descriptors;
  return SUCCESS;
}

static int destroy(const char *function, void *pointer, Kind kind) {
  Object *object = found(function, pointer, kind, false);
  if (!object) return BAD_PARAM;
  live.erase(pointer);
  delete object;
  --standin_live;
  return SUCCESS;
}

extern "C" {
size_t cudnnGetVersion(void) { return 92800; }
const char *cudnnGetErrorString(int status) {
  return status == NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED" : status == EXECUTION_FAILED ? "CUDNN_STATUS_EXECUTION_FAILED"
         : status == BAD_PARAM ? "CUDNN_STATUS_BAD_PARAM" : status == 1001 ? "CUDNN_STATUS_NOT_INITIALIZED" : "CUDNN_STATUS_SOMETHING_ELSE";
}
int cudnnCreate(void **handle) { return standin_create_fails ? standin_create_fails : make(handle, HANDLE); }
int cudnnSetStream(void *handle, void *stream) {
  Object *own = found("cudnnSetStream", handle, HANDLE, false);
  if (!own || !stream) return BAD_PARAM;
  own->stream = stream;
  own->set = true;
  return SUCCESS;
}
int cudnnCreateTensorDescriptor(void **made) { return make(made, TENSOR); }
int cudnnCreateFilterDescriptor(void **made) { return make(made, FILTERS); }
int cudnnCreateConvolutionDescriptor(void **made) { return make(made, CONVOLUTION); }
int cudnnDestroyTensorDescriptor(void *own) { return destroy("cudnnDestroyTensorDescriptor", own, TENSOR); }
int cudnnDestroyFilterDescriptor(void *own) { return destroy("cudnnDestroyFilterDescriptor", own, FILTERS); }
int cudnnDestroyConvolutionDescriptor(void *own) { return destroy("cudnnDestroyConvolutionDescriptor", own, CONVOLUTION); }

int cudnnSetTensorNdDescriptor(void *descriptor, int type, int axes, const int *sizes, const int *strides) {
  Object *own = found("cudnnSetTensorNdDescriptor", descriptor, TENSOR, false);
  if (!own) return BAD_PARAM;
  if (!is_type(type) || axes < 4 || axes > 8) return wrong("cudnnSetTensorNdDescriptor", "type or number of axes");
  for (int i = 0; i < axes; ++i)
    if (sizes[i] < 1 || strides[i] < 1) return wrong("cudnnSetTensorNdDescriptor", "a size or stride below 1");
  own->type = type;
  own->sizes.assign(sizes, sizes + axes);
  own->strides.assign(strides, strides + axes);
  own->set = true;
  return SUCCESS;
}

int cudnnSetFilterNdDescriptor(void *descriptor, int type, int format, int axes, const int *sizes) {
  Object *own = found("cudnnSetFilterNdDescriptor", descriptor, FILTERS, false);
  if (!own) return BAD_PARAM;
  if (!is_type(type) || format < 0 || format > 1 || axes < 4 || axes > 8)
    return wrong("cudnnSetFilterNdDescriptor", "type, format or number of axes");
  own->type = type;
  own->format = format;
  own->sizes.assign(sizes, sizes + axes);
  own->strides.assign(axes, 1);
  int stride = format == 1 ? sizes[1] : 1;
  for (int i = axes - 1; i > 1; --i) own->strides[i] = stride, stride *= sizes[i];
  if (format == 0) own->strides[1] = stride, stride *= sizes[1];
  own->strides[0] = stride;
  for (int i = 0; i < axes; ++i)
    if (sizes[i] < 1) return wrong("cudnnSetFilterNdDescriptor", "a size below 1");
  own->set = true;
  return SUCCESS;
}

int cudnnSetConvolutionNdDescriptor(void *descriptor, int axes, const int *low, const int *strides, const int *dilation,
                                    int mode, int computed) {
  Object *own = found("cudnnSetConvolutionNdDescriptor", descriptor, CONVOLUTION, false);
  if (!own) return BAD_PARAM;
  if (axes < 2 || axes > 6 || mode < 0 || mode > 1 || computed < 0 || computed > 2)
    return wrong("cudnnSetConvolutionNdDescriptor", "number of axes, mode or type");
  for (int i = 0; i < axes; ++i)
    if (low[i] < 0 || strides[i] < 1 || dilation[i] < 1) return wrong("cudnnSetConvolutionNdDescriptor", "a number");
  own->low.assign(low, low + axes);
  own->strides.assign(strides, strides + axes);
  own->dilation.assign(dilation, dilation + axes);
  own->mode = mode;
  own->computed = computed;
  own->math = 0;
  own->set = true;
  return SUCCESS;
}
int cudnnSetConvolutionGroupCount(void *descriptor, int groups) {
  Object *own = found("cudnnSetConvolutionGroupCount", descriptor, CONVOLUTION);
  if (!own || groups < 1) return BAD_PARAM;
  own->groups = groups;
  return SUCCESS;
}
int cudnnSetConvolutionMathType(void *descriptor, int math) {
  Object *own = found("cudnnSetConvolutionMathType", descriptor, CONVOLUTION);
  if (!own || math < 0 || math > 3) return BAD_PARAM;
  own->math = math;
  return SUCCESS;
}

struct Proposal {
  int algorithm, status;
  float time;
  size_t bytes;
  int determinism, math, reserved[3];
};
}

struct Problem {
  const Object *x, *w, *y, *convolution;
};

// What all three must be like; else BAD_PARAM, with what is wrong.
static int checked(const char *function, const Problem &own) {
  const Object &x = *own.x, &w = *own.w, &y = *own.y, &convolution = *own.convolution;
  size_t axes = convolution.low.size();
  if (x.sizes.size() != axes + 2 || w.sizes.size() != axes + 2 || y.sizes.size() != axes + 2)
    return wrong(function, "numbers of axes");
  if (x.type != w.type || x.type != y.type) return wrong(function, "types");
  if (convolution.computed != (is_narrow(x.type) ? 0 : x.type)) return wrong(function, "the type in which sums are computed");
  int groups = convolution.groups;
  if (x.sizes[0] != y.sizes[0] || w.sizes[0] != y.sizes[1] || x.sizes[1] != groups * w.sizes[1] || w.sizes[0] % groups)
    return wrong(function, "batch, channels, filters or groups");
  for (size_t i = 0; i < axes; ++i) {
    int span = x.sizes[2 + i] + 2 * convolution.low[i] - ((w.sizes[2 + i] - 1) * convolution.dilation[i] + 1);
    if (span < 0 || span / convolution.strides[i] + 1 != y.sizes[2 + i]) return wrong(function, "the size of the output");
  }
  for (const Object *tensor : {own.x, own.y}) { // channels last, without gaps
    int stride = tensor->sizes[1];
    bool packed = tensor->strides[1] == 1;
    for (size_t i = axes + 1; i > 1; --i) packed = packed && tensor->strides[i] == stride, stride *= tensor->sizes[i];
    if (!packed || tensor->strides[0] != stride) return wrong(function, "the layout of a tensor");
  }
  return SUCCESS;
}

// As cuDNN documents for images with channels last: filters must be so too, but forward; in float64 they cannot.
static bool is_supported(int direction, const Problem &own) {
  if (!standin_proposes) return false;
  return own.w->format == 1 ? own.w->type != 1 : direction == 2;
}

enum { IMAGES, FACTOR_FILTERS, OUTPUT };

static std::vector<Proposal> proposals(int direction, const Problem &own) {
  int status = is_supported(direction, own) ? SUCCESS : NOT_SUPPORTED;
  size_t scratch = (size_t)standin_scratch;
  bool half = is_narrow(own.w->type), rounds = own.w->type == 0 && own.convolution->math != 3;
  std::vector<Proposal> all;
  if (half || rounds) all.push_back({direction == OUTPUT ? 6 : 5, status, 0.5f, scratch, 1, 1, {}});
  if (direction == OUTPUT) {
    all.push_back({1, status, 1, scratch, 1, own.convolution->math == 3 ? 3 : 0, {}});
    all.push_back({0, status, 2, 0, 1, own.convolution->math == 3 ? 3 : 0, {}});
  } else {
    all.push_back({0, status, 1, 0, 0, 0, {}}); // by atomic operations: other bits in each run
    all.push_back({1, status, 2, scratch, 1, 0, {}});
    if (direction == IMAGES) all.push_back({4, status, 3, 0, 1, 0, {}});
  }
  all.push_back({7, NOT_SUPPORTED, -1, 0, 1, 0, {}});
  return all;
}

static int propose(const char *function, int direction, void *handle, const Problem &own, int wanted, int *count,
                   Proposal *into) {
  if (!found(function, handle, HANDLE) || !own.x || !own.w || !own.y || !own.convolution || checked(function, own))
    return BAD_PARAM;
  std::strcat(standin_calls, "propose ");
  *count = 0;
  for (const Proposal &one : proposals(direction, own))
    if (*count < wanted) into[(*count)++] = one;
  return SUCCESS;
}

static Problem problem(const char *function, const void *x, const void *w, const void *y, const void *convolution) {
  return {found(function, x, TENSOR), found(function, w, FILTERS), found(function, y, TENSOR),
          found(function, convolution, CONVOLUTION)};
}

extern "C" {
int cudnnGetConvolutionForwardAlgorithm_v7(void *handle, const void *x, const void *w, const void *convolution,
                                           const void *y, int wanted, int *count, Proposal *into) {
  return propose(__func__, OUTPUT, handle, problem(__func__, x, w, y, convolution), wanted, count, into);
}
int cudnnGetConvolutionBackwardDataAlgorithm_v7(void *handle, const void *w, const void *y, const void *convolution,
                                                const void *x, int wanted, int *count, Proposal *into) {
  return propose(__func__, IMAGES, handle, problem(__func__, x, w, y, convolution), wanted, count, into);
}
int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void *handle, const void *x, const void *y, const void *convolution,
                                                  const void *w, int wanted, int *count, Proposal *into) {
  return propose(__func__, FACTOR_FILTERS, handle, problem(__func__, x, w, y, convolution), wanted, count, into);
}
}

struct Bfloat {
  uint16_t bits;
  Bfloat() = default;
  explicit Bfloat(double x) {
    const float value = (float)x;
    uint32_t whole;
    std::memcpy(&whole, &value, 4);
    bits = (uint16_t)((whole + 0x7fff + (whole >> 16 & 1)) >> 16);
  }
  explicit operator double() const {
    const uint32_t whole = (uint32_t)bits << 16;
    float value;
    std::memcpy(&value, &whole, 4);
    return value;
  }
};

template <class T> static double number(T x) { return (double)x; }

static size_t extent(const Object &own) {
  size_t all = 1;
  for (int size : own.sizes) all *= size;
  return all;
}

template <class T> static std::vector<T> fetched(const void *source, size_t count) {
  std::vector<T> values(count);
  if (cuMemcpyDtoH_v2(values.data(), (Address)(uintptr_t)source, count * sizeof(T))) wrong("data", "cannot be read");
  return values;
}

// The sum output * filters * images over all indices: the share of the factor `direction`.
template <class T> static int sum(int direction, const Problem &own, const void *const data[3], T *) {
  const Object *factors[3] = {own.x, own.w, own.y};
  std::vector<double> values[3];
  for (int factor = 0; factor < 3; ++factor) {
    values[factor].assign(extent(*factors[factor]), 0.0);
    if (factor == direction) continue;
    std::vector<T> given = fetched<T>(data[factor], values[factor].size());
    for (size_t i = 0; i < given.size(); ++i) values[factor][i] = number(given[i]);
  }
  size_t axes = own.convolution->low.size();
  long places = 1, outs = 1;
  for (size_t i = 0; i < axes; ++i) places *= own.w->sizes[2 + i], outs *= own.y->sizes[2 + i];
  int filters = own.w->sizes[0], channels = own.w->sizes[1], each = filters / own.convolution->groups;
  for (int n = 0; n < own.x->sizes[0]; ++n)
    for (long out = 0; out < outs; ++out)
      for (long place = 0; place < places; ++place) {
        long x = (long)n * own.x->strides[0], y = (long)n * own.y->strides[0], w = 0, o = out, k = place;
        bool inside = true;
        for (size_t i = axes; i-- > 0;) {
          int size = own.w->sizes[2 + i], at = o % own.y->sizes[2 + i], tap = k % size;
          int pixel = at * own.convolution->strides[i] + tap * own.convolution->dilation[i] - own.convolution->low[i];
          inside = inside && pixel >= 0 && pixel < own.x->sizes[2 + i];
          x += (long)pixel * own.x->strides[2 + i];
          y += (long)at * own.y->strides[2 + i];
          w += (long)(own.convolution->mode == 1 ? tap : size - 1 - tap) * own.w->strides[2 + i];
          o /= own.y->sizes[2 + i], k /= size;
        }
        for (int f = 0; inside && f < filters; ++f)
          for (int c = 0; c < channels; ++c) {
            double *at[3] = {&values[0][x + f / each * channels + c],
                             &values[1][w + (long)f * own.w->strides[0] + (long)c * own.w->strides[1]], &values[2][y + f]};
            *at[direction] += *at[(direction + 1) % 3] * *at[(direction + 2) % 3];
          }
      }
  std::vector<T> made(values[direction].size());
  for (size_t i = 0; i < made.size(); ++i) made[i] = (T)values[direction][i];
  return cuMemcpyHtoD_v2((Address)(uintptr_t)data[direction], made.data(), made.size() * sizeof(T)) ? EXECUTION_FAILED : SUCCESS;
}

static int convolve(const char *function, int direction, void *handle, const void *alpha, const Problem &own,
                    const void *const data[3], int algorithm, void *scratch, size_t bytes, const void *beta) {
  Object *opened = found(function, handle, HANDLE);
  if (!opened || !own.x || !own.w || !own.y || !own.convolution || checked(function, own)) return BAD_PARAM;
  if (standin_fails) return standin_fails;
  bool wide = own.w->type == 1;
  if ((wide ? *(const double *)alpha : *(const float *)alpha) != 1 || (wide ? *(const double *)beta : *(const float *)beta) != 0)
    return wrong(function, "alpha or beta");
  if (!data[0] || !data[1] || !data[2]) return wrong(function, "no data");
  const Proposal *wanted = nullptr;
  std::vector<Proposal> all = proposals(direction, own);
  for (const Proposal &one : all)
    if (one.algorithm == algorithm && (one.math == own.convolution->math || own.convolution->math == 3 || own.w->type == 1 ||
                                       algorithm == 5 || algorithm == 6))
      wanted = &one;
  if (!wanted) return wrong(function, "an algorithm, or math, that was not proposed");
  if (wanted->status) return wanted->status;
  if (bytes < wanted->bytes || (wanted->bytes && !scratch)) return wrong(function, "too little memory for the work");
  if (cuStreamSynchronize(opened->stream)) return EXECUTION_FAILED;
  std::vector<char> rubbish(wanted->bytes, (char)0xff); // all of it is used
  if (wanted->bytes && cuMemcpyHtoD_v2((Address)(uintptr_t)scratch, rubbish.data(), rubbish.size()))
    return wrong(function, "memory for the work that is not there");
  char line[64];
  std::snprintf(line, sizeof(line), "%s:%d:%d ", &"images\0\0filters\0output\0"[8 * direction], algorithm, own.convolution->math);
  if (std::strlen(standin_calls) + 64 < sizeof(standin_calls)) std::strcat(standin_calls, line);
  if (own.w->type == 0) return sum(direction, own, data, (float *)nullptr);
  if (own.w->type == OF_BFLOAT) return sum(direction, own, data, (Bfloat *)nullptr);
  return wide ? sum(direction, own, data, (double *)nullptr) : sum(direction, own, data, (_Float16 *)nullptr);
}

extern "C" {
int cudnnConvolutionForward(void *handle, const void *alpha, const void *xd, const void *x, const void *wd, const void *w,
                            const void *convolution, int algorithm, void *scratch, size_t bytes, const void *beta,
                            const void *yd, void *y) {
  const void *data[3] = {x, w, y};
  return convolve(__func__, OUTPUT, handle, alpha, problem(__func__, xd, wd, yd, convolution), data, algorithm, scratch,
                  bytes, beta);
}
int cudnnConvolutionBackwardData(void *handle, const void *alpha, const void *wd, const void *w, const void *yd,
                                 const void *y, const void *convolution, int algorithm, void *scratch, size_t bytes,
                                 const void *beta, const void *xd, void *x) {
  const void *data[3] = {x, w, y};
  return convolve(__func__, IMAGES, handle, alpha, problem(__func__, xd, wd, yd, convolution), data, algorithm, scratch,
                  bytes, beta);
}
int cudnnConvolutionBackwardFilter(void *handle, const void *alpha, const void *xd, const void *x, const void *yd,
                                   const void *y, const void *convolution, int algorithm, void *scratch, size_t bytes,
                                   const void *beta, const void *wd, void *w) {
  const void *data[3] = {x, w, y};
  return convolve(__func__, FACTOR_FILTERS, handle, alpha, problem(__func__, xd, wd, yd, convolution), data, algorithm,
                  scratch, bytes, beta);
}
}
