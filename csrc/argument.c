/* Arguments: arrays of the right type are taken as they are and numbers stored; `convert` sees to the rest. */
#include "core.h"

#include <math.h>

static bool array_fits(const Type *type, PyObject *object)
{
    if (!PyArray_CheckExact(object))
        return false;
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_CHKFLAGS(array, NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED) && type_matches(type, array);
}

/* Numbers for 0-d arguments. Each of these stores one in the argument's dtype, or says false when that
 * would lose more than the last digits. */

static bool store_real(const Type *type, double value, Scalar *scalar)
{
    bool is_complex = type->kind == 'c';
    if (type->kind != 'f' && !is_complex)
        return false;
    if (type->itemsize == (is_complex ? 16 : 8)) {
        scalar->doubles[0] = value;
        scalar->doubles[1] = 0;
        return true;
    }
    scalar->floats[0] = (float)value;
    scalar->floats[1] = 0;
    return type->itemsize == (is_complex ? 8 : 4) && (isfinite(scalar->floats[0]) || !isfinite(value));
}

static bool store_integer(const Type *type, int64_t value, Scalar *scalar)
{
    if (type->kind == 'f' || type->kind == 'c')
        return store_real(type, (double)value, scalar);
    if (type->kind == 'b')
        return false;
    int bits = 8 * type->itemsize;
    int64_t high = type->kind == 'i' || bits == 64 ? INT64_MAX >> (64 - bits) : (INT64_C(1) << bits) - 1;
    int64_t low = type->kind == 'i' ? -high - 1 : 0;
    switch (type->itemsize) {
    case 1: scalar->int8 = (int8_t)value; break;
    case 2: scalar->int16 = (int16_t)value; break;
    case 4: scalar->int32 = (int32_t)value; break;
    default: scalar->int64 = value;
    }
    return value >= low && value <= high;
}

static bool store_boolean(const Type *type, bool value, Scalar *scalar)
{
    if (type->kind != 'b')
        return store_integer(type, value, scalar);
    scalar->int8 = value;
    return true;
}

static bool store_numpy_scalar(const Type *type, PyObject *object, Scalar *scalar)
{
    PyArray_Descr *descr = PyArray_DescrFromScalar(object);
    if (descr == NULL) {
        PyErr_Clear();
        return false;
    }
    bool safe = PyArray_CanCastTypeTo(descr, type->descr, NPY_SAFE_CASTING);
    Py_DECREF(descr);
    if (safe && PyArray_CastScalarToCtype(object, scalar, type->descr) < 0) {
        PyErr_Clear();
        return false;
    }
    return safe;
}

static bool store_number(const Type *type, PyObject *object, Scalar *scalar)
{
    if (PyFloat_CheckExact(object))
        return store_real(type, PyFloat_AS_DOUBLE(object), scalar);
    if (PyBool_Check(object))
        return store_boolean(type, object == Py_True, scalar);
    if (PyLong_CheckExact(object)) {
        int overflow;
        int64_t value = PyLong_AsLongLongAndOverflow(object, &overflow);
        return !overflow && store_integer(type, value, scalar);
    }
    return PyArray_IsScalar(object, Number) || PyArray_IsScalar(object, Bool)
        ? store_numpy_scalar(type, object, scalar) : false;
}

/* An array that is on the device where the argument is wanted. */
static bool is_there(const Machine *machine, int number, PyObject *object)
{
    int place = machine->argument_places[number];
    return place > 0 && Py_IS_TYPE(object, &DeviceArrayType) && value_is_of(&machine->arguments[number], object)
        && value_device(object) == machine->devices[place - 1];
}

static bool take_argument(Workspace *workspace, int number, PyObject *object)
{
    const Type *type = &workspace->machine->arguments[number];
    if (array_fits(type, object) || is_there(workspace->machine, number, object)) {
        workspace->arguments[number] = object;
        workspace->argument_data[number] = value_data(object);
        return true;
    }
    Scalar *scalar = &workspace->scalars[number];
    if (type->ndim > 0 || !store_number(type, object, scalar))
        return false;
    workspace->arguments[number] = NULL;
    workspace->argument_data[number] = scalar;
    return true;
}

/* The keyword arguments as a dict, NULL without an exception when there are none. */
static PyObject *keyword_dict(PyObject *const *values, PyObject *names)
{
    if (names == NULL)
        return NULL;
    PyObject *keywords = PyDict_New();
    for (Py_ssize_t i = 0; keywords != NULL && i < PyTuple_GET_SIZE(names); i++)
        if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, i), values[i]) < 0)
            Py_CLEAR(keywords);
    return keywords;
}

/* Have Python make arguments of the right type out of what was given. */
static int convert_arguments(Function *function, Workspace *workspace, PyObject *const *args, Py_ssize_t count,
                             PyObject *names)
{
    PyObject *positional = PyTuple_New(count);
    if (positional == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_INCREF(args[i]);
        PyTuple_SET_ITEM(positional, i, args[i]);
    }
    PyObject *keywords = keyword_dict(args + count, names);
    PyObject *converted = NULL;
    if (!PyErr_Occurred())
        converted = PyObject_CallFunctionObjArgs(function->convert, positional, keywords == NULL ? Py_None : keywords,
                                                 NULL);
    Py_DECREF(positional);
    Py_XDECREF(keywords);
    workspace->converted = converted;
    if (converted == NULL)
        return -1;
    int wanted = workspace->machine->argument_count;
    if (!PyTuple_Check(converted) || PyTuple_GET_SIZE(converted) != wanted) {
        PyErr_Format(PyExc_TypeError, "convert must return a tuple of %d arrays", wanted);
        return -1;
    }
    for (int i = 0; i < wanted; i++)
        if (!take_argument(workspace, i, PyTuple_GET_ITEM(converted, i))) {
            PyErr_Format(PyExc_TypeError, "convert returned no array of the right type for argument %d", i);
            return -1;
        }
    return 0;
}

/* The argument from `first` on that a keyword names, or -1. */
static int find_argument(const Machine *machine, PyObject *keyword, int first)
{
    for (int i = first; i < machine->argument_count; i++)
        if (PyTuple_GET_ITEM(machine->names, i) == keyword)
            return i;
    for (int i = first; i < machine->argument_count; i++) {
        PyObject *name = PyTuple_GET_ITEM(machine->names, i); /* the keyword was not interned */
        if (PyUnicode_Check(name) && PyUnicode_Compare(name, keyword) == 0)
            return i;
    }
    return -1;
}

/* Take a value for each argument, those after the first `count` by keyword; false where that cannot be done
 * without `convert`. */
static bool take_arguments(Workspace *workspace, PyObject *const *args, int count, PyObject *keywords)
{
    for (int i = 0; i < count; i++)
        if (!take_argument(workspace, i, args[i]))
            return false;
    /* Keywords differ from one another: as many as there are arguments left name each of them once. */
    for (int i = count; i < workspace->machine->argument_count; i++) {
        int number = find_argument(workspace->machine, PyTuple_GET_ITEM(keywords, i - count), count);
        if (number < 0 || !take_argument(workspace, number, args[i]))
            return false;
    }
    return true;
}

int arguments_read(Function *function, Workspace *workspace, PyObject *const *args, Py_ssize_t count,
                   PyObject *keywords)
{
    Py_ssize_t given = count + (keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords));
    if (given == workspace->machine->argument_count && take_arguments(workspace, args, (int)count, keywords))
        return 0;
    return convert_arguments(function, workspace, args, count, keywords);
}

static int bring(Function *function, Workspace *workspace, int number, int place)
{
    const Machine *machine = workspace->machine;
    Device *device = machine->devices[place - 1];
    PyObject *given = workspace->arguments[number];
    const npy_intp *shape = given == NULL ? NULL : value_shape(given);
    PyObject *value = value_new(device, &machine->arguments[number], shape);
    if (value == NULL) {
        int64_t bytes = given == NULL ? machine->arguments[number].itemsize : value_bytes(given);
        PyErr_Clear();
        return function_fail(function, "memory", place, PyLong_FromLongLong(bytes));
    }
    workspace->brought[number] = value;
    Status status = device_copy(device, value_data(value), NULL, workspace->argument_data[number], value_bytes(value));
    workspace->argument_data[number] = value_data(value);
    return status == 0 ? 0 : device_raise(device, status, "an argument was brought there");
}

int arguments_bring(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int i = 0; machine->device_count > 0 && i < machine->argument_count; i++) {
        int place = machine->argument_places[i];
        bool there = place == 0
            || (workspace->arguments[i] != NULL && value_device(workspace->arguments[i]) != NULL);
        if (!there && bring(function, workspace, i, place) < 0)
            return -1;
    }
    return 0;
}
