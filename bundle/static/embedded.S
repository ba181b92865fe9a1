/* The files that freeze.py has written, as part of the executable: in a segment of their own, which only the seed
 * of an image needs (image.c). */
#define EMBED(name)                       \
    .globl name##_begin, name##_end      ;\
    .balign 16                           ;\
    name##_begin: .incbin #name          ;\
    name##_end:

    .section .seed, "a", @progbits
    EMBED(boot)
    EMBED(modules)
    .data
    .section .note.GNU-stack, "", @progbits
