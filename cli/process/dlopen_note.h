/* An ELF note about libraries that dlopen loads: they are in no list of needed libraries, so that packagers and
   administrators would not see them, and their tools read this (the UAPI group's "ELF dlopen metadata"). */
#ifndef WEIR_CLI_PROCESS_DLOPEN_NOTE_H
#define WEIR_CLI_PROCESS_DLOPEN_NOTE_H

#include <stdint.h>

enum { DLOPEN_NOTE_TYPE = 0x407c0c0a };

/* One in a file; the text is a JSON array. */
#define DLOPEN_NOTE(json)                                                                                              \
    __attribute__((used, section(".note.dlopen"))) _Alignas(4) static const struct {                                   \
        uint32_t name_size, text_size, type;                                                                           \
        char name[4];                                                                                                  \
        _Alignas(4) char text[sizeof(json)];                                                                           \
    } note = {4, sizeof(json), DLOPEN_NOTE_TYPE, "FDO", json}

#endif
