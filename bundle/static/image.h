/* What interpreter.c wants of the image. */
#include <Python.h>

/* Whether this process resumes. */
extern int image_is_here;

/* Before the interpreter's start: put the circumstances aside, and keep all memory in one piece. */
extern int image_begin(void);

/* Write the executable with what the memory holds now. function: boot.py's, which goes on with the call;
 * environment: posix.environ. */
extern int image_end(PyObject *function, PyObject *environment, const char *target);

/* Give the seed its streams back, so that an error can be told. */
extern void image_give_up(void);

/* Go on. called: argv[0] and the path that was executed. Returns only if something is broken. */
extern int image_resume(PyObject *called);
