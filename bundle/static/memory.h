/* What image.c and interpreter.c want of the allocator. */
#include <Python.h>

/* From here on all memory lies in one piece, right behind the executable's data. */
extern void memory_begin_image(void);

/* The end of that piece; from here on memory is what the kernel maps. */
extern char *memory_end_image(void);

/* For PyObject_SetArenaAllocator. */
extern const PyObjectArenaAllocator memory_arenas;
