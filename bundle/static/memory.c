/* The allocator of the one static file: a plugin's memory is one region, of which little is ever given back.
 *
 * musl's own maps and unmaps pages some 130 times in a start, to be thrifty in processes that live for months.
 * A plugin lives for milliseconds. So memory is cut from the front of a region; what is freed is kept for
 * requests of the same size class, and the region grows by further ones. Every block has its class in front.
 *
 * Not for threads: plugins have none.
 *
 * While an image is made (image.c) the region begins right behind the executable's data, and Python's arenas are
 * cut from it, too: so all that was written lies in one piece. Whatever a resumed process asks for besides is
 * mapped where the kernel likes it.
 */
#include "memory.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define GRAIN 16u
#define SMALL 1024u                 /* up to here a class for every GRAIN bytes, then four for each power of two */
#define REGION (1ul << 20)          /* bytes that are mapped at once */
#define PAGE 4096ul
#define CLASSES (SMALL / GRAIN + 4 * 54)

struct block {
    size_t size;        /* bytes that can be used */
    struct block *next; /* of the free ones of this class; in use, it is the beginning of no data */
};

static struct block *unused[CLASSES];
static char *front, *end;
static int is_one_piece; /* as long as an image is made */
static char *image_end;  /* of a resumed process: what is below came with the executable */

/* The class of a request, and how many bytes its blocks have. */
static unsigned class_of(size_t *size)
{
    size_t rounded = *size <= GRAIN ? GRAIN : (*size + GRAIN - 1) & -(size_t)GRAIN, step;
    unsigned power;
    if (rounded <= SMALL) {
        *size = rounded;
        return rounded / GRAIN;
    }
    power = 63 - __builtin_clzl(rounded - 1); /* 2^power <= rounded - 1 */
    step = (size_t)1 << (power - 2);
    *size = (rounded + step - 1) & -step;
    return SMALL / GRAIN + 4 * (power - 10) + (*size - ((size_t)1 << power)) / step;
}

static int grow(size_t wanted)
{
    size_t size = (wanted + REGION - 1) & -REGION;
    char *found = mmap(end, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED)
        return -1;
    if (found != end) {
        if (is_one_piece)
            return -1;
        front = found;
    }
    end = found + size;
    return 0;
}

void *malloc(size_t size)
{
    struct block *found;
    unsigned class;
    if (size > PTRDIFF_MAX / 2) {
        errno = ENOMEM;
        return NULL;
    }
    class = class_of(&size);
    found = unused[class];
    if (found) {
        unused[class] = found->next;
        return (char *)found + GRAIN;
    }
    if ((size_t)(end - front) < size + GRAIN && grow(size + GRAIN) < 0) {
        errno = ENOMEM;
        return NULL;
    }
    found = (struct block *)front;
    front += size + GRAIN;
    found->size = size;
    return (char *)found + GRAIN;
}

void free(void *data)
{
    struct block *block;
    size_t size;
    unsigned class;
    if (!data)
        return;
    block = (struct block *)((char *)data - GRAIN);
    if ((char *)data + block->size == front) { /* the last one goes back to the region */
        memset(block, 0, GRAIN);
        front = (char *)block;
        return;
    }
    size = block->size;
    class = class_of(&size);
    block->next = unused[class];
    unused[class] = block;
}

void *calloc(size_t count, size_t each)
{
    void *data;
    if (each && count > PTRDIFF_MAX / each) {
        errno = ENOMEM;
        return NULL;
    }
    data = malloc(count * each);
    return data ? memset(data, 0, count * each) : NULL;
}

void *realloc(void *data, size_t size)
{
    size_t before = data ? ((struct block *)((char *)data - GRAIN))->size : 0;
    void *other;
    if (data && size <= before)
        return data;
    other = malloc(size);
    if (other && data) {
        memcpy(other, data, before);
        free(data);
    }
    return other;
}

void memory_begin_image(void)
{
    extern char _end[];
    is_one_piece = 1;
    memset(unused, 0, sizeof unused); /* what was freed before lies elsewhere */
    front = end = (char *)(((uintptr_t)_end + PAGE - 1) & -PAGE);
}

char *memory_end_image(void)
{
    char *last = (char *)(((uintptr_t)front + PAGE - 1) & -PAGE);
    is_one_piece = 0;
    image_end = last;
    front = end = NULL;
    return last;
}

static void *arena(void *context, size_t size)
{
    char *found;
    (void)context;
    if (!is_one_piece) {
        found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return found == MAP_FAILED ? NULL : found;
    }
    front = (char *)(((uintptr_t)front + PAGE - 1) & -PAGE);
    if ((end < front || (size_t)(end - front) < size) && grow(front - end + size) < 0)
        return NULL;
    found = front;
    front += size;
    return found;
}

static void drop_arena(void *context, void *found, size_t size)
{
    (void)context;
    if (!is_one_piece && (char *)found >= image_end)
        munmap(found, size);
}

const PyObjectArenaAllocator memory_arenas = {NULL, arena, drop_arena};
