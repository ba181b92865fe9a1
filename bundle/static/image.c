/* The image: a plugin that resumes instead of starting.
 *
 * An interpreter that is started, with every module loaded that any plugin can need, always looks the same. So
 * it is started once, when the executable is built (the seed), and what its memory holds then is written into
 * the executable, in place of the data that it began with. The kernel maps it like any other data; nothing
 * is read that is not touched. A process of that executable goes on in main() where the seed ended.
 *
 * Law: nothing of the seed's own run may be in the image. So the seed puts its circumstances aside before it
 * begins, and the build compares the images of two seeds that ran under different ones: image.py. What belongs
 * to a run is taken from the process in resume_process().
 */
#define _GNU_SOURCE
#include "image.h"
#include "memory.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS 1024
#define TOLD 60
#define PAGE 4096ul

extern char **environ;

int image_is_here;
static PyObject *resume;     /* boot.py's function */
static PyObject *variables;  /* posix.environ */
static int told;             /* the seed's own standard error, for what goes wrong */

/* What the caller of the seed chose. Nothing that could tell is left: variables, signals, descriptors, and the
 * page with the kernel's clock, whose place differs from process to process. */
static int put_aside(void)
{
    static char timezone[] = "TZ=UTC0", *none[] = {timezone, NULL};
    char **after = environ;
    int ends[2];
    told = fcntl(2, F_DUPFD_CLOEXEC, TOLD);
    while (*after)
        after++;
    for (Elf64_auxv_t *each = (Elf64_auxv_t *)(after + 1); each->a_type != AT_NULL; each++)
        if (each->a_type == AT_SYSINFO_EHDR)
            each->a_type = AT_IGNORE;
    environ = none;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    umask(022);
    for (int descriptor = 3; descriptor < DESCRIPTORS; descriptor++)
        if (descriptor != told)
            close(descriptor);
    if (pipe(ends) < 0)
        return -1;
    /* Streams that are neither a terminal nor a file, as a runtime gives them. */
    if (dup2(ends[0], 0) < 0 || dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0)
        return -1;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

void image_give_up(void)
{
    dup2(told, 1);
    dup2(told, 2);
}

int image_begin(void)
{
    memory_begin_image();
    PyObject_SetArenaAllocator((PyObjectArenaAllocator *)&memory_arenas);
    return put_aside();
}

static int write_all(int descriptor, const char *data, size_t size)
{
    while (size) {
        ssize_t written = write(descriptor, data, size);
        if (written <= 0)
            return -1;
        data += written, size -= written;
    }
    return 0;
}

/* Write the executable with its memory as it is now. */
static int put(const char *target, const char *end)
{
    int source = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), result = -1, descriptor;
    off_t size = source < 0 ? -1 : lseek(source, 0, SEEK_END);
    char *file = size <= 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, source, 0);
    Elf64_Ehdr *head = (Elf64_Ehdr *)file;
    Elf64_Phdr *each;
    if (file == MAP_FAILED)
        return -1;
    each = (Elf64_Phdr *)(file + head->e_phoff) + head->e_phnum - 1;
    for (; each->p_type != PT_LOAD || !(each->p_flags & PF_W); each--)
        if (each->p_type == PT_LOAD) /* behind the data: what only a seed needs */
            each->p_type = PT_NULL;
    while (end > (char *)each->p_vaddr && !end[-1]) /* what is nothing needs no place in the file */
        end--;
    each->p_filesz = end - (char *)each->p_vaddr;
    each->p_memsz = (each->p_filesz + PAGE - 1) & -PAGE;
    head->e_shoff = head->e_shnum = head->e_shstrndx = 0;
    descriptor = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (descriptor >= 0 && write_all(descriptor, file, each->p_offset) == 0 &&
        write_all(descriptor, (char *)each->p_vaddr, each->p_filesz) == 0 && close(descriptor) == 0)
        result = 0;
    return result;
}

int image_end(PyObject *function, PyObject *environment, const char *target)
{
    if (!function || !environment)
        return -1;
    Py_INCREF(resume = function);
    Py_INCREF(variables = environment);
    PyDict_Clear(variables);
    PyGC_Collect();
    PyImport_FrozenModules = NULL; /* all are imported, and what they came from is no part of the image */
    PyThreadState_Get()->native_thread_id = 0;
    image_is_here = 1;
    if (put(target, memory_end_image()) < 0)
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, target);
    return PyErr_Occurred() ? -1 : 0;
}

/* posix.environ, as Python makes it: what has no "=" is left out, the first of a name counts. */
static int take_environment(void)
{
    for (char **each = environ; *each; each++) {
        const char *equals = strchr(*each, '=');
        PyObject *name, *value;
        if (!equals)
            continue;
        name = PyBytes_FromStringAndSize(*each, equals - *each);
        value = PyBytes_FromString(equals + 1);
        if (!name || !value || !PyDict_SetDefault(variables, name, value))
            return -1;
        Py_DECREF(name);
        Py_DECREF(value);
    }
    return 0;
}

int image_resume(PyObject *called)
{
    PyObject *done;
    PyThreadState_Get()->native_thread_id = PyThread_get_thread_native_id();
    if (!called || take_environment() < 0)
        return -1;
    done = PyObject_CallOneArg(resume, called);
    Py_XDECREF(done);
    return done ? 0 : -1;
}
