/* The files that freeze.py has written, as part of the executable. */
#define EMBED(name)                       \
    .globl name##_begin, name##_end      ;\
    .balign 16                           ;\
    name##_begin: .incbin #name          ;\
    name##_end:

    .section .rodata
    EMBED(boot)
    EMBED(modules)
    .data
    .section .note.GNU-stack, "", @progbits
