/* Shared by the files that read the Python Program. */
#ifndef SYMTENSOR_DECODE_H
#define SYMTENSOR_DECODE_H

#include "core.h"

typedef struct {
    Machine *machine;
    PyObject *addresses;         /* a tuple: of each kernel */
    const char *what;            /* the list being read and the item in it, for messages too */
    Py_ssize_t index;
    void *array;                 /* what the list becomes */
} Reader;

int refuse(const Reader *reader, const char *attribute, const char *problem);
/* A whole number in low..high, both included. */
int check_number(const Reader *reader, const char *attribute, PyObject *value, int64_t low, int64_t high,
                 int64_t *number);
/* An attribute that is a number below `limit`, from 0 on. */
int read_number(const Reader *reader, PyObject *object, const char *attribute, int limit, int *number);
/* An attribute that is a sequence of such numbers. */
int read_numbers(const Reader *reader, PyObject *object, const char *attribute, int limit, Numbers *numbers);
int read_flag(PyObject *object, const char *attribute, bool *flag);

int read_instruction(const Reader *reader, PyObject *item);
int routine_read(const Reader *reader, PyObject *item, Routine *routine);

#endif
