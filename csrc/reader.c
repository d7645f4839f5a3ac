/* Reading numbers out of Python objects, with messages that say which object was wrong. */
#include "decode.h"

int refuse(const Reader *reader, const char *attribute, const char *problem)
{
    PyErr_Format(PyExc_ValueError, "%s %zd: %s: %s", reader->what, reader->index, attribute, problem);
    return -1;
}

int check_number(const Reader *reader, const char *attribute, PyObject *value, int64_t low, int64_t high,
                 int64_t *number)
{
    PyObject *integer = PyNumber_Index(value);
    if (integer == NULL) {
        PyErr_Clear();
        return refuse(reader, attribute, "is not a whole number");
    }
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(integer, &overflow);
    Py_DECREF(integer);
    if (overflow || *number < low || *number > high) {
        PyErr_Format(PyExc_ValueError, "%s %zd: %s is %S, not in %lld..%lld", reader->what, reader->index, attribute,
                     value, (long long)low, (long long)high);
        return -1;
    }
    return 0;
}

int read_number(const Reader *reader, PyObject *object, const char *attribute, int limit, int *number)
{
    PyObject *value = PyObject_GetAttrString(object, attribute);
    if (value == NULL)
        return -1;
    int64_t wide = 0;
    int failed = check_number(reader, attribute, value, 0, (int64_t)limit - 1, &wide);
    *number = (int)wide;
    Py_DECREF(value);
    return failed;
}

int read_numbers(const Reader *reader, PyObject *object, const char *attribute, int limit, Numbers *numbers)
{
    PyObject *value = PyObject_GetAttrString(object, attribute);
    if (value == NULL)
        return -1;
    PyObject *sequence = PySequence_Fast(value, "expected a sequence of numbers");
    Py_DECREF(value);
    if (sequence == NULL)
        return -1;
    numbers->count = (int)PySequence_Fast_GET_SIZE(sequence);
    numbers->items = pool_take(&reader->machine->pool, numbers->count, sizeof(int));
    int failed = numbers->items == NULL ? -1 : 0;
    for (int i = 0; i < numbers->count && !failed; i++) {
        int64_t wide = 0;
        failed = check_number(reader, attribute, PySequence_Fast_GET_ITEM(sequence, i), 0, (int64_t)limit - 1, &wide);
        numbers->items[i] = (int)wide;
    }
    Py_DECREF(sequence);
    return failed;
}

int read_flag(PyObject *object, const char *attribute, bool *flag)
{
    PyObject *value = PyObject_GetAttrString(object, attribute);
    if (value == NULL)
        return -1;
    int truth = PyObject_IsTrue(value);
    Py_DECREF(value);
    *flag = truth == 1;
    return truth < 0 ? -1 : 0;
}
