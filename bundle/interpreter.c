/* The plugins' executable: CPython, linked in, and started no further than a plugin needs.
 *
 * A plugin lives for some milliseconds, and most of that is its start. So the interpreter is started only
 * to the end of its core phase (PEP 587, multi-phase initialization): no search path, no codecs module,
 * no standard streams. boot.py, marshalled in the file beside this executable, makes the plugins' own modules
 * importable. A module of the standard library is imported only on the way to an error message; complete()
 * does the rest of the start before. This is tried and measured with Python 3.11. Any other Python is started
 * completely, which takes some milliseconds longer.
 *
 * One executable serves all plugins: the name by which it is called says which.
 *
 * With EMBEDDED (make dist, static/) there is no such file: boot.py, the modules and those of the standard
 * library are part of the executable, which then needs nothing else at all.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <marshal.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef EMBEDDED
#include "image.h"
#endif

#define BOOT "cniwire.boot"
#define MODULES "cniwire.modules"
#define SEED "cniwire-seed" /* argv[0] of the process whose memory becomes the image */
#define VERSION Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION)
#define LARGEST_BOOT (1 << 16)
#define HASH_SEED 4711 /* of an image: DECISIONS 110 */
#ifndef STOPS_EARLY /* a test builds one that does not */
#define STOPS_EARLY (PY_MAJOR_VERSION == 3 && PY_MINOR_VERSION == 11)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* not in every C library's header yet */
#endif

#if STOPS_EARLY
/* A step of the start that the core phase leaves out. No public header declares it. */
extern int _PySignal_Init(int install_signal_handlers);
#endif

/* Modules that this Python's static library names, and whose code it does not have: build.py says which. */
#define LACKING(name)                                                       \
    PyMODINIT_FUNC PyInit_##name(void);                                     \
    PyMODINIT_FUNC PyInit_##name(void)                                      \
    {                                                                       \
        PyErr_SetString(PyExc_ImportError, "this bundle has no " #name);    \
        return NULL;                                                        \
    }
LACKED
#undef LACKING

#ifdef EMBEDDED
extern const char boot_begin[], boot_end[], modules_begin[], modules_end[]; /* embedded.S */
static const char contents[] = "/dev/null"; /* whatever is asked for is no link, and nothing is below it */

/* The standard library, as far as the way to an error message needs it. */
static const struct _frozen library[] = {
#define modules (const unsigned char *)modules_begin
#include "library.h"
#undef modules
    {NULL, NULL, 0, 0, NULL},
};
#else
static char contents[PATH_MAX]; /* the bundle's folder of everything that is not an executable */
#endif

#ifdef EMBEDDED
/* The first segment of that type in this executable, NULL for none. */
static const ElfW(Phdr) *segment(unsigned type)
{
    const ElfW(Phdr) *each = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    for (unsigned long left = getauxval(AT_PHNUM); left; left--, each++)
        if (each->p_type == type)
            return each;
    return NULL;
}
#endif

/* The errors that no Python code can tell. */
static int tell(const char *where, const char *what)
{
    dprintf(1, "{\"cniVersion\": \"1.1.0\", \"code\": 999, \"msg\": \"");
    for (const char *each = where; *each; each++) /* a path may hold anything */
        dprintf(1, "%c", *each < ' ' || *each > '~' || *each == '"' || *each == '\\' ? '?' : *each);
    dprintf(1, "%s\"}\n", what);
    return 1;
}

static int fail(const char *what)
{
    return tell(what, ": this bundle is damaged: install it again");
}

/* As core.cni.main: put /dev/null at closed standard descriptors, opened so that using them fails as before.
 * It must happen before any other file is opened, which would get one of these numbers. */
static void occupy_closed_descriptors(void)
{
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0)
            open("/dev/null", descriptor ? O_RDONLY : O_WRONLY);
}

/* The interpreter writes to nearly every page of its data: types, small integers, names. One call copies all
 * pages, instead of three hundred page faults. A kernel before 5.14 refuses, and the faults happen. */
static void copy_data(void)
{
    extern char _edata[];
    const unsigned long page = sysconf(_SC_PAGESIZE);
#ifdef EMBEDDED
    /* What is read-only after relocation lies before, to the end of a page. */
    const ElfW(Phdr) *constant = segment(PT_GNU_RELRO);
    const unsigned long begin = constant ? constant->p_vaddr + constant->p_memsz : (unsigned long)_edata;
#else
    extern char __data_start[];
    const unsigned long begin = (unsigned long)__data_start;
#endif
    madvise((void *)(begin & -page), (unsigned long)_edata - (begin & -page), MADV_POPULATE_WRITE);
}

static PyObject *complete(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
#ifdef EMBEDDED
    extern int _Py_Deepfreeze_Init(void); /* static/build.py has taken it out of the core phase */
    if (_Py_Deepfreeze_Init() < 0)
        return NULL;
    PyImport_FrozenModules = library; /* not before: Cold is to be asked for its modules, too */
#endif
#if STOPS_EARLY
    PyStatus status = _Py_InitializeMain();
    if (PyStatus_Exception(status)) {
        const char *reason = status.err_msg ? status.err_msg : "failed";
        PyErr_Format(PyExc_ImportError, "the interpreter's start: %s", reason);
        return NULL;
    }
#endif
    Py_RETURN_NONE;
}

static PyObject *enter(PyObject *self, PyObject *arguments)
{
    int descriptor, kind;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "ii", &descriptor, &kind))
        return NULL;
    if (setns(descriptor, kind) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

#ifdef EMBEDDED
/* Whether a file is a copy of this executable: its note with the build ID, a hash of all that was linked, is
 * the same, at the same place. */
static PyObject *is_copy(PyObject *self, PyObject *path)
{
    const ElfW(Phdr) *note = segment(PT_NOTE);
    char found[256];
    PyObject *encoded;
    ssize_t size = -1;
    int descriptor;
    (void)self;
    if (!note || note->p_filesz > sizeof found)
        Py_RETURN_FALSE;
    if (!PyUnicode_FSConverter(path, &encoded))
        return NULL;
    descriptor = open(PyBytes_AS_STRING(encoded), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    Py_DECREF(encoded);
    if (descriptor >= 0) {
        size = pread(descriptor, found, note->p_filesz, note->p_offset);
        close(descriptor);
    }
    return PyBool_FromLong(size == (ssize_t)note->p_filesz &&
                           memcmp(found, (const void *)note->p_vaddr, size) == 0);
}

static const char *all_modules(Py_ssize_t *size)
{
    *size = modules_end - modules_begin;
    return modules_begin;
}
#else
/* All modules are mapped once: nothing is copied, and the page cache serves all processes. NULL with an
 * exception: the file cannot be read. */
static const char *all_modules(Py_ssize_t *size)
{
    static const char *modules;
    static Py_ssize_t all;
    if (!modules) {
        char path[2 * PATH_MAX];
        void *found = MAP_FAILED;
        int descriptor;
        snprintf(path, sizeof path, "%s/" MODULES, contents);
        descriptor = open(path, O_RDONLY | O_CLOEXEC);
        if (descriptor >= 0 && (all = lseek(descriptor, 0, SEEK_END)) >= 0)
            found = mmap(NULL, all, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (found == MAP_FAILED) {
            PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
            return NULL;
        }
        close(descriptor);
        modules = found;
    }
    *size = all;
    return modules;
}
#endif

static PyObject *load(PyObject *self, PyObject *arguments)
{
    Py_ssize_t size, offset, all;
    const char *modules;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "nn", &size, &offset) || !(modules = all_modules(&all)))
        return NULL;
    if (offset < 0 || size < 0 || offset > all - size)
        return PyErr_Format(PyExc_EOFError, MODULES " has %zd bytes", all);
    return PyMarshal_ReadObjectFromString(modules + offset, size);
}

static PyMethodDef functions[] = {
    {"complete", complete, METH_NOARGS,
     "complete()\n\nDo the rest of the interpreter's start: search path, codecs, streams."},
    {"load", load, METH_VARARGS,
     "load(size, offset)\n\nWhat was marshalled there in the file of modules. Raises OSError, EOFError."},
#ifdef EMBEDDED
    {"is_copy", is_copy, METH_O, "is_copy(path)\n\nWhether that file is a copy of this executable."},
#endif
    {"setns", enter, METH_VARARGS,
     "setns(fd, nstype)\n\nos.setns, which Python has since 3.12. Raises OSError."},
    {NULL, NULL, 0, NULL},
};

#ifndef EMBEDDED
static PyStatus search(PyConfig *config, const char *below)
{
    char path[2 * PATH_MAX];
    wchar_t *decoded;
    PyStatus status;
    snprintf(path, sizeof path, "%s%s", contents, below);
    decoded = Py_DecodeLocale(path, NULL);
    if (!decoded)
        return PyStatus_NoMemory();
    status = PyWideStringList_Append(&config->module_search_paths, decoded);
    PyMem_RawFree(decoded);
    return status;
}
#endif

/* Every path that the interpreter would search the disk for is given here. */
static PyStatus place(PyConfig *config)
{
    wchar_t **const paths[] = {
        &config->executable, &config->base_executable, &config->home, &config->prefix, &config->exec_prefix,
        &config->base_prefix, &config->base_exec_prefix, &config->stdlib_dir,
    };
    PyStatus status = PyConfig_SetString(config, &config->platlibdir, L"lib");
    for (size_t each = 0; each < sizeof paths / sizeof *paths && !PyStatus_Exception(status); each++)
        status = PyConfig_SetBytesString(config, paths[each], contents);
    config->module_search_paths_set = 1;
#ifndef EMBEDDED
    if (!PyStatus_Exception(status))
        status = search(config, "/base_library.zip");
    if (!PyStatus_Exception(status))
        status = search(config, "/python" VERSION "/lib-dynload");
    if (!PyStatus_Exception(status))
        status = search(config, "");
#endif
    return status;
}

static PyStatus start(int seed)
{
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1; /* names and paths are UTF-8, whatever the runtime's locale says */
    status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status))
        return status;
    PyConfig_InitIsolatedConfig(&config);
#if STOPS_EARLY
    config._init_main = 0;
#endif
    config.site_import = 0;
    config.parse_argv = 0;
    config.pathconfig_warnings = 0;
    config.install_signal_handlers = 0;
    config.optimization_level = 2;
    config.write_bytecode = 0;
#ifdef TRAINING
    seed = 1; /* what is counted is the same in every build */
#endif
    config.use_hash_seed = seed;
    config.hash_seed = seed ? HASH_SEED : 0;
    status = place(&config);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

static PyObject *boot_code(void)
{
#ifdef EMBEDDED
    return PyMarshal_ReadObjectFromString(boot_begin, boot_end - boot_begin);
#else
    static char marshalled[LARGEST_BOOT];
    char path[2 * PATH_MAX];
    ssize_t size = -1;
    FILE *file;
    snprintf(path, sizeof path, "%s/" BOOT, contents);
    file = fopen(path, "rbe");
    if (file) {
        size = (ssize_t)fread(marshalled, 1, sizeof marshalled, file);
        fclose(file);
    }
    if (size <= 0)
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    return PyMarshal_ReadObjectFromString(marshalled, size);
#endif
}

/* argv[0], which the caller chooses, and the path that the kernel was told to execute. */
static PyObject *names_of(const char *called)
{
    const char *executed = (const char *)getauxval(AT_EXECFN);
    return Py_BuildValue("(NN)", PyUnicode_DecodeFSDefault(called),
                         PyUnicode_DecodeFSDefault(executed ? executed : ""));
}

/* Run boot.py with CALLED, CONTENTS, EARLY, SEED and our functions as globals, and return these. Unless this is
 * the seed of an image, it returns only if something is broken. */
static PyObject *boot(const char *called, int seed)
{
    PyObject *names = seed ? Py_BuildValue("(ss)", "", "") : names_of(called);
    PyObject *globals = PyDict_New(), *code = boot_code(), *module, *done;
    static struct PyModuleDef definition = {
        PyModuleDef_HEAD_INIT, "_interpreter", NULL, -1, functions, NULL, NULL, NULL, NULL,
    };
    if (!names || !globals || !code || !(module = PyModule_Create(&definition)))
        return NULL;
    if (PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) < 0 ||
        PyDict_SetItemString(globals, "interpreter", module) < 0 ||
        PyDict_SetItemString(globals, "EARLY", STOPS_EARLY ? Py_True : Py_False) < 0 ||
        PyDict_SetItemString(globals, "SEED", seed ? Py_True : Py_False) < 0 ||
        PyDict_SetItemString(globals, "CALLED", names) < 0 ||
        PyDict_SetItemString(globals, "CONTENTS", PyUnicode_DecodeFSDefault(contents)) < 0)
        return NULL;
    done = PyEval_EvalCode(code, globals, globals);
    Py_DECREF(code);
    Py_DECREF(names);
    Py_XDECREF(done);
    return done ? globals : NULL;
}

#ifndef EMBEDDED
/* Find the folder of contents beside the file that the kernel executed. What is wrong is told, and not 0
 * returned. */
static int find_contents(ssize_t length)
{
    if (length <= 0)
        return tell("/proc/self/exe",
                    ": cannot be read, and tells where this executable lies: is /proc mounted?");
    contents[length] = 0;
    strcpy(strrchr(contents, '/') + 1, "lib/" BOOT);
    if (access(contents, F_OK) < 0)
        return tell(contents, " is missing: an executable needs the folder lib beside it; "
                              "copy the whole folder, or make a link to the executable");
    *strrchr(contents, '/') = 0;
    return 0;
}
#endif

/* What the interpreter's start has to leave to who starts it. */
static void set_signals(void)
{
    signal(SIGPIPE, SIG_IGN); /* as in every Python: a closed pipe is an error of write(2), not the end */
    signal(SIGXFSZ, SIG_IGN);
}

static int start_all(int seed)
{
    PyStatus status;
    set_signals();
    status = start(seed);
    if (PyStatus_Exception(status))
        return fail(status.err_msg ? status.err_msg : "the interpreter's start");
    PyGC_Disable(); /* nothing lives long enough to be collected */
#if STOPS_EARLY
    if (_PySignal_Init(0) < 0)
        return fail("signals");
#endif
    return 0;
}

static int broken(void)
{
    PyErr_Print();
    return fail(BOOT);
}

#ifdef EMBEDDED
/* Start, and write the executable with the memory as it is then to *target*. */
static int sow(const char *target)
{
    PyObject *globals, *system;
    if (image_begin() < 0)
        return fail("the seed");
    if (start_all(1))
        return 1;
    globals = boot("", 1);
    system = globals ? PyImport_AddModule("posix") : NULL;
    if (!system || image_end(PyDict_GetItemString(globals, "resume"), PyObject_GetAttrString(system, "environ"),
                             target) < 0) {
        image_give_up();
        return broken();
    }
    return 0;
}
#endif

int main(int count, char **arguments)
{
    const char *called = count ? arguments[0] : "";
    occupy_closed_descriptors();
#ifdef EMBEDDED
    if (image_is_here) {
        set_signals();
        return image_resume(names_of(called)) < 0 ? broken() : 0;
    }
    if (strcmp(called, SEED) == 0 && count > 1)
        return sow(arguments[1]);
#else
    if (find_contents(readlink("/proc/self/exe", contents, sizeof contents - sizeof "lib/" BOOT)))
        return 1;
#endif
    copy_data();
    if (start_all(0))
        return 1;
    return boot(called, 0) ? 0 : broken();
}
