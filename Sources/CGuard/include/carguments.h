/// The words that the program was started with, which other users of the machine can read.
#pragma once

/// Overwrites, in every word, the value of the link's parameter `name`, up to the next '&' or the word's end, with
/// '*'. Who looked before has seen it.
void carguments_hide(const char *name);

/// As `carguments_hide`, in one word. As links are read: the name in either case, and perhaps '.' and digits behind it.
void carguments_hide_in(char *word, const char *name);
